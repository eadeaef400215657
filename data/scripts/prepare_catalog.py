"""A catalogue folder from a publisher's files, or from any table with a schema.

python data/scripts/prepare_catalog.py dataset=movielens-100k out=FOLDER [path=FOLDER]
python data/scripts/prepare_catalog.py dataset=generic path=FILE schema=SCHEMA.yaml id=COLUMN out=FOLDER
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import hydra
from omegaconf import DictConfig

from talkwalk.config import CONFIG_DIR, CatalogConfig, register, to_object
from talkwalk.datasets.generic import generic
from talkwalk.datasets.movielens import movielens_100k
from talkwalk.index.catalog import Catalog
from talkwalk.schema import unknown


def _generic(config: CatalogConfig) -> Catalog:
    for name in ("path", "schema"):
        if not getattr(config, name):
            raise ValueError(f"dataset=generic needs {name}=FILE")
    return generic(config.path, config.schema, config.id)


READERS: dict[str, Callable[[CatalogConfig], Catalog]] = {
    "generic": _generic,
    "movielens-100k": lambda config: movielens_100k(config.path or None),
}


def prepare(config: CatalogConfig) -> Catalog:
    """Read the dataset and write `config.out`.

    Raises:
        ValueError: If the dataset is unknown, or `out` holds something else than a catalogue.
    """
    if config.dataset not in READERS:
        raise ValueError(unknown("dataset", config.dataset, READERS))
    check_target(Path(config.out))
    catalog = READERS[config.dataset](config)
    catalog.save(config.out)
    return catalog


def check_target(out: Path) -> None:
    """Raise `ValueError` unless `out` is new, empty, or a catalogue: saving replaces the whole folder."""
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / "items.parquet").is_file()):
        raise ValueError(f"out must be a new folder or a catalogue, but {out} holds other files")


@hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name="catalog")
def main(cfg: DictConfig) -> None:
    """Prepare as the config says."""
    config: CatalogConfig = to_object(cfg)
    print(f"{prepare(config)!r} is in {config.out}")


register()
if __name__ == "__main__":
    main()
