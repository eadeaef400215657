"""How far raters agree: Krippendorff's alpha and Fleiss' kappa."""

from __future__ import annotations

from enum import StrEnum

import numpy as np


class Level(StrEnum):
    """What the numbers of a rating mean."""

    NOMINAL = "nominal"  # names: equal or not
    INTERVAL = "interval"  # a scale: squared differences count


def krippendorff_alpha(ratings: np.ndarray, level: Level = Level.NOMINAL) -> float:
    """Krippendorff's alpha (Hayes and Krippendorff 2007): 1 - observed / expected disagreement.

    1 is agreement, 0 what chance gives, below 0 systematic disagreement. Works with any number of raters, of whom each
    may have left out some tasks.

    Args:
        ratings: NaN where a rater did not rate, (raters, tasks).
        level: What the numbers mean.

    Raises:
        ValueError: If no task was rated twice.
    """
    values = np.unique(ratings[np.isfinite(ratings)])
    coincidence = np.zeros((len(values), len(values)))
    for task in np.asarray(ratings, dtype=np.float64).T:
        given = np.searchsorted(values, task[np.isfinite(task)])
        if len(given) >= 2:
            counts = np.bincount(given, minlength=len(values)).astype(np.float64)
            coincidence += (np.outer(counts, counts) - np.diag(counts)) / (len(given) - 1)
    if not coincidence.any():
        raise ValueError("ratings must have at least one task with two ratings, got none")
    apart = values[:, None] - values[None, :]
    distance = apart**2 if level is Level.INTERVAL else (apart != 0).astype(np.float64)
    totals = coincidence.sum(axis=1)
    observed = (coincidence * distance).sum() / totals.sum()
    expected = (np.outer(totals, totals) * distance).sum() / (totals.sum() * (totals.sum() - 1))
    return float(1 - observed / expected) if expected > 0 else 1.0


def fleiss_kappa(counts: np.ndarray) -> float:
    """Fleiss' kappa (1971): how far the same number of raters per task agree beyond chance.

    Args:
        counts: How many raters gave each answer, (tasks, answers).

    Raises:
        ValueError: If tasks were rated by different numbers of raters, or by fewer than two.
    """
    counts = np.asarray(counts, dtype=np.float64)
    raters = counts.sum(axis=1)
    if not len(counts) or (raters != raters[0]).any() or raters[0] < 2:
        raise ValueError(f"every task must have the same number of at least two ratings, got {sorted(set(raters))}")
    agreed = ((counts**2).sum(axis=1) - raters[0]) / (raters[0] * (raters[0] - 1))
    chance = float(((counts.sum(axis=0) / counts.sum()) ** 2).sum())
    return float((agreed.mean() - chance) / (1 - chance)) if chance < 1 else 1.0
