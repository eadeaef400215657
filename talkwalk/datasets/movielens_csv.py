"""MovieLens in comma-separated files: latest-small, latest, 25M, 32M.

`movies.csv` and `ratings.csv`; where they are there, also `tags.csv` and the tag genome (`genome-scores.csv`,
`genome-tags.csv`). Each may be gzipped.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd

from talkwalk.datasets.generic import check_columns, find_table, read_table
from talkwalk.datasets.interactions import Workbench, literal, workbench
from talkwalk.datasets.movielens import SCHEMA, frequencies, known_genres, rated, split_title, straight
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Attribute, Kind, Scale, Schema, Show

CANDIDATES = 10  # genome tags that are looked at for every one that is taken
ALIKE = 0.7  # two tags whose relevances correlate more than this say the same
CSV = "header = true, delim = ',', quote = '\"', escape = '\"'"


def movielens_csv(folder: str | Path, out: str | Path, *, tags: int = 50, genome: int = 10) -> None:
    """Write a catalogue folder with the film attributes of MovieLens-100K, treated alike, and more from tags.

    People of these files have no profile, only how much they rate. Their number of ratings is bounded by no memory.

    Args:
        folder: Where the files are, or one of the files.
        out: Folder of the catalogue.
        tags: How many user tags become names of the multi attribute `tag`: those that most people gave.
        genome: How many tags of the genome become ordered attributes, by the relevance that the genome says.

    Raises:
        FileNotFoundError: If `movies.csv` or `ratings.csv` is missing.
        ValueError: If a file has not the publisher's columns.
    """
    folder = Path(folder).parent if Path(folder).is_file() else Path(folder)
    schema = Schema.load(SCHEMA)
    movies = _movies(find_table(folder, "movies.csv"), schema)
    with workbench(out) as bench:
        columns = 'userId AS user_id, movieId AS item_id, rating, "timestamp"'
        ratings = _csv(find_table(folder, "ratings.csv"), userId="VARCHAR", movieId="VARCHAR", rating="DOUBLE")
        bench.split(f"SELECT {columns} FROM {ratings}", known=movies.index)
        items = rated(movies, bench.item_ratings())
        schema, items = _with_tags(bench, schema, items, folder, tags)
        schema, items = _with_genome(bench, schema, items, folder, genome)
        given = bench.given()
        users = pd.DataFrame({"viewing_frequency": frequencies(given)}, index=given.index)
        bench.save(Catalog(schema.fit(items, users), items, users))


def _csv(path: Path, **types: str) -> str:
    """SQL that reads a file; everything about its format is said, because a guess from its first rows may be wrong."""
    named = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items())
    return f"read_csv({literal(path)}, {CSV}, types = {{{named}}})"


def _movies(path: Path, schema: Schema) -> pd.DataFrame:
    table = read_table(path)
    check_columns(table, ("movieId", "title", "genres"), where=str(path))
    named = [split_title(text) for text in table["title"]]
    columns = {
        "title": [straight(title) for title, _ in named],
        "genre": [known_genres(str(names).split("|"), schema) for names in table["genres"]],
        "year": [year for _, year in named],
    }
    return pd.DataFrame(columns, index=list(table["movieId"]))


def _optional(folder: Path, name: str) -> Path | None:
    try:
        return find_table(folder, name)
    except FileNotFoundError:
        return None


def _with_tags(
    bench: Workbench, schema: Schema, items: pd.DataFrame, folder: Path, count: int
) -> tuple[Schema, pd.DataFrame]:
    """Add `tag`. By people, not by films: one person's shelf marks ("getdvd") fill many films and mean nothing."""
    path = _optional(folder, "tags.csv")
    if path is None or count == 0:
        return schema, items
    said = _csv(path, userId="VARCHAR", movieId="VARCHAR", tag="VARCHAR")
    said = f"SELECT userId, movieId, lower(trim(tag)) AS name FROM {said} WHERE movieId IN (SELECT id FROM known)"
    ranking = "ORDER BY count(DISTINCT userId) DESC, count(*) DESC, name LIMIT ?"
    names = bench.db.execute(f"SELECT name FROM ({said}) WHERE name <> '' GROUP BY name {ranking}", [count]).fetchall()
    kept = f"SELECT DISTINCT movieId, name FROM ({said}) WHERE name IN (SELECT unnest(?)) ORDER BY movieId, name"
    given = bench.db.execute(kept, [[name for (name,) in names]]).df().groupby("movieId")["name"].agg(list)
    attribute = Attribute("tag", Kind.MULTI, values=tuple(sorted(name for (name,) in names)))
    schema = dataclasses.replace(schema, items={**schema.items, "tag": attribute})
    return schema, items.assign(tag=given.reindex(items.index))


def _with_genome(
    bench: Workbench, schema: Schema, items: pd.DataFrame, folder: Path, count: int
) -> tuple[Schema, pd.DataFrame]:
    """Add one ordered attribute per chosen tag; films outside the genome lack them."""
    scores, names = _optional(folder, "genome-scores.csv"), _optional(folder, "genome-tags.csv")
    if scores is None or names is None or count == 0:
        return schema, items
    relevances = informative_tags(bench, scores, names, count)
    axes = {}
    for tag in relevances.columns:
        name = re.sub(r"\W+", "_", str(tag).lower()).strip("_")
        if name not in schema.items:
            words = (f"less {tag}", f"more {tag}")
            axes[name] = Attribute(name, Kind.ORDERED, Scale.RANK, range=(0, 1), words=words, show=Show.LEVEL)
            items = items.assign(**{name: relevances[tag].reindex(items.index)})
    return dataclasses.replace(schema, items={**schema.items, **axes}), items


def informative_tags(bench: Workbench, scores: Path, names: Path, count: int) -> pd.DataFrame:
    """Relevance (0 to 1) of the most informative genome tags, films x tags.

    A tag is informative where its relevance varies over the films: what all films have in equal measure tells none
    of them apart. In the order of variance, a tag that says nearly the same as one before it is passed over.
    """
    table = f"SELECT * FROM {_csv(scores, movieId='VARCHAR', tagId='VARCHAR', relevance='DOUBLE')}"
    table += " WHERE movieId IN (SELECT id FROM known)"
    best = f"SELECT tagId FROM ({table}) GROUP BY tagId ORDER BY var_pop(relevance) DESC, tagId LIMIT ?"
    order = [tag for (tag,) in bench.db.execute(best, [CANDIDATES * count]).fetchall()]
    rows = bench.db.execute(f"SELECT * FROM ({table}) WHERE tagId IN (SELECT unnest(?))", [order]).df()
    wide = rows.pivot(index="movieId", columns="tagId", values="relevance").reindex(columns=order)
    chosen = _distinct(wide.fillna(wide.mean()).to_numpy(), count)
    spelled = read_table(names)
    check_columns(spelled, ("tagId", "tag"), where=str(names))
    return wide.iloc[:, chosen].rename(columns=dict(zip(spelled["tagId"], spelled["tag"], strict=True)))


def _distinct(columns: np.ndarray, count: int) -> list[int]:
    """The first columns of (rows, columns) of which no two are alike, at most `count`."""
    centred = columns - columns.mean(axis=0)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=0), 1e-12)
    chosen: list[int] = []
    for place in range(unit.shape[1]):
        if len(chosen) < count and all(abs(unit[:, place] @ unit[:, other]) <= ALIKE for other in chosen):
            chosen.append(place)
    return chosen
