"""Near in metadata, near in the space: the order of an item's neighbours is that of metadata itself.

Contrast alone only asks that a row's own words are nearest to it; which of two wrong items is the better one, it does
not say. A person who switches to horror means the horror film that is otherwise most like this one.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from talkwalk.contrastive.hard_negatives import alter_one
from talkwalk.schema import Kind, Schema

ALTERED = 0.35  # share of the wanted rows in which one attribute is changed, as a steer would
SWITCHED = 0.3  # share of them that have one category instead of their own, each value equally often
PARTIAL = 0.5  # share of them that tell only some attributes, as a wish would
TOLD = 0.5  # share of the attributes that those tell


class Neighbours(NamedTuple):
    """What is wanted, and what there is.

    Attributes:
        wanted: Features of what a person may want, (wanted, input width).
        items: Features of whole items, (items, input width).
    """

    wanted: Tensor
    items: Tensor


def draw_neighbours(rows: Tensor, schema: Schema, *, wanted: int, items: int, generator: torch.Generator) -> Neighbours:
    """Draw items, and other items of which one attribute is changed or only some are told.

    Args:
        rows: Whole items, (rows, input width).
        schema: Says what the columns are.
        wanted: Number of wanted rows.
        items: Number of items to set them against.
        generator: Draws; on the CPU, so that every process draws alike.
    """
    count = len(rows)
    asked = rows[torch.randint(count, (wanted,), generator=generator).to(rows.device)]
    change = torch.rand((wanted, 1), generator=generator).to(rows.device)
    asked = torch.where(change < ALTERED, alter_one(asked, schema, generator), asked)
    asked = torch.where(change > 1 - SWITCHED, _switch(asked, schema, generator), asked)
    partial = torch.rand((wanted, 1), generator=generator) < PARTIAL
    told = (torch.rand((wanted, len(schema.featured)), generator=generator) < TOLD) | ~partial
    told[torch.arange(wanted), torch.randint(_item_attributes(schema), (wanted,), generator=generator)] = True
    asked = asked * _wide(told.to(rows.device), schema)
    return Neighbours(asked, rows[torch.randint(count, (items,), generator=generator).to(rows.device)])


def _switch(features: Tensor, schema: Schema, generator: torch.Generator) -> Tensor:
    """Copy of every row (rows, input width) with a single other value of one category or multi item attribute."""
    attributes = [a for a in schema.items.values() if a.kind is not Kind.TEXT]
    named = [a.name for a in schema.categorical if a.width]
    if not named:
        return features
    switched, start, masks = features.clone(), 0, features.shape[1] - len(schema.featured)
    chosen = torch.randint(len(named), (len(features),), generator=generator).to(features.device)
    for number, attribute in enumerate(attributes):
        if attribute.name in named:
            rows = (chosen == named.index(attribute.name)).nonzero()[:, 0]
            value = torch.randint(attribute.width, (len(rows),), generator=generator).to(features.device)
            switched[rows, start : start + attribute.width] = 0.0
            switched[rows, start + value] = 1.0
            switched[rows, masks + number] = 1.0
        start += attribute.width
    return switched


def metadata_distances(wanted: Tensor, items: Tensor, schema: Schema) -> Tensor:
    """`MetadataTable.distances` of every wanted row to every item, 0 to 1, (wanted, items).

    Mean over the item attributes that a wanted row has: ordered ones differ by their distance on [0, 1], categories by
    1 minus the share of common names among all names of both (Jaccard), flags by 0 or 1; an item without the attribute
    differs by 1.

    Args:
        wanted: `Features.joined()`, (wanted, input width).
        items: The same, (items, input width).
        schema: Says what the columns are.
    """
    attributes = [a for a in schema.items.values() if a.kind is not Kind.TEXT]
    masks = wanted.shape[1] - len(schema.featured)  # where the presence columns begin
    total, start = wanted.new_zeros(len(wanted), len(items)), 0
    for number, attribute in enumerate(attributes):
        block = slice(start, start + attribute.width)
        start += attribute.width
        mine, theirs = wanted[:, None, block], items[None, :, block]
        if attribute.kind in (Kind.CATEGORY, Kind.MULTI):
            common = wanted[:, block] @ items[:, block].T
            both = mine.sum(dim=-1) + theirs.sum(dim=-1) - common
            apart = 1 - common / both.clamp(min=1)
        else:
            apart = (mine - theirs).abs()[..., 0] / 2  # features lie in [-1, 1]
        apart = torch.where(items[None, :, masks + number] > 0, apart, torch.ones_like(apart))
        total = total + apart * wanted[:, masks + number, None]
    return total / wanted[:, masks : masks + len(attributes)].sum(dim=1, keepdim=True).clamp(min=1)


def neighbour_loss(
    encoder: nn.Module, drawn: Neighbours, schema: Schema, *, nearness: float, temperature: float
) -> Tensor:
    """Cross-entropy between the items near in metadata and those near in the space, less the least possible.

    ListNet's top-one probabilities (Cao et al. 2007): softmax(-distance / nearness) over the items is what
    softmax(cosine / temperature) should be; the loss is their Kullback-Leibler divergence, averaged over the rows.

    Args:
        encoder: Features to unit vectors.
        drawn: Wanted rows and items.
        schema: Says what the columns are.
        nearness: Metadata distance that counts as near.
        temperature: Softmax temperature of the cosines.
    """
    with torch.no_grad():
        near = F.softmax(-metadata_distances(drawn.wanted, drawn.items, schema) / nearness, dim=1)
    vectors = encoder(torch.cat([drawn.wanted, drawn.items]))
    wanted, items = vectors.split([len(drawn.wanted), len(drawn.items)])
    return F.kl_div(F.log_softmax(wanted @ items.T / temperature, dim=1), near, reduction="batchmean")


def _item_attributes(schema: Schema) -> int:
    return sum(a.kind is not Kind.TEXT for a in schema.items.values())


def _wide(told: Tensor, schema: Schema) -> Tensor:
    """Told attributes (rows, attributes) as a mask of `Features.joined()`, (rows, input width)."""
    widths = torch.tensor([a.width for a in schema.featured], device=told.device)
    return torch.cat([told.repeat_interleave(widths, dim=1), told], dim=1).float()
