"""Items that words point at: "like the second one, but older", "number 3, only shorter"."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from talkwalk.engine.named_items import REFUSES

ORDINALS = {
    word: place
    for words in (
        "first second third fourth fifth sixth seventh eighth ninth tenth",
        "1st 2nd 3rd 4th 5th 6th 7th 8th 9th 10th",
    )
    for place, word in enumerate(words.split())
}
NUMBERS = {
    word: place
    for words in ("one two three four five six seven eight nine ten", "1 2 3 4 5 6 7 8 9 10")
    for place, word in enumerate(words.split())
}
CUES = re.compile(r"\b(?:like|liked|love|loved|prefer|enjoyed|(?P<than>than)|similar to|close to|closer to) $")
COMPARES = frozenset(("less", "fewer"))  # before "than" they refuse nothing
NOUNS = "one|ones|item|thing|result|pick|suggestion|recommendation|film|movie|track|song|game|product"
LISTED = r"(?:of|from|in|on) (?:these|those|them|(?:the|your|that|this) list)"
SHOWN = r"(?: that)? you (?:just )?(?:showed|gave|suggested|recommended|played|picked|found)(?: me| us)?"
GOES_ON = re.compile(r"[\s,;:.-]*(?:but|only|just|with|without|though|yet)\b", re.IGNORECASE)
BUT = re.compile(r"[\s,;:.-]*but\b", re.IGNORECASE)
PICKS = re.compile(r"[\s,]*(?:more\b.*|please|pls|again)?[\s.!?]*", re.IGNORECASE)  # behind what stands before all else
END = r"(?=$|\s*[,.;:!?()]|\s+-|\s+(?:but|only|just|and|or|with|without|though|yet|please|pls|instead)\b)"


class Pointed(NamedTuple):
    """What is left of words that point at items, and which they point at.

    Attributes:
        text: The words, with "this one" or "these" where they point; as they were if they do not.
        places: Of the last answer, from 0; `OPENING` for the first item of the conversation, `PREVIOUS` for where it
            stood before the last turn.
    """

    text: str
    places: tuple[int, ...] = ()


OPENING, PREVIOUS = -1, -2


class _Match(NamedTuple):
    start: int
    end: int
    place: int


def pointed_at(text: str, shown: int, noun: str = "item") -> Pointed:
    """The places of an answer that words point at, after "like", "than", "I liked" and the like, or before all else.

    "The first one" alone is left to the language model, which has learned to go back there; with more behind it ("like
    the first one, but older") it is the opening of the conversation. "Number one" and "the first of these" are places
    of the last answer. "Go back" is left alone too, and "go back, but older" starts from where it stood before.

    Args:
        text: The words.
        shown: Number of items in the last answer.
        noun: What an item is called in the domain.
    """
    found: list[_Match] = []
    if not shown:
        return Pointed(text)
    for match in _pattern(noun).finditer(text):
        joined = found and re.fullmatch(r"(?:,| and| or|, and|, or)\s*", text[found[-1].end : match.start()], re.I)
        if joined or _is_meant(text[: match.start()], text[match.end() :]):
            place = _place(match, text[match.end() :])
            if place is not None and place < shown:
                found.append(_Match(match.start(), match.end(), place))
                continue
        if found:  # "like the second one" and only later "the third act"
            break
    if not found:
        return Pointed(text)
    this = "this one" if len(found) == 1 else "these"
    places = tuple(dict.fromkeys(match.place for match in found))
    return Pointed(f"{text[: found[0].start]}{this}{text[found[-1].end :]}", places)


@cache
def _pattern(noun: str) -> re.Pattern[str]:
    """Ordinals with what is counted behind them, numbers with "number" before them, and ways to say what was before."""
    item = f"(?:{NOUNS}|{re.escape(noun)})"
    counted = rf"the (?P<ordinal>{'|'.join(ORDINALS)})(?: {item})?(?P<listed> {LISTED})?(?:{SHOWN})?"
    numbered = rf"(?:number |no\. ?|nr\. ?|#)(?P<number>{'|'.join(NUMBERS)})"
    earlier = rf"the (?:previous|earlier) {item}|the one before (?:that|this|it)"
    before = rf"(?P<before>{earlier}|go back(?: to (?:{earlier}|the last {item}|that one|that|it))?)"
    return re.compile(rf"(?<![\w'])(?:{counted}|{numbered}|{before}){END}", re.IGNORECASE)


def _is_meant(before: str, after: str) -> bool:
    """Whether the words around make what stands between them the place of an item to start from."""
    if not before.strip():  # "number one, ..." may as well begin a list
        return bool(GOES_ON.match(after) or PICKS.fullmatch(after))
    clause = re.split(r"[,.;:!?]", before)[-1].casefold().replace("’", "'")
    cue = CUES.search(clause)
    refuses = REFUSES - COMPARES if cue and cue["than"] else REFUSES
    return cue is not None and not refuses & set(re.findall(r"[\w']+", clause)) and "n't " not in clause


def _place(match: re.Match[str], after: str) -> int | None:
    """The place that a match names, from 0; None for what only the language model can tell."""
    if match["before"]:
        return PREVIOUS if BUT.match(after) else None
    if match["number"]:
        return NUMBERS[match["number"].casefold()]
    place = ORDINALS[match["ordinal"].casefold()]
    if place or match["listed"]:
        return place
    return OPENING if GOES_ON.match(after) else None
