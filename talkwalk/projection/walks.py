"""Simulated people who steer through real items, and real histories told as conversations."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from talkwalk.config import HoldoutConfig, WalksConfig
from talkwalk.contrastive.descriptions import Descriptions
from talkwalk.contrastive.holdout import item_split, user_split
from talkwalk.contrastive.user_metadata import random_context
from talkwalk.index.catalog import Catalog, present
from talkwalk.index.metadata_distance import MetadataTable
from talkwalk.projection.steering_language import SteeringLanguage
from talkwalk.projection.steps import MIN_ROOM, Asking, Step, StepKind, between
from talkwalk.schema import Row
from talkwalk.splits import Split

HISTORY = 0.75  # share of simulated walks that begin with something consumed
FRESH = 0.3  # share of real histories that are told as a first visit, with a profile and no history
LIKED = 4.0  # stars from which an interaction counts as liked
SHARES = {
    StepKind.WISH: 0.08,
    StepKind.DIRECTION: 0.38,
    StepKind.KEEP: 0.08,
    StepKind.SWITCH: 0.10,
    StepKind.MORE: 0.03,
    StepKind.LESS: 0.06,
    StepKind.SEVERAL: 0.08,
    StepKind.VARIETY: 0.05,
    StepKind.STAY: 0.03,
    StepKind.BACK: 0.05,
    StepKind.FIRST: 0.02,
    StepKind.BETWEEN: 0.02,
    StepKind.NEXT: 0.02,
}  # how often simulated people ask for what


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

    Attributes:
        asking: Puts what may be wanted into words.
    """

    catalog: Catalog
    descriptions: Descriptions
    language: SteeringLanguage
    config: WalksConfig
    items: Sequence[str] | None = None
    asking: Asking = field(init=False, repr=False)
    _rows: dict[str, dict[str, Any]] = field(init=False, repr=False)
    _ids: list[str] = field(init=False, repr=False)
    _place: dict[str, int] = field(init=False, repr=False)
    _catalog_ids: list[str] = field(init=False, repr=False)
    _table: MetadataTable = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.asking = Asking(self.catalog.schema, self.descriptions, self.language, self.config.step)
        self._catalog_ids = self.catalog.ids
        self._ids = list(self.items) if self.items is not None else self._catalog_ids
        self._place = {item_id: place for place, item_id in enumerate(self._ids)}
        table = self.catalog.items.loc[self._ids]
        self._rows = {i: present(row) for i, row in zip(self._ids, table.to_dict("records"), strict=True)}
        self._table = MetadataTable(self.catalog.schema, table)

    @property
    def ids(self) -> list[str]:
        """Ids of the items that may appear."""
        return self._ids

    def row(self, number: int) -> dict[str, Any]:
        """Attributes of the catalogue's item number `number`, which must be one that may appear."""
        return self.row_of(self._catalog_ids[number])

    def row_of(self, item_id: str) -> dict[str, Any]:
        """Attributes of an item that may appear."""
        return self._rows[item_id]

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

    def step(
        self,
        history: Sequence[str],
        steps: Sequence[Step],
        rng: np.random.Generator,
        shares: Mapping[StepKind, float] = SHARES,
    ) -> Step | None:
        """One more turn after `steps`, of kinds as often as `shares` has them; None if no kind of turn is possible."""
        places = [*history[-1:], *(s.target for s in steps)]
        earlier = (StepKind.BACK, StepKind.FIRST)
        kinds = [
            kind for kind in shares
            if (kind not in earlier or len(steps) >= 2) and (kind is not StepKind.BETWEEN or len(places) >= 2)
        ]  # fmt: skip
        if not places:
            kinds = [StepKind.WISH]
        weights = np.array([shares[k] for k in kinds])
        for index in rng.choice(len(kinds), size=5, p=weights / weights.sum()):  # some draws find no room
            step = self._draw(kinds[index], places, {*history, *places}, steps, rng)
            if step is not None:
                return step
        return None

    def said(self, kind: StepKind, rng: np.random.Generator) -> Step | None:
        """Words of `kind` in front of a random item, and what they ask for; the answer and what was before are open."""
        row = self._rows[self._ids[int(rng.integers(len(self._ids)))]]
        language = self.language
        words = {
            StepKind.BACK: language.back, StepKind.FIRST: language.first, StepKind.BETWEEN: language.between
        }  # fmt: skip
        if kind in words:
            return Step(kind, self.asking.pick(words[kind], rng), row, "") if words[kind] else None
        return self.asking.wish(row, "", rng) if kind is StepKind.WISH else self.asking.ask(kind, row, rng)

    def _draw(
        self, kind: StepKind, places: Sequence[str], seen: set[str], steps: Sequence[Step], rng: np.random.Generator
    ) -> Step | None:
        """A step of `kind` from the last of `places`, with its target."""
        if kind is StepKind.BACK:
            words, wanted, target = self.language.back, steps[-2].wanted, steps[-2].target
        elif kind is StepKind.FIRST:
            words, wanted, target = self.language.first, self._rows[steps[0].target], steps[0].target
        if kind in (StepKind.BACK, StepKind.FIRST):
            return Step(kind, self.asking.pick(words, rng), wanted, target) if words else None
        if kind is StepKind.WISH:
            step = self._wish(str(rng.choice(self._ids)), rng)
            return None if step is None or step.target in seen else step
        if kind is StepKind.BETWEEN:
            asked = self._between(places, rng)
        else:
            asked = self.asking.ask(kind, self._rows[places[-1]], rng)
        if asked is None:
            return None
        return dataclasses.replace(asked, target=self.nearest(asked.wanted, seen | self.hidden(asked, seen)))

    def _wish(self, target: str, rng: np.random.Generator) -> Step | None:
        return self.asking.wish(self._rows[target], target, rng)

    def _between(self, places: Sequence[str], rng: np.random.Generator) -> Step | None:
        if not self.language.between or places[-1] == places[-2]:
            return None
        middle = between(self._rows[places[-1]], self._rows[places[-2]], self.catalog.schema)
        return Step(StepKind.BETWEEN, self.asking.pick(self.language.between, rng), middle, "")

    def hidden(self, step: Step, seen: Collection[str] = ()) -> set[str]:
        """Items that cannot answer a step: they have a category that it refuses, or lack one that it asks for.

        Where no item outside `seen` would be left, asking hides nothing.
        """
        refused = self.catalog.having(step.without)
        fitting = self.catalog.having_all(step.asked).intersection(self._ids) - refused if step.asked else set()
        return refused | (set(self._ids) - fitting if fitting.difference(seen) else set())

    def nearest(self, wanted: Row, seen: Collection[str]) -> str:
        """The item nearest to wanted metadata that was not seen; of equals the first.

        Raises:
            ValueError: If all were seen.
        """
        distances = self._table.distances(wanted)
        distances[[self._place[i] for i in seen if i in self._place]] = np.inf
        nearest = int(np.argmin(distances))
        if not np.isfinite(distances[nearest]):
            raise ValueError(f"an item must be left to recommend, got {len(self._ids)} that were seen or are refused")
        return self._ids[nearest]

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
        return Walk(user, history, (step,), real=True) if step is not None else None

    def _led_to(self, row: Row, target: str, rng: np.random.Generator) -> Step | None:
        """What a person may have said to come from `row` to `target`: nothing in particular, a wish, or a direction.

        None if there are no words for it.
        """
        wanted = self._rows[target]
        draw = rng.random()
        wish = self._wish(target, rng) if draw < 0.4 else None
        if wish is not None:
            return wish
        moves = {
            a.name: float(np.diff(a.to_unit(np.array([float(row[a.name]), float(wanted[a.name])])))[0])
            for a in self.catalog.schema.ordered
            if a.name in row and a.name in wanted and self.asking.directed(a.name)
        }
        axis = max(moves, key=lambda name: abs(moves[name]), default=None)
        if draw < 0.6 and axis is not None and abs(moves[axis]) >= MIN_ROOM * self.config.step:
            sign = 1 if moves[axis] > 0 else -1
            words = self.asking.words(axis, sign, None, rng)
            return Step(StepKind.DIRECTION, words, wanted, target, axis, sign)
        return (
            Step(StepKind.NEXT, self.asking.pick(self.language.next, rng), wanted, target)
            if self.language.next
            else None
        )


def told_by_system(walk: Walk, language: SteeringLanguage, share: float, rng: np.random.Generator) -> Walk:
    """The walk with some movements asked for by the application's words instead of the person's.

    Args:
        walk: A simulated walk.
        language: Has the words that ask for nothing in particular.
        share: Of the movements.
        rng: Chooses.
    """
    if not language.next:
        return walk
    steps = [
        dataclasses.replace(step, utterance=str(rng.choice(language.next)), system=step.utterance)
        if step.kind is StepKind.DIRECTION and rng.random() < share
        else step
        for step in walk.steps
    ]
    return dataclasses.replace(walk, steps=tuple(steps))


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
    walks = [told_by_system(walk, walker.language, config.system, rng) for walk in walks]
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
