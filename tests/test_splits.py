"""Splits by hash: fixed for ever, disjoint, and of the wanted size."""

from __future__ import annotations

import hashlib

import pytest

from talkwalk.splits import SALT, Split, split_of, unit_hash

KEYS = [f"wording {i}" for i in range(4000)]


def test_unit_hash_written_out():
    digest = hashlib.blake2b(b"item:50", digest_size=8).hexdigest()
    assert unit_hash("item:50") == int(digest, 16) / 2**64
    assert unit_hash("a comedy") == pytest.approx(0.369895, abs=1e-6)  # the same on every machine, in every run
    assert all(0 <= unit_hash(k) < 1 for k in KEYS)


def test_split_follows_the_hash():
    for key in KEYS[:300]:
        position = unit_hash(f"{SALT}:{key}")
        expected = Split.TEST if position < 0.2 else Split.VALID if position < 0.5 else Split.TRAIN
        assert split_of(key, test=0.2, valid=0.3) is expected


def test_shares_are_about_right():
    splits = [split_of(k, test=0.2, valid=0.1) for k in KEYS]
    for split, share in ((Split.TEST, 0.2), (Split.VALID, 0.1), (Split.TRAIN, 0.7)):
        assert splits.count(split) / len(KEYS) == pytest.approx(share, abs=0.02)


def test_case_and_blanks_do_not_matter():
    for key in KEYS[:100]:
        assert split_of(f"  {key.upper()}\n", test=0.5) is split_of(key, test=0.5)


def test_more_test_keeps_the_old_test():
    for key in KEYS[:300]:
        if split_of(key, test=0.1) is Split.TEST:
            assert split_of(key, test=0.3) is Split.TEST


@pytest.mark.parametrize(("test", "split"), [(0.0, Split.TRAIN), (1.0, Split.TEST)])
def test_all_or_nothing(test, split):
    assert {split_of(k, test=test) for k in KEYS[:300]} == {split}
