"""Every index keeps one contract, checked against brute force."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from talkwalk.index.approximate import IvfIndex
from talkwalk.index.contract import Selection
from talkwalk.index.factory import open_index
from talkwalk.index.lookup import FlatIndex

DIM = 16


def brute_force(items, query, k, exclude=(), among=None):
    """The best k of {id: vector}, slowly: a stable sort keeps equal scores in the order of adding."""
    scored = []
    for item_id, vector in items.items():
        if item_id not in exclude and (among is None or item_id in among):
            scored.append((float(sum(np.float64(a) * b for a, b in zip(query, vector, strict=True))), item_id))
    scored.sort(key=lambda pair: -pair[0])
    return [item_id for _, item_id in scored[:k]], [score for score, _ in scored[:k]]


def unit(*shape, seed=0):
    x = np.random.default_rng(seed).normal(size=shape)
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def assert_hits(hits, expected):
    ids, scores = expected
    assert hits.ids == ids
    assert hits.scores.dtype == np.float32 and hits.scores.shape == (len(ids),)
    np.testing.assert_allclose(hits.scores, scores, atol=1e-5)


@pytest.fixture
def items():
    return {f"item {i}": vector for i, vector in enumerate(unit(100, DIM))}


def lists(**settings):
    """An empty approximate index that looks into all of its eight lists, so that it has to be exact."""
    return IvfIndex.train(unit(400, DIM, seed=9), lists=8, **{"probes": 8, "exact_below": 0, **settings})


KINDS = {
    "flat": lambda: FlatIndex(DIM),
    "lists": lists,
    "lists, exact where few": lambda: lists(exact_below=60, enough=20),
}


@pytest.fixture(params=KINDS)
def empty(request):
    return KINDS[request.param]()


@pytest.fixture
def index(empty, items):
    empty.add(list(items), np.stack(list(items.values())))
    return empty


@pytest.fixture
def swift_threads():
    """Threads that take turns so often that an index without a lock gives wrong answers."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class TestIndexContract:
    @pytest.mark.parametrize("k", [1, 7, 100, 1000])
    def test_search_is_brute_force(self, index, items, k):
        for query in unit(5, DIM, seed=1):
            assert_hits(index.search(query, k), brute_force(items, query, k))

    def test_exclude_and_among(self, index, items):
        query = unit(DIM, seed=1)
        seen, allowed = list(items)[:90:2], set(list(items)[:40])
        assert_hits(index.search(query, 60, exclude=seen), brute_force(items, query, 60, seen))
        assert_hits(index.search(query, 10, among=allowed), brute_force(items, query, 10, (), allowed))
        assert_hits(
            index.search(query, 30, exclude=seen, among=allowed),
            brute_force(items, query, 30, seen, allowed),
        )

    def test_fewer_admissible_items_give_fewer_hits(self, index, items):
        query = unit(DIM, seed=1)
        assert len(index.search(query, 10, among=["item 3", "item 4"]).ids) == 2
        assert len(index.search(query, 10, exclude=list(items)[:97]).ids) == 3
        nothing = index.search(query, 10, among=["item 3"], exclude=["item 3"])
        assert nothing.ids == [] and nothing.scores.shape == (0,)
        assert index.search(query, 10, among=[]).ids == []

    def test_a_selection_is_its_ids(self, index, items):
        query = unit(DIM, seed=1)
        half = Selection(list(items)[::2])
        for _ in range(2):
            assert_hits(index.search(query, 60, among=half), brute_force(items, query, 60, (), half))
            seen = list(items)[:20]
            assert_hits(index.search(query, 60, among=half, exclude=seen), brute_force(items, query, 60, seen, half))
        index.remove(["item 4"])
        index.add(["item 8", "new"], unit(2, DIM, seed=2))
        index.add(["item 4"], unit(1, DIM, seed=3))
        items |= {"item 8": unit(2, DIM, seed=2)[0], "item 4": unit(1, DIM, seed=3)[0]}
        assert_hits(index.search(query, 60, among=half), brute_force(items, query, 60, (), half))
        with pytest.raises(ValueError, match="ids must be a collection of ids, got the string 'item 1'"):
            Selection("item 1")

    def test_unknown_ids_in_a_filter_are_ignored(self, index, items):
        query = unit(DIM, seed=1)
        assert_hits(index.search(query, 5, exclude=["gone"]), brute_force(items, query, 5))
        assert index.search(query, 5, among=["gone", "item 3"]).ids == ["item 3"]

    @pytest.mark.parametrize("n", [0, 1, 50])
    def test_batch_is_one_search_per_row(self, index, n):
        queries = unit(n, DIM, seed=1)
        batch = index.search_batch(queries, 8, exclude=["item 1"])
        assert len(batch) == n
        for hits, query in zip(batch, queries, strict=True):
            alone = index.search(query, 8, exclude=["item 1"])
            assert hits.ids == alone.ids
            np.testing.assert_allclose(hits.scores, alone.scores, atol=1e-6)

    def test_equal_scores_keep_the_order_of_adding(self, empty):
        ids = [f"twin {i}" for i in range(50)]
        empty.add(["far", *ids], np.concatenate([-unit(1, DIM), unit(1, DIM).repeat(50, axis=0)]))
        empty.add(["twin 2"], unit(1, DIM))
        for k in (1, 3, 50):
            assert empty.search(unit(DIM), k).ids == ids[:k]
        assert empty.search(np.zeros(DIM), 3).ids == ["far", "twin 0", "twin 1"]

    def test_add_replaces(self, index, items):
        fresh = {"item 5": unit(DIM, seed=2), "new": unit(DIM, seed=3), "item 99": unit(DIM, seed=4)}
        index.add(list(fresh), list(fresh.values()))
        items.update(fresh)
        assert index.ids == list(items) and len(index) == 101
        for query in (*fresh.values(), unit(DIM, seed=1)):
            assert_hits(index.search(query, 101), brute_force(items, query, 101))

    def test_remove(self, index, items):
        index.remove(["item 5", "item 0", "item 5"])
        del items["item 5"], items["item 0"]
        assert "item 5" not in index and "item 6" in index
        assert index.ids == list(items) and len(index) == 98
        assert_hits(index.search(unit(DIM, seed=1), 200), brute_force(items, unit(DIM, seed=1), 200))
        index.add(["item 5"], unit(1, DIM))
        assert index.ids[-1] == "item 5"
        with pytest.raises(ValueError, match="ids must be a list of item ids, got the string 'item 1'"):
            index.remove("item 1")
        assert len(index) == 99

    def test_vectors(self, index, items):
        found = index.vectors(["item 7", "item 2", "item 7"])
        np.testing.assert_array_equal(found, [items["item 7"], items["item 2"], items["item 7"]])
        assert found.dtype == np.float32
        assert index.vectors([]).shape == (0, DIM)

    def test_an_empty_index_answers(self, empty):
        assert (len(empty), empty.ids, empty.dim) == (0, [], DIM)
        assert empty.search(unit(DIM), 3).ids == []
        assert [hits.ids for hits in empty.search_batch(unit(2, DIM), 3)] == [[], []]
        empty.add([], np.empty((0, DIM)))
        empty.remove([])
        assert len(empty) == 0

    def test_save_load_same_output(self, index, tmp_path):
        index.add(["item 5", "né 🎵"], unit(2, DIM, seed=2))
        index.remove(["item 7", "item 99"])
        index.save(tmp_path / "index")
        loaded = type(index).load(tmp_path / "index")
        assert loaded.ids == index.ids and loaded.dim == DIM
        loaded.save(tmp_path / "index")
        for each in (index, loaded):
            each.add(["later", "item 8"], unit(2, DIM, seed=3))
        assert loaded.ids == index.ids
        query = unit(DIM, seed=1)
        expected = index.search(query, 50, exclude=["item 1"])
        assert_hits(loaded.search(query, 50, exclude=["item 1"]), (expected.ids, expected.scores))

    def test_save_load_empty(self, empty, tmp_path):
        empty.save(tmp_path / "index")
        loaded = type(empty).load(str(tmp_path / "index"))
        loaded.add(["a"], unit(1, DIM))
        assert loaded.search(unit(DIM), 3).ids == ["a"]

    @pytest.mark.parametrize(
        ("ids", "vectors", "match"),
        [
            (["a"], np.ones((1, 8)), r"vectors must have shape \(n, 16\), got \(1, 8\)"),
            (["a"], np.ones(DIM), r"vectors must have shape \(n, 16\), got \(16,\)"),
            (["a", "b"], np.ones((1, DIM)), "one per vector, got 2 for 1 vectors"),
            (["a", "b", "a"], np.ones((3, DIM)), "must be different, got 'a' 2 times"),
            (["a", 5], np.ones((2, DIM)), "must be non-empty strings, got 5"),
            (["a", ""], np.ones((2, DIM)), "must be non-empty strings, got ''"),
            (["a", "b"], [[0.0] * DIM, [np.nan] * DIM], "vectors must be finite .*, got nan in row 1"),
            (["a"], [[-np.inf] * DIM], "got -inf in row 0"),
            (["a"], [[1e300] * DIM], "got inf in row 0"),
            (["a"], [[1e20] * DIM], r"below 1e\+15, got 1e\+20 in row 0"),
        ],
    )
    def test_add_refuses_and_changes_nothing(self, index, items, ids, vectors, match):
        with pytest.raises(ValueError, match=match):
            index.add(ids, vectors)
        assert index.ids == list(items)

    def test_unknown_ids_are_named(self, index, items):
        with pytest.raises(ValueError, match="unknown id 'gone': the index has 100 items"):
            index.remove(["item 1", "gone"])
        with pytest.raises(ValueError, match="unknown id 'gone'"):
            index.vectors(["item 1", "gone"])
        assert index.ids == list(items)
        assert len(index.search(unit(DIM), 200).ids) == 100

    def test_search_refuses(self, index):
        with pytest.raises(ValueError, match="k must be at least 1, got 0"):
            index.search(unit(DIM), 0)
        with pytest.raises(ValueError, match=r"query must have shape \(16,\), got \(1, 16\)"):
            index.search(unit(1, DIM), 3)
        with pytest.raises(ValueError, match=r"queries must have shape \(n, 16\), got \(16,\)"):
            index.search_batch(unit(DIM), 3)
        with pytest.raises(ValueError, match=r"query must be finite .*, got nan"):
            index.search(np.full(DIM, np.nan), 3)
        with pytest.raises(ValueError, match="exclude must be a collection of ids, got the string 'item 1'"):
            index.search(unit(DIM), 3, exclude="item 1")

    def test_searching_while_others_write(self, index, swift_threads):
        queries = unit(800, DIM, seed=1)
        steady = set(index.ids)
        coming = {f"new {i}": vector for i, vector in enumerate(unit(40, DIM, seed=2))}

        def search(worker):
            for query in queries[worker::4]:
                hits = index.search(query, 150, exclude=[f"item {worker}"])
                assert steady - set(hits.ids) == {f"item {worker}"}
                assert set(hits.ids) <= steady | set(coming)
                assert (np.diff(hits.scores) <= 0).all()

        with ThreadPoolExecutor(4) as pool:
            running = [pool.submit(search, worker) for worker in range(4)]
            while not all(future.done() for future in running):
                index.add(list(coming), list(coming.values()))
                index.remove(list(coming))
        for future in running:
            future.result()
        assert set(index.ids) == steady

    def test_opened_read_only(self, index, items, tmp_path):
        index.remove(["item 7"])
        index.save(tmp_path / "index")
        opened = type(index).load(tmp_path / "index", read_only=True)
        del items["item 7"]
        query = unit(DIM, seed=1)
        assert_hits(opened.search(query, 9, exclude=["item 1"]), brute_force(items, query, 9, ["item 1"]))
        assert opened.ids == list(items) and "item 7" not in opened
        np.testing.assert_array_equal(opened.vectors(["item 3"]), [items["item 3"]])
        for change in (lambda: opened.add(["a"], unit(1, DIM)), lambda: opened.remove(["item 3"])):
            with pytest.raises(ValueError, match=r"99 items, dim=16\) is read-only: load it without read_only=True"):
                change()
        opened.save(tmp_path / "index")  # over the files that it has mapped
        assert type(index).load(tmp_path / "index").ids == opened.ids == list(items)

    def test_many_small_changes_are_those_of_a_dict(self, index, items):
        rng = np.random.default_rng(0)
        for step in range(60):
            fresh = {f"item {n}": unit(DIM, seed=1000 * step + n) for n in rng.integers(150, size=20).tolist()}
            index.add(list(fresh), list(fresh.values()))
            items.update(fresh)
            gone = rng.choice(list(items), size=15, replace=False).tolist()
            index.remove(gone)
            for item_id in gone:
                del items[item_id]
        assert index.ids == list(items) and len(index) == len(items)
        np.testing.assert_array_equal(index.vectors(list(items)), list(items.values()))
        query = unit(DIM, seed=1)
        assert_hits(index.search(query, 200), brute_force(items, query, 200))


