"""Cached vectors come back as they were put, to float16."""

from __future__ import annotations

import numpy as np
import pytest

from talkwalk.vector_cache import CHUNK, VectorCache


@pytest.fixture
def cache(tmp_path) -> VectorCache:
    return VectorCache(tmp_path / "deep" / "cache.sqlite", 4)


def vectors(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)


def test_put_then_get(cache):
    put = vectors(3)
    cache.put(["a", "b", "é"], put)
    got = cache.get(["é", "nobody", "a", "a"])
    assert set(got) == {"é", "a"} and got["a"].dtype == np.float32
    np.testing.assert_array_equal(got["a"], put[0].astype(np.float16).astype(np.float32))
    np.testing.assert_allclose(got["é"], put[2], rtol=1e-3)


def test_it_outlives_the_object(cache):
    cache.put(["a"], vectors(1))
    again = VectorCache(cache.path, 4)
    np.testing.assert_array_equal(again.get(["a"])["a"], cache.get(["a"])["a"])


def test_put_replaces(cache):
    cache.put(["a"], vectors(1))
    cache.put(["a"], vectors(1, seed=1))
    np.testing.assert_allclose(cache.get(["a"])["a"], vectors(1, seed=1)[0], rtol=1e-3)


def test_more_keys_than_one_statement_takes(cache):
    keys = [f"key {i}" for i in range(2 * CHUNK + 1)]
    put = vectors(len(keys))
    cache.put(keys, put)
    got = cache.get([*keys, "nobody"])
    np.testing.assert_allclose(np.stack([got[k] for k in keys]), put, rtol=1e-3, atol=1e-3)


def test_nothing(cache):
    assert cache.get([]) == {} and cache.get(["a"]) == {}
    cache.put([], np.zeros((0, 4)))


@pytest.mark.parametrize("shape", [(1, 4), (2, 3), (2,)])
def test_wrong_shapes_store_nothing(cache, shape):
    with pytest.raises(ValueError, match=r"vectors must have shape \(2, 4\), got"):
        cache.put(["a", "b"], np.zeros(shape))
    assert cache.get(["a", "b"]) == {}


def test_an_interrupted_put_is_absent(cache):
    class Interrupted(list):
        def __iter__(self):
            yield "a"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.put(Interrupted(["a", "b"]), vectors(2))
    assert cache.get(["a", "b"]) == {}
