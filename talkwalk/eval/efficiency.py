"""How soon is it useful? The first turn, the first regions, the first visit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from talkwalk.eval.ranking import RankingQuality, ranking_quality
from talkwalk.eval.sessions import RecordedSession

STAGES = 6  # turns within which exploration is counted


def first_turn_relevance(answers: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """How good is the answer to the first words (docs/metrics.md)?

    Protocol: people without history say a wish; relevance of an item is 1 minus the distance of its metadata from what
    the words describe (`MetadataTable.distances`, which knows no learned space). The mean over the answer is laid on a
    scale where 0 is a random answer and 1 the best answer of that length: (random - shown) / (random - best) in mean
    distances. Range up to 1; below 0 is worse than random, and wishes that every item fulfils count as 1.

    Args:
        answers: Item indices shown, (turns, k).
        distances: Of every item from what was described, (turns, items).

    Returns:
        One value per first turn, (turns,).
    """
    shown = np.take_along_axis(distances, answers, axis=1).mean(axis=1)
    best = np.sort(distances, axis=1)[:, : answers.shape[1]].mean(axis=1)
    random = distances.mean(axis=1)
    room = random - best
    return np.where(room > 1e-12, (random - shown) / np.maximum(room, 1e-12), 1.0)


def exploration_velocity(
    sessions: Sequence[RecordedSession], regions: Mapping[str, int], *, turns: int = STAGES
) -> np.ndarray:
    """How fast does a person get around (docs/metrics.md)?

    Protocol: a person asks for another category or another value each turn; count the regions in which the first items
    of the first `turns` answers lie. The regions are clusters of the items' metadata (`clusters.metadata_regions`), the
    same for every system, with or without a space. Range 1 to `turns`. Because nothing is shown twice, a system that
    ignores the words drifts as well: read it beside the same figure of people who never say what they want.

    Args:
        sessions: What was said and where it led; those with fewer turns are left out.
        regions: Region of every item.
        turns: Turns that are looked at.

    Returns:
        One count per session, (sessions,).
    """
    reached = [
        len({regions[turn.shown[0]] for turn in session.turns[:turns] if turn.shown})
        for session in sessions
        if len(session.turns) >= turns
    ]
    return np.array(reached, dtype=np.float64)


def cold_start_quality(places: np.ndarray, *, k: int = 10) -> RankingQuality:
    """How good is it for somebody new (docs/metrics.md)?

    Protocol: people whose profile training never saw, without any history, say a neutral sentence; the wanted item is
    their real test interaction, ranked among the full catalogue. What they had before cannot be it and is left out, for
    every system. Hit rate and NDCG, range 0 to 1.

    Args:
        places: Items that stand before the wanted one, (people,).
        k: Length of the answer.
    """
    return ranking_quality(places, k=k)
