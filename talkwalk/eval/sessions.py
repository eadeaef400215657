"""Sessions on record: what was said and asked, what was shown, where the conversation stood, how long it took."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from talkwalk.engine.recommender import Recommender
from talkwalk.engine.turn import Turn
from talkwalk.projection.walks import Step, StepKind
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
        diversity: Spread that was asked for, 0 to 1.
    """

    text: str
    kind: StepKind | None = None
    subject: str | None = None
    value: str | int | None = None
    diversity: float = 0.0

    @classmethod
    def of_step(cls, step: Step) -> Ask:
        """What a turn of a simulated walk asks."""
        return cls(step.utterance, step.kind, step.subject, step.value)


@dataclass(frozen=True, slots=True)
class RecordedTurn:
    """One answer on record.

    Attributes:
        ask: What was said and meant.
        shown: Ids of the answer, the best first.
        scores: Their cosines with the position, (shown,).
        position: Where the conversation stood, unit vector (dim,).
        trace: The engine's account of the movement, see `talkwalk.engine.turn.Turn`.
        seconds: From the words to the answer.
    """

    ask: Ask
    shown: tuple[str, ...]
    scores: np.ndarray
    position: np.ndarray
    trace: dict[str, float]
    seconds: float

    @classmethod
    def of_turn(cls, ask: Ask, turn: Turn) -> RecordedTurn:
        """The record of an engine's answer."""
        return cls(
            ask,
            tuple(item.id for item in turn.items),
            np.array([item.score for item in turn.items]),
            turn.position,
            turn.trace,
            sum(turn.timings.values()),
        )


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


Speaker = Callable[[RecordedSession], Ask | None]
"""A person: hears the session so far, says what comes next or None to leave."""


def converse(recommender: Recommender, opening: Opening, speaker: Speaker, *, k: int = 10) -> RecordedSession:
    """Let a person talk with a recommender until they leave.

    Args:
        recommender: Answers.
        opening: Who starts.
        speaker: Says the next thing; leaves by saying None.
        k: Length of the answers.
    """
    session = recommender.session(user=opening.user, history=opening.history)
    record = RecordedSession((), opening.user, opening.history)
    for _ in range(MOST_TURNS):
        ask = speaker(record)
        if ask is None:
            break
        turn = RecordedTurn.of_turn(ask, session.say(ask.text, k=k, diversity=ask.diversity))
        record = RecordedSession((*record.turns, turn), opening.user, opening.history)
    return record


def play(recommender: Recommender, opening: Opening, script: Sequence[Ask], *, k: int = 10) -> RecordedSession:
    """Say a script's lines one after the other."""

    def speaker(session: RecordedSession) -> Ask | None:
        return script[len(session.turns)] if len(session.turns) < len(script) else None

    return converse(recommender, opening, speaker, k=k)


def play_each(recommender: Recommender, opening: Opening, asks: Sequence[Ask], *, k: int = 10) -> RecordedSession:
    """Say every line as the first one: each is taken back before the next."""
    session = recommender.session(user=opening.user, history=opening.history)
    turns = []
    for ask in asks:
        turns.append(RecordedTurn.of_turn(ask, session.say(ask.text, k=k, diversity=ask.diversity)))
        session.undo()
    return RecordedSession(tuple(turns), opening.user, opening.history)
