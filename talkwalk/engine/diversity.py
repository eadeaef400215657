"""Spread of an answer."""

from __future__ import annotations

import numpy as np

POOL = 5  # candidates per wanted item
CENTRES = 500  # most candidates around which a group is looked for, so that a long answer needs no more memory
HEARD = 0.2  # what is read as less than this was not said
STRENGTH = 0.7  # diversity of the widest spread that words ask for; with more of it, answers leave what was asked


def spoken_spread(read: float) -> float:
    """The spread that words ask for, -1 to 1, from what the head reads; 0 where they hardly say anything about it."""
    return float(np.clip(read, -1, 1)) if abs(read) >= HEARD else 0.0


def diversify(scores: np.ndarray, vectors: np.ndarray, k: int, diversity: float) -> list[int]:
    """Indices of `k` candidates, the best first: apart by maximal marginal relevance, or close together.

    Args:
        scores: Cosine of every candidate with the position, best first, (candidates,).
        vectors: Unit vectors of the candidates, (candidates, dim).
        k: How many to choose.
        diversity: 0 keeps the order of the scores, 1 only avoids what is like the items chosen before, -1 only seeks
            what is alike. The best candidate is always among the chosen ones.
    """
    if not len(scores) or not diversity:
        return list(range(min(k, len(scores))))
    k = min(k, len(scores))
    return _apart(scores, vectors, k, diversity) if diversity > 0 else _together(scores, vectors, k, -diversity)


def _apart(scores: np.ndarray, vectors: np.ndarray, k: int, diversity: float) -> list[int]:
    """One after the other, near the position and unlike those before (MMR, Carbonell and Goldstein 1998)."""
    chosen: list[int] = []
    nearest = np.full(len(scores), -1.0)  # cosine with the most alike chosen item
    for _ in range(k):
        value = (1 - diversity) * scores - (diversity * nearest if chosen else 0.0)
        value[chosen] = -np.inf
        best = int(np.argmax(value))
        chosen.append(best)
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return chosen


def _together(scores: np.ndarray, vectors: np.ndarray, k: int, closeness: float) -> list[int]:
    """The group that is near the position and alike: the best of those around each of the first candidates.

    Choosing one after the other, as for the opposite, would settle for what is like the first one, and what that has
    by chance would lead the whole answer away.
    """
    near = (1 - closeness) * scores
    value = near + closeness * vectors[:CENTRES] @ vectors.T  # of every candidate in the group around each centre
    value[:, 0] = np.inf  # the best one is in every group
    groups = np.argsort(-value, axis=1, kind="stable")[:, :k]
    member = np.zeros_like(value)
    np.put_along_axis(member, groups, 1.0, axis=1)
    # the square of a sum of unit vectors is the sum of the cosines of all pairs, each with itself included
    alike = (((member @ vectors) ** 2).sum(axis=1) - k) / max(k * (k - 1), 1)
    best = int(np.argmax(near[groups].mean(axis=1) + closeness * alike))
    return sorted(groups[best].tolist())
