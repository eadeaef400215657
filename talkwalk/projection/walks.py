"""Simulated people who steer through real items, and real histories told as conversations."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from talkwalk.config import HoldoutConfig, WalksConfig
from talkwalk.contrastive.dataset import described_pair
from talkwalk.contrastive.descriptions import ByValue, Descriptions
from talkwalk.contrastive.holdout import item_split, user_split
from talkwalk.contrastive.user_metadata import random_context
from talkwalk.index.catalog import Catalog, present
from talkwalk.index.metadata_distance import MetadataTable
from talkwalk.projection.steering_language import SteeringLanguage
from talkwalk.schema import Kind, Row, is_missing
from talkwalk.splits import Split

MIN_ROOM = 0.5  # share of a full step that must be left before the end of an axis
HISTORY = 0.75  # share of simulated walks that begin with something consumed
FRESH = 0.3  # share of real histories that are told as a first visit, with a profile and no history
LIKED = 4.0  # stars from which an interaction counts as liked


class StepKind(str, Enum):
    """What a person asks for in one turn."""

    WISH = "wish"  # a description, whatever came before
    DIRECTION = "direction"  # more or less of an ordered attribute
    SWITCH = "switch"  # another category instead
    MORE = "more"  # a category in addition
    LESS = "less"  # without a category
    STAY = "stay"
    BACK = "back"
    NEXT = "next"  # no wish at all


SHARES = {
    StepKind.WISH: 0.10,
    StepKind.DIRECTION: 0.54,
    StepKind.SWITCH: 0.12,
    StepKind.MORE: 0.04,
    StepKind.LESS: 0.04,
    StepKind.STAY: 0.06,
    StepKind.BACK: 0.08,
    StepKind.NEXT: 0.02,
}  # how often simulated people ask for what


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of a walk.

    Attributes:
        kind: What was asked.
        utterance: The words.
        wanted: Metadata of what would please.
        target: What the turn recommends: the item that a wish describes, else the nearest unseen one to `wanted`.
        subject: Attribute that was asked about, if any.
        value: Its category, or +1 / -1 for a direction.
    """

    kind: StepKind
    utterance: str
    wanted: Row
    target: str
    subject: str | None = None
    value: str | int | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """A person, what they consumed before (last one most recent), and the turns."""

    user: Row | None
    history: tuple[str, ...]
    steps: tuple[Step, ...]
    real: bool = False


