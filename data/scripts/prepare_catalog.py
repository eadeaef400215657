"""A catalogue folder from a publisher's files, or from any table with a schema.

python data/scripts/prepare_catalog.py dataset=NAME path=FILE_OR_FOLDER out=FOLDER

movielens-100k    RecBole's files or GroupLens' own (u.item, ...); without path= from the wheel, or downloaded
movielens-1m      movies.dat, users.dat, ratings.dat; without path= downloaded
movielens-latest  movies.csv, ratings.csv, tags.csv, genome-scores.csv; without path= ml-latest-small is downloaded
movielens-25m     the same, downloaded as MovieLens 25M
movielens-32m     the same, downloaded as MovieLens 32M
spotify           spotify_songs.csv of TidyTuesday 2020-01-21; for evaluation only
steam             steam.csv
amazon            Amazon Reviews 2023: a folder with JSON lines of both sorts, or path=METADATA reviews=REVIEWS
generic           any .csv, .tsv, .jsonl or .parquet: path=FILE schema=SCHEMA.yaml id=COLUMN
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import hydra
import pyarrow.parquet as pq
from omegaconf import DictConfig

from talkwalk.config import CONFIG_DIR, CatalogConfig, register, to_object
from talkwalk.datasets.amazon import amazon
from talkwalk.datasets.download import download
from talkwalk.datasets.generic import generic
from talkwalk.datasets.movielens import movielens_100k
from talkwalk.datasets.movielens_1m import movielens_1m
from talkwalk.datasets.movielens_csv import movielens_csv
from talkwalk.datasets.spotify import spotify
from talkwalk.datasets.steam import steam
from talkwalk.index.catalog import check_target
from talkwalk.schema import Schema, unknown


def _needed(config: CatalogConfig, *names: str) -> None:
    for name in names:
        if not getattr(config, name):
            raise ValueError(f"dataset={config.dataset} needs {name}=FILE")


def _generic(config: CatalogConfig) -> None:
    _needed(config, "path", "schema")
    generic(config.path, config.schema, config.id).save(config.out)


def _spotify(config: CatalogConfig) -> None:
    _needed(config, "path")
    spotify(config.path).save(config.out)


def _steam(config: CatalogConfig) -> None:
    _needed(config, "path")
    steam(config.path).save(config.out)


def _amazon(config: CatalogConfig) -> None:
    _needed(config, "path")
    amazon(config.path, config.out, reviews=config.reviews, categories=config.categories)


def _movielens_100k(config: CatalogConfig) -> None:
    movielens_100k(config.path or None).save(config.out)


def _movielens_1m(config: CatalogConfig) -> None:
    movielens_1m(config.path or download("ml-1m"), config.out)


def _movielens_csv(archive: str) -> Callable[[CatalogConfig], None]:
    def write(config: CatalogConfig) -> None:
        movielens_csv(config.path or download(archive), config.out, tags=config.tags, genome=config.genome)

    return write


WRITERS: dict[str, Callable[[CatalogConfig], None]] = {
    "amazon": _amazon,
    "generic": _generic,
    "movielens-100k": _movielens_100k,
    "movielens-1m": _movielens_1m,
    "movielens-25m": _movielens_csv("ml-25m"),
    "movielens-32m": _movielens_csv("ml-32m"),
    "movielens-latest": _movielens_csv("ml-latest-small"),
    "spotify": _spotify,
    "steam": _steam,
}


def prepare(config: CatalogConfig) -> None:
    """Read the dataset and write `config.out`.

    Raises:
        ValueError: If the dataset is unknown, or `out` holds something else than a catalogue.
    """
    if config.dataset not in WRITERS:
        raise ValueError(unknown("dataset", config.dataset, WRITERS))
    check_target(Path(config.out))
    WRITERS[config.dataset](config)


def contents(folder: Path) -> str:
    """What a catalogue folder holds, as its `repr` has it, without reading its tables: they may exceed memory."""
    tables = {name: folder / f"{name}.parquet" for name in ("items", "users", "interactions")}
    counts = [f"{pq.read_metadata(p).num_rows if p.is_file() else 0} {name}" for name, p in tables.items()]
    return f"Catalog({Schema.load(folder / 'schema.yaml').domain}: {', '.join(counts)})"


@hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name="catalog")
def main(cfg: DictConfig) -> None:
    """Prepare as the config says."""
    config: CatalogConfig = to_object(cfg)
    prepare(config)
    print(f"{contents(Path(config.out))} is in {config.out}")


register()
if __name__ == "__main__":
    main()
