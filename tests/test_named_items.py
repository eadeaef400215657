"""Names that words compare with."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from talkwalk.engine.named_items import NamedItems, compares
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Schema

ROWS = {
    "heat": ("Heat", "Mann"),
    "usual": ("The Usual Suspects", "Singer"),
    "this": ("This One", "Nobody"),
    "ronin": ("Ronin", "Frankenheimer"),
    "up": ("Up", "Docter"),
    "hamlet1": ("Hamlet", "Branagh"),
    "hamlet2": ("Hamlet", "Zeffirelli"),
    "space": ("2001: A Space Odyssey", "Kubrick"),
    "part": ("Heat 2", "Mann"),
    "none": (None, "Mann"),
}


@pytest.fixture(scope="module")
def names() -> NamedItems:
    schema = Schema.from_dict(
        {"domain": "movies", "title": "title", "items": {"title": {"kind": "text"}, "director": {"kind": "text"}}}
    )
    table = pd.DataFrame(ROWS.values(), index=list(ROWS), columns=["title", "director"])
    return NamedItems(Catalog(schema, table))


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("something like Heat, but newer", ["heat"]),
        ("like the usual suspects", ["usual"]),
        ("like Usual Suspects please", ["usual"]),
        ("more like Heat and Ronin", ["heat", "ronin"]),
        ("similar to Heat, Ronin or the usual suspects, but older", ["heat", "ronin", "usual"]),
        ("in the style of Hamlet", ["hamlet1", "hamlet2"]),
        ("like 2001: A Space Odyssey", ["space"]),
        ("like Heat 2", ["part"]),
        ("newer than Heat", ["heat"]),
        ("anything like Mann", ["heat", "part", "none"]),
    ],
)
def test_names_after_words_of_comparison_are_found(names, text, ids):
    assert compares(text)
    assert [i for named in names.find(text) for i in named.ids] == ids


@pytest.mark.parametrize(
    "text",
    [
        "more like this one",
        "like this one, but newer",
        "I like Heat",
        "I really like Heat",
        "turn up the heat",
        "something like heat",
        "like that",
        "I watched Heat yesterday",
        "like, Heat",
        "like",
        "",
    ],
)
def test_words_that_compare_with_no_item_find_none(names, text):
    assert names.find(text) == []


def test_the_longest_name_counts_and_says_which_attribute_has_it(names):
    (found,) = names.find("like Heat 2, but older")
    assert (found.words, found.attribute, found.ids) == ("Heat 2", "title", ["part"])
    (found,) = names.find("like Kubrick")
    assert found.attribute == "director"


def test_a_turn_starts_from_what_it_is_compared_with(recommender):
    title = str(recommender.catalog.row("3")["title"])
    text = f"like {title}, but newer"
    elsewhere, there = recommender.session(history=["7"]), recommender.session(history=["7"])
    there.react("3", liked=True)  # which also makes the next turn start from it
    compared, liked = elsewhere.say(text, k=5), there.say(text, k=5, exclude=["3"])
    assert compared.like == ("3",) and "3" not in [item.id for item in compared.items]
    np.testing.assert_allclose(compared.position, liked.position, atol=1e-6)
    assert recommender.session(history=["7"]).say("something newer", k=5).like == ()


def test_items_are_found_by_name_as_soon_as_they_are_there(recommender):
    row = {**recommender.catalog.row("3"), "title": "Quite Another Thing"}
    assert recommender.compared("like Quite Another Thing") == []
    recommender.add_items({"new": row})
    assert recommender.compared("like Quite Another Thing")[0].ids == ["new"]
    recommender.remove_items(["new"])
    assert recommender.compared("like Quite Another Thing") == []


def test_several_names_weigh_the_same(recommender):
    one, two, three = (recommender.item_vector(i) for i in ("1", "2", "3"))
    pair = (one + two) / np.linalg.norm(one + two)
    slow = pair + three
    np.testing.assert_allclose(recommender.middle([["1", "2"], ["3"]]), slow / np.linalg.norm(slow), atol=1e-5)


def test_the_name_of_a_category_is_no_title(recommender):
    recommender.add_items({"new": {**recommender.catalog.row("3"), "title": "Horror"}})
    assert recommender.compared("something like Horror") == []
