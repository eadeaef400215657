"""Every figure on answers whose value is known: perfect, random, deaf."""

from __future__ import annotations

import math

import numpy as np
import pytest

from talkwalk.config import HoldoutConfig
from talkwalk.eval import controllability as control
from talkwalk.eval.clusters import metadata_regions, spherical_kmeans
from talkwalk.eval.efficiency import cold_start_quality, exploration_velocity, first_turn_relevance
from talkwalk.eval.interpretability import (
    axis_directions,
    category_table,
    embedding_space_coherence,
    movement_alignment,
    region_names,
    steering_traceability,
)
from talkwalk.eval.intervals import Interval, bootstrap, bootstrap_difference, bootstrap_mean
from talkwalk.eval.people import people
from talkwalk.eval.ranking import hit_at, ndcg_at, place_of, reciprocal
from talkwalk.eval.rivals.baselines import popularity
from talkwalk.eval.rivals.talkwalk import TalkWalk
from talkwalk.eval.ruler import Ruler
from talkwalk.eval.sanity import coverage, latency, nearest_neighbour_accuracy, next_item_accuracy, turn_seconds
from talkwalk.eval.sessions import Ask, Opening, RecordedSession, RecordedTurn, moments, play, play_each, steers
from talkwalk.eval.simulated_user import Seeker, Voice, Wanderer
from talkwalk.eval.unseen import split_words
from talkwalk.projection.steps import StepKind
from talkwalk.projection.validation import Movement


def unit(*numbers):
    vector = np.array(numbers, dtype=float)
    return vector / np.linalg.norm(vector)


def turn(kind=None, subject=None, value=None, *, shown=("1",), position=(1, 0), trace=None, seconds=0.1):
    ask = Ask("words", kind, subject, value)
    return RecordedTurn(ask, tuple(shown), unit(*position) if position else None, trace or {}, seconds)


def session(*turns, history=()):
    return RecordedSession(turns, None, tuple(history))


class TestIntervals:
    def test_mean_and_interval_of_normal_data(self):
        values = np.random.default_rng(1).normal(5, 2, 400)
        found = bootstrap_mean(values, seed=0)
        half = 1.96 * values.std() / math.sqrt(400)
        assert found.value == pytest.approx(values.mean())
        assert found.low == pytest.approx(values.mean() - half, abs=0.05)
        assert found.high == pytest.approx(values.mean() + half, abs=0.05)
        assert found.units == 400

    def test_equal_values_have_no_spread(self):
        assert bootstrap_mean(np.full(7, 0.25)) == Interval(0.25, 0.25, 0.25, 7)

    def test_the_seed_decides(self):
        values = np.random.default_rng(1).random(20)
        assert bootstrap_mean(values, seed=3) == bootstrap_mean(values, seed=3)
        assert bootstrap_mean(values, seed=3) != bootstrap_mean(values, seed=4)

    def test_units_of_one_group_are_drawn_together(self):
        values, groups = np.array([1.0, 1.0, 1.0, 0.0]), ["a", "a", "a", "b"]
        found = bootstrap_mean(values, groups=groups, seed=0)
        assert found == Interval(0.75, 0.0, 1.0, 4)  # two groups: half of the draws hold one of them only
        alone = bootstrap_mean(values, groups=list("abcd"), seed=0)
        assert alone.value == 0.75 and alone.low > 0
        assert bootstrap_difference(values, np.zeros(4), groups=groups) == found

    def test_a_figure_of_any_kind(self):
        values = np.array([0.0, 1.0, 10.0])
        found = bootstrap(lambda chosen: float(values[chosen].max()), 3)
        # one resample in 27 is the lowest three times
        assert found == Interval(10.0, 0.0, 10.0, 3)

    def test_paired_differences_do_not_see_what_both_share(self):
        rng = np.random.default_rng(0)
        hard = rng.normal(0, 10, 100)
        found = bootstrap_difference(hard + 1.0, hard)
        assert found == Interval(pytest.approx(1.0), pytest.approx(1.0), pytest.approx(1.0), 100)
        with pytest.raises(ValueError, match="the same units, got 2 and 3"):
            bootstrap_difference(np.zeros(2), np.zeros(3))

    def test_many_units_are_drawn_in_chunks(self, monkeypatch):
        values = np.random.default_rng(1).random(30)
        whole = bootstrap_mean(values, seed=3)
        monkeypatch.setattr("talkwalk.eval.intervals.CHUNK", 90)
        assert bootstrap_mean(values, seed=3) == whole

    @pytest.mark.parametrize(("values", "said"), [([], "nothing to measure"), ([1.0, np.nan], "finite, got nan")])
    def test_what_cannot_be_averaged(self, values, said):
        with pytest.raises(ValueError, match=said):
            bootstrap_mean(np.array(values))


