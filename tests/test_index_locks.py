"""Readers together, writers alone, and nobody waits for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from talkwalk.index.locks import ReadWriteLock


def test_readers_come_in_together():
    lock, inside = ReadWriteLock(), threading.Barrier(3, timeout=30)

    def read():
        with lock.reading():
            return inside.wait() >= 0

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda _: read(), range(3))) == [True] * 3


def test_a_writer_is_alone():
    lock, inside, worst = ReadWriteLock(), [], []

    def work(worker):
        for _ in range(300):
            if worker % 2:
                with lock.writing():
                    worst.append(list(inside))
                    inside.append("writer")
                    inside.remove("writer")
            else:
                with lock.reading():
                    inside.append("reader")
                    worst.append([who for who in inside if who == "writer"])
                    inside.remove("reader")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert len(worst) == 1800 and not any(worst)


@pytest.mark.parametrize("busy", ["reading", "writing"])
def test_nobody_starves(busy):
    """Others who take the lock again and again let everybody in."""
    lock, stop = ReadWriteLock(), threading.Event()

    def keep_busy():
        while not stop.is_set():
            with getattr(lock, busy)():
                pass

    threads = [threading.Thread(target=keep_busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    entered = 0
    other = lock.writing if busy == "reading" else lock.reading
    for _ in range(50):
        with other():
            entered += 1
    stop.set()
    for thread in threads:
        thread.join(timeout=30)
    assert entered == 50 and not any(thread.is_alive() for thread in threads)


def test_an_error_inside_lets_go():
    lock = ReadWriteLock()
    for side in (lock.reading, lock.writing):
        with pytest.raises(KeyError), side():
            raise KeyError
    with lock.writing():
        pass
    with lock.reading():
        assert lock._readers == 1
