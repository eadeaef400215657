"""Sessions in which simulated people react to what a system answers: they steer, wander, look for something."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from talkwalk.eval.clusters import metadata_regions
from talkwalk.eval.controllability import (
    GRADES,
    PATIENCE,
    category_kept,
    diversity_gradient,
    satisfying,
    steering_entropy_reduction,
    steering_movement,
    steering_precision,
    steering_reversibility,
    turns_to_satisfaction,
)
from talkwalk.eval.efficiency import STAGES, exploration_velocity
from talkwalk.eval.interpretability import axis_directions, movement_alignment, steering_traceability
from talkwalk.eval.judge import Values
from talkwalk.eval.ruler import Ruler
from talkwalk.eval.sanity import turn_seconds
from talkwalk.eval.sessions import Ask, Opening, RecordedSession, Speaker, converse, play, play_each
from talkwalk.eval.simulated_user import Babbler, Seeker, Temperament, Voice, Wanderer
from talkwalk.eval.system import System
from talkwalk.eval.unseen import UNSEEN, unseen_walks
from talkwalk.eval.world import Measured, World, by_unit
from talkwalk.index.catalog import Catalog
from talkwalk.projection.steering_language import SPREADS, SteeringLanguage
from talkwalk.projection.steps import StepKind
from talkwalk.projection.validation import rank_table

STEERING = (StepKind.DIRECTION, StepKind.BACK, StepKind.SWITCH, StepKind.DIRECTION, StepKind.DIRECTION)
EXPLORING = (StepKind.SWITCH, StepKind.DIRECTION, StepKind.SWITCH, StepKind.DIRECTION, StepKind.SWITCH)
GRADE_WORDS = (
    "all as much alike as possible",
    "staying fairly close together",
    "",
    "with a bit of variety among them",
    "with as much variety as possible",
)  # of `GRADES`, for people who say it instead of setting it, in a language without words for variety
TRIES = 100  # draws of a target that is not reached before the first word
PATHS = 6  # sessions whose way through the space is kept for the picture
PLACE = 2  # of this part's draws


@dataclass(frozen=True, slots=True)
class Quest:
    """Where somebody starts, and what they have in mind.

    Attributes:
        opening: Who they are, and the item they come from.
        target: The item in mind.
        pleasing: Ids that satisfy them.
    """

    opening: Opening
    target: str
    pleasing: frozenset[str]


@dataclass(frozen=True, slots=True)
class Cast:
    """Who talks, drawn before any system answers.

    Attributes:
        openings: Who starts each session.
        firsts: What each of them says first.
        quests: What each of them looks for, elsewhere.
    """

    openings: list[Opening]
    firsts: list[Ask]
    quests: list[Quest]


def draw_cast(world: World) -> Cast:
    """The people of a world; the same for every system."""
    unseen, rng = world.words(), world.rng(PLACE, 0)
    short = dataclasses.replace(unseen, walks=dataclasses.replace(unseen.walks, turns=1))
    walks = unseen_walks(world.catalog, unseen.words[UNSEEN], short, world.amounts.sessions, rng)
    openings = [Opening(walk.user, walk.history) for walk in walks]
    quests = [_quest(world.catalog, opening, rng) for opening in openings]
    return Cast(openings, [Ask.of_step(walk.steps[0]) for walk in walks], quests)


def _quest(catalog: Catalog, opening: Opening, rng: np.random.Generator) -> Quest:
    """A random start, and a random target that the start does not satisfy already."""
    start = str(rng.choice(catalog.ids))
    target, pleasing = start, {start}
    for _ in range(TRIES):
        target = str(rng.choice(catalog.ids))
        pleasing = satisfying(catalog, target)
        if start not in pleasing:
            break
    return Quest(Opening(opening.user, (start,)), target, frozenset(pleasing))


class Stage:
    """Lets the cast talk with one system.

    Args:
        system: Answers; fitted on the world's catalogue.
        world: What is recommended, and how much is said.
    """

    def __init__(self, system: System, world: World) -> None:
        self.system, self.world, self.cast = system, world, draw_cast(world)

    def voice(self, sort: int, number: int, *, terse: bool = False) -> Voice:
        """The voice of one session of one sort: its draws do not depend on other sessions."""
        language = self.world.words().words[UNSEEN].language
        return Voice(language, self.world.rng(PLACE, 1 + sort, number), terse=terse)

    def each(self, openings: Sequence[Opening], speaker: Callable[[int], Speaker]) -> list[RecordedSession]:
        """One session per opening."""
        return [
            converse(self.system, self.world.catalog, opening, speaker(i), k=self.world.k)
            for i, opening in enumerate(openings)
        ]

    def wander(self, plan: Sequence[StepKind], sort: int) -> list[RecordedSession]:
        """People who ask for one kind of change after the other."""
        return self.each(
            self.cast.openings,
            lambda i: Wanderer(self.world.catalog, self.voice(sort, i), self.cast.firsts[i], plan),
        )

    def seek(self, temperament: Temperament, sort: int) -> list[RecordedSession]:
        """People with a hidden target."""
        terse = temperament is Temperament.TERSE
        return self.each(
            [q.opening for q in self.cast.quests],
            lambda i: Seeker(
                self.world.catalog, self.voice(sort, i, terse=terse), self.cast.quests[i].target,
                self.cast.quests[i].pleasing, temperament=temperament,
            ),
        )  # fmt: skip

    def babble(self, sort: int) -> list[RecordedSession]:
        """The same people with the same targets, who ask for things at random."""
        quests = self.cast.quests
        return self.each(
            [q.opening for q in quests],
            lambda i: Babbler(self.world.catalog, self.voice(sort, i), quests[i].pleasing),
        )

    def idle(self, sort: int) -> list[RecordedSession]:
        """The same people, who never say what they want."""
        sessions = []
        for i, quest in enumerate(self.cast.quests):
            voice = self.voice(sort, i)
            script = [voice.next() for _ in range(max(PATIENCE, STAGES))]
            sessions.append(play(self.system, self.world.catalog, quest.opening, script, k=self.world.k))
        return sessions

    def graded(self, *, in_words: bool) -> list[RecordedSession]:
        """The same first words once per grade of diversity, set as a number or said."""
        language = self.world.words().words[UNSEEN].language
        sessions = []
        for i, (opening, first) in enumerate(zip(self.cast.openings, self.cast.firsts, strict=True)):
            if in_words:
                asks = said_grades(first, language, self.world.rng(PLACE, 30, i))
            else:
                asks = [dataclasses.replace(first, diversity=grade) for grade in GRADES]
            sessions.append(play_each(self.system, self.world.catalog, opening, asks, k=self.world.k))
        return sessions


def said_grades(first: Ask, language: SteeringLanguage, rng: np.random.Generator) -> list[Ask]:
    """The first words with every grade of `GRADES` said: in the language's own words where it has all of them."""
    own = [language.variety.get(name, ()) for name in SPREADS]
    said: tuple[str, ...] = GRADE_WORDS
    if all(own):
        chosen = [wordings[int(rng.integers(len(wordings)))] for wordings in own]
        said = (*chosen[:2], "", *chosen[2:])
    return [dataclasses.replace(first, text=f"{first.text}, {words}" if words else first.text) for words in said]


