"""Approximate search for many items: inverted lists of small codes, and an exact second look at the best."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from talkwalk.index.contract import Ids, Scope, Selection
from talkwalk.index.lookup import FlatIndex
from talkwalk.index.storage import CODES_FILE, LISTS_FILE
from talkwalk.index.vectors import faiss

if TYPE_CHECKING:
    from typing import Self

TRAINING_PER_LIST = 40  # vectors that k-means sees for each list
FEWEST = 10_000  # vectors that it sees at least: product codes have 256 centroids of their own
ROUNDS = 10  # of k-means
SLACK = 20  # candidates of every search, beside four for each wanted item


class IvfIndex(FlatIndex):
    """Inverted lists (Jégou, Douze and Schmid 2011): only the lists nearest to the query are looked into.

    The lists hold codes of a byte or less per dimension; the best of them are scored again with the vectors
    themselves, so that scores are exact and only the choice of candidates is approximate. Filters choose among lists
    too: those without an admissible item are passed over, and the search goes on until it has seen enough of the
    others. Where few items are admissible it is exact.

    Make one with `train`, then add items. A removed or replaced item leaves its code behind, which searches pass
    over; codes are cleared away when a tenth of them is left over.
    """

    kind = "ivf"

    def __init__(self, codes: Any, *, probes: int, enough: int, exact_below: int) -> None:
        super().__init__(codes.d)
        self._codes = codes
        self._probes, self._enough, self._exact_below = min(probes, codes.nlist), enough, exact_below
        self._lists = np.zeros(0, dtype=np.int32)  # list of every row
        self._sizes = np.zeros(codes.nlist, dtype=np.int64)  # items in every list
        self._left_over: list[int] = []  # free rows whose codes are still in the lists

    @classmethod
    def train(
        cls,
        vectors: np.ndarray,
        *,
        lists: int,
        probes: int = 96,
        codes: str = "SQ8",
        enough: int = 2000,
        exact_below: int = 4000,
        seed: int = 0,
    ) -> Self:
        """An empty index whose lists suit vectors like these, (n, dim) with n at least `lists`.

        Args:
            vectors: A sample of what will be added; at most 40 per list, or 10,000, are used.
            lists: Number of lists.
            probes: Lists that every search looks into, at least.
            codes: How FAISS encodes vectors: "SQ8" for a byte per dimension, "PQ64" for 64 bytes in all.
            enough: Admissible items that a filtered search looks at, at least.
            exact_below: A search with fewer admissible items than that is exact.
            seed: Of the sample and of k-means.
        """
        if not 1 <= lists <= len(vectors):
            raise ValueError(f"lists must be between 1 and the number of vectors, {len(vectors)}, got {lists}")
        trained = faiss.index_factory(vectors.shape[1], f"IVF{lists},{codes}", faiss.METRIC_INNER_PRODUCT)
        trained.cp.niter, trained.cp.seed, trained.cp.min_points_per_centroid = ROUNDS, seed, 1
        size = min(len(vectors), max(FEWEST, lists * TRAINING_PER_LIST))
        sample = np.sort(np.random.default_rng(seed).choice(len(vectors), size, replace=False))
        trained.train(np.ascontiguousarray(vectors[sample], dtype=np.float32))
        return cls(trained, probes=probes, enough=enough, exact_below=exact_below)

    def _prepare(self, vectors: np.ndarray) -> np.ndarray:
        """The list of each vector, int64 (n,); nearly all the work of adding."""
        return self._codes.quantizer.search(vectors, 1)[1][:, 0]

    def _put(self, ids: Sequence[str], vectors: np.ndarray, prepared: np.ndarray) -> None:
        before = self._table.find(ids)
        again = np.flatnonzero(before >= 0)
        places = self._order[before[again]]
        self._drop(before[again])  # a code cannot be changed where it is
        rows = self._new_rows(ids)
        self._order[rows[again]] = places
        self._vectors.put(rows, vectors)
        if self._rows > len(self._lists):
            self._lists = np.pad(self._lists, (0, len(self._order) - len(self._lists)))
        self._lists[rows] = prepared
        self._sizes += np.bincount(prepared, minlength=self._codes.nlist)
        pointers = [faiss.swig_ptr(array) for array in (vectors, rows, np.ascontiguousarray(prepared))]
        self._codes.add_core(len(rows), *pointers)

    def _retire(self, rows: np.ndarray) -> None:
        self._left_over += rows.tolist()
        self._sizes -= np.bincount(self._lists[rows], minlength=self._codes.nlist)
        if len(self._left_over) > max(1000, self._count // 10):
            self._clear_left_over()

    def _clear_left_over(self) -> None:
        if self._left_over:
            gone = np.zeros(self._rows, dtype=bool)
            gone[self._left_over] = True
            self._codes.remove_ids(faiss.IDSelectorBitmap(np.packbits(gone, bitorder="little")))
            self._free += self._left_over
            self._left_over = []

    def _selected(self, among: Ids) -> Scope:
        scope = super()._selected(among)
        if scope.per_list is None:
            per_list = np.bincount(self._lists[scope.among], minlength=self._codes.nlist)
            scope = scope._replace(per_list=per_list)
            if isinstance(among, Selection):
                among.found = (self._state, scope)
        return scope

    def _ranked(self, queries: np.ndarray, k: int, scope: Scope) -> tuple[np.ndarray, np.ndarray]:
        found = [self._ranked_one(query, k, scope) for query in queries]
        return np.stack([scores for scores, _ in found]), np.stack([rows for _, rows in found])

    def _ranked_one(self, query: np.ndarray, k: int, scope: Scope) -> tuple[np.ndarray, np.ndarray]:
        """Scores and rows of the best k, both (k,)."""
        fetch = 4 * k + SLACK
        while scope.total > max(self._exact_below, fetch):
            rows = self._candidates(query, fetch, scope)
            scores = self._vectors.scores(query, rows)
            best, chosen = self._cut(scores, rows, k)
            if len(best) == k and (len(rows) < fetch or best[-1] > scores.min()):
                return best, chosen
            fetch *= 4  # all are equally near, or the nearest lists hold too few
        allowed = self._live[: self._rows] if scope.allowed is None else scope.allowed
        rows = np.flatnonzero(allowed) if scope.among is None else scope.among[allowed[scope.among]]
        return self._cut(self._vectors.scores(query, rows), rows, k)

    def _candidates(self, query: np.ndarray, fetch: int, scope: Scope) -> np.ndarray:
        """Rows whose codes are nearest, at most `fetch`."""
        row = np.ascontiguousarray(query[np.newaxis])
        nearness, lists = self._nearest_lists(row, fetch, scope)
        scores, rows = np.empty(fetch, np.float32), np.empty(fetch, np.int64)
        # Made for this call: FAISS writes to parameters while it searches.
        bits = None if scope.allowed is None else np.packbits(scope.allowed, bitorder="little")
        selector = None if bits is None else faiss.IDSelectorBitmap(bits)
        params = faiss.SearchParametersIVF(nprobe=len(lists), sel=selector)
        pointers = [faiss.swig_ptr(array) for array in (lists, nearness, scores, rows)]
        # Not `search_preassigned`, which forgets its params.
        self._codes.search_preassigned_c(1, faiss.swig_ptr(row), fetch, *pointers, False, params)
        return rows[rows >= 0]

    def _nearest_lists(self, row: np.ndarray, fetch: int, scope: Scope) -> tuple[np.ndarray, np.ndarray]:
        """Inner products with the centroids and numbers of the lists to look into, the nearest first."""
        if scope.allowed is None and fetch <= self._enough:
            nearness, lists = self._codes.quantizer.search(row, self._probes)
            return nearness[0], lists[0]
        admissible = self._sizes if scope.per_list is None else scope.per_list
        if len(scope.gone):
            admissible = admissible - np.bincount(self._lists[scope.gone], minlength=len(admissible))
        for reach in (4 * self._probes, self._codes.nlist):  # ordering all lists takes longer and is rarely needed
            nearness, lists = (found[0] for found in self._codes.quantizer.search(row, min(reach, self._codes.nlist)))
            useful = admissible[lists] > 0
            nearness, lists = nearness[useful], lists[useful]
            seen = np.cumsum(admissible[lists])
            count = max(self._probes, int(np.searchsorted(seen, max(self._enough, fetch))) + 1)
            if count <= len(lists):
                break
        return np.ascontiguousarray(nearness[:count]), np.ascontiguousarray(lists[:count])

    def _settings(self) -> dict[str, Any]:
        return {"probes": self._probes, "enough": self._enough, "exact_below": self._exact_below}

    def _write(self, folder: Path) -> None:
        with self._lock.writing():
            self._clear_left_over()
        super()._write(folder)
        np.save(folder / LISTS_FILE, np.where(self._live, self._lists, -1)[: self._rows])
        faiss.write_index(self._codes, str(folder / CODES_FILE))

    @classmethod
    def _opened(cls, folder: Path, meta: dict[str, Any], *, read_only: bool) -> Self:
        codes = faiss.read_index(str(folder / CODES_FILE), faiss.IO_FLAG_MMAP_IFC if read_only else 0)
        index = cls(codes, **{name: meta[name] for name in ("probes", "enough", "exact_below")})
        index._lists = np.load(folder / LISTS_FILE)
        index._sizes = np.bincount(index._lists[index._lists >= 0], minlength=codes.nlist)
        return index
