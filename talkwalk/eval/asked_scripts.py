"""Who asks for what in the part `asked`: the lines of every session, written before any system answers.

Everything is said in test wordings. A sort of script for which the language has no words, or the catalogue no room, is
not written, and its figures are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from talkwalk.eval.ruler import Ruler
from talkwalk.eval.sessions import Ask, Opening, RecordedSession, play, play_each
from talkwalk.eval.system import System
from talkwalk.eval.unseen import UNSEEN, Words
from talkwalk.eval.world import World
from talkwalk.projection.steering_language import SPREADS as SPREAD_NAMES
from talkwalk.projection.steps import AMOUNTS, END_ROOM, SPREADS, Asking, StepKind, between, names_in
from talkwalk.projection.validation import GRADES
from talkwalk.schema import Row

PLACE = 8  # of this part's draws
ROOM = 0.15  # ranks that must be left to ask for more, as the live part's people have it
LONG = 30  # turns of a long session
WINDOW = 5  # turns at either end of a long session that are compared
GAP = 0.05  # metadata distance by which the middle of two items must differ from the second one
TRIES = 30  # draws of something that not every item has
TWISTS = (StepKind.DIRECTION, StepKind.SWITCH)
BLOCK = (*TWISTS, *TWISTS, StepKind.DIRECTION)  # of a long session, over and over: the same kinds in both windows


@dataclass(frozen=True, slots=True)
class Script:
    """What is said in one session.

    Attributes:
        opening: Who starts, from which item.
        asks: The lines.
        told: What was said before, each with the item that answered it.
        fresh: Whether every line is said as the first one, instead of one after the other.
    """

    opening: Opening
    asks: tuple[Ask, ...]
    told: tuple[tuple[Ask, str], ...] = ()
    fresh: bool = False

    def play(self, system: System, world: World) -> RecordedSession:
        """The session with a system's answers."""
        if self.fresh:
            return play_each(system, world.catalog, self.opening, self.asks, k=world.k)
        return play(system, world.catalog, self.opening, self.asks, told=self.told, k=world.k)


Scripts = dict[str, dict[str, Script]]
"""Per sort the scripts by key; the same for every system."""


class Spot(NamedTuple):
    """An item from which there is room along an axis."""

    item: str
    axis: str
    sign: int