@pytest.fixture
def system(recommender, catalog):
    talkwalk = TalkWalk(lambda catalog: recommender)
    talkwalk.fit(catalog)
    return talkwalk


class TestSessions:
    def test_a_script_is_played_and_recorded(self, system, recommender, catalog):
        asks = [Ask("a comedy", StepKind.WISH), Ask("older", StepKind.DIRECTION, "year", -1)]
        record = play(system, catalog, Opening({"age": 25.0}, ("3",)), asks, k=4)
        said = recommender.session(user={"age": 25.0}, history=["3"])
        for ask, recorded in zip(asks, record.turns, strict=True):
            answer = said.say(ask.text, k=4)
            assert recorded.ask is ask
            assert recorded.shown == tuple(item.id for item in answer.items)
            assert recorded.position == pytest.approx(answer.position)
            assert recorded.trace == pytest.approx(answer.trace)
            assert recorded.seconds > 0

    def test_each_line_is_the_first_one(self, system, catalog):
        asks = [Ask("a comedy", diversity=g) for g in (0.0, 0.0, 1.0)]
        record = play_each(system, catalog, Opening(None, ("3",)), asks, k=5)
        assert record.turns[0].shown == record.turns[1].shown
        assert record.turns[0].position == pytest.approx(record.turns[2].position, abs=1e-5)

    def test_moments_know_where_the_conversation_stood(self):
        first, steer = turn(shown=("5", "6")), turn(StepKind.DIRECTION, "year", 1)
        found = list(moments(session(first, steer, history=("2", "3"))))
        assert [(m.before, m.start) for m in found] == [(None, "3"), (first, "5")]
        assert [m.turn for m in steers([session(first, steer)])] == [steer]


class TestEntropy:
    def test_formula_written_out(self):
        rng = np.random.default_rng(0)
        items = np.stack([unit(*rng.normal(size=3)) for _ in range(5)])
        weights = [math.exp(float(unit(1, 2, 3) @ item) / 0.1) for item in items]
        slow = -sum(w / sum(weights) * math.log(w / sum(weights)) for w in weights) / math.log(5)
        assert control.answer_entropy(unit(1, 2, 3)[None], items, temperature=0.1) == pytest.approx([slow])

    def test_ends_of_the_range(self):
        items = np.eye(4)
        everywhere, somewhere = np.ones((1, 4)) / 2, np.eye(4)[:1]
        assert control.answer_entropy(everywhere, items) == pytest.approx([1.0])
        assert control.answer_entropy(somewhere, items, temperature=0.001) == pytest.approx([0.0], abs=1e-9)

    def test_reduction_of_a_steer_that_decides_and_of_a_deaf_system(self):
        items = np.eye(2)
        undecided, decided = turn(position=(1, 1)), turn(StepKind.SWITCH, "genre", "Drama", position=(1, 0))
        deaf = turn(StepKind.SWITCH, "genre", "Drama", position=(1, 1))
        sessions = [session(undecided, decided), session(undecided, deaf), session(decided)]
        reduction = control.steering_entropy_reduction(sessions, items, temperature=0.01)
        assert reduction == pytest.approx([1.0, 0.0], abs=1e-9)
        assert len(control.steering_entropy_reduction([session(undecided)], items)) == 0
        placeless = session(undecided, turn(StepKind.SWITCH, "genre", "Drama", position=None))
        assert len(control.steering_entropy_reduction([placeless], items)) == 0


