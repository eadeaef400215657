"""Simulated conversations in which every system stands at the same items: the figures of a steer, and the oracle's."""

from __future__ import annotations

import numpy as np

from talkwalk.contrastive.space import Space
from talkwalk.engine.senses import SURE, Sense
from talkwalk.eval.judge import Judge, Values
from talkwalk.eval.oracle_share import STEERS
from talkwalk.eval.rivals.text_tower import encoded_items
from talkwalk.eval.sessions import check_ids
from talkwalk.eval.system import Answer, System
from talkwalk.eval.unseen import UNSEEN, Case, cases, unseen_walks
from talkwalk.eval.world import Measured, World
from talkwalk.projection.steps import StepKind
from talkwalk.projection.validation import blocked_items, top_items

PLACE = 1  # of this part's draws
OFFERED = 2  # other senses that a person looks at
CORRECTED = tuple(f"{name}/corrected" for name in STEERS)


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
        answers: list[Answer] = []
        corrected: list[tuple[str, ...]] = []
        for case in asked:
            answers.append(system.answer(case.dialogue, world.k))
            if system.offers:
                corrected.append(corrected_ids(system, case, answers[-1], world.k))
        first = [answer.ids for answer in answers]
        for ids in (*first, *corrected):
            check_ids(system, ids, world.catalog, world.k)
        figures |= judged(world, asked, first, wordings)
        if system.offers:
            again = judged(world, asked, corrected, wordings, "/corrected")
            figures |= {name: again[name] for name in again if name.startswith(CORRECTED)}
            figures |= said_in(wordings, sure_figures(asked, answers))
    return Measured(figures)


def corrected_ids(system: System, case: Case, answer: Answer, k: int) -> tuple[str, ...]:
    """The answer to a turn, once somebody who was misunderstood has picked what they meant from what was offered.

    Protocol: a person who reads that they were heard right leaves the answer as it is. Another looks at the first two
    other senses that are offered, takes what they meant if it is there, and else leaves it as well. Turns that are no
    steer along an ordered attribute are left as they are.
    """
    if case.step.kind is not StepKind.DIRECTION:
        return answer.ids
    meant = meant_by(case)
    if meant in answer.heard or meant not in answer.otherwise[:OFFERED]:
        return answer.ids
    return system.rather(case.dialogue, meant, k).ids


def sure_figures(asked: list[Case], answers: list[Answer]) -> dict[str, Values]:
    """Whether a system knows when it may have misheard a steer along an ordered attribute.

    Protocol: a steer was heard right where what was meant is among what was heard, and is unsure below `SURE`.

    - `sureness/too_sure`: mean of sureness - (1 if heard right), -1 to 1; 0 is honest.
    - `sureness/unsure`: share of the steers that are unsure: how often an application would ask back.
    - `sureness/misheard_unsure`: share of the misheard steers that are: how many of the mistakes it would find.

    Values by case; none where a system does not say how sure it is.
    """
    too_sure: Values = {}
    unsure: Values = {}
    found: Values = {}
    for case, answer in zip(asked, answers, strict=True):
        if case.step.kind is StepKind.DIRECTION and answer.sure is not None:
            right = meant_by(case) in answer.heard
            too_sure[case.key] = answer.sure - right
            unsure[case.key] = float(answer.sure < SURE)
            if not right:
                found[case.key] = unsure[case.key]
    named = {"sureness/too_sure": too_sure, "sureness/unsure": unsure, "sureness/misheard_unsure": found}
    return {name: values for name, values in named.items() if values}


def meant_by(case: Case) -> Sense:
    """What a steer along an ordered attribute asks for."""
    return Sense(str(case.step.subject), int(case.step.value or 0))


def judged(
    world: World, asked: list[Case], answers: list[tuple[str, ...]], wordings: str, tail: str = ""
) -> dict[str, Values]:
    """Figures by name; those in trained wordings say so, after a tail of their own."""
    judge = Judge(world.catalog, step=world.words().walks.step, k=world.k)
    return said_in(wordings, judge.values(asked, answers), tail)


def said_in(wordings: str, figures: dict[str, Values], tail: str = "") -> dict[str, Values]:
    """Figures under the names that they have in one kind of wordings, see `judged`."""
    tail += "" if wordings == UNSEEN else f"/{wordings}"
    return {name + tail: values for name, values in figures.items()}


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