class Writer:
    """Writes the lines of one session; knows metadata, and no system.

    Args:
        ruler: Measures the catalogue.
        words: Test wordings.
        step: Ranks that a plain steer asks for.
        k: Length of the answers.
        rng: Of this session alone.
    """

    def __init__(self, ruler: Ruler, words: Words, step: float, k: int, rng: np.random.Generator) -> None:
        self.ruler, self.k, self.rng, self.step = ruler, k, rng, step
        self.language, self.catalog = words.language, ruler.catalog
        self.asking = Asking(self.catalog.schema, words.descriptions, words.language, step)

    # where to start

    def directions(self) -> list[tuple[str, int]]:
        """Axes that can be asked about both ways, each way."""
        return [
            (axis, sign)
            for axis, sides in sorted(self.language.directions.items())
            if sides.up and sides.down and axis in self.ruler.axes
            for sign in (1, -1)
        ]

    def room(self, axis: str, sign: int) -> np.ndarray:
        """Ranks that every item has left, NaN where it lacks the attribute, (items,)."""
        ranks = self.ruler.ranks[:, self.ruler.axes[axis]]
        return np.asarray(1 - ranks if sign > 0 else ranks)

    def spot(self, *, ahead: float = ROOM, behind: float = ROOM, graded: bool = False) -> Spot | None:
        """A random item, and a random one of the ways with room ahead and behind; with `graded` one with all grades."""
        ways = [way for way in self.directions() if not graded or len(self.asking.grades(*way)) == len(GRADES) - 1]
        fits = [(self.room(axis, s) >= ahead) & (self.room(axis, -s) >= behind) for axis, s in ways]
        items = np.flatnonzero(np.any(fits, axis=0))
        if not len(items):
            return None
        item = int(self.rng.choice(items))
        axis, sign = self.one_of([way for way, fit in zip(ways, fits, strict=True) if fit[item]])
        return Spot(self.ruler.ids[item], axis, sign)

    def ways(self, item: str, *, behind: float = 0.0) -> list[tuple[str, int]]:
        """The ways with room from an item."""
        place = self.ruler.row[item]
        return [
            (axis, sign)
            for axis, sign in self.directions()
            if self.room(axis, sign)[place] >= ROOM and self.room(axis, -sign)[place] >= behind
        ]

    def beside(self, spot: Spot) -> list[tuple[str, int]]:
        """The ways with room ahead and behind along the other axes."""
        return [way for way in self.ways(spot.item, behind=ROOM) if way[0] != spot.axis]

    def one_of(self, options: Sequence[Any]) -> Any:
        return options[int(self.rng.integers(len(options)))]

    # what to say

    def direction(self, axis: str, sign: int, grade: str | None = None) -> Ask:
        text = self.asking.words(axis, sign, grade, self.rng)
        return Ask(text, StepKind.DIRECTION, axis, sign, grade=grade)

    def stay(self) -> Ask:
        return Ask(self.asking.pick(self.language.stay, self.rng), StepKind.STAY)

    def spread(self, name: str) -> Ask:
        """How far apart the answers should be."""
        text = self.asking.pick(self.language.variety[name], self.rng)
        return Ask(text, StepKind.VARIETY, None, name, spread=SPREADS[name])

    def category(self, kind: StepKind, attribute: str, value: str) -> Ask:
        """A category instead, or refused."""
        words = self.language.categories[attribute]
        frame = self.asking.pick(words.less if kind is StepKind.LESS else words.switch, self.rng)
        name = self.asking.pick(words.names[value], self.rng)
        return Ask(frame.replace("{value}", name), kind, attribute, value)

    def both(self, one: Ask, other: Ask) -> Ask:
        """Two steers in one sentence."""
        text = self.asking.joined(one.text, other.text, self.rng)
        return Ask(text, StepKind.SEVERAL, spread=one.spread + other.spread, parts=(one, other))

    def others(self, row: Row) -> list[tuple[str, str]]:
        """Categories to switch to from `row`, each of which could fill an answer."""
        return [
            (name, value)
            for name, words in self.language.categories.items()
            for value in words.names
            if words.switch and value not in names_in(row.get(name))
            and len(self.catalog.having([(name, value)])) >= self.k
        ]  # fmt: skip

    def path(self, item: str, plan: Sequence[StepKind]) -> list[tuple[Ask, str]] | None:
        """Directions and switches from `item` on, each with the unseen item nearest to what is wanted.

        Where one of them is not possible the other one takes its place; None where neither is.
        """
        told: list[tuple[Ask, str]] = []
        here, seen = item, {item}
        for kind in plan:
            found = self._next(kind, here)
            if found is None:
                return None
            ask, wanted = found
            here = next(iter(self.ruler.nearest(wanted, seen, 1)), here)
            seen.add(here)
            told.append((ask, here))
        return told

    def _next(self, kind: StepKind, here: str) -> tuple[Ask, Row] | None:
        row = self.catalog.row(here)
        for tried in (kind, *(other for other in TWISTS if other is not kind)):
            options = self._possible(here, row) if tried is StepKind.DIRECTION else self.others(row)
            if options:
                subject, value = self.one_of(options)
                if tried is StepKind.DIRECTION:
                    ask, wanted = self.direction(subject, value), self.asking.moved(row, subject, value)
                else:
                    ask = self.category(StepKind.SWITCH, subject, value)
                    wanted = self.asking.recategorised(row, StepKind.SWITCH, subject, value)
                if wanted is not None:
                    return ask, wanted
        return None

    def _possible(self, here: str, row: Row) -> list[tuple[str, int]]:
        """Ways with room; those with room behind as well where there are any, so that chance is a half."""
        ways = [way for way in self.ways(here) if self.asking.moved(row, *way) is not None]
        return [way for way in self.ways(here, behind=ROOM) if way in ways] or ways


