"""Can a person make sense of it? Regions of the space, and movements within it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from talkwalk.eval.controllability import categories_of
from talkwalk.eval.sessions import RecordedSession, steers
from talkwalk.index.catalog import Catalog
from talkwalk.projection.steps import StepKind
from talkwalk.schema import Schema


def category_table(catalog: Catalog) -> np.ndarray:
    """Which categories every item has, bool (items, names)."""
    owned = [categories_of(catalog, item_id) for item_id in catalog.ids]
    names = sorted(set().union(*owned)) if owned else []
    return np.array([[name in mine for name in names] for mine in owned], dtype=bool).reshape(len(owned), len(names))


def region_names(labels: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """The category that stands out most in each region: largest share in it minus share in the catalogue.

    Args:
        labels: Region of every item, (items,).
        categories: See `category_table`, (items, names).

    Returns:
        Column of `categories` per region, (regions,); 0 for a region without items.
    """
    everywhere = categories.mean(axis=0)
    regions = range(int(labels.max()) + 1)
    return np.array([_outstanding(categories[labels == r], everywhere) for r in regions], dtype=int)


def _outstanding(inside: np.ndarray, everywhere: np.ndarray) -> int:
    return int((inside.mean(axis=0) - everywhere).argmax()) if len(inside) else 0


class Coherence(NamedTuple):
    """Per item that has a category; both (items,).

    Attributes:
        matched: 1.0 where the item has the category that its region is named after.
        shuffled: The same where the regions hold random items instead; what names alone achieve.
    """

    matched: np.ndarray
    shuffled: np.ndarray


def embedding_space_coherence(labels: np.ndarray, categories: np.ndarray, rng: np.random.Generator) -> Coherence:
    """Do regions of the space mean something to people (docs/metrics.md)?

    Protocol: the plan clusters the space, names the regions with an LLM and asks people whether the names fit. This is
    the automatic stand-in for those people: a region is named after the category that stands out most in it, and the
    name fits an item that has this category. Beside it the same with items dealt to regions of the same sizes at
    random. Range 0 to 1; the difference of the means is what the space itself contributes.

    Args:
        labels: Region of every item, from `clusters.spherical_kmeans`, (items,).
        categories: See `category_table`, (items, names).
        rng: Shuffles.
    """
    named = categories.any(axis=1)
    labels, categories = labels[named], categories[named]
    if not len(labels):
        return Coherence(np.zeros(0), np.zeros(0))
    return Coherence(_matched(labels, categories), _matched(rng.permutation(labels), categories))


def _matched(labels: np.ndarray, categories: np.ndarray) -> np.ndarray:
    names = region_names(labels, categories)
    return categories[np.arange(len(labels)), names[labels]].astype(np.float64)


def steering_traceability(sessions: Sequence[RecordedSession], schema: Schema) -> np.ndarray:
    """Does the trace say what was asked (docs/metrics.md)?

    Protocol: of the ordered attributes in a steer's trace (the movement between the two answers, by the same function
    for every system), the one that moved most is the asked one, the asked way.
    Steers along an ordered attribute with a trace only. Range 0 or 1; a system that moves at random has
    1 / (2 x ordered attributes).

    Returns:
        One value per steer, (steers,).
    """
    axes = {a.name for a in schema.ordered}
    told = []
    for moment in steers(sessions, [StepKind.DIRECTION]):
        moved = {name: value for name, value in moment.turn.trace.items() if name in axes}
        if moved:
            largest = max(moved, key=lambda name: abs(moved[name]))
            right = largest == moment.turn.ask.subject and moved[largest] * int(moment.turn.ask.value or 0) > 0
            told.append(float(right))
    return np.array(told)


def axis_directions(vectors: np.ndarray, ranks: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Unit vector along which each ordered attribute grows in a system's space, (dim,).

    Least squares of the item vectors on the catalogue ranks of all ordered attributes at once, so that an attribute's
    direction holds nothing of those that it is correlated with. Missing ranks count as the middle.

    Args:
        vectors: Of every item, (items, dim).
        ranks: Of every ordered attribute, NaN where missing, (items, axes).
        names: Of the attributes, (axes,).
    """
    centred = np.nan_to_num(ranks - 0.5, nan=0.0)
    table = np.concatenate([centred, np.ones((len(ranks), 1))], axis=1)
    slopes = np.linalg.lstsq(table, vectors.astype(np.float64), rcond=None)[0][:-1]  # (axes, dim)
    return {n: slope / max(float(np.linalg.norm(slope)), 1e-12) for n, slope in zip(names, slopes, strict=True)}


def movement_alignment(sessions: Sequence[RecordedSession], directions: Mapping[str, np.ndarray]) -> np.ndarray:
    """Does the position move along the asked attribute (docs/metrics.md)?

    Protocol: for every steer along an ordered attribute that follows another turn, the cosine between the movement of
    the position and the attribute's direction in the system's space, the asked way round. Range -1 to 1; 0 for a
    position that does not move, and about 0 for one that moves anywhere. Turns without a position are left out.

    Args:
        sessions: What was said and where it led.
        directions: From `axis_directions`.

    Returns:
        One value per steer, (steers,).
    """
    cosines = []
    for moment in steers(sessions, [StepKind.DIRECTION]):
        ask = moment.turn.ask
        before, now = moment.before.position if moment.before else None, moment.turn.position
        if before is not None and now is not None and ask.subject is not None and ask.subject in directions:
            moved = now - before
            along = directions[ask.subject] * int(ask.value or 0)
            cosines.append(float(moved @ along) / max(float(np.linalg.norm(moved)), 1e-12))
    return np.array(cosines)
