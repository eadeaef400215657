"""Interleaved timing, so that what slows the machine slows everything that is compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np


def interleaved(runs: Mapping[str, Callable[[], object]], *, rounds: int, warm_up: int = 1) -> dict[str, np.ndarray]:
    """Seconds of every run in every round, (rounds,) each: A B C, A B C, ...

    Args:
        runs: What to time, by name.
        rounds: How often.
        warm_up: Rounds before that are not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(-warm_up, rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if round_ >= 0:
                seconds[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def milliseconds(seconds: np.ndarray) -> str:
    """Median and 95th percentile, such as "61.2 (p95 70.3)"."""
    return f"{1000 * np.median(seconds):.1f} (p95 {1000 * np.quantile(seconds, 0.95):.1f})"
