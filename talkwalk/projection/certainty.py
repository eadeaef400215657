"""How sure a head may be: odds that hold on wordings that it never saw.

A head learns odds on words that it knows by heart, and is too sure of other words. So once it has learned, its logits
are scaled until their odds are those with which unseen validation wordings ask for something (temperature scaling, Guo
et al. 2017, arXiv 1706.04599; with an offset, Platt 1999). What it does is decided before and stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from talkwalk.projection.movements import SIDES
from talkwalk.projection.projection_head import AbsoluteHead, AnchoredHead, Projected
from talkwalk.projection.turns import TurnTable

STEPS = 100  # of L-BFGS, far more than two numbers need
NO_MOVEMENT = torch.tensor(SIDES) == 0  # the side that an offset is added to


class Scale(NamedTuple):
    """What logits are multiplied with, and what is added to those of being asked for, or of no movement."""

    times: float = 1.0
    plus: float = 0.0


class Odds(NamedTuple):
    """Probabilities, 0 to 1.

    Attributes:
        sides: That every ordered attribute is to move down, not at all, up, (batch, axes, 3).
        asked: That every category is asked for, (batch, categories).
        without: That it is refused, (batch, categories).
    """

    sides: Tensor
    asked: Tensor
    without: Tensor


class Certainty(NamedTuple):
    """How the logits of each kind become odds; as they are where nothing was learned.

    Attributes:
        sides: Of movements along ordered attributes.
        asked: Of categories being asked for.
        without: Of categories being refused.
    """

    sides: Scale = Scale()
    asked: Scale = Scale()
    without: Scale = Scale()

    def odds(self, projected: Projected) -> Odds:
        """Odds of what a head makes of some turns."""
        return Odds(
            torch.softmax(_scaled(projected.moves.sides, self.sides, NO_MOVEMENT), dim=-1),
            torch.sigmoid(_scaled(projected.asked, self.asked)),
            torch.sigmoid(_scaled(projected.without, self.without)),
        )

    @classmethod
    def of(cls, settings: Mapping[str, Sequence[float]]) -> Certainty:
        """From what a bundle's config holds.

        Raises:
            ValueError: If that is no scale and offset for each kind of logit.
        """
        try:
            return cls(**{name: Scale(*map(float, numbers)) for name, numbers in settings.items()})
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"certainty must hold two numbers for each of {', '.join(cls._fields)}, got {settings!r}"
            ) from error


AS_IS = Certainty()  # the head's own odds


def calibrate(head: AbsoluteHead | AnchoredHead, table: TurnTable) -> Certainty:
    """The certainty with which the turns of `table` are likeliest to ask for what they do ask for."""
    with torch.no_grad():
        read = head(torch.as_tensor(table.states), torch.as_tensor(table.anchors))
    side = torch.as_tensor(table.moves).nan_to_num().sign().long() + 1  # an index of `SIDES`
    asked, without = torch.as_tensor(table.asked), torch.as_tensor(table.without)
    return Certainty(
        _fitted(
            lambda scale: F.cross_entropy(_scaled(read.moves.sides, scale, NO_MOVEMENT).flatten(0, 1), side.flatten())
        ),
        _fitted(lambda scale: F.binary_cross_entropy_with_logits(_scaled(read.asked, scale), asked)),
        _fitted(lambda scale: F.binary_cross_entropy_with_logits(_scaled(read.without, scale), without)),
    )


def _fitted(loss: Callable[[Tensor | Scale], Tensor]) -> Scale:
    """The scale with the least loss, rounded as it is saved; as it was where nothing can be told."""
    numbers = torch.tensor(Scale(), requires_grad=True)
    optimizer = torch.optim.LBFGS([numbers], max_iter=STEPS, line_search_fn="strong_wolfe")

    def step() -> Tensor:
        optimizer.zero_grad()
        found = loss(numbers)
        found.backward()
        return found

    optimizer.step(step)
    times, plus = (round(number, 4) for number in numbers.tolist())
    return Scale(times, plus) if times > 0 and numbers.isfinite().all() else Scale()


def _scaled(logits: Tensor, scale: Tensor | Scale, which: Tensor | float = 1.0) -> Tensor:
    """Scaled logits, with the offset added to those that `which` marks; to all of them by default."""
    times, plus = scale
    return logits * times + plus * which
