"""What the benchmark measures: anything that answers a conversation with ranked items.

TalkWalk, every rival and a user's own recommender implement `System`; `docs/your-own-system.md` shows one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from talkwalk.engine.diversity import POOL, diversify
from talkwalk.engine.senses import Sense
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Row


class Unsuited(ValueError):
    """A system cannot work on this catalogue; the report prints the reason instead of figures."""


@dataclass(frozen=True, slots=True)
class Said:
    """A turn that is over.

    Attributes:
        text: What the person said.
        shown: Ids that answered it, the best first.
        named: Ids of items that the words name, in their order.
        liked: Ids of shown items that the person then liked.
        disliked: Ids of shown items that the person then disliked.
        reply: Words of the answer, where a human gave it.
    """

    text: str
    shown: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """All that a system is told: who, what they had, what was said and shown, and what they say now.

    Attributes:
        text: What the person says now.
        user: Profile, if any.
        history: Ids consumed before, the last one most recent.
        turns: Earlier turns, the oldest first.
        named: Ids of items that the words of now name.
        diversity: Spread that the person asks for, 0 (nearest items) to 1; a system may ignore it.
    """

    text: str
    user: Row | None = None
    history: tuple[str, ...] = ()
    turns: tuple[Said, ...] = ()
    named: tuple[str, ...] = ()
    diversity: float = 0.0

    @property
    def seen(self) -> frozenset[str]:
        """Ids that an answer must not hold, unless the person asks to go back."""
        told = (i for turn in self.turns for i in (*turn.shown, *turn.named))
        return frozenset((*self.history, *told, *self.named))

    @property
    def stand(self) -> str | None:
        """The item at which the conversation stands: named now, else liked or shown first last turn, else last had."""
        if self.named:
            return self.named[-1]
        for turn in reversed(self.turns):
            kept = [*turn.liked[-1:], *(i for i in turn.shown if i not in turn.disliked), *turn.named[-1:]]
            if kept:
                return kept[0]
        return self.history[-1] if self.history else None

    @property
    def fond(self) -> tuple[str, ...]:
        """Ids that speak for the person's taste: had, named or liked; of turns without a reaction, the first shown."""
        told = [(*t.named, *(t.liked or [i for i in t.shown if i not in t.disliked][:1])) for t in self.turns]
        return tuple(dict.fromkeys((*self.history, *(i for ids in told for i in ids), *self.named)))

    @property
    def words(self) -> tuple[str, ...]:
        """Everything that was said, human answers included, the oldest first."""
        told = [text for turn in self.turns for text in (turn.text, turn.reply) if text]
        return (*told, self.text)


class Answer(NamedTuple):
    """What a system answers.

    Attributes:
        ids: Different ids of the catalogue, the best first; fewer than asked where fewer are allowed.
        position: Where the conversation stands, unit vector (dim,) in the space of `System.vectors`; None without one.
        heard: What it took the words to ask for, where it says so.
        otherwise: What else they may have been meant to ask for, the likeliest first, where it offers that.
        sure: How likely it is that the words were taken as they were meant, 0 to 1, where it says so.
    """

    ids: tuple[str, ...]
    position: np.ndarray | None = None
    heard: tuple[Sense, ...] = ()
    otherwise: tuple[Sense, ...] = ()
    sure: float | None = None


class System(Protocol):
    """A recommender that can be steered, or pretends to be.

    Attributes:
        name: As the report prints it.
        vectors: Unit vector of every item in catalogue order, (items, dim), set by `fit`; None without a space.
        offers: Whether its answers say what was heard and what else may have been meant.
    """

    name: str
    vectors: np.ndarray | None = None
    offers: bool = False

    def fit(self, catalog: Catalog) -> None:
        """Get ready for a catalogue; of its interactions only those of the split "train" may be used.

        Raises:
            Unsuited: If it cannot recommend from this catalogue; says why.
        """
        ...

    def answer(self, dialogue: Dialogue, k: int) -> Answer:
        """The `k` best items, none of them in `dialogue.seen` unless the person asked to go back.

        `k` may be the size of the catalogue: then everything that may be shown is ranked. The same dialogue must get
        the same answer.
        """
        ...

    def rather(self, dialogue: Dialogue, sense: Sense, k: int) -> Answer:
        """The dialogue that was answered last, answered anew, had its last words asked for just this.

        A system that does not offer other senses answers as it did.
        """
        return self.answer(dialogue, k)


class Scored(System):
    """A system that scores every item; unseen items with the best scores are its answer."""

    ids: Sequence[str] = ()

    def fit(self, catalog: Catalog) -> None:
        self.ids = catalog.ids

    @abstractmethod
    def scores(self, dialogue: Dialogue) -> np.ndarray:
        """Higher is better, (items,) in catalogue order."""

    def answer(self, dialogue: Dialogue, k: int) -> Answer:
        return Answer(best(self.scores(dialogue), self.ids, dialogue.seen, k))


class Placed(Scored):
    """A system with a space: the items nearest to its position are its answer, spread out where that is asked for."""

    vectors: np.ndarray

    @abstractmethod
    def position(self, dialogue: Dialogue) -> np.ndarray:
        """Unit vector (dim,)."""

    def scores(self, dialogue: Dialogue) -> np.ndarray:
        return np.asarray(self.vectors @ self.position(dialogue))

    def answer(self, dialogue: Dialogue, k: int) -> Answer:
        position = self.position(dialogue)
        scores, row = self.vectors @ position, {item_id: i for i, item_id in enumerate(self.ids)}
        ids = best(scores, self.ids, dialogue.seen, k * POOL if dialogue.diversity else k)
        if dialogue.diversity and ids:
            rows = [row[i] for i in ids]
            ids = tuple(ids[i] for i in diversify(scores[rows], self.vectors[rows], k, dialogue.diversity))
        return Answer(ids, position)


def best(scores: np.ndarray, ids: Sequence[str], seen: Collection[str], k: int) -> tuple[str, ...]:
    """The `k` ids with the highest scores that were not seen; equal scores in catalogue order."""
    order = np.argsort(-np.asarray(scores), kind="stable")
    found: list[str] = []
    for i in order:
        if len(found) == k:
            break
        if ids[i] not in seen:
            found.append(ids[i])
    return tuple(found)


def unit(vector: np.ndarray) -> np.ndarray:
    """The vector at length 1; a zero vector stays zero."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12))
