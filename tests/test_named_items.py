"""Names that words compare with."""

from __future__ import annotations

import unicodedata

import numpy as np
import pandas as pd
import pytest
import torch

from talkwalk.engine.named_items import NamedItems, may_name
from talkwalk.engine.recommender import Recommender
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Schema
from tests.conftest import make_bundle, make_language_model, make_space

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
    "own": ("Queen", "Queen"),
    "year": ("1979", "Nobody Perfect"),
    "long": ("To Wong Foo, Thanks for Everything!", "Kidron"),
    "list": ("Schindler's List", "Spielberg"),
    "alien": ("Alien", "Scott"),
    "amelie": ("Amélie", "Björk"),
    "chihiro": ("千と千尋の神隠し", "宮崎"),
    "istanbul": ("İstanbul Hatırası", "Nobody"),
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
        (unicodedata.normalize("NFD", "like Amélie, but newer"), ["amelie"]),
        (unicodedata.normalize("NFD", "anything by Björk"), ["amelie"]),
        ("like 千と千尋の神隠し", ["chihiro"]),
        ("like İstanbul Hatırası", ["istanbul"]),
        ("similar to Heat, Ronin or the usual suspects, but older", ["heat", "ronin", "usual"]),
        ("in the style of Hamlet", ["hamlet1", "hamlet2"]),
        ("like 2001: A Space Odyssey", ["space"]),
        ("like Heat 2", ["part"]),
        ("newer than Heat", ["heat"]),
        ("like To Wong Foo, Thanks for Everything!, but newer", ["long"]),
        ("like Schindler's List", ["list"]),
        ("no, like Heat", ["heat"]),
        ("not too slow, more like Heat", ["heat"]),
        ("like Queen", ["own"]),
        ("anything like Mann", ["heat", "part", "none"]),
        ("like Mann's films", ["heat", "part", "none"]),
    ],
)
def test_names_after_words_of_comparison_are_found(names, text, ids):
    assert may_name(text)
    assert [i for named in names.find(text) for i in named.ids] == ids


@pytest.mark.parametrize(
    "text",
    [
        "more like this one",
        "like this one, but newer",
        "I like Heat",
        "I really like Heat",
        "I'd like Heat",
        "nothing like Heat",
        "less like Heat, please",
        "I'm not a fan of Heat",
        "older than 1979",
        "worse than I did",
        "like Alien Nation",
        "looks like nobody, perfect",
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


def test_after_by_stands_who_made_it(names):
    (found,) = names.find("something by Mann, but newer")
    assert found.made_by and found.attribute == "director" and len(found.ids) == 3
    assert [n.words for n in names.find("by Singer and Docter or by Kubrick")] == ["Singer", "Docter", "Kubrick"]
    assert names.find("by Heat") == [] and names.find("day by day") == []
    assert names.find("something by Queen")[0].ids == ["own"], "a title of that name hides no maker"


@pytest.mark.parametrize(
    "text",
    ["nothing by Mann", "no more films by Mann, please", "anything but films by Mann", "everything except by Mann"],
)
def test_a_refused_maker_is_not_kept_to(names, text):
    assert names.find(text) == []


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("nothing by Mann", True),
        ("not by Mann, please", True),
        ("anything but films by Mann", True),
        ("newer, and nothing more by Mann", True),
        ("isn't there anything by Mann?", False),
        ("something by Mann", False),
        ("nothing like Heat", False),
    ],
)
def test_a_refused_maker_is_found_as_such(names, text, refused):
    assert [n.words for n in names.find(text, refused=True)] == (["Mann"] if refused else [])
    assert may_name(text) or not refused


@pytest.mark.parametrize("quoted", ['"Heat"', "'Heat'", "“Heat”", "«Heat»", "*Heat*"])
def test_marks_around_a_name_end_no_clause(names, quoted):
    assert [n.ids for n in names.find(f"like {quoted}, but newer")] == [["heat"]]
    assert names.find(f"I like {quoted}") == []
    assert [n.ids for n in names.find(f'like {quoted} and "Ronin"')] == [["heat"], ["ronin"]]


@pytest.fixture
def bands() -> Recommender:
    rows = {str(i): {"title": f"Song {i}", "artist": f"Band {i % 4}", "year": 1960.0 + i} for i in range(40)}
    schema = Schema.from_dict(
        {
            "domain": "music",
            "noun": "track",
            "title": "title",
            "items": {"title": {"kind": "text"}, "artist": {"kind": "text"}, "year": {"kind": "ordered"}},
        }
    )
    table = pd.DataFrame.from_dict(rows, orient="index")
    catalog = Catalog(schema.fit(table), table)
    backend = make_language_model()
    return Recommender(make_bundle(make_space(catalog), backend), catalog, backend)


