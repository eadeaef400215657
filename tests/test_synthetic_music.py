"""The made-up catalogue: what the table promises holds in what is drawn, and nothing can be taken for real."""

from __future__ import annotations

import importlib
import math
import re

import numpy as np
import pandas as pd
import pytest
import yaml

from talkwalk.config import MusicCatalogConfig
from talkwalk.datasets.resolve import open_catalog
from talkwalk.datasets.synthetic_listeners import Listeners, Tracks, points
from talkwalk.datasets.synthetic_music import (
    AXES,
    HALF,
    LISTENERS,
    SCHEMA,
    SHARES,
    STYLES,
    Table,
    between,
    correlation_matrix,
    synthetic_music,
)
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Schema


@pytest.fixture(scope="module")
def table() -> Table:
    return Table.load()


@pytest.fixture(scope="module")
def music() -> Catalog:
    return synthetic_music(6000, listeners=60)


@pytest.fixture
def changed(tmp_path):
    """Writes one of the tables with a change."""

    def write(source, change):
        data = yaml.safe_load(source.read_text())
        change(data)
        (tmp_path / "table.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
        return tmp_path / "table.yaml"

    return write


# what is drawn


def test_every_attribute_is_there_and_in_range(music):
    schema, items = Schema.load(SCHEMA), music.items
    assert list(items) == list(schema.items)
    assert not items.isna().any().any()
    for name in AXES:
        low, high = {"tempo": (50, 220), "year": (1958, 2020)}.get(name) or schema.items[name].range
        assert items[name].between(low, high).all(), name
        assert items[name].nunique() > 50, name
    assert items["year"].eq(items["year"].round()).all()
    assert music.features().shape == (6000, music.schema.input_width)


def test_every_subgenre_of_the_schema_occurs_within_its_genre(music, table):
    schema = Schema.load(SCHEMA)
    genre_of = {style.name: style.genre for style in table.styles}
    assert set(genre_of) == set(schema.items["subgenre"].values)
    assert set(genre_of.values()) == set(schema.items["genre"].values)
    assert (music.items["genre"] == music.items["subgenre"].map(genre_of)).all()
    assert music.items["subgenre"].value_counts().min() > 100 and music.items["subgenre"].nunique() == len(genre_of)


def test_half_of_a_style_lies_where_the_table_says(table):
    items = synthetic_music(40_000, listeners=0, seed=3).items
    for style in table.styles:
        own = items[items["subgenre"] == style.name]
        for axis in ("energy", "valence", "danceability"):  # the others have gaps, groups or whole numbers
            low, high = style.halves[axis]
            assert own[axis].between(low, high).mean() == pytest.approx(0.5, abs=0.08), (style.name, axis)
        first, low, high, last = style.years
        assert own["year"].between(first, last).all()
        assert own["year"].between(low, high).mean() == pytest.approx(0.5, abs=0.12), style.name


def test_axes_go_together_as_they_do_in_music(music):
    together = music.items[list(AXES)].corr("spearman")
    assert together.loc["energy", "acousticness"] < -0.5
    assert together.loc["valence", "danceability"] > 0.2
    for _, own in music.items.groupby("subgenre"):
        assert own["energy"].corr(own["acousticness"], method="spearman") < -0.2


def test_trap_is_counted_at_two_speeds(music):
    tempo = music.items[music.items["subgenre"] == "trap"]["tempo"]
    slow, middle, fast = (tempo.between(low, high).mean() for low, high in ((60, 85), (90, 120), (125, 165)))
    assert slow > 0.25 and fast > 0.5 and middle < 0.05


def test_most_tracks_are_obscure_and_few_are_hits(music):
    popularity = music.items["popularity"]
    assert popularity.mean() > popularity.median() + 3  # skewed to the right
    assert 0.03 < (popularity == 0).mean() < 0.12
    assert 0.005 < (popularity > 85).mean() < 0.08


def test_tracks_of_an_artist_resemble_each_other(music):
    items = music.items
    own = items.groupby("subgenre")["energy"].transform("mean")
    by_artist = (items["energy"] - own).groupby([items["subgenre"], items["artist"]])
    means, counts = by_artist.mean(), by_artist.size()
    assert means[counts >= 8].std() > 1.5 * (items["energy"] - own).std() / math.sqrt(8)


def test_nothing_can_be_taken_for_a_real_track(music, table):
    invented = re.compile("|".join(map(re.escape, table.names["invented"])))
    for column in ("title", "artist"):
        assert music.items[column].map(lambda name: invented.search(name) is not None).all(), column
    assert all(item_id.startswith("synthetic-") for item_id in music.ids)
    assert music.items["title"].nunique() > 0.8 * len(music)


# people


def test_people_have_profiles_of_the_schema(music):
    schema = Schema.load(SCHEMA)
    assert len(music.users) == 60 and not music.users.isna().any().any()
    for name, attribute in schema.users.items():
        if attribute.values:
            assert set(music.users[name]) <= set(attribute.values)
    ages = Listeners.load(LISTENERS).settings["ages"]
    for _, user in music.users.iterrows():
        low, high = ages[user["age_range"]]
        assert low <= user["age"] <= high


def test_listening_is_split_by_time(music):
    inter = music.interactions
    assert set(inter["rating"]) == {1.0, 2.0, 3.0, 4.0, 5.0}
    assert not inter.duplicated(["user_id", "item_id"]).any()
    assert set(inter["item_id"]) <= set(music.ids) and set(inter["user_id"]) == set(music.users.index)
    for _, rows in inter.groupby("user_id"):
        splits = rows.sort_values("timestamp", kind="stable")["split"].tolist()
        assert splits == ["train"] * (len(rows) - 2) + ["valid", "test"]


def test_frequency_is_how_much_they_hear(music):
    counts = music.interactions["user_id"].value_counts()
    spans = Listeners.load(LISTENERS).settings["tracks"]
    for user_id, frequency in music.users["listening_frequency"].items():
        low, high = spans[frequency]
        assert low <= counts[user_id] <= high


def test_people_hear_and_praise_what_they_lean_to(music):
    heard = music.interactions.join(music.items, on="item_id").join(music.users, on="user_id")
    rock = heard["genre"].eq("rock").groupby(heard["age_range"]).mean()
    assert rock["50+"] > 2 * rock["18-24"]
    energy = heard.groupby("activity")["energy"].mean()
    assert energy["workout"] > energy["sleep"] + 0.1
    old, edm = heard["age_range"] == "50+", heard["genre"] == "edm"
    assert heard[old & edm]["rating"].mean() < heard[old & ~edm]["rating"].mean()


def test_points_closed_form():
    tracks = Tracks(
        np.array(["1", "2"]),
        {"genre": ("pop", "rock"), "subgenre": ("a", "b")},
        {"genre": np.array([1, 0]), "subgenre": np.array([0, 1])},
        {"energy": np.array([0.0, 0.75])},
        np.zeros(2),
        np.zeros(2),
    )
    fields = {"share": 1.0, "genre": {"rock": 2.0}, "subgenre": {"b": 0.5}, "axes": {"energy": [1.0, 4.0]}}
    assert points(fields, tracks).tolist() == [2.0 - 4.0, 0.5 - 1.0]


# seeds


def test_a_seed_is_a_catalogue_byte_for_byte(tmp_path):
    for name, seed in (("one", 5), ("same", 5), ("other", 6)):
        synthetic_music(300, listeners=10, seed=seed).save(tmp_path / name)
    files = ("schema.yaml", "items.parquet", "users.parquet", "interactions.parquet")
    one, same, other = ([(tmp_path / n / f).read_bytes() for f in files] for n in ("one", "same", "other"))
    assert one == same
    assert all(a != b for a, b in zip(one, other, strict=True))


def test_people_change_no_track():
    alone, watched = (synthetic_music(200, listeners=n, seed=1) for n in (0, 5))
    pd.testing.assert_frame_equal(alone.items, watched.items)
    assert alone.interactions is None and len(alone.users) == 0


def test_by_name(monkeypatch):
    from talkwalk.datasets import resolve

    def small():
        return synthetic_music(100, listeners=5)

    monkeypatch.setitem(resolve.BUILT_IN, "synthetic-music", resolve.BUILT_IN["synthetic-music"]._replace(make=small))
    opened = open_catalog("synthetic-music")
    assert opened.rows(opened.ids) == small().rows(small().ids)
    assert len(opened.users) == 5


def test_as_a_script(tmp_path, repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "data" / "scripts"))
    make = importlib.import_module("make_music_catalog").make
    make(MusicCatalogConfig(out=str(tmp_path / "music"), tracks=50, listeners=3, seed=2))
    assert Catalog.load(tmp_path / "music").ids == synthetic_music(50, listeners=3, seed=2).ids
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds other files"):
        make(MusicCatalogConfig(out=str(tmp_path), tracks=50, listeners=3))