class TestSatisfaction:
    def test_what_satisfies_written_out(self, catalog):
        ranks = {a: catalog.ranks(a) for a in ("year", "rating")}
        genres = {i: set(catalog.items.loc[i, "genre"]) for i in catalog.ids}
        for target in ("1", "17"):
            slow = {target}
            for other in catalog.ids:
                away = sum(abs(r[other] - r[target]) for r in ranks.values()) / 2
                if away < 0.1 and genres[other] & genres[target]:
                    slow.add(other)
            assert control.satisfying(catalog, target) == slow

    def test_first_turn_that_pleases_counts(self):
        at_once, late = session(turn(shown=("7",))), session(turn(shown=("1",)), turn(shown=("2", "7")))
        never = session(*[turn(shown=("1",))] * 12)
        found = control.turns_to_satisfaction([at_once, late, never], [{"7"}, {"7", "9"}, {"7"}])
        assert found.turns.tolist() == [1, 2, 10]
        assert found.satisfied.tolist() == [1, 1, 0]

    def test_what_stands_too_far_down_is_not_seen(self):
        far = session(turn(shown=("1", "2", "3", "7")))
        assert control.turns_to_satisfaction([far], [{"7"}]).satisfied.tolist() == [0]
        assert control.turns_to_satisfaction([far], [{"7"}], looks=4).satisfied.tolist() == [1]

    def test_an_answer_after_patience_is_too_late(self):
        slow = session(turn(shown=("1",)), turn(shown=("7",)))
        assert control.turns_to_satisfaction([slow], [{"7"}], patience=1).satisfied.tolist() == [0]

    def test_seeker_names_the_widest_gap(self, catalog, language):
        voice = Voice(language, np.random.default_rng(0))
        ranks = {a: catalog.ranks(a) for a in ("year", "rating")}
        genres = {i: set(catalog.items.loc[i, "genre"]) for i in catalog.ids}
        seeker = Seeker(catalog, voice, "1", {"1"})
        for here in catalog.ids[1:]:
            ask = seeker.widest(here)
            if not genres[here] & genres["1"]:
                assert (ask.kind, ask.subject) == (StepKind.SWITCH, "genre")
                assert ask.value in genres["1"]
                continue
            gaps = {a: r["1"] - r[here] for a, r in ranks.items()}
            axis = max(gaps, key=lambda a: abs(gaps[a]))
            assert (ask.kind, ask.subject, ask.value) == (StepKind.DIRECTION, axis, np.sign(gaps[axis]))

    def test_seeker_leaves_satisfied_or_out_of_patience(self, catalog, language):
        seeker = Seeker(catalog, Voice(language, np.random.default_rng(0)), "1", {"1", "4"}, patience=2)
        assert seeker(session(history=("4",))) is not None  # it must be shown, not remembered
        assert seeker(session(turn(shown=("4",)), history=("2",))) is None
        assert seeker(session(turn(shown=("2",)))) is not None
        assert seeker(session(turn(shown=("2",)), turn(shown=("2",)))) is None


class TestDiversity:
    def test_spread_written_out(self):
        distances = np.array([[0.0, 0.2, 0.4], [0.2, 0.0, 0.9], [0.4, 0.9, 0.0]])
        slow = [distances[i, j] for i in range(3) for j in range(i + 1, 3)]
        assert control.spread(distances) == pytest.approx(sum(slow) / 3)
        assert control.spread(distances[:1, :1]) == 0

    def test_perfect_reversed_and_deaf(self):
        grades, rows = np.array(control.GRADES), [[1, 2, 3, 4, 9], [5, 4, 3, 2, 1], [2, 2, 2, 2, 2], [1, 1, 1, 2, 2]]
        tied = np.corrcoef([1, 2, 3, 4, 5], [2, 2, 2, 4.5, 4.5])[0, 1]
        assert control.diversity_gradient(grades, np.array(rows)) == pytest.approx([1, -1, 0, tied])


