"""Requests that arrive together go together, and each gets its own answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from talkwalk.llm.batching import BatchQueue


class Doubler:
    """Doubles numbers; waits at its first batch until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered, self.go = threading.Event(), threading.Event()

    def __call__(self, numbers):
        self.batches.append(list(numbers))
        self.entered.set()
        assert self.go.wait(10)
        if any(n < 0 for n in numbers):
            raise ValueError(f"no negative numbers, got {min(numbers)}")
        return [2 * n for n in numbers]


def crowd(run: Doubler, queue: BatchQueue, numbers: list[int]) -> list:
    """Futures of one request that is being answered and of others that came meanwhile."""
    pool = ThreadPoolExecutor(len(numbers))
    futures = [pool.submit(queue.ask, numbers[0])]
    assert run.entered.wait(10)
    futures += [pool.submit(queue.ask, n) for n in numbers[1:]]
    while len(queue._waiting) < len(numbers) - 1:
        pass
    run.go.set()
    pool.shutdown()
    return futures


def test_a_lone_request_is_answered_at_once():
    queue = BatchQueue(lambda batch: [n + 1 for n in batch])
    assert [queue.ask(n) for n in (1, 5)] == [2, 6]


def test_what_arrives_meanwhile_is_one_batch():
    run = Doubler()
    futures = crowd(run, BatchQueue(run), [1, 2, 3, 4])
    assert [f.result() for f in futures] == [2, 4, 6, 8]
    assert run.batches[0] == [1] and sorted(run.batches[1]) == [2, 3, 4] and len(run.batches) == 2


def test_batches_are_bounded():
    run = Doubler()
    futures = crowd(run, BatchQueue(run, most=2), [1, 2, 3, 4])
    assert [f.result() for f in futures] == [2, 4, 6, 8]
    assert sorted(map(len, run.batches)) == [1, 1, 2]


def test_a_bad_request_fails_alone():
    run = Doubler()
    futures = crowd(run, BatchQueue(run), [1, -2, 3])
    assert futures[0].result() == 2 and futures[2].result() == 6
    with pytest.raises(ValueError, match="no negative numbers, got -2"):
        futures[1].result()


def test_an_interrupted_leader_leaves_the_others_their_turn():
    run = Doubler()
    interrupted = threading.Event()

    def once(batch):
        if len(run.batches) == 1 and not interrupted.is_set():
            interrupted.set()
            raise KeyboardInterrupt
        return run(batch)

    futures = crowd(run, BatchQueue(once), [1, 2, 3])
    outcomes = [f.exception() for f in futures]
    assert sum(isinstance(o, KeyboardInterrupt) for o in outcomes) == 1
    assert [f.result() for f, o in zip(futures, outcomes, strict=True) if o is None] == [
        2 * n for n, o in zip([1, 2, 3], outcomes, strict=True) if o is None
    ]


def test_many_threads_get_their_own_answers():
    queue = BatchQueue(lambda batch: [n * n for n in batch], most=5)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(queue.ask, range(500))) == [n * n for n in range(500)]


def test_an_impossible_size_is_named():
    with pytest.raises(ValueError, match="most must be at least 1, got 0"):
        BatchQueue(list, most=0)


def test_an_interrupted_request_is_not_answered_later():
    asked: list[int] = []

    def run(batch):
        asked.extend(batch)
        if len(asked) == 1:
            raise KeyboardInterrupt
        return batch

    queue = BatchQueue(run)
    with pytest.raises(KeyboardInterrupt):
        queue.ask(1)
    assert queue.ask(2) == 2
    assert asked == [1, 2], "nobody waits for the first one any more"
