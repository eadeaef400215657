"""One wanted item among all: where it ranks, and what that is worth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


def target_ranks(scores: np.ndarray, targets: np.ndarray, blocked: np.ndarray) -> np.ndarray:
    """Items that stand before the target, (cases,); equal scores stand in catalogue order.

    Args:
        scores: Higher is better, (cases, items).
        targets: Index of the wanted item, (cases,).
        blocked: True where an item may not be recommended, (cases, items); never the target.
    """
    cases = np.arange(len(targets))
    allowed = np.where(blocked, -np.inf, scores)
    own = allowed[cases, targets][:, None]
    earlier = np.arange(scores.shape[1]) < targets[:, None]
    return np.asarray(((allowed > own) | ((allowed == own) & earlier)).sum(axis=1))


def hit_at(ranks: np.ndarray, k: int) -> np.ndarray:
    """1.0 where the target is among the first `k`, (cases,)."""
    return (ranks < k).astype(np.float64)


def ndcg_at(ranks: np.ndarray, k: int) -> np.ndarray:
    """Normalised discounted cumulative gain of one relevant item: 1 / log2(rank + 2) within `k`, else 0, (cases,)."""
    return np.where(ranks < k, 1 / np.log2(ranks + 2), 0.0)


class RankingQuality(NamedTuple):
    """Per case; both (cases,).

    Attributes:
        hit: 1.0 where the wanted item is in the answer.
        ndcg: 1 / log2(place + 1) where it is, places counted from 1; else 0.
    """

    hit: np.ndarray
    ndcg: np.ndarray


def ranking_quality(scores: np.ndarray, targets: np.ndarray, blocked: np.ndarray, *, k: int) -> RankingQuality:
    """Hit rate and NDCG (Järvelin and Kekäläinen 2002) of one wanted item over the full catalogue.

    Args:
        scores: Of every item, higher is better, (cases, items).
        targets: Index of the wanted item, (cases,).
        blocked: True for items that cannot be it, (cases, items).
        k: Length of the answer.
    """
    ranks = target_ranks(scores, targets, blocked)
    return RankingQuality(hit_at(ranks, k), ndcg_at(ranks, k))