class TestPrecision:
    def test_surgical_half_and_wrong(self):
        moved = Movement(np.array([0.2, 0.2, -0.3, 0.0]), np.array([0.0, 0.2, 0.1, 0.0]))
        assert control.steering_precision(moved) == pytest.approx([1.0, 0.5, 0.0, 0.0])

    def test_aim_at_the_step_beyond_it_beside_it_and_back(self):
        moved = Movement(np.array([0.3, 0.15, 0.9, 0.3, -0.3, 0.0]), np.array([0.0, 0.0, 0.0, 0.3, 0.1, 0.2]))
        # half a step misses by half; three steps are worse than none; a step aside is as bad as a step not made
        assert control.steering_aim(moved, asked=0.3) == pytest.approx([1.0, 0.5, -1.0, 0.0, -1.0, -2 / 3])

    def test_aim_asks_for_no_more_than_there_is_room(self):
        moved = Movement(np.array([0.1]), np.array([0.0]))
        assert control.steering_aim(moved, asked=np.array([0.1])) == pytest.approx([1.0])

    def test_movement_of_recorded_steers_written_out(self, catalog):
        steer = turn(StepKind.DIRECTION, "year", -1, shown=("8", "9"))
        moved = control.steering_movement([session(turn(shown=("5", "6")), steer), session(steer)], Ruler(catalog))
        year, rating = catalog.ranks("year"), catalog.ranks("rating")
        assert moved.on_axis == pytest.approx([year["5"] - (year["8"] + year["9"]) / 2])  # the second has no start
        assert moved.off_axis == pytest.approx([abs((rating["8"] + rating["9"]) / 2 - rating["5"])])


class TestReversibility:
    def test_perfect_half_deaf_and_unmoved(self):
        start, steer = turn(shown=("1", "2")), turn(StepKind.DIRECTION, "year", 1, shown=("3", "4"), position=(0, 1))
        returned = turn(StepKind.BACK, shown=("2", "1"))
        half = turn(StepKind.BACK, shown=("2", "9"), position=(0.5, math.sqrt(0.75)))
        deaf = turn(StepKind.BACK, shown=("5", "6"), position=(0, 1))
        unmoved = [turn(kind, shown=(str(i),)) for i, kind in enumerate((None, StepKind.DIRECTION, StepKind.BACK))]
        sessions = [session(start, steer, last) for last in (returned, half, deaf)] + [session(*unmoved)]
        found = control.steering_reversibility(sessions)
        assert found.cosine == pytest.approx([1, 0.5, 0, 1])
        assert found.recovery == pytest.approx([1, 0.5, 0, 0])
        assert found.returned == pytest.approx([1, 0.5, 0, 0])

    def test_what_was_shown_in_between_did_not_come_back(self):
        kinds = (None, StepKind.DIRECTION, StepKind.BACK)
        always = session(*(turn(kind, shown=("1", "2")) for kind in kinds))
        shown = (("1", "2"), ("2", "3"), ("1", "2"))
        partly = session(*(turn(kind, shown=ids) for kind, ids in zip(kinds, shown, strict=True)))
        assert control.steering_reversibility([always, partly]).returned == pytest.approx([0, 0.5])

    def test_without_a_position_only_the_items_count(self):
        kinds = {None: "1", StepKind.DIRECTION: "2", StepKind.BACK: "1"}
        turns = [turn(kind, shown=(item,), position=None) for kind, item in kinds.items()]
        found = control.steering_reversibility([session(*turns)])
        assert np.isnan(found.cosine).all() and np.isnan(found.recovery).all()
        assert found.returned == [1.0]


class TestCategoryKept:
    def test_only_steers_after_a_switch_that_arrived_count(self, catalog):
        ruler = Ruler(catalog)
        horror = sorted(catalog.having([("genre", "Horror")]))
        others = [i for i in catalog.ids if i not in horror]
        switch = (StepKind.SWITCH, "genre", "Horror")
        arrived, missed = turn(*switch, shown=horror[:4]), turn(*switch, shown=others[:4])
        older = (StepKind.DIRECTION, "year", -1)
        all_of_it, half, none = (turn(*older, shown=ids) for ids in (horror[4:6], (horror[4], others[0]), others[:2]))
        kept = control.category_kept
        assert kept([session(all_of_it, arrived, all_of_it, half, none)], ruler) == pytest.approx([1, 0.5, 0])
        assert kept([session(missed, all_of_it), session(arrived, turn(StepKind.BACK), half)], ruler).size == 0


