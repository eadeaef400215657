"""Pairs that teach movement: turns that could have ended otherwise, and consecutive turns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from talkwalk.projection.losses import ContextDrop
from talkwalk.projection.steps import StepKind
from talkwalk.projection.walks import Walk, Walker

ENDINGS = {
    StepKind.WISH: 0.10,
    StepKind.DIRECTION: 0.36,
    StepKind.KEEP: 0.10,
    StepKind.SWITCH: 0.09,
    StepKind.MORE: 0.04,
    StepKind.LESS: 0.10,
    StepKind.SEVERAL: 0.08,
    StepKind.VARIETY: 0.08,
    StepKind.STAY: 0.02,
    StepKind.BETWEEN: 0.01,
    StepKind.NEXT: 0.01,
    StepKind.BACK: 0.005,
    StepKind.FIRST: 0.005,
}  # how often another ending asks for what: more of what has many wordings
RETURNS = {StepKind.BACK: 0.5, StepKind.FIRST: 0.25, StepKind.BETWEEN: 0.25}  # the same of endings that look back


def another_ending(
    walk: Walk, turn: int, walker: Walker, rng: np.random.Generator, shares: Mapping[StepKind, float] = ENDINGS
) -> Walk | None:
    """The walk up to turn `turn`, in which something else is asked; None if nothing else could be drawn.

    Both have the same context, so that the difference of their hidden states is the steering alone. And what both have
    in common is read once: an ending costs its few words, whatever was said before.
    """
    before, asked = walk.steps[:turn], walk.steps[turn]
    for _ in range(3):
        other = walker.step(walk.history, before, rng, shares)
        if other is not None and other.meaning != asked.meaning:
            return dataclasses.replace(walk, steps=(*before, other))
    return None


def moves_on(walk: Walk, turn: int) -> bool:
    """Whether turn `turn` should move away from the turn before it: the pairs of the conversation delta loss."""
    return turn > 0 and walk.steps[turn].kind not in (StepKind.STAY, StepKind.NEXT, StepKind.VARIETY)


def other_endings(
    walks: Sequence[Walk],
    drops: Sequence[ContextDrop],
    walker: Walker,
    count: int,
    rng: np.random.Generator,
    shares: Mapping[StepKind, float] = ENDINGS,
    earliest: int = 1,
) -> list[list[Walk]]:
    """Per walk up to `count` other endings, at turns that its context still tells.

    Real walks have none, and none begins where nothing was before.

    Args:
        walks: Conversations.
        drops: How each one's context is altered.
        walker: Draws what is asked instead.
        count: Most endings of a walk.
        rng: Chooses.
        shares: How often an ending asks for what.
        earliest: First turn that may be another, counted from 0; of a walk with history, 1 admits its very first too.
    """
    found: list[list[Walk]] = []
    for walk, drop in zip(walks, drops, strict=True):
        first = drop.first_turn if walk.history and earliest == 1 else max(drop.first_turn, earliest)
        fits = not walk.real and first < len(walk.steps)
        turns = rng.integers(first, len(walk.steps), size=count).tolist() if fits else []
        endings = (another_ending(walk, turn, walker, rng, shares) for turn in turns)
        found.append([ending for ending in endings if ending is not None])
    return found
