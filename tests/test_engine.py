"""The engine's public contract, on small real components."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import threading
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch

from talkwalk.bundle import SHIPPED, Bundle, find_bundle
from talkwalk.engine.diversity import HEARD, POOL, STRENGTH, diversify
from talkwalk.engine.prompt_builder import ContextLimits, PromptBuilder
from talkwalk.engine.recommender import Reading, Recommender
from talkwalk.engine.trace import movement_trace
from talkwalk.engine.turn import Item, Turn
from talkwalk.index.catalog import Catalog
from talkwalk.llm.conversation import Exchange
from talkwalk.model_card import model_card
from talkwalk.projection.movements import SHARPER
from talkwalk.projection.projection_head import BACK, CURRENT, FIRST, RETURNS, UNSAID, build_head
from talkwalk.projection.spreads import LEVELS
from talkwalk.schema import Schema
from tests.conftest import HashedSentences, make_catalog, make_language_model, make_space

YEARS_BACK = (-0.3, 0.0)  # of year and rating


def shown(turn: Turn) -> list[str]:
    return [item.id for item in turn.items]


def test_a_turn_has_everything(recommender):
    session = recommender.session(user={"age": 25, "gender": "F"}, history=["3", "5"])
    turn = session.say("something older", k=7)
    assert len(turn.items) == 7
    assert all(isinstance(i.id, str) and -1 <= i.score <= 1 and i.metadata["title"] for i in turn.items)
    assert [i.score for i in turn.items] == sorted((i.score for i in turn.items), reverse=True)
    assert turn.position.shape == (recommender.dim,)
    assert np.linalg.norm(turn.position) == pytest.approx(1, abs=1e-5)
    assert set(turn.timings) == {"prompt", "llm", "words", "projection", "search"}
    assert {"year", "rating"} <= set(turn.trace)
    assert all(-1 <= v <= 1 for v in turn.trace.values())
    assert turn.explain().endswith(".")
    assert session.turns == [turn]


def test_scores_are_cosines_of_the_position(recommender):
    turn = recommender.recommend("a comedy", k=40)
    vectors = recommender.encode_items([i.metadata for i in turn.items])
    np.testing.assert_allclose([i.score for i in turn.items], vectors @ turn.position, atol=1e-5)
    everything = recommender.encode_items(recommender.catalog.items) @ turn.position
    assert turn.items[0].score == pytest.approx(everything.max(), abs=1e-5)


def test_nothing_is_shown_twice_and_history_never(recommender):
    session = recommender.session(history=["1", "2"])
    seen = ["1", "2"]
    for text in ("a comedy", "older", "newer"):
        turn = session.say(text, k=8)
        assert not set(shown(turn)) & set(seen)
        seen += shown(turn)


def test_short_answers_are_not_padded(recommender):
    session = recommender.session()
    assert len(session.say("a film", k=30).items) == 30
    assert len(session.say("another", k=30).items) == 10
    assert session.say("another", k=30).items == []
    assert session.say("and now", k=30).explain()


def test_one_shot_equals_a_fresh_session(recommender):
    once = recommender.recommend("older", user={"age": 25.0}, history=["4"], k=5)
    again = recommender.session(user={"age": 25.0}, history=["4"]).say("older", k=5)
    assert shown(once) == shown(again)
    np.testing.assert_allclose(once.position, again.position, atol=1e-5)


def test_undo_takes_a_turn_back(recommender):
    session = recommender.session(history=["4"])
    first = session.say("a comedy")
    second = session.say("older")
    assert session.undo() is first
    third = session.say("older")
    assert shown(third) == shown(second)
    np.testing.assert_allclose(third.position, second.position, atol=1e-4)
    assert session.undo() is first
    assert session.undo() is None
    with pytest.raises(ValueError, match="no turn to undo"):
        session.undo()


def test_filters_and_exclusions_hold(recommender):
    turn = recommender.recommend("a film", k=40, where={"genre": "Horror", "year": (1950, None)}, exclude=["1", "2"])
    assert turn.items
    for item in turn.items:
        assert "Horror" in item.metadata["genre"]
        assert item.metadata["year"] >= 1950
        assert item.id not in ("1", "2")
    nothing = recommender.recommend("a film", where={"year": (1800, 1801)})
    assert nothing.items == [] and nothing.explain() == "Nothing fits “a film”."


def test_the_trace_is_the_movement_of_mean_ranks(recommender):
    session = recommender.session()
    first, second = session.say("a comedy", k=5), session.say("older", k=5)
    assert first.trace == {}
    ranks = recommender.catalog.ranks("year")
    expected = np.mean([ranks[i] for i in shown(second)]) - np.mean([ranks[i] for i in shown(first)])
    assert second.trace["year"] == pytest.approx(expected)
    share = [np.mean(["Comedy" in i.metadata["genre"] for i in t.items]) for t in (first, second)]
    assert second.trace.get("genre=Comedy", 0) == pytest.approx(share[1] - share[0])


def test_explanations_name_what_moved(catalog):
    def explain(**trace: float) -> str:
        return Turn("x", [Item("1", 0.5, {})], np.zeros(2), trace, {}, catalog.schema).explain()

    assert explain() == "A first answer to “x”."
    assert explain(year=0.01) == "About the same as before."
    assert explain(year=-0.5, rating=0.06) == "Compared with before: much older, a little higher rating."
    assert explain(**{"year": 0.2, "genre=Horror": 0.8, "genre=Drama": -0.1}) == (
        "Compared with before: newer, more Horror."
    )


def test_a_removed_item_does_not_break_the_trace(catalog):
    assert movement_trace(catalog, ["gone"], ["1"]) == {}


def test_reactions_move_the_start_and_hide_the_disliked(recommender):
    session = recommender.session()
    turn = session.say("a comedy", k=5)
    liked, disliked = shown(turn)[3], shown(turn)[0]
    session.react(disliked, liked=False)
    np.testing.assert_allclose(session._anchors()[CURRENT], recommender.item_vector(shown(turn)[1]))
    session.react(liked, liked=True)
    np.testing.assert_allclose(session._anchors()[CURRENT], recommender.item_vector(liked))
    session.say("older")
    np.testing.assert_allclose(session._anchors()[BACK], turn.position)
    assert disliked in session._seen(Reading(turn.position, 0.0, [], [], BACK, []))
    with pytest.raises(ValueError, match="unknown item id 'nope'"):
        session.react("nope", liked=True)


def test_going_back_may_show_the_earlier_answer_again(recommender):
    head = recommender.bundle.head
    session = recommender.session(history=["4"])
    first, second = session.say("a comedy"), session.say("older")
    with torch.no_grad():  # a head that always hears "go back"
        head.intent.returns.bias.copy_(torch.tensor([30.0, -30.0]))
    back = session.say("go back")
    np.testing.assert_allclose(back.position, first.position, atol=1e-5)
    assert shown(back) == shown(first)
    assert not set(shown(back)) & set(shown(second))


def hears(recommender, *, asked=(), without=(), spread=0.0):
    """From now on the head reads just this from whatever is said."""
    names = recommender.catalog.schema.category_values
    intent = recommender.bundle.head.intent
    with torch.no_grad():
        intent.named.bias.fill_(UNSAID)
        for shift, named in ((0, asked), (len(names), without)):
            for name in named:
                intent.named.bias[shift + names.index(name)] = -UNSAID
        intent.spread.said.bias.copy_(logits_of(spread))


def logits_of(spread: float) -> torch.Tensor:
    """Logits of the levels that are read as a spread: of the two levels beside it, by how near each is."""
    near = [max(0.0, 1 - abs(level - spread) / 0.5) for level in LEVELS]
    return torch.tensor([math.log(max(odds, 1e-12)) / SHARPER for odds in near])


def goes_back(recommender, slot, logit=30.0):
    """From now on the head hears going back to an earlier place, however sure it is."""
    with torch.no_grad():
        recommender.bundle.head.intent.returns.bias.copy_(
            torch.tensor([logit if place == slot else -30.0 for place in RETURNS])
        )


HORROR, WESTERN = ("genre", "Horror"), ("genre", "Western")


def genres(turn: Turn) -> set[str]:
    return {genre for item in turn.items for genre in item.metadata["genre"]}


class TestWhatIsAskedForAgain:
    """Whoever asks for more of the same was not led far enough: what the words say is added once more."""

    @pytest.fixture
    def say(self, recommender, monkeypatch):
        """Says something that is read as moving so far; the position that it leads to."""
        head = recommender.bundle.head
        head.fit_axes(torch.eye(head.axes.shape[1])[: len(head.axes)])
        session = recommender.session(history=["4"])

        def said(*moves: float, returns=None, text="whatever") -> np.ndarray:
            reading = Reading(recommender.item_vector("7"), 0.0, [], [], returns, [], moves)
            monkeypatch.setattr(recommender, "project", lambda state, anchors: reading)
            return session.say(text, k=1).position

        said.session, said.plain = session, recommender.item_vector("7")
        return said

    def along(self, recommender, place: np.ndarray, *moves: float) -> np.ndarray:
        head = recommender.bundle.head
        moved = place + sum(m * r * a for m, r, a in zip(moves, head.reach.tolist(), head.axes.numpy(), strict=True))
        return moved / np.linalg.norm(moved)

    def test_the_same_way_once_more_goes_twice_as_far(self, recommender, say):
        np.testing.assert_array_equal(say(-0.3, 0.1), say.plain)
        expected = self.along(recommender, say.plain, -0.3, 0.0)
        np.testing.assert_allclose(say(-0.3, -0.1), expected, atol=1e-6)  # the other is said for the first time
        np.testing.assert_allclose(say(-0.3, 0.0), expected, atol=1e-6)  # and no further the third time

    @pytest.mark.parametrize("moves", [(0.3, 0.0), (0.0, 0.3), (-0.15, 0.0)], ids=["back", "elsewhere", "less far"])
    def test_another_way_or_a_shorter_one_is_no_insisting(self, say, moves):
        say(-0.3, 0.0)
        np.testing.assert_array_equal(say(*moves), say.plain)

    def test_something_else_in_between_ends_it(self, say):
        say(-0.3, 0.0)
        say(0.0, 0.0)
        np.testing.assert_array_equal(say(-0.3, 0.0), say.plain)

    def test_what_was_taken_back_is_not_repeated(self, say):
        say(-0.3, 0.0)
        say.session.undo()
        np.testing.assert_array_equal(say(-0.3, 0.0), say.plain)

    def test_going_back_and_starting_elsewhere_are_no_insisting(self, recommender, say):
        say(-0.3, 0.0)
        say.session.react("9", liked=True)
        np.testing.assert_array_equal(say(-0.3, 0.0), say.plain)
        np.testing.assert_array_equal(say(-0.3, 0.0, returns=BACK), say.plain)
        title = recommender.catalog.row("7")["title"]
        np.testing.assert_array_equal(say(-0.3, 0.0, text=f"like {title}, but older"), say.plain)

    def test_a_head_without_axes_goes_nowhere_further(self):
        head = build_head("absolute", 16, 8, hidden=4, dropout=0.0, axes=3)
        assert head.along(torch.ones(2, 3)).tolist() == [[0.0] * 8] * 2


class TestWhatIsKeptTo:
    """A category that was asked for; every answer is one film, so that where the words lead is all that is near."""

    @pytest.fixture
    def say(self, recommender, monkeypatch):
        """Says something in a session that is read as leading to an item, and as asking for this and that."""
        session = recommender.session(history=["4"])

        def said(at: str, *, text="whatever", k=1, returns=None, asked=(), without=(), within=(), moves=()) -> Turn:
            place = recommender.item_vector(at)
            reading = Reading(place, 0.0, [*asked], [*without], returns, [*within], moves)
            monkeypatch.setattr(recommender, "project", lambda state, anchors: reading)
            return session.say(text, k=k)

        said.session = session
        return said

    @pytest.fixture
    def films(self, recommender):
        """Films by a genre that they have: the first few are horror, the others are not."""
        genres = {i: recommender.catalog.row(i)["genre"] for i in recommender.catalog.ids if i != "4"}
        return {wanted: [i for i, names in genres.items() if ("Horror" in names) is wanted] for wanted in (True, False)}

    def test_it_stays_until_another_is_asked_for(self, recommender, say, films):
        assert say(films[False][0], asked=[HORROR]).kept == ()
        older = say(films[True][3], k=2)
        assert older.asked == () and older.kept == older.held == (HORROR,)
        assert all("Horror" in item.metadata["genre"] for item in older.items)
        assert "still Horror" in older.explain()
        western = say(films[False][1], asked=[WESTERN])
        assert western.kept == () and western.held == (WESTERN,)

    def test_a_refusal_ends_it(self, say, films):
        say(films[True][0], asked=[HORROR])
        assert say(films[True][1], without=[HORROR]).kept == ()
        assert say(films[True][2]).kept == ()

    def test_so_do_words_that_lead_away_from_it(self, say, films):
        say(films[True][0], asked=[HORROR])
        assert say(films[False][0]).kept == ()
        assert say(films[True][1]).kept == ()

    def test_a_step_along_an_axis_does_not_lead_away(self, say, films):
        say(films[True][0], asked=[HORROR])
        older = say(films[False][0], moves=YEARS_BACK)
        assert older.kept == (HORROR,) and "Horror" in older.items[0].metadata["genre"]

    def test_a_step_from_elsewhere_does(self, recommender, say, films):
        say(films[True][0], asked=[HORROR])
        say.session.react(films[False][0], liked=True)
        assert say(films[False][1], moves=YEARS_BACK).kept == ()
        say(films[True][1], asked=[HORROR])
        title = recommender.catalog.row(films[False][2])["title"]
        named = say(films[False][3], text=f"like {title}, but older", moves=YEARS_BACK)
        assert named.named == (films[False][2],) and named.kept == ()

    def test_asking_and_refusing_in_one_breath_asks_for_nothing(self, say, films):
        say(films[True][0], asked=[HORROR])
        turn = say(films[True][1], asked=[WESTERN], without=[WESTERN])
        assert turn.asked == () and turn.kept == (HORROR,)

    def test_disliking_everything_shown_does_not_end_it(self, say, films):
        shown = say(films[True][0], asked=[HORROR]).items
        say.session.react(shown[0].id, liked=False)
        assert say(films[True][1]).kept == (HORROR,)

    def test_a_range_named_now_is_worth_more(self, recommender, say, films):
        catalog = recommender.catalog
        frightening = {catalog.row(i)["year"] for i in films[True]}
        year = next(y for i in films[False] if (y := catalog.row(i)["year"]) not in frightening)
        band = ("year", f"{year:.0f}-{year:.0f}")
        without_horror = catalog.in_ranges([band]) - catalog.having([HORROR])
        assert without_horror and not catalog.in_ranges([band]) & catalog.having([HORROR])
        say(films[True][0], asked=[HORROR])
        turn = say(films[True][1], within=[band])
        assert turn.kept == (HORROR,)
        assert {item.id for item in turn.items} <= without_horror
        assert "still" not in turn.explain()

    def test_two_that_nothing_has_together_are_both_kept_to(self, recommender, say, films):
        never = ("genre", "Musical")
        assert not recommender.catalog.having_all([HORROR, never])
        say(films[True][0], asked=[HORROR, never])
        assert say(films[True][1]).kept == (HORROR,)  # of the one film near by

    def test_going_back_and_undo_bring_back_what_was_kept_to_then(self, say, films):
        say(films[True][0], asked=[HORROR])
        say(films[True][1])
        say(films[False][0], asked=[WESTERN])
        say.session.undo()
        assert say(films[True][2]).kept == (HORROR,)
        say.session.undo()
        say(films[False][0], asked=[WESTERN])
        back = say(films[False][1], returns=BACK)
        assert back.kept == (HORROR,)
        assert "still" not in back.explain(), "it was not there a turn ago"

    def test_what_is_asked_for_on_the_way_back_is_asked_for(self, say, films):
        say(films[True][0], asked=[HORROR])
        say(films[True][1])
        say(films[False][0], asked=[WESTERN])
        back = say(films[False][1], returns=BACK, asked=[WESTERN], text="go back, and westerns please")
        assert back.asked == (WESTERN,) and back.kept == ()

    def test_going_on_from_where_it_stood_before_goes_on_with_what_held_there(self, say, films):
        before = say(films[True][0], asked=[HORROR]).items[0].id
        say(films[False][0], without=[HORROR])
        turn = say(films[True][1], text="go back, but older", moves=YEARS_BACK)
        assert turn.named == (before,)
        assert turn.without == () and turn.kept == (HORROR,)
        assert "Horror" in turn.items[0].metadata["genre"]

    def test_going_back_to_the_start_takes_it_back(self, say, films):
        say(films[True][0], asked=[HORROR])
        assert say(films[False][0], returns=BACK).kept == ()

    def test_a_turn_answered_elsewhere_does_not_end_it(self, say, films):
        say(films[True][0], asked=[HORROR])
        say.session.tell("older", [films[True][1]])
        assert say(films[True][2]).kept == (HORROR,)


class TestRefusals:
    def test_what_is_refused_stays_out_until_it_is_asked_for(self, recommender):
        # three at a time: after more turns of four, fewer than four films without either genre are left unseen
        session = recommender.session()
        hears(recommender, without=[HORROR])
        turns = [session.say("no horror", k=3)]
        hears(recommender)
        turns += [session.say(text, k=3) for text in ("older", "newer")]
        hears(recommender, without=[WESTERN])
        turns.append(session.say("and no westerns", k=3))
        for turn in turns:
            assert len(turn.items) == 3
            assert HORROR in turn.without
            assert "Horror" not in genres(turn)
        assert turns[-1].without == (HORROR, WESTERN)
        assert "Western" not in genres(turns[-1])
        hears(recommender, asked=[HORROR])
        asked = session.say("horror after all", k=3)
        assert asked.without == (WESTERN,)
        assert "Horror" in genres(asked)
        hears(recommender)
        assert session.say("older", k=3).without == (WESTERN,)

    def test_what_is_asked_for_and_refused_in_one_breath_stays_out(self, recommender):
        hears(recommender, asked=[HORROR], without=[HORROR])
        turn = recommender.recommend("horror, no, no horror", k=5)
        assert turn.without == (HORROR,)
        assert "Horror" not in genres(turn)

    def test_undo_forgets_it(self, recommender):
        session = recommender.session()
        hears(recommender)
        session.say("a comedy", k=4)
        hears(recommender, without=[HORROR])
        assert session.say("no horror", k=4).without == (HORROR,)
        session.undo()
        hears(recommender)
        assert session.say("older", k=4).without == ()

    def test_going_back_returns_to_what_was_refused_then(self, recommender):
        session = recommender.session(history=["4"])
        hears(recommender, without=[WESTERN])
        session.say("no westerns", k=4)
        hears(recommender)
        session.say("older", k=4)
        hears(recommender, asked=[WESTERN], without=[HORROR])
        assert session.say("westerns, no horror", k=4).without == (HORROR,)
        hears(recommender)
        goes_back(recommender, BACK)
        assert session.say("go back", k=4).without == (WESTERN,)

    def test_going_back_keeps_to_what_was_asked_for_then(self, recommender):
        session = recommender.session(history=["4"])
        hears(recommender, asked=[WESTERN], spread=0.5)
        first = session.say("westerns, all sorts", k=4)
        hears(recommender)
        session.say("older", k=4)
        goes_back(recommender, BACK)
        back = session.say("go back", k=4)
        assert back.asked == (WESTERN,) and back.spread == pytest.approx(first.spread)
        assert shown(back) == shown(first)

    def test_going_back_to_the_first_forgets_all_since(self, recommender):
        session = recommender.session(history=["4"])
        hears(recommender)
        session.say("a film", k=4)
        hears(recommender, without=[HORROR])
        session.say("no horror", k=4)
        hears(recommender)
        assert session.say("older", k=4).without == (HORROR,)
        goes_back(recommender, FIRST)
        assert session.say("like the first one", k=4).without == ()

    def test_a_turn_that_is_told_keeps_it(self, recommender):
        session = recommender.session()
        hears(recommender, without=[HORROR])
        session.say("no horror", k=4)
        session.tell("older", ["7"])
        hears(recommender)
        turn = session.say("newer", k=4)
        assert turn.without == (HORROR,)
        assert "Horror" not in genres(turn)

    def test_items_that_come_later_are_kept_out_too(self, recommender):
        session = recommender.session()
        hears(recommender, without=[HORROR])
        session.say("no horror", k=4)
        hears(recommender)
        recommender.add_items({"new": {"title": "New", "genre": ["Horror"], "year": 1999.0}})
        assert "new" not in shown(session.say("newer", k=100))

    def test_all_may_be_refused(self, recommender):
        hears(recommender, without=recommender.catalog.schema.category_values)
        assert recommender.recommend("nothing of that").items == []

    def test_the_explanation_says_so(self, recommender, catalog):
        session = recommender.session(history=["4"])
        hears(recommender, without=[HORROR])
        assert "no Horror" in session.say("no horror", k=4).explain()
        hears(recommender)
        assert "no Horror" in session.say("older", k=4).explain()
        still = Turn("x", [], np.zeros(2), {"year": 0.0}, {}, catalog.schema, without=(HORROR, WESTERN))
        assert still.explain() == "Compared with before: no Horror, no Western."


def test_going_back_to_the_first_may_show_it_again(recommender):
    session = recommender.session(history=["4"])
    first, *others = (session.say(text, k=4) for text in ("a comedy", "older", "newer"))
    goes_back(recommender, FIRST)
    back = session.say("like the first one", k=4)
    assert back.items[0].id == first.items[0].id
    np.testing.assert_allclose(back.position, recommender.item_vector(first.items[0].id), atol=1e-5)
    assert not set(shown(back)) & {i for turn in others for i in shown(turn)}


@pytest.mark.parametrize("slot", [BACK, FIRST])
def test_what_is_less_likely_than_not_is_no_going_back(recommender, slot):
    session = recommender.session(history=["4"])
    earlier = [session.say(text, k=4) for text in ("a comedy", "older", "newer")]
    goes_back(recommender, slot, logit=-0.1)
    turn = session.say("between those two", k=4)
    assert not set(shown(turn)) & {i for old in earlier for i in shown(old)}


def test_where_going_back_leads(recommender):
    def returns(session, slot):
        return session._returns_to(Reading(np.zeros(recommender.dim), 0.0, [], [], slot, []))

    session = recommender.session(history=["4"])
    expected = {0: (None, None), 1: (None, None), 2: (0, 0), 3: (1, 0), 4: (2, 0)}
    for said, (back, first) in expected.items():
        assert len(session.turns) == said
        assert (returns(session, BACK), returns(session, FIRST), returns(session, None)) == (back, first, None)
        session.say("older", k=4)


def test_the_first_answer_is_the_first_that_showed_something(recommender):
    session = recommender.session(history=["4"])
    assert session.say("whatever", where={"year": (1, 2)}).items == []
    first = session.say("a comedy", k=3)
    session.say("older", k=3)
    goes_back(recommender, FIRST)
    back = session.say("like the first one", k=3)
    assert back.items[0].id == first.items[0].id  # which would be hidden as seen before
    np.testing.assert_allclose(back.position, recommender.item_vector(first.items[0].id), atol=1e-5)


def test_there_is_no_going_back_to_what_was_removed(recommender):
    session = recommender.session(history=["4"])
    first = session.say("a comedy", k=3)
    hears(recommender, without=[HORROR])
    others = [session.say("no horror", k=3)]
    hears(recommender)
    others.append(session.say("older", k=3))
    recommender.remove_items([first.items[0].id])
    goes_back(recommender, FIRST)
    on = session.say("like the first one", k=3)  # walks on
    assert HORROR in on.without
    assert not set(shown(on)) & {i for turn in (first, *others) for i in shown(turn)}


def test_an_answer_without_items_is_passed_over(recommender):
    session = recommender.session(history=["4"])
    before = session.say("a comedy", k=3)
    assert session.say("newer", k=3, where={"year": (1, 2)}).items == []
    after = session.say("older", k=3)
    assert after.trace == movement_trace(recommender.catalog, shown(before), shown(after))
    assert "first answer" not in after.explain()
    session.say("newer", k=3, where={"year": (1, 2)})
    assert session.say("like the second one, but older", k=3).named == (after.items[1].id,)


def test_going_back_is_not_heard_as_a_request_for_what_it_goes_back_to(recommender):
    session = recommender.session(history=["4"])
    hears(recommender, asked=[HORROR])
    session.say("something frightening", k=3)
    hears(recommender)
    session.say("older", k=3)
    goes_back(recommender, BACK)
    back = session.say("go back", k=3)
    assert back.asked == (HORROR,) and back.heard == ()
    assert back.sure > 0.9


def test_going_back_twice_goes_back_twice(recommender):
    session = recommender.session(history=["4"])
    first, second = session.say("older", k=3), session.say("a comedy", k=3)
    session.say("newer", k=3)
    goes_back(recommender, BACK)
    back = session.say("go back", k=3)
    assert shown(back) == shown(second)
    again = session.say("go back", k=3)
    assert shown(again) == shown(first)
    np.testing.assert_allclose(again.position, first.position, atol=1e-6)
    assert shown(session.say("go back", k=3)) == shown(first)  # there is nothing before it
    session.undo()
    session.undo()
    goes_back(recommender, None)
    session.say("a comedy", k=3)
    goes_back(recommender, BACK)
    assert shown(session.say("go back", k=3)) == shown(second)


def test_undo_brings_back_the_reaction_that_the_turn_started_from(recommender):
    session = recommender.session(history=["4"])
    liked = session.say("a comedy", k=3).items[2].id
    session.react(liked, liked=True)
    once = session.say("older", k=3)
    session.undo()
    assert shown(session.say("older", k=3)) == shown(once)
    np.testing.assert_allclose(session.turns[-1].position, once.position, atol=1e-6)


def test_a_conversation_remembers_where_it_stands(recommender):
    """An answer without items, one that was disliked whole, and removed items are passed over."""
    session = recommender.session(history=["4", "5"])
    first = session.say("a comedy", k=2)
    here = recommender.item_vector(first.items[0].id)
    assert session.say("newer", k=2, where={"year": (1800, 1801)}).explain() == "Nothing fits “newer”."
    np.testing.assert_allclose(session._anchors()[CURRENT], here)
    np.testing.assert_allclose(session._anchors()[FIRST], here)
    for item in first.items:
        session.react(item.id, liked=False)
    np.testing.assert_allclose(session._anchors()[CURRENT], recommender.item_vector("5"))
    recommender.remove_items(["5"])
    np.testing.assert_allclose(session._anchors()[CURRENT], recommender.item_vector("4"))
    late = recommender.session(history=["4"])
    late.say("newer", k=2, where={"year": (1800, 1801)})
    turn = late.say("a comedy", k=2)
    np.testing.assert_allclose(late._anchors()[FIRST], recommender.item_vector(turn.items[0].id))


def test_a_profile_is_where_it_starts_until_something_was_shown(recommender):
    session = recommender.session(user={"age": 30.0})
    start = session._anchors()[CURRENT]
    session.say("newer", k=2, where={"year": (1800, 1801)})
    np.testing.assert_allclose(session._anchors()[CURRENT], start)
    assert np.linalg.norm(start) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"exclude": (i for i in ["4"])}, "exclude must be a list of item ids"),
        ({"exclude": None}, "exclude must be a list of item ids"),
        ({"where": {"genre": "comedy"}}, "unknown value of 'genre' 'comedy'; did you mean 'Comedy'"),
        ({"where": {"year": (1990, 1980)}}, "low up to high"),
        ({"where": {"year": (math.nan, None)}}, r"where\['year'\] must be"),
        ({"where": {"year": math.nan}}, r"where\['year'\] must be"),
        ({"where": [("year", 1990)]}, "where must be a mapping"),
        ({"diversity": "0.5"}, "diversity must be between 0 and 1, got '0.5'"),
        ({"k": True}, "k must be a positive whole number"),
        ({"system": ""}, "system must not be empty: leave it out"),
    ],
)
def test_impossible_arguments_are_named_and_lose_nothing(recommender, arguments, message):
    session = recommender.session(history=["4"])
    with pytest.raises(ValueError, match=message):
        session.say("older", **arguments)
    assert session.turns == []


def test_numbers_of_numpy_are_numbers(recommender):
    turn = recommender.recommend("older", k=np.int64(3), where={"year": (np.int64(1900), np.float32(2020))})
    assert len(turn.items) == 3


def test_half_a_character_is_named(recommender):
    with pytest.raises(ValueError, match="text must be valid Unicode, got half a character at 6"):
        recommender.recommend("older \ud83d")


@pytest.mark.parametrize("history", [(i for i in ["4"]), None, "4"])
def test_a_history_is_a_list(recommender, history):
    with pytest.raises(ValueError, match="history must be a list of item ids"):
        recommender.session(history=history)


def test_rows_are_copies_and_turns_are_compared_as_objects(recommender):
    turn = recommender.recommend("a comedy", k=2)
    item = turn.items[0]
    item.metadata["genre"].append("Polka")
    assert "Polka" not in recommender.catalog.row(item.id)["genre"]
    assert turn == turn and turn != recommender.recommend("a comedy", k=2) and len({turn}) == 1


def test_bad_tables_of_items_are_named(recommender):
    twice = pd.DataFrame([{"year": 1950.0}, {"year": 1960.0}], index=["t", "t"])
    with pytest.raises(ValueError, match="item ids must be unique, 't'"):
        recommender.add_items(twice)
    for row in ("Heat", None):
        with pytest.raises(ValueError, match="item 't' must be a mapping of attributes"):
            recommender.add_items({"t": row})
    assert "t" not in recommender.catalog.ids and "t" not in recommender.index


def test_items_may_come_and_go_while_people_talk(recommender):
    row, done, failed = {"title": "New", "genre": ["Western"], "year": 1999.0}, threading.Event(), []

    def change():
        while not done.is_set():
            recommender.add_items({"new": row, "other": row})
            recommender.remove_items(["new", "other"])

    changer = threading.Thread(target=change)
    changer.start()
    try:
        for _ in range(30):
            session = recommender.session(history=["4"])
            try:
                for text in ("a western", "newer"):
                    session.say(text, k=100, where={"year": (1900, None)})
            except (ValueError, IndexError, KeyError) as error:
                failed.append(error)
    finally:
        done.set()
        changer.join()
    assert failed == []


def test_items_come_and_go_live(recommender):
    row = {"title": "New", "genre": ["Western"], "year": 1999.0}
    recommender.add_items({"new": row})
    assert "new" in recommender.catalog.ids
    best = recommender.search(recommender.item_vector("new"), 1, (), None, 0.0)[0]
    assert best.id == "new"
    assert best.metadata == row
    recommender.remove_items(["new"])
    assert "new" not in shown(recommender.recommend("western", k=100))
    recommender.add_items(pd.DataFrame([{"title": "T", "year": 1950.0}], index=["t"]))
    assert recommender.catalog.row("t") == {"title": "T", "year": 1950.0}


def test_a_bad_row_changes_nothing(recommender):
    with pytest.raises(ValueError, match="unknown item attribute 'yeer'; did you mean 'year'"):
        recommender.add_items({"a": {"year": 1990.0}, "b": {"yeer": 1990.0}})
    with pytest.raises(ValueError, match="unknown item id 'b'"):
        recommender.remove_items(["1", "b"])
    assert len(recommender.catalog) == len(recommender.index) == 40
    assert "1" in recommender.index


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": ""}, "text must not be empty"),
        ({"text": "   "}, "text must not be empty"),
        ({"text": "x" * 100_000}, "at most 2000 characters, got 100000"),
        ({"text": 7}, "text must be a string, got int"),
        ({"text": "a", "k": 0}, "k must be a positive whole number, got 0"),
        ({"text": "a", "k": 2.5}, "k must be a positive whole number, got 2.5"),
        ({"text": "a", "exclude": ["x1"]}, "unknown item id 'x1'"),
        ({"text": "a", "exclude": "12"}, "exclude must be a list"),
        ({"text": "a", "where": {"gener": "Comedy"}}, "unknown item attribute 'gener'; did you mean 'genre'"),
        ({"text": "a", "where": {"year": "old"}}, "'year' must be a number, got 'old'"),
        ({"text": "a", "diversity": 2}, "diversity must be between 0 and 1, got 2"),
        ({"text": "a", "system": ""}, "system must not be empty"),
        ({"text": "a", "history": ["99"]}, "unknown item id '99'"),
        ({"text": "a", "history": [3]}, "item ids must be strings, got 3"),
        ({"text": "a", "history": "3"}, "history must be a list of item ids"),
        ({"text": "a", "user": {"agee": 3}}, "unknown user attribute 'agee'; did you mean 'age'"),
        ({"text": "a", "user": {"age": "old"}}, "'age' must be a number, got 'old'"),
        ({"text": "a", "user": "nobody"}, "unknown user id 'nobody'"),
        ({"text": "a", "user": 12}, "user must be a mapping"),
    ],
)
def test_bad_input_is_named(recommender, arguments, message):
    with pytest.raises(ValueError, match=message):
        recommender.recommend(**arguments)


def test_a_refused_turn_leaves_the_session_as_it_was(recommender):
    session = recommender.session()
    session.say("a comedy")
    with pytest.raises(ValueError, match="unknown item id"):
        session.say("older", exclude=["x"])
    assert len(session.turns) == 1


def test_users_may_be_given_by_id_or_attributes(recommender):
    by_id = recommender.recommend("a film", user="3")
    by_row = recommender.recommend("a film", user=recommender.catalog.user("3"))
    assert shown(by_id) == shown(by_row)


def test_encoders_give_unit_rows(recommender):
    for vectors in (
        recommender.encode_text(["a comedy", "an old film"]),
        recommender.encode_items([{"year": 1950.0}, {}]),
        recommender.encode_users([{"age": 3.0}, {"gender": "F"}]),
    ):
        assert vectors.shape == (2, recommender.dim)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


# prompts


def test_the_model_reads_words_and_never_an_id(backend):
    catalog = make_catalog()
    renamed = catalog.items.rename(index={i: f"secret-{i}" for i in catalog.items.index})
    hidden = Catalog(catalog.schema, renamed)
    rec = Recommender(_bundle_for(hidden, backend), hidden, backend)
    session = rec.session(history=["secret-1", "secret-2"])
    session.say("a comedy")
    session.say("older", system="prefer short films")
    text = backend.renderer.tokenizer.decode(session.prompt.ids)
    assert "secret" not in text
    assert "Film 1" in text
    assert "prefer short films" in text


def _bundle_for(catalog, backend):
    from tests.conftest import make_bundle

    return make_bundle(make_space(catalog), backend)


def test_long_conversations_are_truncated_to_whole_turns(catalog, backend):
    builder = PromptBuilder(catalog.schema, backend.renderer, ContextLimits(turns=4, tokens=100_000))
    first, shown_turns = 0, []
    for count in range(1, 12):
        exchanges = [Exchange(f"turn {n}", "Film") for n in range(count - 1)] + [Exchange(f"turn {count - 1}")]
        built = builder.build("You recommend.", exchanges, first=first)
        first = built.first
        shown_turns.append(count - first)
        assert len(built.prompt.readouts) == count - first <= 4
    assert shown_turns == [1, 2, 3, 4, 2, 3, 4, 2, 3, 4, 2]


def test_the_token_limit_keeps_the_last_turn(catalog, backend):
    builder = PromptBuilder(catalog.schema, backend.renderer, ContextLimits(turns=50, tokens=150))
    exchanges = [*(Exchange("word " * 20, "Film") for _ in range(6)), Exchange("the last one")]
    built = builder.build("You recommend.", exchanges)
    assert len(built.prompt.ids) <= 150
    assert "the last one" in backend.renderer.tokenizer.decode(built.prompt.ids)
    assert builder.build("You recommend.", [Exchange("word " * 200)]).first == 0


@pytest.mark.parametrize(("name", "value"), [("turns", 0), ("tokens", 0), ("history", -1)])
def test_impossible_limits_are_named(name, value):
    with pytest.raises(ValueError, match=f"{name} must .* got {value}"):
        ContextLimits(**{name: value})


# diversity


@pytest.fixture
def candidates():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(9, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    position = vectors[0] + 0.1 * rng.normal(size=4)
    scores = vectors @ (position / np.linalg.norm(position))
    order = np.argsort(-scores)
    return scores[order], vectors[order]


def test_diversity_against_a_slow_search(candidates):
    scores, vectors = candidates
    chosen: list[int] = []

    def value(i: int) -> float:
        like = max([vectors[i] @ vectors[j] for j in chosen]) if chosen else 0.0
        return 0.6 * scores[i] - 0.4 * like

    for _ in range(5):
        chosen.append(max((i for i in range(9) if i not in chosen), key=value))
    assert diversify(scores, vectors, 5, 0.4) == chosen
    assert chosen[0] == 0
    assert diversify(scores, vectors, 5, 0.0) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("closeness", [0.2, 0.5, 0.9])
def test_a_group_that_is_alike_is_hardly_worse_than_the_best_of_all_groups(candidates, closeness):
    scores, vectors = candidates

    def value(group: tuple[int, ...]) -> float:
        pairs = [vectors[i] @ vectors[j] for i, j in itertools.combinations(group, 2)]
        return (1 - closeness) * float(np.mean(scores[list(group)])) + closeness * float(np.mean(pairs))

    found = diversify(scores, vectors, 4, -closeness)
    every = sorted((value((0, *others)) for others in itertools.combinations(range(1, 9), 3)), reverse=True)
    assert found == sorted(set(found)) and found[0] == 0 and len(found) == 4
    assert value(tuple(found)) >= every[len(every) // 10]


def test_a_long_answer_that_is_alike_needs_little_memory():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(4000, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = vectors @ vectors[0]
    order = np.argsort(-scores)
    tracemalloc.start()
    found = diversify(scores[order], vectors[order], 800, -0.7)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(set(found)) == 800 and peak < 200e6


@pytest.mark.parametrize("diversity", [-1.0, -0.5, 0.5, 1.0])
def test_fewer_candidates_than_wanted_are_all_shown(candidates, diversity):
    scores, vectors = candidates
    assert sorted(diversify(scores, vectors, 50, diversity)) == list(range(9))
    assert diversify(scores[:1], vectors[:1], 3, diversity) == [0]
    assert diversify(scores[:0], vectors[:0], 3, diversity) == []


def test_more_diversity_spreads_the_answer(recommender):
    def spread(diversity: float) -> float:
        turn = recommender.recommend("a film", k=6, diversity=diversity)
        vectors = recommender.encode_items([i.metadata for i in turn.items])
        return float(1 - (vectors @ vectors.T).mean())

    assert spread(0.0) < spread(0.9)


def alike(vectors: np.ndarray) -> float:
    """Mean cosine of all pairs."""
    return float((vectors @ vectors.T)[np.triu_indices(len(vectors), 1)].mean())


@pytest.mark.parametrize("seed", range(5))
def test_negative_diversity_draws_an_answer_together(seed):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(400, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = vectors @ vectors[0]
    order = np.argsort(-scores)[: 10 * POOL]
    found = [alike(vectors[order][diversify(scores[order], vectors[order], 10, d)]) for d in (-0.7, 0.0, 0.7)]
    assert found[0] > found[1] > found[2]


def test_words_draw_an_answer_together_or_apart(recommender):
    def answers(spread: float, **arguments: float) -> list[Turn]:
        hears(recommender, spread=spread)
        return [recommender.recommend("a film", history=[start], k=5, **arguments) for start in "123456"]

    turns = {spread: answers(spread) for spread in (-1.0, 0.0, 1.0)}
    close, plain, wide = (
        np.array([alike(recommender.index.vectors(shown(turn))) for turn in found]) for found in turns.values()
    )
    assert close.mean() > plain.mean() > wide.mean()
    assert (wide < plain).all()
    for spread, found in turns.items():
        assert [turn.spread for turn in found] == [spread] * 6
        assert [shown(turn)[0] for turn in found] == [shown(turn)[0] for turn in turns[0.0]]
    assert list(map(shown, turns[1.0])) == list(map(shown, answers(0.0, diversity=STRENGTH)))


def test_what_is_hardly_said_changes_nothing(recommender):
    def answer(spread: float) -> Turn:
        hears(recommender, spread=spread)
        return recommender.recommend("a film", k=6)

    plain = answer(0.0)
    for spread in (HEARD - 0.01, 0.01 - HEARD):
        assert shown(answer(spread)) == shown(plain)
        assert answer(spread).spread == 0.0
    assert answer(HEARD + 0.01).spread == pytest.approx(HEARD + 0.01)


def test_an_explicit_diversity_wins_over_the_words(recommender):
    hears(recommender)
    asked = recommender.recommend("a film", k=6, diversity=0.9)
    hears(recommender, spread=-1.0)
    assert shown(recommender.recommend("a film", k=6, diversity=0.9)) == shown(asked)
    assert shown(recommender.recommend("a film", k=6)) != shown(asked)


# bundles


def test_a_saved_bundle_gives_the_same_answers(recommender, tmp_path, catalog, backend):
    recommender.save_pretrained(tmp_path / "bundle")
    bundle = Bundle.load(tmp_path / "bundle")
    bundle.space.sentences = HashedSentences()
    loaded = Recommender(bundle, catalog, backend)
    first, second = (r.recommend("older", history=["4"], user={"age": 30.0}) for r in (recommender, loaded))
    assert shown(first) == shown(second)
    np.testing.assert_allclose(first.position, second.position, atol=1e-6)
    assert "from talkwalk import Recommender" in (tmp_path / "bundle" / "README.md").read_text()


@pytest.mark.parametrize("name", sorted(p.name for p in SHIPPED.iterdir() if (p / "config.json").is_file()))
def test_a_shipped_card_says_what_opens_the_bundle(name):
    folder = find_bundle(name)
    settings = json.loads((folder / "config.json").read_text())
    card = (folder / "README.md").read_text()
    license = card.partition("license: ")[2].partition("\n")[0]
    assert f'from_pretrained("{name}")' in card
    assert card == model_card(settings, Schema.load(folder / "schema.yaml"), license, name)


def test_a_card_can_be_made_again_from_what_was_saved(bundle, tmp_path):
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    metrics = {"projection": {"b": figure, "a": figure}, "contrastive": {"c": figure}}
    dataclasses.replace(bundle, metrics=metrics).save(tmp_path / "mine")
    settings = json.loads((tmp_path / "mine" / "config.json").read_text())
    card = (tmp_path / "mine" / "README.md").read_text()
    assert card == model_card(settings, bundle.space.schema, "apache-2.0", "mine")


def test_no_foreign_file_is_overwritten(bundle, tmp_path):
    """Many folders hold a config.json; what is replaced must be a bundle and nothing else."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "config.json").write_text('{"name": "my app"}')
    (folder / "thesis.txt").write_text("ten years")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"holds other files, such as (config\.json|thesis\.txt)"):
            bundle.save(folder)
        assert (folder / "thesis.txt").read_text() == "ten years"
        (folder / "config.json").unlink(missing_ok=True)
    with pytest.raises(ValueError, match="is a file"):
        bundle.save(folder / "thesis.txt")
    bundle.save(tmp_path / "b")
    (tmp_path / "b" / "notes.md").write_text("mine")
    with pytest.raises(ValueError, match=r"such as notes\.md"):
        bundle.save(tmp_path / "b")
    (tmp_path / "b" / "notes.md").unlink()
    bundle.save(tmp_path / "b")


