"""Distance of metadata itself, which no learned space can flatter."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from talkwalk.schema import Kind, Row, Schema


class MetadataTable:
    """Items by their features, for distances to wanted metadata.

    Args:
        schema: Fitted schema.
        items: Item attributes.
    """

    def __init__(self, schema: Schema, items: pd.DataFrame) -> None:
        self.schema = schema
        self._attributes = [a for a in schema.items.values() if a.kind is not Kind.TEXT]
        values, present = schema.featurize(items=items)
        self._count, starts = len(values), np.cumsum([0, *(a.width for a in self._attributes)])
        self._blocks = [np.ascontiguousarray(values[:, i:j]) for i, j in itertools.pairwise(starts)]
        self._sizes = [block.sum(axis=1) for block in self._blocks]  # of categories, how many names each item has
        self._present = [np.ascontiguousarray(present[:, i]) > 0 for i in range(len(self._attributes))]

    def distances(self, wanted: Row) -> np.ndarray:
        """Mean distance over the attributes that `wanted` has, 0 to 1, (items,).

        Ordered attributes differ by their distance on [0, 1], categories by 1 minus the share of common names among
        all names of both (Jaccard), flags by 0 or 1; an item without the attribute differs by 1.
        """
        values, present = self.schema.featurize(items=[wanted])
        return self._away(values[0], present[0] > 0, slice(None))

    def pairs(self, places: Sequence[int]) -> np.ndarray:
        """Distances of some items, given by number, from each other, (places, places); a row is one looking around."""
        at = np.asarray(places, dtype=int)
        values = np.concatenate([block[at] for block in self._blocks], axis=1)
        present = np.stack([known[at] for known in self._present], axis=1)
        return np.array([self._away(mine, known, at) for mine, known in zip(values, present, strict=True)])

    def _away(self, values: np.ndarray, present: np.ndarray, at: np.ndarray | slice) -> np.ndarray:
        """Mean distance of the items at some places from a row's features."""
        total, start = np.zeros(self._count)[at], 0
        for column, attribute in enumerate(self._attributes):
            mine = values[start : start + attribute.width]
            start += attribute.width
            if not present[column]:
                continue
            theirs, sizes, known = (
                table[at] for table in (self._blocks[column], self._sizes[column], self._present[column])
            )
            if attribute.kind in (Kind.CATEGORY, Kind.MULTI):
                common = theirs @ mine
                difference = 1 - common / np.maximum(sizes + mine.sum() - common, 1)
            else:
                difference = np.abs(theirs[:, 0] - mine[0]) / 2  # features lie in [-1, 1]
            total += np.where(known, difference, 1.0)
        return total / max(present[: len(self._attributes)].sum(), 1)
