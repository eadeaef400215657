"""Odds that hold on wordings that a head never saw."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from talkwalk.bundle import Bundle
from talkwalk.engine.recommender import Recommender
from talkwalk.engine.senses import Sense, senses_of, sureness
from talkwalk.projection.certainty import Certainty, Scale, calibrate
from talkwalk.projection.projection_head import SLOTS
from tests.test_senses import NEWER, OLD_OR_NEW, OLDER, hears_sides, shown

TRUE = Certainty(Scale(0.4, 0.5), Scale(0.7, -1.0), Scale(0.5, 0.0))


def read_of(rng, turns=6000, axes=2, categories=3):
    """What a head that is too sure makes of some turns."""
    normal = lambda *shape: torch.as_tensor(3 * rng.normal(size=shape), dtype=torch.float32)  # noqa: E731
    return SimpleNamespace(
        moves=SimpleNamespace(sides=normal(turns, axes, 3)), asked=normal(turns, categories),
        without=normal(turns, categories),
    )  # fmt: skip


def table_of(read, rng):
    """Turns that ask for things with the odds of `TRUE`."""
    odds = TRUE.odds(read)
    drawn = torch.as_tensor(rng.random(odds.sides.shape[:2]), dtype=torch.float32)
    sides = (drawn[..., None] > odds.sides.cumsum(dim=-1)[..., :2]).sum(dim=-1) - 1
    moves = np.where(sides.numpy() == 0, np.nan, 0.3 * sides.numpy())
    yes = lambda p: (rng.random(p.shape) < p.numpy()).astype(np.float32)  # noqa: E731
    return SimpleNamespace(
        states=np.zeros(1), anchors=np.zeros(1), moves=moves.astype(np.float32), asked=yes(odds.asked),
        without=yes(odds.without),
    )  # fmt: skip


def test_the_odds_with_which_things_were_asked_for_are_found():
    rng = np.random.default_rng(0)
    read = read_of(rng)
    found = calibrate(lambda states, anchors: read, table_of(read, rng))
    for scale, true in zip(found, TRUE, strict=True):
        assert scale.times == pytest.approx(true.times, abs=0.05)
        assert scale.plus == pytest.approx(true.plus, abs=0.1)


def test_odds_are_those_of_scaled_logits():
    read = read_of(np.random.default_rng(1), turns=4)
    odds = TRUE.odds(read)
    for turn in range(4):
        for axis in range(2):
            down, still, up = (0.4 * read.moves.sides[turn, axis]).tolist()
            weights = np.exp([down, still + 0.5, up])
            np.testing.assert_allclose(odds.sides[turn, axis], weights / weights.sum(), rtol=1e-5)
        for category in range(3):
            logit = 0.7 * float(read.asked[turn, category]) - 1.0
            assert float(odds.asked[turn, category]) == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-5)
    plain = Certainty().odds(read)
    torch.testing.assert_close(plain.sides, read.moves.sides.softmax(dim=-1))
    torch.testing.assert_close(plain.without, read.without.sigmoid())


def test_of_what_is_never_asked_nothing_is_learned():
    read = read_of(np.random.default_rng(2), turns=8, axes=0, categories=0)
    table = SimpleNamespace(
        states=np.zeros(1), anchors=np.zeros(1), moves=np.zeros((8, 0), np.float32),
        asked=np.zeros((8, 0), np.float32), without=np.zeros((8, 0), np.float32),
    )  # fmt: skip
    assert calibrate(lambda states, anchors: read, table) == Certainty()


def test_a_bundle_keeps_it_and_no_answer_depends_on_it(bundle, catalog, backend, tmp_path):
    sure = dataclasses.replace(bundle, certainty=TRUE)
    sure.save(tmp_path / "bundle")
    loaded = Bundle.load(tmp_path / "bundle")
    assert loaded.certainty == TRUE
    loaded = dataclasses.replace(loaded, space=bundle.space)  # whose sentence encoder is no file
    one, two = (Recommender(b, catalog, backend).recommend("newer", history=["3"]) for b in (bundle, loaded))
    assert shown(one) == shown(two) and one.heard == two.heard
    np.testing.assert_allclose(one.position, two.position, atol=2e-3)


def test_a_bundle_from_before_has_the_heads_own_odds(bundle, tmp_path):
    bundle.save(tmp_path / "bundle")
    path = tmp_path / "bundle" / "config.json"
    settings = json.loads(path.read_text())
    del settings["certainty"]
    path.write_text(json.dumps(settings))
    assert Bundle.load(tmp_path / "bundle").certainty == Certainty()


@pytest.mark.parametrize(
    "wrong", [{"side": [1, 0]}, {"sides": [1, 0, 2]}, {"sides": 1}, {"sides": ["a", 0]}, None, [1, 0]]
)
def test_a_damaged_certainty_names_itself(wrong):
    with pytest.raises(ValueError, match="two numbers for each of sides, asked, without"):
        Certainty.of(wrong)


def test_senses_have_the_calibrated_odds(recommender):
    hears_sides(recommender, OLD_OR_NEW)
    state = torch.ones(1, recommender.bundle.head_shape["input_dim"])
    read = recommender.bundle.head(state, torch.zeros(1, SLOTS, recommender.dim))
    senses = senses_of(read, recommender.catalog.schema, TRUE)
    weights = np.exp([0.4 * 3.0, 0.5, 0.4 * 2.0])
    assert next(s for s in senses if s == OLDER).odds == pytest.approx(weights[0] / weights.sum(), rel=1e-4)
    assert next(s for s in senses if s == NEWER).odds == pytest.approx(weights[2] / weights.sum(), rel=1e-4)


def test_a_turn_is_as_sure_as_the_least_sure_thing_it_heard():
    older, horror = Sense("year", -1, odds=0.9), Sense("genre", "Horror", odds=0.6)
    assert sureness([older, horror], [Sense("year", 1, odds=0.05)]) == 0.6
    assert sureness([], [older, horror]) == pytest.approx(0.1 * 0.4)
    assert sureness([], []) == 1.0


def test_whoever_says_what_was_meant_is_understood_for_sure(recommender):
    hears_sides(recommender, OLD_OR_NEW)
    session = recommender.session(history=["4"])
    turn = session.say("the Coke one")
    assert turn.sure == turn.heard[0].odds == pytest.approx(1 / (1 + np.exp(-3.0) + np.exp(-1.0)), rel=1e-3)
    assert session.rather(NEWER).sure == 1.0
