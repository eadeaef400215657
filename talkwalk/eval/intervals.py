"""How sure a figure is: percentile bootstrap over units.

Units are resampled as if they were independent; turns of one simulated conversation are nearly so, because their words
are drawn anew each turn. What people said in one dialogue is resampled together. An interval says nothing about another
training run: for that, train with several seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

ROUNDS = 1000
LEVEL = 0.95
CHUNK = 2_000_000  # drawn units that are held in memory at once


class Interval(NamedTuple):
    """A figure and the interval around it.

    Attributes:
        value: The figure.
        low: Lower end; None where the figure has no spread over units, such as the coverage of a whole run.
        high: Upper end, likewise.
        units: Number of units that the figure is taken over.
    """

    value: float
    low: float | None
    high: float | None
    units: int


def bootstrap(
    figure: Callable[[np.ndarray], float], units: int, *, seed: int = 0, rounds: int = ROUNDS, level: float = LEVEL
) -> Interval:
    """Percentile bootstrap (Efron 1979) of a figure of any kind.

    Args:
        figure: From indices of units, (units,), to the figure over them.
        units: How many units there are.
        seed: Of the resampling.
        rounds: Number of resamples.
        level: Share of resamples inside the interval.

    Raises:
        ValueError: If there are no units.
    """
    if units < 1:
        raise ValueError(f"units must be at least 1, got {units}: there is nothing to measure")
    rng = np.random.default_rng(seed)
    drawn = [figure(rng.integers(units, size=units)) for _ in range(rounds)]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(figure(np.arange(units))), float(low), float(high), units)


def bootstrap_mean(
    values: np.ndarray, *, groups: Sequence[str] | None = None, seed: int = 0, rounds: int = ROUNDS,
    level: float = LEVEL,
) -> Interval:  # fmt: skip
    """Mean of one value per unit, (units,), with its bootstrap interval.

    Args:
        values: Of the units.
        groups: Per unit, what it belongs to: units of one group are drawn together (the cluster bootstrap, Davison and
            Hinkley 1997, section 3.8); None where units are independent.
        seed: Of the resampling.
        rounds: Number of resamples.
        level: Share of resamples inside the interval.

    Raises:
        ValueError: If there are no values, or one is not finite.
    """
    values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"values must be finite, got {values[~np.isfinite(values)][0]}")
    if not len(values):
        raise ValueError("units must be at least 1, got 0: there is nothing to measure")
    if groups is not None:
        members = np.unique(np.asarray(groups), return_inverse=True)[1]
        sums, counts = np.bincount(members, values), np.bincount(members)
        return bootstrap(_GroupMean(sums, counts), len(counts), seed=seed, rounds=rounds, level=level)._replace(
            units=len(values)
        )
    rng, size = np.random.default_rng(seed), max(CHUNK // len(values), 1)
    drawn = np.concatenate(
        [
            values[rng.integers(len(values), size=(min(size, rounds - start), len(values)))].mean(axis=1)
            for start in range(0, rounds, size)
        ]
    )
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high), len(values))


class _GroupMean:
    """Mean over the units of chosen groups."""

    def __init__(self, sums: np.ndarray, counts: np.ndarray) -> None:
        self.sums, self.counts = sums, counts

    def __call__(self, chosen: np.ndarray) -> float:
        return float(self.sums[chosen].sum() / self.counts[chosen].sum())


def bootstrap_difference(
    ours: np.ndarray, theirs: np.ndarray, *, groups: Sequence[str] | None = None, seed: int = 0
) -> Interval:
    """Mean of ours minus theirs over the same units, both (units,), with its paired bootstrap interval.

    Units are drawn by group where `groups` are given, see `bootstrap_mean`.

    Raises:
        ValueError: If the units are not the same in number, or there are none.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"both sides must have the same units, got {len(ours)} and {len(theirs)}")
    return bootstrap_mean(ours - theirs, groups=groups, seed=seed)


def point(value: float, units: int) -> Interval:
    """A figure of a whole run, without an interval."""
    return Interval(float(value), None, None, units)
