"""Is anything broken? The sanity row: accuracy, coverage, latency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from talkwalk.eval.ranking import RankingQuality, ranking_quality
from talkwalk.eval.sessions import RecordedSession

TOP1_FLOOR = 0.15
COVERAGE_FLOOR = 0.30
LATENCY_CEILING = 0.5  # seconds


def nearest_neighbour_accuracy(answers: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """1.0 where the first item shown is the wanted one (docs/metrics.md: mean above 0.15).

    Protocol: turns of unseen simulated conversations that change something (a direction, a category); the wanted item
    is the unseen one whose metadata is nearest to what was asked.

    Args:
        answers: Item indices shown, the best first, (turns, k).
        wanted: Index of the wanted item, (turns,).

    Returns:
        0 or 1 per turn, (turns,).
    """
    return (answers[:, 0] == wanted).astype(np.float64)


def coverage(answers: np.ndarray, size: int) -> float:
    """Share of the catalogue's `size` items that was shown at least once (docs/metrics.md: above 0.30).

    It grows with the number of answers, so say how many there were. Range k / size (every answer the same) to 1.

    Args:
        answers: Item indices shown, (turns, k).
        size: Items in the catalogue.
    """
    return len(np.unique(answers)) / size


def turn_seconds(sessions: Sequence[RecordedSession]) -> np.ndarray:
    """Seconds of every turn, prompt to answer, (turns,) (docs/metrics.md: half of them below 0.5)."""
    return np.array([turn.seconds for session in sessions for turn in session.turns])


def latency(seconds: np.ndarray, *, percent: float) -> float:
    """The time within which `percent` (0 to 100) of the turns were answered, in seconds."""
    return float(np.percentile(seconds, percent))


def next_item_accuracy(places: np.ndarray, *, k: int = 10) -> RankingQuality:
    """What ranking people expect of any recommender; popularity stands beside it.

    Protocol: a person's profile, their history, and a neutral sentence in test wordings; the wanted
    item is their real test interaction (the last one by time), ranked among the full catalogue without what they had
    before. Hit rate and NDCG, range 0 to 1.

    Args:
        places: Items that stand before the wanted one, (people,).
        k: Length of the answer.
    """
    return ranking_quality(places, k=k)
