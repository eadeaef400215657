"""What a turn returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from talkwalk.bands import Band
from talkwalk.engine.senses import Sense
from talkwalk.projection.steps import names_in
from talkwalk.schema import Schema

NOTICEABLE = 0.02  # smallest movement, in catalogue ranks, that an explanation mentions
LITTLE = 0.1  # up to here it says "a little"
MUCH = 0.3  # from here it says "much"
SHARE = 0.3  # smallest change of a category's share of the answer that an explanation mentions


@dataclass(frozen=True, slots=True)
class Item:
    """A recommended item.

    Attributes:
        id: Its id in the catalogue.
        score: Cosine with the position, -1 to 1.
        metadata: Its present attributes.
    """

    id: str
    score: float
    metadata: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Turn:
    """One answer.

    Attributes:
        text: What the person said.
        items: Recommended items, the best first.
        position: Where the conversation stands, unit vector (dim,).
        trace: Signed movement of the answer against the one before (-1 to 1): per ordered attribute in catalogue
            ranks, and per category as "attribute=value" (change of its share of the answer).
        timings: Seconds per stage: prompt, llm, words, projection, search; after `Session.rather` the last two.
        schema: Names the attributes in `explain`.
        spread: How far apart the words ask the answers to be, -1 to 1; 0 where they do not say.
        asked: (attribute, value) of the categories that the words ask for.
        without: The same of those that are kept out, because the person refused them.
        within: (attribute, range) of the ranges that the words ask for, such as ("year", "1970-1979").
        named: Ids of the items that the words name, by title, by who made them or by their place in the last answer;
            the turn starts from them.
        kept: (attribute, value) of the categories that were asked for before and are kept to, where enough items have
            them.
        heard: What the words were taken to ask for, the surest first: movements along ordered attributes, categories.
        otherwise: What they may have asked for instead, the likeliest first, for `Session.rather`.
        sure: How likely the words were taken as they were meant, 0 to 1, see `senses.sureness`; 1 once the person has
            said what was meant. Where it is low, ask.
    """

    text: str
    items: list[Item]
    position: np.ndarray
    trace: dict[str, float]
    timings: dict[str, float]
    schema: Schema = field(repr=False)
    spread: float = 0.0
    asked: tuple[tuple[str, str], ...] = ()
    without: tuple[tuple[str, str], ...] = ()
    within: tuple[tuple[str, str], ...] = ()
    named: tuple[str, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()
    heard: tuple[Sense, ...] = ()
    otherwise: tuple[Sense, ...] = ()
    sure: float = 1.0

    @property
    def held(self) -> tuple[tuple[str, str], ...]:
        """Categories that hold from here on: those asked for, or else those kept to."""
        return self.asked or self.kept

    def explain(self) -> str:
        """The trace in one plain sentence."""
        if not self.trace:
            refused = "".join(f", no {value}" for _, value in self.without)
            return f"A first answer to “{self.text}”." if self.items else f"Nothing fits “{self.text}”{refused}."
        parts = [*self._movements(), *self._categories()]
        parts += [f"still {value}" for name, value in self.kept if self._always(name, value)]
        parts += [f"no {value}" for _, value in self.without]
        parts += [f"{name} {key}" for name, key in self.within if self._all_within(name, Band.parse(key))]
        if not parts:
            return "About the same as before."
        return f"Compared with before: {', '.join(parts)}."

    def _all_within(self, name: str, band: Band) -> bool:
        """Whether the whole answer lies in a range: one that holds too few items was not insisted on."""
        values = [item.metadata.get(name) for item in self.items]
        return all(value is not None and band.holds(float(value), self.schema.items[name]) for value in values)

    def _always(self, name: str, value: str) -> bool:
        """Whether this whole answer has a category, and the one before had."""
        return f"{name}={value}" not in self.trace and all(
            value in names_in(item.metadata.get(name)) for item in self.items
        )

    def _movements(self) -> list[str]:
        words = []
        for attribute in self.schema.ordered:
            moved = self.trace.get(attribute.name, 0.0)
            if abs(moved) >= NOTICEABLE:
                less, more = attribute.sides
                amount = "much " if abs(moved) >= MUCH else "a little " if abs(moved) < LITTLE else ""
                words.append((abs(moved), f"{amount}{more if moved > 0 else less}"))
        return [text for _, text in sorted(words, reverse=True)]

    def _categories(self) -> list[str]:
        changes = sorted(((abs(v), n, v) for n, v in self.trace.items() if "=" in n), reverse=True)
        return [
            f"{'more' if moved > 0 else 'less'} {name.partition('=')[2]}"
            for size, name, moved in changes
            if size >= SHARE
        ][:3]
