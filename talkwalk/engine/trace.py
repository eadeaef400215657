"""Why the answer changed, as numbers: the movement between the previous and the new answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from talkwalk.index.catalog import Catalog
from talkwalk.schema import is_missing


def movement_trace(catalog: Catalog, before: Sequence[str], after: Sequence[str]) -> dict[str, float]:
    """Signed movement of the answer `after` against `before`; empty without an answer before.

    Ordered attributes move by their mean rank in the catalogue (-1 to 1). Categories whose share of the answer changed
    appear as "attribute=value" with the change of that share (-1 to 1).
    """
    before = [i for i in before if i in catalog.items.index]  # an item may have been removed since
    if not before or not after:
        return {}
    trace: dict[str, float] = {}
    for attribute in catalog.schema.ordered:
        ranks = catalog.ranks(attribute.name)
        old, new = ranks.loc[list(before)].dropna(), ranks.loc[list(after)].dropna()
        if len(old) and len(new):
            trace[attribute.name] = float(new.mean() - old.mean())
    for attribute in catalog.schema.categorical:
        old_share, new_share = (_shares(catalog, attribute.name, ids) for ids in (before, after))
        for name in sorted(old_share.keys() | new_share.keys()):
            change = new_share.get(name, 0.0) - old_share.get(name, 0.0)
            if change:
                trace[f"{attribute.name}={name}"] = float(np.clip(change, -1, 1))
    return trace


def _shares(catalog: Catalog, attribute: str, ids: Sequence[str]) -> dict[str, float]:
    """Share of the items that have each value."""
    counts: Counter[str] = Counter()
    for value in catalog.items.loc[list(ids), attribute]:
        if not is_missing(value):
            counts.update([value] if isinstance(value, str) else set(value))
    return {name: count / len(ids) for name, count in counts.items()}
