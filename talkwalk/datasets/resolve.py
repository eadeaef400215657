"""A catalogue by name or folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from talkwalk.datasets.movielens import movielens_100k
from talkwalk.files import cache_folder
from talkwalk.index.catalog import Catalog
from talkwalk.schema import unknown

BUILT_IN: dict[str, Callable[[], Catalog]] = {"movielens-100k": movielens_100k}
SCHEMAS = Path(__file__).parent / "schemas"
LAYOUT = 1  # part of the cache's name: raise it when an adapter changes what it makes


def open_catalog(name: str | Path) -> Catalog:
    """Open a catalogue folder, or make a built-in one and keep it in the user's cache folder.

    Raises:
        FileNotFoundError: If `name` is neither a folder nor a built-in catalogue, or its data is not installed.
    """
    if Path(name).is_dir():
        return Catalog.load(name)
    if str(name) not in BUILT_IN:
        raise FileNotFoundError(f"{unknown('catalogue', str(name), BUILT_IN)}, and no such folder")
    schema = hashlib.sha256((SCHEMAS / f"{name}.yaml").read_bytes()).hexdigest()[:8]
    kept = cache_folder() / "catalogs" / f"{name}-{LAYOUT}-{schema}"
    if not (kept / "items.parquet").is_file():
        BUILT_IN[str(name)]().save(kept)
    return Catalog.load(kept)
