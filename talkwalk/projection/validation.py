"""How well turns go where they were asked (DESIGN: direction, on-axis, off-axis, precision, R@10, oracle)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from talkwalk.index.catalog import Catalog
from talkwalk.projection.turns import TurnTable
from talkwalk.projection.walks import StepKind

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
        movement: Of the turns along an ordered attribute.
        switched: Share of the answer that has the asked category (turns that switch).
        returned: Of the turns that go back: the earlier turn's item is among the first ten.
        shown: Indices of everything shown.
    """

    hit10: np.ndarray
    hit1: np.ndarray
    wish10: np.ndarray
    movement: Movement
    switched: np.ndarray
    returned: np.ndarray
    shown: np.ndarray


def turn_figures(
    positions: np.ndarray, table: TurnTable, catalog: Catalog, items: np.ndarray, k: int = 10
) -> TurnFigures:
    """Search with `positions` and judge every turn of the table.

    Args:
        positions: Unit vectors, one per turn of the table, (turns, dim).
        table: The turns.
        catalog: Items that are searched.
        items: Their vectors, (items, dim).
        k: Length of the answers.
    """
    ids = catalog.ids
    kinds = np.array([s.kind.value for s in table.steps])
    going_back = kinds == StepKind.BACK.value
    seen = [set() if back else s for back, s in zip(going_back, table.seen, strict=True)]
    answers = top_items(positions, items, blocked_items(seen, ids), k)
    hits = answers == table.item_keys[:, None]
    judged = np.isin(kinds, [k.value for k in CHANGES])
    return TurnFigures(
        hits.any(axis=1)[judged].astype(np.float64),
        hits[judged, 0].astype(np.float64),
        hits.any(axis=1)[kinds == StepKind.WISH.value].astype(np.float64),
        _directions(answers, kinds, table, catalog),
        _switches(answers, kinds, table, catalog),
        hits.any(axis=1)[going_back].astype(np.float64),
        answers,
    )


def _directions(answers: np.ndarray, kinds: np.ndarray, table: TurnTable, catalog: Catalog) -> Movement:
    steers = np.flatnonzero(kinds == StepKind.DIRECTION.value)
    axes = {a.name: i for i, a in enumerate(catalog.schema.ordered)}
    row = {item_id: i for i, item_id in enumerate(catalog.ids)}
    return movement(
        answers[steers],
        np.array([row[str(table.starts[i])] for i in steers], dtype=int),
        np.array([axes[str(table.steps[i].subject)] for i in steers], dtype=int),
        np.array([int(table.steps[i].value or 0) for i in steers], dtype=int),
        rank_table(catalog),
    )


def _switches(answers: np.ndarray, kinds: np.ndarray, table: TurnTable, catalog: Catalog) -> np.ndarray:
    shares = []
    for i in np.flatnonzero(kinds == StepKind.SWITCH.value):
        step = table.steps[i]
        column = catalog.items[step.subject]
        names = [column.iloc[a] for a in answers[i]]
        shares.append(np.mean([step.value == n or (isinstance(n, list) and step.value in n) for n in names]))
    return np.array(shares)


def figures(outcome: TurnFigures, catalog_size: int) -> dict[str, float]:
    """Means by name."""
    named = {
        "r10": outcome.hit10,
        "top1": outcome.hit1,
        "wish_r10": outcome.wish10,
        "direction": outcome.movement.direction,
        "on_axis": outcome.movement.on_axis,
        "off_axis": outcome.movement.off_axis,
        "switch_share": outcome.switched,
        "back_r10": outcome.returned,
    }
    means = {name: float(np.mean(values)) for name, values in named.items() if len(values)}
    coverage = len(np.unique(outcome.shown)) / catalog_size
    return {**means, "precision": outcome.movement.precision, "coverage": coverage}
