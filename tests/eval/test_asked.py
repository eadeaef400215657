"""What else people ask for: every figure on answers whose value is known, and what five kinds of systems get."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from talkwalk.config import HoldoutConfig, WalksConfig
from talkwalk.eval import asked
from talkwalk.eval.asked_scripts import LONG, WINDOW, draw_scripts, middle_bounds, middle_of
from talkwalk.eval.benchmark import settings_of
from talkwalk.eval.live import GRADE_WORDS, said_grades
from talkwalk.eval.report import build_report
from talkwalk.eval.results import Result, rounded
from talkwalk.eval.rivals.baselines import Random
from talkwalk.eval.ruler import Ruler
from talkwalk.eval.sessions import Ask, RecordedSession, RecordedTurn
from talkwalk.eval.system import Answer, Scored
from talkwalk.eval.unseen import Unseen, Words
from talkwalk.eval.world import Amounts, World
from talkwalk.projection.steps import SPREADS, Asking, Step, StepKind, between
from talkwalk.projection.validation import GRADES
from tests.conftest import GENRES, make_catalog, make_descriptions
from tests.eval.test_fooled import LANGUAGE as PLAIN_LANGUAGE

STEP = 0.3
AGAIN = "more like that"


def turn(ask, *shown):
    return RecordedTurn(ask, tuple(shown))


def session(start, *turns):
    return RecordedSession(tuple(turns), None, (start,))


def steer(axis, sign=1, grade=None, spread=0.0):
    return Ask("words", StepKind.DIRECTION, axis, sign, grade=grade, spread=spread)


@pytest.fixture
def ruler(catalog):
    return Ruler(catalog)


@pytest.fixture
def by_year(catalog):
    """Ids from the oldest to the newest."""
    return list(catalog.ranks("year").sort_values(kind="stable").index)


class TestRuler:
    def test_movement_written_out(self, ruler, catalog):
        year, rating = catalog.ranks("year"), catalog.ranks("rating")
        moved = ruler.movement("1", ("2", "3"), "year", -1)
        assert moved.on_axis == pytest.approx([year["1"] - (year["2"] + year["3"]) / 2])
        assert moved.off_axis == pytest.approx([abs((rating["2"] + rating["3"]) / 2 - rating["1"])])

    def test_an_answer_without_items_moved_nothing_and_is_far_from_everything(self, ruler):
        moved = ruler.movement("1", (), "year", 1)
        assert (moved.on_axis[0], moved.off_axis[0]) == (0, 0)
        assert (ruler.share((), "genre", "Drama"), ruler.spread(()), ruler.distance((), {"year": 1950.0})) == (0, 0, 1)

    def test_what_an_item_lacks_counts_for_nothing(self, catalog):
        catalog.items.loc["1", "rating"] = np.nan
        ruler = Ruler(catalog)
        assert np.isnan(ruler.moved("1", ("2",))).tolist() == [False, True]
        assert ruler.movement("1", ("2",), "year", 1).off_axis.tolist() == [0]
        assert ruler.movement("1", ("2",), "rating", 1).on_axis.tolist() == [0]
        assert not ruler.held("rating", "0%-100%")[0] and ruler.held("rating", "0%-100%")[1:].all()

    def test_spread_is_the_mean_distance_of_pairs(self, ruler, catalog):
        rows = {i: catalog.row(i) for i in ("1", "2", "3")}
        slow = [ruler.distance([a], rows[b]) for a in rows for b in rows if a != b]
        assert ruler.spread(("1", "2", "3")) == pytest.approx(np.mean(slow))

    def test_ranges_and_shares(self, ruler, catalog):
        years = catalog.items["year"]
        assert ruler.held("year", "1930-1959").tolist() == ((years >= 1930) & (years <= 1959)).tolist()
        shown = catalog.ids[:6]
        assert ruler.share(shown, "genre", "Drama") == np.mean(["Drama" in catalog.row(i)["genre"] for i in shown])


class TestIntensity:
    def graded(self, by_year, order):
        return session(by_year[0], *(turn(steer("year", 1, g), by_year[i]) for g, i in zip(GRADES, order, strict=True)))

    def test_in_order_reversed_and_deaf(self, ruler, by_year):
        sessions = [self.graded(by_year, order) for order in ((4, 7, 12, 20, 39), (39, 20, 12, 7, 4), (5,) * 5)]
        assert asked.intensity(sessions, ruler, step=STEP).order == pytest.approx([1, -1, 0])

    def test_aim_written_out(self, ruler, by_year, catalog):
        found = asked.intensity([self.graded(by_year, (4, 7, 12, 20, 39))], ruler, step=STEP).aim
        year, rating, home, aims = catalog.ranks("year"), catalog.ranks("rating"), by_year[0], []
        wanted = (STEP / 3, STEP * 0.6, STEP, STEP * 5 / 3, 1 - year[home])
        for place, amount in zip((4, 7, 12, 20, 39), wanted, strict=True):
            there = by_year[place]
            miss = abs(year[there] - year[home] - amount) + abs(rating[there] - rating[home])
            aims.append(max(1 - miss / amount, -1))
        assert found == pytest.approx([np.mean(aims)])

    def test_no_grade_asks_for_more_than_there_is(self, ruler, by_year, catalog):
        room = 1 - catalog.ranks("year")[by_year[-3]]
        for grade in ("bit", None, "much", "most"):
            assert asked.asked_ranks(by_year[-3], steer("year", 1, grade), ruler, step=STEP) == pytest.approx(room)


class TestVariety:
    def test_wider_and_wider_narrower_and_deaf(self, ruler, catalog):
        ordered = ruler.nearest(catalog.row("1"), {"1"}, 39)
        answers = [ordered[::stride][:4] for stride in (1, 3, 5, 8, 9)]
        spreads = [ruler.spread(shown) for shown in answers]
        answers = [answers[i] for i in np.argsort(spreads)]
        assert len({round(s, 6) for s in spreads}) == 5
        asks = [Ask("words", StepKind.VARIETY, spread=s) for s in (-1.0, -0.5, 0.0, 0.5, 1.0)]
        wider, narrower, deaf = (
            session("1", *(turn(ask, *shown) for ask, shown in zip(asks, some, strict=True)))
            for some in (answers, answers[::-1], answers[:1] * 5)
        )
        assert asked.variety([wider, narrower, deaf], ruler) == pytest.approx([1, -1, 0])

    def test_direction_with_and_without(self, ruler, by_year):
        home, newer, older = by_year[20], by_year[30], by_year[3]
        said = [Ask("w", StepKind.SEVERAL, spread=s, parts=(Ask("v"), steer("year"))) for s in (-1.0, 1.0)]
        record = session(home, turn(said[0], newer), turn(steer("year"), newer), turn(said[1], older))
        found = asked.variety_direction([record], ruler)
        assert (found.said.tolist(), found.unsaid.tolist()) == ([0.5], [1.0])


class TestRefusal:
    def test_shares_now_and_later(self, ruler, catalog):
        has = [i for i in catalog.ids if "Drama" in catalog.row(i)["genre"]]
        lacks = [i for i in catalog.ids if i not in has]
        no = Ask("no drama", StepKind.LESS, "genre", "Drama")
        obeyed = session(has[0], turn(no, *lacks[:2]), turn(steer("year"), *lacks[2:4]))
        forgot = session(has[0], turn(no, *lacks[:2]), turn(steer("year"), has[1], has[2], lacks[2], has[3]))
        deaf = session(has[0], turn(no, *has[1:3]), turn(steer("year"), *has[3:5]))
        silent = session(has[0], turn(no), turn(steer("year"), has[1]))
        found = asked.refusal([obeyed, forgot, deaf, silent], ruler)
        assert found.now[:3].tolist() == [0, 0, 1] and np.isnan(found.now[3]) and np.isnan(found.off_axis[3])
        assert found.later.tolist() == [0, 0.75, 1, 1]
        assert found.off_axis[0] == pytest.approx(np.abs(ruler.moved(has[0], lacks[:2])).mean())
        beside = asked.named_share([session(has[0], turn(Ask(AGAIN), has[1], lacks[0]))], [no], ruler)
        assert beside.tolist() == [0.5]


class TestSeveral:
    def test_parts_that_were_followed(self, ruler, catalog, by_year):
        home = by_year[15]
        newer = {g: [i for i in by_year[22:] if g in catalog.row(i)["genre"]] for g in GENRES}
        drama, other = newer["Drama"][:3], [i for i in by_year[22:] if i not in newer["Drama"]][:3]
        both = Ask("w", StepKind.SEVERAL, parts=(steer("year"), Ask("w", StepKind.SWITCH, "genre", "Drama")))
        sessions = [
            session(home, turn(both, *shown)) for shown in (drama, other, by_year[:1], (drama[0], other[0]), ())
        ]
        found = asked.several(sessions, ruler, step=STEP)
        first = ["Drama" in catalog.row(by_year[0])["genre"]]
        assert found.share.tolist() == [1, 0.5, 0.5 * first[0], 0.5, 0]  # half of an answer is not more than half
        assert found.all.tolist() == [1, 0, 0, 0, 0]

    def test_aim_written_out(self, ruler, catalog, by_year):
        home, there = by_year[10], by_year[22]
        year, rating = (catalog.ranks(a)[there] - catalog.ranks(a)[home] for a in ("year", "rating"))
        alone = Ask("w", StepKind.SEVERAL, parts=(steer("year"), Ask("w", StepKind.SWITCH, "genre", "Drama")))
        both = Ask("w", StepKind.SEVERAL, parts=(steer("year"), steer("rating", -1)))
        found = asked.several([session(home, turn(ask, there)) for ask in (alone, both)], ruler, step=STEP).aim
        room = min(STEP, catalog.ranks("rating")[home])
        aims = [1 - abs(year - STEP) / STEP, max(1 - abs(-rating - room) / room, -1)]  # nothing is left beside
        assert found == pytest.approx([max(1 - (abs(year - STEP) + abs(rating)) / STEP, -1), np.mean(aims)])


class TestFirst:
    def answered(self, *answers):
        return session("9", *(turn(Ask("w"), *shown) for shown in answers))

    def test_back_for_good_never_and_by_showing_the_same_every_time(self, ruler):
        away = (("5", "6"), ("7", "8"))
        found = asked.first_again(
            [
                self.answered(("1", "2"), *away, ("1", "2")),
                self.answered(("1", "2"), *away, ("2", "4")),
                self.answered(("1", "2"), *away, ("3", "4")),
                self.answered(*(("1", "2"),) * 4),
                self.answered(("1", "2"), *away, ()),
            ],
            ruler,
        )
        assert found.back.tolist() == [1, 0.5, 0, 0, 0]
        assert found.nearer[3] == found.nearer[4] == 0

    def test_nearer_written_out(self, ruler, catalog):
        record = self.answered(("1",), ("5",), ("7",), ("1",))
        assert asked.first_again([record], ruler).nearer.tolist() == [1]  # the very item
        record = self.answered(("1",), ("5",), ("7",), ("3", "4"))
        one, three = (ruler.distance(["3", "4"], catalog.row(i)) for i in ("1", "7"))
        assert asked.first_again([record], ruler).nearer == pytest.approx([(three - one) / (three + one)])


class TestBetween:
    def test_the_best_staying_and_far_away(self, ruler, catalog):
        bounds = {b: middle_bounds(ruler, ["5", "1", b], {"9"}, 3) for b in catalog.ids[9:30]}
        gaps = {b: found.near - found.best for b, found in bounds.items()}
        second = min((b for b in gaps if gaps[b] >= 0.05), key=gaps.__getitem__)
        seen = {"9", "5", "1", second}
        wanted = middle_of(ruler, ["5", "1", second])
        assert wanted["year"] == pytest.approx(
            between(catalog.row("1"), catalog.row(second), catalog.schema)["year"], abs=1
        )
        best, near = ruler.nearest(wanted, seen, 3), ruler.nearest(catalog.row(second), seen, 3)
        far = sorted(catalog.ids, key=lambda i: ruler.distance([i], wanted))[-3:]
        told = [turn(Ask("w"), i) for i in ("5", "1", second)]
        sessions = [session("9", *told, turn(Ask("w"), *shown)) for shown in (best, near, far)]
        assert asked.between_two(sessions, ruler) == pytest.approx([1, 0, -1])


class TestAbsolute:
    def test_share_and_what_moved_beside(self, ruler, catalog, by_year):
        old = [i for i in by_year if catalog.row(i)["year"] <= 1959]
        keep = Ask("w", StepKind.KEEP, "year", "1930-1959")
        sessions = [session(by_year[-1], turn(keep, *shown)) for shown in (old[:2], (old[0], by_year[-2]), ())]
        found = asked.absolute(sessions, ruler)
        assert found.share.tolist() == [1, 0.5, 0]
        rating = catalog.ranks("rating")
        assert found.off_axis[0] == pytest.approx(abs(rating[old[:2]].mean() - rating[by_year[-1]]))


class TestLong:
    def test_early_late_and_the_difference(self, ruler, by_year):
        low, middle, high = by_year[2], by_year[20], by_year[37]
        said = [steer("year"), Ask("w", StepKind.SWITCH), steer("year", -1), Ask("w", StepKind.SWITCH), steer("year")]
        good, bad = (middle, middle, low, low, middle), (low, middle, middle, middle, middle)
        record = session(low, *(turn(a, i) for a, i in zip(said * 3, good * 2 + bad, strict=True)))
        found = asked.long_session({"0": record}, ruler, step=STEP)
        assert found.early == {"0:0": 1, "0:2": 1, "0:4": 1}
        assert found.late == {"0:10": 0, "0:12": 0, "0:14": 0}
        assert found.change == {"0": -1}
        assert set(found.early_aim) == set(found.early)
        atop = session(high, turn(said[0], low), *(turn(a, middle) for a in said[1:]))
        assert "0:0" not in asked.long_session({"0": atop}, ruler, step=STEP).late  # nobody could go on from there


class Listener(Scored):
    """Knows what every test wording means, and fails on any other words."""

    def __init__(self, language, descriptions, catalog):
        self.asking = Asking(catalog.schema, descriptions, language, STEP)
        self.meant = {w: Step(StepKind.STAY, w, {}, "") for w in language.stay}
        self.meant |= {w: Step(StepKind.FIRST, w, {}, "") for w in language.first}
        self.meant |= {w: Step(StepKind.BETWEEN, w, {}, "") for w in language.between}
        for name, words in language.variety.items():
            self.meant |= {w: Step(StepKind.VARIETY, w, {}, "", spread=SPREADS[name]) for w in words}
        for axis, sides in language.directions.items():
            for sign, plain in ((1, sides.up), (-1, sides.down)):
                self.hear(StepKind.DIRECTION, plain, axis, sign)
                for grade in self.asking.grades(axis, sign):
                    self.hear(StepKind.DIRECTION, self.graded(language, axis, sign, grade), axis, sign, grade)
        kinds = ((StepKind.SWITCH, "switch"), (StepKind.MORE, "more"), (StepKind.LESS, "less"))
        for name, frames in language.categories.items():
            for kind, side in kinds:
                for value, names in frames.names.items():
                    words = [f.replace("{value}", n) for f in getattr(frames, side) for n in names]
                    self.hear(kind, words, name, value)
        for axis in (a.name for a in catalog.schema.ordered):
            for band, words in descriptions.items[axis].items():
                self.hear(StepKind.KEEP, [f.replace("{wish}", w) for f in language.keep for w in words], axis, band)

    def graded(self, language, axis, sign, grade):
        sides = [language.directions[axis], language.comparatives.get(axis), language.superlatives.get(axis)]
        plain, more, most = ((s.up if sign > 0 else s.down) if s else () for s in sides)
        framed = [f.replace("{more}", w) for f in language.grades[grade] if "{more}" in f for w in more]
        framed += [f.replace("{steer}", w) for f in language.grades[grade] if "{steer}" in f for w in plain]
        return [*framed, *(most if grade == "most" else ())]

    def hear(self, kind, words, subject, value, grade=None):
        self.meant |= {w: Step(kind, w, {}, "", subject, value, grade) for w in words}

    def fit(self, catalog):
        super().fit(catalog)
        self.catalog, self.ruler = catalog, Ruler(catalog)

    def scores(self, dialogue):
        raise AssertionError("a listener finds its own answers")

    def parts(self, text):
        return [self.meant[part] for part in text.split(", and ")]


class Perfect(Listener):
    """Does what it is asked to."""

    name = "perfect"

    def answer(self, dialogue, k):
        parts = self.parts(dialogue.text)
        if parts[0].kind is StepKind.FIRST:
            return Answer(dialogue.turns[0].shown[:k])
        row = self.wanted(dialogue, parts)
        told = [part for t in dialogue.turns for part in self.parts(t.text)]
        refused = [(s.subject, s.value) for s in (*told, *parts) if s.kind is StepKind.LESS]
        ordered = self.ruler.nearest(row, dialogue.seen | self.catalog.having(refused), len(self.ids))
        return Answer(tuple(self.spread(ordered, k, sum(part.spread for part in parts))))

    def wanted(self, dialogue, parts):
        row = self.catalog.row(dialogue.stand)
        if parts[0].kind is StepKind.BETWEEN:
            return between(row, self.catalog.row(dialogue.turns[-2].shown[0]), self.catalog.schema)
        for part in parts:
            row = self.asking.steered(row, part) or row
        return row

    def spread(self, ordered, k, spread):
        if spread >= 0:
            return ordered[:: 1 + int(6 * spread)][:k]
        pool = ordered[: int(k * (1 - 3 * spread))]  # the most alike of more than are shown
        return self.ruler.nearest(self.catalog.row(ordered[0]), set(self.ids) - set(pool), k)


class Deaf(Listener):
    """Shows what is like the item that the person came with, whatever is said."""

    name = "deaf"

    def answer(self, dialogue, k):
        return Answer(tuple(self.ruler.nearest(self.catalog.row(dialogue.history[-1]), dialogue.seen, k)))


class Cheat(Listener):
    """Goes to the far end of whatever direction it hears, and shows the catalogue's ends where it hears none."""

    name = "cheat"

    def scores(self, dialogue):
        ways = [(s.subject, s.value) for s in self.parts(dialogue.text) if s.kind is StepKind.DIRECTION]
        columns = [sign * self.ruler.ranks[:, self.ruler.axes[axis]] for axis, sign in ways]
        return np.sum(columns, axis=0) if columns else self.ruler.ranks.sum(axis=1)


