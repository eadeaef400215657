"""Spread of an answer."""

from __future__ import annotations

import numpy as np

POOL = 5  # candidates per wanted item
HEARD = 0.2  # what is read as less than this was not said
STRENGTH = 0.7  # diversity of the widest spread that words ask for; with more of it, answers leave what was asked


def spoken_spread(read: float) -> float:
    """The spread that words ask for, -1 to 1, from what the head reads; 0 where they hardly say anything about it."""
    return float(np.clip(read, -1, 1)) if abs(read) >= HEARD else 0.0


def diversify(scores: np.ndarray, vectors: np.ndarray, k: int, diversity: float) -> list[int]:
    """Maximal marginal relevance (Carbonell and Goldstein 1998): indices of `k` candidates, the best first.

    Below 0 it is turned round: what is like the items chosen before is sought, like all of them on average: a chain of
    items that are each like the one before would lead away.

    Args:
        scores: Cosine of every candidate with the position, best first, (candidates,).
        vectors: Unit vectors of the candidates, (candidates, dim).
        k: How many to choose.
        diversity: 0 keeps the order of the scores, 1 only avoids what is like the items chosen before, -1 seeks it.
    """
    chosen: list[int] = []
    nearest = np.full(len(scores), -1.0)  # cosine with the most alike chosen item
    total = np.zeros(len(scores))  # of the cosines with all chosen items
    for _ in range(min(k, len(scores))):
        like = nearest if diversity > 0 else total / max(len(chosen), 1)
        value = (1 - abs(diversity)) * scores - (diversity * like if chosen else 0.0)
        value[chosen] = -np.inf
        best = int(np.argmax(value))
        chosen.append(best)
        cosines = vectors @ vectors[best]
        nearest, total = np.maximum(nearest, cosines), total + cosines
    return chosen