class TestIndexFiles:
    @pytest.fixture(params=["flat", "lists"])
    def folder(self, request, tmp_path):
        index = KINDS[request.param]()
        index.add(["a", "b"], unit(2, DIM))
        index.save(tmp_path / "index")
        return tmp_path / "index"

    @pytest.mark.parametrize("name", ["meta.json", "vectors.npy", "order.npy", "id_text.npy"])
    @pytest.mark.parametrize("read_only", [False, True])
    def test_missing(self, folder, name, read_only):
        (folder / name).unlink()
        with pytest.raises(FileNotFoundError, match=name):
            open_index(folder, read_only=read_only)

    @pytest.mark.parametrize("position", [0, 30, -1])
    def test_one_flipped_bit(self, folder, position):
        for path in sorted(folder.glob("*.npy")) + sorted(folder.glob("*.faiss")):
            whole = path.read_bytes()
            data = bytearray(whole)
            data[position] ^= 1
            path.write_bytes(data)
            with pytest.raises(ValueError, match=rf"is damaged: {path.name} and meta.json do not belong together"):
                open_index(folder)
            path.write_bytes(whole)
        assert open_index(folder).ids == ["a", "b"]

    @pytest.mark.parametrize("name", ["vectors.npy", "order.npy", "id_rows.npy"])
    def test_cut_short(self, folder, name):
        (folder / name).write_bytes((folder / name).read_bytes()[:-1])
        with pytest.raises(ValueError, match=rf"is damaged: {name}"):
            open_index(folder, read_only=True)

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ({"dim": 3}, "must hold 2 items, dim=3, got 2 items, dim=16"),
            ({"count": 5}, "must hold 5 items, dim=16, got 2 items, dim=16"),
            ({"format": 7}, "format 7, this TalkWalk reads 1"),
            ({"kind": "tree"}, "kind 'tree', this TalkWalk reads"),
        ],
    )
    def test_another_meta(self, folder, change, match):
        meta = json.loads((folder / "meta.json").read_text())
        (folder / "meta.json").write_text(json.dumps(meta | change))
        with pytest.raises(ValueError, match=match):
            open_index(folder)

    @pytest.mark.parametrize("text", ["", '{"dim": 2', "{}", "[1]", "\xff", '{"format": 1}'])
    def test_broken_meta(self, folder, text):
        (folder / "meta.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(ValueError, match=r"meta\.json is damaged: "):
            open_index(folder)

    def test_another_kind(self, tmp_path):
        FlatIndex(DIM).save(tmp_path / "index")
        with pytest.raises(ValueError, match="holds an index of kind 'flat', got IvfIndex: use `open_index`"):
            IvfIndex.load(tmp_path / "index")

    def test_save_replaces_an_index_and_nothing_else(self, folder):
        FlatIndex(2).save(folder)
        assert len(FlatIndex.load(folder)) == 0
        (folder / "thesis.txt").write_text("years of work")
        with pytest.raises(
            ValueError, match=r"index holds other files, such as thesis\.txt: give a new folder for the index"
        ):
            FlatIndex(2).save(folder)
        assert (folder / "thesis.txt").read_text() == "years of work"


def test_dim_and_repr():
    assert repr(FlatIndex(3)) == "FlatIndex(0 items, dim=3)"
    with pytest.raises(ValueError, match="dim must be at least 1, got 0"):
        FlatIndex(0)


def test_without_faiss_the_error_names_the_command():
    code = "import sys; sys.modules['faiss'] = None; import talkwalk.index.lookup"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ImportError: talkwalk.index needs FAISS: run `pip install faiss-cpu`" in done.stderr
