"""The buffer of one conversation's keys and values."""

from __future__ import annotations

import pytest
import torch

from talkwalk.llm.kv_cache import STEP, CacheShape, KeyValues, common

SHAPE = CacheShape(layers=2, heads=3, width=4, dtype=torch.float32, device=torch.device("cpu"))


def filled(tokens: int) -> KeyValues:
    cache = KeyValues(SHAPE)
    cache.reserve(tokens)
    cache.ids = list(range(tokens))
    cache.buffer[:, :, :, :tokens] = torch.arange(tokens, dtype=torch.float32)[:, None]
    return cache


def test_growing_keeps_what_is_there_and_grows_by_steps():
    cache = filled(5)
    assert cache.buffer.shape == (2, 2, 3, STEP, 4)
    cache.reserve(STEP + 1)
    assert cache.buffer.shape[3] == 2 * STEP
    assert cache.nbytes == 2 * 2 * 3 * 2 * STEP * 4 * 4
    assert cache.buffer[1, 1, 2, :5, 0].tolist() == [0, 1, 2, 3, 4]


def test_reserving_less_changes_nothing():
    cache = filled(5)
    before = cache.buffer
    cache.reserve(3)
    assert cache.buffer is before


def test_cropping_forgets_tokens_and_keeps_the_buffer():
    cache = filled(5)
    before = cache.buffer
    cache.crop(3)
    assert cache.ids == [0, 1, 2] and cache.buffer is before
    cache.crop(0)
    assert cache.ids == []


def test_a_beginning_is_a_copy():
    cache = filled(5)
    copy = cache.beginning(3)
    assert copy.ids == [0, 1, 2]
    cache.buffer.zero_()
    assert copy.buffer[0, 0, 0, :3, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("first", "second", "length"), [([1, 2, 3], [1, 2, 4], 2), ([1, 2], [1, 2, 3], 2), ([], [1], 0), ([2], [1], 0)]
)
def test_the_common_beginning(first, second, length):
    assert common(first, second) == common(second, first) == length
