"""Distance of metadata itself, which no learned space can flatter."""

from __future__ import annotations

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
        total, start = np.zeros(len(self._values)), 0
        for column, attribute in enumerate(self._attributes):
            block = slice(start, start + attribute.width)
            start += attribute.width
            if not present[0, column]:
                continue
            theirs, mine = self._values[:, block], values[0, block]
            if attribute.kind in (Kind.CATEGORY, Kind.MULTI):
                common, both = np.minimum(theirs, mine).sum(axis=1), np.maximum(theirs, mine).sum(axis=1)
                difference = 1 - common / np.maximum(both, 1)
            else:
                difference = np.abs(theirs - mine)[:, 0] / 2  # features lie in [-1, 1]
            total += np.where(self._present[:, column] > 0, difference, 1.0)
        return total / max(present[0, : len(self._attributes)].sum(), 1)
