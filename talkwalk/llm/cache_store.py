"""Caches of many conversations: bounded in bytes, the least recently used go first."""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from threading import Lock
from typing import NamedTuple

from talkwalk.llm.kv_cache import KeyValues, common

LIMIT = 1 << 30  # bytes; about 110 conversations of 512 tokens with SmolLM2-135M, 17 with Qwen3-8B
SHARED = 256  # most tokens of the shared beginning
WORTH = 8  # fewest tokens that are copied rather than computed


class StoreStats(NamedTuple):
    """What a store holds and what it did.

    Attributes:
        caches: Conversations held, the one of the shared beginning not counted.
        nbytes: Bytes held, the shared beginning included.
        hits: Turns that found their cache.
        misses: Turns that did not: first ones, and those whose cache was evicted.
        evictions: Caches given up for room.
    """

    caches: int
    nbytes: int
    hits: int
    misses: int
    evictions: int


class CacheStore:
    """Key-value caches by conversation; may be used from several threads.

    A cache that is taken belongs to the taker until it is put back, so that no two threads write into one. What does
    not fit is dropped: whoever misses a cache computes it again.

    All conversations of one application begin alike ("You recommend a film ..."). The first one leaves a copy of its
    beginning, and each new one starts from as much of it as it shares.

    Args:
        limit: Most bytes held by caches that are not in use.

    Raises:
        ValueError: If `limit` is negative.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        if limit < 0:
            raise ValueError(f"limit must not be negative, got {limit}")
        self.limit = limit
        self._held: OrderedDict[int, KeyValues] = OrderedDict()  # the least recently used first
        self._shared: KeyValues | None = None
        self._bytes = self._hits = self._misses = self._evictions = 0
        self._keys = itertools.count()
        self._lock = Lock()
        self._gone: deque[int] = deque()  # conversations to forget

    def __repr__(self) -> str:
        return f"CacheStore({self.stats.caches} caches, {self.stats.nbytes:,} of {self.limit:,} bytes)"

    @property
    def stats(self) -> StoreStats:
        with self._lock:
            self._forget()
            shared = self._shared.nbytes if self._shared else 0
            return StoreStats(len(self._held), self._bytes + shared, self._hits, self._misses, self._evictions)

    def new_key(self) -> int:
        """A key for one more conversation."""
        return next(self._keys)

    def take(self, key: int) -> KeyValues | None:
        """The conversation's cache, which leaves the store; None if it was never there or evicted."""
        with self._lock:
            self._forget()
            held = self._held.pop(key, None)
            if held is None:
                self._misses += 1
            else:
                self._hits += 1
                self._bytes -= held.nbytes
            return held

    def put(self, key: int, cache: KeyValues) -> None:
        """Keep a cache as the most recently used one; others are evicted beyond the limit, or this one if too large."""
        with self._lock:
            self._forget()
            before = self._held.pop(key, None)
            self._bytes += cache.nbytes - (before.nbytes if before else 0)
            self._held[key] = cache
            while self._bytes > self.limit and self._held:
                _, evicted = self._held.popitem(last=False)
                self._bytes -= evicted.nbytes
                self._evictions += 1

    def drop(self, key: int) -> None:
        """Forget a conversation, the next time that the store is used.

        Finalizers call this: Python may run them anywhere, also inside the store in the thread that holds its lock.
        """
        self._gone.append(key)

    def _forget(self) -> None:
        """Give up what was dropped; the lock is held."""
        while self._gone:
            held = self._held.pop(self._gone.popleft(), None)
            self._bytes -= held.nbytes if held else 0

    def begin(self, ids: list[int]) -> KeyValues | None:
        """A copy of what a new conversation shares with those before, None where that is hardly anything."""
        with self._lock:
            shared = self._shared
        keep = common(shared.ids, ids) if shared else 0
        return shared.beginning(keep) if shared and keep >= WORTH else None

    def share(self, cache: KeyValues) -> None:
        """Leave a copy of a conversation's beginning for those that begin alike."""
        beginning = cache.beginning(min(len(cache.ids), SHARED))
        with self._lock:
            self._shared = beginning
