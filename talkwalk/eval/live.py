"""Sessions with the whole engine: simulated people who steer, wander and look for something."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talkwalk.engine.recommender import Recommender
from talkwalk.eval.controllability import GRADES, PATIENCE, satisfying
from talkwalk.eval.efficiency import STAGES
from talkwalk.eval.sessions import Ask, Opening, RecordedSession, converse, play, play_each
from talkwalk.eval.simulated_user import Seeker, Voice, Wanderer
from talkwalk.index.catalog import Catalog
from talkwalk.projection.walks import StepKind, Walk

STEERING = (StepKind.DIRECTION, StepKind.BACK, StepKind.SWITCH, StepKind.DIRECTION, StepKind.DIRECTION)
EXPLORING = (StepKind.SWITCH, StepKind.DIRECTION, StepKind.SWITCH, StepKind.DIRECTION, StepKind.SWITCH)
TRIES = 100  # draws of a target that is not reached before the first word


@dataclass(frozen=True, slots=True)
class LiveSessions:
    """What was played.

    Attributes:
        steering: People who steer, go back and steer again.
        exploring: People who ask for something else each turn.
        seeking: People with a hidden target.
        idle: The same people with the same targets, who never say what they want.
        pleasing: Per seeking session, the ids that satisfy.
        graded: The same first words once per grade of diversity.
    """

    steering: list[RecordedSession]
    exploring: list[RecordedSession]
    seeking: list[RecordedSession]
    idle: list[RecordedSession]
    pleasing: list[set[str]]
    graded: list[RecordedSession]

    def timed(self) -> list[RecordedSession]:
        """Ordinary sessions, whose turns take the time that a person waits."""
        return [*self.steering, *self.exploring, *self.seeking, *self.idle]


def play_live(recommender: Recommender, walks: Sequence[Walk], voice: Voice, *, k: int = 10) -> LiveSessions:
    """Play one session of each sort per walk.

    Args:
        recommender: Answers.
        walks: Whose people, histories and first words begin the sessions; they need one turn.
        voice: Finds the words of the turns after the first.
        k: Length of the answers.
    """
    catalog = recommender.catalog
    openings = [Opening(walk.user, walk.history) for walk in walks]
    firsts = [Ask.of_step(walk.steps[0]) for walk in walks]
    begun = list(zip(openings, firsts, strict=True))
    play(recommender, openings[0], firsts[:1], k=k)  # the first turn of a process warms up

    def wander(plan: Sequence[StepKind]) -> list[RecordedSession]:
        return [converse(recommender, o, Wanderer(catalog, voice, first, plan), k=k) for o, first in begun]

    quests = [_quest(catalog, opening, voice.rng) for opening in openings]
    pleasing = [satisfying(catalog, quest.target) for quest in quests]
    return LiveSessions(
        steering=wander(STEERING),
        exploring=wander(EXPLORING),
        seeking=[
            converse(recommender, quest.opening, Seeker(catalog, voice, quest.target, ids), k=k)
            for quest, ids in zip(quests, pleasing, strict=True)
        ],
        idle=[play(recommender, q.opening, [voice.next() for _ in range(max(PATIENCE, STAGES))], k=k) for q in quests],
        pleasing=pleasing,
        graded=[
            play_each(recommender, opening, [dataclasses.replace(first, diversity=g) for g in GRADES], k=k)
            for opening, first in begun
        ],
    )


@dataclass(frozen=True, slots=True)
class _Quest:
    """Where somebody starts, and what they have in mind."""

    opening: Opening
    target: str


def _quest(catalog: Catalog, opening: Opening, rng: np.random.Generator) -> _Quest:
    """A random start, and a random target that the start does not satisfy already."""
    start = str(rng.choice(catalog.ids))
    target = start
    for _ in range(TRIES):
        target = str(rng.choice(catalog.ids))
        if start not in satisfying(catalog, target):
            break
    return _Quest(Opening(opening.user, (start,)), target)
