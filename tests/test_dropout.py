"""Dropout by bytes does what torch's does."""

from __future__ import annotations

import pytest
import torch

from talkwalk.contrastive.dropout import ByteDropout


def test_a_share_is_dropped_and_the_mean_is_kept():
    torch.manual_seed(0)
    values = ByteDropout(0.25)(torch.ones(1000, 333))
    assert (values == 0).float().mean().item() == pytest.approx(0.25, abs=0.005)
    torch.testing.assert_close(values[values > 0], torch.full(((values > 0).sum(),), 4 / 3))
    columns = (values == 0).float().mean(dim=0)  # no column is special, such as every eighth
    assert columns.min() > 0.18 and columns.max() < 0.32


def test_the_seed_decides():
    drop, ones = ByteDropout(0.5), torch.ones(64)
    torch.manual_seed(1)
    first, other = drop(ones), drop(ones)
    torch.manual_seed(1)
    torch.testing.assert_close(drop(ones), first)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_gradients_and_evaluation(share):
    drop, values = ByteDropout(share), torch.ones(50, requires_grad=True)
    dropped = drop(values)
    dropped.sum().backward()
    torch.testing.assert_close(values.grad, dropped.detach())
    torch.testing.assert_close(drop.eval()(values), values)
