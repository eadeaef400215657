"""Why the answer changed, as numbers: the movement between the previous and the new answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from talkwalk.index.catalog import Catalog
from talkwalk.schema import is_missing


def movement_trace(catalog: Catalog, before: Sequence[str], after: Sequence[str]) -> dict[str, float]:
    """Signed movement of the answer `after` against `before`; empty without an answer before.

    Ordered attributes move by their mean rank in the catalogue (-1 to 1). Categories whose share of the answer changed
    appear as "attribute=value" with the change of that share (-1 to 1).
    """
    items = catalog.items
    old_rows, new_rows = (items.index.get_indexer(pd.Index(ids)) for ids in (before, after))
    old_rows = old_rows[old_rows >= 0]  # an item may have been removed since
    if not len(old_rows) or not len(new_rows):
        return {}
    trace: dict[str, float] = {}
    for attribute in catalog.schema.ordered:
        ranks = catalog.ranks(attribute.name).to_numpy()
        old, new = (ranks[rows][~np.isnan(ranks[rows])] for rows in (old_rows, new_rows))
        if len(old) and len(new):
            trace[attribute.name] = float(new.mean() - old.mean())
    for attribute in catalog.schema.categorical:
        values = items[attribute.name].to_numpy()
        old_share, new_share = (_shares(values[rows].tolist()) for rows in (old_rows, new_rows))
        for name in sorted(old_share.keys() | new_share.keys()):
            change = new_share.get(name, 0.0) - old_share.get(name, 0.0)
            if change:
                trace[f"{attribute.name}={name}"] = float(np.clip(change, -1, 1))
    return trace


def _shares(values: Sequence[Any]) -> dict[str, float]:
    """Share of the items that have each value."""
    counts: Counter[str] = Counter()
    for value in values:
        if not is_missing(value):
            counts.update([value] if isinstance(value, str) else set(value))
    return {name: count / len(values) for name, count in counts.items()}
