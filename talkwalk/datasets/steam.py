"""Games of the Steam store: `steam.csv` of May 2019, from the store and from SteamSpy."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from talkwalk.datasets.generic import check_columns, find_table, numbers, read_table, typed_rows
from talkwalk.datasets.movielens import shrunk
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Schema, is_missing

FILE = "steam.csv"
SCHEMA = Path(__file__).parent / "schemas" / "games.yaml"
TEXT = {"name": "title", "developer": "developer", "price": "price"}  # taken as they are; the file's: the schema's
NAMES = {"genres": "genre", "steamspy_tags": "tag"}
NUMBERS = ("positive_ratings", "negative_ratings", "median_playtime")
SAME = {  # the store's narrower names, as the schema says them
    "2D Fighter": "Fighting", "3D Platformer": "Platformer", "Local Co-Op": "Co-op", "Online Co-Op": "Co-op",
    "Psychological Horror": "Horror", "Puzzle-Platformer": "Platformer", "Rogue-lite": "Rogue-like",
    "Space Sim": "Space", "Survival Horror": "Horror", "Trading Card Game": "Card Game",
    "Turn-Based Combat": "Turn-Based", "Turn-Based Strategy": "Turn-Based", "Turn-Based Tactics": "Turn-Based",
    "VR Only": "VR",
}  # fmt: skip


def steam(path: str | Path) -> Catalog:
    """Read the games.

    Rating is the share of positive ratings, shrunk towards the store's; popularity the log of one plus the number of
    ratings; playtime the log of one plus the median minutes, where a median of 0 (nobody was seen playing) counts as
    missing. Genres and tags that the schema does not know are left out.

    Args:
        path: The file, gzipped or not, or its folder.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing, or a cell is of the wrong kind.
    """
    path = find_table(path, FILE)
    table = read_table(path)
    check_columns(table, ("appid", "release_date", *TEXT, *NAMES, *NUMBERS), where=str(path))
    positive, negative, minutes = (numbers(table, name, "appid", where=str(path)) for name in NUMBERS)
    schema = Schema.load(SCHEMA)
    ratings = positive + negative
    share = float(positive.sum() / max(ratings.sum(), 1.0))
    games = table[["appid", *TEXT]].rename(columns=TEXT)
    games = games.assign(
        developer=games["developer"].str.replace(";", ", "),
        year=table["release_date"].str[:4],
        popularity=np.log1p(ratings),
        rating=np.where(ratings > 0, shrunk(positive, ratings, share), np.nan),
        playtime=np.where(minutes > 0, np.log1p(minutes), np.nan),
    )
    for theirs, ours in NAMES.items():
        games[ours] = pd.Series([_known(cell, schema.items[ours].values) for cell in table[theirs]], dtype=object)
    items = typed_rows(games, schema.items, "appid", where=str(path))
    return Catalog(schema.fit(items), items)


def _known(cell: str | float, values: Iterable[str]) -> list[str]:
    """The names between ";" that are values of the schema, each once."""
    names = [] if is_missing(cell) else [name.strip() for name in str(cell).split(";")]
    return list(dict.fromkeys(SAME.get(name, name) for name in names if SAME.get(name, name) in values))
