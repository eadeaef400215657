"""What words may have been meant to ask for, and taking them so."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from talkwalk import Sense
from talkwalk.contrastive.validation import axis_vectors
from talkwalk.engine.senses import LIKELY, followed, senses_of
from talkwalk.projection.projection_head import CURRENT, SLOTS, UNSAID
from talkwalk.projection.spreads import LEVELS

HORROR = ("genre", "Horror")
OLDER, NEWER = Sense("year", -1), Sense("year", 1)


def shown(turn):
    return [item.id for item in turn.items]


def hears_sides(recommender, logits, asked=(), without=()):
    """From now on the head has these logits of less, neither and more of each axis, and is sure of categories."""
    intent, names = recommender.bundle.head.intent, recommender.catalog.schema.category_values
    with torch.no_grad():
        intent.moves.sides.weight.zero_()
        intent.moves.sides.bias.copy_(torch.tensor(logits).flatten())
        intent.moves.scale.fill_(0.3)
        intent.named.weight.zero_()
        intent.mentioned.weight.zero_()
        intent.mentioned.bias.zero_()
        intent.named.bias.fill_(UNSAID * 3)
        for shift, some in ((0, asked), (len(names), without)):
            for name in some:
                intent.named.bias[shift + names.index(name)] = -UNSAID
        intent.spread.said.bias.copy_(torch.tensor([30.0 if level == 0 else -30.0 for level in LEVELS]))
    recommender.bundle.head.fit_axes(ways(recommender))


def ways(recommender):
    """The true ways along year and rating, (axes, dim)."""
    space = recommender.bundle.space
    features = space.schema.featurize(items=recommender.catalog.items).joined()
    return torch.as_tensor(axis_vectors(space.metadata.encode, features, space.schema))


OLD_OR_NEW = [[3.0, 0.0, 2.0], [-9.0, 9.0, -9.0]]  # of year: older, or else newer; of rating nothing


def test_odds_are_those_of_the_head(recommender):
    hears_sides(recommender, OLD_OR_NEW, asked=[HORROR])
    state = torch.ones(1, recommender.bundle.head_shape["input_dim"])
    read = recommender.bundle.head(state, torch.zeros(1, SLOTS, recommender.dim))
    schema = recommender.catalog.schema
    senses = senses_of(read, schema)
    assert len(senses) == 2 * len(schema.ordered) + 2 * len(schema.category_values)
    assert [s.odds for s in senses] == sorted((s.odds for s in senses), reverse=True)
    by_sense = {sense: sense for sense in senses}
    odds = np.exp([3.0, 0.0, 2.0]) / np.exp([3.0, 0.0, 2.0]).sum()
    assert by_sense[OLDER].odds == pytest.approx(odds[0], abs=1e-5) and by_sense[OLDER].words == "older"
    assert by_sense[NEWER].odds == pytest.approx(odds[2], abs=1e-5) and by_sense[NEWER].words == "newer"
    asked = by_sense[Sense(*HORROR)]
    assert asked.odds == pytest.approx(1 / (1 + np.exp(UNSAID)), abs=1e-5) and asked.words == "Horror"
    assert by_sense[Sense(*HORROR, wanted=False)].words == "no Horror"


def test_what_was_followed_and_what_else_is_likely():
    senses = [dataclasses.replace(s, odds=o) for s, o in ((OLDER, 0.7), (NEWER, 0.2), (Sense(*HORROR), LIKELY / 2))]
    heard, otherwise = followed(senses, {"year": -0.1}, [], [])
    assert (heard, otherwise) == ([OLDER], [NEWER])
    heard, otherwise = followed(senses, {"year": 0.0}, [HORROR], [])
    assert (heard, otherwise) == ([Sense(*HORROR)], [OLDER, NEWER])
    refused = Sense(*HORROR, wanted=False)
    assert followed([refused], {}, [HORROR], [])[0] == []
    assert followed([refused], {}, [], [HORROR])[0] == [refused]


def test_a_turn_says_what_was_heard_and_what_else_may_have_been_meant(recommender):
    hears_sides(recommender, OLD_OR_NEW)
    turn = recommender.session(history=["4"]).say("the Coke one")
    assert (turn.heard, turn.otherwise) == ((OLDER,), (NEWER,))


def test_rather_answers_as_if_the_words_had_been_meant_so(recommender):
    hears_sides(recommender, OLD_OR_NEW)
    session = recommender.session(history=["4"])
    first = session.say("the Coke one", k=5)
    turn = session.rather(first.otherwise[0])
    start = recommender.item_vector("4")
    axes = torch.zeros(1, 2)
    axes[0, 0] = 0.3  # a plain step of year
    with torch.no_grad():
        place = start + recommender.bundle.head.along(axes)[0].numpy()
    np.testing.assert_allclose(turn.position, place / np.linalg.norm(place), atol=1e-5)
    assert (turn.heard, turn.otherwise, turn.text) == ((NEWER,), (OLDER,), "the Coke one")
    assert session.turns == [turn] and len(turn.items) == 5
    assert first.position @ ways(recommender)[0].numpy() < start @ ways(recommender)[0].numpy()
    assert turn.position @ ways(recommender)[0].numpy() > start @ ways(recommender)[0].numpy()
    again = session.rather(turn.otherwise[0])  # and back: nothing of the second answer remains
    assert again.heard == (OLDER,) and session.turns == [again]


def test_the_next_turn_starts_from_the_corrected_answer(recommender):
    hears_sides(recommender, OLD_OR_NEW)
    session = recommender.session(history=["4"])
    session.say("the Coke one")
    turn = session.rather(NEWER)
    np.testing.assert_allclose(session._anchors()[CURRENT], recommender.item_vector(turn.items[0].id))
    assert not set(shown(session.say("again"))) & set(shown(turn))
    assert session.undo() is turn
    assert session.undo() is None


def test_a_category_can_be_meant_and_refused(recommender):
    hears_sides(recommender, [[-9.0, 9.0, -9.0]] * 2, without=[HORROR])
    session = recommender.session(history=["4"])
    turn = session.say("don't hold back on horror", k=3)
    assert turn.heard == (Sense(*HORROR, wanted=False),) and turn.without == (HORROR,)
    wanted = session.rather(Sense(*HORROR))
    assert wanted.asked == (HORROR,) and wanted.without == ()
    assert all("Horror" in item.metadata["genre"] for item in wanted.items)
    refused = session.rather(Sense(*HORROR, wanted=False))
    assert not any("Horror" in item.metadata["genre"] for item in refused.items)


def test_arguments_of_the_turn_still_hold(recommender):
    hears_sides(recommender, OLD_OR_NEW)
    session = recommender.session()
    session.say("the Coke one", k=4, where={"genre": "Comedy"}, exclude=["1", "2"])
    turn = session.rather(NEWER)
    assert len(turn.items) == 4 and not {"1", "2"} & set(shown(turn))
    assert all("Comedy" in item.metadata["genre"] for item in turn.items)


def test_a_reaction_before_the_turn_still_counts(recommender):
    hears_sides(recommender, OLD_OR_NEW)
    session = recommender.session()
    liked = shown(session.say("a film", k=5))[3]
    session.react(liked, liked=True)
    session.say("the Coke one")
    turn = session.rather(NEWER)
    start = recommender.item_vector(liked)
    assert turn.position @ start > 0.5
    np.testing.assert_allclose(session._said[-1].start, start)


def test_somebody_new_is_answered_from_the_middle_of_the_catalogue(recommender):
    hears_sides(recommender, OLD_OR_NEW)
    vectors, way = recommender.encode_items(recommender.catalog.items), ways(recommender)[0].numpy()
    middle = vectors.mean(axis=0) / np.linalg.norm(vectors.mean(axis=0))
    session = recommender.session()
    session.say("the Coke one")
    newer, older = session.rather(NEWER), session.rather(OLDER)
    assert newer.position @ way > middle @ way > older.position @ way
    np.testing.assert_allclose(session.rather(Sense(*HORROR)).position, middle, atol=1e-4)


def test_an_empty_catalogue_has_no_answer(recommender):
    hears_sides(recommender, OLD_OR_NEW)
    recommender.remove_items(list(recommender.catalog.ids))
    session = recommender.session()
    assert session.say("the Coke one").items == session.rather(NEWER).items == []


def test_a_misheard_spread_is_forgotten(recommender):
    hears_sides(recommender, OLD_OR_NEW)
    with torch.no_grad():
        recommender.bundle.head.intent.spread.said.bias.copy_(torch.tensor([-30.0] * 4 + [30.0]))
    session = recommender.session(history=["4"])
    assert session.say("the Coke one").spread > 0.9
    assert session.rather(NEWER).spread == 0


def test_a_dislike_after_the_turn_still_counts(recommender):
    hears_sides(recommender, OLD_OR_NEW)
    session = recommender.session(history=["4"])
    liked = shown(session.say("a film", k=5))[3]
    session.react(liked, liked=True)
    session.say("the Coke one")
    session.react(liked, liked=False)
    turn = session.rather(NEWER)
    assert not np.allclose(session._said[-1].start, recommender.item_vector(liked))
    assert liked not in shown(turn)


def test_a_head_that_does_not_walk_offers_only_categories(recommender):
    recommender.bundle.head.walks = False
    hears_sides(recommender, OLD_OR_NEW, asked=[HORROR])
    session = recommender.session(history=["4"])
    turn = session.say("the Coke one")
    assert turn.heard == (Sense(*HORROR),) and turn.otherwise == ()
    with pytest.raises(ValueError, match="no way along year"):
        session.rather(NEWER)
    assert session.turns == [turn]
    assert session.rather(Sense(*HORROR, wanted=False)).without == (HORROR,)


@pytest.mark.parametrize(
    ("sense", "message"),
    [
        (Sense("year", 0), "must have the value 1"),
        (Sense("year", 1.0), "must have the value 1"),
        (Sense("year", 1, wanted=False), "wanted=False"),
        (Sense("genre", "Horor"), "genre=Horor"),
        (Sense("decade", 1), "decade=1"),
        ("newer", "must be a Sense"),
    ],
)
def test_what_cannot_be_meant_is_named(recommender, sense, message):
    session = recommender.session()
    turn = session.say("a film")
    with pytest.raises(ValueError, match=message):
        session.rather(sense)
    assert session.turns == [turn]


def test_there_must_be_a_turn_that_was_answered_here(recommender):
    session = recommender.session()
    with pytest.raises(ValueError, match="no turn"):
        session.rather(NEWER)
    session.tell("older", ["3"])
    with pytest.raises(ValueError, match="told"):
        session.rather(NEWER)


def test_an_interruption_loses_nothing(recommender, monkeypatch):
    hears_sides(recommender, OLD_OR_NEW)
    session = recommender.session()
    turn = session.say("a film", k=5)
    session.react(shown(turn)[2], liked=True)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(recommender, "search", interrupted)
        session.rather(NEWER)
    assert session.turns == [turn] and session._anchor == shown(turn)[2]
    assert session.rather(NEWER).heard == (NEWER,)
