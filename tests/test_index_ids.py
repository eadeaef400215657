"""Ids without a Python object each."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from talkwalk.index import ids as ids_module
from talkwalk.index.ids import IdTable, PackedIds

NAMES = ["a", "né 🎵", None, "item 3", "a longer id than the others", "\ud800 half a pair"]


def test_find_and_name():
    packed = PackedIds.pack(NAMES)
    present = [name for name in NAMES if name is not None]
    assert packed.find([*present, "b", "", "A"]).tolist() == [0, 1, 3, 4, 5, -1, -1, -1]
    assert [packed.id_of(row) for row in (0, 1, 3, 4, 5)] == present
    assert packed.find([]).tolist() == []
    assert PackedIds.pack([]).find(["a"]).tolist() == [-1]


def test_ids_with_the_same_hash_are_told_apart():
    one, other = "plumless", "buckeroo"
    assert zlib.crc32(one.encode()) == zlib.crc32(other.encode())
    for names in ([one, other, "x"], [other, "x", one]):
        packed = PackedIds.pack(names)
        assert packed.find([one, other, "x", "y"]).tolist() == [*map(names.index, [one, other, "x"]), -1]
    assert PackedIds.pack([one]).find([other, one]).tolist() == [-1, 0]


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("names", [NAMES, []])
def test_files(tmp_path, mapped, names):
    packed = PackedIds.pack(names)
    packed.save(tmp_path)
    loaded = PackedIds.load(tmp_path, mapped=mapped)
    for ours, theirs in zip(packed, loaded, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_table_is_two_dicts(monkeypatch):
    """Random puts and drops, packed now and then, against a dict each way."""
    monkeypatch.setattr(ids_module, "LOOSE", 30)
    monkeypatch.setattr(ids_module, "RECENT", 40)
    rng, table, rows = np.random.default_rng(0), IdTable(), {}
    packings = 0
    for _ in range(200):
        free = sorted({*range(120)} - {*rows.values()})
        new = [f"id {n}" for n in rng.integers(300, size=8).tolist()]
        new = [i for i in dict.fromkeys(new) if i not in rows][: len(free)]
        chosen = rng.choice(free, len(new), replace=False).tolist() if new else []
        table.put(chosen, new)
        rows.update(zip(new, chosen, strict=True))
        for item_id in rng.choice(sorted(rows), min(5, len(rows)), replace=False).tolist():
            table.drop([rows.pop(item_id)])
        if table.is_loose:
            table, packings = IdTable(table.packed(120)), packings + 1
        everything = [f"id {n}" for n in range(300)]
        assert table.find(everything).tolist() == [rows.get(i, -1) for i in everything]
        few = rng.choice(everything, 20).tolist()
        assert table.find(few).tolist() == [rows.get(i, -1) for i in few]
        assert table.ids_of(list(rows.values())) == list(rows)
    assert packings > 3


def test_memory_per_id():
    packed = PackedIds.pack(f"item {n}" for n in range(10_000))
    text = sum(len(f"item {n}") for n in range(10_000))
    assert sum(array.nbytes for array in packed) <= text + 17 * 10_000
