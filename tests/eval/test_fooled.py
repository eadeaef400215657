"""A perfect system, a random one, a deaf one and a cheat get what they deserve, and the cheat does not win."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from talkwalk.config import HoldoutConfig, WalksConfig
from talkwalk.contrastive.descriptions import Descriptions
from talkwalk.engine.senses import Sense
from talkwalk.eval.live import measure_live
from talkwalk.eval.report import build_report
from talkwalk.eval.results import Result, rounded
from talkwalk.eval.rivals.baselines import Random
from talkwalk.eval.simulated import measure_simulated
from talkwalk.eval.space import measure_space
from talkwalk.eval.system import Answer, Scored
from talkwalk.eval.unseen import Unseen, Words
from talkwalk.eval.world import Amounts, World
from talkwalk.index.metadata_distance import MetadataTable
from talkwalk.projection.steering_language import CategoryLanguage, Direction, SteeringLanguage
from talkwalk.projection.steps import Step, StepKind
from talkwalk.projection.validation import rank_table
from talkwalk.projection.walks import Walker
from tests.conftest import GENRES, make_catalog

STEP = 0.3
DESCRIPTIONS = Descriptions({"genre": {g: (f"a {g.lower()}", f"some {g.lower()}") for g in GENRES}}, {})
NAMES = {g: (g.lower(),) for g in GENRES}
LANGUAGE = SteeringLanguage(
    {"year": Direction(("newer", "later"), ("older", "earlier")), "rating": Direction(("better",), ("worse",))},
    {"genre": CategoryLanguage(NAMES, ("switch to {value}",), ("more {value}",), ("no {value}",))},
    ("more like that",), ("go back",), ("what next",), ("show me {wish}",),
)  # fmt: skip


class Hearing(Scored):
    """Knows what every wording means, and so where a steer should lead."""

    def __init__(self, language, walker):
        self.walker, self.asks = walker, {}
        for axis, sides in language.directions.items():
            self.asks |= {w: (StepKind.DIRECTION, axis, 1) for w in sides.up}
            self.asks |= {w: (StepKind.DIRECTION, axis, -1) for w in sides.down}
        frames = language.categories["genre"]
        sides = {StepKind.SWITCH: frames.switch, StepKind.MORE: frames.more, StepKind.LESS: frames.less}
        for kind, side in sides.items():
            self.asks |= {f.replace("{value}", g.lower()): (kind, "genre", g) for f in side for g in GENRES}
        self.back = set(language.back)

    def fit(self, catalog):
        super().fit(catalog)
        self.catalog, self.table = catalog, MetadataTable(catalog.schema, catalog.items)
        self.row = {item_id: i for i, item_id in enumerate(catalog.ids)}
        self.ranks = rank_table(catalog)
        self.axes = [a.name for a in catalog.schema.ordered]
        features = np.concatenate([catalog.features(), np.full((len(catalog), 1), 0.1)], axis=1)
        self.vectors = features / np.linalg.norm(features, axis=1, keepdims=True)


class Perfect(Hearing):
    """Goes exactly where it is asked to, and back."""

    name = "perfect"

    def answer(self, dialogue, k):
        if dialogue.text in self.back and len(dialogue.turns) >= 2:
            shown = dialogue.turns[-2].shown
            return Answer(shown[:k], self.vectors[self.row[shown[0]]])
        answer = super().answer(dialogue, k)
        return Answer(answer.ids, self.vectors[self.row[answer.ids[0]]])

    def scores(self, dialogue):
        asked = self.asks.get(dialogue.text)
        row = self.catalog.row(dialogue.stand) if dialogue.stand else {"year": 1960.0}
        if asked is None:
            return -self.table.distances(row)
        kind, subject, value = asked
        named = ((subject, value),) if subject == "genre" else ()
        refused = kind is StepKind.LESS
        step = Step(
            kind,
            dialogue.text,
            {},
            "",
            subject,
            value,
            asked=() if refused else named,
            without=named if refused else (),
        )
        hidden = [self.row[i] for i in self.walker.hidden(step, dialogue.seen)]
        scores = -self.table.distances(self.walker.asking.steered(row, step) or row)
        scores[hidden] -= 2  # more than any distance
        return scores


class Mishearing(Perfect):
    """Takes every steer for its opposite, and offers what was meant."""

    name, offers = "mishearing", True

    def answer(self, dialogue, k):
        heard = self._heard(dialogue)
        if heard is None:
            return super().answer(dialogue, k)
        opposite = self.rather(dialogue, Sense(heard.attribute, -int(heard.value)), k)
        return opposite._replace(otherwise=(heard,))

    def rather(self, dialogue, sense, k):
        sides = self.walker.language.directions[sense.attribute]
        words = (sides.up if sense.value > 0 else sides.down)[0]
        answer = super().answer(dataclasses.replace(dialogue, text=words), k)
        return answer._replace(heard=(sense,))

    def _heard(self, dialogue):
        kind, axis, sign = self.asks.get(dialogue.text, (None, None, None))
        return Sense(axis, sign) if kind is StepKind.DIRECTION else None


class Deaf(Hearing):
    """Stands where it stands, whatever is said."""

    name = "deaf"

    def answer(self, dialogue, k):
        home = dialogue.history[-1] if dialogue.history else self.ids[0]
        self.place = self.vectors[self.row[home]]
        return Answer(super().answer(dialogue, k).ids, self.place)

    def scores(self, dialogue):
        return self.vectors @ self.place


class Cheat(Hearing):
    """Answers every steer with the most extreme items of the catalogue."""

    name = "cheat"

    def scores(self, dialogue):
        kind, axis, sign = self.asks.get(dialogue.text, (None, None, None))
        if kind is StepKind.DIRECTION:
            return sign * self.ranks[:, self.axes.index(axis)]
        return self.ranks.sum(axis=1)


class Stuck(Hearing):
    """Shows the same ten items, whatever is said."""

    name = "stuck"

    def answer(self, dialogue, k):
        return Answer(tuple(self.ids[:k]), self.vectors[0])

    def scores(self, dialogue):
        return -np.arange(len(self.ids), dtype=float)


class Silent(Hearing):
    """Shows nothing."""

    name = "silent"

    def answer(self, dialogue, k):
        return Answer((), None)

    def scores(self, dialogue):
        return np.zeros(len(self.ids))


@pytest.fixture(scope="module")
def world():
    """300 films, and what is said about them."""
    walks = WalksConfig(simulated=1, real=0, test=1, turns=4, step=STEP)
    unseen = Unseen(HoldoutConfig(users=0.4), walks, {"unseen_wordings": Words(DESCRIPTIONS, LANGUAGE)})
    return World(make_catalog(300), unseen, Amounts(60, 12, 0, 6), k=10, seed=1)


@pytest.fixture(scope="module")
def walker(world):
    return Walker(world.catalog, DESCRIPTIONS, LANGUAGE, world.words().walks)


@pytest.fixture(scope="module")
def measured(world, walker):
    """Every figure of all of them."""
    results = []
    heard = [kind(LANGUAGE, walker) for kind in (Perfect, Deaf, Cheat, Stuck, Silent)]
    for system in (heard[0], Random(), *heard[1:]):
        system.fit(world.catalog)
        for part in (measure_simulated, measure_live, measure_space):
            found = part(system, world)
            results.append(Result(system.name, part.__name__, rounded(found.figures), found.seconds, found.paths))
    return build_report(results, {}, {"parts": ["simulated", "live"]}, k=10, seed=0)


def value(report, system, figure):
    return report.figures[system][figure].value


class TestPerfect:
    def test_hits_every_target(self, measured):
        assert value(measured, "perfect", "r10") == 1
        assert value(measured, "perfect", "nearest_neighbour_accuracy") == 1
        assert value(measured, "perfect", "back_r10") == 1

    def test_moves_as_asked_and_comes_back(self, measured):
        assert (
            value(measured, "perfect", "direction") > 0.85
        )  # the mean of ten items, some of them beside the wanted one
        assert value(measured, "perfect", "reversibility") == pytest.approx(1, abs=1e-6)
        assert value(measured, "perfect", "reversibility/returned") == 1

    def test_wins_every_figure_of_steering(self, measured):
        for figure in ("steering_aim", "r10", "nearest_neighbour_accuracy", "reversibility/returned"):
            for other in ("random", "deaf", "cheat"):
                assert value(measured, "perfect", figure) > value(measured, other, figure), (figure, other)
        for other in ("random", "deaf", "cheat"):
            assert value(measured, "perfect", "turns_to_satisfaction") < value(measured, other, "turns_to_satisfaction")


class TestMishearing:
    def test_is_as_good_as_perfect_once_corrected(self, world, walker):
        figures = {}
        for system in (Perfect(LANGUAGE, walker), Mishearing(LANGUAGE, walker)):
            system.fit(world.catalog)
            figures[system.name] = measure_simulated(system, world).figures
        perfect, misheard = figures["perfect"], figures["mishearing"]
        assert np.mean(list(misheard["direction"].values())) < 0.3  # an end of an axis has no other side
        assert misheard["direction/corrected"] == perfect["direction"]
        assert misheard["steering_precision/corrected"] == perfect["steering_precision"]
        assert not any("corrected" in name for name in perfect)  # it offers nothing


class TestRandom:
    def test_hits_by_chance(self, measured):
        found = measured.figures["random"]["r10"]
        assert found.low <= 10 / 300 + 0.02
        assert value(measured, "random", "first_turn_relevance") == pytest.approx(0, abs=0.25)

    def test_traces_by_chance(self, measured):
        found = measured.figures["random"]["traceability"]
        # two ordered attributes, two ways each; less, as an answer that hardly moves names none of them
        assert 0.05 < found.value and found.low <= 1 / 4

    def test_has_no_figure_that_needs_a_position(self, measured):
        for figure in ("entropy_reduction", "reversibility", "coherence", "movement_alignment"):
            assert figure not in measured.figures["random"]
            assert figure in measured.figures["perfect"]


class TestDeaf:
    def test_gets_nothing_for_standing_still(self, measured):
        for figure in ("entropy_reduction", "reversibility", "movement_alignment"):
            assert value(measured, "deaf", figure) == pytest.approx(0, abs=1e-6), figure
        assert value(measured, "deaf", "reversibility/cosine") == pytest.approx(1)  # the plan's figure alone would
        assert value(measured, "deaf", "reversibility/returned") == 0

    def test_ignores_grades_of_diversity(self, measured):
        assert value(measured, "deaf", "diversity_gradient") == 0


class TestStuck:
    def test_shows_what_was_shown_and_brings_nothing_back(self, measured):
        assert value(measured, "stuck", "reversibility/returned") == 0
        assert value(measured, "stuck", "steering_aim") < value(measured, "perfect", "steering_aim")


class TestSilent:
    def test_is_judged_by_all_that_was_asked_and_gets_nothing(self, measured):
        for figure in ("direction", "steering_precision", "r10"):
            found, perfect = (measured.figures[name][figure] for name in ("silent", "perfect"))
            assert (found.value, found.units) == (0, perfect.units), figure
        assert value(measured, "silent", "direction/live") == value(measured, "silent", "steering_precision/live") == 0
        assert value(measured, "silent", "steering_aim") == pytest.approx(0)
        assert value(measured, "silent", "switch_share") == 0
        assert value(measured, "silent", "first_turn_relevance") == 0


class TestCheat:
    def test_moves_further_than_anybody_and_does_not_win(self, measured):
        assert value(measured, "cheat", "on_axis") > value(measured, "perfect", "on_axis")
        assert value(measured, "cheat", "direction") >= value(measured, "perfect", "direction") - 0.1
        assert value(measured, "cheat", "steering_aim") < 0 < value(measured, "perfect", "steering_aim")

    def test_shows_few_of_the_items(self, measured):
        assert value(measured, "cheat", "coverage") < 0.5 * value(measured, "random", "coverage")

    def test_is_behind_in_the_report(self, measured):
        ahead = [line for line in measured.against() if line.startswith("steering_aim")]
        assert len(ahead) == 1 and "perfect ahead of" in ahead[0]
