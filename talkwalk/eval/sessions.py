"""Sessions on record: what was said and asked, what was shown, where the conversation stood, how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from talkwalk.engine.trace import movement_trace
from talkwalk.eval.system import Dialogue, Said, System
from talkwalk.index.catalog import Catalog
from talkwalk.projection.steps import Step, StepKind
from talkwalk.schema import Row

STEERS = (StepKind.DIRECTION, StepKind.SWITCH, StepKind.MORE, StepKind.LESS)
MOST_TURNS = 100  # a speaker that never ends is a mistake


@dataclass(frozen=True, slots=True)
class Ask:
    """What a person says, and what they mean by it where that is known.

    Attributes:
        text: The words.
        kind: What was asked; None where nobody knows, as with real people.
        subject: Attribute that was asked about.
        value: Its category, or +1 / -1 along an ordered attribute.
        diversity: Spread that was set beside the words, 0 to 1.
        grade: How far along an ordered attribute, as `Step.grade` has it.
        spread: How far apart the words want the answers, -1 to 1; 0 as usual.
        parts: What is asked in one sentence, where that is more than one thing.
    """

    text: str
    kind: StepKind | None = None
    subject: str | None = None
    value: str | int | None = None
    diversity: float = 0.0
    grade: str | None = None
    spread: float = 0.0
    parts: tuple[Ask, ...] = ()

    @classmethod
    def of_step(cls, step: Step) -> Ask:
        """What a turn of a simulated walk asks."""
        parts = tuple(cls.of_step(part) for part in step.parts)
        return cls(
            step.utterance, step.kind, step.subject, step.value, grade=step.grade, spread=step.spread, parts=parts
        )


@dataclass(frozen=True, slots=True)
class RecordedTurn:
    """One answer on record.

    Attributes:
        ask: What was said and meant.
        shown: Ids of the answer, the best first.
        position: Where the conversation stood, unit vector (dim,); None for a system without one.
        trace: How the answer moved, as `talkwalk.engine.trace.movement_trace` has it.
        seconds: From the words to the answer.
    """

    ask: Ask
    shown: tuple[str, ...]
    position: np.ndarray | None = None
    trace: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """One conversation on record.

    Attributes:
        turns: The oldest first.
        user: Profile, if any.
        history: Ids consumed before, the last one most recent.
    """

    turns: tuple[RecordedTurn, ...]
    user: Row | None = None
    history: tuple[str, ...] = ()

    def dialogue(self, ask: Ask) -> Dialogue:
        """What a system is told when this is said next."""
        said = tuple(Said(turn.ask.text, turn.shown) for turn in self.turns)
        return Dialogue(ask.text, self.user, self.history, said, diversity=ask.diversity)


class Moment(NamedTuple):
    """A turn with what came before it.

    Attributes:
        turn: The turn.
        before: The turn before it, if any.
        start: The item where the conversation stood: first of the last answer, else last of the history.
    """

    turn: RecordedTurn
    before: RecordedTurn | None
    start: str | None


def moments(session: RecordedSession) -> Iterator[Moment]:
    """Every turn of the session with what came before it."""
    before: RecordedTurn | None = None
    start = session.history[-1] if session.history else None
    for turn in session.turns:
        yield Moment(turn, before, start)
        before = turn
        start = turn.shown[0] if turn.shown else start


def steers(sessions: Sequence[RecordedSession], kinds: Sequence[StepKind] = STEERS) -> list[Moment]:
    """The turns of all sessions that asked for one of `kinds`."""
    return [moment for session in sessions for moment in moments(session) if moment.turn.ask.kind in kinds]


@dataclass(frozen=True, slots=True)
class Opening:
    """Who starts a session.

    Attributes:
        user: Profile, if any.
        history: Ids consumed before, the last one most recent.
    """

    user: Row | None = None
    history: tuple[str, ...] = ()


def begun(opening: Opening, told: Sequence[tuple[Ask, str]] = ()) -> RecordedSession:
    """A session in which something was said and each time answered by one given item, the same for every system."""
    turns = tuple(RecordedTurn(ask, (item_id,)) for ask, item_id in told)
    return RecordedSession(turns, opening.user, opening.history)


Speaker = Callable[[RecordedSession], Ask | None]
"""A person: hears the session so far, says what comes next or None to leave."""


def reply(system: System, catalog: Catalog, session: RecordedSession, ask: Ask, *, k: int) -> RecordedTurn:
    """The system's answer to what is said next, timed.

    Raises:
        ValueError: If the answer breaks the protocol: too long, an id twice, or an id that is not in the catalogue.
    """
    dialogue = session.dialogue(ask)
    started = time.perf_counter()
    answer = system.answer(dialogue, k)
    seconds = time.perf_counter() - started
    check_ids(system, answer.ids, catalog, k)
    before = session.turns[-1].shown if session.turns else session.history[-1:]
    trace = movement_trace(catalog, before, answer.ids)
    return RecordedTurn(ask, tuple(answer.ids), answer.position, trace, seconds)


def check_ids(system: System, ids: Sequence[str], catalog: Catalog, k: int) -> None:
    """Raise `ValueError` where an answer breaks the protocol."""
    if len(ids) > k or len(set(ids)) < len(ids):
        raise ValueError(f"{system.name} must answer with at most {k} different ids, got {len(ids)}: {list(ids)[:20]}")
    catalog.check_ids(ids)


def converse(
    system: System,
    catalog: Catalog,
    opening: Opening,
    speaker: Speaker,
    *,
    told: Sequence[tuple[Ask, str]] = (),
    k: int = 10,
) -> RecordedSession:
    """Let a person talk with a system until they leave.

    Args:
        system: Answers; fitted on the catalogue.
        catalog: What it recommends from.
        opening: Who starts.
        speaker: Says the next thing; leaves by saying None.
        told: What was said before the system answers for the first time, each with the item that answered it.
        k: Length of the answers.
    """
    record = begun(opening, told)
    for _ in range(MOST_TURNS):
        ask = speaker(record)
        if ask is None:
            break
        turn = reply(system, catalog, record, ask, k=k)
        record = RecordedSession((*record.turns, turn), opening.user, opening.history)
    return record


def play(
    system: System,
    catalog: Catalog,
    opening: Opening,
    script: Sequence[Ask],
    *,
    told: Sequence[tuple[Ask, str]] = (),
    k: int = 10,
) -> RecordedSession:
    """Say a script's lines one after the other, after what was `told`."""

    def speaker(session: RecordedSession) -> Ask | None:
        line = len(session.turns) - len(told)
        return script[line] if line < len(script) else None

    return converse(system, catalog, opening, speaker, told=told, k=k)


def play_each(
    system: System, catalog: Catalog, opening: Opening, asks: Sequence[Ask], *, k: int = 10
) -> RecordedSession:
    """Say every line as the first one, as if the others had not been said."""
    fresh = begun(opening)
    turns = tuple(reply(system, catalog, fresh, ask, k=k) for ask in asks)
    return RecordedSession(turns, opening.user, opening.history)
