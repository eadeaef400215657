"""The part `asked`: grades, variety, refusals, several wishes, "like the first", "between", long sessions, ranges.

What people ask for besides "more", "less" and "instead". Every figure
is taken over recorded answers in terms of the catalogue's own metadata, so that no system is judged in its own space.
Sessions start from one item that the person had, without a profile; `asked_scripts` writes their lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from talkwalk.eval.asked_scripts import ROOM, WINDOW, draw_scripts, middle_bounds, middle_of
from talkwalk.eval.controllability import ARRIVED, rank_correlation, steering_aim
from talkwalk.eval.judge import Values
from talkwalk.eval.ruler import Ruler
from talkwalk.eval.sessions import Ask, RecordedSession, moments
from talkwalk.eval.system import System
from talkwalk.eval.world import Measured, World, by_unit
from talkwalk.projection.steps import StepKind
from talkwalk.projection.validation import GRADES, MOVED, Movement

Sessions = Sequence[RecordedSession]


class Intensity(NamedTuple):
    """Per start; both (starts,).

    Attributes:
        order: Spearman's rank correlation of grade and movement, -1 to 1.
        aim: Mean `steering_aim` over the grades, -1 to 1.
    """

    order: np.ndarray
    aim: np.ndarray


def intensity(sessions: Sessions, ruler: Ruler, *, step: float) -> Intensity:
    """Does a touch move less than a bit, and a bit less than a lot (docs/metrics.md: intensity)?

    Protocol: from one item with at least `step` * 5/3 + 0.15 ranks of room, the same direction is asked in five grades
    (touch, bit, plain, much, most), each as the first words of a session (`play_each`). Achieved is the movement of the
    answer's mean catalogue rank from the item, the asked way.

    Formula: order is Spearman's (1904) correlation of the grades 1..5 with the five movements, ties sharing their mean
    rank, 0 where all five are alike: so for whoever ignores the words, and for whoever goes to the far end every time.
    Order forgives how far; aim does not: the mean over the grades of `steering_aim` with the ranks that the grade asks
    for in training (`AMOUNTS` of a step, at most the room; "most" all of it).

    Args:
        sessions: One per start, a turn per grade.
        ruler: Measures the answers.
        step: Ranks that a plain steer asks for.
    """
    order, aim = [], []
    for session in sessions:
        asks = [turn.ask for turn in session.turns]
        moves = [_movement(session.history[-1], turn.shown, turn.ask, ruler) for turn in session.turns]
        moved = Movement(*(np.concatenate([m[side] for m in moves]) for side in range(2)))
        grades = np.array([GRADES.index(ask.grade) + 1 for ask in asks])
        order.append(float(rank_correlation(grades, moved.on_axis[None])[0]))
        amounts = np.array([asked_ranks(session.history[-1], ask, ruler, step=step) for ask in asks])
        aim.append(float(steering_aim(moved, asked=amounts).mean()))
    return Intensity(np.array(order), np.array(aim))


def asked_ranks(start: str, ask: Ask, ruler: Ruler, *, step: float) -> float:
    """Catalogue ranks that a steer asks for from an item: what its grade says, at most the room."""
    return ruler.asked_ranks(start, str(ask.subject), int(ask.value or 0), ask.grade, step=step)


def variety(sessions: Sessions, ruler: Ruler) -> np.ndarray:
    """Do the answers lie as far apart as the words want them (docs/metrics.md: diversity gradient, in words)?

    Protocol: from one item, five first turns: as alike as possible, alike, nothing said of it, varied, as varied as can
    be; said alone (nothing said is "more like that"), or joined with one and the same direction. The spread of an
    answer is the mean metadata distance over its pairs of items (`controllability.spread`).

    Formula: Spearman's correlation of -1, -0.5, 0, 0.5, 1 with the five spreads, as in `diversity_gradient`; 0 where
    the words change nothing.

    Returns:
        -1 to 1, (starts,).
    """
    found = []
    for session in sessions:
        asked = np.array([turn.ask.spread for turn in session.turns])
        got = np.array([[ruler.spread(turn.shown) for turn in session.turns]])
        found.append(float(rank_correlation(asked, got)[0]))
    return np.array(found)


class Kept(NamedTuple):
    """Per start; both (starts,).

    Attributes:
        said: Direction accuracy of the turns that speak of variety as well.
        unsaid: The same of the turn that does not.
    """

    said: np.ndarray
    unsaid: np.ndarray


def variety_direction(sessions: Sessions, ruler: Ruler) -> Kept:
    """Does the direction survive a word about variety?

    Protocol: the joined turns of `variety`. Direction accuracy as in docs/metrics.md: the mean rank moves by more
    than 0.02 the way it was asked. The starts have room both ways, so a random answer gets about a half; whoever
    answers "varied" with anything at all is found out here.
    """
    found: list[tuple[float, float]] = []
    for session in sessions:
        right = {True: [], False: []}  # type: dict[bool, list[float]]
        for turn in session.turns:
            steer = next(ask for ask in (turn.ask, *turn.ask.parts) if ask.kind is StepKind.DIRECTION)
            right[turn.ask.spread != 0].append(float(followed(session.history[-1], turn.shown, steer, ruler)))
        found.append((float(np.mean(right[True])), float(np.mean(right[False]))))
    return Kept(*np.array(found, dtype=np.float64).reshape(-1, 2).T)


class Refusal(NamedTuple):
    """Per start, NaN for an answer without items; all (starts,).

    Attributes:
        now: Share of the answer that has the refused category.
        later: The same one steer later.
        off_axis: Mean absolute movement of all ordered attributes in the turn that refuses.
    """

    now: np.ndarray
    later: np.ndarray
    off_axis: np.ndarray


def refusal(sessions: Sessions, ruler: Ruler) -> Refusal:
    """Does a category that was refused stay away?

    Protocol: from an item with a category, "no" to one that it has; then a plain direction, which takes nothing back.
    Figure: share of the answer's items that have the category, 0 to 1; less is better. A random answer has the
    category's share of the catalogue, and so beats a system that stays near the item: nothing but the category was
    refused, so `off_axis`, in ranks and less is better too, says what else was thrown away. Beside it stands the share
    after "more like that" (`named_share`), which refuses nothing.
    """
    shares, off = [], []
    for session in sessions:
        ask = session.turns[0].ask
        shares.append([_share(turn.shown, ask, ruler) for turn in session.turns[:2]])
        shown = session.turns[0].shown
        moved = np.abs(ruler.moved(session.history[-1], shown))
        off.append(_mean(moved) if shown else np.nan)
    now, later = np.array(shares, dtype=np.float64).reshape(-1, 2).T
    return Refusal(now, later, np.array(off))


def named_share(sessions: Sessions, asks: Sequence[Ask], ruler: Ruler) -> np.ndarray:
    """Share of each session's first answer that has the category of an ask made elsewhere, 0 to 1, (sessions,)."""
    return np.array([_share(s.turns[0].shown, ask, ruler) for s, ask in zip(sessions, asks, strict=True)])


