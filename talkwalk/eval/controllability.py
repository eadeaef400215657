"""Does the person stay in control? Five figures over recorded sessions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from talkwalk.eval.sessions import RecordedSession, steers
from talkwalk.index.catalog import Catalog
from talkwalk.projection.steps import StepKind
from talkwalk.projection.validation import Movement, rank_table
from talkwalk.schema import is_missing

if TYPE_CHECKING:
    from talkwalk.eval.ruler import Ruler

TEMPERATURE = 0.05  # of the distribution over items; the one that training contrasts items with
GRADES = (0.0, 0.25, 0.5, 0.75, 1.0)
ASKED = 0.3  # catalogue ranks that a plain "more" or "less" asks for; the default of `WalksConfig.step`
STILL = 1e-4  # 1 - cosine below which a position has not moved
BOUND = 0.1  # mean rank distance from the hidden target at which a simulated user is satisfied
LOOKS = 3  # items of an answer that a simulated user looks at: showing a bit of everything must not please everybody
ARRIVED = 0.5  # share of an answer above which a category that was asked for has arrived
PATIENCE = 10  # turns after which a simulated user gives up


def answer_entropy(positions: np.ndarray, items: np.ndarray, *, temperature: float = TEMPERATURE) -> np.ndarray:
    """Entropy of softmax(cosine / temperature) over the catalogue, as a share of the largest, log(items).

    Args:
        positions: Unit vectors, (turns, dim).
        items: Unit vectors of the catalogue, (items, dim).
        temperature: Of the softmax.

    Returns:
        0 (one item) to 1 (all items alike), (turns,).
    """
    logits = np.asarray(positions @ items.T, dtype=np.float64) / temperature
    logits -= logits.max(axis=1, keepdims=True)
    weights = np.exp(logits)
    shares = weights / weights.sum(axis=1, keepdims=True)
    entropy = -(shares * np.log(np.maximum(shares, 1e-300))).sum(axis=1)
    return np.asarray(entropy / np.log(len(items)))


def steering_entropy_reduction(
    sessions: Sequence[RecordedSession], items: np.ndarray, *, temperature: float = TEMPERATURE
) -> np.ndarray:
    """How much a steer narrows what would be recommended (docs/metrics.md).

    Protocol: for every steer that follows another turn, the entropy of the distribution over all items (softmax of the
    cosines with the position) at the turn before, minus that at the steer. Range -1 to 1, in shares of log(items);
    above 0 is narrower, 0 a system that ignores the steer. Turns without a position are left out, so that a system
    without a space has no value.

    Args:
        sessions: What was said and where it led.
        items: Unit vectors of the catalogue, (items, dim).
        temperature: Of the softmax.

    Returns:
        One value per steer, (steers,).
    """
    pairs = [
        (m.before.position, m.turn.position)
        for m in steers(sessions)
        if m.before is not None and m.before.position is not None and m.turn.position is not None
    ]
    if not pairs:
        return np.zeros(0)
    before, after = (
        answer_entropy(np.stack(side), items, temperature=temperature) for side in zip(*pairs, strict=True)
    )
    return np.asarray(before - after)


def satisfying(catalog: Catalog, target: str, *, bound: float = BOUND) -> set[str]:
    """Items that please someone who has `target` in mind.

    Those whose ordered attributes lie within `bound` of the target's, as the mean distance of catalogue ranks over the
    attributes that both have, and that share a category with it where it has any. The target itself is one of them.
    """
    ranks = rank_table(catalog)
    away = np.abs(ranks - ranks[catalog.ids.index(target)])
    known = np.isfinite(away)
    distance = np.where(known, away, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    near = known.any(axis=1) & (distance < bound)
    wanted = categories_of(catalog, target)
    found = {i for i, ok in zip(catalog.ids, near, strict=True) if ok}
    return {target} | {i for i in found if not wanted or wanted & categories_of(catalog, i)}


def categories_of(catalog: Catalog, item_id: str) -> set[tuple[str, str]]:
    """Every (attribute, name) of an item."""
    row = catalog.items.loc[item_id]
    named: set[tuple[str, str]] = set()
    for attribute in catalog.schema.categorical:
        value = row[attribute.name]
        if not is_missing(value):
            named |= {(attribute.name, str(name)) for name in ([value] if isinstance(value, str) else value)}
    return named


class Satisfaction(NamedTuple):
    """Per session; both (sessions,).

    Attributes:
        turns: The first turn, counted from 1, that showed a satisfying item; `patience` for those who gave up.
        satisfied: 1.0 where there was one.
    """

    turns: np.ndarray
    satisfied: np.ndarray


def turns_to_satisfaction(
    sessions: Sequence[RecordedSession],
    pleasing: Sequence[Collection[str]],
    *,
    patience: int = PATIENCE,
    looks: int = LOOKS,
) -> Satisfaction:
    """How many turns a person needs (docs/metrics.md).

    Protocol: a simulated user (`talkwalk.eval.simulated_user.Seeker`) starts at a random item with a hidden target item
    in mind. Each turn they name the attribute in which the first item shown is furthest from it, in test wordings.
    They are satisfied when one of the first `looks` items is in `satisfying(target)`, and give up after `patience`
    turns. Lower is better; range 1 to `patience`, and those who gave up count as `patience`, a lower bound.

    Args:
        sessions: One per target.
        pleasing: Per session the ids that satisfy.
        patience: Turns that are looked at.
        looks: Items of an answer that are looked at.
    """
    turns = np.full(len(sessions), float(patience))
    satisfied = np.zeros(len(sessions))
    for i, (session, ids) in enumerate(zip(sessions, pleasing, strict=True)):
        found = [t for t, turn in enumerate(session.turns[:patience], start=1) if set(turn.shown[:looks]) & set(ids)]
        if found:
            turns[i], satisfied[i] = found[0], 1.0
    return Satisfaction(turns, satisfied)


def spread(distances: np.ndarray) -> float:
    """Mean distance over all pairs of an answer's items; 0 for fewer than two.

    Args:
        distances: Of every item from every other, (n, n), such as `MetadataTable.distances`, so that every system is
            judged in the same space.
    """
    if len(distances) < 2:
        return 0.0
    return float(np.mean(distances[~np.eye(len(distances), dtype=bool)]))


def diversity_gradient(grades: np.ndarray, spreads: np.ndarray) -> np.ndarray:
    """Does the spread of the answer follow the spread that was asked for (docs/metrics.md)?

    Protocol: the same first words are said once per grade (`sessions.play_each` with `Ask.diversity`, and a second time
    with the grade in words only); the spread of an answer is the mean metadata distance over pairs of its items.
    Spearman's rank correlation of grade and spread, ties sharing their mean rank; range -1 to 1, and 0 for answers that
    do not change at all.

    Args:
        grades: What was asked for, (grades,).
        spreads: Spread of each answer, (units, grades).

    Returns:
        One correlation per unit, (units,).
    """
    return rank_correlation(grades, spreads)


def rank_correlation(asked: np.ndarray, got: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of what was asked, (grades,), with each row of what was got, (units, grades).

    Ties share their mean rank; a row that does not change has 0.

    Returns:
        One correlation per unit, (units,).
    """
    asked = pd.Series(asked).rank().to_numpy()
    got = pd.DataFrame(np.round(got, 9)).rank(axis=1).to_numpy()
    asked, got = asked - asked.mean(), got - got.mean(axis=1, keepdims=True)
    scale = np.linalg.norm(asked) * np.linalg.norm(got, axis=1)
    return np.where(scale > 0, (got @ asked) / np.maximum(scale, 1e-12), 0.0)


