"""Ranges that words name: which items lie in them, what is read of them, and what the answer does with them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from talkwalk.bands import Band
from talkwalk.config import WalksConfig
from talkwalk.index.catalog import Catalog
from talkwalk.projection.losses import named_ranges
from talkwalk.projection.projection_head import SLOTS, UNSAID
from talkwalk.projection.steps import StepKind
from talkwalk.projection.walks import Walker, draw_walks
from talkwalk.schema import Schema


@pytest.mark.parametrize("key", ["1940-1960", "0%-20%", "80%-100%", "1930-1930", "0%-100%"])
def test_within_is_holds_of_many(catalog, key):
    band, year = Band.parse(key), catalog.schema.items["year"]
    values = np.array([*catalog.items["year"], 1930.0, 1960.0, 2000.0, np.nan])
    expected = [value == value and band.holds(float(value), year) for value in values]
    assert band.within(values, year).tolist() == expected


def test_a_catalogue_finds_what_lies_in_one_range_of_every_attribute(catalog):
    ranges = [("year", "1930-1950"), ("year", "1980-1999"), ("rating", "3-5")]
    expected = {
        i
        for i in catalog.ids
        if (1930 <= catalog.row(i)["year"] <= 1950 or 1980 <= catalog.row(i)["year"] <= 1999)
        and 3 <= catalog.row(i)["rating"] <= 5
    }
    assert catalog.in_ranges(ranges) == expected
    assert 0 < len(expected) < len(catalog)


def test_a_missing_value_lies_in_no_range():
    schema = Schema.from_dict({"domain": "d", "items": {"year": {"kind": "ordered"}}})
    items = pd.DataFrame({"year": [1990.0, np.nan, 1991.0]}, index=list("abc"))
    catalog = Catalog(schema.fit(items), items)
    assert catalog.in_ranges([("year", "0%-100%")]) == catalog.in_ranges([("year", "1900-2000")]) == {"a", "c"}


def test_new_items_are_found_in_their_ranges(catalog):
    before = catalog.in_ranges([("year", "1930-1940")])
    row = catalog.row(catalog.ids[0])
    catalog.add({"new": {**row, "year": 1935.0}})
    assert catalog.in_ranges([("year", "1930-1940")]) == before | {"new"}


@pytest.fixture
def steps(catalog, descriptions, language):
    walker = Walker(catalog, descriptions, language, WalksConfig(simulated=1, real=0, test=1))
    return [step for walk in draw_walks(walker, [], 300, np.random.default_rng(0)) for step in walk.steps]


def test_steps_say_which_ranges_they_name(steps, catalog, descriptions):
    named = {kind: [step for step in steps if step.kind is kind and step.within] for kind in StepKind}
    assert named[StepKind.KEEP] and named[StepKind.WISH]
    assert not named[StepKind.DIRECTION] and not named[StepKind.LESS]
    for step in named[StepKind.KEEP]:
        assert step.within == ((step.subject, step.value),)
    for step in named[StepKind.WISH]:
        for name, key in step.within:
            assert Band.parse(key).holds(float(step.wanted[name]), catalog.schema.items[name])
            assert any(words in step.utterance for words in descriptions.items[name][key])
    for step in named[StepKind.SEVERAL]:
        assert step.within == tuple(named for part in step.parts for named in part.within)


def test_named_ranges_is_a_cross_entropy_summed_over_the_ranges():
    logits, wanted = torch.randn(4, 3), (torch.rand(4, 3) < 0.5).float()
    odds = torch.sigmoid(logits)
    expected = -(wanted * odds.log() + (1 - wanted) * (1 - odds).log()).sum() / 4
    torch.testing.assert_close(named_ranges(logits, wanted), expected)


def test_a_range_that_is_read_narrows_the_answer(recommender):
    ranges = recommender.bundle.space.ranges
    number = next(i for i, (name, key) in enumerate(ranges) if len(recommender.catalog.in_ranges([(name, key)])) >= 13)
    session = recommender.session(history=recommender.catalog.ids[:1])
    assert session.say("hello", k=3).within == ()
    with torch.no_grad():
        recommender.bundle.head.intent.within.bias[number] = 9.0
    turn = session.say("hello", k=3)
    assert turn.within == (ranges[number],)
    assert {item.id for item in turn.items} <= recommender.catalog.in_ranges([ranges[number]])
    name, key = ranges[number]
    assert f"{name} {key}" in turn.explain()


def test_a_range_that_too_few_items_lie_in_is_not_explained(recommender):
    session = recommender.session(history=recommender.catalog.ids[:1])
    turn = session.say("hello", k=3)
    turn = dataclasses.replace(turn, within=(("year", "1800-1801"),), trace={"year": 0.5})
    assert "1800-1801" not in turn.explain()


def test_a_fresh_head_reads_no_range(recommender):
    head = recommender.bundle.head
    states = torch.randn(3, recommender.bundle.head_shape["input_dim"])
    read = head(states, torch.zeros(3, SLOTS, recommender.dim))
    torch.testing.assert_close(read.within, torch.full((3, len(recommender.bundle.space.ranges)), UNSAID))


def test_ranges_are_given_up_before_categories(recommender):
    catalog = recommender.catalog
    genre, band = ("genre", catalog.row(catalog.ids[0])["genre"][0]), ("year", "1930-1999")
    everything, nothing = catalog.having([genre]), ("year", "1800-1801")
    assert recommender.among_asked([genre], [band], None, (), 1) == everything & catalog.in_ranges([band])
    assert recommender.among_asked([genre], [nothing], None, (), 1) == everything
    assert recommender.among_asked([], [nothing], None, (), 1) is None
    assert recommender.among_asked([], [], {"1"}, (), 1) == {"1"}
    hidden = sorted(catalog.in_ranges([band]))[1:]
    assert recommender.among_asked([], [band], None, hidden, 1) == {sorted(catalog.in_ranges([band]))[0]}
