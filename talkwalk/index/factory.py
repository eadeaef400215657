"""The index that fits a number of items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from talkwalk.index.approximate import IvfIndex
from talkwalk.index.lookup import FlatIndex
from talkwalk.index.settings import IndexConfig
from talkwalk.index.storage import read_kind

KINDS: dict[str, type[FlatIndex]] = {kind.kind: kind for kind in (FlatIndex, IvfIndex)}


def build_index(ids: Sequence[str], vectors: np.ndarray, config: IndexConfig | None = None) -> FlatIndex:
    """An index of these items.

    The rule: exact up to 100 MB of vectors (200,000 items of 128 dimensions), which one core reads in some
    milliseconds; beyond that inverted lists. An index keeps its kind while it grows: build it again after its size
    has changed several times over.

    Args:
        ids: n different strings.
        vectors: Float32 (n, dim), n or more than zero where the lists are to be trained on them.
        config: Where the rule draws its lines; the defaults if not given.
    """
    config = config or IndexConfig()
    index = _empty(vectors, config)
    index.add(ids, vectors)
    return index


def open_index(folder: str | Path, *, read_only: bool = False) -> FlatIndex:
    """Read an index of any kind; arguments and errors as for `FlatIndex.load`."""
    kind = read_kind(Path(folder))
    if kind not in KINDS:
        raise ValueError(f"{folder} holds an index of kind {kind!r}, this TalkWalk reads {sorted(KINDS)}")
    return KINDS[kind].load(folder, read_only=read_only)


def _empty(vectors: np.ndarray, config: IndexConfig) -> FlatIndex:
    if vectors.ndim != 2:
        raise ValueError(f"vectors must have shape (n, dim), got {vectors.shape}")
    count, dim = vectors.shape
    if count * dim * 4 <= config.exact_megabytes * 1e6:
        return FlatIndex(dim)
    return IvfIndex.train(
        vectors,
        lists=min(config.lists or round(2 * math.sqrt(count)), count),
        probes=config.probes,
        codes=config.codes,
        enough=config.enough,
        exact_below=config.exact_below,
        seed=config.seed,
    )
