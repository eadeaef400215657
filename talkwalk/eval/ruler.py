"""What is measured of an answer on the catalogue's own metadata, which no learned space can flatter."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from talkwalk.bands import Band
from talkwalk.eval.controllability import spread
from talkwalk.index.catalog import Catalog
from talkwalk.index.metadata_distance import MetadataTable
from talkwalk.projection.steps import AMOUNTS, names_in
from talkwalk.projection.validation import Movement, rank_table
from talkwalk.schema import Row


class Ruler:
    """Measures answers; an answer is a sequence of ids.

    Args:
        catalog: What is recommended.

    Attributes:
        row: Number of every item.
        axes: Column of every ordered attribute.
        ranks: Catalogue ranks, NaN where missing, (items, axes).
        table: Distances of metadata.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog, self.ids = catalog, catalog.ids
        self.row = {item_id: i for i, item_id in enumerate(self.ids)}
        self.axes = {a.name: i for i, a in enumerate(catalog.schema.ordered)}
        self.ranks = rank_table(catalog) if self.axes else np.zeros((len(catalog), 0))
        self.table = MetadataTable(catalog.schema, catalog.items)

    def places(self, shown: Sequence[str]) -> list[int]:
        return [self.row[i] for i in shown]

    def moved(self, start: str, shown: Sequence[str]) -> np.ndarray:
        """Mean rank over the answer minus that of `start`, (axes,).

        NaN where nothing is known; an answer without items has moved nothing.
        """
        here, there = self.ranks[self.row[start]], self.ranks[self.places(shown)]
        if not len(there):
            return np.where(np.isfinite(here), 0.0, np.nan)
        known = np.isfinite(there)
        mean = np.where(known, there, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        return np.asarray(np.where(known.any(axis=0), mean, np.nan) - here)

    def movement(self, start: str, shown: Sequence[str], axis: str, sign: int) -> Movement:
        """How far the answer went the way it was asked, and elsewhere; arrays of one."""
        moved = self.moved(start, shown)
        others = np.abs(np.delete(moved, self.axes[axis]))
        on, off = sign * moved[self.axes[axis]], others[np.isfinite(others)]
        return Movement(np.array([on if np.isfinite(on) else 0.0]), np.array([off.mean() if len(off) else 0.0]))

    def room(self, start: str, axis: str, sign: int) -> float:
        """Catalogue ranks that are left of an item one way; NaN without a value."""
        here = float(self.ranks[self.row[start], self.axes[axis]])
        return 1 - here if sign > 0 else here

    def asked_ranks(self, start: str, axis: str, sign: int, grade: str | None, *, step: float) -> float:
        """Catalogue ranks that a steer asks for from an item: what its grade says of `step`, at most the room."""
        room = self.room(start, axis, sign)
        return room if grade == "most" else min(step * AMOUNTS.get(grade or "", 1.0), room)

    def share(self, shown: Sequence[str], attribute: str, value: str) -> float:
        """Share of the answer's items that have a category; 0 of none."""
        column = self.catalog.items[attribute]
        return sum(value in names_in(column.iloc[i]) for i in self.places(shown)) / max(len(shown), 1)

    def held(self, attribute: str, band: str) -> np.ndarray:
        """Whether every item's value lies in a range of an ordered attribute, (items,)."""
        values = self.catalog.items[attribute].to_numpy(dtype=np.float64)
        return Band.parse(band).within(values, self.catalog.schema.items[attribute])

    def distance(self, shown: Sequence[str], wanted: Row) -> float:
        """Mean distance of the answer's items from wanted metadata, 0 to 1; 1 for an answer without items."""
        return float(self.table.distances(wanted)[self.places(shown)].mean()) if shown else 1.0

    def spread(self, shown: Sequence[str]) -> float:
        """Mean distance over pairs of the answer's items, 0 to 1."""
        return spread(self.table.pairs(self.places(shown)))

    def nearest(self, wanted: Row, seen: Collection[str], k: int) -> list[str]:
        """The `k` unseen items nearest to wanted metadata."""
        order = np.argsort(self.table.distances(wanted), kind="stable")
        return [self.ids[i] for i in order if self.ids[i] not in seen][:k]
