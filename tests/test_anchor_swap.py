"""The same words, said from somewhere else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from talkwalk.config import ContextDropoutConfig, WalksConfig
from talkwalk.projection import losses
from talkwalk.projection.anchor_swap import AnchorSwaps
from talkwalk.projection.batches import UNALTERED, batches, same_words
from talkwalk.projection.projection_head import CURRENT
from talkwalk.projection.steps import Step, StepKind
from talkwalk.projection.turns import NONE, TurnTables
from talkwalk.projection.walks import Walker, draw_walks

OLDER = Step(StepKind.DIRECTION, "older", {}, "1", "year", -1)


def context(**shares: float) -> ContextDropoutConfig:
    """What is altered, and nothing else."""
    return dataclasses.replace(UNALTERED, **shares)


@pytest.fixture
def walker(catalog, descriptions, language) -> Walker:
    return Walker(catalog, descriptions, language, WalksConfig(simulated=1, real=0, test=1), catalog.ids[:30])


def test_a_place_is_an_allowed_item_with_what_the_steer_wants_there(walker, space, catalog):
    swaps = AnchorSwaps(walker, space, np.random.default_rng(0))
    swap = swaps.swaps[swaps.number(OLDER)]
    vectors = space.encode_items(catalog.items)
    assert len(swap.anchors) > 5
    for anchor, wanted, item, key in zip(*swap, strict=True):
        place = int(np.argmax(vectors @ anchor))
        row = catalog.row(catalog.ids[place])
        moved = walker.asking.moved(row, "year", -1)
        assert place < 30
        assert int(key) < 30
        assert int(key) != place
        np.testing.assert_allclose(wanted, space.encode_items([moved])[0], atol=1e-5)
        np.testing.assert_allclose(item, vectors[key], atol=1e-6)


def test_only_steers_can_be_moved(walker, space):
    swaps = AnchorSwaps(walker, space, np.random.default_rng(0))
    for kind in (StepKind.WISH, StepKind.STAY, StepKind.BACK, StepKind.NEXT):
        assert swaps.number(Step(kind, "x", {}, "1")) == -1
    assert swaps.number(OLDER) == swaps.number(Step(StepKind.DIRECTION, "earlier", {}, "2", "year", -1)) == 0


@pytest.fixture
def movable(walker, space, catalog, descriptions, backend):
    """Turns, and the places from which their steers could have been said."""
    rng = np.random.default_rng(1)
    walks = draw_walks(walker, [], 60, rng)
    drops = [losses.no_context_drop(w.history) for w in walks]
    table = TurnTables(space, catalog, descriptions, backend).build(walks, drops, rng)
    swaps = AnchorSwaps(walker, space, rng)
    table.swap = np.array([swaps.number(step) for step in table.steps])
    return table, swaps.swaps


def test_swapped_rows_keep_their_state_and_leave_their_pairs(movable):
    table, swaps = movable
    (batch,) = batches(table, 1000, np.random.default_rng(2), torch.device("cpu"), swaps, context(swap_anchor=1.0))
    moved = batch.swapped.numpy()
    assert moved.sum() == (table.swap != NONE).sum() > 5
    own = {tuple(s): a for s, a in zip(table.states, table.anchors[:, CURRENT], strict=True)}
    there = zip(batch.states[moved].numpy(), batch.anchors[moved, CURRENT].numpy(), strict=True)
    assert any(not np.allclose(own[tuple(state)], anchor) for state, anchor in there)
    assert sorted(map(tuple, batch.states.numpy())) == sorted(map(tuple, table.states))
    for after, before in zip(batch.after, batch.before, strict=True):
        assert not moved[after]
        assert not moved[before]


def test_mixed_states_lie_between_two_wordings_of_the_same_steer(movable):
    table, swaps = movable
    table.states = np.eye(len(table), dtype=np.float32)  # shows whose state is in the mixture
    (batch,) = batches(
        table, 1000, np.random.default_rng(2), torch.device("cpu"), swaps, context(swap_anchor=1.0, mix_wordings=1.0)
    )
    mixed = 0
    for state, moved in zip(batch.states.numpy(), batch.swapped, strict=True):
        rows = np.flatnonzero(state > 1e-6)
        assert state.sum() == pytest.approx(1, abs=1e-5)
        assert len({table.steps[row].meaning for row in rows}) == 1
        assert moved or len(rows) == 1
        mixed += len(rows) == 2
    assert mixed > 5
    (plain,) = batches(table, 1000, np.random.default_rng(2), torch.device("cpu"), swaps, context(swap_anchor=1.0))
    assert set(plain.states.numpy().max(axis=1)) == {1.0}


def test_retold_states_change_as_the_same_words_did(movable):
    table, swaps = movable
    table.states = np.eye(len(table), dtype=np.float32)
    (batch,) = batches(table, 1000, np.random.default_rng(2), torch.device("cpu"), swaps, context(retell=1.0))
    retold = 0
    for state in batch.states.numpy():
        gone, come = np.flatnonzero(state < -1e-6), np.flatnonzero(state > 1e-6)
        assert state.sum() == pytest.approx(1)
        if len(gone):
            retold += 1
            assert table.steps[gone[0]].utterance in {table.steps[row].utterance for row in come}
    assert retold > 10
    assert same_words(["a", "b", "a", "c", "a"]).tolist() == [[0, 2], [2, 4], [4, 0]]
    assert same_words(["a", "b"]).shape == (0, 2)


@pytest.mark.parametrize("moves", [True, False])
def test_words_that_are_not_heard_leave_the_mean_in_their_columns(movable, moves):
    table, swaps = movable
    given, before = swaps if moves else (), table.states.copy()
    heard = np.zeros(table.states.shape[1], dtype=bool)
    heard[table.sentence] = True
    usual = table.states[:, heard].mean(axis=0)
    (batch,) = batches(table, 1000, np.random.default_rng(2), torch.device("cpu"), given, context(unheard=0.5))
    states = batch.states.numpy()
    deaf = np.isclose(states[:, heard], usual, atol=1e-6).all(axis=1)
    assert 0.2 < deaf.mean() < 0.8
    known = {tuple(state) for state in table.states[:, ~heard]}
    assert all(tuple(state) in known for state in states[:, ~heard])
    assert all(tuple(state) in set(map(tuple, table.states)) for state in states[~deaf])
    np.testing.assert_array_equal(table.states, before)