def measure_live(system: System, world: World) -> Measured:
    """Every figure that needs a system's own answers to be reacted to."""
    stage = Stage(system, world)
    first = stage.cast.firsts[:1]
    play(system, world.catalog, stage.cast.openings[0], first, k=world.k)  # the first turn of a process warms up
    steering, exploring, idle = stage.wander(STEERING, 0), stage.wander(EXPLORING, 1), stage.idle(2)
    figures = steered(system, world, steering, exploring)
    figures |= explored(world, exploring, idle)
    figures |= sought(stage, idle)
    figures |= {
        "diversity_gradient": diversities(world, stage.graded(in_words=False)),
        "diversity_gradient/in_words": diversities(world, stage.graded(in_words=True)),
    }
    seconds = turn_seconds([*steering, *exploring, *idle]).tolist()
    return Measured(figures, seconds, paths(system, steering))


def steered(
    system: System, world: World, steering: Sequence[RecordedSession], exploring: Sequence[RecordedSession]
) -> dict[str, Values]:
    """Control and explanation; one value per session, the mean over its steers."""
    catalog, vectors, ruler = world.catalog, system.vectors, Ruler(world.catalog)
    names = [a.name for a in catalog.schema.ordered]
    directions = axis_directions(vectors, rank_table(catalog), names) if vectors is not None and names else {}
    numbered = {f"steer:{i}": s for i, s in enumerate(steering)} | {f"explore:{i}": s for i, s in enumerate(exploring)}

    def per(figure: Callable[[list[RecordedSession]], np.ndarray]) -> Values:
        return by_unit({key: figure([session]) for key, session in numbered.items()})

    figures = {
        "traceability": per(lambda s: steering_traceability(s, catalog.schema)),
        "steering_precision/live": per(lambda s: steering_precision(steering_movement(s, ruler))),
        "direction/live": per(lambda s: steering_movement(s, ruler).direction),
        "category_kept": per(lambda s: category_kept(s, ruler)),
        "reversibility/returned": per(lambda s: steering_reversibility(s).returned),
        "reversibility": per(lambda s: steering_reversibility(s).recovery),
        "reversibility/cosine": per(lambda s: steering_reversibility(s).cosine),
    }
    if vectors is not None:
        figures["entropy_reduction"] = per(lambda s: steering_entropy_reduction(s, vectors))
        figures["movement_alignment"] = per(lambda s: movement_alignment(s, directions))
    return figures


