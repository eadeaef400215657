"""Steam's games, in the columns of steam.csv."""

from __future__ import annotations

import math

import pytest

from talkwalk.datasets.movielens import PRIOR_RATINGS
from talkwalk.datasets.steam import SAME, SCHEMA, steam
from talkwalk.schema import Schema
from tests.real_data import real

TEXT = """\
appid,name,release_date,english,developer,publisher,platforms,required_age,categories,genres,steamspy_tags,\
achievements,positive_ratings,negative_ratings,average_playtime,median_playtime,owners,price
10,Counter-Strike,2000-11-01,1,Valve,Valve,windows;mac,0,Multi,Action,Action;FPS;Multiplayer,0,90,10,9,317,1-2,7.19
20,"Alone, Together",2015-02-03,1,One;Two,P,mac,0,,Indie;Gore;Early Access,Local Co-Op;Online Co-Op;VR,0,1,1,0,0,1,0.0
30,Silence,2019-05-01,1,,P,windows,0,Single,Utilities,,0,0,0,0,0,1-2,0.79
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "steam.csv").write_text(TEXT)
    return tmp_path / "steam.csv"


def test_games(path):
    games = steam(path)
    share = 91 / 102
    assert games.row("10") == {
        "title": "Counter-Strike", "developer": "Valve", "genre": ["Action"], "tag": ["FPS"], "price": 7.19,
        "year": 2000,
        "popularity": pytest.approx(math.log(101)), "playtime": pytest.approx(math.log(318)),
        "rating": pytest.approx((90 + PRIOR_RATINGS * share) / (100 + PRIOR_RATINGS)),
    }  # fmt: skip
    other = games.row("20")
    assert (other["title"], other["developer"]) == ("Alone, Together", "One, Two")
    assert (other["genre"], other["tag"], other["price"]) == (["Indie"], ["Co-op", "VR"], 0)
    assert "playtime" not in other
    assert games.row("30") == {"title": "Silence", "price": 0.79, "year": 2019, "popularity": 0}


def test_narrower_tags_are_of_the_schema():
    assert set(SAME.values()) <= set(Schema.load(SCHEMA).items["tag"].values)


def test_mistakes_are_named(path):
    path.write_text(TEXT.replace(",90,10,", ",many,10,"))
    with pytest.raises(ValueError, match="column 'positive_ratings' of '10' must be a number, got 'many'"):
        steam(path)
    path.write_text(TEXT.replace("steamspy_tags", "tags"))
    with pytest.raises(ValueError, match=r"lacks the columns \['steamspy_tags'\]"):
        steam(path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"no steam.csv, gzipped or not"):
        steam(path.parent)


def test_the_real_store():
    games = steam(real("steam/steam.csv.gz"))
    assert len(games) == 27_075
    for name in ("genre", "tag"):
        assert {v for names in games.items[name] for v in names} == set(games.schema.items[name].values)
    assert games.items["playtime"].isna().sum() == 20_905
    assert games.items.drop(columns=["playtime", "genre", "tag"]).isna().sum().sum() == 0
    assert games.items["rating"].between(0, 1).all() and games.schema.items["year"].range == (1997, 2019)
    assert games.row("10")["title"] == "Counter-Strike" and games.row("10")["genre"] == ["Action"]
