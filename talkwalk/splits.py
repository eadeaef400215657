"""What is trained on, what settings are chosen by, and what is kept for testing.

Decided by hash before any training text is made. Test figures are looked at when everything is chosen.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

# Changed whenever a setting was chosen by looking at test figures: the old test part is worth nothing then, and
# everything is dealt anew. The first round had no validation part (LOG.md, 2026-11-24).
SALT = "second round"


class Split(StrEnum):
    """The three parts that data is divided into."""

    TRAIN = "train"
    VALID = "valid"
    TEST = "test"


# What figures are told of: their name, the wordings' part, and the people's or items' part. Settings are chosen by the
# last two only.
JUDGED = (
    ("trained_wordings", Split.TRAIN, Split.TEST),
    ("unseen_wordings", Split.TEST, Split.TEST),
    ("validation_trained_wordings", Split.TRAIN, Split.VALID),
    ("validation_unseen_wordings", Split.VALID, Split.VALID),
)


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
    position = unit_hash(f"{SALT}:{key.strip().lower()}")
    if position < test:
        return Split.TEST
    return Split.VALID if position < test + valid else Split.TRAIN