def test_a_refused_maker_stays_out_until_asked_for_again(bands):
    def makers(turn):
        return {item.metadata["artist"] for item in turn.items}

    session = bands.session(history=["2"])
    assert makers(session.say("nothing by Band 1", k=5)).isdisjoint({"Band 1"})
    assert makers(session.say("something newer", k=20)) == {"Band 0", "Band 2", "Band 3"}
    assert makers(session.say("something by Band 1 after all", k=3)) == {"Band 1"}
    assert "Band 1" in makers(session.say("something newer", k=20))
    session.undo()
    session.undo()
    assert "Band 1" not in makers(session.say("something older", k=5))


def test_going_back_keeps_to_the_maker_again(bands):
    session = bands.session(history=["2"])
    first = session.say("something by Band 3", k=4)
    session.say("something newer", k=4)
    with torch.no_grad():
        bands.bundle.head.intent.returns.bias.copy_(torch.tensor([30.0, -30.0]))
    back = session.say("go back", k=4)
    assert {item.id for item in back.items} == {item.id for item in first.items}


def test_answers_keep_to_who_made_them(bands):
    session = bands.session(history=["2"])
    first = session.say("anything by Band 3", k=4)
    assert {item.metadata["artist"] for item in first.items} == {"Band 3"} and len(first.named) == 10
    both = session.say("by Band 1 or Band 2", k=8, where={"year": (1980, None)})
    assert {item.metadata["artist"] for item in both.items} <= {"Band 1", "Band 2"}
    assert all(item.metadata["year"] >= 1980 for item in both.items)
    assert len(session.say("something newer", k=8).items) == 8
    shown = {item.id for turn in session.turns for item in turn.items}
    rest = {item.id for item in session.say("more by Band 3", k=10).items}
    assert rest == set(first.named) - shown, "all of theirs that is left, and nothing else"
    assert len(session.say("more by Band 3", k=2).items) == 2, "nothing of theirs is left"


def test_a_turn_starts_from_what_it_is_compared_with(recommender):
    title = str(recommender.catalog.row("3")["title"])
    text = f"like {title}, but newer"
    elsewhere, there = recommender.session(history=["7"]), recommender.session(history=["7"])
    there.react("3", liked=True)  # which also makes the next turn start from it
    compared, liked = elsewhere.say(text, k=5), there.say(text, k=5, exclude=["3"])
    assert compared.named == ("3",) and "3" not in [item.id for item in compared.items]
    np.testing.assert_allclose(compared.position, liked.position, atol=1e-6)
    assert recommender.session(history=["7"]).say("something newer", k=5).named == ()


def test_items_are_found_by_name_as_soon_as_they_are_there(recommender):
    row = {**recommender.catalog.row("3"), "title": "Quite Another Thing"}
    assert recommender.named("like Quite Another Thing") == []
    recommender.add_items({"new": row})
    assert recommender.named("like Quite Another Thing")[0].ids == ["new"]
    recommender.remove_items(["new"])
    assert recommender.named("like Quite Another Thing") == []


def test_several_names_weigh_the_same(recommender):
    one, two, three = (recommender.item_vector(i) for i in ("1", "2", "3"))
    pair = (one + two) / np.linalg.norm(one + two)
    slow = pair + three
    np.testing.assert_allclose(recommender.middle([["1", "2"], ["3"]]), slow / np.linalg.norm(slow), atol=1e-5)


def test_the_name_of_a_category_is_no_title(recommender):
    row = recommender.catalog.row("3")
    recommender.add_items({"new": {**row, "title": "Horror"}, "show": {**row, "title": "The Horror Show"}})
    assert recommender.named("something like Horror") == []
    assert recommender.named("something like The Horror Show")[0].ids == ["show"]


def test_what_was_compared_with_stays_out(recommender):
    session = recommender.session()
    title = str(recommender.catalog.row("3")["title"])
    session.say(f"like {title}, but newer", k=3)
    assert "3" not in [item.id for item in session.say("something older", k=len(recommender.catalog)).items]
    session.undo()
    session.undo()
    assert "3" in [item.id for item in session.say("something older", k=len(recommender.catalog)).items]
