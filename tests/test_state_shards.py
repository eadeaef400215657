"""States come back as they were put, to float16, whatever was interrupted."""

from __future__ import annotations

import numpy as np
import pytest

from talkwalk.llm.state_shards import KEY, StateShards


def key(number: int) -> bytes:
    return number.to_bytes(KEY, "big")


def states(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)


@pytest.fixture
def shards(tmp_path):
    made = StateShards(tmp_path / "deep" / "states", 4)
    yield made
    made.close()


def test_put_then_get(shards):
    put = states(3)
    shards.put([key(n) for n in range(3)], put)
    shards.refresh()
    got = shards.get([key(2), key(0), key(0)])
    assert got.dtype == np.float32 and len(shards) == 3 and key(1) in shards and key(3) not in shards
    np.testing.assert_array_equal(got, put[[2, 0, 0]].astype(np.float16).astype(np.float32))
    with pytest.raises(KeyError):
        shards.get([key(3)])


def test_several_writers_have_their_own_shards(shards):
    other = StateShards(shards.folder, 4)
    put = states(4)
    shards.put([key(0)], put[:1])
    other.put([key(1)], put[1:2])
    shards.put([key(2)], put[2:3])
    other.put([key(3)], put[3:])
    other.close()
    again = StateShards(shards.folder, 4)
    np.testing.assert_allclose(again.get([key(n) for n in range(4)]), put, rtol=1e-3)
    assert len(list(shards.folder.glob("*.keys"))) == 2


@pytest.mark.parametrize("suffix", [".f16", ".keys"])
def test_a_torn_write_loses_only_itself(shards, suffix):
    put = states(3)
    shards.put([key(n) for n in range(3)], put)
    shards.close()
    path = next(shards.folder.glob(f"*{suffix}"))
    path.write_bytes(path.read_bytes()[:-3])
    again = StateShards(shards.folder, 4)
    assert len(again) == 2 and key(2) not in again
    np.testing.assert_allclose(again.get([key(1)]), put[1:2], rtol=1e-3)
    again.put([key(2)], put[2:])
    again.close()
    again.refresh()
    np.testing.assert_allclose(again.get([key(n) for n in range(3)]), put, rtol=1e-3)


def test_keys_without_states_are_not_there(shards):
    shards.put([key(0)], states(1))
    shards.close()
    next(shards.folder.glob("*.f16")).unlink()
    shards.refresh()
    assert len(shards) == 0


@pytest.mark.parametrize("shape", [(1, 4), (2, 3), (2,)])
def test_wrong_shapes_store_nothing(shards, shape):
    with pytest.raises(ValueError, match=r"states must have shape \(2, 4\), got"):
        shards.put([key(0), key(1)], np.zeros(shape))
    with pytest.raises(ValueError, match="keys must have 16 bytes, got b'short'"):
        shards.put([b"short"], states(1))
    shards.refresh()
    assert len(shards) == 0


def test_states_that_do_not_fit_store_nothing(shards):
    with pytest.raises(ValueError, match=r"must fit float16 .* got up to 70000"):
        shards.put([b"k" * KEY], np.full((1, shards.dim), 7e4, np.float32))
    shards.refresh()
    assert len(shards) == 0