def steering_movement(sessions: Sequence[RecordedSession], ruler: Ruler) -> Movement:
    """Movement of every steer along an ordered attribute from the item where the conversation stood, (steers,) each.

    Protocol (docs/metrics.md): mean catalogue rank over the answer minus the rank of the first item of the answer
    before (or the last of the history). Steers without such an item, or from one that lacks the attribute, are left
    out; an answer without items, or whose items all lack the attribute, has moved nothing.
    """
    asked = [
        (m.start, m.turn.shown, str(m.turn.ask.subject), int(m.turn.ask.value or 0))
        for m in steers(sessions, [StepKind.DIRECTION])
        if m.start is not None
    ]
    moved = [ruler.movement(*ask) for ask in asked if np.isfinite(ruler.room(ask[0], *ask[2:]))]
    return Movement(np.array([m.on_axis[0] for m in moved]), np.array([m.off_axis[0] for m in moved]))


def steering_precision(moved: Movement) -> np.ndarray:
    """Does X move, and nothing else (docs/metrics.md)?

    max(on, 0) / (max(on, 0) + off) per steer: 1 is movement of the asked attribute only, 0 none of it or the wrong way.
    `Movement.precision` is the same over mean movements, which small movements do not shake. Both can be fooled by
    answering every steer with the catalogue's most extreme items: read them beside `steering_aim`.

    Returns:
        One value per steer, 0 to 1, (steers,).
    """
    on = np.maximum(moved.on_axis, 0.0)
    return on / np.maximum(on + moved.off_axis, 1e-12)


