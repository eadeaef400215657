"""The traditional pipeline: keywords become filters and a sort order."""

from __future__ import annotations

import re

import numpy as np

from talkwalk.eval.rivals.baselines import popularity
from talkwalk.eval.system import Answer, Dialogue, Scored, Unsuited
from talkwalk.index.catalog import Catalog
from talkwalk.projection.validation import rank_table
from talkwalk.schema import is_missing

NOT = re.compile(r"\b(no|not|without|less|nothing|anything but|enough|hate|skip|avoid)\b[^,.;!?]*$")
BACK = re.compile(r"\b(go back|undo|back to|previous|before that)\b")
MORE, LESS = re.compile(r"\b(more|higher|greater)\b"), re.compile(r"\b(less|lower|fewer)\b")
STEP = 0.3  # catalogue ranks that a filter along an ordered attribute moves by: what a plain steer asks for


class KeywordFilter(Scored):
    """Category names are looked up in what is said; an attribute's own words ("older", "newer") set a range.

    A category that was named stays a filter until another one of its attribute is named. What passes all filters is
    sorted by nearness to the asked rank, then by popularity. It knows the schema's words and no synonyms.
    """

    name = "keyword_filter"

    def fit(self, catalog: Catalog) -> None:
        super().fit(catalog)
        self.catalog = catalog
        self._row = {item_id: i for i, item_id in enumerate(self.ids)}
        self._ranks = rank_table(catalog) if catalog.schema.ordered else np.zeros((len(catalog), 0))
        self._keywords = {
            (a.name, value): re.compile(rf"\b{re.escape(value.lower().replace('-', ' '))}(s|es)?\b")
            for a in catalog.schema.categorical
            for value in a.values
        }
        self._has = {
            key: np.array([not is_missing(v) and (v == key[1] or key[1] in v) for v in catalog.items[key[0]]])
            for key in self._keywords
        }
        try:
            counts = popularity(catalog)
        except Unsuited:
            counts = np.zeros(len(catalog))
        self._popular = counts / max(float(counts.max()), 1.0)

    def answer(self, dialogue: Dialogue, k: int) -> Answer:
        if len(dialogue.turns) >= 2 and BACK.search(dialogue.text.lower()):
            again = dialogue.turns[-2].shown[:k]
            return Answer((*again, *(i for i in super().answer(dialogue, k).ids if i not in again))[:k])
        return super().answer(dialogue, k)

    def scores(self, dialogue: Dialogue) -> np.ndarray:
        wanted, unwanted = self._categories(dialogue)
        score = 0.1 * self._popular
        for key in wanted.values():
            score = score + 10.0 * self._has[key]
        for key in unwanted:
            score = score - 10.0 * self._has[key]
        moved = self._moved(dialogue)
        for axis, rank in moved.items():
            score = score - np.nan_to_num(np.abs(self._ranks[:, axis] - rank), nan=1.0)
        return np.asarray(score)

    def _categories(self, dialogue: Dialogue) -> tuple[dict[str, tuple[str, str]], set[tuple[str, str]]]:
        """Per attribute the category that was asked for last, and those that were refused."""
        wanted: dict[str, tuple[str, str]] = {}
        unwanted: set[tuple[str, str]] = set()
        for text in [*(turn.text for turn in dialogue.turns), dialogue.text]:
            plain = text.lower().replace("-", " ")
            for key, pattern in self._keywords.items():
                found = pattern.search(plain)
                if found and NOT.search(plain[: found.start()]):
                    unwanted.add(key)
                    wanted = {name: k for name, k in wanted.items() if k != key}
                elif found:
                    wanted[key[0]] = key
                    unwanted.discard(key)
        return wanted, unwanted

    def _moved(self, dialogue: Dialogue) -> dict[int, float]:
        """Per axis named now, the rank that is asked for: one step from where the conversation stands."""
        if dialogue.stand is None:
            return {}
        plain, here = dialogue.text.lower(), self._ranks[self._row[dialogue.stand]]
        asked: dict[int, float] = {}
        for axis, attribute in enumerate(self.catalog.schema.ordered):
            less, more = attribute.sides
            named = attribute.name in plain
            up = more in plain or (named and MORE.search(plain) is not None)
            down = less in plain or (named and LESS.search(plain) is not None)
            if up != down and np.isfinite(here[axis]):
                asked[axis] = float(np.clip(here[axis] + (STEP if up else -STEP), 0, 1))
        if asked:  # what was not mentioned should stay
            asked |= {i: float(r) for i, r in enumerate(here) if i not in asked and np.isfinite(r)}
        return asked
