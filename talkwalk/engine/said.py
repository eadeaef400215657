"""What a session remembers of a turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from talkwalk.engine.turn import Turn
from talkwalk.llm.conversation import Exchange
from talkwalk.projection.steps import Named

if TYPE_CHECKING:
    from talkwalk.engine.recommender import Reading


class Ask(NamedTuple):
    """What one turn was asked with: what `Session.say` was given, and what its words point at.

    Attributes:
        told: The words as they are read, "this one" where they point at what was shown.
        pointed: Ids of what they point at.
        earlier: The turn that they go on from where that is not the last one.
    """

    text: str
    k: int
    system: str | None
    exclude: frozenset[str]
    where: Mapping[str, Any] | None
    diversity: float
    told: str
    pointed: tuple[str, ...]
    earlier: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One turn with what the next one needs of it."""

    exchange: Exchange
    turn: Turn
    start: np.ndarray  # anchor that the turn started from, (dim,)
    first_shown: int  # first turn that the prompt told
    stands: int  # the turn whose place this one has: itself, or after going back an earlier one
    reacted: str | None  # item that a reaction had put in the place of the last answer
    without: frozenset[Named] = frozenset()  # categories refused by then and not asked for since
    unwanted: frozenset[str] = frozenset()  # items of makers refused by then and not asked for since
    titles: frozenset[str] = frozenset()  # items that the turn was compared with by title, which are known
    by: frozenset[str] = frozenset()  # items of the makers that the words kept to
    moves: tuple[float, ...] = ()  # how far the words asked to move along every ordered attribute
    ask: Ask | None = None  # what it was asked with; None for a turn that was answered elsewhere
    read: Reading | None = None  # what was made of its words, before earlier turns were thought of
