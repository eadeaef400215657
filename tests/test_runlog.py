"""The record of a run."""

from __future__ import annotations

import json

from talkwalk.runlog import RunLog, summary


def test_lines_are_appended(tmp_path):
    for step in range(2):
        with RunLog(tmp_path) as run:
            run.log(step, loss=1.5)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == [{"step": 0, "loss": 1.5}, {"step": 1, "loss": 1.5}]


def test_an_inactive_log_writes_nothing(tmp_path):
    with RunLog(tmp_path / "run", active=False) as run:
        run.log(0, loss=1.0)
    assert not (tmp_path / "run").exists()


def test_summary_is_the_first_seed_and_the_spread():
    assert summary([{"x": 2.0}, {"x": 1.0}, {"x": 4.0}]) == {"x": {"value": 2.0, "low": 1.0, "high": 4.0}}
