"""What raters sent back: means per group, and how far they agree."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from talkwalk.eval.agreement import Level, fleiss_kappa, krippendorff_alpha
from talkwalk.eval.intervals import bootstrap_mean
from talkwalk.eval.rating_tasks import RATING_FIELDS, STAND_IN, Question, Task
from talkwalk.eval.report import cell


@dataclass(frozen=True, slots=True)
class Ratings:
    """Who answered what.

    Attributes:
        raters: Their names.
        tasks: The tasks.
        values: NaN where a rater left a task out, (raters, tasks).
    """

    raters: tuple[str, ...]
    tasks: tuple[Task, ...]
    values: np.ndarray


def read_ratings(tasks: Sequence[Task], files: Sequence[Path]) -> Ratings:
    """The CSV files that raters sent back.

    Raises:
        ValueError: Naming file and line of a column, a task or a rating that cannot be.
    """
    column = {task.id: i for i, task in enumerate(tasks)}
    given: dict[str, dict[int, int]] = {}
    for path in files:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != RATING_FIELDS:
                raise ValueError(f"{path} must have the columns {RATING_FIELDS}, got {reader.fieldnames}")
            for line, row in enumerate(reader, start=2):
                task = column.get(row["task"])
                if task is None:
                    raise ValueError(f"{path}, line {line}: unknown task {row['task']!r}")
                most = len(tasks[task].answers)
                if not row["rating"].isdigit() or not 1 <= int(row["rating"]) <= most:
                    raise ValueError(f"{path}, line {line}: rating must be 1 to {most}, got {row['rating']!r}")
                given.setdefault(row["rater"], {})[task] = int(row["rating"])
    values = np.full((len(given), len(tasks)), np.nan)
    for number, answers in enumerate(given.values()):
        values[number, list(answers)] = list(answers.values())
    return Ratings(tuple(given), tuple(tasks), values)


def summarise(ratings: Ratings) -> list[str]:
    """Mean rating per group of the people, agreement between them, and beside it the automatic stand-in."""
    people = np.array([name != STAND_IN for name in ratings.raters], dtype=bool)
    lines = [f"{people.sum()} people; {STAND_IN} is a program and counted apart"]
    for question in Question:
        columns = np.array([t.question is question for t in ratings.tasks], dtype=bool)
        by_people, by_program = ratings.values[people][:, columns], ratings.values[~people][:, columns]
        groups = np.array([t.group for t in ratings.tasks])[columns]
        for who, values in (("people", by_people), (STAND_IN, by_program)):
            for group in sorted(set(groups)):
                mean = _column_means(values[:, groups == group])
                if len(mean):
                    lines.append(f"{question.value}, {group}, {who}: {cell(bootstrap_mean(mean), units=True)}")
        lines += [f"{question.value}, {line}" for line in _agreed(by_people, question)]
    return lines


def _column_means(values: np.ndarray) -> np.ndarray:
    """Mean rating of every task that somebody rated."""
    rated = np.isfinite(values).any(axis=0)
    return np.nanmean(values[:, rated], axis=0) if rated.any() else np.zeros(0)


def _agreed(values: np.ndarray, question: Question) -> list[str]:
    twice = np.isfinite(values).sum(axis=0) >= 2
    if not twice.any():
        return ["agreement: no task was rated by two people"]
    level = Level.NOMINAL if question is Question.LABEL else Level.INTERVAL
    lines = [f"Krippendorff's alpha ({level.value}): {krippendorff_alpha(values, level):.3f}"]
    whole = values[:, np.isfinite(values).all(axis=0)]
    if len(values) >= 2 and whole.shape[1]:
        answers = np.unique(whole)
        counts = (whole[:, :, None] == answers).sum(axis=0)  # (tasks, answers)
        lines.append(f"Fleiss' kappa, tasks that everybody rated: {fleiss_kappa(counts):.3f}")
    return lines
