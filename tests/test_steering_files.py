"""The repository's own steering language says enough, and nothing that points two ways."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

import talkwalk.datasets
from talkwalk.projection.steering_language import SteeringLanguage, load_steering
from talkwalk.schema import Schema

STEERING = Path(__file__).parent.parent / "data" / "descriptions" / "steering"
SCHEMAS = Path(talkwalk.datasets.__file__).parent / "schemas"


@pytest.fixture(scope="module", params=sorted(p.stem for p in STEERING.glob("*.yaml")))
def schema(request) -> Schema:
    """The schema of a steering file, which is named after its domain."""
    by_domain = {s.domain: s for s in map(Schema.load, sorted(SCHEMAS.glob("*.yaml")))}
    return by_domain[request.param]


@pytest.fixture(scope="module")
def language(schema) -> SteeringLanguage:
    return load_steering(STEERING.parent, schema)


def test_there_are_files():
    assert {p.stem for p in STEERING.glob("*.yaml")} >= {"games", "movies", "music"}


def test_every_axis_has_directions(schema, language):
    assert set(language.directions) == {a.name for a in schema.ordered}


def test_every_direction_says_enough(language):
    sizes = {(n, s): len(w) for n, d in language.directions.items() for s, w in d._asdict().items()}
    assert {key: size for key, size in sizes.items() if size < 150} == {}


def test_frames_and_the_rest_say_enough(language):
    lists = {k: getattr(language, k) for k in ("stay", "back", "next", "wish")}
    lists |= {f"{n}.{k}": getattr(c, k) for n, c in language.categories.items() for k in ("switch", "more", "less")}
    assert {key: len(wordings) for key, wordings in lists.items() if len(wordings) < 40} == {}


def test_every_category_is_named(schema, language):
    assert set(language.categories) == {a.name for a in schema.categorical}
    for name, category in language.categories.items():
        assert set(category.names) == set(schema.items[name].values)


def test_no_wording_points_two_ways(language):
    meanings: dict[str, list[str]] = defaultdict(list)
    for name, direction in language.directions.items():
        for side, wordings in direction._asdict().items():
            for wording in wordings:
                meanings[wording.strip().lower()].append(f"{name}.{side}")
    for key in ("stay", "back", "next"):
        for wording in getattr(language, key):
            meanings[wording.strip().lower()].append(key)
    assert {wording: where for wording, where in meanings.items() if len(where) > 1} == {}


def test_no_frame_means_two_things(language):
    for category in language.categories.values():
        meanings: dict[str, list[str]] = defaultdict(list)
        for key in ("switch", "more", "less"):
            for frame in getattr(category, key):
                meanings[frame.strip().lower()].append(key)
        assert {frame: where for frame, where in meanings.items() if len(where) > 1} == {}
