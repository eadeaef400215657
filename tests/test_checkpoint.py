"""The best epoch is kept, and patience has an end."""

from __future__ import annotations

import torch
from torch import nn

from talkwalk.checkpoint import BestEpoch


def module(value: float) -> nn.Module:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, value)
    return layer


def test_the_best_weights_come_back():
    best, target = BestEpoch(), module(0.0)
    for epoch, score in enumerate([0.1, 0.5, 0.3]):
        best.update(score, epoch, module(float(epoch)))
    best.restore(target)
    assert target.weight.item() == 1.0 and (best.score, best.epoch) == (0.5, 1)


def test_of_equals_the_last_is_kept():
    best, target = BestEpoch(), module(0.0)
    for epoch in range(3):
        best.update(0.0, epoch, module(float(epoch)))
    best.restore(target)
    assert target.weight.item() == 2.0


def test_patience():
    best = BestEpoch()
    best.update(0.5, 3, module(0.0))
    assert not best.is_over(4, 2) and best.is_over(5, 2) and not best.is_over(99, 0)


def test_a_copy_is_kept_and_travels():
    best, layer = BestEpoch(), module(4.0)
    best.update(0.5, 0, layer)
    nn.init.constant_(layer.weight, 9.0)
    other = BestEpoch()
    other.load_state_dict(best.state_dict())
    other.restore(layer)
    assert layer.weight.item() == 4.0 and other.score == 0.5
    assert torch.is_tensor(layer.weight)