def intensity(writer: Writer) -> dict[str, Script]:
    """One direction in five grades, from where all five can be told apart."""
    ahead = min(writer.step * AMOUNTS["much"] + END_ROOM, 1 - END_ROOM)
    spot = writer.spot(ahead=ahead, behind=0.0, graded=True)
    if spot is None:
        return {}
    asks = tuple(writer.direction(spot.axis, spot.sign, grade) for grade in GRADES)
    return {"intensity": Script(_at(spot.item), asks, fresh=True)}


def variety(writer: Writer) -> dict[str, Script]:
    """Five spreads, with one direction and alone."""
    spot, language = writer.spot(), writer.language
    if spot is None or not language.stay or not all(language.variety.get(name) for name in SPREAD_NAMES):
        return {}
    steer, first = writer.direction(spot.axis, spot.sign), writer.rng.random() < 0.5
    spreads = [writer.spread(name) for name in SPREAD_NAMES]
    alone = [*spreads[:2], writer.stay(), *spreads[2:]]
    found = {"variety/alone": Script(_at(spot.item), tuple(alone), fresh=True)}
    if language.joins:
        joined = [writer.both(*((steer, said) if first else (said, steer))) for said in spreads]
        found["variety"] = Script(_at(spot.item), (*joined[:2], steer, *joined[2:]), fresh=True)
    return found


def refusal(writer: Writer) -> dict[str, Script]:
    """A category of the start is refused, then something else is asked for; and nothing is refused."""
    sayable = {
        (name, value)
        for name, words in writer.language.categories.items()
        for value in words.names
        if words.less and words.names[value]
    }
    having = sorted(writer.catalog.having(sayable), key=writer.ruler.row.__getitem__)
    if not having or not writer.directions() or not writer.language.stay:
        return {}
    item = str(writer.one_of(having))
    row = writer.catalog.row(item)
    own = [(a.name, v) for a in writer.catalog.schema.categorical for v in names_in(row.get(a.name))]
    refused = writer.category(StepKind.LESS, *writer.one_of([named for named in own if named in sayable]))
    steer = writer.direction(*writer.one_of(writer.ways(item) or writer.directions()))
    return {
        "refused": Script(_at(item), (refused, steer)),
        "refused/unsaid": Script(_at(item), (writer.stay(),)),
    }


def several(writer: Writer) -> dict[str, Script]:
    """Two steers in one sentence: a direction with a switch, and with a direction along another axis."""
    spots = [spot for _ in range(TRIES) if (spot := writer.spot()) is not None]
    if not spots or not writer.language.joins:
        return {}
    options = [(spot, writer.others(writer.catalog.row(spot.item)), writer.beside(spot)) for spot in spots]
    spot, switches, ways = next((option for option in options if all(option)), options[0])
    steer, seconds = writer.direction(spot.axis, spot.sign), {}
    if switches:
        seconds["several/switch"] = writer.category(StepKind.SWITCH, *writer.one_of(switches))
    if ways:
        seconds["several/directions"] = writer.direction(*writer.one_of(ways))
    first = writer.rng.random() < 0.5
    return {
        name: Script(_at(spot.item), (writer.both(*((steer, second) if first else (second, steer))),))
        for name, second in seconds.items()
    }


def first(writer: Writer) -> dict[str, Script]:
    """A direction, a switch, a direction; then back to the first answer."""
    spot = writer.spot()
    told = writer.path(spot.item, (*TWISTS, StepKind.DIRECTION)) if spot and writer.language.first else None
    if spot is None or told is None:
        return {}
    words = writer.asking.pick(writer.language.first, writer.rng)
    return {"first": Script(_at(spot.item), (*(ask for ask, _ in told), Ask(words, StepKind.FIRST)))}


