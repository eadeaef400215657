"""What is trained on and what is kept for testing, decided by hash before any training text is made."""

from __future__ import annotations

import hashlib
from enum import Enum


class Split(str, Enum):
    """The three parts that data is divided into."""

    TRAIN = "train"
    VALID = "valid"
    TEST = "test"


def unit_hash(key: str) -> float:
    """Map `key` to a number in [0, 1) that is the same on every machine and in every run."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def split_of(key: str, *, test: float = 0.2, valid: float = 0.0) -> Split:
    """The split that `key` belongs to; wordings are compared without case or surrounding blanks.

    Args:
        key: Anything with a stable spelling, such as a wording or "item:50".
        test: Share of keys that go to `Split.TEST`.
        valid: Share of keys that go to `Split.VALID`.
    """
    position = unit_hash(key.strip().lower())
    if position < test:
        return Split.TEST
    return Split.VALID if position < test + valid else Split.TRAIN
