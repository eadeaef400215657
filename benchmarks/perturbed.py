"""Vectors for measuring an index: real items with perturbed attributes, and queries such as a conversation makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from talkwalk.contrastive.space import Space
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Attribute, Kind, Schema

CHUNK = 20_000
SPREAD = 0.1  # standard deviation of an ordered value's perturbation, as a share of its range
WISHES = (
    *("a gentle comedy", "something older", "a dark crime thriller from the nineties", "a little known western"),
    *("a famous war drama", "animation for children", "science fiction", "a well rated romance", "film noir"),
    *("a musical from the fifties", "horror, but not well known", "a documentary", "an adventure from the eighties"),
)


def perturbed_rows(catalog: Catalog, schema: Schema, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """`count` random items of the catalogue: ordered values moved a little, a name added, dropped or swapped."""
    rows = catalog.items.iloc[rng.integers(len(catalog.items), size=count)].reset_index(drop=True)
    for attribute in schema.items.values():
        if attribute.kind is Kind.ORDERED and attribute.range is not None:
            low, high = attribute.range
            moved = rows[attribute.name].to_numpy(float) + rng.normal(0, SPREAD * (high - low), count)
            rows[attribute.name] = np.clip(moved, low, high)
        elif attribute.kind is Kind.MULTI:
            names = [_perturbed_names(attribute, row, rng) for row in rows[attribute.name]]
            rows[attribute.name] = pd.Series(names, dtype=object)
    return rows


def perturbed_vectors(
    space: Space, catalog: Catalog, count: int, rng: np.random.Generator
) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Chunks of rows and their unit vectors (chunk, dim), `count` in all."""
    for start in range(0, count, CHUNK):
        rows = perturbed_rows(catalog, space.schema, min(CHUNK, count - start), rng)
        yield rows, space.encode_items(rows)


def query_vectors(space: Space, catalog: Catalog, count: int, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors (count, dim) between an item, itself perturbed, and the words of a wish: 0 to 70 % of the way."""
    (_, items), *_ = perturbed_vectors(space, catalog, count, rng)
    words = space.encode_text(list(WISHES))[rng.integers(len(WISHES), size=count)]
    share = rng.uniform(0, 0.7, size=(count, 1)).astype(np.float32)
    points = (1 - share) * items + share * words
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def _perturbed_names(attribute: Attribute, names: Sequence[str], rng: np.random.Generator) -> list[str]:
    kept = list(names)
    change = rng.random()
    if kept and change < 0.5:  # dropped, or swapped for the one added below
        kept.pop(int(rng.integers(len(kept))))
    if not kept or 0.25 < change < 0.75:
        kept.append(str(rng.choice(attribute.values)))
    return list(dict.fromkeys(kept))
