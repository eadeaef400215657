"""What every index can do, and what a search is given and gives."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

Ids = Collection[str]


class Hits(NamedTuple):
    """The n best items for one query, best first; equal scores in the order in which the items were added.

    `scores` are their inner products with the query, float32 (n,). Never padded: where fewer than k items are
    admissible, n is below k. As with every tuple, `len(hits)` counts the fields; n is `len(hits.ids)`.
    """

    ids: list[str]
    scores: np.ndarray


class VectorIndex(Protocol):
    """What the engine needs of an index; `FlatIndex` says what each method does."""

    @property
    def dim(self) -> int: ...

    @property
    def ids(self) -> list[str]: ...

    def __len__(self) -> int: ...

    def __contains__(self, item_id: object) -> bool: ...

    def add(self, ids: Sequence[str], vectors: ArrayLike) -> None: ...

    def remove(self, ids: Sequence[str]) -> None: ...

    def search(self, query: ArrayLike, k: int, *, exclude: Ids = (), among: Ids | None = None) -> Hits: ...

    def search_batch(
        self, queries: ArrayLike, k: int, *, exclude: Ids = (), among: Ids | None = None
    ) -> list[Hits]: ...

    def vectors(self, ids: Sequence[str]) -> np.ndarray: ...

    def save(self, folder: str | Path) -> None: ...

    @classmethod
    def load(cls, folder: str | Path) -> VectorIndex: ...


class Selection(Collection[str]):
    """Ids for `among`, which an index looks up once and not in every search.

    Worth its while where a filter admits many items and is used more than once; the index looks them up again after
    it has changed. May be shared between threads.
    """

    def __init__(self, ids: Ids) -> None:
        if isinstance(ids, str):
            raise ValueError(f"ids must be a collection of ids, got the string {ids!r}")
        self._ids = frozenset(ids)
        self.found: tuple[object, Scope] | None = None  # the state of an index, and what was found in it

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._ids


class Scope(NamedTuple):
    """The rows that a search may find.

    Attributes:
        total: How many.
        allowed: Which, bool (rows in use,); None for all.
        among: The rows that were asked for, sorted; None where no such list was given.
        gone: Rows that were excluded, of those asked for.
        per_list: How many of `among` lie in each inverted list, for an index that has them.
    """

    total: int
    allowed: np.ndarray | None
    among: np.ndarray | None
    gone: np.ndarray
    per_list: np.ndarray | None = None
