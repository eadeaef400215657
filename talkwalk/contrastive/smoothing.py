"""Movement along ordered attributes: even, and parallel wherever it starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from talkwalk.schema import Kind, Schema


def ordered_columns(schema: Schema) -> list[tuple[int, int]]:
    """(value column, presence column) in `Features.joined()` of every ordered attribute, items then users."""
    attributes = schema.featured
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


class Movements(NamedTuple):
    """Rows that were moved along every axis.

    Attributes:
        start: Vectors of one end, (axes, n, dim).
        middle: Vectors of a point between the ends, (axes, n, dim).
        end: Vectors of the other end, (axes, n, dim).
        mix: Where between them that point lies, 0 at the start, (axes, n).
        span: The attribute's signed movement from start to end on [0, 1], (axes, n).
    """

    start: Tensor
    middle: Tensor
    end: Tensor
    mix: Tensor
    span: Tensor


def move_along(
    encoder: nn.Module, features: Tensor, columns: Sequence[tuple[int, int]], generator: torch.Generator
) -> Movements:
    """Encode rows with each ordered attribute in turn at two random values and at one between them.

    Args:
        encoder: Features to unit vectors.
        features: Rows to move, (n, width).
        columns: Axes, from `ordered_columns`; at least one.
        generator: Draws the ends and the points between them.
    """
    draws, moved = [], []
    for column in columns:
        low, high, mix = torch.rand((3, len(features)), generator=generator).to(features.device)
        draws.append(torch.stack([mix, high - low]))
        moved += [along_axis(features, column, units) for units in (low, high, torch.lerp(low, high, mix))]
    start, end, middle = encoder(torch.cat(moved)).view(len(columns), 3, len(features), -1).unbind(dim=1)
    mixes, spans = torch.stack(draws).unbind(dim=1)
    return Movements(start, middle, end, mixes, spans)


def smoothing_loss(moves: Movements) -> Tensor:
    """Squared distance of E(between) from the same mixture of E(low) and E(high), averaged over the axes.

    The founding formula ||E(mid) - (E(low) + E(high)) / 2||^2 with interior points anywhere between the ends, not
    only midpoints; the mixture is put back on the unit sphere, where all vectors live.
    """
    mixture = F.normalize(torch.lerp(moves.start, moves.end, moves.mix[..., None]), dim=-1)  # (axes, n, dim)
    return (moves.middle - mixture).square().sum(dim=-1).mean()


def parallel_loss(moves: Movements) -> Tensor:
    """1 - cos(movement of a row, mean movement of all rows along the same axis), averaged over the axes.

    Long movements count for more: a short one is nearly all curvature.
    """
    weight = moves.span.abs()[..., None]  # (axes, n, 1)
    unit = F.normalize((moves.end - moves.start) * moves.span.sign()[..., None], dim=-1)
    mean = F.normalize((weight * unit).sum(dim=1, keepdim=True), dim=-1)
    apart = 1 - (unit * mean).sum(dim=-1, keepdim=True)
    return (weight * apart).sum() / weight.sum().clamp(min=1e-6)
