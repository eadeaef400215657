"""Which categories a text names: the words themselves, where a sentence embedding only knows what they are about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

PIECE = re.compile(r"(?P<mark>[.,;:!?()]|\bbut\b)|(?P<word>[^\W_]+)", re.IGNORECASE)
POSSESSIVE = re.compile(r"(?<=\w)['’]s\b")
PLACES = 2  # the last part of a text that names anything, and the parts before it


class Mentions:
    """Finds the names of category values in texts; whether they are wanted is for a head to read.

    Names match whole words, in either case, singular or plural. The longest name counts: "soft rock" names no "rock".
    The last part of a text that names anything is kept apart from what came before: of "I like comedies, but no horror"
    one is wanted and the other is not. Words are taken at their face: a title such as "Star Wars" names war films too.

    Args:
        names: Per value how people call it; a value without names is never found.
    """

    def __init__(self, names: Sequence[Sequence[str]]) -> None:
        self.names = [tuple(value) for value in names]
        self._values: dict[tuple[str, ...], set[int]] = {}
        for value, called in enumerate(self.names):
            for words in filter(None, map(words_of, called)):
                self._values.setdefault(words, set()).add(value)
        self._longest = max(map(len, self._values), default=0)

    def __len__(self) -> int:
        return len(self.names)

    def is_name(self, text: str) -> bool:
        """Whether a text is the name of a value, and nothing else."""
        return words_of(text) in self._values

    def find(self, texts: Sequence[str]) -> np.ndarray:
        """1.0 where a text names a value, float32 (texts, places * values): all values named last, then all before."""
        found = np.zeros((len(texts), PLACES, len(self)), dtype=np.float32)
        for row, text in enumerate(texts):
            by_part = self._named(text)
            parts = [by_part[part] for part in sorted(by_part)]
            for place, several in enumerate((parts[-1:], parts[:-1])):
                found[row, place, sorted(set[int]().union(*several))] = 1.0
        return found.reshape(len(texts), PLACES * len(self))

    def _named(self, text: str) -> dict[int, set[int]]:
        """Values by the number of the part in which their name begins; a name may itself hold a comma."""
        pieces = split(text)
        words = tuple(word for word, _ in pieces)
        found: dict[int, set[int]] = {}
        start = 0
        while start < len(words):
            lengths = range(min(self._longest, len(words) - start), 0, -1)
            here = next((n for n in lengths if words[start : start + n] in self._values), 0)
            if here:
                found.setdefault(pieces[start][1], set()).update(self._values[words[start : start + here]])
            start += max(here, 1)
        return found


def split(text: str) -> list[tuple[str, int]]:
    """Words in lower case and in the singular, as far as English spelling goes, each with the number of its part.

    Parts end at punctuation marks and at "but": what is said of a name reaches no further.
    """
    found, part = [], 0
    for piece in PIECE.finditer(POSSESSIVE.sub("", text)):
        if piece["mark"]:
            part += 1
        else:
            found.append((_singular(piece["word"].casefold()), part))
    return found


def words_of(text: str) -> tuple[str, ...]:
    """The words alone: "Kids' comedies" is kid, comedy."""
    return tuple(word for word, _ in split(text))


def _singular(word: str) -> str:
    """One spelling for both numbers, not always the dictionary's: "movie" and "movies" both become "movy"."""
    if word.endswith("s") and not word.endswith("ss") and len(word) > 3:
        word = word[:-1]
    return word[:-2] + "y" if word.endswith("ie") and len(word) > 3 else word


def names_by_value(
    values: Sequence[tuple[str, str]], names: Mapping[str, Mapping[str, Sequence[str]]]
) -> list[tuple[str, ...]]:
    """Per (attribute, value) its own name, and what `names` calls it."""
    return [tuple(dict.fromkeys([value, *names.get(name, {}).get(value, ())])) for name, value in values]