def explored(world: World, exploring: Sequence[RecordedSession], idle: Sequence[RecordedSession]) -> dict[str, Values]:
    """How far people get, beside those who never say what they want."""
    regions = metadata_regions(world.catalog, world.amounts.clusters, world.rng(PLACE, 99))
    return {
        name: by_unit({str(i): exploration_velocity([s], regions) for i, s in enumerate(sessions)})
        for name, sessions in (
            ("exploration_velocity", exploring), ("exploration_velocity/without_steering", idle)
        )
    }  # fmt: skip


def sought(stage: Stage, idle: Sequence[RecordedSession]) -> dict[str, Values]:
    """Turns to satisfaction, by how people talk."""
    temperaments = list(Temperament) if stage.world.amounts.temperaments else [Temperament.PLAIN]
    sessions = {t.value: stage.seek(t, 10 + i) for i, t in enumerate(temperaments)}
    sessions |= {"random_speaker": stage.babble(20), "without_steering": list(idle)}
    pleasing = [q.pleasing for q in stage.cast.quests]
    figures: dict[str, Values] = {}
    for name, played in sessions.items():
        found = turns_to_satisfaction(played, pleasing)
        tail = "" if name == Temperament.PLAIN.value else f"/{name}"
        for figure, array in (("turns_to_satisfaction", found.turns), ("satisfied", found.satisfied)):
            figures[figure + tail] = {str(i): float(v) for i, v in enumerate(array)}
    return figures


def diversities(world: World, graded: Sequence[RecordedSession]) -> Values:
    """Gradient of the spread of each session's answers in terms of metadata."""
    ruler = Ruler(world.catalog)
    spreads = np.array([[ruler.spread(turn.shown) for turn in session.turns] for session in graded])
    return {str(i): float(v) for i, v in enumerate(diversity_gradient(np.array(GRADES), spreads))}


def paths(system: System, sessions: Sequence[RecordedSession]) -> list[list[list[float]]]:
    """The first sessions' positions on the two main axes of the system's items; none without a space."""
    if system.vectors is None:
        return []
    centre = system.vectors.mean(axis=0)
    spreads = (system.vectors - centre).T @ (system.vectors - centre)
    axes = np.linalg.eigh(spreads.astype(np.float64))[1][:, :-3:-1]  # the two with the largest spread
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])])
    return [
        [np.round((turn.position - centre) @ axes, 6).tolist() for turn in session.turns if turn.position is not None]
        for session in sessions[:PATHS]
    ]
