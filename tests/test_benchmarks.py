"""The benchmark harness: sections are replaced, timing is interleaved."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.report import write_section
from benchmarks.timing import interleaved, milliseconds


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
