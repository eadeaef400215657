"""Movements along ordered attributes, read from words as choices.

Whoever is unsure between "older" and "newer", and answers with the mean of both, goes nowhere. So the words choose a
side of every axis and one of five amounts; training learns the odds, and afterwards they are sharpened, so that a walk
commits itself.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from talkwalk.projection.steps import AMOUNTS

SIDES = (-1.0, 0.0, 1.0)  # of an axis: down, not at all, up
STILL = 4.0  # logit of an axis' not moving that training begins with
GRADES = len(AMOUNTS) + 2  # with the plain one and "most"
SHARPER = 2.0  # exponent of the odds once training is over


class Moves(NamedTuple):
    """What words ask of the ordered attributes.

    Attributes:
        amounts: Movement on the attributes' [0, 1] scales, (batch, axes).
        moving: Probability that each is to move, (batch, axes).
        sides: Logits of the sides, (batch, axes, 3).
        grades: Logits of the amounts, the smallest first, (batch, axes, 5).
    """

    amounts: Tensor
    moving: Tensor
    sides: Tensor
    grades: Tensor


class Movements(nn.Module):
    """Reads `Moves`; how far is mostly said alike of all axes, and so mostly learned once for all.

    Args:
        hidden: Width of what was read from the state.
        axes: Number of ordered item attributes.
    """

    scale: Tensor  # movement that belongs to each grade, (grades,)

    def __init__(self, hidden: int, axes: int) -> None:
        super().__init__()
        self.axes = axes
        self.sides = nn.Linear(hidden, axes * len(SIDES))
        self.grades = nn.Linear(hidden, GRADES)
        self.own_grades = nn.Linear(hidden, axes * GRADES)
        self.register_buffer("scale", torch.zeros(GRADES))
        for layer in (self.sides, self.own_grades):  # begin by reading nothing into the words
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            self.sides.bias.unflatten(0, (axes, len(SIDES)))[:, 1] = STILL

    def forward(self, read: Tensor) -> Moves:
        """What was read, (batch, hidden), to movements."""
        sides = self.sides(read).unflatten(1, (self.axes, len(SIDES)))
        grades = self.grades(read)[:, None] + self.own_grades(read).unflatten(1, (self.axes, GRADES))
        odds = self._odds(sides)
        amounts = self.far(grades) * (odds[..., 2] - odds[..., 0])
        return Moves(amounts, 1 - odds[..., 1], sides, grades)

    def far(self, grades: Tensor) -> Tensor:
        """How far the words go along each axis should they ask for it; (batch, axes, grades) to (batch, axes)."""
        return self._odds(grades) @ self.scale

    def _odds(self, logits: Tensor) -> Tensor:
        return torch.softmax(logits * (1.0 if self.training else SHARPER), dim=-1)
