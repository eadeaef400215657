"""Wordings: ranges, the loader's errors, the split, and the repository's own files."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from talkwalk.contrastive.descriptions import (
    Band,
    Descriptions,
    copy_descriptions,
    description_files,
    keys_of,
    load_descriptions,
    wordings_of,
)
from talkwalk.datasets.movielens import AGE_RANGES, FREQUENCIES, SCHEMA
from talkwalk.schema import Attribute, Kind, Scale, Schema
from talkwalk.splits import Split, split_of
from tests.conftest import movie_schema

LINEAR = Attribute("year", Kind.ORDERED, range=(1900, 2000))
RANKED = Attribute("year", Kind.ORDERED, Scale.RANK).fit(pd.Series(np.arange(1901, 2001)))  # ranks 0.005 to 0.995
MOVIES = """domain: movies
entity: item
attributes:
  genre:
    Comedy: [a comedy, something funny]
    Drama: a drama
  year:
    1930-1959: [" an old film ", an old film]
"""
PEOPLE = """# people
domain: movies
entity: user
attributes:
  gender: {F: [a woman], M: [a man]}
composites:
  - when: {gender: F, age_range: 18-24}
    wordings: [a young woman]
affinities:
  - user: {age_range: 18-24}
    item: {genre: [Comedy], year: 50%-100%}
    affinity: low
    wordings: [no new comedy for them]
