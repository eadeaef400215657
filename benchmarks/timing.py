"""Interleaved timing, so that what slows the machine slows everything that is compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

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


class Times(NamedTuple):
    """Seconds of every run, and what the runs returned.

    `cpu` is the calling thread's processor time: on a shared machine, where others take turns, it is what a
    single-threaded call costs.
    """

    wall: list[float]
    cpu: list[float]
    results: list[Any]

    def p50(self) -> float:
        """Median processor time in milliseconds."""
        return float(np.median(self.cpu)) * 1e3

    def p95(self) -> float:
        return float(np.percentile(self.cpu, 95)) * 1e3

    def wall_p50(self) -> float:
        return float(np.median(self.wall)) * 1e3


def in_turn(tasks: Mapping[str, Callable[[int], Any]], rounds: int) -> dict[str, Times]:
    """Run every task once per round, so that a busy minute of the machine falls on all of them alike.

    Tasks are called with the number of the round; round -1 goes first and is not counted.
    """
    times = {name: Times([], [], []) for name in tasks}
    for number in (-1, *range(rounds)):
        for name, task in tasks.items():
            wall, cpu = time.perf_counter(), time.thread_time()
            result = task(number)
            cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
            times[name].wall.append(wall)
            times[name].cpu.append(cpu)
            times[name].results.append(result)
    return {name: Times(t.wall[1:], t.cpu[1:], t.results[1:]) for name, t in times.items()}


@contextmanager
def stopwatch(into: dict[str, float], name: str) -> Iterator[None]:
    """Store the seconds that the block takes: on the clock, and with all threads' processor time."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    into[name], into[f"{name} cpu"] = time.perf_counter() - wall, time.process_time() - cpu
