"""Words that point at items of an answer."""

from __future__ import annotations

import numpy as np
import pytest

from talkwalk.engine.pointed_items import OPENING, PREVIOUS, pointed_at
from talkwalk.engine.senses import Sense
from tests.test_senses import shown


@pytest.mark.parametrize(
    ("text", "read", "places"),
    [
        ("like the second one, but older", "like this one, but older", (1,)),
        ("More like the third film please", "More like this one please", (2,)),
        ("older than the fourth", "older than this one", (3,)),
        ("less famous than the second one", "less famous than this one", (1,)),
        ("I liked the 2nd one", "I liked this one", (1,)),
        ("like number 10 but shorter", "like this one but shorter", (9,)),
        ("#3, only funnier", "this one, only funnier", (2,)),
        ("Number two, please", "this one, please", (1,)),
        ("no. 4", "this one", (3,)),
        ("the fifth one but newer", "this one but newer", (4,)),
        ("similar to the second of these, and newer", "similar to this one, and newer", (1,)),
        ("like the first on the list", "like this one", (0,)),
        ("like the third film you showed me, but older", "like this one, but older", (2,)),
        ("like number one", "like this one", (0,)),
        ("like the first one, but older", "like this one, but older", (OPENING,)),
        ("the first film, only newer", "this one, only newer", (OPENING,)),
        ("the second one, more in that vein", "this one, more in that vein", (1,)),
        ("go back, but older", "this one, but older", (PREVIOUS,)),
        ("Go back to the last one but funnier", "this one but funnier", (PREVIOUS,)),
        ("like the previous film, but newer", "like this one, but newer", (PREVIOUS,)),
        ("like the one before that, but newer", "like this one, but newer", (PREVIOUS,)),
        ("like the second one and the fourth one, but older", "like these, but older", (1, 3)),
        ("like number 2, number 3 and number 2", "like these", (1, 2)),
        ("not too slow, more like the third one", "not too slow, more like this one", (2,)),
        ("like the second one, not the third one", "like this one, not the third one", (1,)),
    ],
)
def test_places_are_found_and_leave_plain_words(text, read, places):
    assert pointed_at(text, 10, "film") == (read, places)


@pytest.mark.parametrize(
    "text",
    [
        "like the first one",  # the language model has learned to go back there
        "the first one, please",
        "go back",
        "go back, just the one step",
        "go back to the previous one",
        "like the previous one",
        "like the one before, but newer",  # which may be the last
        "don't go back, but older",
        "nothing like the second one",
        "not like number 3",
        "I don't like the second one",
        "less like the third one",
        "nothing older than the third one",
        "number one, something older. number two, no horror",
        "the fifth, sixth and seventh Beatle",
        "something for the second date",
        "like the second world war",
        "like the third act of a play",
        "number one hits",
        "I want the number one",
        "music from the first half of the sixties",
        "like the eleventh one",
        "like number 12",
        "like number 0",
        "older",
        "",
    ],
)
def test_other_words_are_left_as_they_are(text):
    assert pointed_at(text, 10) == (text, ())


def test_there_must_be_something_at_the_place():
    assert pointed_at("like the fourth one", 3) == ("like the fourth one", ())
    assert pointed_at("like the third one", 3).places == (2,)
    assert pointed_at("like the first one, but older", 0).places == ()


def test_a_turn_starts_from_the_item_that_it_points_at(recommender):
    pointing, liking = recommender.session(history=["7"]), recommender.session(history=["7"])
    second = shown(pointing.say("something older", k=5))[1]
    liking.say("something older", k=5)
    liking.react(second, liked=True)
    turn, same = pointing.say("like the second one, but newer", k=5), liking.say("like this one, but newer", k=5)
    assert turn.text == "like the second one, but newer" and turn.named == (second,)
    np.testing.assert_allclose(turn.position, same.position, atol=1e-6)
    assert shown(turn) == shown(same) and pointing.prompt.ids == liking.prompt.ids


def test_the_opening_is_the_first_item_of_the_conversation(recommender):
    session = recommender.session(history=["7"])
    first = shown(session.say("something older", k=5))[0]
    session.say("something newer", k=5)
    assert session.say("like the first one, but newer", k=5).named == (first,)
    assert session.say("like the first one", k=5).named == ()


def test_before_is_where_it_stood_before_the_last_turn(recommender):
    session = recommender.session(history=["7"])
    assert session.say("go back, but newer", k=5).named == ()
    first = shown(session.turns[0])[0]
    session.say("something older", k=5)
    assert session.say("go back, but newer", k=5).named == (first,)
    assert session.say("go back", k=5).named == ()


def test_what_was_pointed_at_may_come_back(recommender):
    session = recommender.session(history=["7"])
    second = shown(session.say("something older", k=5))[1]
    session.say("like the second one, but newer", k=5)
    session.undo()
    session.undo()
    assert second in shown(session.say("something older", k=5))


def test_an_item_that_is_gone_is_not_pointed_at(recommender):
    session = recommender.session(history=["7"])
    second = shown(session.say("something older", k=5))[1]
    recommender.remove_items([second])
    turn = session.say("like the second one, but newer", k=5)
    assert turn.named == () and len(turn.items) == 5


def test_words_that_were_meant_otherwise_still_point(recommender):
    session = recommender.session(history=["7"])
    second = shown(session.say("something older", k=5))[1]
    session.say("like the second one, but newer", k=5)
    assert session.rather(Sense("year", -1)).named == (second,)