class TestCoherence:
    def test_regions_named_after_what_stands_out(self):
        drama, western = [True, False], [True, True]
        categories = np.array([drama] * 6 + [western] * 2)
        assert region_names(np.array([0] * 6 + [1] * 2), categories).tolist() == [0, 1]

    def test_perfect_random_and_unnamed(self):
        labels = np.repeat(np.arange(4), 100)
        categories = np.eye(4, dtype=bool)[labels]
        found = embedding_space_coherence(labels, categories, np.random.default_rng(0))
        assert found.matched.mean() == 1
        assert found.shuffled.mean() == pytest.approx(
            0.28, abs=0.08
        )  # naming the best of four by chance helps a little
        dealt = embedding_space_coherence(
            np.random.default_rng(1).permutation(labels), categories, np.random.default_rng(0)
        )
        assert dealt.matched.mean() == pytest.approx(dealt.shuffled.mean(), abs=0.08)
        assert len(embedding_space_coherence(labels, np.zeros((400, 0), bool), np.random.default_rng(0)).matched) == 0

    def test_category_table_written_out(self, catalog):
        names = sorted({g for genres in catalog.items["genre"] for g in genres})
        slow = [[name in genres for name in names] for genres in catalog.items["genre"]]
        assert category_table(catalog).tolist() == slow

    def test_kmeans_finds_separate_regions(self):
        rng = np.random.default_rng(0)
        centres = np.eye(3)[np.repeat(np.arange(3), 20)]
        vectors = centres + rng.normal(scale=0.05, size=centres.shape)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        found = spherical_kmeans(vectors, 3, np.random.default_rng(1))
        assert len({tuple(sorted(set(found.labels[i : i + 20].tolist()))) for i in (0, 20, 40)}) == 3
        assert np.linalg.norm(found.centres, axis=1) == pytest.approx(np.ones(3))
        assert len(spherical_kmeans(np.eye(2), 5, np.random.default_rng(0)).centres) == 2


class TestTraceability:
    def test_right_wrong_way_wrong_axis_and_untold(self, catalog):
        traces = [{"year": 0.3, "rating": -0.1}, {"year": -0.3}, {"year": 0.1, "rating": 0.2}, {}]
        categories = {"year": 0.3, "genre=Drama": 0.9}  # categories do not compete
        told = [session(turn(StepKind.DIRECTION, "year", 1, trace=t)) for t in (*traces, categories)]
        assert steering_traceability(told, catalog.schema).tolist() == [1, 0, 0, 1]

    def test_alignment_with_against_and_deaf(self):
        start, axis = turn(position=(1, 0, 0)), {"year": unit(-1, 1, 0)}
        there = turn(StepKind.DIRECTION, "year", 1, position=(0, 1, 0))
        wrong = turn(StepKind.DIRECTION, "year", -1, position=(0, 1, 0))
        deaf = turn(StepKind.DIRECTION, "year", 1, position=(1, 0, 0))
        sessions = [session(start, t) for t in (there, wrong, deaf)] + [session(there)]
        assert movement_alignment(sessions, axis) == pytest.approx([1, -1, 0])

    def test_axis_directions_of_a_straight_space(self):
        rng = np.random.default_rng(0)
        ranks, slopes = rng.random((50, 2)), rng.normal(size=(2, 6))
        ranks[:, 1] = 0.5 * ranks[:, 1] + 0.5 * ranks[:, 0]  # correlated attributes keep their own directions
        found = axis_directions(ranks @ slopes + 3.0, ranks, ["year", "rating"])
        assert found["year"] == pytest.approx(unit(*slopes[0]))
        assert found["rating"] == pytest.approx(unit(*slopes[1]))


