"""Regions of the space."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from talkwalk.index.catalog import Catalog

ROUNDS = 50


class Clusters(NamedTuple):
    """Regions of unit vectors.

    Attributes:
        centres: Unit vectors, (clusters, dim).
        labels: Region of every vector, (vectors,).
    """

    centres: np.ndarray
    labels: np.ndarray


def spherical_kmeans(vectors: np.ndarray, count: int, rng: np.random.Generator, *, rounds: int = ROUNDS) -> Clusters:
    """k-means by cosine (Dhillon and Modha 2001), begun with k-means++ (Arthur and Vassilvitskii 2007).

    Args:
        vectors: Unit vectors, (vectors, dim).
        count: Number of regions; fewer where there are fewer distinct vectors.
        rng: Draws the first centres.
        rounds: Most rounds.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    centres = _seeds(vectors, count, rng)
    labels = nearest_centre(vectors, centres)
    for _ in range(rounds):
        sums = np.zeros_like(centres)
        np.add.at(sums, labels, vectors)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(norms > 0, sums / np.maximum(norms, 1e-12), centres)  # an empty region stays where it was
        moved = nearest_centre(vectors, centres)
        if (moved == labels).all():
            break
        labels = moved
    return Clusters(centres, labels)


def metadata_regions(catalog: Catalog, count: int, rng: np.random.Generator) -> dict[str, int]:
    """Region of every item: clusters of what a catalogue says of its items, which belong to no system's space."""
    features = catalog.features().astype(np.float64)
    features -= features.mean(axis=0)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    labels = spherical_kmeans(features / np.maximum(lengths, 1e-12), count, rng).labels
    return dict(zip(catalog.ids, labels.tolist(), strict=True))


def nearest_centre(vectors: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Index of the nearest centre, (vectors,)."""
    return np.asarray((vectors @ centres.T).argmax(axis=1))


def _seeds(vectors: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Vectors far from each other, (at most count, dim)."""
    chosen = [int(rng.integers(len(vectors)))]
    distance = _distance(vectors, vectors[chosen[0]])
    while len(chosen) < count and distance.sum() > 0:
        chosen.append(int(rng.choice(len(vectors), p=distance / distance.sum())))
        distance = np.minimum(distance, _distance(vectors, vectors[chosen[-1]]))
    return vectors[chosen].astype(np.float64)


def _distance(vectors: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """1 - cosine, with rounding errors of equal vectors removed, (vectors,)."""
    distance = 1.0 - vectors.astype(np.float64) @ vector.astype(np.float64)
    return np.where(distance < 1e-6, 0.0, distance)
