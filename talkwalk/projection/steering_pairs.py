"""Pairs that teach movement: twins whose last utterance differs, and consecutive turns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from talkwalk.projection.steps import StepKind
from talkwalk.projection.walks import Walk, Walker


def twin(walk: Walk, walker: Walker, rng: np.random.Generator) -> Walk | None:
    """The same walk with another last utterance, for the directional loss; None if none could be drawn.

    Both have the same context, so that the difference of their hidden states is the steering alone.
    """
    *before, last = walk.steps
    for _ in range(3):
        other = walker.step(walk.history, before, rng)
        if other is not None and other.meaning != last.meaning:
            return dataclasses.replace(walk, steps=(*before, other))
    return None


def moves_on(walk: Walk, turn: int) -> bool:
    """Whether turn `turn` should move away from the turn before it: the pairs of the conversation delta loss."""
    return turn > 0 and walk.steps[turn].kind not in (StepKind.STAY, StepKind.NEXT, StepKind.VARIETY)


def with_twins(walks: Sequence[Walk], walker: Walker, share: float, rng: np.random.Generator) -> list[Walk | None]:
    """Per walk its twin or None; about `share` of the walks have one, real ones never."""
    return [twin(w, walker, rng) if not w.real and rng.random() < share else None for w in walks]
