"""Which string id stands in which row, in some 20 bytes per id beside its letters."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable, Sequence
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np

LOOSE = 50_000  # ids that may lie in dicts, some 130 bytes each, before they are packed
RECENT = 50_000  # packed ids that are remembered once looked for
Texts = tuple[np.ndarray, np.ndarray]  # letters of several texts, and where each starts and the last ends
FILES = ("id_text.npy", "id_starts.npy", "id_hashes.npy", "id_rows.npy")


class PackedIds(NamedTuple):
    """Ids as arrays, which a file can hold and a process can map.

    Attributes:
        text: The ids of all rows one after the other in UTF-8, uint8.
        starts: Where the id of each row starts in `text`, and the end of the last, int64 (rows + 1,).
        hashes: CRC-32 of every id, sorted, uint32 (ids,).
        rows: The rows that `hashes` are of, uint32 (ids,).
    """

    text: np.ndarray
    starts: np.ndarray
    hashes: np.ndarray
    rows: np.ndarray

    @classmethod
    def pack(cls, ids: Iterable[str | None]) -> PackedIds:
        """Ids of rows 0, 1, ...; None for a row without."""
        # Built without a Python object per id: a million of those take more memory than the result.
        text, starts, hashes, rows = bytearray(), array("q", [0]), array("I"), array("I")
        for row, item_id in enumerate(ids):
            if item_id is not None:
                encoded = item_id.encode("utf-8", "surrogatepass")
                text += encoded
                hashes.append(zlib.crc32(encoded))
                rows.append(row)
            starts.append(len(text))
        crc = np.frombuffer(hashes, np.uint32)
        order = np.argsort(crc, kind="stable")
        row_numbers = np.frombuffer(rows, np.uint32)[order]
        return cls(np.frombuffer(text, np.uint8), np.frombuffer(starts, np.int64), crc[order], row_numbers)

    def id_of(self, row: int) -> str:
        text: bytes = self.text[self.starts[row] : self.starts[row + 1]].tobytes()
        return text.decode("utf-8", "surrogatepass")

    def find(self, ids: Sequence[str]) -> np.ndarray:
        """Row of each id, -1 where there is none, int64 (ids,)."""
        found = np.full(len(ids), -1, dtype=np.int64)
        encoded = [item_id.encode("utf-8", "surrogatepass") for item_id in ids]
        wanted = np.fromiter(map(zlib.crc32, encoded), np.uint32, len(encoded))
        places = np.searchsorted(self.hashes, wanted)
        ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))
        given = (np.frombuffer(b"".join(encoded), np.uint8), np.concatenate([[0], ends]))
        missing = np.arange(len(ids))
        while len(missing):  # once, and again for the few whose hash is also that of another id
            missing = missing[places[missing] < len(self.hashes)]
            missing = missing[self.hashes[places[missing]] == wanted[missing]]
            rows = self.rows[places[missing]].astype(np.int64)
            same = _equal(given, missing, (self.text, self.starts), rows)
            found[missing[same]] = rows[same]
            missing = missing[~same]
            places[missing] += 1
        return found

    def save(self, folder: Path) -> None:
        for name, values in zip(FILES, self, strict=True):
            np.save(folder / name, values)

    @classmethod
    def load(cls, folder: Path, *, mapped: bool) -> PackedIds:
        """Read or memory-map what `save` wrote."""
        return cls(*(np.load(folder / name, mmap_mode="r" if mapped else None) for name in FILES))


class IdTable:
    """Packed ids, and the changes since they were packed in two dicts."""

    def __init__(self, packed: PackedIds | None = None) -> None:
        self._packed = packed or PackedIds.pack([])
        self._void = np.zeros(0, dtype=bool)  # packed rows whose id has been dropped; empty while there are none
        self._rows: dict[str, int] = {}
        self._ids: dict[int, str] = {}
        self._recent: dict[str, int] = {}  # packed ids that were looked for

    def find(self, ids: Sequence[str]) -> np.ndarray:
        """Row of each id, -1 where there is none, int64 (ids,)."""
        rows = np.fromiter(map(self._rows.get, ids, repeat(-1)), np.int64, len(ids))
        if len(self._packed.hashes):
            absent = np.flatnonzero(rows < 0).tolist()
            rows[absent] = self._find_packed([ids[at] for at in absent])
        return rows

    def _find_packed(self, ids: Sequence[str]) -> np.ndarray:
        if len(ids) > RECENT:
            return self._current(self._packed.find(ids))
        # A session excludes the same ids in every turn, and a dict finds them five times as fast.
        rows = np.fromiter(map(self._recent.get, ids, repeat(-1)), np.int64, len(ids))
        absent = np.flatnonzero(rows < 0)
        if len(absent):
            rest = [ids[at] for at in absent.tolist()]
            rows[absent] = self._current(self._packed.find(rest))
            if len(self._recent) + len(rest) > RECENT:
                self._recent = {}
            self._recent.update((i, row) for i, row in zip(rest, rows[absent].tolist(), strict=True) if row >= 0)
        return rows

    def _current(self, rows: np.ndarray) -> np.ndarray:
        """Rows found among the packed ids, -1 where the id has been dropped since."""
        return np.where((rows >= 0) & self._void[rows], -1, rows) if len(self._void) else rows

    def ids_of(self, rows: Sequence[int]) -> list[str]:
        """Ids of rows that have one."""
        return [self._ids[row] if row in self._ids else self._packed.id_of(row) for row in rows]

    def put(self, rows: Sequence[int], ids: Sequence[str]) -> None:
        """Give each row, which has none, its id."""
        self._rows.update(zip(ids, rows, strict=True))
        self._ids.update(zip(rows, ids, strict=True))

    def drop(self, rows: Sequence[int]) -> None:
        """Take the ids from rows that have one."""
        for row in rows:
            if row in self._ids:
                del self._rows[self._ids.pop(row)]
            else:
                if not len(self._void):
                    self._void = np.zeros(len(self._packed.starts) - 1, dtype=bool)
                self._void[row] = True
                self._recent.pop(self._packed.id_of(row), None)

    @property
    def is_loose(self) -> bool:
        """Whether so many ids changed that `packed` is worth its time."""
        return len(self._ids) > max(LOOSE, len(self._packed.hashes) // 8)

    def packed(self, count: int) -> PackedIds:
        """All ids of rows 0 to `count`, packed; the table itself stays as it is."""
        if not self._ids and not len(self._void) and len(self._packed.starts) == count + 1:
            return self._packed
        return PackedIds.pack(self._id_or_none(row) for row in range(count))

    def _id_or_none(self, row: int) -> str | None:
        if row in self._ids:
            return self._ids[row]
        starts = self._packed.starts
        if row >= len(starts) - 1 or (len(self._void) and self._void[row]):
            return None
        return self._packed.id_of(row) if starts[row + 1] > starts[row] else None  # no id is empty


def _equal(ours: Texts, which: np.ndarray, theirs: Texts, others: np.ndarray) -> np.ndarray:
    """Whether text `which[n]` of ours is text `others[n]` of theirs, bool (n,); no text is empty."""
    (text, starts), (their_text, their_starts) = ours, theirs
    lengths = starts[which + 1] - starts[which]
    same = lengths == their_starts[others + 1] - their_starts[others]
    if not same.any():
        return same
    which, others, lengths = which[same], others[same], lengths[same]
    begins = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    steps = np.arange(lengths.sum()) - np.repeat(begins, lengths)
    mine, other = (np.repeat(s, lengths) + steps for s in (starts[which], their_starts[others]))
    same[same] = np.logical_and.reduceat(text[mine] == their_text[other], begins)
    return same
