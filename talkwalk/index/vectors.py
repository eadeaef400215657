"""Vectors in numbered rows, in memory that grows without being copied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

try:
    import faiss as _faiss
except ImportError as error:
    raise ImportError(
        "talkwalk.index needs FAISS: run `pip install faiss-cpu`, or `pip install faiss-gpu`, never both "
        "(they install the same module: uninstall one before the other)"
    ) from error

faiss: Any = _faiss  # its type stubs describe the C++ constructors, not the ones that take numpy arrays

FIRST = 1024  # rows of the first block


class VectorBlocks:
    """Float32 rows in blocks, each as large as all before it.

    Memory that no row has been written to is reserved and not used, so that a million rows take the memory of a
    million rows, also while they come in; one array would be copied whenever it grows.
    """

    def __init__(self, dim: int, first: np.ndarray | None = None) -> None:
        self.dim = dim
        self._blocks: list[np.ndarray] = [] if first is None else [first]

    @property
    def capacity(self) -> int:
        """Rows that may be written."""
        return sum(map(len, self._blocks))

    def reserve(self, count: int) -> None:
        """Make room for rows 0 to `count`."""
        if count > self.capacity:
            size = max(count - self.capacity, self.capacity, FIRST)
            self._blocks.append(np.empty((size, self.dim), dtype=np.float32))

    def put(self, rows: np.ndarray, vectors: np.ndarray) -> None:
        """Write vectors (n, dim) into rows (n,)."""
        for start, block in self._by_start():
            here = (rows >= start) & (rows < start + len(block))
            if here.any():
                block[rows[here] - start] = vectors[here]

    def get(self, rows: np.ndarray) -> np.ndarray:
        """Copies of the vectors in `rows`, (n, dim)."""
        found = np.empty((len(rows), self.dim), dtype=np.float32)
        for start, block in self._by_start():
            here = (rows >= start) & (rows < start + len(block))
            found[here] = block[rows[here] - start]
        return found

    def chunks(self, count: int, size: int = 65_536) -> Iterator[np.ndarray]:
        """Views of the vectors of rows 0 to `count`, in order."""
        for start, block in self._by_start():
            used = min(len(block), count - start)
            yield from (block[at : min(at + size, used)] for at in range(0, used, size))

    def scores(self, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Inner products of one query (dim,) with the vectors in `rows`, (n,)."""
        scores = np.empty(len(rows), dtype=np.float32)
        for start, block in self._by_start():
            here = np.flatnonzero((rows >= start) & (rows < start + len(block)))
            if len(here):
                scores[here] = _some(query, block, rows[here] - start)
        return scores

    def best(
        self, queries: np.ndarray, k: int, count: int, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores and rows of the k best of rows 0 to `count` for each query, best first, both (n, k).

        Args:
            queries: (n, dim).
            k: At most the number of allowed rows.
            count: Rows in use.
            allowed: Whether a row may be found, bool (count,); None for all.
        """
        scores, rows = [], []
        for start, block in self._by_start():
            used = min(len(block), count - start)
            if used > 0:
                some = None if allowed is None else allowed[start : start + used]
                if some is None or some.any():
                    best, places = _nearest(queries, block[:used], min(k, used), some)
                    scores.append(best)
                    rows.append(np.where(places < 0, -1, places + start))
        if len(scores) == 1:
            return scores[0], rows[0]
        all_scores, all_rows = np.concatenate(scores, axis=1), np.concatenate(rows, axis=1)
        order = np.argsort(-all_scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(all_scores, order, axis=1), np.take_along_axis(all_rows, order, axis=1)

    def _by_start(self) -> Iterator[tuple[int, np.ndarray]]:
        start = 0
        for block in self._blocks:
            yield start, block
            start += len(block)


def _nearest(
    queries: np.ndarray, vectors: np.ndarray, k: int, allowed: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """As `faiss.knn` by inner product, which takes no selector."""
    queries = np.ascontiguousarray(queries)
    scores, places = np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
    # Made for this call: a selector must not be shared between threads.
    selector = None if allowed is None else faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
    pointers = (faiss.swig_ptr(array) for array in (queries, vectors))
    sizes = (vectors.shape[1], len(queries), len(vectors), k)
    faiss.swigfaiss.knn_inner_product(*pointers, *sizes, faiss.swig_ptr(scores), faiss.swig_ptr(places), selector)
    return scores, places


def _some(query: np.ndarray, vectors: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Inner products of a query with some of the vectors, without copying them."""
    scores = np.empty(len(places), dtype=np.float32)
    query, places = np.ascontiguousarray(query), np.ascontiguousarray(places, dtype=np.int64)
    pointers = (faiss.swig_ptr(array) for array in (scores, query, vectors, places))
    faiss.swigfaiss.fvec_inner_products_by_idx(*pointers, vectors.shape[1], 1, len(places))
    return scores
