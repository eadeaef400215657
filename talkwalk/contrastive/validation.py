"""What makes a good space, as numbers: words find their metadata, and attributes move it along straight, even paths."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from talkwalk.contrastive.smoothing import ordered_columns
from talkwalk.schema import Schema

STEPS = 21

Encode = Callable[[np.ndarray], np.ndarray]  # features (rows, width) to unit vectors (rows, dim)


def top1(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Per query, 1.0 if its own candidate (same row) is the nearest of all, else 0.0; inputs (n, dim)."""
    return ((queries @ candidates.T).argmax(axis=1) == np.arange(len(queries))).astype(np.float64)


class AxisReport(NamedTuple):
    """How an ordered attribute runs through the space.

    Attributes:
        consistency: Mean cosine between a row's movement from low to high and the mean movement.
        spearman: Rank correlation of attribute and position along the mean direction, mean over rows.
        largest_step: Largest of 20 equal steps over their mean, mean over rows.
    """

    consistency: float
    spearman: float
    largest_step: float


def axis_paths(encode: Encode, features: np.ndarray, column: tuple[int, int]) -> np.ndarray:
    """Vectors of each row with the attribute swept over [0, 1]: (rows, 21, dim)."""
    sweep = np.repeat(features[:, None, :], STEPS, axis=1)
    sweep[:, :, column[0]] = np.linspace(-1, 1, STEPS)
    sweep[:, :, column[1]] = 1.0
    return encode(sweep.reshape(-1, features.shape[1])).reshape(len(features), STEPS, -1)


def axis_vectors(encode: Encode, features: np.ndarray, schema: Schema) -> np.ndarray:
    """Mean movement of rows that belongs to the whole scale of every ordered item attribute, (axes, dim).

    Taken from 0.2 to 0.8, where a path is straightest, and stretched.
    """
    low, high = round(0.2 * (STEPS - 1)), round(0.8 * (STEPS - 1))
    columns = ordered_columns(schema)[: len(schema.ordered)]  # item attributes come first
    paths = (axis_paths(encode, features, column) for column in columns)
    return np.stack([(path[:, high] - path[:, low]).mean(axis=0) / 0.6 for path in paths])


class AxisRows(NamedTuple):
    """The figures of `AxisReport` before they are averaged; all (rows,)."""

    consistency: np.ndarray
    spearman: np.ndarray
    largest_step: np.ndarray


def axis_moves(paths: np.ndarray) -> np.ndarray:
    """Unit vectors from 0.2 to 0.8 of every path (rows, steps, dim), (rows, dim)."""
    return _unit(paths[:, round(0.8 * (STEPS - 1))] - paths[:, round(0.2 * (STEPS - 1))])


def axis_rows(paths: np.ndarray) -> AxisRows:
    """Figures of every path (rows, steps, dim) of one attribute; consistency is taken from 0.2 to 0.8."""
    moves = axis_moves(paths)
    direction = _unit(moves.mean(axis=0))
    positions = paths @ direction  # (rows, steps)
    ranks = positions.argsort(axis=1).argsort(axis=1)
    expected = np.arange(STEPS) - (STEPS - 1) / 2
    spearman = ((ranks - (STEPS - 1) / 2) * expected).sum(axis=1) / (expected**2).sum()
    steps = np.linalg.norm(np.diff(paths, axis=1), axis=2)
    return AxisRows(moves @ direction, spearman, steps.max(axis=1) / steps.mean(axis=1))


def axis_report(paths: np.ndarray) -> AxisReport:
    """Mean figures of the paths (rows, steps, dim) of one attribute."""
    return AxisReport(*(float(values.mean()) for values in axis_rows(paths)))


def axis_reports(encode: Encode, features: np.ndarray, schema: Schema) -> dict[str, AxisReport]:
    """A report per ordered item attribute."""
    columns = ordered_columns(schema)[: len(schema.ordered)]  # item attributes come first
    return {
        attribute.name: axis_report(axis_paths(encode, features, column))
        for attribute, column in zip(schema.ordered, columns, strict=True)
    }


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
