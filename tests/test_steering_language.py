"""Steering files: what the loader takes from them, from the one of all domains, and what it refuses."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import yaml

from talkwalk.contrastive.descriptions import description_files
from talkwalk.projection.steering_language import (
    GRADES,
    LISTS,
    SPREADS,
    Direction,
    load_steering,
    with_other_domains,
)
from talkwalk.splits import Split, split_of
from tests.conftest import GENRES

SIDES = {"up": ["later"], "down": ["earlier"]}
FRAMES = {"switch": ["to {value}"], "more": ["and {value}"], "less": ["no {value}"]}
GOOD: dict[str, Any] = {
    "domain": "movies",
    "directions": {"year": {"up": ["newer"], "down": ["older"]}},
    "comparatives": {"year": SIDES},
    "superlatives": {"year": {"up": ["the newest"], "down": ["the oldest"]}},
    "categories": {"genre": {"names": {"Comedy": ["comedies"]}, **FRAMES}},
    "stay": ["same"], "back": ["back"], "next": ["next"], "wish": ["get {wish}"],
}  # fmt: skip
COMMON: dict[str, Any] = {
    "domain": "any",
    "grades": {"touch": ["{steer}, a touch", "a touch {more}"], "most": ["{steer}, all the way"]},
    "keep": ["the same but {wish}"],
    "first": ["the first"],
    "between": ["in between"],
    "variety": {"closest": ["all alike"], "wide": ["mix"]},
    "joins": ["{first} and {second}"],
    "back": ["undo"],
}


@pytest.fixture
def load(tmp_path, catalog):
    """Loads the two files with changes."""

    def loaded(own=None, shared=None, schema=catalog.schema):
        for name, data in (("a_films.yaml", {**GOOD, **(own or {})}), ("common.yaml", {**COMMON, **(shared or {})})):
            (tmp_path / name).write_text(yaml.safe_dump(data, sort_keys=False))
        return load_steering(tmp_path, schema)

    return loaded


def test_every_field_is_read(load):
    language = load()
    assert language.directions == {"year": Direction(("newer",), ("older",))}
    assert language.comparatives == {"year": Direction(("later",), ("earlier",))}
    assert language.superlatives == {"year": Direction(("the newest",), ("the oldest",))}
    assert language.grades == {"touch": ("{steer}, a touch", "a touch {more}"), "most": ("{steer}, all the way",)}
    assert language.variety == {"closest": ("all alike",), "wide": ("mix",)}
    assert (language.keep, language.first, language.between) == (
        ("the same but {wish}",),
        ("the first",),
        ("in between",),
    )
    assert language.joins == ("{first} and {second}",)


def test_a_domain_adds_to_what_all_share_its_own_first_and_nothing_twice(load):
    own = {
        "keep": ["like it, {wish}", "the same but {wish}"],
        "grades": {"touch": ["only {more}", "a touch {more}"], "much": ["far {more}"]},
        "variety": {"wide": ["all sorts", "mix"]},
    }
    language = load(own)
    assert language.keep == ("like it, {wish}", "the same but {wish}")
    assert language.back == ("back", "undo")
    assert language.grades["touch"] == ("only {more}", "a touch {more}", "{steer}, a touch")
    assert language.grades["much"] == ("far {more}",)
    assert language.variety == {"wide": ("all sorts", "mix"), "closest": ("all alike",)}


def test_without_the_shared_file_the_new_fields_are_empty(tmp_path, catalog):
    bare = {k: v for k, v in GOOD.items() if k not in ("comparatives", "superlatives", "categories")}
    (tmp_path / "films.yaml").write_text(yaml.safe_dump(bare))
    language = load_steering(tmp_path, catalog.schema)
    for name in ("comparatives", "superlatives", "grades", "variety", "categories"):
        assert getattr(language, name) == {}
    assert language.keep == language.first == language.between == language.joins == ()


def test_one_wording_is_a_list_of_one(load):
    assert load(shared={"keep": "only {wish}"}).keep == ("only {wish}",)
    with pytest.raises(ValueError, match=r"keep must contain \{wish\}, got 'only that'"):
        load(shared={"keep": "only that"})


def test_the_file_of_all_domains_belongs_to_each(load, tmp_path):
    load()
    assert [p.name for p in description_files(tmp_path, "movies")] == ["a_films.yaml", "common.yaml"]
    with pytest.raises(FileNotFoundError, match=r"no description file under .* says `domain: songs`"):
        description_files(tmp_path, "songs")


def test_the_shared_file_alone_is_no_steering_language(tmp_path, catalog):
    (tmp_path / "common.yaml").write_text(yaml.safe_dump(COMMON))
    (tmp_path / "films.yaml").write_text(yaml.safe_dump({"domain": "movies", "attributes": {}}))
    with pytest.raises(FileNotFoundError, match=r"no steering language for domain 'movies' under .* `directions:`"):
        load_steering(tmp_path, catalog.schema)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"comparatives": {"yaer": SIDES}}, "comparatives: unknown ordered attribute 'yaer'; did you mean 'year'"),
        ({"superlatives": {"genre": SIDES}}, "superlatives: unknown ordered attribute 'genre'"),
        ({"comparatives": {"year": {"up": ["a"]}}}, r"comparatives\.year\.down must be a list of wordings, got None"),
        ({"superlatives": {"year": {"up": [], "down": ["a"]}}}, r"superlatives\.year\.up must be a list of wordings"),
        ({"superlatives": {"year": ["a"]}}, r"superlatives\.year must map up and down to wordings, got \['a'\]"),
        ({"comparatives": ["a"]}, r"comparatives must be a mapping, got \['a'\]"),
        ({"categories": {"genre": ["a"]}}, r"categories\.genre must be a mapping, got \['a'\]"),
        ({"categories": {"genre": {"names": {"Comdy": ["a"]}, **FRAMES}}}, r"unknown value 'Comdy'; did you mean 'Com"),
        ({"categories": {"year": {"names": {}, **FRAMES}}}, "unknown category attribute 'year'"),
        (
            {"categories": {"genre": {"names": {"Comedy": ["a"]}, **FRAMES, "less": ["without"]}}},
            r"categories\.genre\.less must contain \{value\}, got 'without'",
        ),
    ],
)  # fmt: skip
def test_mistakes_of_a_domain_are_named(load, change, message):
    with pytest.raises(ValueError, match=message) as error:
        load(change)
    assert "a_films.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grades": {"tuoch": ["{steer}"]}}, "grades: unknown grade 'tuoch'; did you mean 'touch'"),
        ({"grades": {"bit": ["a bit"]}}, r"grades\.bit must contain one of \{steer\} and \{more\}, got 'a bit'"),
        ({"grades": {"bit": ["{more}: {steer}"]}}, r"grades\.bit must contain one of .*, got '\{more\}: \{steer\}'"),
        ({"grades": {"bit": []}}, r"grades\.bit must be a list of wordings, got \[\]"),
        ({"grades": ["a bit {more}"]}, r"grades must be a mapping, got \['a bit \{more\}'\]"),
        ({"variety": {"wider": ["mix"]}}, "variety: unknown spread 'wider'; did you mean 'wide"),
        ({"variety": {"wide": [7]}}, r"variety\.wide must be a list of wordings, got \[7\]"),
        ({"variety": "mix"}, "variety must be a mapping, got 'mix'"),
        ({"keep": ["the same"]}, r"keep must contain \{wish\}, got 'the same'"),
        ({"joins": ["{first} and"]}, r"joins must contain \{second\}, got '\{first\} and'"),
        ({"joins": ["and {second}"]}, r"joins must contain \{first\}, got 'and \{second\}'"),
        ({"tastes": ["I like films."]}, r"tastes must contain \{likes\} or \{titles\}, got 'I like films\.'"),
        ({"first": []}, r"first must be a list of wordings, got \[\]"),
        ({"between": [""]}, r"between must be a list of wordings, got \[''\]"),
    ],
)
def test_mistakes_of_the_shared_file_are_named_after_it(load, change, message):
    with pytest.raises(ValueError, match=message) as error:
        load(shared=change)
    assert "common.yaml" in str(error.value)


def test_a_value_that_a_catalogue_happens_not_to_have_is_left_out(load, catalog):
    genre = dataclasses.replace(catalog.schema.items["genre"], values=("Comedy", "Drama"), open=True)
    schema = dataclasses.replace(catalog.schema, items={**catalog.schema.items, "genre": genre})
    names = {g: [g.lower()] for g in GENRES}
    language = load({"categories": {"genre": {"names": names, **FRAMES}}}, schema=schema)
    assert language.categories["genre"].names == {"Comedy": ("comedy",), "Drama": ("drama",)}


def test_parts_are_disjoint_complete_and_keep_names_and_comparatives(load):
    many = {name: [f"{name} {i} {{wish}}" for i in range(40)] for name in ("wish", "keep")}
    many |= {name: [f"{name} {i}" for i in range(40)] for name in ("stay", "back", "next", "first", "between")}
    many["joins"] = [f"{{first}} {i} {{second}}" for i in range(40)]
    many["tastes"] = [f"{i} {{likes}}" for i in range(40)]
    grades = {name: [f"{name} {i} {{more}}" for i in range(40)] for name in GRADES}
    variety = {name: [f"{name} {i}" for i in range(40)] for name in SPREADS}
    ends = {"year": {"up": [f"newest {i}" for i in range(40)], "down": [f"oldest {i}" for i in range(40)]}}
    whole = load({**many, "grades": grades, "variety": variety, "superlatives": ends})
    parts = {split: whole.part(split, test=0.4, valid=0.2) for split in Split}
    found = {split: part.all_wordings() for split, part in parts.items()}
    assert sum(map(len, found.values())) == len(set.union(*found.values()))
    assert set.union(*found.values()) == whole.all_wordings()
    for split, part in parts.items():
        assert all(split_of(w, test=0.4, valid=0.2) is split for w in found[split])
        assert part.comparatives == whole.comparatives
        assert part.categories["genre"].names == whole.categories["genre"].names
        for name in LISTS:
            assert 0 < len(getattr(part, name)) < len(getattr(whole, name))
        assert all(0 < len(part.grades[n]) < 40 for n in GRADES) and all(0 < len(part.variety[n]) < 40 for n in SPREADS)
        assert part.superlatives["year"].up and set(part.superlatives["year"].up) < set(ends["year"]["up"])


def test_other_domains_add_what_they_say_of_the_same_attributes_and_around_categories(load, tmp_path):
    songs = {
        "domain": "songs",
        "directions": {
            "year": {"up": ["fresher", "newer"], "down": ["vintage"]},
            "tempo": {"up": ["faster"], "down": ["slower"]},
        },
        "categories": {"style": {"names": {"jazz": ["jazz"]}, **FRAMES, "less": ["skip the {value}"]}},
        "stay": ["more songs like it"],
        "joins": ["{first} plus {second}"],
    }
    (tmp_path / "songs.yaml").write_text(yaml.safe_dump(songs))
    own = load()
    wide = with_other_domains(own, tmp_path)
    assert wide.directions == {"year": Direction(("newer", "fresher"), ("older", "vintage"))}
    assert wide.comparatives == own.comparatives and wide.superlatives == own.superlatives
    genre = wide.categories["genre"]
    assert genre.names == own.categories["genre"].names
    assert (genre.switch, genre.less) == (("to {value}",), ("no {value}", "skip the {value}"))
    assert wide.stay == ("same", "more songs like it") and wide.joins == own.joins


def test_a_domain_alone_says_what_it_says(load, tmp_path):
    own = load()
    assert with_other_domains(own, tmp_path) == own


def test_a_mistake_in_another_domain_names_its_file(load, tmp_path):
    (tmp_path / "songs.yaml").write_text(yaml.safe_dump({"domain": "songs", "directions": {"year": {"up": 3}}}))
    with pytest.raises(ValueError, match=r"songs.yaml: directions.year.up must be"):
        with_other_domains(load(), tmp_path)
