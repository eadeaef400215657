"""How well turns go where they were asked (docs/metrics.md: direction, on-axis, off-axis, precision, R@10, oracle)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr

from talkwalk.bands import Band
from talkwalk.index.catalog import Catalog
from talkwalk.projection.projection_head import Projected
from talkwalk.projection.steps import Named, Step, StepKind, names_in
from talkwalk.projection.turns import TurnTable

GRADES = ("touch", "bit", None, "much", "most")  # from the smallest movement to the largest
MOVED = 0.02  # smallest movement, in catalogue ranks, that counts as going the way it was asked


def top_items(positions: np.ndarray, items: np.ndarray, blocked: np.ndarray, k: int) -> np.ndarray:
    """Indices of the `k` nearest items, nearest first, (turns, k).

    Args:
        positions: Unit vectors, (turns, dim).
        items: Unit vectors of the catalogue, (items, dim).
        blocked: True where an item may not be shown, (turns, items).
        k: Length of the answer.
    """
    scores = np.where(blocked, -np.inf, positions @ items.T)
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def blocked_items(seen: Sequence[set[str]], ids: Sequence[str]) -> np.ndarray:
    """True where an item was seen, (turns, items)."""
    row = {item_id: i for i, item_id in enumerate(ids)}
    blocked = np.zeros((len(seen), len(ids)), dtype=bool)
    for turn, items in enumerate(seen):
        blocked[turn, [row[i] for i in items]] = True
    return blocked


CHANGES = (StepKind.DIRECTION, StepKind.SWITCH, StepKind.MORE, StepKind.LESS)


class Answers(NamedTuple):
    """What is made of every turn of a table.

    Attributes:
        positions: Unit vectors, (turns, dim).
        spread: How far apart the answers should be, (turns,).
        asked: True where a category was asked for, (turns, categories).
        without: True where a category was refused, (turns, categories).
        within: True where a range was asked for, (turns, ranges); None where ranges are not read.
    """

    positions: np.ndarray
    spread: np.ndarray
    asked: np.ndarray
    without: np.ndarray
    within: np.ndarray | None = None

    @classmethod
    def at(cls, positions: np.ndarray, categories: int) -> Answers:
        """Positions (turns, dim) and nothing else, as of a search by place alone."""
        none = np.zeros((len(positions), categories), dtype=bool)
        return cls(positions, np.zeros(len(positions)), none, none)


def as_answers(read: Projected) -> Answers:
    """What a head made of every turn; what is named counts as such where that is more likely than not."""
    asked, without, within = (logits.numpy() > 0 for logits in (read.asked, read.without, read.within))
    return Answers(read.positions.numpy(), read.spread.numpy(), asked, without, within)


class Movement(NamedTuple):
    """Per steer along an ordered attribute, over the answer's items; all (steers,).

    Attributes:
        on_axis: Movement of the attribute's mean rank the way it was asked.
        off_axis: Mean absolute movement of the other ordered attributes' mean ranks.
    """

    on_axis: np.ndarray
    off_axis: np.ndarray

    @property
    def direction(self) -> np.ndarray:
        """1.0 where the attribute moved more than 0.02 the way it was asked."""
        return (self.on_axis > MOVED).astype(np.float64)

    @property
    def precision(self) -> float:
        """On-axis share of all movement: mean on / (mean on + mean off)."""
        on, off = float(np.mean(self.on_axis)), float(np.mean(self.off_axis))
        return max(on, 0.0) / max(max(on, 0.0) + off, 1e-12)


def movement(answers: np.ndarray, start: np.ndarray, axis: np.ndarray, sign: np.ndarray, ranks: np.ndarray) -> Movement:
    """Compare each answer with the item that the steer started from.

    Args:
        answers: Item indices, (steers, k).
        start: Index of the item before, (steers,).
        axis: Index of the steered attribute, (steers,).
        sign: +1 or -1, (steers,).
        ranks: Catalogue ranks of the ordered attributes, NaN where missing, (items, axes).
    """
    moved = np.nanmean(ranks[answers], axis=1) - ranks[start]  # (steers, axes)
    rows = np.arange(len(answers))
    others = np.ones_like(moved, dtype=bool)
    others[rows, axis] = False
    off = np.array(
        [np.nanmean(np.abs(m[o])) if np.isfinite(m[o]).any() else 0.0 for m, o in zip(moved, others, strict=True)]
    )
    return Movement(moved[rows, axis] * sign, off)


def rank_table(catalog: Catalog) -> np.ndarray:
    """Catalogue ranks of every ordered attribute, (items, axes)."""
    return np.stack([catalog.ranks(a.name).to_numpy() for a in catalog.schema.ordered], axis=1)


class TurnFigures(NamedTuple):
    """Per-turn outcomes; arrays over the turns that each concerns.

    Attributes:
        hit10: Of the turns that change something: the nearest item to the wanted metadata is among the first ten.
        hit1: The same, first.
        wish10: Of the wishes: the item that was described is among the first ten.
        movement: Of the plain turns along an ordered attribute.
        grades: Rank correlation of what was asked and what was moved, over all turns along an ordered attribute, (1,).
        switched: Share of the answer that has the asked category (turns that switch).
        refused: Share of the answer that has a category that was refused (turns that refuse one).
        several10: Of the turns that ask for several things: the nearest item to all of them is among the first ten.
        returned: Of the turns that go back: the earlier turn's item is among the first ten.
        first: The same of the turns that go back to the first answer.
        between10: Of the turns that ask for something between two items: the nearest to that is among the first ten.
        spread: Rank correlation of the spread that was asked for and the one that was read, where one was asked, (1,).
        placed: Share of the answer that lies in the asked range (turns that ask for one and keep the rest).
        shown: Indices of everything shown.
    """

    hit10: np.ndarray
    hit1: np.ndarray
    wish10: np.ndarray
    movement: Movement
    grades: np.ndarray
    switched: np.ndarray
    refused: np.ndarray
    several10: np.ndarray
    returned: np.ndarray
    first: np.ndarray
    between10: np.ndarray
    spread: np.ndarray
    placed: np.ndarray
    shown: np.ndarray


def turn_figures(read: Answers, table: TurnTable, catalog: Catalog, items: np.ndarray, k: int = 10) -> TurnFigures:
    """Search with positions and judge every turn of the table.

    Args:
        read: What is made of every turn of the table.
        table: The turns.
        catalog: Items that are searched.
        items: Their vectors, (items, dim).
        k: Length of the answers.
    """
    kinds = np.array([s.kind.value for s in table.steps])

    def of(*wanted: StepKind) -> np.ndarray:
        return np.isin(kinds, [kind.value for kind in wanted])

    returning = of(StepKind.BACK, StepKind.FIRST)
    seen = [set() if back else s for back, s in zip(returning, table.seen, strict=True)]
    blocked = blocked_items(seen, catalog.ids) | ruled_out(read, members(catalog), k, ranges_of(catalog, table.ranges))
    shown = top_items(read.positions, items, blocked, k)
    hits = shown == table.item_keys[:, None]
    among = hits.any(axis=1).astype(np.float64)
    judged, plain = of(*CHANGES), np.array([s.grade is None for s in table.steps])
    return TurnFigures(
        hit10=among[judged],
        hit1=hits[judged, 0].astype(np.float64),
        wish10=among[of(StepKind.WISH)],
        movement=_directions(shown, of(StepKind.DIRECTION) & plain, table, catalog),
        grades=_grades(shown, of(StepKind.DIRECTION), table, catalog),
        switched=named_share(shown[of(StepKind.SWITCH)], table.asked[of(StepKind.SWITCH)], catalog),
        refused=named_share(shown[of(StepKind.LESS)], table.without[of(StepKind.LESS)], catalog),
        several10=among[of(StepKind.SEVERAL)],
        returned=among[of(StepKind.BACK)],
        first=among[of(StepKind.FIRST)],
        between10=among[of(StepKind.BETWEEN)],
        spread=_rank_correlation(read.spread[of(StepKind.VARIETY)], table.spread[of(StepKind.VARIETY)]),
        placed=_placed(shown[of(StepKind.KEEP)], [s for s in table.steps if s.kind is StepKind.KEEP], catalog),
        shown=shown,
    )


class Ranges(NamedTuple):
    """Which items lie in which range.

    Attributes:
        held: 1.0 where an item lies in a range, (items, ranges).
        attribute: Number of each range's attribute, (ranges,).
    """

    held: np.ndarray
    attribute: np.ndarray


def ranges_of(catalog: Catalog, ranges: Sequence[Named]) -> Ranges:
    """The catalogue's items by range, each given as (ordered attribute, range)."""
    names = [name for name, _ in ranges]
    held = np.zeros((len(catalog), len(ranges)), dtype=np.float32)
    for column, (name, key) in enumerate(ranges):
        values = catalog.items[name].to_numpy(dtype=np.float64)
        held[:, column] = Band.parse(key).within(values, catalog.schema.items[name])
    return Ranges(held, np.array([names.index(name) for name in names], dtype=int))


