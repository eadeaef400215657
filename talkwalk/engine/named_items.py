"""Items that words name: "like The Usual Suspects, but newer" starts from that film, "by Nina Simone" keeps to her."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from talkwalk.contrastive.mentions import POSSESSIVE
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Kind, is_missing

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
CUES = (
    ("like",), ("than",), ("similar", "to"), ("close", "to"), ("reminds", "me", "of"), ("style", "of"), ("vein", "of"),
    ("spirit", "of"), ("lines", "of"), ("fans", "of"), ("fan", "of"),
)  # fmt: skip
MAKER = ("by",)  # before who made it: what follows is no comparison, but all that may be shown
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
    """A name of items.

    Attributes:
        words: As it was written.
        made_by: Whether it is the name of who made what is asked for, not of something to compare with.
        attribute: The text attribute that has it.
        ids: The items that have it.
    """

    words: str
    made_by: bool
    attribute: str
    ids: list[str]


class NamedItems:
    """Finds the items of a catalogue, by title or by another text such as the artist's name, that words speak of.

    A name counts where "like", "than", "similar to" and the like stand before it, or another name and "and"; after "by"
    any name but a title does. "I like X" compares with nothing. A name of one word must be written with a capital, and
    so must one of common words alone: "like this one" is no track called "This One".

    Args:
        catalog: The items; a change of them needs another object.
    """

    def __init__(self, catalog: Catalog) -> None:
        schema = catalog.schema
        texts = [a.name for a in schema.items.values() if a.kind is Kind.TEXT and a.name in catalog.items]
        texts.sort(key=lambda name: name != schema.title)  # a title before anything else of that name
        self._title = schema.title
        self._names: dict[tuple[str, ...], tuple[str, list[str]]] = {}
        for name in texts:
            for item_id, text in zip(catalog.items.index, catalog.items[name], strict=True):
                key = () if is_missing(text) else _key(str(text))
                if key and self._names.setdefault(key, (name, []))[0] == name:
                    self._names[key][1].append(str(item_id))
        self._longest = max(map(len, self._names), default=0)

    def find(self, text: str) -> list[Named]:
        """Every name that the text compares with or keeps to, in the order of the words."""
        words = list(_words(text))
        found: list[Named] = []
        start, last = 0, None  # what stood before the name that has just ended, if one has
        while start < len(words):
            joined = last is not None and (words[start].comma or words[start].folded in JOINS)
            begin = start + (1 if joined and words[start].folded in JOINS else 0)
            cue = _cue(words, start) or (last if joined else None)
            named = self._match(words, begin, cue == MAKER) if cue else None
            if named is not None:
                found.append(named[0])
            start, last = (begin + named[1], cue) if named is not None else (start + 1, None)
        return found

    def _match(self, words: Sequence[_Word], start: int, made_by: bool) -> tuple[Named, int] | None:
        """The longest name that begins at `start`, and how many words it has."""
        for length in range(min(self._longest + 1, len(words) - start), 0, -1):
            part = words[start : start + length]
            key = _folded(part)
            if key not in self._names or not (_written_as_name(part) or (len(key) > 1 and set(key) - COMMON)):
                continue
            attribute, ids = self._names[key]
            if not (made_by and attribute == self._title):
                return Named(" ".join(word.written for word in part), made_by, attribute, ids), length
        return None


def may_name(text: str) -> bool:
    """Whether a text has words that may stand before a name; without them nothing need be searched."""
    words = list(_words(text))
    return any(_cue(words, place) for place in range(len(words)))


def _words(text: str) -> Iterator[_Word]:
    end, text = 0, POSSESSIVE.sub("", text)
    for match in WORD.finditer(text):
        yield _Word(match[0].casefold().replace("’", "'"), match[0], text[end : match.start()].strip() == ",")
        end = match.end()


def _key(text: str) -> tuple[str, ...]:
    return _folded(list(_words(text)))


def _folded(words: Sequence[_Word]) -> tuple[str, ...]:
    """The words without an article before them."""
    folded = tuple(word.folded for word in words)
    return folded[1:] if len(folded) > 1 and folded[0] in ARTICLES else folded


def _cue(words: Sequence[_Word], place: int) -> tuple[str, ...] | None:
    """The words right before a place that make a name of what follows."""
    before = [word.folded for word in words[:place]]
    for cue in (*CUES, MAKER):
        if tuple(before[-len(cue) :]) == cue and not words[place].comma:
            tastes = cue == ("like",) and bool(before[:-1]) and before[-2] in SAYS_TASTE
            return None if tastes else cue
    return None


def _written_as_name(words: Sequence[_Word]) -> bool:
    """Whether every word that carries meaning has a capital or a digit."""
    telling = [word.written for word in words if word.folded not in COMMON] or [word.written for word in words]
    return all(word[0].isupper() or word[0].isdigit() for word in telling)
