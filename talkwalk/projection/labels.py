"""What turns ask for, as the numbers that reading them is trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from talkwalk.contrastive.space import Space
from talkwalk.projection.steps import Named, Step, StepKind, moves_of

GOING_BACK = (StepKind.BACK, StepKind.FIRST)  # in the order of `projection_head.RETURNS`


class Labels(NamedTuple):
    """What every turn asks for, whatever was said before; arrays, or tensors where training reads them.

    Attributes:
        spread: How far apart the answers should be, -1 to 1, (turns,).
        asked: 1.0 where a category was asked for, in the order of `Schema.category_values`, (turns, categories).
        without: 1.0 where a category was refused, (turns, categories).
        within: 1.0 where a range was asked for, in the order of `Space.ranges`, (turns, ranges).
        moves: Asked movement along every ordered attribute, NaN where the words do not say, (turns, axes).
        returns: 1.0 where a turn goes back to where it stood before, or to the first thing, (turns, 2).
    """

    spread: Any
    asked: Any
    without: Any
    within: Any
    moves: Any
    returns: Any


def labels_of(steps: Sequence[Step], space: Space, plain: float) -> Labels:
    """Labels of some steps.

    Args:
        steps: What was asked.
        space: Knows categories, ranges and axes.
        plain: Movement of a plain "more" or "less", on an attribute's [0, 1] scale.
    """
    categories = {named: i for i, named in enumerate(space.schema.category_values)}
    ranges = {named: i for i, named in enumerate(space.ranges)}
    axes = [a.name for a in space.schema.ordered]
    return Labels(
        spread=np.array([s.spread for s in steps], dtype=np.float32),
        asked=marked([s.asked for s in steps], categories),
        without=marked([s.without for s in steps], categories),
        within=marked([s.within for s in steps], ranges),
        moves=np.array([moves_of(s, axes, plain) for s in steps], dtype=np.float32).reshape(len(steps), len(axes)),
        returns=np.array([[s.kind is kind for kind in GOING_BACK] for s in steps], dtype=np.float32),
    )


def marked(named: Sequence[Sequence[Named]], columns: Mapping[Named, int]) -> np.ndarray:
    """1.0 where a turn names something that has a column, (turns, columns)."""
    table = np.zeros((len(named), len(columns)), dtype=np.float32)
    for turn, names in enumerate(named):
        table[turn, [columns[name] for name in names if name in columns]] = 1.0
    return table
