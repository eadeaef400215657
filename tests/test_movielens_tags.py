"""Films that people tagged, found in another release by title and year."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from talkwalk.datasets.movielens_tags import tagged_items
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Attribute, Kind, Schema

SCHEMA = Schema(
    domain="films",
    noun="film",
    title="title",
    items={
        "title": Attribute("title", Kind.TEXT),
        "year": Attribute("year", Kind.ORDERED),
        "genre": Attribute("genre", Kind.MULTI, values=("Comedy",)),
    },
    users={},
)
FILMS = {"a": ("The Godfather", 1972), "b": ("Heat", 1995), "c": ("Heat", 1986), "d": ("Fargo", 1996)}


def films() -> Catalog:
    rows = {i: {"title": title, "year": float(year), "genre": ["Comedy"]} for i, (title, year) in FILMS.items()}
    items = pd.DataFrame.from_dict(rows, orient="index")
    return Catalog(SCHEMA.fit(items), items)


def release(folder: Path, tags: list[str], movies: str | None = None) -> Path:
    titles = ["Godfather, The (1972)", "Heat (1995)", "Fargo (1996)", "Alien (1979)"]
    lines = [f'{n},"{title}",Crime' for n, title in enumerate(titles)]
    (folder / "movies.csv").write_text(movies or "\n".join(["movieId,title,genres", *lines]) + "\n")
    (folder / "tags.csv").write_text("\n".join(["userId,movieId,tag,timestamp", *tags]) + "\n")
    return folder


def test_films_are_matched_by_title_with_its_article_and_year(tmp_path):
    given = ["1,0,Mafia,1", "2,1,mafia ,2", "1,3,mafia,3"]
    assert tagged_items(release(tmp_path, given), films(), least=2) == {"mafia": {"a", "b"}}


def test_one_persons_marks_rare_tags_and_categories_are_left_out(tmp_path):
    mine = [f"1,{n},getdvd,1" for n in range(3)]
    rare = ["1,0,rare,1", "2,0,rare,1"]
    genre = [f"{n},{n},Comedy,1" for n in range(3)]
    assert tagged_items(release(tmp_path, [*mine, *rare, *genre]), films(), least=2) == {}


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"movies\.csv"):
        tagged_items(tmp_path, films())
    with pytest.raises(ValueError, match="got none with its titles and years"):
        tagged_items(release(tmp_path, ["1,0,x,1"], "movieId,title,genres\n1,Nothing (1901),Drama\n"), films())
    timeless = Schema(domain="films", title="title", items={"title": Attribute("title", Kind.TEXT)})
    items = pd.DataFrame({"title": ["Heat"]}, index=["a"])
    with pytest.raises(ValueError, match="no 'year'"):
        tagged_items(tmp_path, Catalog(timeless, items))
