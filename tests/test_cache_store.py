"""The store of caches: bounded, the least recently used go first."""

from __future__ import annotations

import threading

import pytest
import torch

from talkwalk.llm.cache_store import SHARED, WORTH, CacheStore
from talkwalk.llm.kv_cache import STEP, CacheShape, KeyValues

SHAPE = CacheShape(layers=1, heads=1, width=4, dtype=torch.float32, device=torch.device("cpu"))
ONE = 2 * STEP * 4 * 4  # bytes of a cache of up to STEP tokens


def cache(tokens: int = 10, *, first: int = 0) -> KeyValues:
    made = KeyValues(SHAPE)
    made.reserve(tokens)
    made.ids = list(range(first, first + tokens))
    made.buffer[0, 0, 0, :tokens, 0] = torch.tensor(made.ids, dtype=torch.float32)
    return made


def test_what_is_put_is_taken_once():
    store, put = CacheStore(), cache()
    key = store.new_key()
    assert store.take(key) is None
    store.put(key, put)
    assert store.stats.nbytes == ONE == put.nbytes
    assert store.take(key) is put
    assert store.take(key) is None
    assert store.stats == (0, 0, 1, 2, 0)


def test_the_least_recently_used_goes_first():
    store = CacheStore(limit=2 * ONE)
    for key in (0, 1):
        store.put(key, cache())
    used = store.take(0)
    assert used is not None
    store.put(0, used)  # now 1 is the oldest
    store.put(2, cache())
    assert store.take(1) is None
    assert store.take(0) is not None and store.take(2) is not None
    assert store.stats.evictions == 1


@pytest.mark.parametrize("limit", [0, ONE - 1])
def test_a_cache_beyond_the_limit_is_not_kept(limit):
    store = CacheStore(limit)
    store.put(0, cache())
    assert store.take(0) is None
    assert store.stats.nbytes == 0


def test_putting_again_replaces_and_dropping_forgets():
    store = CacheStore()
    store.put(0, cache())
    store.put(0, cache(STEP + 1))
    assert store.stats.nbytes == 2 * ONE
    store.drop(0)
    store.drop(0)
    assert store.stats.caches == store.stats.nbytes == 0


def test_new_conversations_start_from_a_copy_of_what_they_share():
    store, first = CacheStore(), cache(40)
    assert store.begin(first.ids) is None
    store.share(first)
    begun = store.begin([*range(WORTH), 999])
    assert begun is not None and begun.ids == list(range(WORTH))
    assert begun.buffer[0, 0, 0, :WORTH, 0].tolist() == list(range(WORTH))
    assert store.begin([*range(WORTH - 1), 999]) is None
    assert store.stats.nbytes == ONE
    store.share(cache(SHARED + 50))
    again = store.begin(list(range(SHARED + 50)))
    assert again is not None and len(again.ids) == SHARED


def test_a_negative_limit_is_named():
    with pytest.raises(ValueError, match="limit must not be negative, got -1"):
        CacheStore(-1)


def test_threads_never_share_a_cache_and_the_bytes_add_up():
    store, taken, lock = CacheStore(limit=3 * ONE), set(), threading.Lock()
    clashes = []

    def work(seed: int) -> None:
        for round_ in range(200):
            key = (seed * 7 + round_) % 5
            mine = store.take(key) or cache()
            with lock:
                if id(mine) in taken:
                    clashes.append(key)
                taken.add(id(mine))
            with lock:
                taken.discard(id(mine))
            store.put(key, mine)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not clashes
    assert store.stats.nbytes == store.stats.caches * ONE <= 3 * ONE


def test_dropping_inside_the_store_does_not_wait_for_itself():
    """A session that dies in a cycle is finalized wherever Python collects, also under the store's own lock."""
    store = CacheStore()
    store.put(0, cache())
    with store._lock:
        store.drop(0)  # would hang
    assert store.take(0) is None
    assert store.stats.nbytes == 0
