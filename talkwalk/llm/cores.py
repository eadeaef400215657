"""How the processor's cores share the work."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Lock
from typing import TypeVar

import torch

WORTH = 128  # tokens; from here on a core computes as fast by itself as it ever will

Item = TypeVar("Item")
Result = TypeVar("Result")

QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores() -> int:
    """Cores that this process may use: what the scheduler allows, less where a container has a quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = QUOTA.read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(min(cores, int(quota) // int(period)), 1)


def fit_threads() -> None:
    """Take torch's threads down to the usable cores; more of them would wait for each other.

    torch counts the machine's cores, also in a container that may use two of them. A number that the user set in
    OMP_NUM_THREADS stays.
    """
    if "OMP_NUM_THREADS" not in os.environ and torch.get_num_threads() > usable_cores():
        torch.set_num_threads(usable_cores())


class Cores:
    """Runs parts of a batch side by side, one core each.

    One matrix product on all cores waits for the slowest core some two hundred times in a forward pass; parts on one
    core each wait once. Where every core would get fewer than `WORTH` tokens, or the device is no CPU, a batch stays
    whole.

    Args:
        device: Where the model is.
    """

    def __init__(self, device: torch.device) -> None:
        self._split = device.type == "cpu"
        self._pool: ThreadPoolExecutor | None = None
        self._size = 1
        self._lock = Lock()

    def spread(
        self, work: Callable[[list[Item]], Sequence[Result]], items: Sequence[Item], tokens: Sequence[int]
    ) -> list[Result]:
        """One result per item, in their order.

        Args:
            work: From some items to one result each; runs on several threads at once where there is much to do.
            items: What to work on.
            tokens: How much each item is.
        """
        cores = torch.get_num_threads() if self._split else 1
        if sum(tokens) < WORTH * cores or len(items) < 2 or cores < 2:
            return list(work(list(items)))
        groups = split_evenly(tokens, cores)
        parts = self._started(len(groups)).map(lambda group: work([items[i] for i in group]), groups)
        found = {i: r for group, part in zip(groups, parts, strict=True) for i, r in zip(group, part, strict=True)}
        return [found[i] for i in range(len(items))]

    def _started(self, size: int) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None or self._size < size:
                threads = torch.get_num_threads()
                pool, barrier = ThreadPoolExecutor(size, thread_name_prefix="talkwalk-core"), Barrier(size)

                def alone(_: int) -> None:
                    torch.get_num_threads()  # a thread's first question overwrites what was set before it
                    torch.set_num_threads(1)
                    barrier.wait()  # so that each of the threads comes here once

                list(pool.map(alone, range(size)))
                # torch keeps the number per thread, but new threads start with the one that was set last
                torch.set_num_threads(threads)
                self._pool, self._size = pool, size
            return self._pool


def split_evenly(sizes: Sequence[int], parts: int) -> list[list[int]]:
    """Indices of `sizes` in at most `parts` groups of about the same sum, none empty."""
    groups: list[list[int]] = [[] for _ in range(min(parts, len(sizes)))]
    sums = [0] * len(groups)
    for index in sorted(range(len(sizes)), key=lambda i: -sizes[i]):  # the largest first, each to the emptiest group
        least = sums.index(min(sums))
        groups[least].append(index)
        sums[least] += sizes[index]
    return groups