"""


# ranges


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("1970-1979", Band(1970, 1979, False)),
        (" 1.5 - 2.25 ", Band(1.5, 2.25, False)),
        ("-5--2", Band(-5, -2, False)),
        ("1996-1996", Band(1996, 1996, False)),
        ("0%-20%", Band(0, 0.2, True)),
        ("12.5% - 100%", Band(0.125, 1, True)),
    ],
)
def test_ranges_are_read(text, band):
    assert Band.parse(text) == band


@pytest.mark.parametrize("text", ["1970", "1970-", "a-b", "0%-20", "0-20%", "1970–1979", ""])
def test_what_is_no_range(text):
    with pytest.raises(ValueError, match=f'range must look like "1970-1979" or "0%-20%", got {text!r}'):
        Band.parse(text)


def test_a_range_must_increase():
    with pytest.raises(ValueError, match="range must be increasing, got '1979-1970'"):
        Band.parse("1979-1970")


@pytest.mark.parametrize("attribute", [LINEAR, RANKED])
def test_own_units_include_both_ends(attribute):
    band = Band.parse("1970-1979")
    held = [y for y in np.arange(1965, 1985, 0.5) if band.holds(y, attribute)]
    assert (held[0], held[-1], len(held)) == (1970, 1979, 19)


@pytest.mark.parametrize("attribute", [LINEAR, RANKED])
def test_rank_ranges_meet_without_overlap(attribute):
    bands = [Band.parse(f"{low}%-{low + 20}%") for low in range(0, 100, 20)]
    for year in np.linspace(1900, 2000, 201):
        unit = float(attribute.to_unit(year))
        expected = [i == min(int(unit * 5 + 1e-9), 4) for i in range(5)]
        if abs(unit * 5 - round(unit * 5)) > 1e-6 or unit in (0, 1):  # away from the joints, where rounding decides
            assert [b.holds(year, attribute) for b in bands] == expected
        assert sum(b.holds(year, attribute) for b in bands) == 1


def test_ends_on_the_scale():
    assert Band.parse("20%-40%").units(LINEAR) == (0.2, 0.4)
    assert Band.parse("1950-1975").units(LINEAR) == (0.5, 0.75)
    assert Band.parse("1901-2000").units(RANKED) == pytest.approx((0.005, 0.995))


def test_keys_of_every_kind():
    genre = Attribute("genre", Kind.MULTI, values=("A", "B", "C"))
    words = dict.fromkeys(("A", "C"), ("w",))
    assert keys_of(genre, ["C", "B", "A"], words) == ["C", "A"]
    assert keys_of(genre, None, words) == keys_of(genre, [], words) == []
    assert keys_of(Attribute("g", Kind.CATEGORY), "A", words) == ["A"]
    bands = dict.fromkeys(("1930-1959", "50%-100%", "1950-1951"), ("w",))
    assert keys_of(LINEAR, 1950, bands) == ["1930-1959", "50%-100%", "1950-1951"]
    assert keys_of(LINEAR, 1949.9, bands) == ["1930-1959"] and keys_of(LINEAR, float("nan"), bands) == []


# the loader


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "items").mkdir()
    (tmp_path / "items" / "movies.yaml").write_text(MOVIES)
    (tmp_path / "people.yaml").write_text(PEOPLE)
    (tmp_path / "songs.yaml").write_text("domain: songs\nattributes: {nonsense: 3}\n")
    return tmp_path


def test_everything_is_read(folder):
    loaded = load_descriptions(folder, movie_schema())
    assert loaded.items == {
        "genre": {"Comedy": ("a comedy", "something funny"), "Drama": ("a drama",)},
        "year": {"1930-1959": ("an old film",)},
    }
    assert loaded.users == {"gender": {"F": ("a woman",), "M": ("a man",)}}
    (composite,), (affinity,) = loaded.composites, loaded.affinities
    assert composite.when == {"gender": "F", "age_range": "18-24"} and composite.wordings == ("a young woman",)
    assert (affinity.user, affinity.item) == ({"age_range": "18-24"}, {"genre": ["Comedy"], "year": "50%-100%"})
    assert not affinity.high and affinity.wordings == ("no new comedy for them",)
    assert Counter(loaded.all_wordings()).total() == 8


def test_only_the_domains_files_are_copied(folder, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copy")
    copy_descriptions(folder, "movies", copy)
    assert sorted(str(p.relative_to(copy)) for p in copy.rglob("*.yaml")) == ["items/movies.yaml", "people.yaml"]
    assert load_descriptions(copy, movie_schema()) == load_descriptions(folder, movie_schema())


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("items/movies", "genre:", "gerne:", r"movies\.yaml: attributes\.gerne: .*; did you mean 'genre'"),
        ("items/movies", "Comedy", "Comdy", r"movies\.yaml: attributes\.genre: unknown value 'Comdy'; did you mean"),
        ("items/movies", "a drama", "[]", r"movies\.yaml: attributes\.genre\.Drama must be a list .* got \[\]"),
        ("items/movies", "a drama", "[a, 3]", r"movies\.yaml: attributes\.genre\.Drama must be a list of wordings"),
        ("items/movies", "a drama", "[' ']", r"movies\.yaml: attributes\.genre\.Drama must be a list of wordings"),
        ("items/movies", "1930-1959", "1930s", r"movies\.yaml: attributes\.year: range must look like .*'1930s'"),
        ("items/movies", "1930-1959", "1959-1930", r"movies\.yaml: attributes\.year: range must be increasing"),
        ("people", "{F: [a woman], M: [a man]}", "[a, b]", r"people\.yaml: attributes\.gender must map values"),
        ("people", "gender: F, ", "sex: F, ", r"people\.yaml: composites\[0\]\.when: unknown attribute 'sex'"),
        ("people", "gender: F, ", "gender: X, ", r"people\.yaml: composites\[0\]\.when\.gender: unknown value 'X'"),
        ("people", "when:", "if:", r"people\.yaml: composites\[0\]\.when must map user attributes to values"),
        ("people", "wordings: [a y", "words: [a y", r"people\.yaml: composites\[0\]\.wordings must .* got None"),
        ("people", "user: {", "users: {", r"people\.yaml: affinities\[0\]\.user must map attributes to values"),
        ("people", "item: {", "items: {", r"people\.yaml: affinities\[0\]\.item must map attributes to values"),
        ("people", "[Comedy]", "[Comdy]", r"people\.yaml: affinities\[0\]\.item\.genre: unknown value 'Comdy'"),
        ("people", "50%-100%", "new", r"people\.yaml: affinities\[0\]\.item\.year: range must look like"),
        ("people", "low", "none", r"people\.yaml: affinities\[0\]\.affinity must be high or low, got 'none'"),
        ("people", "[no new", "3 #", r"people\.yaml: affinities\[0\]\.wordings must be a list of wordings, got 3"),
        ("people", "composites:", "composite:", r"people\.yaml: unknown field 'composite'; did you mean 'composites'"),
        ("people", "affinities:\n", "affinities:\nother:\n", r"people\.yaml: affinities must be a list"),
        ("people", "entity: user", "entity: usr", r"people\.yaml: entity must be .*'usr'"),
    ],
)  # fmt: skip
def test_mistakes_name_file_entry_and_field(folder, file, old, new, message):
    path = folder / f"{file}.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=message):
        load_descriptions(folder, movie_schema())


def test_broken_yaml_names_the_file(folder):
    (folder / "people.yaml").write_text("domain: movies\nattributes: {a: [\n")
    with pytest.raises(ValueError, match=r"people\.yaml is not valid YAML"):
        load_descriptions(folder, movie_schema())


def test_no_files_are_named(tmp_path, folder):
    with pytest.raises(FileNotFoundError, match=r"no description folder at .*nowhere"):
        description_files(tmp_path / "nowhere", "movies")
    with pytest.raises(FileNotFoundError, match=r"no description file under .* says `domain: books`"):
        description_files(folder, "books")


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("domain: movies\n", True),
        ("# a comment\n\ndomain: movies\n", True),
        ('domain: "movies"\n', True),
        ("domain: movies-of-the-90s\n", False),
        ("# not domain: movies\ndomain: songs\n", False),
    ],
)
def test_a_file_belongs_to_the_domain_it_says(tmp_path, head, found):
    (tmp_path / "a.yaml").write_text("domain: movies\n")
    (tmp_path / "b.yaml").write_text(head)
    assert (tmp_path / "b.yaml" in description_files(tmp_path, "movies")) == found


def test_wordings_are_stripped_and_distinct():
    assert wordings_of([" a", "b ", "a"], "x") == ("a", "b") and wordings_of("a", "x") == ("a",)


# the split


def test_parts_are_disjoint_and_complete(folder, descriptions):
    for whole in (descriptions, load_descriptions(folder, movie_schema())):
        parts = {split: list(whole.part(split, test=0.4).all_wordings()) for split in (Split.TRAIN, Split.TEST)}
        assert not set(parts[Split.TRAIN]) & set(parts[Split.TEST])
        assert Counter(parts[Split.TRAIN] + parts[Split.TEST]) == Counter(whole.all_wordings())
        for split, wordings in parts.items():
            assert all(split_of(w, test=0.4) is split for w in wordings)


def test_a_part_keeps_keys_but_no_empty_rules(folder):
    whole = load_descriptions(folder, movie_schema())
    nothing = whole.part(Split.TEST, test=0.0)
    assert list(nothing.items["genre"]) == ["Comedy", "Drama"] and list(nothing.all_wordings()) == []
    assert nothing.composites == nothing.affinities == ()
    assert whole.part(Split.TRAIN, test=0.0) == whole


# the repository's own


SCHEMAS = {"movies": SCHEMA, "music": SCHEMA.parent / "music.yaml"}
RANKS = [f"{low}%-{low + 20}%" for low in range(0, 100, 20)]


@pytest.fixture(scope="module", params=sorted(SCHEMAS))
def schema(request) -> Schema:
    return Schema.load(SCHEMAS[request.param])


@pytest.fixture(scope="module")
def own(repository, schema) -> Descriptions:
    return load_descriptions(repository / "data" / "descriptions", schema)


def test_own_files_say_enough(own):
    blocks = {**own.items, **{f"user {n}": v for n, v in own.users.items()}}
    few = [(a, v, len(w)) for a, values in blocks.items() for v, w in values.items() if len(w) < 8]
    assert few == []
    assert len(own.composites) >= 60 and len(own.affinities) >= 80
    assert {a.high for a in own.affinities} == {True, False}


def test_own_files_describe_every_value(own, schema):
    for attributes, block in ((schema.items, own.items), (schema.users, own.users)):
        for attribute in attributes.values():
            if attribute.values:
                assert set(block[attribute.name]) == set(attribute.values)
    assert {n for n, a in schema.items.items() if a.kind is Kind.ORDERED} <= set(own.items)


@pytest.mark.parametrize("schema", ["movies"], indirect=True)
def test_the_adapter_knows_the_people_described(own):
    assert set(own.users["age_range"]) == {name for _, name in AGE_RANGES}
    assert set(own.users["viewing_frequency"]) == {name for _, name in FREQUENCIES}


def test_own_ranges_meet_without_overlap(own, schema):
    for name in (n for n, a in schema.items.items() if a.kind is Kind.ORDERED and n != "year"):
        assert list(own.items[name]) == RANKS
    bands = [Band.parse(text) for text in own.items["year"]]
    assert not any(band.in_ranks for band in bands)
    assert all(after.low == band.high + 1 for band, after in pairwise(bands))


@pytest.mark.parametrize(
    ("schema", "first", "last"), [("movies", 1922, 1998), ("music", 1957, 2020)], indirect=["schema"]
)
def test_own_years_cover_the_catalogue(own, first, last):
    bands = [Band.parse(text) for text in own.items["year"]]
    assert bands[0].low <= first and last <= bands[-1].high


def test_no_wording_means_two_values(own):
    for block in (own.items, own.users):
        for name, values in block.items():
            meanings = Counter(w.lower() for wordings in values.values() for w in wordings)
            assert (name, [w for w, n in meanings.items() if n > 1]) == (name, [])


def test_no_wording_is_in_two_rules(own):
    spoken = Counter(w.lower() for rule in (*own.composites, *own.affinities) for w in rule.wordings)
    assert [w for w, n in spoken.items() if n > 1] == []


def test_own_parts_leave_words_for_every_value(own):
    for split in (Split.TRAIN, Split.TEST):
        part = own.part(split, test=0.2)
        for block in (part.items, part.users):
            assert [(a, k) for a, values in block.items() for k, w in values.items() if not w] == []


def test_values_that_a_catalogue_happens_not_to_have_are_left_out(tmp_path):
    """Names that were fitted are those of one catalogue; wordings of others are no mistake there."""
    (tmp_path / "words.yaml").write_text(MOVIES)
    (tmp_path / "people.yaml").write_text(PEOPLE.replace("genre: [Comedy], year: 50%-100%", "genre: [Comedy]"))
    plain = {**movie_schema().to_dict()}
    plain["items"]["genre"].pop("values")
    fitted = Schema.from_dict(plain).fit(pd.DataFrame({"genre": [["Drama"]], "year": [1950.0], "rating": [3.0]}))
    loaded = load_descriptions(tmp_path, fitted)
    assert set(loaded.items["genre"]) == {"Drama"} and loaded.composites and not loaded.affinities
    again = Schema.from_dict(fitted.to_dict())
    assert again == fitted and again.items["genre"].open and not again.users["gender"].open