@dataclass
class Walker:
    """Draws walks in the language and among the items of one split; knows metadata only, no learned space.

    Args:
        catalog: Real items.
        descriptions: Wordings of one split.
        language: Steering wordings of one split.
        config: Length of walks and of steps.
        items: Ids that may appear; all when None.
    """

    catalog: Catalog
    descriptions: Descriptions
    language: SteeringLanguage
    config: WalksConfig
    items: Sequence[str] | None = None
    _rows: dict[str, dict[str, Any]] = field(init=False, repr=False)
    _ids: list[str] = field(init=False, repr=False)
    _table: MetadataTable = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._ids = list(self.items) if self.items is not None else self.catalog.ids
        table = self.catalog.items.loc[self._ids]
        self._rows = {i: present(row) for i, row in zip(self._ids, table.to_dict("records"), strict=True)}
        self._table = MetadataTable(self.catalog.schema, table)

    def walk(self, user: Row | None, rng: np.random.Generator) -> Walk:
        """A walk of one to `config.turns` turns from a random start."""
        history = (
            tuple(rng.choice(self._ids, size=int(rng.integers(1, 4)), replace=False)) if rng.random() < HISTORY else ()
        )
        history = tuple(str(i) for i in history)
        steps: list[Step] = []
        for _ in range(int(rng.integers(1, self.config.turns + 1))):
            step = self.step(history, steps, rng)
            if step is None:
                break
            steps.append(step)
        return Walk(user, history, tuple(steps))

    def wish(self, user: Row | None, rng: np.random.Generator) -> Walk:
        """A single wish, half of the time after something consumed."""
        history = (str(rng.choice(self._ids)),) if rng.random() < 0.5 else ()
        step = self._wish(str(rng.choice([i for i in self._ids if i not in history])), rng)
        return Walk(user, history, (step,) if step is not None else ())

    def step(self, history: Sequence[str], steps: Sequence[Step], rng: np.random.Generator) -> Step | None:
        """One more turn after `steps`; None if no kind of turn is possible."""
        last = steps[-1].target if steps else (history[-1] if history else None)
        if last is None:
            kinds, shares = [StepKind.WISH], [1.0]
        else:
            kinds = [k for k in StepKind if k is not StepKind.BACK or len(steps) >= 2]
            shares = [SHARES[k] for k in kinds]
        for index in rng.choice(len(kinds), size=5, p=np.array(shares) / sum(shares)):  # some draws find no room
            step = self._draw(kinds[index], last, history, steps, rng)
            if step is not None:
                return step
        return None

    def _draw(
        self,
        kind: StepKind,
        last: str | None,
        history: Sequence[str],
        steps: Sequence[Step],
        rng: np.random.Generator,
    ) -> Step | None:
        seen = {*history, *(s.target for s in steps)}
        if kind is StepKind.BACK:
            before = steps[-2]
            return Step(kind, _pick(self.language.back, rng), before.wanted, before.target)
        row = self._rows[last] if last is not None else {}
        asked = self._ask(kind, row, rng)
        if asked is None:
            return None
        if asked.target in seen:
            return None
        return asked if asked.target else dataclasses.replace(asked, target=self.nearest(asked.wanted, seen))

    def _ask(self, kind: StepKind, row: Row, rng: np.random.Generator) -> Step | None:
        """A step; only a wish knows its target already, the item that it describes."""
        if kind is StepKind.DIRECTION:
            return self._direction(row, rng)
        if kind is StepKind.WISH:
            return self._wish(str(rng.choice(self._ids)), rng)
        if kind in (StepKind.SWITCH, StepKind.MORE, StepKind.LESS):
            return self._category(kind, row, rng)
        words = self.language.stay if kind is StepKind.STAY else self.language.next
        if not words:
            return None
        return Step(kind, _pick(words, rng), dict(row), "")

    def _direction(self, row: Row, rng: np.random.Generator) -> Step | None:
        if not self.language.directions:
            return None
        axis = str(rng.choice(sorted(self.language.directions)))
        sign = int(rng.choice([-1, 1]))
        wanted = self.moved(row, axis, sign * self.config.step)
        if wanted is None:
            return None
        direction = self.language.directions[axis]
        return Step(
            StepKind.DIRECTION,
            _pick(direction.up if sign > 0 else direction.down, rng),
            wanted,
            "",
            axis,
            sign,
        )

    def moved(self, row: Row, axis: str, amount: float) -> dict[str, Any] | None:
        """`row` with an ordered attribute moved on its [0, 1] scale; None without a value or without room."""
        attribute = self.catalog.schema.items[axis]
        if axis not in row:
            return None
        unit = float(attribute.to_unit(np.array(float(row[axis]))))
        room = 1 - unit if amount > 0 else unit
        if room < MIN_ROOM * abs(amount):
            return None
        return {**row, axis: float(attribute.from_unit(np.array(unit + amount)))}

    @property
    def ids(self) -> list[str]:
        """Ids of the items that may appear."""
        return self._ids

    def row(self, number: int) -> dict[str, Any]:
        """Attributes of the catalogue's item number `number`, which must be one that may appear."""
        return self._rows[self.catalog.ids[number]]

    def steered(self, row: Row, step: Step) -> dict[str, Any] | None:
        """What the steer of `step` wants of another item; None where it has no room or no meaning."""
        if step.kind is StepKind.DIRECTION:
            return self.moved(row, str(step.subject), int(step.value or 0) * self.config.step)
        return self.recategorised(row, step.kind, str(step.subject), str(step.value))

    def recategorised(self, row: Row, kind: StepKind, name: str, value: str) -> dict[str, Any] | None:
        """`row` with a category instead, in addition, or taken away; None if that changes nothing."""
        has, multi = _names(row.get(name)), self.catalog.schema.items[name].kind is Kind.MULTI
        if (value in has) != (kind is StepKind.LESS) or (kind is StepKind.MORE and not multi):
            return None
        if kind is StepKind.LESS:
            names = [v for v in has if v != value]
        else:
            names = [*(has if kind is StepKind.MORE else []), value]
        return present({**row, name: names if multi else (names[0] if names else None)})

    def _category(self, kind: StepKind, row: Row, rng: np.random.Generator) -> Step | None:
        if not self.language.categories:
            return None
        name = str(rng.choice(sorted(self.language.categories)))
        language, has = self.language.categories[name], _names(row.get(name))
        candidates = has if kind is StepKind.LESS else [v for v in language.names if v not in has]
        if not candidates:
            return None
        value = str(rng.choice(candidates))
        wanted = self.recategorised(row, kind, name, value)
        if wanted is None:
            return None
        frames = {
            StepKind.SWITCH: language.switch,
            StepKind.MORE: language.more,
            StepKind.LESS: language.less,
        }[kind]
        words = _pick(frames, rng).replace("{value}", _pick(language.names[value], rng))
        return Step(kind, words, wanted, "", name, value)

    def _wish(self, target: str, rng: np.random.Generator) -> Step | None:
        schema = self.catalog.schema
        said = described_pair(
            self._rows[target], schema.items, self._wordings(rng), rng, most_sayings=1, most_attributes=3
        )
        if said is None:
            return None
        words = said.text if rng.random() < 0.4 else _pick(self.language.wish, rng).replace("{wish}", said.text)
        return Step(StepKind.WISH, words, said.metadata, target)

    def _wordings(self, rng: np.random.Generator) -> ByValue:
        """Wordings of attribute values: descriptions, or for categories half of the time their plain names."""
        if rng.random() < 0.5:
            return self.descriptions.items
        return {**self.descriptions.items, **{n: dict(c.names) for n, c in self.language.categories.items()}}

    def nearest(self, wanted: Row, seen: set[str]) -> str:
        """The item nearest to wanted metadata that was not seen."""
        order = np.argsort(self._table.distances(wanted), kind="stable")
        return next(self._ids[i] for i in order if self._ids[i] not in seen)

    def real_walk(self, user: Row, liked: Sequence[str], rng: np.random.Generator) -> Walk | None:
        """Up to three items that a real person liked in a row, and words that led to the next one they liked."""
        known = [i for i in liked if i in self._rows]
        if len(known) < 2:
            return None
        end = int(rng.integers(1, len(known)))
        history, target = tuple(known[max(0, end - 3) : end]), known[end]
        if rng.random() < FRESH:
            history = ()
        step = self._led_to(self._rows[history[-1]] if history else {}, target, rng)
        return Walk(user, history, (step,), real=True)

    def _led_to(self, row: Row, target: str, rng: np.random.Generator) -> Step:
        """What a person may have said to come from `row` to `target`: nothing in particular, a wish, or a direction."""
        wanted = self._rows[target]
        draw = rng.random()
        wish = self._wish(target, rng) if draw < 0.4 else None
        if wish is not None:
            return wish
        moves = {
            a.name: float(np.diff(a.to_unit(np.array([float(row[a.name]), float(wanted[a.name])])))[0])
            for a in self.catalog.schema.ordered
            if a.name in row and a.name in wanted and a.name in self.language.directions
        }
        axis = max(moves, key=lambda name: abs(moves[name]), default=None)
        if draw < 0.6 and axis is not None and abs(moves[axis]) >= MIN_ROOM * self.config.step:
            direction, sign = self.language.directions[axis], (1 if moves[axis] > 0 else -1)
            words = _pick(direction.up if sign > 0 else direction.down, rng)
            return Step(StepKind.DIRECTION, words, wanted, target, axis, sign)
        return Step(StepKind.NEXT, _pick(self.language.next, rng), wanted, target)


