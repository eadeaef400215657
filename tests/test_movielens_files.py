"""GroupLens' own files, written out in their layouts; the real latest-small where it is."""

from __future__ import annotations

import gzip
import math
import shutil

import numpy as np
import pandas as pd
import pytest

from talkwalk.datasets import movielens, movielens_csv
from talkwalk.datasets.movielens import PRIOR_RATINGS, PUBLISHER_GENRES, movielens_100k, split_by_time, split_title
from talkwalk.datasets.movielens_1m import AGES, OCCUPATIONS, movielens_1m, movielens_1m_users
from talkwalk.index.catalog import Catalog
from tests.real_data import real

# (user, film, rating, time): per user the last is test, the one before is validation
SEEN = [
    ("1", "1", 5, 100), ("1", "2", 3, 200), ("1", "3", 1, 300), ("1", "4", 4, 250),
    ("10", "2", 2, 900), ("10", "1", 4, 700), ("10", "3", 5, 800),
    ("2", "4", 1, 10),
]  # fmt: skip
TRAIN = [("1", "1", 5), ("1", "2", 3), ("10", "1", 4)]
USERS = "1::F::1::10::48067\n2::M::56::16::70072\n10::F::35::1::95370\n"
MOVIES = (
    "1::Toy Story (1995)::Animation|Children's|Comedy\n2::Birdcage, The (1996)::Comedy\n"
    "3::Misérables, Les (1995)::Drama|Musical\n4::Nobody Knows::Drama\n"
)


@pytest.fixture
def ml_1m(tmp_path):
    """The folder of MovieLens-1M."""
    folder = tmp_path / "ml-1m"
    folder.mkdir()
    (folder / "users.dat").write_text(USERS)
    (folder / "movies.dat").write_text(MOVIES, encoding="latin-1")
    (folder / "ratings.dat").write_text("".join("::".join(map(str, row)) + "\n" for row in SEEN))
    return folder


@pytest.fixture
def ml_25m(tmp_path):
    """The folder of MovieLens 25M, with a tag genome of five tags."""
    folder = tmp_path / "ml-25m"
    folder.mkdir()
    (folder / "movies.csv").write_text(
        'movieId,title,genres\n1,Toy Story (1995),Adventure|Children|IMAX\n2,"Birdcage, The (1996)",Comedy\n'
        '3,"Fawlty Towers (1975-1979)",Comedy\n4,"""Quoted"" Film",(no genres listed)\n'
    )
    lines = ["userId,movieId,rating,timestamp", *(",".join(map(str, row)) for row in SEEN)]
    with gzip.open(folder / "ratings.csv.gz", "wt") as file:
        file.write("\n".join(lines) + "\n")
    tags = [("1", "1", "Pixar"), ("2", "1", "pixar "), ("2", "2", 'so "funny", really'), ("9", "2", "pixar")]
    tags += [("9", str(film), "my shelf") for film in (1, 2, 3, 4)] + [("1", "99", "unknown film")]
    pd.DataFrame([(*row, 5) for row in tags], columns=["userId", "movieId", "tag", "timestamp"]).to_csv(
        folder / "tags.csv", index=False
    )
    genome = {  # relevance for the four films; the second repeats the first, the third is nearly constant
        "dark comedy": (0.0, 1.0, 0.0, 1.0), "comedy, dark": (0.05, 0.95, 0.05, 0.9), "good": (0.5, 0.51, 0.5, 0.52),
        "1930s": (0.9, 0.9, 0.1, 0.1), "year": (0.4, 0.1, 0.2, 0.2),
    }  # fmt: skip
    pd.DataFrame({"tagId": range(1, 6), "tag": list(genome)}).to_csv(folder / "genome-tags.csv", index=False)
    scores = [
        (film, tag, value)
        for tag, values in enumerate(genome.values(), start=1)
        for film, value in zip((1, 2, 3, 4), values, strict=True)
        if film != 4  # not every film is in the genome
    ]
    pd.DataFrame(scores, columns=["movieId", "tagId", "relevance"]).to_csv(folder / "genome-scores.csv", index=False)
    return folder


def check_ratings(catalog):
    """Split, popularity and rating, as MovieLens-100K has them."""
    expected = split_by_time(pd.DataFrame(SEEN, columns=["user_id", "item_id", "rating", "timestamp"]).astype(
        {"rating": float, "timestamp": float}))  # fmt: skip
    pd.testing.assert_frame_equal(catalog.interactions, expected[list(catalog.interactions.columns)], check_dtype=False)
    mean = sum(r for _, _, r in TRAIN) / len(TRAIN)
    for item_id in catalog.ids:
        ratings = [r for _, i, r in TRAIN if i == item_id]
        row = catalog.row(item_id)
        assert row["popularity"] == pytest.approx(math.log(1 + len(ratings)))
        assert row["rating"] == pytest.approx((sum(ratings) + PRIOR_RATINGS * mean) / (len(ratings) + PRIOR_RATINGS))