def test_damage_is_noticed(bundle, tmp_path):
    bundle.save(tmp_path / "b")
    weights = tmp_path / "b" / "projection_head.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(ValueError, match=r"projection_head\.safetensors is damaged"):
        Bundle.load(tmp_path / "b")
    weights.unlink()
    with pytest.raises(FileNotFoundError, match=r"no projection_head\.safetensors"):
        Bundle.load(tmp_path / "b")
    (tmp_path / "b" / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json is damaged"):
        Bundle.load(tmp_path / "b")


def test_another_language_model_is_refused(bundle, catalog):
    with pytest.raises(ValueError, match=r"head belongs to the language model tiny .* got one with fingerprint"):
        Recommender(bundle, catalog, make_language_model(1))


def test_another_schema_is_refused(bundle, catalog, backend):
    fewer = {n: a for n, a in catalog.schema.items.items() if n != "rating"}
    other = Catalog(dataclasses.replace(catalog.schema, items=fewer), catalog.items.drop(columns="rating"))
    with pytest.raises(ValueError, match="trained for item attributes"):
        Recommender(bundle, other, backend)


def test_a_folder_of_the_same_name_hides_no_shipped_bundle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "music").mkdir()
    assert find_bundle("music") == SHIPPED / "music"


def test_what_nothing_may_be_trained_on_stays_so(bundle, backend, tmp_path):
    whole = make_catalog()
    told = Catalog(whole.schema, whole.items, whole.users, whole.interactions, "the publisher's terms")
    Recommender(bundle, told, backend).catalog.save(tmp_path / "kept")
    assert Catalog.load(tmp_path / "kept").evaluation_only == "the publisher's terms"