# the tables


def test_between_closed_form():
    low, high = between(np.array([-HALF, HALF]), 0.2, 0.7)
    assert (low, high) == pytest.approx((0.2, 0.7))


def test_a_later_correlation_replaces_an_earlier_one():
    matrix = correlation_matrix([["energy", "year", 0.5], ["year", "energy", -0.2]], "here")
    i, j = AXES.index("energy"), AXES.index("year")
    assert matrix[i, j] == matrix[j, i] == -0.2
    assert np.array_equal(np.diag(matrix), np.ones(len(AXES)))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("energy", [0.9, 0.4], r"table.yaml: trap.energy must lie between 0 and 1 and increase, got \[0.9, 0.4\]"),
        ("popularity", [10, 100], "trap.popularity must lie between 0 and 100"),
        ("tempo", [[1.0, 40, 90]], r"trap.tempo must hold \[share, low, high\]"),
        ("years", [2000, 1990, 2010, 2020], "trap.years must be four increasing years"),
        ("correlations", [["energy", "loudness", 0.5]], "trap.correlations: unknown axis 'loudness'"),
        ("correlations", [["energy", "valence", 0.99], ["energy", "danceability", -0.9]], "not positive definite"),
    ],
)
def test_a_mistake_in_a_style_is_named(changed, field, value, message):
    path = changed(STYLES, lambda data: data["styles"]["trap"].update({field: value}))
    with pytest.raises(ValueError, match=message):
        Table.load(path)


