"""What a head reads besides the place: how far apart, which categories; and the losses of both, written out."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from talkwalk.engine.diversity import HEARD, spoken_spread
from talkwalk.projection import losses
from talkwalk.projection.losses import named_categories, wanted_spread
from talkwalk.projection.movements import SHARPER, Movements, Moves
from talkwalk.projection.projection_head import BACK, HEADS, SLOTS, UNSAID, Intent, build_head
from talkwalk.projection.spreads import LEVELS, Spreads
from talkwalk.projection.steps import FULL, Step, StepKind, grade_amounts, moves_of

KINDS = ("anchored", "absolute")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("categories", [1, 4])
def test_shapes(kind, categories):
    head = build_head(kind, 12, 6, hidden=8, dropout=0.0, categories=categories)
    read = head(torch.randn(5, 12), torch.zeros(5, SLOTS, 6))
    assert read.spread.shape == (5,)
    assert read.asked.shape == read.without.shape == (5, categories)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_head_reads_nothing_into_the_words(kind):
    head = build_head(kind, 12, 6, hidden=8, dropout=0.0, categories=4)
    read = head(torch.randn(5, 12) * 100, torch.randn(5, SLOTS, 6))
    torch.testing.assert_close(read.spread, torch.zeros(5))
    assert read.spreads.argmax(dim=-1).tolist() == [LEVELS.index(0.0)] * 5
    for logits in (read.asked, read.without):
        torch.testing.assert_close(logits, torch.full((5, 4), UNSAID))
    assert torch.sigmoid(read.without).max() < 0.05


def test_a_fresh_recommender_keeps_nothing_out(recommender):
    read = recommender.project(np.ones(recommender.bundle.head_shape["input_dim"]), np.zeros((SLOTS, recommender.dim)))
    assert (read.spread, read.asked, read.without) == (0.0, [], [])


def test_asked_and_without_are_the_two_halves():
    intent = Intent(3, 2, 1)
    with torch.no_grad():
        intent.named.bias.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    _, asked, without, *_ = intent(torch.tensor([[5.0, 6.0, 7.0], [1.0, 0.0, 0.0]]), torch.zeros(2, 4))
    assert asked.tolist() == [[1.0, 2.0]] * 2
    assert without.tolist() == [[3.0, 4.0]] * 2


def test_what_is_said_of_a_named_category_is_learned_for_all_of_them():
    intent = Intent(1, 2, 0)
    with torch.no_grad():
        intent.named.bias.zero_()
        intent.mentioned.bias.copy_(torch.tensor([1.0, 2.0, 10.0, 20.0]))  # wanted and refused, each last and before
    named = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]])  # the first value; the second, after the first
    _, asked, without, *_ = intent(torch.zeros(2, 1), named)
    assert asked.tolist() == [[1.0, 0.0], [2.0, 1.0]]
    assert without.tolist() == [[10.0, 0.0], [20.0, 10.0]]


@pytest.mark.parametrize("kind", HEADS)
def test_what_is_named_reaches_the_intent_as_it_is(kind):
    head = build_head(kind, 3 + 2 * 4, 6, hidden=8, dropout=0.0, categories=4).eval()
    states = torch.randn(9, 3 + 2 * 4)
    states[:, 3:] = 0.0
    head.norm.fit(states)
    states[0, 3 + 1] = 1.0  # the second value, last
    states[1, 3 + 4 + 2] = 1.0  # the third, before
    with torch.no_grad():
        head.intent.mentioned.bias.copy_(torch.tensor([9.0, 5.0, 0.0, 0.0]))
    asked = head(states, torch.zeros(9, SLOTS, 6)).asked - UNSAID
    assert asked[:2].tolist() == [[0.0, 9.0, 0.0, 0.0], [0.0, 0.0, 5.0, 0.0]]
    assert not asked[2:].any()


def test_a_head_without_room_for_what_is_named_is_refused():
    with pytest.raises(ValueError, match="2 channels per category, got 7 for 4"):
        build_head("anchored", 7, 6, hidden=8, dropout=0.0, categories=4)


def test_a_reading_names_the_categories_in_the_order_of_the_schema(recommender):
    head = recommender.bundle.head
    names = recommender.catalog.schema.category_values
    with torch.no_grad():
        head.intent.named.bias[1] = head.intent.named.bias[len(names) + 2] = 3.0
        head.intent.spread.said.bias[LEVELS.index(-1.0)] = 99.0
    read = recommender.project(np.ones(recommender.bundle.head_shape["input_dim"]), np.zeros((SLOTS, recommender.dim)))
    assert (read.asked, read.without, read.spread) == ([names[1]], [names[2]], -1.0)


def test_the_intent_does_not_change_the_place():
    torch.manual_seed(0)
    head = build_head("anchored", 12, 6, hidden=8, dropout=0.0, categories=4).eval()
    states, anchors = torch.randn(3, 12), torch.randn(3, SLOTS, 6)
    before = head(states, anchors).positions
    with torch.no_grad():
        head.intent.named.bias.fill_(9.0)
    torch.testing.assert_close(head(states, anchors).positions, before)


@pytest.mark.parametrize(
    ("read", "spoken"),
    [(0.0, 0.0), (HEARD - 1e-6, 0.0), (-HEARD + 1e-6, 0.0), (HEARD, HEARD), (-HEARD, -HEARD), (0.7, 0.7), (3, 1.0),
     (-3, -1.0)],
)  # fmt: skip
def test_a_spread_that_is_hardly_said_is_not_heard(read, spoken):
    assert spoken_spread(read) == spoken


# losses


def test_wanted_spread_is_the_cross_entropy_of_the_nearest_level():
    logits, wanted = torch.randn(4, len(LEVELS), generator=torch.manual_seed(0)), [0.0, -0.5, 1.0, 1.5]
    expected = 0.0
    for row, spread in zip(logits.tolist(), wanted, strict=True):
        level = min(range(len(LEVELS)), key=lambda i: abs(LEVELS[i] - spread))
        expected -= math.log(math.exp(row[level]) / sum(map(math.exp, row))) / 4
    assert wanted_spread(logits, torch.tensor(wanted)).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_the_spread_is_what_the_odds_expect_and_sharper_after_training(training):
    spreads = Spreads(3).train(training)
    with torch.no_grad():
        spreads.said.weight.normal_(generator=torch.manual_seed(0))
    read = torch.randn(6, 3, generator=torch.manual_seed(1))
    expected, logits = spreads(read)
    for spread, row in zip(expected.tolist(), logits.tolist(), strict=True):
        odds = [math.exp(logit * (1 if training else SHARPER)) for logit in row]
        assert spread == pytest.approx(
            sum(o * level for o, level in zip(odds, LEVELS, strict=True)) / sum(odds), abs=1e-5
        )
    assert LEVELS == (-1.0, -0.5, 0.0, 0.5, 1.0)


def cross_entropy(logit: float, label: float) -> float:
    p = 1 / (1 + math.exp(-logit))
    return -(label * math.log(p) + (1 - label) * math.log(1 - p))


@pytest.mark.parametrize(("batch", "categories"), [(1, 1), (3, 4)])
def test_named_categories_is_a_cross_entropy_per_category_and_side(batch, categories):
    generator = torch.Generator().manual_seed(0)
    asked, without = (torch.randn(batch, categories, generator=generator) * 2 for _ in range(2))
    wanted, refused = ((torch.rand(batch, categories, generator=generator) < 0.4).float() for _ in range(2))
    expected = 0.0
    for logits, labels in ((asked, wanted), (without, refused)):
        for i in range(batch):
            for j in range(categories):
                expected += cross_entropy(float(logits[i, j]), float(labels[i, j]))
    result = named_categories(asked, without, wanted, refused)
    assert result.item() == pytest.approx(expected / batch, rel=1e-5)


def test_confusing_asked_and_refused_costs():
    said, unsaid = torch.tensor([[9.0, -9.0]]), torch.tensor([[-9.0, -9.0]])
    yes, no = torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2)
    assert named_categories(said, unsaid, yes, no).item() < 1e-2
    assert named_categories(unsaid, said, yes, no).item() > 15


def test_a_domain_without_categories_has_neither():
    none = torch.zeros(3, 0)
    assert named_categories(none, none, none, none).item() == 0


AMOUNTS = [0.1, 0.18, 0.3, 0.5, 0.7]


def surprise(logits: torch.Tensor, index: int) -> float:
    """- log of the probability that logits (n,) give to one choice, written out."""
    odds = [math.exp(logit) for logit in logits.tolist()]
    return -math.log(odds[index] / sum(odds))


def test_asked_moves_against_a_slow_loop():
    torch.manual_seed(0)
    read = Moves(torch.zeros(4, 3), torch.zeros(4, 3), torch.randn(4, 3, 3), torch.randn(4, 3, 5))
    wanted = torch.tensor([[0.3, 0.0, 0.0], [torch.nan, -0.1, 0.0], [torch.nan] * 3, [0.0, 0.0, 0.69]])
    total = 0.0
    for turn, axis in itertools.product(range(4), range(3)):
        asked = float(wanted[turn, axis])
        side = 1 if math.isnan(asked) or asked == 0 else (2 if asked > 0 else 0)
        total += surprise(read.sides[turn, axis], side)
        if side != 1:
            nearest = min(range(5), key=lambda grade: abs(AMOUNTS[grade] - abs(asked)))
            total += surprise(read.grades[turn, axis], nearest)
    assert losses.asked_moves(read, torch.tensor(AMOUNTS), wanted).item() == pytest.approx(total / 4, rel=1e-5)
    none = Moves(torch.zeros(2, 0), torch.zeros(2, 0), torch.zeros(2, 0, 3), torch.zeros(2, 0, 5))
    assert losses.asked_moves(none, torch.tensor(AMOUNTS), torch.zeros(2, 0)).item() == 0


def test_movements_are_choices():
    torch.manual_seed(0)
    movements = Movements(4, 2)
    movements.scale.copy_(torch.tensor(AMOUNTS))
    read = torch.randn(3, 4)
    silent = movements(read)
    assert silent.amounts.abs().max() == 0
    assert silent.moving.max() < 0.05
    with torch.no_grad():
        for layer in (movements.sides, movements.grades, movements.own_grades):
            layer.weight.normal_()
    for training, sharper in ((True, 1.0), (False, SHARPER)):
        moves = movements.train(training)(read)
        for turn, axis in itertools.product(range(3), range(2)):
            down, still, up = (math.exp(-surprise(moves.sides[turn, axis] * sharper, side)) for side in range(3))
            far = sum(math.exp(-surprise(moves.grades[turn, axis] * sharper, g)) * AMOUNTS[g] for g in range(5))
            assert moves.amounts[turn, axis].item() == pytest.approx((up - down) * far, rel=1e-4)
        still = torch.softmax(moves.sides * sharper, -1)[..., 1]
        torch.testing.assert_close(moves.moving, 1 - still)


def test_once_trained_an_unsure_reader_commits_itself():
    movements = Movements(1, 1)
    movements.scale.copy_(torch.tensor(AMOUNTS))
    with torch.no_grad():
        movements.sides.bias.copy_(torch.tensor([0.0, -2.0, 0.7]))
    read = torch.zeros(1, 1)
    assert movements.eval()(read).amounts > 1.5 * movements.train()(read).amounts > 0


def test_grades_stand_for_growing_amounts():
    assert grade_amounts(0.3) == pytest.approx([0.1, 0.18, 0.3, 0.5, FULL])


def test_what_is_asked_of_every_axis():
    axes, nan = ("year", "rating"), pytest.approx(float("nan"), nan_ok=True)

    def moves(kind, subject=None, value=None, grade=None, parts=()):
        return moves_of(Step(kind, "x", {}, "1", subject, value, grade, parts=parts), axes, 0.3)

    assert moves(StepKind.DIRECTION, "year", -1) == [pytest.approx(-0.3), 0]
    assert moves(StepKind.DIRECTION, "rating", 1, "touch") == [0, pytest.approx(0.1)]
    assert moves(StepKind.DIRECTION, "rating", 1, "most") == [0, pytest.approx(FULL)]
    assert moves(StepKind.KEEP, "year", "1930-1959") == [nan, 0]
    for kind in (StepKind.STAY, StepKind.SWITCH, StepKind.LESS, StepKind.VARIETY):
        assert moves(kind) == [0, 0]
    for kind in (StepKind.WISH, StepKind.BACK, StepKind.FIRST, StepKind.BETWEEN, StepKind.NEXT):
        assert moves(kind) == [nan, nan]
    older = Step(StepKind.DIRECTION, "x", {}, "1", "year", -1)
    good = Step(StepKind.KEEP, "x", {}, "1", "rating", "0%-50%")
    assert moves(StepKind.SEVERAL, parts=(older, good)) == [pytest.approx(-0.3), nan]


def test_going_back_is_the_earlier_place_itself():
    head = build_head("anchored", 12, 6, hidden=8, dropout=0.0).eval()
    states, anchors = torch.randn(3, 12), torch.nn.functional.normalize(torch.randn(3, SLOTS, 6), dim=-1)
    anchors[2, BACK] = 0  # nowhere to go back to
    walked = head(states, anchors).positions
    with torch.no_grad():
        head.intent.returns.bias.copy_(torch.tensor([30.0, -30.0]))
    returned = head(states, anchors).positions
    torch.testing.assert_close(returned[:2], anchors[:2, BACK])
    torch.testing.assert_close(returned[2], walked[2], atol=0.05, rtol=0)


def test_going_back_against_a_slow_loop():
    read, wanted = torch.tensor([[1.0, -2.0], [0.5, 3.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    chance = 1 / (1 + np.exp(-read.numpy()))
    total = -sum(np.log(p if w else 1 - p) for p, w in zip(chance.ravel(), wanted.numpy().ravel(), strict=True))
    assert losses.going_back(read, wanted).item() == pytest.approx(total / 2, rel=1e-5)