@pytest.mark.parametrize("named", ["", "ratings.dat"])
def test_1m(ml_1m, tmp_path, named):
    movielens_1m(ml_1m / named, tmp_path / "out")
    catalog = Catalog.load(tmp_path / "out")
    check_ratings(catalog)
    first = {name: catalog.row("1")[name] for name in ("title", "genre", "year")}
    assert first == {"title": "Toy Story", "genre": ["Animation", "Children's", "Comedy"], "year": 1995}
    assert [catalog.row(i)["title"] for i in ("2", "3", "4")] == ["The Birdcage", "Misérables, Les", "Nobody Knows"]
    assert "year" not in catalog.row("4")
    assert catalog.user("10") == {
        "age": 39.5, "age_range": "35-49", "gender": "F", "occupation": "educator", "viewing_frequency": "casual",
    }  # fmt: skip
    assert catalog.user("2")["age_range"] == "50+" and catalog.user("1")["occupation"] == "student"
    assert not list(tmp_path.glob(".out*"))  # nothing temporary stays


def test_1m_and_100k_have_the_same_attributes(ml_1m, tmp_path):
    movielens_1m(ml_1m, tmp_path / "out")
    schema, ours = Catalog.load(tmp_path / "out").schema, movielens.Schema.load(movielens.SCHEMA)
    assert list(schema.items) == list(ours.items) and list(schema.users) == list(ours.users)
    assert set(OCCUPATIONS) <= set(ours.users["occupation"].values) and len(OCCUPATIONS) == 21
    assert {name for _, name in AGES.values()} == set(ours.users["age_range"].values)
    assert all(movielens._bracket(age, movielens.AGE_RANGES) == name for age, name in AGES.values())


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("1::F::1::10\n", r"users.dat line 1 must have 5 fields between \"::\", got 4"),
        ("1::F::7::10::1\n", r"line 1: age must be one of the codes .*, got '7'"),
        ("1::F::1::10::1\n2::F::1::21::1\n", "line 2: occupation must be a code from 0 to 20, got '21'"),
        ("1::F::1::writer::1\n", "occupation must be a code from 0 to 20, got 'writer'"),
    ],
)
def test_1m_users_are_checked(tmp_path, line, error):
    (tmp_path / "users.dat").write_text(line)
    with pytest.raises(ValueError, match=error):
        movielens_1m_users(tmp_path / "users.dat")


@pytest.mark.parametrize("name", ["movies.dat", "users.dat", "ratings.dat"])
def test_1m_names_a_missing_file(ml_1m, tmp_path, name):
    (ml_1m / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"MovieLens-1M needs {name} in "):
        movielens_1m(ml_1m, tmp_path / "out")


def test_1m_names_a_damaged_line(ml_1m, tmp_path):
    with (ml_1m / "ratings.dat").open("a") as file:
        file.write("2::3::good::77\n")
    with pytest.raises(ValueError, match=r"(?s)out cannot be made.*ratings\.dat"):
        movielens_1m(ml_1m, tmp_path / "out")
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


def test_25m(ml_25m, tmp_path):
    movielens_csv.movielens_csv(ml_25m, tmp_path / "out", tags=2, genome=3)
    catalog = Catalog.load(tmp_path / "out")
    check_ratings(catalog)
    titles = [catalog.row(i)["title"] for i in catalog.ids]
    assert titles == ["Toy Story", "The Birdcage", "Fawlty Towers", '"Quoted" Film']
    assert catalog.row("1")["genre"] == ["Adventure", "Children's"] and "genre" not in catalog.row("4")
    assert catalog.row("3")["year"] == 1975 and "year" not in catalog.row("4")
    assert catalog.users["viewing_frequency"].to_dict() == {"1": "casual", "10": "casual", "2": "casual"}


def test_tags_that_most_people_gave(ml_25m, tmp_path):
    movielens_csv.movielens_csv(ml_25m, tmp_path / "out", tags=2)
    catalog = Catalog.load(tmp_path / "out")
    assert catalog.schema.items["tag"].values == ("my shelf", "pixar")  # three people; one person, but four films
    assert [catalog.row(i).get("tag") for i in catalog.ids] == [["my shelf", "pixar"]] * 2 + [["my shelf"]] * 2
    movielens_csv.movielens_csv(ml_25m, tmp_path / "out", tags=50)
    assert 'so "funny", really' in Catalog.load(tmp_path / "out").row("2")["tag"]
    movielens_csv.movielens_csv(ml_25m, tmp_path / "out", tags=0)
    assert "tag" not in Catalog.load(tmp_path / "out").schema.items


