"""What the language model reads: words only, never an id."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exchange:
    """One turn.

    Attributes:
        user: What the person said.
        answer: Description of what was recommended; None for the turn that is to be answered.
        system: Words of the application for this turn, such as a business rule.
    """

    user: str
    answer: str | None = None
    system: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A system text (task, profile, history) and the turns so far, the oldest first."""

    system: str
    exchanges: tuple[Exchange, ...]
