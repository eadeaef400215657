"""What people tagged the films of a catalogue with, from another MovieLens release."""

from __future__ import annotations

from pathlib import Path

from talkwalk.datasets.generic import check_columns, find_table, read_table
from talkwalk.datasets.movielens import split_title, straight
from talkwalk.index.catalog import Catalog

LEAST = 10  # films of the catalogue that a tag must have
PEOPLE = 2  # who must have given it: one person's shelf marks ("getdvd") mean nothing to others


def tagged_items(folder: str | Path, catalog: Catalog, *, least: int = LEAST) -> dict[str, set[str]]:
    """Ids of the catalogue's films by tag in lower case, for the tags that two people gave and `least` films have.

    Releases number films differently, so films are matched by title and year; of two alike the first counts. A tag that
    is spelt like a category of the catalogue is left out: it is measured as one.

    Args:
        folder: Where `movies.csv` and `tags.csv` of MovieLens latest-small, latest, 25M or 32M are.
        catalog: Films with `title` and `year`.
        least: Fewer are too few to rank.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file has not the publisher's columns, the catalogue's items have no title and year, or none of
            them is in `movies.csv`.
    """
    for column in ("title", "year"):
        if column not in catalog.items:
            raise ValueError(f"tagged films are found by title and year, the catalogue has no {column!r}")
    known = zip(catalog.ids, catalog.items["title"], catalog.items["year"].astype(float), strict=True)
    films: dict[tuple[str, float], str] = {}
    for item_id, title, year in known:
        films.setdefault(_name(str(title), year), item_id)
    movies, tags = (read_table(find_table(Path(folder), name)) for name in ("movies.csv", "tags.csv"))
    check_columns(movies, ("movieId", "title"), where=f"{folder}: movies.csv")
    check_columns(tags, ("userId", "movieId", "tag"), where=f"{folder}: tags.csv")
    ours: dict[object, str] = {}
    for number, text in zip(movies["movieId"], movies["title"], strict=True):
        title, year = split_title(str(text))
        if (found := films.get(_name(title, year))) is not None:
            ours[number] = found
    if not ours:
        raise ValueError(f"{folder}: movies.csv must list films of the catalogue, got none with its titles and years")
    categories = {value.casefold() for _, value in catalog.schema.category_values}
    tagged: dict[str, set[str]] = {}
    said_by: dict[str, set[object]] = {}
    for person, number, tag in zip(tags["userId"], tags["movieId"], tags["tag"], strict=True):
        name = str(tag).strip().casefold()
        if number in ours and name and name not in categories:
            tagged.setdefault(name, set()).add(ours[number])
            said_by.setdefault(name, set()).add(person)
    return {name: ids for name, ids in sorted(tagged.items()) if len(ids) >= least and len(said_by[name]) >= PEOPLE}


def _name(title: str, year: float) -> tuple[str, float]:
    return straight(title.strip()).casefold(), year
