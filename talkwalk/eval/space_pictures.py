"""Pictures of the space: laid flat and coloured by every attribute, and the paths along its axes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from talkwalk.contrastive.validation import STEPS, axis_moves
from talkwalk.files import atomic_file
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Kind, is_missing

COLOURS = [
    f"C{number}" for number in range(10) if number != 7
]  # of the commonest categories; C7 is grey, as others are
GREY = "0.85"


def lay_flat(vectors: np.ndarray, method: str, *, seed: int = 0) -> np.ndarray:
    """Two coordinates per unit vector, (vectors, 2).

    Args:
        vectors: (vectors, dim), at least 3.
        method: "umap" (McInnes et al. 2018; keeps neighbourhoods) or "pca" (keeps distances where it can, and is fast).
        seed: Of UMAP.

    Raises:
        ValueError: On an unknown method or fewer than 3 vectors.
    """
    if len(vectors) < 3:
        raise ValueError(f"vectors must be at least 3 to be laid flat, got {len(vectors)}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {sorted(METHODS)}, got {method!r}")
    return METHODS[method](vectors, seed)


def _umap(vectors: np.ndarray, seed: int) -> np.ndarray:
    from umap import UMAP  # compiles itself for seconds

    neighbours = min(15, len(vectors) - 1)
    plane = UMAP(n_neighbors=neighbours, metric="cosine", init="pca", random_state=seed, n_jobs=1).fit_transform(
        vectors
    )
    return np.asarray(plane)


def _pca(vectors: np.ndarray, seed: int) -> np.ndarray:
    centred = vectors - vectors.mean(axis=0)
    return np.asarray(centred @ _main_directions(centred, 2).T)


METHODS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {"umap": _umap, "pca": _pca}


def _main_directions(vectors: np.ndarray, count: int) -> np.ndarray:
    """Directions of the largest spread about the origin, the larger first, (count, dim).

    Each points to where its largest entry is positive, so that a picture does not flip.
    """
    directions = np.linalg.svd(vectors, full_matrices=False)[2][:count]
    signs = np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)])
    return np.asarray(directions * signs[:, None])


def path_plane(paths: np.ndarray) -> np.ndarray:
    """Paths in the plane in which they run: along their mean direction, and across it where they bend most.

    Args:
        paths: From `axis_paths`, (items, steps, dim).

    Returns:
        (items, steps, 2): position along the mean direction, and across it.
    """
    mean = axis_moves(paths).mean(axis=0)
    along = mean / max(float(np.linalg.norm(mean)), 1e-12)
    bends = paths - paths.mean(axis=1, keepdims=True)
    bends = bends - (bends @ along)[..., None] * along
    across = _main_directions(bends.reshape(-1, paths.shape[2]), 1)[0]
    return np.stack([paths @ along, paths @ across], axis=-1)


def draw_space(points: np.ndarray, catalog: Catalog, rows: np.ndarray, attribute: str, path: Path) -> None:
    """Write a PNG of the items `rows` at `points` (rows, 2), coloured by one attribute."""
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    if catalog.schema.items[attribute].kind is Kind.ORDERED:
        ranks = catalog.ranks(attribute).to_numpy()[rows]
        known = np.isfinite(ranks)
        _dots(axes, points[~known], color=GREY)
        dots = _dots(axes, points[known], c=ranks[known], cmap="viridis", vmin=0, vmax=1)
        figure.colorbar(dots, label=f"{attribute}, rank in the catalogue")
    else:
        _draw_names(axes, points, [_first(cell) for cell in catalog.items[attribute].iloc[rows]])
    axes.set(title=f"{len(rows)} items by {attribute}", xticks=[], yticks=[])
    _save(figure, path)


def _first(cell: Any) -> str:
    """The first of an item's names, "" without any."""
    return "" if is_missing(cell) else cell if isinstance(cell, str) else str(cell[0])


def _draw_names(axes: Any, points: np.ndarray, names: Sequence[str]) -> None:
    common = [name for name, _ in sorted(Counter(filter(None, names)).items(), key=lambda n: (-n[1], n[0]))][
        : len(COLOURS)
    ]
    own = np.array(names, dtype=object)
    _dots(axes, points[~np.isin(own, common)], color=GREY, label="other")
    for colour, name in zip(COLOURS, common, strict=False):
        _dots(axes, points[own == name], color=colour, label=name)
    axes.legend(markerscale=3, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))


def draw_paths(paths: np.ndarray, names: Sequence[str], attribute: str, path: Path) -> None:
    """Write a PNG of the paths (items, 21, dim) of a few items while one attribute sweeps from 0 to 1."""
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    units = np.linspace(0, 1, STEPS)
    for number, (course, name) in enumerate(zip(path_plane(paths), names, strict=True)):
        axes.plot(course[:, 0], course[:, 1], color=f"C{number % 10}", linewidth=1, label=name)
        dots = _dots(axes, course, c=units, cmap="viridis", zorder=3)
    figure.colorbar(dots, label=attribute)
    axes.set(
        title=f"{attribute} from 0 to 1 in {STEPS - 1} steps", xlabel="along the mean direction", ylabel="across it"
    )
    axes.legend(fontsize="x-small")
    _save(figure, path)


def _dots(axes: Any, points: np.ndarray, **style: Any) -> Any:
    return axes.scatter(points[:, 0], points[:, 1], s=6, **style)


def _save(figure: Figure, path: Path) -> None:
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
