"""Distance of metadata itself, which no learned space can flatter."""

from __future__ import annotations

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
        self._values, self._present = schema.featurize(items=items)

    def distances(self, wanted: Row) -> np.ndarray:
        """Mean distance over the attributes that `wanted` has, 0 to 1, (items,).

        Ordered attributes differ by their distance on [0, 1], categories by 1 minus the share of common names among
        all names of both (Jaccard), flags by 0 or 1; an item without the attribute differs by 1.
        """
        values, present = self.schema.featurize(items=[wanted])
        return self._away(values[0], present[0])

    def pairs(self, places: Sequence[int]) -> np.ndarray:
        """Distances of some items, given by number, from each other, (places, places); a row is one looking around."""
        return np.array([self._away(self._values[i], self._present[i], places) for i in places])

    def _away(self, values: np.ndarray, present: np.ndarray, places: Sequence[int] | None = None) -> np.ndarray:
        """Mean distance of every item, or of those at some places, from a row's features."""
        here = slice(None) if places is None else np.array(places, dtype=int)
        table, known = self._values[here], self._present[here]
        total, start = np.zeros(len(table)), 0
        for column, attribute in enumerate(self._attributes):
            block = slice(start, start + attribute.width)
            start += attribute.width
            if not present[column]:
                continue
            theirs, mine = table[:, block], values[block]
            if attribute.kind in (Kind.CATEGORY, Kind.MULTI):
                common, both = np.minimum(theirs, mine).sum(axis=1), np.maximum(theirs, mine).sum(axis=1)
                difference = 1 - common / np.maximum(both, 1)
            else:
                difference = np.abs(theirs - mine)[:, 0] / 2  # features lie in [-1, 1]
            total += np.where(known[:, column] > 0, difference, 1.0)
        return total / max(present[: len(self._attributes)].sum(), 1)
