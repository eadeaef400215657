"""From which odds on something counts as asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import fbeta_score

from talkwalk.projection.margins import LINES, Margins, best_line, f_score, shift
from talkwalk.projection.projection_head import Intent


@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_the_score_is_the_usual_one(beta):
    rng = np.random.default_rng(0)
    found, wanted = rng.random((50, 4)) < 0.4, rng.random((50, 4)) < 0.3
    assert f_score(found, wanted, beta) == pytest.approx(fbeta_score(wanted.ravel(), found.ravel(), beta=beta))
    assert f_score(np.zeros((2, 1), dtype=bool), np.ones((2, 1), dtype=bool), beta) == 0.0


def test_the_line_lies_between_what_was_asked_for_and_what_was_not():
    logits = np.array([[2.0], [-1.1], [-1.9], [-4.0]])
    wanted = np.array([[True], [True], [False], [False]])
    assert -1.9 <= best_line(logits, wanted, beta=1.0) < -1.1


def test_without_a_better_line_it_stays_where_it_was():
    assert best_line(np.array([[3.0], [-3.5]]), np.array([[True], [False]]), beta=1.0) == 0.0
    assert best_line(np.full((4, 2), -4.0), np.ones((4, 2), dtype=bool), beta=1.0) == 0.0
    assert 0.0 in LINES


def test_who_fears_to_miss_something_draws_the_line_lower():
    rng = np.random.default_rng(1)
    wanted = rng.random((400, 1)) < 0.3
    logits = np.where(wanted, 0.5, -0.5) + rng.normal(size=(400, 1))
    assert best_line(logits, wanted, beta=3.0) < best_line(logits, wanted, beta=1.0)


def test_shifting_makes_every_margin_zero():
    torch.manual_seed(0)
    intent = Intent(6, categories=3, axes=2, ranges=4).eval()
    for parameter in intent.parameters():
        torch.nn.init.normal_(parameter)
    read, mentions = torch.randn(5, 6), torch.rand(5, 3 * 2)
    margins = Margins(asked=-1.0, without=-2.0, within=0.5, returns=-0.25)
    with torch.no_grad():
        before = intent(read, mentions)
        shift(intent, margins)
        after = intent(read, mentions)
    for name, margin in margins._asdict().items():
        torch.testing.assert_close(getattr(after, name), getattr(before, name) - margin)
    for name in ("spread", "spreads"):
        torch.testing.assert_close(getattr(after, name), getattr(before, name))
    torch.testing.assert_close(after.moves, before.moves)
