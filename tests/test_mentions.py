"""Which categories a text names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from talkwalk.contrastive.mentions import Mentions, names_by_value, words_of
from talkwalk.contrastive.space import Space

NAMES = [
    ("Comedy", "funny films"), ("Sci-Fi", "science fiction"), ("rock",), ("soft rock",), ("Children's", "kids' films"),
    ("Horror", "scary movies"), ("Clothing, Shoes & Jewelry",), ("clothing",),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("switch to comedies, please", [0]),
        ("a FUNNY film", [0]),
        ("no sci fi", [1]),
        ("science-fiction instead", [1]),
        ("soft rock", [3]),  # the longest name counts
        ("soft rock, or just rock", [2, 3]),
        ("kids’ films", [4]),
        ("something for children", [4]),
        ("a scary movie", [5]),
        ("'soft rock' or \"sci-fi\"", [1, 3]),
        ("clothing, shoes & jewelry", [6]),  # a name may hold a comma
        ("clothing, shoes", [7]),
        ("rocky roads and sciences", []),
        ("", []),
    ],
)
def test_names_are_found_as_whole_words_in_either_number(text: str, named: list[int]) -> None:
    found = Mentions(NAMES).find([text])[0].reshape(2, len(NAMES))
    assert np.flatnonzero(found.any(axis=0)).tolist() == named


@pytest.mark.parametrize(
    ("text", "last", "before"),
    [
        ("I like comedies, but no rock", [2], [0]),
        ("rock but not soft rock", [3], [2]),
        ("switch to comedy, please", [0], []),
        ("I mostly like Comedy, Sci-Fi. Nothing of late. I do not want to see any Comedy.", [0], [0, 1]),
        ("rock and comedies", [0, 2], []),
    ],
)
def test_what_is_named_last_stands_apart(text: str, last: list[int], before: list[int]) -> None:
    found = Mentions(NAMES).find([text])[0].reshape(2, len(NAMES))
    assert [np.flatnonzero(place).tolist() for place in found] == [last, before]


def test_a_name_of_two_values_names_both() -> None:
    assert Mentions([("jazz", "smooth"), ("soul", "smooth")]).find(["Smooth"]).tolist() == [[1.0, 1.0, 0.0, 0.0]]


def test_no_names_find_nothing() -> None:
    assert Mentions([(), ()]).find(["anything", "at all"]).shape == (2, 4)
    assert Mentions([]).find(["anything"]).shape == (1, 0)


def test_words_lose_case_marks_and_plural_s() -> None:
    assert words_of("The boss's stories: 2 Westerns, glass!") == ("the", "boss", "story", "2", "western", "glass")
    assert words_of("zombies and a zombie") == ("zomby", "and", "a", "zomby")


def test_a_value_is_called_by_its_own_name_too() -> None:
    values = [("genre", "War"), ("genre", "Western")]
    assert names_by_value(values, {"genre": {"War": ["war films"]}}) == [("War", "war films"), ("Western",)]


@pytest.mark.parametrize("domain", ["movies", "music", "games", "shop"])
def test_every_name_of_the_shipped_language_finds_its_value(domain: str) -> None:
    file = Path(__file__).parent.parent / "data" / "descriptions" / "steering" / f"{domain}.yaml"
    categories = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["categories"]
    values = [(attribute, value) for attribute, fields in categories.items() for value in fields["names"]]
    names = [categories[attribute]["names"][value] for attribute, value in values]
    mentions = Mentions(names)
    for number, called in enumerate(names):
        found = mentions.find([f"no {name}, please" for name in called])[:, : len(names)]
        assert found[:, number].all(), values[number]


def test_a_space_keeps_its_names(space: Space, tmp_path: Path) -> None:
    attribute, value = space.schema.category_values[0]
    space.learn_names({attribute: {value: ["what nobody else says"]}})
    space.save(tmp_path)
    loaded = Space.load(tmp_path)
    assert loaded.mentions.find(["what nobody else says", "nothing"])[:, 0].tolist() == [1.0, 0.0]
    assert loaded.mentions.names == space.mentions.names


def test_a_space_with_names_for_other_values_is_refused(space: Space, tmp_path: Path) -> None:
    space.save(tmp_path)
    settings = json.loads((tmp_path / "space.json").read_text())
    (tmp_path / "space.json").write_text(json.dumps({**settings, "names": settings["names"][1:]}))
    with pytest.raises(ValueError, match=r"space\.json must have names for \d+ category values, got \d+"):
        Space.load(tmp_path)
