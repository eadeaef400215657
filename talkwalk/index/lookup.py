"""Nearest items by inner product, found by string id."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from talkwalk.files import atomic_folder

try:
    import faiss as _faiss
except ImportError as error:
    raise ImportError(
        "talkwalk.index needs FAISS: run `pip install faiss-cpu`, or `pip install faiss-gpu`, never both "
        "(they install the same module: uninstall one before the other)"
    ) from error

faiss: Any = _faiss  # its type stubs describe the C++ constructors, not the ones that take numpy arrays

INDEX_FILE, META_FILE = "index.faiss", "meta.json"
LARGEST = 1e15  # inner products of larger float32 numbers could overflow, and FAISS loses such items

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


class FlatIndex:
    """Exact search over all vectors; all methods may be called from several threads at once.

    Scores are plain inner products: give it unit vectors and they are cosines.
    """

    def __init__(self, dim: int) -> None:
        if dim < 1:
            raise ValueError(f"dim must be at least 1, got {dim}")
        self._dim = dim
        self._faiss = faiss.IndexIDMap2(faiss.IndexFlatIP(dim))
        # FAISS knows items by integer labels: a running count, so that label order is the order of adding.
        self._labels: dict[str, int] = {}
        self._ids: dict[int, str] = {}
        self._live = np.zeros(0, dtype=bool)  # for every label ever given, whether it is still in the index
        self._lock = Lock()

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def ids(self) -> list[str]:
        """All ids in the order of adding; replacing a vector keeps its place, as in a dict."""
        with self._lock:
            return list(self._labels)

    def __len__(self) -> int:
        return len(self._labels)

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._labels

    def __repr__(self) -> str:
        return f"FlatIndex({len(self)} items, dim={self.dim})"

    def add(self, ids: Sequence[str], vectors: ArrayLike) -> None:
        """Add items, replacing the vectors of those already there; nothing changes if anything is wrong.

        `ids` are n different strings, `vectors` is (n, dim).
        """
        rows = self._checked("vectors", vectors)
        if len(ids) != len(rows):
            raise ValueError(f"ids must be one per vector, got {len(ids)} for {len(rows)} vectors")
        for item_id, times in Counter(ids).items():
            if not isinstance(item_id, str):
                raise ValueError(f"ids must be strings, got {item_id!r}")
            if times > 1:
                raise ValueError(f"ids must be different, got {item_id!r} {times} times")
        with self._lock:
            # IDMap2 would keep the old vector beside the new one under the same label.
            self._forget([self._labels[i] for i in ids if i in self._labels])
            new = [str(i) for i in ids if i not in self._labels]
            for label, item_id in enumerate(new, start=len(self._live)):
                self._labels[item_id], self._ids[label] = label, item_id
            self._live = np.append(self._live, np.ones(len(new), dtype=bool))
            self._faiss.add_with_ids(rows, self._labels_of(ids))

    def remove(self, ids: Sequence[str]) -> None:
        """Remove items; nothing changes if any id is unknown."""
        with self._lock:
            labels = self._labels_of(ids)
            self._forget(labels)
            self._live[labels] = False
            for item_id in set(ids):
                del self._ids[self._labels.pop(item_id)]

    def search(self, query: ArrayLike, k: int, *, exclude: Ids = (), among: Ids | None = None) -> Hits:
        """Return the k best items for one query (dim,), fewer if fewer are admissible.

        Ids in `exclude` are never returned; if `among` is given, only ids in it are. Ids that are not in the
        index are ignored in both, so that a history or a filter may outlive the items that it names.
        """
        row = self._checked("query", query, one=True)
        return self._search(row[np.newaxis], k, exclude, among)[0]

    def search_batch(self, queries: ArrayLike, k: int, *, exclude: Ids = (), among: Ids | None = None) -> list[Hits]:
        """`search` for each row of (n, dim), with the same `exclude` and `among` for all."""
        return self._search(self._checked("queries", queries), k, exclude, among)

    def vectors(self, ids: Sequence[str]) -> np.ndarray:
        """Return the vectors of these items, float32 (len(ids), dim)."""
        with self._lock:
            return self._faiss.reconstruct_batch(self._labels_of(ids))

    def save(self, folder: str | Path) -> None:
        """Write index.faiss and meta.json; `folder` must be new, empty or hold an index saved before."""
        folder = Path(folder)
        # The folder is replaced whole: a mistaken path must not cost the user other files.
        foreign = {f.name for f in folder.iterdir()} - {INDEX_FILE, META_FILE} if folder.exists() else set()
        if foreign:
            raise ValueError(f"folder must hold nothing but an index, got {min(foreign)!r} in {folder}")
        with self._lock:
            data = faiss.serialize_index(self._faiss).tobytes()
            # In the order of the vectors in the file, which replacing a vector changes.
            ids = [self._ids[label] for label in faiss.vector_to_array(self._faiss.id_map).tolist()]
        meta = {"dim": self.dim, "count": len(ids), "sha256": _digest(data, ids), "ids": ids}
        with atomic_folder(folder) as temporary:
            (temporary / INDEX_FILE).write_bytes(data)
            (temporary / META_FILE).write_text(json.dumps(meta) + "\n", encoding="ascii")

    @classmethod
    def load(cls, folder: str | Path) -> FlatIndex:
        """Read what `save` wrote.

        A missing file is a `FileNotFoundError`; damaged ones, or two that do not match, are a `ValueError`.
        """
        folder = Path(folder)
        try:
            meta = json.loads((folder / META_FILE).read_text(encoding="ascii"))
            dim, count, digest, ids = (meta[name] for name in ("dim", "count", "sha256", "ids"))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{folder / META_FILE} is damaged: {error!r}") from error
        data = (folder / INDEX_FILE).read_bytes()
        # Before FAISS parses the bytes, because it trusts the sizes that it finds in them.
        if _digest(data, ids) != digest:
            raise ValueError(f"{folder} is damaged: {INDEX_FILE} and {META_FILE} do not belong together")
        stored = faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8))
        if (stored.d, stored.ntotal) != (dim, count):
            found = f"{stored.ntotal} items, dim={stored.d}"
            raise ValueError(f"{folder / INDEX_FILE} must hold {count} items, dim={dim}, got {found}")
        index = cls(dim)
        index._faiss = stored
        index._ids = dict(zip(faiss.vector_to_array(stored.id_map).tolist(), ids, strict=True))
        index._labels = {index._ids[label]: label for label in sorted(index._ids)}
        index._live = np.zeros(max(index._ids, default=-1) + 1, dtype=bool)
        index._live[list(index._ids)] = True
        return index

    def _search(self, queries: np.ndarray, k: int, exclude: Ids, among: Ids | None) -> list[Hits]:
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        with self._lock:
            allowed = self._live.copy()
            if among is not None:
                allowed[:] = False
                allowed[self._known("among", among)] = True
            allowed[self._known("exclude", exclude)] = False
            k = min(k, int(allowed.sum()))
            if k == 0 or len(queries) == 0:
                return [Hits([], np.empty(0, dtype=np.float32)) for _ in queries]
            scores, labels = self._ranked(queries, k, allowed)
            return [
                Hits([self._ids[label] for label in row.tolist()], row_scores)
                for row, row_scores in zip(labels, scores, strict=True)
            ]

    def _ranked(self, queries: np.ndarray, k: int, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores and labels of the best `allowed` labels, both (n, k); of equal scores the lowest labels.

        FAISS keeps any of the items with equal scores, and items with the same metadata have the same
        vector. So look past the k-th score until no equal one can have been left out.
        """
        total = int(allowed.sum())
        bits = np.packbits(allowed, bitorder="little")
        # Not to be shared between calls: IDMap2 swaps the selector inside the parameters while it searches.
        params = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        fetch = min(k + 1, total)
        while True:
            scores, labels = self._faiss.search(queries, fetch, params=params)
            if fetch == total or (scores[:, k - 1] > scores[:, -1]).all():
                break
            fetch = min(2 * fetch, total)
        order = np.lexsort((labels, -scores), axis=-1)[:, :k]
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(labels, order, axis=1)

    def _checked(self, name: str, value: ArrayLike, *, one: bool = False) -> np.ndarray:
        """`value` as float32 (dim,) or (n, dim)."""
        with np.errstate(over="ignore"):  # refused below, with the row
            array = np.asarray(value, dtype=np.float32)
        if array.ndim != (1 if one else 2) or array.shape[-1] != self.dim:
            wanted = f"({self.dim},)" if one else f"(n, {self.dim})"
            raise ValueError(f"{name} must have shape {wanted}, got {array.shape}")
        good = np.abs(array) < LARGEST  # NaN is not
        if not good.all():
            row = "" if one else f" in row {np.flatnonzero(~good.all(axis=1))[0]}"
            raise ValueError(f"{name} must be finite and below {LARGEST:g}, got {array[~good][0]:g}{row}")
        return array

    def _known(self, name: str, ids: Ids) -> list[int]:
        """Labels of those ids that are in the index."""
        if isinstance(ids, str):  # would be read as a collection of one-letter ids
            raise ValueError(f"{name} must be a collection of ids, got the string {ids!r}")
        return [self._labels[i] for i in ids if i in self._labels]

    def _labels_of(self, ids: Sequence[str]) -> np.ndarray:
        """Int64 labels of ids, all of which must be known."""
        for item_id in ids:
            if item_id not in self._labels:
                raise ValueError(f"unknown id {item_id!r}: the index has {len(self._labels)} items")
        return np.array([self._labels[i] for i in ids], dtype=np.int64)

    def _forget(self, labels: Sequence[int] | np.ndarray) -> None:
        if len(labels):  # removing rebuilds the whole id map, also for nothing
            self._faiss.remove_ids(np.asarray(labels, dtype=np.int64))


def _digest(data: bytes, ids: list[str]) -> str:
    """One hash of both files' content, so that ids can never be paired with another file's vectors."""
    digest = hashlib.sha256(data)
    digest.update(json.dumps(ids).encode())
    return digest.hexdigest()
