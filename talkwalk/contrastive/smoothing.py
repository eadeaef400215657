"""Even movement along ordered attributes: what lies between two values lies between their vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from talkwalk.schema import Kind, Schema


def ordered_columns(schema: Schema) -> list[tuple[int, int]]:
    """(value column, presence column) in `Features.joined()` of every ordered attribute, items then users."""
    attributes = [a for a in (*schema.items.values(), *schema.users.values()) if a.kind is not Kind.TEXT]
    values_width = sum(a.width for a in attributes)
    columns, start = [], 0
    for index, attribute in enumerate(attributes):
        if attribute.kind is Kind.ORDERED:
            columns.append((start, values_width + index))
        start += attribute.width
    return columns


def along_axis(features: Tensor, column: tuple[int, int], units: Tensor) -> Tensor:
    """Copy of `features` (n, width) with one ordered attribute set to `units` (n,) on [0, 1] and present."""
    moved = features.clone()
    moved[:, column[0]] = 2 * units - 1
    moved[:, column[1]] = 1.0
    return moved


def smoothing_loss(
    encoder: nn.Module, features: Tensor, columns: Sequence[tuple[int, int]], generator: torch.Generator
) -> Tensor:
    """Squared distance of E(between) from the same mixture of E(low) and E(high), averaged over the axes.

    The founding formula ||E(mid) - (E(low) + E(high)) / 2||^2 with interior points anywhere between the ends, not
    only midpoints; the mixture is put back on the unit sphere, where all vectors live.

    Args:
        encoder: Features to unit vectors.
        features: Rows to move, (n, width).
        columns: Axes, from `ordered_columns`.
        generator: Draws the ends and the points between them.
    """
    if not columns:
        return features.new_zeros(())
    ends, moved = [], []
    for column in columns:
        low, high, mix = torch.rand((3, len(features)), generator=generator).to(features.device)
        ends.append(mix)
        moved += [along_axis(features, column, units) for units in (low, high, torch.lerp(low, high, mix))]
    start, end, middle = encoder(torch.cat(moved)).view(len(columns), 3, len(features), -1).unbind(dim=1)
    mixture = F.normalize(torch.lerp(start, end, torch.stack(ends)[..., None]), dim=-1)  # (axes, n, dim)
    return (middle - mixture).square().sum(dim=-1).mean()