def test_a_missing_field_is_named(changed):
    path = changed(STYLES, lambda data: data["styles"]["trap"].pop("energy"))
    with pytest.raises(ValueError, match=r"table.yaml: trap lacks 'energy'"):
        Table.load(path)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"share": 0.9}, "shares of gender must add up to 1, got 1.4"),
        ({"share": 0.5, "mood": 1}, "gender.F: unknown field 'mood'"),
        ({"share": 0.5, "axes": {"loudness": [1, 1]}}, "gender.F: unknown axis 'loudness'"),
    ],
)
def test_a_mistake_about_people_is_named(changed, value, message):
    path = changed(LISTENERS, lambda data: data["attributes"]["gender"].update({"F": value}))
    with pytest.raises(ValueError, match=message):
        Listeners.load(path)


def test_the_tables_name_what_the_schema_has():
    schema, crowd = Schema.load(SCHEMA), Listeners.load(LISTENERS)
    for attribute, names in crowd.attributes.items():
        assert set(names) == set(schema.users[attribute].values), attribute
        for fields in names.values():
            for kind in ("genre", "subgenre"):
                assert set(fields.get(kind, {})) <= set(schema.items[kind].values)
    assert set(SHARES) < set(AXES) == {attribute.name for attribute in schema.ordered}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tracks": 0}, "tracks must be at least 1, got 0"),
        ({"listeners": -1}, "listeners must not be negative, got -1"),
    ],
)
def test_impossible_counts_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        synthetic_music(**settings)
