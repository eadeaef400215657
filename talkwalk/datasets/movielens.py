"""MovieLens-100K, in the layout of the RecBole wheel (tab-separated, typed headers)."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from talkwalk.index.catalog import Catalog
from talkwalk.schema import Schema
from talkwalk.splits import Split
from talkwalk.wheels import missing_wheel, wheel_folder

SCHEMA = Path(__file__).parent / "schemas" / "movielens-100k.yaml"
FILES = ("ml-100k.item", "ml-100k.user", "ml-100k.inter")
PRIOR_RATINGS = 10  # a film's mean rating counts as if it had this many more ratings at the global mean
AGE_RANGES = ((18, "under-18"), (25, "18-24"), (35, "25-34"), (50, "35-49"), (math.inf, "50+"))
FREQUENCIES = ((40, "casual"), (150, "regular"), (math.inf, "power"))  # ratings given in the training part


def movielens_100k(folder: str | Path | None = None) -> Catalog:
    """Read MovieLens-100K.

    The last interaction of every user is test, the one before validation. Popularity (log of one plus the
    number of ratings) and rating (mean, shrunk towards the global mean) use the training part only.

    Args:
        folder: Where `ml-100k.item`, `.user` and `.inter` are; the installed RecBole wheel when None.

    Raises:
        FileNotFoundError: If the wheel or a file is missing.
    """
    folder = Path(folder) if folder is not None else _wheel_data()
    for name in FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(f"MovieLens-100K needs {name} in {folder}")
    item_table, user_table, inter = (pd.read_csv(folder / name, sep="\t", dtype=str) for name in FILES)
    interactions = split_by_time(_interactions(inter))
    train = interactions[interactions["split"] == Split.TRAIN.value]
    items = _items(item_table, train)
    users = _users(user_table, train)
    return Catalog(Schema.load(SCHEMA).fit(items, users), items, users, interactions)


def _wheel_data() -> Path:
    wheel = wheel_folder("recbole")
    if wheel is None:
        raise missing_wheel("recbole", "MovieLens-100K")
    return wheel / "dataset_example" / "ml-100k"


def _interactions(inter: pd.DataFrame) -> pd.DataFrame:
    inter.columns = [name.split(":")[0] for name in inter.columns]
    return inter.astype({"rating": float, "timestamp": float})


def split_by_time(interactions: pd.DataFrame) -> pd.DataFrame:
    """Add the column `split`: per user the last interaction is "test", the one before "valid", the rest "train"."""
    ordered = interactions.sort_values(["user_id", "timestamp", "item_id"], kind="stable").reset_index(drop=True)
    from_end = ordered.groupby("user_id").cumcount(ascending=False)
    names = {0: Split.TEST.value, 1: Split.VALID.value}
    ordered["split"] = [names.get(n, Split.TRAIN.value) for n in from_end]
    return ordered


def _items(table: pd.DataFrame, train: pd.DataFrame) -> pd.DataFrame:
    table.columns = [name.split(":")[0] for name in table.columns]
    table = table.set_index("item_id")
    ratings = train.groupby("item_id")["rating"].agg(["count", "sum"]).reindex(table.index).fillna(0.0)
    mean = train["rating"].mean()
    return pd.DataFrame(
        {
            "title": [_title(t) for t in table["movie_title"]],
            "genre": [_genres(g) for g in table["class"]],
            "year": pd.to_numeric(table["release_year"], errors="coerce"),
            "popularity": [math.log1p(count) for count in ratings["count"]],
            "rating": (ratings["sum"] + PRIOR_RATINGS * mean) / (ratings["count"] + PRIOR_RATINGS),
        },
        index=table.index,
    )


def _title(title: str) -> str:
    """Put the article in front again: "Birdcage, The" is "The Birdcage"."""
    for article in ("The", "A", "An"):
        if title.endswith(f", {article}"):
            return f"{article} {title[: -len(article) - 2]}"
    return title


def _genres(names: str | float) -> list[str]:
    """Genres of the class column; the publisher's "unkonwn" (sic) is no genre."""
    return [name for name in str(names).split() if name not in ("unkonwn", "unknown", "nan")]


def _users(table: pd.DataFrame, train: pd.DataFrame) -> pd.DataFrame:
    table.columns = [name.split(":")[0] for name in table.columns]
    table = table.set_index("user_id")
    ages = table["age"].astype(float)
    given = train.groupby("user_id").size().reindex(table.index).fillna(0)
    return pd.DataFrame(
        {
            "age": ages,
            "age_range": [_bracket(age, AGE_RANGES) for age in ages],
            "gender": table["gender"],
            "occupation": table["occupation"],
            "viewing_frequency": [_bracket(count, FREQUENCIES) for count in given],
        },
        index=table.index,
    )


def _bracket(value: float, brackets: tuple[tuple[float, str], ...]) -> str:
    return next(name for limit, name in brackets if value < limit)
