"""How sure a figure is: percentile bootstrap over units.

Units are resampled as if they were independent; turns of one conversation are nearly so, because their words are drawn
anew each turn. An interval says nothing about another training run: for that, train with several seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

ROUNDS = 1000
LEVEL = 0.95


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


def bootstrap_mean(values: np.ndarray, *, seed: int = 0, rounds: int = ROUNDS, level: float = LEVEL) -> Interval:
    """Mean of one value per unit, (units,), with its bootstrap interval.

    Raises:
        ValueError: If there are no values, or one is not finite.
    """
    values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"values must be finite, got {values[~np.isfinite(values)][0]}")
    return bootstrap(lambda chosen: float(values[chosen].mean()), len(values), seed=seed, rounds=rounds, level=level)


def point(value: float, units: int) -> Interval:
    """A figure of a whole run, without an interval."""
    return Interval(float(value), None, None, units)
