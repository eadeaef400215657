"""Amazon Reviews 2023: item metadata and reviews as JSON lines, gzipped or not; reviews are never all in memory."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path

import numpy as np
import pandas as pd

from talkwalk.datasets.interactions import Workbench, literal, workbench
from talkwalk.datasets.movielens import rated, shrunk
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Schema

SCHEMA = Path(__file__).parent / "schemas" / "shop.yaml"
SUFFIXES = (".jsonl", ".jsonl.gz")
REVIEW = "{'user_id': 'VARCHAR', 'parent_asin': 'VARCHAR', 'rating': 'DOUBLE', 'timestamp': 'BIGINT'}"
PRODUCT = (
    "{'parent_asin': 'VARCHAR', 'title': 'VARCHAR', 'brand': 'VARCHAR', 'store': 'VARCHAR', 'price': 'VARCHAR', "
    "'average_rating': 'DOUBLE', 'rating_number': 'BIGINT', 'main_category': 'VARCHAR', 'categories': 'VARCHAR[]'}"
)
PRICE = r"^(?:from )?\$?([0-9]+(?:\.[0-9]+)?)$"  # 17.49, "$1,299.00", "from 14.99"; a dash or "None" is no price


class Sort(Enum):
    """What the lines of a file are."""

    PRODUCTS = "products"
    REVIEWS = "reviews"


def amazon(path: str | Path, out: str | Path, *, reviews: str | Path = "", categories: int = 50) -> None:
    """Write a catalogue folder; how many reviews there are is bounded by no memory.

    With metadata, popularity is the log of one plus Amazon's number of ratings, and rating Amazon's average, shrunk
    towards the mean of all ratings; both count every customer of the shop, later ones too. Reviews of other items are
    left out. Without metadata, items have only these two, from the training part of the reviews. Timestamps become
    seconds.

    Args:
        path: A file of metadata or of reviews, or a folder with files of both; the first line tells which is which.
        out: Folder of the catalogue.
        reviews: One more file or folder; empty for none.
        categories: How many category names are kept: the most frequent ones.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a line is not the publisher's; names the file.
    """
    files = [file for place in (path, reviews) if str(place) for file in _files(Path(place))]
    sorts = {file: sort_of(file) for file in files}
    products, said = ([file for file in files if sorts[file] is sort] for sort in (Sort.PRODUCTS, Sort.REVIEWS))
    schema = Schema.load(SCHEMA)
    with workbench(out) as bench:
        items = pd.DataFrame()
        if products:
            items, names = _products(bench, products, categories)
            category = dataclasses.replace(schema.items["category"], values=tuple(sorted(names)), open=True)
            schema = dataclasses.replace(schema, items={**schema.items, "category": category})
        if said:
            _split(bench, said, known=items.index if products else None)
        if not products:
            ratings = bench.item_ratings()
            items = rated(pd.DataFrame(index=ratings.index), ratings)
        bench.save(Catalog(schema.fit(items.reindex(columns=list(schema.items))), items))


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    files = sorted(p for p in place.iterdir() if p.name.endswith(SUFFIXES)) if place.is_dir() else []
    if not files:
        raise FileNotFoundError(
            f"no JSON lines at {place}: it must be a file, or a folder with files of type {SUFFIXES}"
        )
    return files


def sort_of(path: Path) -> Sort:
    """Whether a file has products or reviews, by the fields of its first line.

    Raises:
        ValueError: If they are neither's.
    """
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
            fields = json.loads(file.readline())
    except (OSError, EOFError, ValueError) as error:  # a JSON or UTF-8 error is a ValueError
        raise ValueError(f"{path} must hold JSON lines: {error}") from error
    if not isinstance(fields, dict) or "parent_asin" not in fields:
        raise ValueError(f"{path} line 1 must be a product or a review with a 'parent_asin', got {str(fields)[:80]}")
    return Sort.REVIEWS if "user_id" in fields else Sort.PRODUCTS


def _lines(paths: Sequence[Path], columns: str) -> str:
    return f"read_json({literal(*paths)}, format = 'newline_delimited', columns = {columns})"


def _split(bench: Workbench, paths: Sequence[Path], known: Iterable[str] | None) -> None:
    seconds = '"timestamp" / 1000 AS "timestamp"'
    bench.split(f"SELECT user_id, parent_asin AS item_id, rating, {seconds} FROM {_lines(paths, REVIEW)}", known)


def _products(bench: Workbench, paths: Sequence[Path], count: int) -> tuple[pd.DataFrame, list[str]]:
    """Items by id, and the names of their categories; of a product that is there twice, the line with more ratings."""
    bench.db.execute(
        f"""CREATE TABLE products AS SELECT
            parent_asin AS id, title, coalesce(brand, store) AS brand, average_rating, rating_number,
            CASE WHEN len(categories) > 0 THEN categories ELSE [main_category] END AS names,
            TRY_CAST(regexp_extract(replace(price, ',', ''), '{PRICE}', 1) AS DOUBLE) AS price
        FROM {_lines(paths, PRODUCT)} WHERE parent_asin <> ''
        QUALIFY row_number() OVER (PARTITION BY parent_asin ORDER BY rating_number DESC NULLS LAST, title) = 1"""
    )
    ranking = "ORDER BY count(DISTINCT id) DESC, name LIMIT ?"
    frequent = (
        f"SELECT name FROM (SELECT id, unnest(names) AS name FROM products) WHERE name <> '' GROUP BY name {ranking}"
    )
    names = [name for (name,) in bench.db.execute(frequent, [count]).fetchall()]
    chosen = "list_filter(names, lambda name, i: list_contains(?, name) AND list_position(names, name) = i)"
    query = (
        f"SELECT id, title, brand, price, average_rating, rating_number, {chosen} AS category FROM products ORDER BY id"
    )
    table = bench.db.execute(query, [names]).df().set_index("id")
    bench.db.execute("DROP TABLE products")
    return _with_ratings(table), names


def _with_ratings(table: pd.DataFrame) -> pd.DataFrame:
    """The items with popularity and rating in place of the publisher's two columns; both missing where those are."""
    counts = table["rating_number"].to_numpy(dtype=np.float64, na_value=np.nan)
    average = table["average_rating"].to_numpy(dtype=np.float64, na_value=np.nan)
    both = (counts > 0) & ~np.isnan(average)
    mean = float(np.average(average[both], weights=counts[both])) if both.any() else np.nan
    return table.drop(columns=["average_rating", "rating_number"]).assign(
        popularity=np.log1p(counts), rating=np.where(both, shrunk(average * counts, counts, mean), np.nan)
    )