class Stuck(Listener):
    """Shows the same list every time, seen or not."""

    name = "stuck"

    def answer(self, dialogue, k):
        return Answer(tuple(self.ids[:k]))


def make_world(language, *, size=300, k=10, seed=1, trained=None, **amounts):
    words = Words(make_descriptions(), language)
    walks = WalksConfig(simulated=1, real=0, test=1, turns=4, step=STEP)
    unseen = Unseen(HoldoutConfig(), walks, {"unseen_wordings": words, "trained_wordings": trained})
    return World(make_catalog(size), unseen, Amounts(1, 1, 0, 4, **amounts), k=k, seed=seed)


@pytest.fixture(scope="module")
def said():
    """The language of the small tests."""
    from tests.conftest import language

    return language.__wrapped__()


@pytest.fixture(scope="module")
def measured(said):
    """Every figure of the five, on 300 films."""
    world = make_world(said, starts=20, long_sessions=6)
    heard = (said, make_descriptions(), world.catalog)
    results = []
    for system in (Perfect(*heard), Random(), Deaf(*heard), Cheat(*heard), Stuck(*heard)):
        system.fit(world.catalog)
        results.append(Result(system.name, "asked", rounded(asked.measure_asked(system, world).figures)))
    return build_report(results, {}, {"parts": ["asked"], "seed": 0}, k=10, seed=0)


