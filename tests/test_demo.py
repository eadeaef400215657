"""The demos: the page is built and answers without being launched; the examples' catalogues are sound."""

from __future__ import annotations

import importlib
import sys

import pytest

from talkwalk.contrastive.descriptions import load_descriptions
from talkwalk.datasets.synthetic_music import synthetic_music
from talkwalk.schema import Kind
from tests.test_senses import NEWER, OLD_OR_NEW, hears_sides

gr = pytest.importorskip("gradio", reason="needs the extra `demo`, which `make setup` installs")

EXAMPLES = {"example_music": ("music", "genre"), "example_ecommerce": ("shop", "category")}


@pytest.fixture
def app():
    return importlib.import_module("demo.app")


def test_the_page_is_built(app, recommender):
    page = app.build(recommender)
    assert isinstance(page, gr.Blocks)
    labels = [getattr(block, "label", None) for block in page.blocks.values()]
    assert {"age", "age_range", "gender", "Conversation", "Where it led"} <= set(labels)
    assert {f.api_name for f in page.fns.values()} >= {"say", "undo", "rather"}


def test_a_turn_and_its_undo(app, recommender):
    names = ["age_range", "gender"]
    text, messages, session, items, why, _ = app.respond(recommender, names, "old comedy", [], None, 4.0, "18-24", None)
    assert text == ""
    assert [m["role"] for m in messages] == ["user", "assistant"]
    assert session.user == {"age_range": "18-24"}
    assert list(items.columns) == ["title", "genre", "year", "rating", "score"]
    assert len(items) == 4
    assert items["title"][0] in messages[-1]["content"]
    assert "llm" in why
    first = items
    _, messages, session, items, *_ = app.respond(recommender, names, "newer", messages, session, 4, None, None)
    assert len(messages) == 4
    assert not set(items["title"]) & set(first["title"])
    messages, items, why, _ = app.undo(recommender, messages, session)
    assert len(messages) == 2
    assert items.equals(first)
    messages, items, why, _ = app.undo(recommender, messages, session)
    assert (messages, len(items), why) == ([], 0, "")
    with pytest.raises(gr.Error, match="no turn to undo"):
        app.undo(recommender, messages, session)


def test_words_can_be_taken_otherwise(app, recommender):
    hears_sides(recommender, OLD_OR_NEW)
    _, messages, session, _, _, offered = app.respond(recommender, [], "the Coke one", [], None, 4)
    assert offered.choices == [("newer", 0)] and offered.visible
    messages, items, _, offered = app.rather(recommender, messages, session, 0)
    assert session.turns[-1].heard == (NEWER,)
    assert [m["role"] for m in messages] == ["user", "assistant"]
    assert items["title"][0] in messages[-1]["content"]
    assert offered.choices == [("older", 0)]
    with pytest.raises(gr.Error, match="no words"):
        app.rather(recommender, [], None, 0)
    assert not app.senses(None).visible


def test_a_bad_turn_is_told(app, recommender):
    with pytest.raises(gr.Error, match="must not be empty"):
        app.respond(recommender, [], "  ", [], None, 4)


def test_the_music_example_is_the_synthetic_catalogue(repository):
    example = importlib.import_module("demo.example_music")
    catalog = example.catalog()
    assert len(catalog) == 600 and all(item_id.startswith("synthetic-") for item_id in catalog.ids)
    assert catalog.fingerprint() == example.catalog().fingerprint() == synthetic_music(600, listeners=0).fingerprint()
    words = load_descriptions(repository / "data" / "descriptions", catalog.schema)
    assert words.items
    for attribute, values in words.items.items():
        if catalog.schema.items[attribute].kind is Kind.ORDERED:
            assert_every_value_is_described(catalog, attribute, values)
        else:
            assert set(values) == set(catalog.schema.items[attribute].values)


@pytest.mark.parametrize("name", ["example_ecommerce"])
def test_example_catalogues_are_sound(name, repository):
    example = importlib.import_module(f"demo.{name}")
    catalog = example.catalog()
    domain, category = EXAMPLES[name]
    used = {name for cell in catalog.items[category] for name in ([cell] if isinstance(cell, str) else cell)}
    assert (len(catalog), catalog.schema.domain, len(used)) == (300, domain, 8)
    assert catalog.fingerprint() == example.catalog().fingerprint()
    assert catalog.features().shape == (300, catalog.schema.input_width)
    words = load_descriptions(repository / "data" / "descriptions", catalog.schema)
    assert set(words.items[category]) == set(catalog.schema.items[category].values)
    assert len(list(words.all_wordings())) == len(set(words.all_wordings()))
    for attribute, values in words.items.items():
        assert all(len(wordings) >= 8 for wordings in values.values())
        if catalog.schema.items[attribute].kind is Kind.ORDERED:
            assert_every_value_is_described(catalog, attribute, values)


def assert_every_value_is_described(catalog, attribute, values):
    from talkwalk.contrastive.descriptions import keys_of

    cells = catalog.items[attribute]
    described = [keys_of(catalog.schema.items[attribute], cell, values) for cell in cells]
    assert all(len(keys) == 1 for keys in described)
    assert {key for keys in described for key in keys} == set(values)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_answer_in_the_new_domain(name, monkeypatch, capsys):
    """Trains a small space: about half a minute each."""
    example = importlib.import_module(f"demo.{name}")
    monkeypatch.setattr(sys, "argv", [name])
    importlib.import_module("demo.example_music").present("items", example.catalog(), example.QUERIES)
    shown = capsys.readouterr().out
    assert shown.startswith("SYNTHETIC catalogue")
    assert all(query in shown for query in example.QUERIES)