def middle(writer: Writer) -> dict[str, Script]:
    """Two items that everybody was led to, with something between them; then between them, and only more like that."""
    if not writer.language.between or not writer.language.stay:
        return {}
    for _ in range(TRIES):
        spot = writer.spot()
        told = writer.path(spot.item, (StepKind.DIRECTION, *TWISTS)) if spot else None
        if spot is None or told is None:
            return {}
        near, best = middle_bounds(writer.ruler, [item for _, item in told], {spot.item}, writer.k)
        if near - best >= GAP:
            words = writer.asking.pick(writer.language.between, writer.rng)
            ask = Ask(words, StepKind.BETWEEN)
            return {
                "between": Script(_at(spot.item), (ask,), tuple(told)),
                "between/unsaid": Script(_at(spot.item), (writer.stay(),), tuple(told)),
            }
    return {}


def absolute(writer: Writer) -> dict[str, Script]:
    """Everything as it is, but from a named range."""
    for _ in range(TRIES):
        item = str(writer.one_of(writer.ruler.ids))
        step = writer.asking.keep(writer.catalog.row(item), writer.rng)
        if step is not None and writer.ruler.held(str(step.subject), str(step.value)).sum() >= writer.k:
            return {"absolute": Script(_at(item), (Ask.of_step(step),))}
    return {}


def long(writer: Writer) -> dict[str, Script]:
    """Thirty turns of directions and switches; fewer where they would show more than half of the catalogue."""
    turns = min(LONG, len(writer.catalog) // (2 * writer.k)) // WINDOW * WINDOW
    spot = writer.spot() if turns >= 2 * WINDOW else None
    told = writer.path(spot.item, [BLOCK[t % WINDOW] for t in range(turns)]) if spot else None
    return {"long": Script(_at(spot.item), tuple(ask for ask, _ in told))} if spot and told else {}


SORTS: tuple[Callable[[Writer], dict[str, Script]], ...] = (
    intensity, variety, refusal, several, first, middle, absolute, long,
)  # fmt: skip


def draw_scripts(world: World, ruler: Ruler) -> Scripts:
    """Every session of the part; a session's draws do not depend on how many there are."""
    unseen, scripts = world.words(), Scripts()
    for sort, write in enumerate(SORTS):
        for number in range(world.amounts.long_sessions if write is long else world.amounts.starts):
            rng = world.rng(PLACE, sort, number)
            writer = Writer(ruler, unseen.words[UNSEEN], unseen.walks.step, world.k, rng)
            for name, script in write(writer).items():
                scripts.setdefault(name, {})[str(number)] = script
    return scripts


class Bounds(NamedTuple):
    """Mean metadata distances from the middle of two items, each over as many unseen items as are shown.

    Attributes:
        near: Of those nearest to the second item.
        best: Of those nearest to the middle.
    """

    near: float
    best: float


def middle_of(ruler: Ruler, places: Sequence[str]) -> dict[str, Any]:
    """Metadata in the middle of the last two items."""
    last, before = (ruler.catalog.row(places[-i]) for i in (1, 2))
    return between(last, before, ruler.catalog.schema)


def middle_bounds(ruler: Ruler, places: Sequence[str], seen: set[str], k: int) -> Bounds:
    """What an ideal "more like that" and an ideal answer between the last two of `places` achieve."""
    wanted, seen = middle_of(ruler, places), {*places, *seen}
    near = ruler.nearest(ruler.catalog.row(places[-1]), seen, k)
    return Bounds(ruler.distance(near, wanted), ruler.distance(ruler.nearest(wanted, seen, k), wanted))


def _at(item: str) -> Opening:
    return Opening(None, (item,))
