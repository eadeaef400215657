"""A catalogue by name or folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from talkwalk.datasets import movielens, synthetic_music
from talkwalk.files import cache_folder
from talkwalk.index.catalog import Catalog
from talkwalk.schema import unknown

SCHEMAS = Path(__file__).parent / "schemas"
LAYOUT = 1  # part of the cache's name: raise it when an adapter changes what it makes


class BuiltIn(NamedTuple):
    """A catalogue that can be asked for by name.

    Attributes:
        make: Makes it.
        sources: Files of this package that decide what is made; when one changes, it is made again.
    """

    make: Callable[[], Catalog]
    sources: tuple[Path, ...]


BUILT_IN: dict[str, BuiltIn] = {
    "movielens-100k": BuiltIn(movielens.movielens_100k, (movielens.SCHEMA,)),
    "synthetic-music": BuiltIn(synthetic_music.synthetic_music, synthetic_music.SOURCES),
}


def open_catalog(name: str | Path) -> Catalog:
    """Open a catalogue folder, or make a built-in one and keep it in the user's cache folder.

    Raises:
        FileNotFoundError: If `name` is neither a folder nor a built-in catalogue, or its data is not installed.
    """
    if Path(name).is_dir() and (str(name) not in BUILT_IN or (Path(name) / "items.parquet").is_file()):
        return Catalog.load(name)
    if str(name) not in BUILT_IN:
        raise FileNotFoundError(f"{unknown('catalogue', str(name), BUILT_IN)}, and no such folder")
    built_in = BUILT_IN[str(name)]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in built_in.sources)).hexdigest()[:8]
    kept = cache_folder() / "catalogs" / f"{name}-{LAYOUT}-{digest}"
    if not (kept / "items.parquet").is_file():
        built_in.make().save(kept)
    return Catalog.load(kept)


def open_for_training(name: str | Path) -> Catalog:
    """As `open_catalog`, for a model that is kept.

    Raises:
        ValueError: If nothing may be trained on the catalogue.
    """
    catalog = open_catalog(name)
    if catalog.evaluation_only:
        raise ValueError(f"catalog must be one that may be trained on, got {name}: {catalog.evaluation_only}")
    return catalog
