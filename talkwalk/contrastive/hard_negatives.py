"""The same metadata with one attribute changed: the mistakes that matter most, put beside every pair."""

from __future__ import annotations

import torch
from torch import Tensor

from talkwalk.schema import Kind, Schema

NEAREST = 0.4  # an ordered attribute moves at least this far on its [0, 1] scale, out of all but the widest ranges
FARTHEST = 0.6


def alter_one(features: Tensor, schema: Schema, generator: torch.Generator) -> Tensor:
    """Copy of every row in which one present attribute, drawn evenly, has another value.

    Ordered attributes move by 0.4 to 0.6 of their scale, one name of a category or multi attribute becomes another,
    flags turn. A row without a present attribute comes back as it is.

    Args:
        features: `Features.joined()`, (rows, width).
        schema: Says what the columns are.
        generator: Draws; on the CPU, so that every process draws alike.
    """
    attributes = schema.featured
    present = features[:, features.shape[1] - len(attributes) :]
    draws = torch.rand(present.shape, generator=generator).to(features.device)
    chosen = (draws * (present > 0)).argmax(dim=1)  # (rows,)
    altered, start = features.clone(), 0
    for number, attribute in enumerate(attributes):
        block = slice(start, start + attribute.width)
        start += attribute.width
        rows = torch.nonzero((chosen == number) & (present[:, number] > 0))[:, 0]
        if len(rows) and attribute.width:
            altered[rows, block] = _other(features[rows, block], attribute.kind, generator)
    return altered


def _other(block: Tensor, kind: Kind, generator: torch.Generator) -> Tensor:
    """Another value for every row of one attribute's columns, (rows, columns)."""
    if kind is Kind.FLAG:
        return -block
    if kind is Kind.ORDERED:
        shift = torch.rand(block.shape, generator=generator).to(block.device) * (FARTHEST - NEAREST) + NEAREST
        return 2 * torch.remainder((block + 1) / 2 + shift, 1.0) - 1  # around the end and in again
    draws = torch.rand((2, *block.shape), generator=generator).to(block.device) + 1e-3
    gone, come = (draws[0] * (block > 0)).argmax(dim=1), (draws[1] * (block <= 0)).argmax(dim=1)
    rows = torch.arange(len(block), device=block.device)
    other = block.clone()
    other[rows, gone] = 0.0
    other[rows, come] = 1.0
    return other
