"""How far apart the answers should be, read from words as a choice of five levels.

What is learned are the odds of the levels, as with movements; the expected level, the odds sharpened once training is
over, is what the words ask for.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from talkwalk.projection.movements import SHARPER, STILL
from talkwalk.projection.steps import SPREADS

LEVELS = tuple(sorted([*SPREADS.values(), 0.0]))  # with the usual spread, of which nothing is said


class Spreads(nn.Module):
    """Reads the spread that words ask for, one of `LEVELS`.

    Args:
        hidden: Width of what was read from the state.
    """

    levels: Tensor

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.said = nn.Linear(hidden, len(LEVELS))
        self.register_buffer("levels", torch.tensor(LEVELS), persistent=False)
        nn.init.zeros_(self.said.weight)  # begin by reading nothing into the words
        nn.init.zeros_(self.said.bias)
        with torch.no_grad():
            self.said.bias[LEVELS.index(0.0)] = STILL

    def forward(self, read: Tensor) -> tuple[Tensor, Tensor]:
        """What was read (batch, hidden) to the expected spread (batch,), and the levels' logits (batch, levels)."""
        logits = self.said(read)
        odds = torch.softmax(logits * (1.0 if self.training else SHARPER), dim=-1)
        return odds @ self.levels, logits