def test_unknown_bundles_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no bundle 'nonsense': it must be a shipped name"):
        find_bundle("nonsense")
    with pytest.raises(FileNotFoundError, match="is not a bundle"):
        find_bundle(tmp_path)


def test_saving_does_not_overwrite_other_files(bundle, tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(ValueError, match="holds other files"):
        bundle.save(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_another_catalogue_of_the_same_domain_works(bundle, backend):
    rec = Recommender(bundle, make_catalog(12), backend)
    assert set(shown(rec.recommend("a film", k=50))) == set(rec.catalog.ids)


class TestTell:
    """Turns that somebody else answered."""

    def test_the_next_turn_starts_from_what_was_shown(self, recommender):
        session = recommender.session(history=["3"])
        session.tell("a comedy", ["5", "6"])
        assert [item.id for item in session.turns[0].items] == ["5", "6"]
        assert session.turns[0].position == pytest.approx(recommender.item_vector("5"))
        turn = session.say("older", k=5)
        assert not {"3", "5", "6"} & {item.id for item in turn.items}
        assert turn.trace  # against what was told

    def test_the_engine_s_own_answers_told_again_give_the_same_session(self, recommender):
        first, second = recommender.session(history=["3"]), recommender.session(history=["3"])
        turn = first.say("a comedy", k=4)
        second.tell("a comedy", [item.id for item in turn.items])
        a, b = first.say("older", k=4), second.say("older", k=4)
        assert a.position == pytest.approx(b.position, abs=1e-5)
        assert second.undo().items[0].id == turn.items[0].id

    def test_a_bad_turn_is_not_told(self, recommender):
        session = recommender.session()
        for shown, said in (([], "at least one item id"), ("5", "shown must be a list"), (["x"], "unknown item id")):
            with pytest.raises(ValueError, match=said):
                session.tell("a comedy", shown)
        with pytest.raises(ValueError, match="must not be empty"):
            session.tell(" ", ["5"])
        assert session.turns == []