class Several(NamedTuple):
    """Per start; all (starts,).

    Attributes:
        share: Of the parts that were followed.
        all: 1.0 where all of them were.
        aim: Mean `steering_aim` of the directions among them, -1 to 1.
    """

    share: np.ndarray
    all: np.ndarray
    aim: np.ndarray


def several(sessions: Sessions, ruler: Ruler, *, step: float) -> Several:
    """Are all parts of a sentence followed?

    Protocol: one first turn from one item, of two joined steers: a direction and a switch of category, or directions
    along two axes, all with room both ways. A direction is followed when the mean rank moves by more than 0.02 the way
    it was asked (docs/metrics.md), a switch when more than half of the answer has the category. Range 0 to 1; whoever
    hears one part only has share 0.5 or more, by luck, and all near 0.5 or less. Extreme items follow every direction;
    aim finds them out: the mean over the directions of `steering_aim`, with off-axis taken over those attributes that
    no part asks about.

    Args:
        sessions: One turn each.
        ruler: Measures the answers.
        step: Ranks that a plain steer asks for.
    """
    shares, alls, aims = [], [], []
    for session in sessions:
        start, shown, parts = session.history[-1], session.turns[0].shown, session.turns[0].ask.parts
        right = [float(followed(start, shown, part, ruler)) for part in parts]
        shares.append(float(np.mean(right)))
        alls.append(min(right))
        aims.append(_joint_aim(start, shown, [p for p in parts if p.kind is StepKind.DIRECTION], ruler, step=step))
    return Several(np.array(shares), np.array(alls), np.array(aims))


def _joint_aim(start: str, shown: Sequence[str], asks: Sequence[Ask], ruler: Ruler, *, step: float) -> float:
    asked = np.array([asked_ranks(start, ask, ruler, step=step) for ask in asks])
    on = np.concatenate([_movement(start, shown, ask, ruler).on_axis for ask in asks])
    beside = np.abs(np.delete(ruler.moved(start, shown), [ruler.axes[str(ask.subject)] for ask in asks]))
    off = np.full(len(asks), np.nan_to_num(_mean(beside)))  # 0 where every attribute was asked about
    return float(steering_aim(Movement(on, off), asked=asked).mean())


def followed(start: str, shown: Sequence[str], ask: Ask, ruler: Ruler) -> bool:
    """Whether an answer goes where a direction or a switch asked it to."""
    if ask.kind is StepKind.DIRECTION:
        return bool(_movement(start, shown, ask, ruler).on_axis[0] > MOVED)
    return ruler.share(shown, str(ask.subject), str(ask.value)) > ARRIVED


