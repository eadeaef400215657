"""What the approximate index promises beyond the contract that tests/test_index.py runs on every index."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from talkwalk.index.approximate import IvfIndex
from talkwalk.index.contract import Selection
from talkwalk.index.factory import build_index, open_index
from talkwalk.index.lookup import FlatIndex
from talkwalk.index.settings import IndexConfig

DIM, GROUPS, PER_GROUP = 16, 50, 100


def unit(*shape, seed=0):
    x = np.random.default_rng(seed).normal(size=shape)
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def vectors():
    """Fifty groups of a hundred items, as genres and decades make them."""
    points = unit(GROUPS, 1, DIM, seed=1) + 0.3 * unit(GROUPS, PER_GROUP, DIM, seed=2)
    points = points.reshape(-1, DIM)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def ids(vectors):
    return [f"item {n}" for n in range(len(vectors))]


@pytest.fixture(scope="module")
def exact(ids, vectors):
    return build_index(ids, vectors)


@pytest.fixture(scope="module")
def lists(ids, vectors):
    index = IvfIndex.train(vectors, lists=100, probes=12, enough=150, exact_below=20)
    index.add(ids, vectors)
    return index


def recall(index, exact, queries, **filters):
    shares = []
    for query in queries:
        truth = exact.search(query, 10, **filters).ids
        found = index.search(query, 10, **filters).ids
        assert len(found) == len(truth)
        shares.append(len({*found} & {*truth}) / len(truth))
    return np.mean(shares)


@pytest.fixture(scope="module")
def queries(vectors):
    """Halfway between two items."""
    rows = np.random.default_rng(3).integers(len(vectors), size=(40, 2))
    return vectors[rows].mean(axis=1)


def test_it_finds_nearly_all_and_looks_into_few_lists(lists, exact, queries):
    assert recall(lists, exact, queries) > 0.9
    one_probe = IvfIndex.train(exact.vectors(exact.ids), lists=100, probes=1, enough=1, exact_below=0)
    one_probe.add(exact.ids, exact.vectors(exact.ids))
    assert recall(one_probe, exact, queries) < 0.9  # so it is the lists that are searched


def test_scores_are_exact_however_coarse_the_codes(ids, vectors, queries, exact):
    coarse = IvfIndex.train(vectors, lists=20, probes=20, codes="SQ4", exact_below=0)
    coarse.add(ids, vectors)
    for query in queries[:5]:
        hits = coarse.search(query, 10)
        np.testing.assert_allclose(hits.scores, coarse.vectors(hits.ids) @ query, atol=1e-6)


@pytest.mark.parametrize("group", [0, 17])
def test_a_filter_that_admits_only_far_items(lists, exact, queries, ids, group):
    """The nearest lists hold none of them: lists must be chosen by what the filter admits."""
    among = Selection(ids[group * PER_GROUP : (group + 1) * PER_GROUP])
    assert recall(lists, exact, queries, among=among) > 0.95
    assert recall(lists, exact, queries, among=among, exclude=list(among)[:50]) > 0.95


def test_excluding_all_that_is_near(lists, exact, vectors):
    for query in vectors[:5]:
        near = exact.search(query, 300).ids
        assert recall(lists, exact, [query], exclude=near) > 0.6
        assert not {*near} & {*lists.search(query, 10, exclude=near).ids}


def test_few_admissible_items_are_searched_exactly(ids, vectors, exact, queries):
    index = IvfIndex.train(vectors, lists=100, probes=1, enough=1, exact_below=300)
    index.add(ids, vectors)
    among = ids[::20]
    assert recall(index, exact, queries, among=among) == 1
    assert recall(index, exact, queries, among=ids[::10], exclude=ids[::20]) == 1


def test_more_twins_than_candidates_keep_the_order_of_adding():
    index = IvfIndex.train(unit(400, DIM), lists=8, probes=8, exact_below=0)
    ids = [f"twin {n}" for n in range(500)]
    index.add(ids, unit(1, DIM, seed=5).repeat(500, axis=0))
    assert index.search(unit(DIM, seed=5), 7).ids == ids[:7]


def test_what_removed_items_leave_behind_is_cleared_away(ids, vectors):
    index = IvfIndex.train(vectors, lists=10)
    index.add(ids, vectors)
    index.remove(ids[:900])
    assert index._codes.ntotal == len(ids) and len(index) == len(ids) - 900  # too few to be worth it
    index.remove(ids[900:1100])
    assert index._codes.ntotal == len(index) == len(ids) - 1100
    index.add(ids[:1100], vectors[:1100])
    assert index._rows == len(ids)  # in the rows that became free
    index.add(ids, vectors)
    assert index._codes.ntotal < 1.25 * len(ids) and index._sizes.sum() == len(ids)


def test_the_rule(ids, vectors):
    assert type(build_index(ids, vectors, IndexConfig(exact_megabytes=1))) is FlatIndex  # 0.32 MB
    index = build_index(ids, vectors, IndexConfig(exact_megabytes=0.1))
    assert type(index) is IvfIndex and index._codes.nlist == round(2 * len(ids) ** 0.5)
    assert build_index(ids, vectors, IndexConfig(exact_megabytes=0.1, lists=7))._codes.nlist == 7
    assert build_index([], np.zeros((0, DIM), np.float32)).ids == []
    with pytest.raises(ValueError, match=r"vectors must have shape \(n, dim\), got \(16,\)"):
        build_index([], np.zeros(DIM))
    with pytest.raises(ValueError, match="lists must be between 1 and the number of vectors, 5000, got 5001"):
        IvfIndex.train(vectors, lists=5001)


def test_settings_survive_saving(lists, exact, queries, tmp_path):
    lists.save(tmp_path / "index")
    for read_only in (False, True):
        opened = open_index(tmp_path / "index", read_only=read_only)
        assert opened._settings() == lists._settings() == {"probes": 12, "enough": 150, "exact_below": 20}
        for query in queries[:10]:
            assert opened.search(query, 10).ids == lists.search(query, 10).ids


def test_the_same_seed_builds_the_same_index(ids, vectors, queries):
    built = [build_index(ids, vectors, IndexConfig(exact_megabytes=0, probes=2)) for _ in range(2)]
    assert [built[0].search(q, 10).ids for q in queries] == [built[1].search(q, 10).ids for q in queries]


def churn(index, vectors, changes):
    """Four threads search while another adds, replaces and removes; returns what it left, and the searches' number.

    Items are of three sorts: "stay" is never touched, "swap" is replaced by itself all the time, "come" comes and
    goes. Every id carries the number of its vector, so that an id that comes with another item's score shows.
    """
    stay, swap, come = ([f"{sort} {n}" for n in range(first, len(vectors), 3)] for first, sort in enumerate(SORTS))
    row = {item_id: int(item_id.split()[1]) for item_id in (*stay, *swap, *come)}
    index.add([*stay, *swap], vectors[[row[i] for i in (*stay, *swap)]])
    done, searches = threading.Event(), []

    def search(worker):
        rng = np.random.default_rng(worker)
        count = 0
        while not done.is_set():
            item_id = (stay, swap)[count % 2][int(rng.integers(len(stay)))]
            excluded = stay[int(rng.integers(len(stay)))]
            hits = index.search(vectors[row[item_id]], 5, exclude=[excluded] if excluded != item_id else [])
            assert hits.ids[0] == item_id, "lost"
            assert excluded == item_id or excluded not in hits.ids
            wanted = vectors[[row[i] for i in hits.ids]] @ vectors[row[item_id]]
            np.testing.assert_allclose(hits.scores, wanted, atol=1e-5)  # no score of another item
            count += 1
        searches.append(count)

    failures = []
    threads = [threading.Thread(target=_noting(failures, search), args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    rng, inside, made = np.random.default_rng(9), set(), 0
    while made < changes and not failures:
        some = {come[int(n)] for n in rng.integers(len(come), size=20)}
        again = [swap[int(n)] for n in rng.choice(len(swap), 5, replace=False)]
        index.add([*some, *again], vectors[[row[i] for i in (*some, *again)]])
        gone = sorted(inside | some)[: len(some)]
        index.remove(gone)
        inside = (inside | some) - {*gone}
        made += len(some) + len(again) + len(gone)
    done.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert len(searches) == 4
    return {*stay, *swap, *inside}, sum(searches)


SORTS = ("stay", "swap", "come")


def _noting(failures, function):
    def run(*args):
        try:
            function(*args)
        except BaseException as error:
            failures.append(error)
            raise

    return run


def empty_index(kind, vectors):
    if kind == "flat":
        return FlatIndex(vectors.shape[1])
    return IvfIndex.train(vectors, lists=20, probes=20, exact_below=0, enough=100)


@pytest.mark.parametrize("kind", ["flat", "lists"])
def test_four_threads_search_while_another_writes(kind, vectors):
    index = empty_index(kind, vectors)
    left, searches = churn(index, vectors[:600], changes=600)
    assert {*index.ids} == left and len(index) == len(left)
    assert searches > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["flat", "lists"])
def test_four_threads_search_during_100_000_changes(kind, vectors):
    index = empty_index(kind, vectors)
    left, searches = churn(index, vectors, changes=100_000)
    assert {*index.ids} == left and len(index) == len(left)
    assert searches > 1000


def test_searches_run_at_the_same_time(exact, queries):
    """Each of two searches waits inside the index until the other is there too."""
    both = threading.Barrier(2, timeout=30)
    slow = FlatIndex(DIM)
    slow.add(["a"], unit(1, DIM))
    ranked = slow._ranked
    slow._ranked = lambda *args: both.wait() is None or ranked(*args)
    found = []
    threads = [threading.Thread(target=lambda: found.append(slow.search(unit(DIM), 1).ids)) for _ in range(2)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["a"], ["a"]] and time.monotonic() - started < 30
