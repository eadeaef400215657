"""People made of a goal and wordings, who talk with the engine."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from talkwalk.eval.controllability import PATIENCE, categories_of
from talkwalk.eval.sessions import Ask, RecordedSession
from talkwalk.index.catalog import Catalog
from talkwalk.projection.steering_language import SteeringLanguage
from talkwalk.projection.validation import rank_table
from talkwalk.projection.walks import StepKind

ROOM = 0.15  # ranks that must be left before the end of an axis to ask for more of it


class Voice:
    """Says things in the wordings of one split.

    Args:
        language: Steering wordings.
        rng: Chooses among them.
    """

    def __init__(self, language: SteeringLanguage, rng: np.random.Generator) -> None:
        self.language, self.rng = language, rng

    def direction(self, axis: str, sign: int) -> Ask:
        """More (+1) or less (-1) of an ordered attribute."""
        sides = self.language.directions[axis]
        return Ask(self._pick(sides.up if sign > 0 else sides.down), StepKind.DIRECTION, axis, sign)

    def switch(self, attribute: str, value: str) -> Ask:
        """Another category instead."""
        words = self.language.categories[attribute]
        text = self._pick(words.switch).replace("{value}", self._pick(words.names[value]))
        return Ask(text, StepKind.SWITCH, attribute, value)

    def back(self) -> Ask:
        return Ask(self._pick(self.language.back), StepKind.BACK)

    def next(self) -> Ask:
        """No wish at all."""
        return Ask(self._pick(self.language.next), StepKind.NEXT)

    def _pick(self, wordings: Sequence[str]) -> str:
        return wordings[int(self.rng.integers(len(wordings)))]


class Wanderer:
    """Says the first thing, then asks for one kind of change after the other, whatever is possible from where they are.

    Args:
        catalog: What is recommended.
        voice: Finds the words.
        first: The first thing they say.
        plan: Kinds of the turns after it: DIRECTION, SWITCH, BACK or NEXT.
    """

    def __init__(self, catalog: Catalog, voice: Voice, first: Ask, plan: Sequence[StepKind]) -> None:
        self.catalog, self.voice, self.first, self.plan = catalog, voice, first, plan
        self._ranks, self._row = rank_table(catalog), {item_id: i for i, item_id in enumerate(catalog.ids)}

    def __call__(self, session: RecordedSession) -> Ask | None:
        if not session.turns:
            return self.first
        turn = len(session.turns) - 1
        if turn >= len(self.plan) or not session.turns[-1].shown:
            return None
        kind, here = self.plan[turn], session.turns[-1].shown[0]
        if kind is StepKind.BACK:
            return self.voice.back()
        asks = {StepKind.DIRECTION: self._directions, StepKind.SWITCH: self._switches}.get(kind)
        possible = asks(here) if asks is not None else []
        return possible[int(self.voice.rng.integers(len(possible)))] if possible else self.voice.next()

    def _directions(self, here: str) -> list[Ask]:
        ranks = dict(zip((a.name for a in self.catalog.schema.ordered), self._ranks[self._row[here]], strict=True))
        rooms = [(axis, sign, 1 - ranks[axis] if sign > 0 else ranks[axis]) for axis in self.voice.language.directions
                 for sign in (-1, 1)]  # fmt: skip
        return [self.voice.direction(axis, sign) for axis, sign, room in rooms if room >= ROOM]

    def _switches(self, here: str) -> list[Ask]:
        has = categories_of(self.catalog, here)
        others = [
            (a, v) for a, words in self.voice.language.categories.items() for v in words.names if (a, v) not in has
        ]
        return [self.voice.switch(attribute, value) for attribute, value in others]


class Seeker:
    """Has an item in mind and names, turn by turn, the attribute in which the first item shown is furthest from it.

    The gap of an ordered attribute is the difference of catalogue ranks; that of a category attribute is 1 where no
    name is shared, else 0. Leaves when satisfied or out of patience.

    Args:
        catalog: What is recommended.
        voice: Finds the words.
        target: The item in mind.
        pleasing: Ids that satisfy, see `controllability.satisfying`.
        patience: Most turns.
    """

    def __init__(
        self, catalog: Catalog, voice: Voice, target: str, pleasing: Collection[str], *, patience: int = PATIENCE
    ) -> None:
        self.catalog, self.voice, self.target, self.pleasing = catalog, voice, target, set(pleasing)
        self.patience = patience
        self._ranks, self._row = rank_table(catalog), {item_id: i for i, item_id in enumerate(catalog.ids)}

    def __call__(self, session: RecordedSession) -> Ask | None:
        shown = session.turns[-1].shown if session.turns else session.history[-1:]
        if len(session.turns) >= self.patience or (session.turns and self.pleasing & set(shown)):
            return None
        return self.widest(shown[0]) if shown else self.voice.next()

    def widest(self, here: str) -> Ask:
        """Words for the widest gap between an item and the target."""
        away = self._ranks[self._row[self.target]] - self._ranks[self._row[here]]
        axes = dict(zip((a.name for a in self.catalog.schema.ordered), away, strict=True))
        gaps = {axis: axes[axis] for axis in self.voice.language.directions if np.isfinite(axes[axis])}
        axis = max(gaps, key=lambda name: abs(gaps[name]), default=None)
        wanted, has = (categories_of(self.catalog, i) for i in (self.target, here))
        sayable = [(a, v) for a, v in sorted(wanted) if a in self.voice.language.categories
                   and v in self.voice.language.categories[a].names]  # fmt: skip
        if sayable and not wanted & has:
            return self.voice.switch(*sayable[int(self.voice.rng.integers(len(sayable)))])
        return self.voice.direction(axis, 1 if gaps[axis] > 0 else -1) if axis is not None else self.voice.next()