class Return(NamedTuple):
    """Per session; both (sessions,).

    Attributes:
        back: Share of the first answer's items that are shown again.
        nearer: -1 (at the last answer) to 1 (at the first one).
    """

    back: np.ndarray
    nearer: np.ndarray


def first_again(sessions: Sessions, ruler: Ruler) -> Return:
    """Does "like the first one" find the first answer of the conversation?

    Protocol: a direction, a switch and a direction, each answered by the system itself, then "like the first one".

    Formulas: back is the share of the first answer's items that are in the answer and were not in the one before it, so
    that showing the same list every time is worth nothing. With the mean metadata distances d1 of the answer from the
    first item of the first answer and d3 from that of the third, nearer is (d3 - d1) / (d3 + d1): 1 at the first item,
    0 as near to either, and 0 where both are the same item.
    """
    backs, nearer = [], []
    for session in sessions:
        opening, before, answer = (session.turns[i].shown for i in (0, -2, -1))
        backs.append(len((set(opening) & set(answer)) - set(before)) / max(len(opening), 1))
        if not (opening and before and answer):
            nearer.append(0.0)
            continue
        to_first, to_last = (ruler.distance(answer, row) for row in ruler.catalog.rows([opening[0], before[0]]))
        nearer.append((to_last - to_first) / max(to_last + to_first, 1e-12))
    return Return(np.array(backs), np.array(nearer))


def between_two(sessions: Sessions, ruler: Ruler) -> np.ndarray:
    """Does "between those two" lie in the middle of the last two items?

    Protocol: a direction, a direction and a switch, answered by given items, so that every system stands at the same
    two; then "between those two". The middle has the mean of every ordered attribute, and the categories of both.

    Formula: with d the mean metadata distance of k items from the middle, (d near - d answer) / (d near - d best),
    cut off at -1. "Near" are the unseen items nearest to the second item, what a perfect "more like that" shows; "best"
    those nearest to the middle. So 1 is as good as the catalogue allows, 0 no better than staying, and below 0 worse. A
    comparison with the system's own "more like that" would be better the worse that is: it stands beside this one, on
    the same scale, and is no part of it.
    """
    found = []
    for session in sessions:
        places = [turn.shown[0] for turn in session.turns[:-1]]
        answer = session.turns[-1].shown
        near, best = middle_bounds(ruler, places, set(session.history), max(len(answer), 1))
        away = ruler.distance(answer, middle_of(ruler, places))
        found.append(max((near - away) / max(near - best, 1e-12), -1.0))
    return np.array(found)


class Absolute(NamedTuple):
    """Per start; both (starts,).

    Attributes:
        share: Of the answer whose attribute lies in the range.
        off_axis: Mean absolute movement of the other ordered attributes; NaN where there is none.
    """

    share: np.ndarray
    off_axis: np.ndarray


def absolute(sessions: Sessions, ruler: Ruler) -> Absolute:
    """Does "the same but from the seventies" land in the seventies, and keep the rest?

    Protocol: one first turn from one item outside of the range, which holds at least k items. Figures: share of the
    answer whose value lies in the range, 0 to 1, where a random answer has the range's share of the catalogue; and mean
    absolute movement of the other ordered attributes' mean ranks from the item (off-axis), less is
    better.
    """
    shares, off = [], []
    for session in sessions:
        ask, shown = session.turns[0].ask, session.turns[0].shown
        held = ruler.held(str(ask.subject), str(ask.value))[ruler.places(shown)]
        shares.append(float(held.mean()) if shown else 0.0)
        off.append(_mean(np.abs(np.delete(ruler.moved(session.history[-1], shown), ruler.axes[str(ask.subject)]))))
    return Absolute(np.array(shares), np.array(off))


class Long(NamedTuple):
    """Figures of long sessions.

    Attributes:
        early: Direction accuracy of every steer among the first five turns, by session and turn.
        late: The same among the last five.
        early_aim: `steering_aim` of the same steers.
        late_aim: Likewise.
        change: Per session mean of late minus mean of early, -1 to 1.
    """

    early: Values
    late: Values
    early_aim: Values
    late_aim: Values
    change: Values