def _names(value: Any) -> list[str]:
    """The names in a category or multi cell."""
    if is_missing(value):
        return []
    return [value] if isinstance(value, str) else list(value)


def _pick(wordings: Sequence[str], rng: np.random.Generator) -> str:
    return wordings[int(rng.integers(len(wordings)))]


def profiles(catalog: Catalog, holdout: HoldoutConfig, split: Split) -> list[str]:
    """User ids of one split."""
    return [str(u) for u in catalog.users.index if user_split(str(u), holdout) is split]


def liked_items(catalog: Catalog, user_ids: Sequence[str]) -> dict[str, list[str]]:
    """Per user the items of the training part that they liked, in order of time."""
    if catalog.interactions is None:
        return {}
    inter = catalog.interactions
    inter = inter[inter["user_id"].isin(set(user_ids))]
    if "split" in inter:
        inter = inter[inter["split"] == Split.TRAIN.value]
    if "rating" in inter:
        inter = inter[inter["rating"] >= LIKED]
    grouped = inter.sort_values("timestamp", kind="stable").groupby("user_id")["item_id"]
    return {str(user): list(items) for user, items in grouped}


def training_items(catalog: Catalog, holdout: HoldoutConfig) -> list[str]:
    """Items that training may see."""
    return [i for i in catalog.ids if item_split(i, holdout) is Split.TRAIN]


def training_walks(walker: Walker, holdout: HoldoutConfig, rng: np.random.Generator) -> list[Walk]:
    """Simulated walks and real histories of the training users."""
    catalog, config = walker.catalog, walker.config
    users = profiles(catalog, holdout, Split.TRAIN)
    walks = draw_walks(walker, users, config.simulated, rng)
    liked = liked_items(catalog, users)
    named = [u for u in sorted(liked) if len(liked[u]) >= 2]
    for _ in range(config.real if named else 0):
        user = str(rng.choice(named))
        walk = walker.real_walk(catalog.user(user), liked[user], rng)
        if walk is not None:
            walks.append(walk)
    return [*walks, *draw_walks(walker, users, config.wishes, rng.spawn(1)[0], wish=True)]


def draw_walks(
    walker: Walker, users: Sequence[str], count: int, rng: np.random.Generator, *, wish: bool = False
) -> list[Walk]:
    """`count` simulated walks; seven of ten have a profile, if there are users; with `wish` they are one wish long."""
    walks: list[Walk] = []
    while len(walks) < count:
        user: Row | None = None
        if users and rng.random() < 0.7:
            row = walker.catalog.user(str(rng.choice(users)))
            row = {**random_context(row, walker.catalog.schema, walker.descriptions, rng), **row}
            names = [n for n in row if rng.random() < 0.6]
            user = {n: row[n] for n in names} or None
        walk = walker.wish(user, rng) if wish else walker.walk(user, rng)
        if walk.steps:
            walks.append(walk)
    return walks
