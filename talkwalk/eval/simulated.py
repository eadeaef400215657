"""Simulated conversations in which every system stands at the same items: the figures of a steer, and the oracle's."""

from __future__ import annotations

import numpy as np

from talkwalk.contrastive.space import Space
from talkwalk.eval.judge import Judge, Values
from talkwalk.eval.rivals.text_tower import encoded_items
from talkwalk.eval.sessions import check_ids
from talkwalk.eval.system import System
from talkwalk.eval.unseen import UNSEEN, Case, cases, unseen_walks
from talkwalk.eval.world import Measured, World
from talkwalk.projection.steps import StepKind
from talkwalk.projection.validation import blocked_items, top_items

PLACE = 1  # of this part's draws


def draw_cases(world: World, wordings: str) -> list[Case]:
    """Unseen conversations in one kind of wordings, turn by turn, and as many single wishes."""
    unseen, rng, count = world.words(), world.rng(PLACE), world.amounts.conversations
    words = unseen.words[wordings]
    walks = unseen_walks(world.catalog, words, unseen, count, rng)
    return cases([*walks, *unseen_walks(world.catalog, words, unseen, count, rng, wish=True)])


def measure_simulated(system: System, world: World) -> Measured:
    """Every figure of a steer (docs/metrics.md) in trained and in unseen wordings."""
    figures: dict[str, Values] = {}
    for wordings in world.words().words:
        asked = draw_cases(world, wordings)
        answers = [system.answer(case.dialogue, world.k).ids for case in asked]
        for ids in answers:
            check_ids(system, ids, world.catalog, world.k)
        figures |= judged(world, asked, answers, wordings)
    return Measured(figures)


def judged(world: World, asked: list[Case], answers: list[tuple[str, ...]], wordings: str) -> dict[str, Values]:
    """Figures by name; those in trained wordings say so."""
    judge = Judge(world.catalog, step=world.words().walks.step, k=world.k)
    tail = "" if wordings == UNSEEN else f"/{wordings}"
    return {name + tail: values for name, values in judge.values(asked, answers).items()}


def measure_oracle(space: Space, world: World) -> Measured:
    """The same for the encoded metadata of what was wanted: the best that the space allows (docs/metrics.md).

    Raises:
        Unsuited: If the space was trained for other attributes.
    """
    figures: dict[str, Values] = {}
    items, ids = encoded_items(space, world.catalog), world.catalog.ids
    for wordings in world.words().words:
        asked = draw_cases(world, wordings)
        back = [c.step.kind is StepKind.BACK for c in asked]
        seen = [set() if b else set(c.seen) for b, c in zip(back, asked, strict=True)]
        wanted = space.encode_items([c.step.wanted for c in asked])
        rows = top_items(wanted, items, blocked_items(seen, ids), world.k)
        answers = [tuple(ids[i] for i in np.asarray(row)) for row in rows]
        figures |= judged(world, asked, answers, wordings)
    return Measured(figures)
