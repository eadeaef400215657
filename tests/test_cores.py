"""Work is shared out between cores, and torch's threads stay as they were."""

from __future__ import annotations

import threading

import pytest
import torch

from talkwalk.llm import cores
from talkwalk.llm.cores import WORTH, Cores, fit_threads, split_evenly, usable_cores


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("sizes", "parts"), [([5, 1, 1, 1, 1, 1], 2), ([3], 4), ([2, 2, 2], 3), ([7, 1, 9, 4], 2)])
def test_an_even_split_has_every_index_once(sizes, parts):
    groups = split_evenly(sizes, parts)
    assert sorted(i for g in groups for i in g) == list(range(len(sizes)))
    assert len(groups) == min(parts, len(sizes)) and all(groups)
    sums = [sum(sizes[i] for i in g) for g in groups]
    assert max(sums) - min(sums) <= max(sizes)


CPU = torch.device("cpu")


def where(items: list[int]) -> list[tuple[int, str, int]]:
    return [(item * 10, threading.current_thread().name, torch.get_num_threads()) for item in items]


@pytest.mark.parametrize(
    ("device", "tokens"),
    [("cpu", [WORTH, WORTH - 1]), ("cpu", [5 * WORTH]), ("cuda", [WORTH, WORTH])],
    ids=["too little", "one item", "no CPU"],
)
def test_what_is_not_worth_it_stays_where_it_is(two_threads, device, tokens):
    items = list(range(len(tokens)))
    found = Cores(torch.device(device)).spread(where, items, tokens)
    assert found == [(item * 10, threading.current_thread().name, 2) for item in items]


def test_parts_run_on_one_core_each_and_nobody_elses_threads_change(two_threads):
    found = Cores(CPU).spread(where, [1, 2, 3], [WORTH, 2 * WORTH, WORTH])
    assert [result for result, _, _ in found] == [10, 20, 30]
    assert {threads for _, _, threads in found} == {1}
    assert all(name.startswith("talkwalk-core") for _, name, _ in found)
    assert torch.get_num_threads() == 2
    elsewhere = []
    thread = threading.Thread(target=lambda: elsewhere.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert elsewhere == [2]


def test_an_error_in_a_part_is_raised(two_threads):
    def fail(items):
        raise ValueError(f"no good: {items}")

    with pytest.raises(ValueError, match="no good"):
        Cores(CPU).spread(fail, [1, 2], [WORTH, WORTH])


def test_a_containers_quota_counts(tmp_path, monkeypatch):
    quota = tmp_path / "cpu.max"
    monkeypatch.setattr(cores, "QUOTA", quota)
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for text, expected in (("max 100000", 8), ("200000 100000", 2), ("50000 100000", 1), ("nonsense", 8)):
        quota.write_text(text)
        assert usable_cores() == expected


def test_threads_come_down_to_the_usable_cores_unless_the_user_chose(two_threads, monkeypatch):
    monkeypatch.setattr(cores, "usable_cores", lambda: 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    fit_threads()
    assert torch.get_num_threads() == 2
    monkeypatch.delenv("OMP_NUM_THREADS")
    fit_threads()
    assert torch.get_num_threads() == 1