OTHERS = ("random", "deaf", "cheat", "stuck")
FIGURES = {
    "intensity", "intensity/aim", "variety", "variety/alone", "variety/direction", "variety/direction/unsaid",
    "refused", "refused/later", "refused/unsaid", "off_axis/refused", "several/switch", "several/switch/all",
    "several/switch/aim", "several/directions", "several/directions/all", "several/directions/aim", "first",
    "first/nearer", "between", "between/unsaid", "absolute", "off_axis/absolute", "long/early", "long/early/aim",
    "long/late", "long/late/aim", "long/change",
}  # fmt: skip


def value(report, system, figure):
    return report.figures[system][figure].value


class TestFooled:
    def test_every_system_has_every_figure(self, measured):
        for system in ("perfect", *OTHERS):
            assert set(measured.figures[system]) == FIGURES

    def test_perfect_gets_nearly_everything(self, measured):
        for figure in ("intensity", "variety", "variety/alone", "several/switch", "several/directions", "first",
                       "between", "absolute", "long/early", "long/late"):  # fmt: skip
            assert value(measured, "perfect", figure) > 0.75, figure  # ten films are not all where one is asked for
        assert value(measured, "perfect", "variety/direction") > value(measured, "random", "variety/direction") + 0.15
        assert value(measured, "perfect", "refused") == value(measured, "perfect", "refused/later") == 0
        assert abs(value(measured, "perfect", "long/change")) < 0.15

    def test_nobody_else_is_as_good(self, measured):
        for figure in ("intensity", "intensity/aim", "variety", "variety/alone", "several/switch", "first", "between",
                       "first/nearer", "absolute", "several/switch/aim", "several/directions/aim", "long/early/aim",
                       "long/late/aim"):  # fmt: skip
            for other in OTHERS:
                assert value(measured, "perfect", figure) > value(measured, other, figure) + 0.1, (figure, other)
        for figure in ("refused", "refused/later", "off_axis/absolute"):
            for other in ("random", "cheat", "stuck"):
                assert value(measured, "perfect", figure) < value(measured, other, figure), (figure, other)

    def test_ignoring_the_words_is_worth_nothing(self, measured):
        for figure in ("intensity", "variety", "variety/alone", "first"):
            assert value(measured, "deaf", figure) == value(measured, "stuck", figure) == 0, figure
        assert value(measured, "deaf", "refused") == value(measured, "deaf", "refused/unsaid")
        assert value(measured, "deaf", "between") == value(measured, "deaf", "between/unsaid") < 0.1
        assert value(measured, "deaf", "refused") > 0.8  # what is like the item has its category
        assert value(measured, "deaf", "off_axis/refused") < value(measured, "random", "off_axis/refused")

    def test_chance(self, measured):
        for figure in ("intensity", "variety", "variety/alone"):
            found = measured.figures["random"][figure]
            assert found.low < 0.1 and found.high > -0.1, figure
        assert 0.25 < value(measured, "random", "variety/direction") < 0.75
        share = np.mean(["Drama" in names for names in make_catalog(300).items["genre"]])
        assert value(measured, "random", "refused") == pytest.approx(share, abs=0.15)
        assert value(measured, "random", "first") < 0.1

    def test_extremes_pass_directions_and_nothing_that_says_how_far(self, measured):
        assert value(measured, "cheat", "variety/direction") == 1
        assert value(measured, "cheat", "several/directions") > 0.9
        assert value(measured, "cheat", "intensity") == value(measured, "cheat", "variety") == 0
        assert value(measured, "cheat", "long/early") > 0.9
        assert value(measured, "cheat", "long/early/aim") < 0 < value(measured, "perfect", "long/early/aim")
        assert value(measured, "cheat", "intensity/aim") < 0.2

    def test_the_report_knows_which_way_is_better(self, measured):
        lines = {line.split(":")[0]: line for line in measured.against()}
        assert "perfect ahead of" in lines["refused"] and "perfect ahead of" in lines["intensity"]
        assert not any(figure.endswith("unsaid") for figure in lines)


