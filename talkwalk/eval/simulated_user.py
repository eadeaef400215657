"""People made of a goal, a temperament and wordings, who talk with a system."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from enum import StrEnum

import numpy as np

from talkwalk.eval.controllability import LOOKS, PATIENCE, categories_of
from talkwalk.eval.sessions import Ask, RecordedSession
from talkwalk.index.catalog import Catalog
from talkwalk.projection.steering_language import SteeringLanguage
from talkwalk.projection.steps import StepKind
from talkwalk.projection.validation import rank_table

ROOM = 0.15  # ranks that must be left before the end of an axis to ask for more of it
CONTRARY = 3  # a contradictory person asks for the opposite every so many turns
DOUBT = 0.4  # how often an indecisive person says nothing of what they want
OPENINGS = (
    "thanks, I had a look at that one",
    "my sister was asking me about that only yesterday",
    "sorry, I was on the phone just now",
    "we are still deciding over dinner here",
    "you know how it is after a long week",
)
CLOSINGS = (
    "but take your time",
    "if that is not too much trouble",
    "and then I really have to walk the dog",
    "anyway, that is what I was thinking",
    "and please tell me if I talk too much",
)
HEDGES = ("hmm, maybe", "I am not sure, perhaps", "well, possibly", "I keep changing my mind, but", "let me think,")


class Temperament(StrEnum):
    """How somebody says what they want."""

    PLAIN = "plain"
    TERSE = "terse"  # in the shortest wordings there are
    CHATTY = "chatty"  # between sentences about something else
    INDECISIVE = "indecisive"  # hedged, and 2 times in 5 not at all
    CONTRADICTORY = "contradictory"  # every third time the opposite


class Voice:
    """Says things in the wordings of one split.

    Args:
        language: Steering wordings.
        rng: Chooses among them.
        terse: Only the shortest quarter of the wordings.
    """

    def __init__(self, language: SteeringLanguage, rng: np.random.Generator, *, terse: bool = False) -> None:
        self.language, self.rng, self.terse = language, rng, terse

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
        if self.terse:
            wordings = sorted(wordings, key=len)[: max(len(wordings) // 4, 1)]
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


class Babbler:
    """Asks for something at random each turn, until what they have in mind happens to be shown.

    Args:
        catalog: What is recommended.
        voice: Finds the words.
        pleasing: Ids that satisfy.
        patience: Most turns.
    """

    def __init__(self, catalog: Catalog, voice: Voice, pleasing: Collection[str], *, patience: int = PATIENCE) -> None:
        self.voice, self.pleasing, self.patience = voice, set(pleasing), patience
        kinds = [StepKind.DIRECTION, StepKind.SWITCH]
        plan = [kinds[int(voice.rng.integers(len(kinds)))] for _ in range(patience)]
        self._wanderer = Wanderer(catalog, voice, voice.next(), plan)

    def __call__(self, session: RecordedSession) -> Ask | None:
        shown = session.turns[-1].shown if session.turns else ()
        if len(session.turns) >= self.patience or self.pleasing & set(shown[:LOOKS]):
            return None
        return self._wanderer(session)


class Seeker:
    """Has an item in mind and names, turn by turn, the attribute in which the first item shown is furthest from it.

    The gap of an ordered attribute is the difference of catalogue ranks; that of a category attribute is 1 where no
    name is shared, else 0. Leaves when satisfied or out of patience.

    Args:
        catalog: What is recommended.
        voice: Finds the words; terse people need a terse one.
        target: The item in mind.
        pleasing: Ids that satisfy, see `controllability.satisfying`.
        patience: Most turns.
        temperament: How they say it.
    """

    def __init__(
        self,
        catalog: Catalog,
        voice: Voice,
        target: str,
        pleasing: Collection[str],
        *,
        patience: int = PATIENCE,
        temperament: Temperament = Temperament.PLAIN,
    ) -> None:
        self.catalog, self.voice, self.target, self.pleasing = catalog, voice, target, set(pleasing)
        self.patience, self.temperament = patience, temperament
        self._ranks, self._row = rank_table(catalog), {item_id: i for i, item_id in enumerate(catalog.ids)}

    def __call__(self, session: RecordedSession) -> Ask | None:
        shown = session.turns[-1].shown if session.turns else session.history[-1:]
        if len(session.turns) >= self.patience or (session.turns and self.pleasing & set(shown[:LOOKS])):
            return None
        return self._said(self.widest(shown[0]) if shown else self.voice.next(), len(session.turns))

    def _said(self, ask: Ask, turn: int) -> Ask:
        """The wish as this person says it."""
        rng = self.voice.rng
        if self.temperament is Temperament.CHATTY:
            before, after = (side[int(rng.integers(len(side)))] for side in (OPENINGS, CLOSINGS))
            return dataclasses.replace(ask, text=f"{before}, {ask.text}, {after}")
        if self.temperament is Temperament.INDECISIVE:
            wish = self.voice.next() if rng.random() < DOUBT else ask
            return dataclasses.replace(wish, text=f"{HEDGES[int(rng.integers(len(HEDGES)))]} {wish.text}")
        if self.temperament is Temperament.CONTRADICTORY and turn % CONTRARY == 1 and ask.kind is StepKind.DIRECTION:
            return self.voice.direction(str(ask.subject), -int(ask.value or 0))
        return ask

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
