"""Items that words name: "like The Usual Suspects, but newer" starts from that film, "by Nina Simone" keeps to her."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from talkwalk.contrastive.mentions import POSSESSIVE
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Kind, is_missing

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
LIKE, THAN, MAKER = ("like",), ("than",), ("by",)
CUES = (
    LIKE, THAN, MAKER, ("similar", "to"), ("close", "to"), ("reminds", "me", "of"), ("style", "of"), ("vein", "of"),
    ("spirit", "of"), ("lines", "of"), ("fans", "of"), ("fan", "of"),
)  # fmt: skip
SAYS_TASTE = frozenset(
    "i we you they really also always mostly usually would i'd we'd you'd they'd do did don't didn't never".split()
)  # before "like" it is a verb, and compares with nothing
REFUSES = frozenset("no not nothing nobody none never without less fewer except enough isn't don't".split())
ASKS = frozenset(("isn't", "don't"))  # which may as well ask: "isn't there anything by X?"
ALL_BUT = frozenset("anything anyone everything everyone all nothing".split())
JOINS = frozenset(("and", "or", "nor", "meets"))
ARTICLES = frozenset(("the", "a", "an"))
COMMON = ARTICLES | frozenset(
    "this that these those it one ones what we i you me my your our he she they them us is was be in on at of to for "
    "and or but no not so all any some more most less last first before same other others something anything".split()
)
QUOTES = str.maketrans("", "", "\"'“”„«»‘’*_`")  # marks around a title, which end no clause
LONG = 4  # words from which a name may run across a comma: "To Wong Foo, Thanks for Everything!"


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


class _Word(NamedTuple):
    folded: str
    written: str
    mark: str  # what stands between the word before and this one, without blanks
    start: int
    end: int


class NamedItems:
    """Finds the items of a catalogue, by title or by another text such as the artist's name, that words speak of.

    A name counts where "like", "than", "similar to" and the like stand before it, or another name and "and"; after "by"
    any name but a title does. "I like X" compares with nothing, and neither does "nothing like X". A name of one word
    must be written with a capital, and so must one of common words alone: "like this one" is no track "This One".

    Args:
        catalog: The items; a change of them needs another object.
    """

    def __init__(self, catalog: Catalog) -> None:
        schema, items = catalog.schema, catalog.items  # one table, even if another takes its place meanwhile
        names = [a.name for a in schema.items.values() if a.kind is Kind.TEXT and a.name in items]
        self._titles: dict[tuple[str, ...], tuple[str, list[str]]] = {}
        self._makers: dict[tuple[str, ...], tuple[str, list[str]]] = {}
        for name in names:
            table = self._titles if name == schema.title else self._makers
            for item_id, text in zip(items.index, items[name], strict=True):
                key = () if is_missing(text) else _key(str(text))
                if key and table.setdefault(key, (name, []))[0] == name:
                    table[key][1].append(str(item_id))
        self._longest = max(map(len, (*self._titles, *self._makers)), default=0)

    def find(self, text: str, *, refused: bool = False) -> list[Named]:
        """Every name that the text compares with or keeps to, in the order of the words; or those that it refuses."""
        text = _plain(text)
        words = list(_words(text))
        found: list[Named] = []
        start, last = 0, None  # what stood before the name that has just ended, if one has
        while start < len(words):
            joined = last is not None and (words[start].mark == "," or words[start].folded in JOINS)
            begin = start + (1 if joined and words[start].folded in JOINS else 0)
            cue = _cue(words, start, refused) or (last if joined else None)
            named = self._match(text, words, begin, cue) if cue else None
            if named is not None:
                found.append(named[0])
            start, last = (begin + named[1], cue) if named is not None else (start + 1, None)
        return found

    def _match(self, text: str, words: Sequence[_Word], start: int, cue: tuple[str, ...]) -> tuple[Named, int] | None:
        """The longest name that begins at `start`, and how many words it has."""
        for length in range(min(self._longest + 1, len(words) - start), 0, -1):
            part = words[start : start + length]
            key = _folded([word.folded for word in part])
            known = self._makers.get(key) if cue == MAKER else self._titles.get(key) or self._makers.get(key)
            if known is not None and _is_name(part, key, cue) and not _goes_on(words, start + length):
                return Named(text[part[0].start : part[-1].end], cue == MAKER, *known), length
        return None


def may_name(text: str) -> bool:
    """Whether a text has words that may stand before a name; without them nothing need be searched."""
    words = list(_words(_plain(text)))
    return any(_cue(words, place) or _cue(words, place, True) for place in range(len(words)))


def _words(text: str) -> Iterator[_Word]:
    end = 0
    for match in WORD.finditer(text):
        mark = "".join(text[end : match.start()].translate(QUOTES).split())
        end = match.end()
        yield _Word(_fold(match[0]), match[0], mark, match.start(), end)


def _plain(text: str) -> str:
    """Without "'s", and with every accent in one sign with its letter, however it was typed."""
    return POSSESSIVE.sub("", unicodedata.normalize("NFC", text))


def _fold(text: str) -> str:
    return text.casefold().replace("’", "'")


def _key(text: str) -> tuple[str, ...]:
    return _folded([_fold(word) for word in WORD.findall(_plain(text))])


def _folded(words: Sequence[str]) -> tuple[str, ...]:
    """The words without an article before them."""
    return tuple(words[1:] if len(words) > 1 and words[0] in ARTICLES else words)


def _cue(words: Sequence[_Word], place: int, refused: bool = False) -> tuple[str, ...] | None:
    """The words right before a place that make a name of what follows.

    None where they refuse it, or with `refused` only where they refuse who made it.
    """
    before = [word.folded for word in words[:place]]
    cue = next((cue for cue in CUES if tuple(before[-len(cue) :]) == cue), None)
    if cue is None or words[place].mark:
        return None
    earlier = before[: -len(cue)]
    clause = place - 1
    while clause > 0 and not words[clause].mark:
        clause -= 1
    pairs = zip(before[clause:], before[clause + 1 :], strict=False)
    said, all_but = set(earlier[clause:]), any(b == "but" and a in ALL_BUT for a, b in pairs)
    if refused:
        return cue if cue == MAKER and (all_but or said & (REFUSES - ASKS)) else None
    return None if all_but or said & REFUSES or (cue == LIKE and earlier and earlier[-1] in SAYS_TASTE) else cue


def _is_name(part: Sequence[_Word], key: Sequence[str], cue: tuple[str, ...]) -> bool:
    """Whether words that a catalogue knows as a name are meant as one."""
    if any(word.mark for word in part[1:] if word.mark == ",") and len(part) < LONG:
        return False
    if cue == THAN and not any(letter.isalpha() for word in key for letter in word):
        return False  # "older than 1979"
    if len(key) == 1 and key[0] in COMMON:
        return False  # "I" has a capital anywhere
    return _has_capitals(part) or (len(key) > 1 and bool(set(key) - COMMON))


def _has_capitals(words: Sequence[_Word]) -> bool:
    """Whether every word that carries meaning has a capital, a digit, or a letter that has no capital form."""
    telling = [word.written for word in words if word.folded not in COMMON] or [word.written for word in words]
    return not any(word[0].islower() for word in telling)


def _goes_on(words: Sequence[_Word], end: int) -> bool:
    """Whether another word with a capital follows: of "like Candy Crush" no game called Candy is meant."""
    if end >= len(words) or words[end].mark:
        return False
    return words[end].written[0].isupper() and words[end].folded not in COMMON | JOINS
