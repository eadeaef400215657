"""What a person may ask for in one turn: the words, and the metadata of what would please them."""

from __future__ import annotations

import dataclasses
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from talkwalk.bands import Band
from talkwalk.contrastive.dataset import described_pair
from talkwalk.contrastive.descriptions import ByValue, Descriptions
from talkwalk.index.catalog import present
from talkwalk.projection.steering_language import Direction, SteeringLanguage
from talkwalk.schema import Kind, Row, Schema, is_missing

MIN_ROOM = 0.5  # share of a movement that must be left before the end of an axis
END_ROOM = 0.15  # of the [0, 1] scale, that must be left for going all the way
GRADED = 0.45  # share of the movements that say how far
ADDING = 0.25  # share of the wishes that also name a category: half of them one to keep out of
# What speaks of something else than the wish before it: "no horror" adds to a wish, "the same without horror" does not
ELSEWHERE = re.compile(
    r"\b(same|like (that|this)|anything|everything|whatever|all but|rest|these|this|that|here)\b", re.I
)
ABSENT = 0.3  # share of the refused categories that are not there anyway
AMOUNTS = {"touch": 1 / 3, "bit": 0.6, "much": 5 / 3}  # of a plain step; "most" goes to the end
SPREADS = {"closest": -1.0, "close": -0.5, "wide": 0.5, "widest": 1.0}  # of an answer; 0 where nothing is said


class StepKind(StrEnum):
    """What a person asks for in one turn."""

    WISH = "wish"  # a description, whatever came before
    DIRECTION = "direction"  # more or less of an ordered attribute, by so much
    KEEP = "keep"  # an ordered attribute somewhere else, all the rest as it is
    SWITCH = "switch"  # another category instead
    MORE = "more"  # a category in addition
    LESS = "less"  # without a category
    SEVERAL = "several"  # two or three of these in one sentence
    VARIETY = "variety"  # answers closer together or further apart
    STAY = "stay"
    BACK = "back"
    FIRST = "first"  # like the first answer
    BETWEEN = "between"  # between the last two
    NEXT = "next"  # no wish at all


