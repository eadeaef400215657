"""Items that words compare with: "like The Usual Suspects, but newer" starts from that film, wherever one stood."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from talkwalk.index.catalog import Catalog
from talkwalk.schema import Kind, is_missing

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
CUES = (
    ("like",), ("than",), ("similar", "to"), ("close", "to"), ("reminds", "me", "of"), ("style", "of"), ("vein", "of"),
    ("spirit", "of"), ("lines", "of"), ("fans", "of"), ("fan", "of"),
)  # fmt: skip
SAYS_TASTE = frozenset("i we you they really also always mostly usually would do don't didn't never did".split())
JOINS = frozenset(("and", "or", "nor", "meets"))
ARTICLES = frozenset(("the", "a", "an"))
COMMON = ARTICLES | frozenset(
    "this that these those it one ones what we i you me my your our he she they them us is was be in on at of to for "
    "and or but no not so all any some more most less last first before same other others something anything".split()
)  # names made of nothing else are names only where they are written as such


class _Word(NamedTuple):
    folded: str
    written: str
    comma: bool  # whether nothing but a comma and blanks stands before it


class Named(NamedTuple):
    """A name that words compare with.

    Attributes:
        words: As it was written.
        attribute: The text attribute that has it.
        ids: The items that have it.
    """

    words: str
    attribute: str
    ids: list[str]


class NamedItems:
    """Finds the items of a catalogue, by title or by another text such as the artist's name, that words compare with.

    A name counts where "like", "than", "similar to" and the like stand before it, or another name and "and". "I like X"
    compares with nothing. A name of one word must be written with a capital, and so must one of common words alone:
    "like this one" is no track called "This One".

    Args:
        catalog: The items; a change of them needs another object.
    """

    def __init__(self, catalog: Catalog) -> None:
        schema = catalog.schema
        texts = [a.name for a in schema.items.values() if a.kind is Kind.TEXT and a.name in catalog.items]
        texts.sort(key=lambda name: name != schema.title)  # a title before anything else of that name
        self._names: dict[tuple[str, ...], tuple[str, list[str]]] = {}
        for name in texts:
            for item_id, text in zip(catalog.items.index, catalog.items[name], strict=True):
                key = () if is_missing(text) else _key(str(text))
                if key and self._names.setdefault(key, (name, []))[0] == name:
                    self._names[key][1].append(str(item_id))
        self._longest = max(map(len, self._names), default=0)

    def find(self, text: str) -> list[Named]:
        """Every name that the text compares with, in the order of the words."""
        words = list(_words(text))
        found: list[Named] = []
        start, after = 0, False  # whether a name has just ended
        while start < len(words):
            joined = after and (words[start].comma or words[start].folded in JOINS)
            begin = start + (1 if joined and words[start].folded in JOINS else 0)
            length = self._match(words, begin) if joined or _cued(words, start) else 0
            if length:
                part = words[begin : begin + length]
                found.append(Named(" ".join(word.written for word in part), *self._names[_folded(part)]))
            start, after = (begin + length, True) if length else (start + 1, False)
        return found

    def _match(self, words: Sequence[_Word], start: int) -> int:
        """Number of words of the longest name that begins at `start`, 0 for none."""
        for length in range(min(self._longest + 1, len(words) - start), 0, -1):
            part = words[start : start + length]
            key = _folded(part)
            if key in self._names and (_written_as_name(part) or (len(key) > 1 and set(key) - COMMON)):
                return length
        return 0


def compares(text: str) -> bool:
    """Whether a text has words that may stand before a name: what is compared with nothing need not be searched."""
    words = list(_words(text))
    return any(_cued(words, place) for place in range(len(words)))


def _words(text: str) -> Iterator[_Word]:
    end = 0
    for match in WORD.finditer(text):
        yield _Word(match[0].casefold().replace("’", "'"), match[0], text[end : match.start()].strip() == ",")
        end = match.end()


def _key(text: str) -> tuple[str, ...]:
    return _folded(list(_words(text)))


def _folded(words: Sequence[_Word]) -> tuple[str, ...]:
    """The words without an article before them."""
    folded = tuple(word.folded for word in words)
    return folded[1:] if len(folded) > 1 and folded[0] in ARTICLES else folded


def _cued(words: Sequence[_Word], place: int) -> bool:
    before = [word.folded for word in words[:place]]
    for cue in CUES:
        if tuple(before[-len(cue) :]) == cue and not words[place].comma:
            return cue != ("like",) or not before[:-1] or before[-2] not in SAYS_TASTE
    return False


def _written_as_name(words: Sequence[_Word]) -> bool:
    """Whether every word that carries meaning has a capital or a digit."""
    telling = [word.written for word in words if word.folded not in COMMON] or [word.written for word in words]
    return all(word[0].isupper() or word[0].isdigit() for word in telling)
