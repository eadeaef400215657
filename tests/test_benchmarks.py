"""The benchmark harness: sections are replaced, timing is interleaved."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import large_model, startup, training
from benchmarks.perturbed import perturbed_rows
from benchmarks.report import write_section
from benchmarks.timing import in_turn, interleaved, milliseconds
from talkwalk.config import IndexBenchmarkConfig
from talkwalk.index.storage import write_rows
from talkwalk.projection.turns import TurnTable
from tests.conftest import make_language_model, movie_schema


def test_a_section_is_replaced_and_the_others_stay(tmp_path):
    report = tmp_path / "reports" / "performance.md"
    write_section("Turns", "python -m benchmarks.turns", "first", path=report)
    write_section("Index", "python -m benchmarks.index", "| a | b |\n|---|---|\n\n### More\n\nwords", path=report)
    index = report.read_text().partition("## Index")[2]
    write_section("Turns", "python -m benchmarks.turns", "second", path=report)
    text = report.read_text()
    assert text.startswith("# Performance\n") and text.count("# Performance") == 1
    assert "first" not in text and "second" in text
    assert text.partition("## Index")[2] == index and "### More" in index
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## Turns", "## Index"]
    assert "`python -m benchmarks.turns`" in text


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [("", "x", "name must be one line"), ("a\nb", "x", "name must be one line"), ("a", "x\n## b\n", "no headings")],
)
def test_a_section_stays_one_section(tmp_path, name, body, message):
    with pytest.raises(ValueError, match=message):
        write_section(name, "command", body, path=tmp_path / "r.md")
    assert not (tmp_path / "r.md").exists()


def test_runs_are_interleaved():
    order = []
    seconds = interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3, warm_up=1)
    assert order == ["a", "b"] * 4
    assert {name: values.shape for name, values in seconds.items()} == {"a": (3,), "b": (3,)}


def test_milliseconds_in_words():
    assert milliseconds(np.array([0.01, 0.02, 0.03])) == "20.0 (p95 29.0)"


def test_interleaved_runs_take_turns():
    called = []
    times = in_turn({"a": lambda n: called.append(("a", n)), "b": lambda n: called.append(("b", n)) or n}, 2)
    assert called == [("a", -1), ("b", -1), ("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    assert times["b"].results == [0, 1] and len(times["a"].cpu) == len(times["a"].wall) == 2
    assert times["a"].p50() >= 0


def test_perturbed_items_are_items(catalog):
    schema = movie_schema().fit(catalog.items)
    rows = perturbed_rows(catalog, schema, 200, np.random.default_rng(0))
    again = perturbed_rows(catalog, schema, 200, np.random.default_rng(0))
    assert rows.equals(again)
    low, high = schema.items["year"].range
    assert rows["year"].between(low, high).all() and rows["year"].nunique() > 100
    assert all(names and set(names) <= set(schema.items["genre"].values) for names in rows["genre"])
    assert schema.featurize(items=rows).joined().shape[0] == 200


@pytest.mark.slow
def test_an_exact_index_takes_the_memory_of_its_vectors(tmp_path):
    rng = np.random.default_rng(0)
    write_rows(tmp_path / "v.npy", (100_000, 1024), (rng.random((5000, 1024), "f4") for _ in range(20)))
    command = [sys.executable, "-m", "benchmarks.flat_memory", str(tmp_path / "v.npy"), str(tmp_path / "index")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent)
    facts = json.loads(done.stdout)
    assert 0.9 * facts["vectors"] < facts["peak"] < 1.1 * facts["vectors"]


def test_a_turn_of_a_random_qwen3_is_timed_after_a_thousand_tokens(monkeypatch):
    device = torch.device("cpu")
    monkeypatch.setattr(
        large_model, "random_model", lambda shape, device: make_language_model()
    )  # no model of any size is at hand
    assert all(len(p.ids) > large_model.HISTORY for p in large_model.prompts(make_language_model(), 2))
    monkeypatch.setitem(large_model.COPIED, "cpu", 1 << 20)
    said = large_model.measure(device, rounds=2)
    assert "a tiny Qwen3" in said
    assert "1,000 tokens of history" in said
    model = make_language_model().model
    table = model.embed_tokens.weight
    assert large_model.weight_bytes(model) == sum(p.nbytes for p in model.parameters()) - table.nbytes


def test_a_repeated_table_keeps_its_pairs_within_each_copy():
    turns, walks = 5, np.array([0, 0, 1, 1, 1])
    table = {f.name: np.zeros((turns, 1), dtype=np.float32) for f in dataclasses.fields(TurnTable)}
    table |= {name: [name] * turns for name in ("steps", "seen", "starts")}
    table |= {"walk": walks, "before": np.array([-1, 0, -1, 2, -1]), "twin": np.array([-1, -1, -1, 4, -1])}
    longer = training.repeated(TurnTable(**table), 8)
    assert longer.walk.tolist() == [0, 0, 1, 1, 1, 2, 2, 3, 3, 3]  # cut after a whole walk
    assert longer.before.tolist() == [-1, 0, -1, 2, -1, -1, 5, -1, 7, -1]
    assert longer.twin.tolist() == [-1, -1, -1, 4, -1, -1, -1, -1, 9, -1]
    assert len(longer.steps) == len(longer.states) == 10


def test_a_script_tells_its_figures():
    assert startup.in_new_process("import json; print(json.dumps({'a': 1.5}))") == {"a": 1.5}


def test_vectors_of_another_space_are_not_taken_for_this_ones(tmp_path):
    from benchmarks.index import folder_of

    space = tmp_path / "space"
    space.mkdir()
    (space / "metadata_encoder.safetensors").write_bytes(b"one")
    config = IndexBenchmarkConfig(
        space=str(space), catalog="c", items=10, queries=2, folder=str(tmp_path / "kept"), report="r.md"
    )
    first = folder_of(config)
    assert first.parent == tmp_path / "kept" and folder_of(config) == first
    assert folder_of(dataclasses.replace(config, report="other.md")) == first
    assert folder_of(dataclasses.replace(config, items=11)) != first
    (space / "metadata_encoder.safetensors").write_bytes(b"two")
    assert folder_of(config) != first