class TestEfficiency:
    def test_first_turn_best_random_and_worst(self):
        distances = np.array([[0.0, 0.0, 1.0, 1.0]] * 3 + [[0.4] * 4])
        answers = np.array([[0, 1], [1, 2], [2, 3], [0, 1]])
        assert first_turn_relevance(answers, distances) == pytest.approx([1, 0, -1, 1])

    def test_exploration_counts_regions(self):
        regions = {"1": 0, "2": 1, "3": 0, "4": 2}
        moving = session(*[turn(shown=(i, "4")) for i in ("1", "2", "3")])
        deaf = session(*[turn(shown=("1",))] * 3)
        velocity = exploration_velocity([moving, deaf, session(turn())], regions, turns=3)
        assert velocity.tolist() == [2, 1]

    def test_regions_hold_like_items(self, catalog):
        regions = metadata_regions(catalog, 4, np.random.default_rng(0))
        assert set(regions) == set(catalog.ids)
        assert 1 < len(set(regions.values())) <= 4

    def test_places_written_out(self):
        ranked = ["a", "b", "c", "d"]
        assert [place_of(t, ranked, size=9) for t in ("a", "c", "x")] == [0, 2, 8]
        assert place_of("d", ranked, without={"a", "c"}, size=9) == 1
        places = np.array([0, 2, 9])
        assert hit_at(places, 3).tolist() == [1, 1, 0]
        assert ndcg_at(places, 3) == pytest.approx([1, 1 / math.log2(4), 0])
        assert reciprocal(places) == pytest.approx([1, 1 / 3, 1 / 10])

    @pytest.mark.parametrize("metric", [cold_start_quality, next_item_accuracy])
    def test_perfect_and_hopeless_rankings(self, metric):
        perfect, hopeless = metric(np.zeros(20, int)), metric(np.full(20, 19))
        assert (perfect.hit.mean(), perfect.ndcg.mean()) == (1, 1)
        assert (hopeless.hit.mean(), hopeless.ndcg.mean()) == (0, 0)


class TestSanity:
    def test_accuracy_coverage_latency(self):
        answers = np.array([[3, 1], [2, 3], [0, 3]])
        assert nearest_neighbour_accuracy(answers, np.array([3, 3, 0])).tolist() == [1, 0, 1]
        assert coverage(answers, 8) == 0.5
        seconds = turn_seconds([session(turn(seconds=0.1), turn(seconds=0.3)), session(turn(seconds=0.2))])
        assert latency(seconds, percent=50) == pytest.approx(0.2)
        assert latency(seconds, percent=95) == pytest.approx(0.29)


class TestPeople:
    def test_histories_and_targets(self, catalog):
        inter = catalog.interactions
        found = people(catalog)
        for person in found:
            mine = inter[inter["user_id"] == person.user_id].sort_values("timestamp")["item_id"].tolist()
            assert [*person.history, person.target] == mine
        assert len(found) == 10

    def test_popularity_counts_training_only(self, catalog):
        inter = catalog.interactions
        slow = [((inter["item_id"] == i) & (inter["split"] == "train")).sum() for i in catalog.ids]
        assert popularity(catalog).tolist() == slow


class TestWanderer:
    def test_asks_only_for_what_is_possible(self, catalog, language):
        ranks = {a: catalog.ranks(a) for a in ("year", "rating")}
        plan = [StepKind.DIRECTION, StepKind.BACK, StepKind.SWITCH]
        for seed in range(20):
            wanderer = Wanderer(catalog, Voice(language, np.random.default_rng(seed)), Ask("hello"), plan)
            here = turn(shown=(catalog.ids[seed],))
            asks = [wanderer(session(*[here] * n)) for n in range(5)]
            assert asks[0] == Ask("hello")
            rank = ranks[asks[1].subject][here.shown[0]]
            assert (1 - rank if asks[1].value > 0 else rank) >= 0.15
            assert asks[2].kind is StepKind.BACK
            assert asks[3].value not in catalog.items.loc[here.shown[0], "genre"]
            assert asks[4] is None


class TestWords:
    def test_no_unseen_wording_was_trained_on(self, descriptions, language):
        words = split_words(descriptions, language, HoldoutConfig(wordings=0.5))
        for part in (lambda w: set(w.descriptions.all_wordings()), lambda w: w.language.all_wordings()):
            trained, unseen = part(words["trained_wordings"]), part(words["unseen_wordings"])
            assert trained and unseen and not trained & unseen