Named = tuple[str, str]  # category attribute and one of its values


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of a walk.

    Attributes:
        kind: What was asked.
        utterance: The words.
        wanted: Metadata of what would please.
        target: What the turn recommends: the item that a wish describes, else the nearest unseen one to `wanted`.
        subject: Attribute that was asked about, if any.
        value: Its category or range, or +1 / -1 for a direction.
        grade: How far along the direction: "touch", "bit", "much", "most"; None for a plain step.
        spread: How far apart the answers should be, -1 to 1; 0 as usual.
        asked: Categories that were asked for.
        without: Categories that must not be shown.
        within: Ranges of ordered attributes that were named, as (attribute, range).
        parts: The steers of one sentence, each from where the one before leads.
        system: Words of the application that ask for it instead of the person.
    """

    kind: StepKind
    utterance: str
    wanted: Row
    target: str
    subject: str | None = None
    value: str | int | None = None
    grade: str | None = None
    spread: float = 0.0
    asked: tuple[Named, ...] = ()
    without: tuple[Named, ...] = ()
    within: tuple[Named, ...] = ()
    parts: tuple[Step, ...] = ()
    system: str | None = None

    @property
    def meaning(self) -> tuple[Any, ...]:
        """What is asked, whatever the words and wherever it is said."""
        parts = tuple(part.meaning for part in self.parts)
        return (self.kind, self.subject, self.value, self.grade, self.spread, parts)


@dataclass
class Asking:
    """Puts what a person may want of an item into words of one split.

    Args:
        schema: Fitted schema.
        descriptions: Wordings of values.
        language: Wordings of steers.
        step: How far a plain "more" or "less" moves, on an attribute's [0, 1] scale.
    """

    schema: Schema
    descriptions: Descriptions
    language: SteeringLanguage
    step: float
    _decks: dict[tuple[str, ...], list[str]] = field(init=False, repr=False, default_factory=dict)

    def pick(self, wordings: Sequence[str], rng: np.random.Generator) -> str:
        """One of the wordings; all of them are used before one comes again."""
        deck = self._decks.setdefault(tuple(wordings), [])
        if not deck:
            deck += [wordings[i] for i in rng.permutation(len(wordings))]
        return deck.pop()

    def ask(self, kind: StepKind, row: Row, rng: np.random.Generator) -> Step | None:
        """A step of `kind` away from `row`, its target still open; None if it has no room, no words or no meaning."""
        if kind is StepKind.DIRECTION:
            return self.direction(row, rng)
        if kind is StepKind.KEEP:
            return self.keep(row, rng)
        if kind in (StepKind.SWITCH, StepKind.MORE, StepKind.LESS):
            return self.category(kind, row, rng)
        if kind is StepKind.SEVERAL:
            return self.several(row, rng)
        if kind is StepKind.VARIETY:
            return self.variety(row, rng)
        words = {StepKind.STAY: self.language.stay, StepKind.NEXT: self.language.next}[kind]
        return Step(kind, self.pick(words, rng), dict(row), "") if words else None

    def wish(self, row: Row, target: str, rng: np.random.Generator) -> Step | None:
        """A description of item `target` with attributes `row`, in part; some add or refuse a category."""
        said = described_pair(
            row, self.schema.items, self._wordings(rng), rng, most_sayings=1, most_attributes=3
        )  # fmt: skip
        if said is None:
            return None
        plain = not self.language.wish or rng.random() < 0.4
        words = said.text if plain else self.pick(self.language.wish, rng).replace("{wish}", said.text)
        asked = tuple((a.name, n) for a in self.schema.categorical for n in names_in(said.metadata.get(a.name)))
        keys = (part.partition("=") for part in said.key.split("|"))
        within = tuple((name, key) for name, _, key in keys if self.schema.items[name].kind is Kind.ORDERED)
        wish = Step(StepKind.WISH, words, said.metadata, target, asked=asked, within=within)
        refused = self._refused(row, rng) if rng.random() < ADDING else None
        if refused is None:
            return wish
        both = self._after(words, refused.utterance, rng)
        # a stream of its own, so that the walks stay as they were drawn and their states need not be read again
        own = np.random.default_rng(zlib.crc32(both.encode()))
        if own.random() < 0.5:
            return self._asking_too(wish, row, own)
        if ELSEWHERE.search(refused.utterance):
            return wish
        return dataclasses.replace(wish, utterance=both, without=refused.without)

    def _after(self, words: str, more: str, rng: np.random.Generator) -> str:
        """Words that add something, in a sentence of its own or in the same one."""
        if not self.language.joins or rng.random() < 0.5:
            return f"{bare(words)}. {more}"
        return self.joined(words, more, rng)

    def _asking_too(self, wish: Step, row: Row, rng: np.random.Generator) -> Step:
        """The wish, and then a category that the item has: who names one after a description need not refuse it."""
        options = [
            (name, value, frame)
            for name, language in sorted(self.language.categories.items())
            for value in language.names
            if value in names_in(row.get(name))
            for frame in language.more
            if not ELSEWHERE.search(frame)
        ]
        if not options:
            return wish
        name, value, frame = options[int(rng.integers(len(options)))]
        called = self.language.categories[name].names[value]
        more = frame.replace("{value}", str(called[int(rng.integers(len(called)))]))
        joins = self.language.joins
        words = f"{bare(wish.utterance)}. {more}"
        if joins and rng.random() < 0.5:
            join = joins[int(rng.integers(len(joins)))]
            words = join.replace("{first}", bare(wish.utterance)).replace("{second}", bare(more))
        asked = tuple(dict.fromkeys((*wish.asked, (name, value))))
        return dataclasses.replace(wish, utterance=words, wanted={**wish.wanted, name: row[name]}, asked=asked)

    def _refused(self, row: Row, rng: np.random.Generator) -> Step | None:
        """A refusal of a category that `row` does not have; None without words for one."""
        names = [name for name, c in sorted(self.language.categories.items()) if c.less]
        if not names:
            return None
        name = str(rng.choice(names))
        language, has = self.language.categories[name], names_in(row.get(name))
        lacks = [v for v in language.names if v not in has]
        return self._refusal(name, str(rng.choice(lacks)), dict(row), rng) if lacks else None

    def _refusal(self, name: str, value: str, wanted: Row, rng: np.random.Generator) -> Step:
        language = self.language.categories[name]
        words = self.pick(language.less, rng).replace("{value}", self.pick(language.names[value], rng))
        return Step(StepKind.LESS, words, wanted, "", name, value, without=((name, value),))

    def _wordings(self, rng: np.random.Generator) -> ByValue:
        """Wordings of attribute values: descriptions, or for categories half of the time their plain names."""
        if rng.random() < 0.5:
            return self.descriptions.items
        return {**self.descriptions.items, **{n: dict(c.names) for n, c in self.language.categories.items()}}

    # ordered attributes

    def direction(self, row: Row, rng: np.random.Generator) -> Step | None:
        """More or less of an ordered attribute; nearly half of the time the words say how far."""
        axes = sorted(filter(self.directed, self.language.directions))
        if not axes:
            return None
        axis, sign = str(rng.choice(axes)), int(rng.choice([-1, 1]))
        grades = self.grades(axis, sign)
        grade = str(rng.choice(grades)) if grades and rng.random() < GRADED else None
        wanted = self.moved(row, axis, sign, grade)
        if wanted is None:
            return None
        return Step(StepKind.DIRECTION, self.words(axis, sign, grade, rng), wanted, "", axis, sign, grade)

    def directed(self, axis: str) -> bool:
        """Whether there are words for both directions of an ordered attribute."""
        sides = self.language.directions.get(axis)
        return sides is not None and bool(sides.up and sides.down)

    def words(self, axis: str, sign: int, grade: str | None, rng: np.random.Generator) -> str:
        """How to ask for `grade` of a direction, which the language must have words for; None for a plain step."""
        plain = _side(self.language.directions[axis], sign)
        if grade is None:
            return self.pick(plain, rng)
        extremes = _side(self.language.superlatives.get(axis), sign) if grade == "most" else ()
        frames = self._graded(axis, sign, grade)
        if extremes and rng.random() < 0.5:
            return self.pick(extremes, rng)
        frame = self.pick(frames, rng)
        if "{more}" in frame:
            return frame.replace("{more}", self.pick(_side(self.language.comparatives.get(axis), sign), rng))
        return frame.replace("{steer}", bare(self.pick(plain, rng)))

    def grades(self, axis: str, sign: int) -> list[str]:
        """The grades of a direction that there are words for, the smallest first, without the plain one."""
        return [name for name in (*AMOUNTS, "most") if self._graded(axis, sign, name)]

    def _graded(self, axis: str, sign: int, grade: str) -> Sequence[str]:
        """Frames of a grade that can be filled for a direction."""
        known = _side(self.language.comparatives.get(axis), sign)
        return tuple(f for f in self.language.grades.get(grade, ()) if known or "{more}" not in f)

    def moved(self, row: Row, axis: str, sign: int, grade: str | None = None) -> dict[str, Any] | None:
        """`row` with an ordered attribute moved up or down; None without a value or without room."""
        attribute = self.schema.items[axis]
        if axis not in row:
            return None
        unit = float(attribute.to_unit(np.array(float(row[axis]))))
        room = 1 - unit if sign > 0 else unit
        amount = room if grade == "most" else self.step * AMOUNTS.get(grade or "", 1.0)
        if room < (END_ROOM if grade == "most" else MIN_ROOM * amount):
            return None
        return {**row, axis: float(attribute.from_unit(np.array(unit + sign * amount)))}

    def keep(self, row: Row, rng: np.random.Generator) -> Step | None:
        """An ordered attribute in another range, told in its own words: "the same but from the seventies"."""
        axes = [a.name for a in self.schema.ordered if a.name in row and self.descriptions.items.get(a.name)]
        if not axes or not self.language.keep:
            return None
        axis = str(rng.choice(axes))
        bands = self.descriptions.items[axis]
        key = str(rng.choice(sorted(bands)))
        wanted = self.placed(row, axis, key) if bands[key] else None
        if wanted is None:
            return None
        frame = self.pick(self.language.keep, rng)
        words = frame.replace("{wish}", bare(self.pick(bands[key], rng)))
        return Step(StepKind.KEEP, words, wanted, "", axis, key, within=((axis, key),))

    def placed(self, row: Row, axis: str, key: str) -> dict[str, Any] | None:
        """`row` with an ordered attribute in the middle of a range; None if it lies there already."""
        attribute, band = self.schema.items[axis], Band.parse(key)
        if axis not in row or band.holds(float(row[axis]), attribute):
            return None
        return {**row, axis: float(attribute.from_unit(np.array(np.mean(band.units(attribute)))))}

    # categories

    def category(self, kind: StepKind, row: Row, rng: np.random.Generator) -> Step | None:
        """A category instead, in addition, or refused."""
        if not self.language.categories:
            return None
        name = str(rng.choice(sorted(self.language.categories)))
        language, has = self.language.categories[name], names_in(row.get(name))
        lacks = [v for v in language.names if v not in has]
        absent = kind is not StepKind.LESS or rng.random() < ABSENT
        candidates = lacks if absent else [v for v in has if v in language.names]
        frames = {StepKind.SWITCH: language.switch, StepKind.MORE: language.more, StepKind.LESS: language.less}[kind]
        if not candidates or not frames:
            return None
        value = str(rng.choice(candidates))
        refused = kind is StepKind.LESS
        wanted = dict(row) if refused and absent else self.recategorised(row, kind, name, value)
        if wanted is None:
            return None
        if refused:
            return self._refusal(name, value, wanted, rng)
        words = self.pick(frames, rng).replace("{value}", self.pick(language.names[value], rng))
        return Step(kind, words, wanted, "", name, value, asked=((name, value),))

    def recategorised(self, row: Row, kind: StepKind, name: str, value: str) -> dict[str, Any] | None:
        """`row` with a category instead, in addition, or taken away; None if that changes nothing."""
        has, multi = names_in(row.get(name)), self.schema.items[name].kind is Kind.MULTI
        if (value in has) != (kind is StepKind.LESS) or (kind is StepKind.MORE and not multi):
            return None
        if kind is StepKind.LESS:
            names = [v for v in has if v != value]
        else:
            names = [*(has if kind is StepKind.MORE else []), value]
        return present({**row, name: names if multi else (names[0] if names else None)})

    # several at once, and how far apart

    def variety(self, row: Row, rng: np.random.Generator) -> Step | None:
        """The same, but closer together or further apart."""
        known = [name for name in SPREADS if self.language.variety.get(name)]
        if not known:
            return None
        name = str(rng.choice(known))
        words = self.pick(self.language.variety[name], rng)
        return Step(StepKind.VARIETY, words, dict(row), "", None, name, spread=SPREADS[name])

    def several(self, row: Row, rng: np.random.Generator) -> Step | None:
        """Two or three steers in one sentence, about different things."""
        if not self.language.joins:
            return None
        kinds = list(PARTS)
        parts: list[Step] = []
        wanted: Row = row
        for _ in range(2 if rng.random() < 0.75 else 3):
            step = self.ask(kinds[int(rng.choice(len(kinds), p=list(PARTS.values())))], wanted, rng)
            if step is None or step.subject in [part.subject for part in parts]:
                return None
            parts.append(step)
            wanted = step.wanted
        words = parts[0].utterance
        for part in parts[1:]:
            words = self.joined(words, part.utterance, rng)
        return Step(
            StepKind.SEVERAL,
            words,
            wanted,
            "",
            spread=sum(part.spread for part in parts),
            asked=tuple(named for part in parts for named in part.asked),
            without=tuple(named for part in parts for named in part.without),
            within=tuple(named for part in parts for named in part.within),
            parts=tuple(parts),
        )

    def joined(self, first: str, second: str, rng: np.random.Generator) -> str:
        """Two steers in one sentence."""
        frame = self.pick(self.language.joins, rng)
        return frame.replace("{first}", bare(first)).replace("{second}", bare(second))

    def steered(self, row: Row, step: Step) -> dict[str, Any] | None:
        """What the steer of `step` wants of another item; None where it has no room or no meaning."""
        if step.kind is StepKind.DIRECTION:
            return self.moved(row, str(step.subject), int(step.value or 0), step.grade)
        if step.kind is StepKind.KEEP:
            return self.placed(row, str(step.subject), str(step.value))
        if step.kind in (StepKind.SWITCH, StepKind.MORE, StepKind.LESS):
            return self.recategorised(row, step.kind, str(step.subject), str(step.value))
        if step.kind is StepKind.SEVERAL:
            there: dict[str, Any] | None = dict(row)
            for part in step.parts:
                there = self.steered(there, part) if there is not None else None
            return there
        return dict(row) if step.kind is StepKind.VARIETY else None


FULL = 0.7  # movement on the [0, 1] scale that stands for going all the way, from wherever


def grade_amounts(plain: float) -> list[float]:
    """Movement that each grade stands for, the smallest first; `plain` is that of a plain "more" or "less"."""
    return sorted([plain, *(plain * share for share in AMOUNTS.values()), FULL])


def moves_of(step: Step, axes: Sequence[str], plain: float) -> list[float]:
    """Asked movement along every axis on its [0, 1] scale; NaN where it depends on where one stands, or is not said.

    Args:
        step: What was asked.
        axes: Names of the ordered attributes.
        plain: Movement of a plain "more" or "less".
    """
    if step.kind in (StepKind.WISH, StepKind.BACK, StepKind.FIRST, StepKind.BETWEEN, StepKind.NEXT):
        return [float("nan")] * len(axes)
    moves = dict.fromkeys(axes, 0.0)
    for part in step.parts or (step,):
        if part.kind is StepKind.KEEP:
            moves[str(part.subject)] = float("nan")
        elif part.kind is StepKind.DIRECTION:
            amount = FULL if part.grade == "most" else plain * AMOUNTS.get(part.grade or "", 1.0)
            moves[str(part.subject)] += int(part.value or 0) * amount
    return [moves[axis] for axis in axes]


PARTS = {
    StepKind.DIRECTION: 0.5,
    StepKind.SWITCH: 0.15,
    StepKind.LESS: 0.15,
    StepKind.KEEP: 0.12,
    StepKind.VARIETY: 0.08,
}  # of what several steers in one sentence are


def _side(sides: Direction | None, sign: int) -> Sequence[str]:
    if sides is None:
        return ()
    return sides.up if sign > 0 else sides.down


def between(one: Row, other: Row, schema: Schema) -> dict[str, Any]:
    """Metadata in the middle of two items: means of ordered attributes, names of both; the rest is the first one's."""
    middle = dict(one)
    for name, attribute in schema.items.items():
        if name in one and name in other:
            if attribute.kind is Kind.ORDERED:
                units = [float(attribute.to_unit(np.array(float(row[name])))) for row in (one, other)]
                middle[name] = float(attribute.from_unit(np.array(np.mean(units))))
            elif attribute.kind is Kind.MULTI:
                middle[name] = list(dict.fromkeys([*names_in(one[name]), *names_in(other[name])]))
    return middle


def names_in(value: Any) -> list[str]:
    """The names in a category or multi cell."""
    if is_missing(value):
        return []
    return [value] if isinstance(value, str) else list(value)


def bare(words: str) -> str:
    """Words without the mark that ends their sentence, to go on inside another one."""
    return words.rstrip(" .!?")