class TestReport:
    def test_rows_in_text_page_and_data(self, measured):
        text, page = measured.text(), measured.markdown()
        assert "| refused (less is better) |" in page and "refused (less is better)" in text
        assert "off_axis/absolute (less is better)" in page
        assert "## Grades, variety, refusals, several wishes, long sessions" in page
        assert all(f"\n{figure} " in text for figure in FIGURES)
        assert set(measured.data()["figures"]["perfect"]) == FIGURES

    def test_beside_the_thirteen_the_rows_come_after_them(self, measured):
        report = dataclasses.replace(measured, settings={"parts": ["live", "asked"]})
        text = report.text()
        assert text.index("catalogue coverage") < text.index("\nintensity ") < text.index("\nlong/change ")
        assert text.index("\nrefused (") < text.index("\nseveral/switch ") < text.index("\nfirst ")


class TestScripts:
    def test_the_same_seed_says_the_same_and_more_starts_change_none(self, said):
        worlds = [make_world(said, size=60, k=3, **amounts) for amounts in (
            {"starts": 3, "long_sessions": 1}, {"starts": 3, "long_sessions": 1}, {"starts": 5, "long_sessions": 2},
        )]  # fmt: skip
        one, again, more = (draw_scripts(world, Ruler(world.catalog)) for world in worlds)
        assert one == again
        assert all(more[name][key] == script for name, some in one.items() for key, script in some.items())
        other = make_world(said, size=60, k=3, seed=2, starts=3, long_sessions=1)
        assert draw_scripts(other, Ruler(other.catalog)) != one

    def test_the_same_seed_measures_the_same(self, said):
        world = make_world(said, size=60, k=3, starts=3, long_sessions=1)
        system = Random()
        system.fit(world.catalog)
        assert asked.measure_asked(system, world) == asked.measure_asked(system, world)

    def test_starts_have_room(self, said):
        world = make_world(said, starts=20, long_sessions=1)
        ruler = Ruler(world.catalog)
        scripts = draw_scripts(world, ruler)
        year = world.catalog.ranks("year")
        assert len(scripts["intensity"]) == 20
        for script in scripts["intensity"].values():
            up, here = script.asks[0].value > 0, year[script.opening.history[0]]
            assert (1 - here if up else here) >= STEP * 5 / 3 + 0.15
            assert [ask.grade for ask in script.asks] == list(GRADES)
        for script in scripts["absolute"].values():
            ask = script.asks[0]
            assert not ruler.held(ask.subject, ask.value)[ruler.row[script.opening.history[0]]]
        for script in scripts["refused"].values():
            assert script.asks[0].value in world.catalog.row(script.opening.history[0])["genre"]
        for script in scripts["between"].values():
            near, best = middle_bounds(ruler, [i for _, i in script.told], set(script.opening.history), 10)
            assert near - best >= 0.05

    def test_long_sessions_ask_for_the_same_kinds_at_both_ends(self, said):
        world = make_world(said, size=700, starts=1, long_sessions=2)
        for script in draw_scripts(world, Ruler(world.catalog))["long"].values():
            kinds = [ask.kind for ask in script.asks]
            assert len(kinds) == LONG
            assert kinds[:WINDOW] == kinds[-WINDOW:]
            assert kinds.count(StepKind.DIRECTION) == 18 and kinds.count(StepKind.SWITCH) == 12

    def test_a_small_catalogue_has_no_long_sessions(self, said):
        world = make_world(said, size=40, k=4, starts=1, long_sessions=2)
        assert "long" not in draw_scripts(world, Ruler(world.catalog))

    def test_what_the_language_has_no_words_for_is_not_asked(self):
        world = make_world(PLAIN_LANGUAGE, starts=2, long_sessions=1)
        scripts = draw_scripts(world, Ruler(world.catalog))
        assert set(scripts) == {"refused", "refused/unsaid", "long"}
        system = Random()
        system.fit(world.catalog)
        figures = rounded(asked.measure_asked(system, world).figures)
        assert {name.split("/")[0] for name in figures} == {"refused", "off_axis", "long"}

    def test_without_ordered_attributes_or_words_nothing_is_asked(self, said):
        mute = dataclasses.replace(said, directions={}, variety={}, between=(), keep=(), first=())
        world = make_world(mute, size=60, k=3, starts=2, long_sessions=1)
        assert draw_scripts(world, Ruler(world.catalog)) == {}


class TestBenchmark:
    def test_amounts_of_this_part_leave_the_others_alone(self, said):
        world = make_world(said, size=40, starts=3, long_sessions=2)
        assert settings_of("live", world, {"k": 4}) == {"k": 4}
        assert settings_of("asked", world, {"k": 4}) == {"k": 4, "starts": 3, "long_sessions": 2}

    def test_grades_of_the_live_part_are_said_in_the_language_s_words(self, said):
        first = Ask("a comedy")
        texts = [ask.text for ask in said_grades(first, said, np.random.default_rng(0))]
        words = ("all alike", "stay close", "", "mix it up", "surprise me")
        assert texts == [f"a comedy, {w}" if w else "a comedy" for w in words]
        texts = [ask.text for ask in said_grades(first, PLAIN_LANGUAGE, np.random.default_rng(0))]
        assert texts == [f"a comedy, {w}" if w else "a comedy" for w in GRADE_WORDS]
