"""One wanted item among all: where it stands in a ranking, and what that is worth."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np


def place_of(target: str, ranked: Sequence[str], *, without: Collection[str] = (), size: int) -> int:
    """Items that stand before the target; those in `without` do not count.

    Args:
        target: The wanted item.
        ranked: Ids, the best first; perhaps not all.
        without: Ids that could not be it.
        size: Items that are ranked in all: the place of a target that is missing is the last one.
    """
    place = 0
    for item_id in ranked:
        if item_id == target:
            return place
        place += item_id not in without
    return size - 1


def target_ranks(scores: np.ndarray, targets: np.ndarray, blocked: np.ndarray) -> np.ndarray:
    """The same of scores: items that stand before the target, (cases,); equal scores stand in catalogue order.

    Args:
        scores: Higher is better, (cases, items).
        targets: Index of the wanted item, (cases,).
        blocked: True where an item could not be it, (cases, items); never the target.
    """
    cases = np.arange(len(targets))
    allowed = np.where(blocked, -np.inf, scores)
    own = allowed[cases, targets][:, None]
    earlier = np.arange(scores.shape[1]) < targets[:, None]
    return np.asarray(((allowed > own) | ((allowed == own) & earlier)).sum(axis=1))


def hit_at(places: np.ndarray, k: int) -> np.ndarray:
    """1.0 where the target is among the first `k`, (cases,)."""
    return (places < k).astype(np.float64)


def ndcg_at(places: np.ndarray, k: int) -> np.ndarray:
    """Normalised discounted cumulative gain of one relevant item: 1 / log2(place + 2) within `k`, else 0, (cases,)."""
    return np.where(places < k, 1 / np.log2(places + 2.0), 0.0)


def reciprocal(places: np.ndarray) -> np.ndarray:
    """1 / (place + 1), whose mean is the mean reciprocal rank, (cases,)."""
    return 1 / (places + 1.0)


class RankingQuality(NamedTuple):
    """Per case; both (cases,).

    Attributes:
        hit: 1.0 where the wanted item is in the answer.
        ndcg: 1 / log2(place + 1) where it is, places counted from 1; else 0.
    """

    hit: np.ndarray
    ndcg: np.ndarray


def ranking_quality(places: np.ndarray, *, k: int) -> RankingQuality:
    """Hit rate and NDCG (Järvelin and Kekäläinen 2002) of one wanted item over the full catalogue.

    Args:
        places: Items that stand before the wanted one, (cases,).
        k: Length of the answer.
    """
    return RankingQuality(hit_at(places, k), ndcg_at(places, k))
