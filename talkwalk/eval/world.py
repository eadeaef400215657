"""What all systems are measured on: one catalogue, and how much of everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from talkwalk.eval.judge import Values
from talkwalk.eval.unseen import Unseen
from talkwalk.index.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much is measured.

    Attributes:
        conversations: Unseen simulated conversations per kind of wordings.
        sessions: Live sessions of every sort.
        users: People for next-item and cold-start figures; 0 takes all.
        clusters: Regions, for coherence and exploration.
        temperaments: Whether simulated users come in every temperament, or only plain.
        genre_users: People per category in SteerEval's protocol.
        dialogues: Most human dialogues; 0 takes all.
        starts: Starts of every sort of sessions in the part "asked".
        long_sessions: Long sessions there.
    """

    conversations: int
    sessions: int
    users: int
    clusters: int
    temperaments: bool = True
    genre_users: int = 10
    dialogues: int = 0
    starts: int = 40
    long_sessions: int = 10


@dataclass(frozen=True, slots=True)
class World:
    """What all systems are measured on.

    Attributes:
        catalog: What they recommend from.
        unseen: Words and people that training did not see; None where only human dialogues are measured.
        amounts: How much.
        k: Length of the answers.
        seed: Of everything that is drawn.
        data: Folder of human dialogues, for the parts that need them.
        tags: Ids of the items that people tagged, by tag, for SteerEval's protocol; None without.
    """

    catalog: Catalog
    unseen: Unseen | None
    amounts: Amounts
    k: int = 10
    seed: int = 0
    data: Path | None = None
    tags: Mapping[str, set[str]] | None = None

    def words(self) -> Unseen:
        """Words and people for simulated conversations.

        Raises:
            ValueError: If there are none.
        """
        if self.unseen is None:
            raise ValueError("simulated people need a folder of descriptions in the catalogue's domain")
        return self.unseen

    def rng(self, *place: int) -> np.random.Generator:
        """The draws of one place of the benchmark, the same for every system whatever it answers."""
        return np.random.default_rng([self.seed, *place])


@dataclass(slots=True)
class Measured:
    """What one part found of one system.

    Attributes:
        figures: Per figure one value per unit.
        seconds: Of every turn that a person would have waited for.
        paths: Where the first sessions went, each (turns, 2).
    """

    figures: dict[str, Values]
    seconds: list[float] = field(default_factory=list)
    paths: list[list[list[float]]] = field(default_factory=list)


def by_unit(arrays: dict[str, np.ndarray], prefix: str = "") -> Values:
    """Mean over each unit's values; units without a finite one are left out."""
    kept: Values = {}
    for key, values in arrays.items():
        finite = np.asarray(values, dtype=np.float64)
        finite = finite[np.isfinite(finite)]
        if len(finite):
            kept[prefix + key] = float(finite.mean())
    return kept


def plain(value: Any) -> Any:
    """Numbers and lists that JSON knows."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