def test_the_genome_becomes_ordered_axes(ml_25m, tmp_path):
    movielens_csv.movielens_csv(ml_25m, tmp_path / "out", genome=2)
    catalog = Catalog.load(tmp_path / "out")
    assert [a.name for a in catalog.schema.ordered] == ["year", "popularity", "rating", "dark_comedy", "1930s"]
    assert [catalog.row(i).get("dark_comedy") for i in catalog.ids] == [0, 1, 0, None]
    assert catalog.schema.items["dark_comedy"].words == ("less dark comedy", "more dark comedy")
    present = catalog.schema.featurize(items=catalog.items).present
    names = [n for n, a in catalog.schema.items.items() if a.width]
    assert present[:, names.index("dark_comedy")].tolist() == [1, 1, 1, 0]


def test_a_genome_tag_never_takes_the_place_of_an_attribute(ml_25m, tmp_path):
    movielens_csv.movielens_csv(ml_25m, tmp_path / "out", genome=5)
    catalog = Catalog.load(tmp_path / "out")
    assert catalog.row("1")["year"] == 1995
    assert "comedy_dark" not in catalog.schema.items  # says the same as "dark comedy"


def test_alike_columns_are_passed_over():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 50))
    columns = np.stack([one, one + 0.1 * other, -one, other, np.ones(50)], axis=1)
    assert movielens_csv._distinct(columns, 5) == [0, 3, 4]
    assert movielens_csv._distinct(columns, 1) == [0]


@pytest.mark.parametrize("name", ["movies.csv", "ratings.csv.gz"])
def test_25m_names_a_missing_file(ml_25m, tmp_path, name):
    (ml_25m / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"no {name.removesuffix('.gz')}, gzipped or not, at "):
        movielens_csv.movielens_csv(ml_25m, tmp_path / "out")


def test_25m_names_a_missing_column(ml_25m, tmp_path):
    (ml_25m / "movies.csv").write_text("movieId,title\n1,Toy Story (1995)\n")
    with pytest.raises(ValueError, match=r"movies.csv lacks the columns \['genres'\]"):
        movielens_csv.movielens_csv(ml_25m, tmp_path / "out")


def test_ratings_of_unknown_films_are_left_out_aloud(ml_25m, tmp_path, caplog):
    text = (ml_25m / "movies.csv").read_text().splitlines()[:-1]
    (ml_25m / "movies.csv").write_text("\n".join(text) + "\n")
    movielens_csv.movielens_csv(ml_25m, tmp_path / "out")
    assert "4" not in set(Catalog.load(tmp_path / "out").interactions["item_id"])
    assert "2 of 8 interactions are left out: 0 lack user, item, rating or time, 2 are of unknown items" in caplog.text


@pytest.mark.parametrize(
    ("text", "title", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("2001: A Space Odyssey (1968) ", "2001: A Space Odyssey", 1968),
        ("Big Bang Theory, The (2007-)", "Big Bang Theory, The", 2007),
        ("Fawlty Towers (1975\u20131979)", "Fawlty Towers", 1975),
        ("1984", "1984", None),
        ("(500) Days of Summer", "(500) Days of Summer", None),
    ],
)
def test_titles_and_years(text, title, year):
    found, number = split_title(text)
    assert found == title and (math.isnan(number) if year is None else number == year)


def test_the_real_latest_small(tmp_path):
    movielens_csv.movielens_csv(real("ml-latest-small"), tmp_path / "out")
    catalog = Catalog.load(tmp_path / "out")
    assert (len(catalog.items), len(catalog.users), len(catalog.interactions)) == (9125, 671, 100_004)
    counts = catalog.interactions["split"].value_counts().to_dict()
    assert counts == {"test": 671, "valid": 671, "train": 100_004 - 2 * 671}
    raw = pd.read_csv(real("ml-latest-small/ratings.csv.gz"), dtype={"userId": str, "movieId": str})
    raw = raw.rename(columns={"userId": "user_id", "movieId": "item_id"}).astype({"timestamp": float})
    expected = split_by_time(raw)[list(catalog.interactions.columns)]
    pd.testing.assert_frame_equal(catalog.interactions, expected, check_dtype=False)
    assert catalog.row("1")["title"] == "Toy Story" and "Children's" in catalog.row("1")["genre"]
    used = {genre for names in catalog.items["genre"] for genre in names}
    assert used == set(catalog.schema.items["genre"].values)
    assert catalog.items["year"].isna().sum() == 4 and len(catalog.schema.items["tag"].values) == 50
    assert {"funny", "time travel", "twist ending"} <= set(catalog.schema.items["tag"].values)