def ruled_out(read: Answers, has: np.ndarray, k: int, ranges: Ranges | None = None) -> np.ndarray:
    """True where an item may not answer a turn, (turns, items): it has a refused category, or lacks what was asked for.

    An item should have all asked categories, or else any, and lie in an asked range of every attribute that has one.
    What would leave fewer than `k` items is not insisted on: first the ranges are given up, then all categories for
    any, at last the categories; as `Recommender.among_asked` does.

    Args:
        read: What is made of every turn.
        has: 1.0 where an item has a category, (items, categories).
        k: Length of the answers.
        ranges: Items by range; None where ranges are not read.
    """
    refused = read.without.astype(np.float32) @ has.T > 0
    matched = read.asked.astype(np.float32) @ has.T  # asked categories that an item has
    need = read.asked.sum(axis=1, keepdims=True)
    lacks_all, lacks_any = matched < need, (matched == 0) & (need > 0)
    outside = (
        _outside(read.within, ranges) if ranges is not None and read.within is not None else np.zeros_like(refused)
    )
    out, left = refused, np.ones(len(refused), dtype=bool)  # turns for which nothing was found yet
    for lacks in (lacks_all | outside, lacks_all, lacks_any | outside, lacks_any, outside):
        fits = left & ((~(refused | lacks)).sum(axis=1) >= k)
        out = np.where(fits[:, None], refused | lacks, out)
        left &= ~fits
    return out


