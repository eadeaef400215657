"""The repository's own steering language says enough, and nothing that points two ways."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import talkwalk.datasets
from demo.example_ecommerce import schema as demo_schema
from talkwalk.contrastive.descriptions import EVERY_DOMAIN, load_descriptions, read_mapping
from talkwalk.projection.steering_language import GRADES, SPREADS, SteeringLanguage, load_steering
from talkwalk.schema import Schema

STEERING = Path(__file__).parent.parent / "data" / "descriptions" / "steering"
SCHEMAS = Path(talkwalk.datasets.__file__).parent / "schemas"
DOMAINS = [p.stem for p in sorted(STEERING.glob("*.yaml")) if read_mapping(p)["domain"] != EVERY_DOMAIN]
LISTS = ("stay", "back", "next", "wish", "keep", "first", "between", "joins", "tastes")


@pytest.fixture(scope="module", params=DOMAINS)
def schema(request) -> Schema:
    """The schema of a steering file, which is named after its domain."""
    by_domain = {s.domain: s for s in map(Schema.load, sorted(SCHEMAS.glob("*.yaml")))}
    return by_domain[request.param]


@pytest.fixture(scope="module")
def language(schema) -> SteeringLanguage:
    return load_steering(STEERING, schema)


@pytest.fixture(scope="module")
def common() -> dict[str, Any]:
    return read_mapping(STEERING / "common.yaml")


def repeated(meanings: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Wordings that have several of the given (wording, meaning)."""
    found: dict[str, list[str]] = defaultdict(list)
    for wording, meaning in meanings:
        found[wording.strip().lower()].append(meaning)
    return {wording: where for wording, where in found.items() if len(set(where)) > 1}


def test_there_are_files():
    assert set(DOMAINS) >= {"games", "movies", "music", "shop"}


def test_every_axis_has_directions(schema, language):
    axes = {a.name for a in schema.ordered}
    for field in (language.directions, language.comparatives, language.superlatives):
        assert set(field) == axes


def test_every_direction_says_enough(language):
    sizes = {(n, s): len(w) for n, d in language.directions.items() for s, w in d._asdict().items()}
    assert {key: size for key, size in sizes.items() if size < 150} == {}
    for field, least in ((language.comparatives, 10), (language.superlatives, 15)):
        assert min(len(side) for sides in field.values() for side in sides) >= least


def test_frames_and_the_rest_say_enough(language):
    lists = {k: getattr(language, k) for k in LISTS}
    lists |= {f"{n}.{k}": getattr(c, k) for n, c in language.categories.items() for k in ("switch", "more", "less")}
    assert {key: len(wordings) for key, wordings in lists.items() if len(wordings) < 40} == {}


def test_every_category_is_named(schema, language):
    """Every value that the schema declares, or where it leaves them open, every one that items are described by."""
    described = load_descriptions(STEERING.parent, schema).items
    assert set(language.categories) == {a.name for a in schema.categorical}
    for name, category in language.categories.items():
        assert set(category.names) == set(schema.items[name].values or described[name])


def test_a_catalogue_names_only_the_categories_that_it_has():
    """Two catalogues share the shop's file: the example's shelves, and the departments of a large shop."""
    shop = Schema.load(SCHEMAS / "shop.yaml")
    whole = load_steering(STEERING, shop).categories["category"].names
    assert set(load_steering(STEERING, demo_schema()).categories["category"].names) == set(whole)
    found = dataclasses.replace(shop.items["category"], values=("Books", "Pet Supplies"), open=True)
    large = load_steering(STEERING, dataclasses.replace(shop, items={**shop.items, "category": found}))
    assert large.categories["category"].names == {name: whole[name] for name in ("Books", "Pet Supplies")}


def test_no_wording_points_two_ways(language):
    meanings = [
        (wording, f"{name}.{side}")
        for field in (language.directions, language.superlatives, language.comparatives)
        for name, direction in field.items()
        for side, wordings in direction._asdict().items()
        for wording in wordings
    ]
    meanings += [(w, key) for key in ("stay", "back", "next", "first", "between") for w in getattr(language, key)]
    meanings += [(w, f"variety.{spread}") for spread, wordings in language.variety.items() for w in wordings]
    assert repeated(meanings) == {}


def test_no_frame_means_two_things(language):
    for category in language.categories.values():
        assert repeated((frame, key) for key in ("switch", "more", "less") for frame in getattr(category, key)) == {}
    assert repeated((frame, grade) for grade, frames in language.grades.items() for frame in frames) == {}
    assert repeated((frame, key) for key in ("wish", "keep") for frame in getattr(language, key)) == {}


SAID_OF_BOTH = {"the best you have"}  # people say it without meaning the very end


def test_a_plain_direction_does_not_say_how_far(language):
    """Nor does a superlative ask for less than the end: the two are apart."""
    for name, direction in language.directions.items():
        for plain, extreme in zip(direction, language.superlatives[name], strict=True):
            assert set(map(str.lower, plain)) & set(map(str.lower, extreme)) <= SAID_OF_BOTH


# what every domain shares


def test_the_common_file_says_enough(common):
    lists = {name: common[name] for name in ("keep", "first", "between", "joins", "back", "tastes", "wish")}
    lists |= {
        f"{field}.{name}": wordings for field in ("grades", "variety") for name, wordings in common[field].items()
    }
    assert {name: len(wordings) for name, wordings in lists.items() if len(set(wordings)) < 40} == {}
    assert {name: wordings for name, wordings in lists.items() if len(set(wordings)) < len(wordings)} == {}


def test_the_common_file_has_every_grade_and_spread(common):
    assert set(common["grades"]) == set(GRADES)
    assert set(common["variety"]) == set(SPREADS)


def test_common_frames_hold_their_slots(common):
    for name, slots in {"keep": ["{wish}"], "joins": ["{first}", "{second}"]}.items():
        for frame in common[name]:
            assert [frame.count(slot) for slot in slots] == [1] * len(slots), frame
            assert frame.count("{") == len(slots), frame
    for frames in common["grades"].values():
        for frame in frames:
            assert frame.count("{steer}") + frame.count("{more}") == frame.count("{") == 1, frame
    spoken = [
        *common["first"],
        *common["between"],
        *common["back"],
        *(w for v in common["variety"].values() for w in v),
    ]
    assert not [wording for wording in spoken if "{" in wording or "}" in wording]


def test_first_is_told_before_second(common):
    assert all(frame.index("{first}") < frame.index("{second}") for frame in common["joins"])


def test_a_domain_has_the_common_wordings_too(common, language):
    for name in ("keep", "first", "between", "joins", "back", "tastes", "wish"):
        assert set(common[name]) <= set(getattr(language, name))
    for name in GRADES:
        assert set(common["grades"][name]) <= set(language.grades[name])
    for name in SPREADS:
        assert set(common["variety"][name]) <= set(language.variety[name])
