"""Nearest items by inner product, found by string id, exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from talkwalk.files import atomic_folder, check_only
from talkwalk.index.contract import Hits, Ids, Scope, Selection
from talkwalk.index.ids import IdTable, PackedIds
from talkwalk.index.locks import ReadWriteLock
from talkwalk.index.storage import ALL_FILES, ORDER_FILE, VECTORS_FILE, read_meta, write_meta, write_rows
from talkwalk.index.vectors import VectorBlocks

if TYPE_CHECKING:
    from typing import Self

LARGEST = 1e15  # inner products of larger float32 numbers could overflow, and FAISS loses such items
STEP = 1024  # items that are added while searches wait


class FlatIndex:
    """Exact search over all vectors; all methods may be called from several threads at once.

    Scores are plain inner products: give it unit vectors and they are cosines. Searches run at the same time and wait
    for a writer only while it adds or removes a thousand items; one that runs during a larger change sees part of it,
    every item either as it was before or as it is after.
    """

    kind = "flat"

    def __init__(self, dim: int) -> None:
        if dim < 1:
            raise ValueError(f"dim must be at least 1, got {dim}")
        self._dim = dim
        # Items stand in rows: a vector, an id, and `order`, a running count of items added, -1 in a free row.
        self._vectors = VectorBlocks(dim)
        self._table = IdTable()
        self._order = np.zeros(0, dtype=np.int64)
        self._live = np.zeros(0, dtype=bool)  # order >= 0, which every filtered search starts from
        self._rows = 0  # rows that are or were in use
        self._free: list[int] = []
        self._count = 0
        self._added = 0
        self._state = object()  # another one after every change of the rows
        self._read_only = False
        self._lock = ReadWriteLock()
        self._writers = Lock()  # held for a whole add or remove, so that two of them do not mix

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def ids(self) -> list[str]:
        """All ids in the order of adding; replacing a vector keeps its place, as in a dict."""
        with self._lock.reading():
            rows = np.flatnonzero(self._live[: self._rows])
            return self._table.ids_of(rows[np.argsort(self._order[rows])].tolist())

    def __len__(self) -> int:
        return self._count

    def __contains__(self, item_id: object) -> bool:
        with self._lock.reading():
            return isinstance(item_id, str) and bool(self._table.find([item_id])[0] >= 0)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} items, dim={self.dim})"

    def add(self, ids: Sequence[str], vectors: ArrayLike) -> None:
        """Add items, replacing the vectors of those already there; nothing changes if anything is wrong.

        `ids` are n different strings, `vectors` is (n, dim).
        """
        rows = self._checked("vectors", vectors)
        if len(ids) != len(rows):
            raise ValueError(f"ids must be one per vector, got {len(ids)} for {len(rows)} vectors")
        _check_ids(ids)
        ids = [str(item_id) for item_id in ids]  # plain strings, whatever sort of string they came as
        with self._changing():
            for start in range(0, len(ids), STEP):
                some, part = ids[start : start + STEP], rows[start : start + STEP]
                prepared = self._prepare(part)
                with self._lock.writing():
                    self._put(some, part, prepared)
                if self._table.is_loose:
                    self._pack()

    def remove(self, ids: Sequence[str]) -> None:
        """Remove items; nothing changes if any id is unknown."""
        if isinstance(ids, str):
            raise ValueError(f"ids must be a list of item ids, got the string {ids!r}")
        with self._changing():
            rows = np.unique(self._rows_of(ids))
            for start in range(0, len(rows), STEP):
                with self._lock.writing():
                    self._drop(rows[start : start + STEP])

    def search(self, query: ArrayLike, k: int, *, exclude: Ids = (), among: Ids | None = None) -> Hits:
        """Return the k best items for one query (dim,), fewer if fewer are admissible.

        Ids in `exclude` are never returned; if `among` is given, only ids in it are. Ids that are not in the
        index are ignored in both, so that a history or a filter may outlive the items that it names. Give a large
        `among` that is used again as a `Selection`.
        """
        row = self._checked("query", query, one=True)
        return self._search(row[np.newaxis], k, exclude, among)[0]

    def search_batch(self, queries: ArrayLike, k: int, *, exclude: Ids = (), among: Ids | None = None) -> list[Hits]:
        """`search` for each row of (n, dim), with the same `exclude` and `among` for all."""
        return self._search(self._checked("queries", queries), k, exclude, among)

    def vectors(self, ids: Sequence[str]) -> np.ndarray:
        """Return the vectors of these items, float32 (len(ids), dim)."""
        with self._lock.reading():
            return self._vectors.get(self._rows_of(ids))

    def save(self, folder: str | Path) -> None:
        """Write arrays and meta.json; `folder` must be new, empty or hold an index saved before."""
        check_only(Path(folder), ALL_FILES, "the index")
        with self._writers, atomic_folder(Path(folder)) as temporary:
            self._write(temporary)
            settings = {"kind": self.kind, "dim": self.dim, "count": len(self), **self._settings()}
            write_meta(temporary, settings)

    @classmethod
    def load(cls, folder: str | Path, *, read_only: bool = False) -> Self:
        """Read what `save` wrote.

        Args:
            folder: The folder.
            read_only: Map the large files into memory instead of reading them: a million items open at once, and
                processes share them. Their content is then not checked, only their size.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If a file is damaged, or of another index.
        """
        folder = Path(folder)
        meta = read_meta(folder, verify=not read_only)
        if meta["kind"] != cls.kind:
            raise ValueError(f"{folder} holds an index of kind {meta['kind']!r}, got {cls.__name__}: use `open_index`")
        vectors = np.load(folder / VECTORS_FILE, mmap_mode="r" if read_only and meta["count"] else None)
        order = np.load(folder / ORDER_FILE)
        found = (int((order >= 0).sum()), vectors.shape[-1])
        if found != (meta["count"], meta["dim"]) or len(order) != len(vectors):
            raise ValueError(
                f"{folder} must hold {meta['count']} items, dim={meta['dim']}, got {found[0]} items, dim={found[1]}"
            )
        index = cls._opened(folder, meta, read_only=read_only)
        index._vectors = VectorBlocks(index.dim, vectors)
        index._table = IdTable(PackedIds.load(folder, mapped=read_only))
        index._order, index._live, index._rows, index._count = order, order >= 0, len(order), meta["count"]
        index._free = np.flatnonzero(order < 0).tolist()
        index._added = int(order.max(initial=-1)) + 1
        index._read_only = read_only
        return index

    @classmethod
    def _opened(cls, folder: Path, meta: dict[str, Any], *, read_only: bool) -> Self:
        """An index without rows yet, for `load` to fill."""
        return cls(meta["dim"])

    def _settings(self) -> dict[str, Any]:
        """What meta.json has to say beside kind, dim and count."""
        return {}

    def _write(self, folder: Path) -> None:
        # Nobody changes anything while `save` holds the writers' lock, so searches need not wait.
        write_rows(folder / VECTORS_FILE, (self._rows, self.dim), self._tidy_chunks())
        np.save(folder / ORDER_FILE, self._order[: self._rows])
        self._table.packed(self._rows).save(folder)

    def _tidy_chunks(self) -> Iterator[np.ndarray]:
        """All rows, the free ones zero: what memory held there before is nobody's business."""
        start = 0
        for chunk in self._vectors.chunks(self._rows):
            used = self._live[start : start + len(chunk), np.newaxis]
            yield chunk if used.all() else np.where(used, chunk, np.float32(0))
            start += len(chunk)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        if self._read_only:
            raise ValueError(f"{self!r} is read-only: load it without read_only=True to change it")
        with self._writers:
            yield

    def _prepare(self, vectors: np.ndarray) -> Any:
        """Whatever `_put` needs to know of the vectors and others need not wait for."""

    def _put(self, ids: Sequence[str], vectors: np.ndarray, prepared: Any) -> None:
        """Add or replace a few items; searches wait."""
        rows = self._table.find(ids)
        new = np.flatnonzero(rows < 0)
        rows[new] = self._new_rows([ids[at] for at in new.tolist()])
        self._vectors.put(rows, vectors)

    def _new_rows(self, ids: Sequence[str]) -> np.ndarray:
        """Give ids that have none a row, a free one first."""
        reused = [self._free.pop() for _ in range(min(len(self._free), len(ids)))]
        rows = np.array([*reused, *range(self._rows, self._rows + len(ids) - len(reused))], dtype=np.int64)
        self._rows += len(ids) - len(reused)
        self._vectors.reserve(self._rows)
        if self._rows > len(self._order):
            room = max(self._rows, len(self._order) * 5 // 4) - len(self._order)
            self._order = np.pad(self._order, (0, room), constant_values=-1)
            self._live = np.pad(self._live, (0, room))
        self._order[rows], self._live[rows] = np.arange(self._added, self._added + len(ids)), True
        self._added += len(ids)
        self._count += len(ids)
        self._table.put(rows.tolist(), ids)
        self._state = object()
        return rows

    def _drop(self, rows: np.ndarray) -> None:
        """Remove the items in these rows; searches wait."""
        self._table.drop(rows.tolist())
        self._order[rows], self._live[rows] = -1, False
        self._count -= len(rows)
        self._retire(rows)
        self._state = object()

    def _retire(self, rows: np.ndarray) -> None:
        """Let other items have these rows."""
        self._free += rows.tolist()

    def _pack(self) -> None:
        packed = IdTable(self._table.packed(self._rows))
        with self._lock.writing():
            self._table = packed

    def _search(self, queries: np.ndarray, k: int, exclude: Ids, among: Ids | None) -> list[Hits]:
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        for name, ids in (("exclude", exclude), ("among", among)):
            if isinstance(ids, str):  # would be read as a collection of one-letter ids
                raise ValueError(f"{name} must be a collection of ids, got the string {ids!r}")
        with self._lock.reading():
            scope = self._scope(exclude, among)
            k = min(k, scope.total)
            if k == 0 or len(queries) == 0:
                return [Hits([], np.empty(0, dtype=np.float32)) for _ in queries]
            scores, rows = self._ranked(queries, k, scope)
            return [Hits(self._table.ids_of(r.tolist()), s) for r, s in zip(rows, scores, strict=True)]

    def _scope(self, exclude: Ids, among: Ids | None) -> Scope:
        gone = self._known(exclude)
        if among is None:
            if not len(gone) and self._count == self._rows:
                return Scope(self._count, None, None, gone)
            allowed = self._live[: self._rows].copy()
            allowed[gone] = False
            return Scope(self._count - len(gone), allowed, None, gone)
        scope = self._selected(among)
        if not len(gone):
            return scope
        allowed = np.array(scope.allowed)
        gone = gone[allowed[gone]]
        allowed[gone] = False
        return Scope(scope.total - len(gone), allowed, scope.among, gone, scope.per_list)

    def _selected(self, among: Ids) -> Scope:
        known = among.found if isinstance(among, Selection) else None
        if known is not None and known[0] is self._state:
            return known[1]
        rows = self._known(among)
        allowed = np.zeros(self._rows, dtype=bool)
        allowed[rows] = True
        scope = Scope(len(rows), allowed, rows, rows[:0])
        if isinstance(among, Selection):
            among.found = (self._state, scope)
        return scope

    def _ranked(self, queries: np.ndarray, k: int, scope: Scope) -> tuple[np.ndarray, np.ndarray]:
        """Scores and rows of the best, both (n, k); of equal scores those that were added first.

        FAISS keeps any of the items with equal scores, and items with the same metadata have the same
        vector. So look past the k-th score until no equal one can have been left out.
        """
        fetch = min(k + 1, scope.total)
        while True:
            scores, rows = self._vectors.best(queries, fetch, self._rows, scope.allowed)
            if fetch == scope.total or (scores[:, k - 1] > scores[:, -1]).all():
                return self._cut(scores, rows, k)
            fetch = min(2 * fetch, scope.total)

    def _cut(self, scores: np.ndarray, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        order = np.lexsort((self._order[rows], -scores), axis=-1)[..., :k]
        return np.take_along_axis(scores, order, axis=-1), np.take_along_axis(rows, order, axis=-1)

    def _checked(self, name: str, value: ArrayLike, *, one: bool = False) -> np.ndarray:
        """`value` as float32 (dim,) or (n, dim)."""
        with np.errstate(over="ignore"):  # refused below, with the row
            array = np.ascontiguousarray(value, dtype=np.float32)
        if array.ndim != (1 if one else 2) or array.shape[-1] != self.dim:
            wanted = f"({self.dim},)" if one else f"(n, {self.dim})"
            raise ValueError(f"{name} must have shape {wanted}, got {array.shape}")
        for start in range(0, len(array), STEP):  # in steps: a copy of a million vectors is large
            part = array[start : start + STEP]
            good = np.abs(part) < LARGEST  # NaN is not
            if not good.all():
                row = "" if one else f" in row {start + np.flatnonzero(~good.all(axis=1))[0]}"
                raise ValueError(f"{name} must be finite and below {LARGEST:g}, got {part[~good][0]:g}{row}")
        return array

    def _known(self, ids: Ids) -> np.ndarray:
        """Rows of those ids that are in the index, sorted, each once."""
        rows = self._table.find([i for i in ids if isinstance(i, str)])
        return np.unique(rows[rows >= 0])

    def _rows_of(self, ids: Sequence[str]) -> np.ndarray:
        """Rows of ids, all of which must be known."""
        rows = self._table.find(ids)
        if (rows < 0).any():
            raise ValueError(f"unknown id {ids[int(np.argmin(rows))]!r}: the index has {len(self)} items")
        return rows


def _check_ids(ids: Sequence[str]) -> None:
    for item_id in ids:
        if not isinstance(item_id, str) or not item_id:
            raise ValueError(f"ids must be non-empty strings, got {item_id!r}")
    # Of hashes and not of strings, because a set of a million strings is large.
    hashes = np.sort(np.fromiter(map(hash, ids), np.int64, len(ids)))
    repeated = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
    if repeated:
        for item_id, times in Counter(i for i in ids if hash(i) in repeated).items():
            if times > 1:
                raise ValueError(f"ids must be different, got {item_id!r} {times} times")