def _outside(within: np.ndarray, ranges: Ranges) -> np.ndarray:
    """True where an item lies in none of an attribute's asked ranges, if it has some, (turns, items)."""
    outside = np.zeros((len(within), len(ranges.held)), dtype=bool)
    for attribute in np.unique(ranges.attribute):
        columns = ranges.attribute == attribute
        asked = within[:, columns].astype(np.float32)
        outside |= (asked.sum(axis=1, keepdims=True) > 0) & (asked @ ranges.held[:, columns].T == 0)
    return outside


def members(catalog: Catalog) -> np.ndarray:
    """1.0 where an item has a category, in the order of `Schema.category_values`, (items, categories)."""
    values = catalog.schema.category_values
    columns = [np.zeros((len(catalog), 0), dtype=np.float32)]
    for attribute in catalog.schema.categorical:
        names = [names_in(cell) for cell in catalog.items[attribute.name]]
        wanted = [value for name, value in values if name == attribute.name]
        columns.append(
            np.array([[v in has for v in wanted] for has in names], dtype=np.float32).reshape(len(catalog), -1)
        )
    return np.concatenate(columns, axis=1)


def named_share(shown: np.ndarray, named: np.ndarray, catalog: Catalog) -> np.ndarray:
    """Share of each answer (turns, k) that has a category of `named` (turns, categories), (turns,)."""
    has = members(catalog)[shown]  # (turns, k, categories)
    return (np.einsum("tkc,tc->tk", has, named) > 0).mean(axis=1) if len(shown) else np.zeros(0)


def _placed(shown: np.ndarray, steps: Sequence[Step], catalog: Catalog) -> np.ndarray:
    """Share of each answer (turns, k) in the range that its step asks for, (turns,)."""
    ranges = ranges_of(catalog, [(str(step.subject), str(step.value)) for step in steps])
    return np.array([ranges.held[items, turn].mean() for turn, items in enumerate(shown)])


def _directions(shown: np.ndarray, which: np.ndarray, table: TurnTable, catalog: Catalog) -> Movement:
    """Movement of the turns where `which` (turns,) is true; all of them are along an ordered attribute."""
    steers = np.flatnonzero(which)
    axes = {a.name: i for i, a in enumerate(catalog.schema.ordered)}
    row = {item_id: i for i, item_id in enumerate(catalog.ids)}
    return movement(
        shown[steers],
        np.array([row[str(table.starts[i])] for i in steers], dtype=int),
        np.array([axes[str(table.steps[i].subject)] for i in steers], dtype=int),
        np.array([int(table.steps[i].value or 0) for i in steers], dtype=int),
        rank_table(catalog),
    )


def _grades(shown: np.ndarray, which: np.ndarray, table: TurnTable, catalog: Catalog) -> np.ndarray:
    moved = _directions(shown, which, table, catalog).on_axis
    asked = [GRADES.index(table.steps[i].grade) for i in np.flatnonzero(which)]
    return _rank_correlation(moved, np.array(asked))


def _rank_correlation(values: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Spearman's, in an array of one; empty where it has no meaning."""
    if len(set(asked)) < 2 or len(set(values)) < 2:
        return np.zeros(0)
    return np.array([spearmanr(values, asked).statistic])


def figures(outcome: TurnFigures, catalog_size: int) -> dict[str, float]:
    """Means by name."""
    named = {
        "r10": outcome.hit10,
        "top1": outcome.hit1,
        "wish_r10": outcome.wish10,
        "direction": outcome.movement.direction,
        "on_axis": outcome.movement.on_axis,
        "off_axis": outcome.movement.off_axis,
        "grade_spearman": outcome.grades,
        "switch_share": outcome.switched,
        "refused_share": outcome.refused,
        "several_r10": outcome.several10,
        "back_r10": outcome.returned,
        "first_r10": outcome.first,
        "between_r10": outcome.between10,
        "spread_spearman": outcome.spread,
        "placed_share": outcome.placed,
    }
    means = {name: float(np.mean(values)) for name, values in named.items() if len(values)}
    coverage = len(np.unique(outcome.shown)) / catalog_size
    return {**means, "precision": outcome.movement.precision, "coverage": coverage}