def long_session(sessions: Mapping[str, RecordedSession], ruler: Ruler, *, step: float) -> Long:
    """Does steering still work after thirty turns?

    Protocol: scripts of thirty turns, the same for every system: direction, switch, direction, switch, direction, six
    times over, so that the first and the last five turns ask for the same kinds of things. The script keeps to ways
    with room along an ideal walk; where the system itself stands so near the end that less than 0.15 ranks are left,
    nobody could follow, and the turn is left out. Direction accuracy (docs/metrics.md) is taken from the first item
    of the answer before. Extreme items pass it; aim, beside it, they do not. Change below 0 is what length costs; later
    turns also have fewer unseen items to choose from, for every system alike.

    Args:
        sessions: By key.
        ruler: Measures the answers.
        step: Ranks that a plain steer asks for.
    """
    found = Long({}, {}, {}, {}, {})
    for key, session in sessions.items():
        means: dict[bool, list[float]] = {True: [], False: []}
        for turn, moment in enumerate(moments(session)):
            ask, late = moment.turn.ask, turn >= len(session.turns) - WINDOW
            if ask.kind is not StepKind.DIRECTION or moment.start is None or not (late or turn < WINDOW):
                continue
            if not _room(moment.start, ask, ruler) >= ROOM:  # NaN where the item lacks the attribute
                continue
            moved = _movement(moment.start, moment.turn.shown, ask, ruler)
            amount = asked_ranks(moment.start, ask, ruler, step=step)
            right, aim = (found.late, found.late_aim) if late else (found.early, found.early_aim)
            right[f"{key}:{turn}"] = float(moved.direction[0])
            aim[f"{key}:{turn}"] = float(steering_aim(moved, asked=amount)[0])
            means[late].append(float(moved.direction[0]))
        if means[True] and means[False]:
            found.change[key] = float(np.mean(means[True]) - np.mean(means[False]))
    return found


def measure_asked(system: System, world: World) -> Measured:
    """Every figure of what people ask for in more ways, in test wordings."""
    ruler = Ruler(world.catalog)
    played = {
        name: {key: script.play(system, world) for key, script in scripts.items()}
        for name, scripts in draw_scripts(world, ruler).items()
    }
    return Measured(asked_figures(played, ruler, step=world.words().walks.step))


Played = Mapping[str, Mapping[str, RecordedSession]]


def asked_figures(played: Played, ruler: Ruler, *, step: float) -> dict[str, Values]:
    """Figures by name, of the sorts of sessions that were played.

    Args:
        played: Sessions by sort and key.
        ruler: Measures the answers.
        step: Ranks that a plain steer asks for.
    """

    def of(sort: str, names: Sequence[str], figure: Callable[[Sessions], Sequence[np.ndarray]]) -> dict[str, Values]:
        sessions = played.get(sort, {})
        if not sessions:
            return {}
        arrays = figure(list(sessions.values()))
        return {
            name: by_unit({key: np.array([value]) for key, value in zip(sessions, array, strict=True)})
            for name, array in zip(names, arrays, strict=True)
        }

    def parts(sort: str) -> tuple[str, ...]:
        return (sort, f"{sort}/all", f"{sort}/aim")

    refused = [session.turns[0].ask for session in played.get("refused", {}).values()]
    long = long_session(played.get("long", {}), ruler, step=step)
    return {
        **of("intensity", ("intensity", "intensity/aim"), lambda s: intensity(s, ruler, step=step)),
        **of("variety", ("variety",), lambda s: [variety(s, ruler)]),
        **of("variety/alone", ("variety/alone",), lambda s: [variety(s, ruler)]),
        **of("variety", ("variety/direction", "variety/direction/unsaid"), lambda s: variety_direction(s, ruler)),
        **of("refused", ("refused", "refused/later", "off_axis/refused"), lambda s: refusal(s, ruler)),
        **of("refused/unsaid", ("refused/unsaid",), lambda s: [named_share(s, refused, ruler)]),
        **of("several/switch", parts("several/switch"), lambda s: several(s, ruler, step=step)),
        **of("several/directions", parts("several/directions"), lambda s: several(s, ruler, step=step)),
        **of("first", ("first", "first/nearer"), lambda s: first_again(s, ruler)),
        **of("between", ("between",), lambda s: [between_two(s, ruler)]),
        **of("between/unsaid", ("between/unsaid",), lambda s: [between_two(s, ruler)]),
        **of("absolute", ("absolute", "off_axis/absolute"), lambda s: absolute(s, ruler)),
        "long/early": long.early,
        "long/early/aim": long.early_aim,
        "long/late": long.late,
        "long/late/aim": long.late_aim,
        "long/change": long.change,
    }


def _movement(start: str, shown: Sequence[str], ask: Ask, ruler: Ruler) -> Movement:
    return ruler.movement(start, shown, str(ask.subject), int(ask.value or 0))


def _room(start: str, ask: Ask, ruler: Ruler) -> float:
    """Catalogue ranks that are left of an item the asked way; NaN without a value."""
    return ruler.room(start, str(ask.subject), int(ask.value or 0))


def _share(shown: Sequence[str], ask: Ask, ruler: Ruler) -> float:
    """Share of the answer that has the category of an ask; NaN for an answer without items."""
    return ruler.share(shown, str(ask.subject), str(ask.value)) if shown else float("nan")


def _mean(values: np.ndarray) -> float:
    """Mean of what is known; NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
