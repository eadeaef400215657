"""Which index to take; apart from `talkwalk.config`, so that the engine does without Hydra."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class IndexConfig:
    """What `build_index` goes by; docs/index.md has the measurements behind the defaults.

    Attributes:
        exact_megabytes: Vectors of this size in all (1 MB is a million bytes) are searched exactly, larger ones by
            inverted lists.
        lists: Number of inverted lists; 0 takes twice the square root of the number of items.
        probes: Lists that every search looks into, at least.
        codes: How the lists hold vectors: "SQ8" takes a byte per dimension, "PQ64" 64 bytes in all.
        enough: Admissible items that a filtered search looks at, at least.
        exact_below: A search with fewer admissible items than that is exact.
        seed: Of the training of the lists.
    """

    exact_megabytes: float = 100.0
    lists: int = 0
    probes: int = 96
    codes: str = "SQ8"
    enough: int = 2000
    exact_below: int = 4000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("exact_megabytes", "lists", "exact_below", "seed"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("probes", "enough"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if not re.fullmatch(r"SQ[468]|PQ[1-9]\d*", self.codes):
            raise ValueError(f"codes must be 'SQ8', 'SQ6', 'SQ4', or 'PQ' and a number of bytes, got {self.codes!r}")