# MovieLens-100K as GroupLens has it


@pytest.fixture
def ml_100k(tmp_path):
    """u.item, u.user and u.data."""
    folder = tmp_path / "ml-100k"
    folder.mkdir()
    films = {
        "1": ("Toy Story (1995)", ("Animation", "Children's", "Comedy")),
        "2": ("Birdcage, The (1996)", ("Comedy",)),
        "3": ("Misérables, Les (1995)", ("Drama",)),
        "4": ("unknown", ("unknown",)),
    }
    lines = [
        "|".join([i, title, "01-Jan-1995", "", "http://x", *("01"[g in genres] for g in PUBLISHER_GENRES)])
        for i, (title, genres) in films.items()
    ]
    (folder / "u.item").write_text("\n".join(lines) + "\n", encoding="latin-1")
    (folder / "u.user").write_text("1|24|M|technician|85711\n2|17|F|none|94043\n10|53|F|other|00000\n")
    (folder / "u.data").write_text("".join("\t".join(map(str, row)) + "\n" for row in SEEN))
    return folder


def test_100k_as_published(ml_100k):
    catalog = movielens_100k(ml_100k)
    check_ratings(catalog)
    assert catalog.row("1")["genre"] == ["Animation", "Children's", "Comedy"] and catalog.row("1")["year"] == 1995
    assert [catalog.row(i)["title"] for i in ("2", "3", "4")] == ["The Birdcage", "Misérables, Les", "unknown"]
    assert {"genre", "year"}.isdisjoint(catalog.row("4"))
    assert catalog.user("2") == {
        "age": 17, "age_range": "under-18", "gender": "F", "occupation": "none", "viewing_frequency": "casual",
    }  # fmt: skip


def test_100k_as_published_equals_the_wheel(tmp_path):
    """The wheel's tables, written out as GroupLens writes them, make the same catalogue but for a mistake."""
    if movielens.wheel_folder("recbole") is None:
        pytest.skip("no recbole wheel: `make setup` installs it")
    tables, folder = movielens._recbole(movielens._installed()), tmp_path
    names = [str(g).replace("unkonwn", "unknown").split() for g in tables.items["genres"]]
    rows = [
        "|".join([i, f"{t} ({y})" if str(y).isdecimal() else t, "", "", "", *("01"[g in gs] for g in PUBLISHER_GENRES)])
        for i, t, y, gs in zip(tables.items.index, tables.items["title"], tables.items["year"], names, strict=True)
    ]
    (folder / "u.item").write_text("\n".join(rows), encoding="latin-1")
    users = tables.users.reset_index()[["user_id", "age", "gender", "occupation"]].assign(zip="0")
    users.to_csv(folder / "u.user", sep="|", header=False, index=False)
    inter = tables.interactions[["user_id", "item_id", "rating", "timestamp"]]
    inter.to_csv(folder / "u.data", sep="\t", header=False, index=False)
    published, wheel = movielens_100k(folder), movielens_100k()
    assert published.ids == wheel.ids and published.users.equals(wheel.users)
    assert published.interactions.equals(wheel.interactions)
    assert [i for i in wheel.ids if published.row(i) != wheel.row(i)] == ["1412"]
    assert "year" not in wheel.row("1412") and published.row("1412")["year"] == 1995


def test_without_the_wheel_the_archive_is_downloaded(ml_100k, monkeypatch):
    monkeypatch.setattr(movielens, "wheel_folder", lambda package: None)
    monkeypatch.setattr(movielens, "download", lambda name: {"ml-100k": ml_100k}[name])
    assert movielens_100k().ids == ["1", "2", "3", "4"]


@pytest.mark.parametrize("name", ["u.user", "u.data"])
def test_100k_names_a_missing_file(ml_100k, name):
    (ml_100k / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"MovieLens-100K needs {name} in "):
        movielens_100k(ml_100k)


def test_a_catalogue_is_replaced_whole(ml_1m, ml_25m, tmp_path):
    movielens_1m(ml_1m, tmp_path / "out")
    movielens_csv.movielens_csv(ml_25m, tmp_path / "out")
    assert Catalog.load(tmp_path / "out").row("3")["title"] == "Fawlty Towers"
    shutil.rmtree(ml_25m)
    with pytest.raises(FileNotFoundError):
        movielens_csv.movielens_csv(ml_25m, tmp_path / "out")
    assert Catalog.load(tmp_path / "out").row("3")["title"] == "Fawlty Towers"