def steering_aim(moved: Movement, *, asked: float | np.ndarray = ASKED) -> np.ndarray:
    """How near a steer comes to where it was asked to: precision that extreme items cannot fool.

    A plain steer asks for `asked` ranks along one attribute and none along the others. It misses by |on - asked| + off,
    and aim is 1 - miss / asked, cut off at -1: 1 is exactly the step and nothing else, 0 as good as not moving at all,
    below 0 worse than that, such as going to the far end of the catalogue instead of one step.

    Args:
        moved: Movement of every steer.
        asked: Ranks asked for, or what room there was, (steers,).

    Returns:
        One value per steer, -1 to 1, (steers,).
    """
    miss = np.abs(moved.on_axis - asked) + moved.off_axis
    return np.maximum(1 - miss / np.maximum(asked, 1e-12), -1.0)


class Reversal(NamedTuple):
    """Per "go back"; all (returns,), the first two NaN for a system without a position.

    Attributes:
        cosine: Of the position after going back with the one before the steer, -1 to 1 (what docs/metrics.md tells).
        recovery: Share of the steer's movement that was taken back, -1 to 1; 0 where the steer moved nothing.
        returned: Share of the items shown before the steer that are shown again and were not in between, 0 to 1.
    """

    cosine: np.ndarray
    recovery: np.ndarray
    returned: np.ndarray


def steering_reversibility(sessions: Sequence[RecordedSession]) -> Reversal:
    """Can a steer be taken back in words (docs/metrics.md)?

    Protocol: a turn, a steer, then "go back" in test wordings. The turn that goes back is compared with the one before
    the steer. The plan's cosine alone rewards a system that never moves, so recovery relates it to how far the steer
    went: (cos(back, before) - cos(steered, before)) / (1 - cos(steered, before)), cut off at -1. 1 and 1 are a perfect
    return; a system that ignores words has recovery 0 and shows none of the earlier items, because it has shown them
    already. What the answer to the steer held as well did not come back, so that showing the same list every time is
    worth nothing.
    """
    cosines, recoveries, shares = [], [], []
    for session in sessions:
        for earlier, steered, turn in zip(session.turns, session.turns[1:], session.turns[2:], strict=False):
            if turn.ask.kind is StepKind.BACK:
                cosine, recovery = _recovered(earlier.position, steered.position, turn.position)
                cosines.append(cosine)
                recoveries.append(recovery)
                again = set(earlier.shown) & set(turn.shown) - set(steered.shown)
                shares.append(len(again) / max(len(earlier.shown), 1))
    return Reversal(np.array(cosines), np.array(recoveries), np.array(shares))


def _recovered(before: np.ndarray | None, steered: np.ndarray | None, back: np.ndarray | None) -> tuple[float, float]:
    """Cosine with where the steer began, and the share of its movement that was taken back."""
    if before is None or steered is None or back is None:
        return float("nan"), float("nan")
    cosine, left = float(before @ back), float(before @ steered)
    recovery = (cosine - left) / (1 - left) if 1 - left > STILL else 0.0
    return cosine, max(recovery, -1.0)


def category_kept(sessions: Sequence[RecordedSession], ruler: Ruler) -> np.ndarray:
    """Does a steer along an axis leave the category alone that was switched to before?

    Protocol: a switch whose answer has the asked category in more than half of its items, then steers along axes, as
    long as nothing else is said. Formula: the share of each such steer's answer that has the category, 0 to 1,
    (steers,).
    """
    shares = []
    for session in sessions:
        asked: tuple[str, str] | None = None
        for turn in session.turns:
            if turn.ask.kind is StepKind.SWITCH:
                asked = (str(turn.ask.subject), str(turn.ask.value))
                asked = asked if ruler.share(turn.shown, *asked) > ARRIVED else None
            elif turn.ask.kind is not StepKind.DIRECTION:
                asked = None
            elif asked is not None:
                shares.append(ruler.share(turn.shown, *asked))
    return np.array(shares)
