"""Every figure on answers whose value is known: perfect, random, deaf; and the benchmark on forty films."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from talkwalk.config import CONFIG_DIR, EvalConfig, HoldoutConfig, WalksConfig, register, to_object
from talkwalk.engine.recommender import Recommender
from talkwalk.eval import controllability as control
from talkwalk.eval.benchmark import amounts_of, run, unseen_by
from talkwalk.eval.clusters import spherical_kmeans
from talkwalk.eval.efficiency import cold_start_quality, exploration_velocity, first_turn_relevance
from talkwalk.eval.interpretability import (
    axis_directions,
    category_table,
    embedding_space_coherence,
    movement_alignment,
    region_names,
    steering_traceability,
)
from talkwalk.eval.intervals import Interval, bootstrap, bootstrap_mean, point
from talkwalk.eval.measure import means
from talkwalk.eval.people import first_positions, people, popularity, rankings
from talkwalk.eval.ranking import hit_at, ndcg_at, target_ranks
from talkwalk.eval.report import Report, cell, sanity_row
from talkwalk.eval.sanity import coverage, latency, nearest_neighbour_accuracy, next_item_accuracy, turn_seconds
from talkwalk.eval.sessions import Ask, Opening, RecordedSession, RecordedTurn, moments, play, play_each, steers
from talkwalk.eval.simulated_user import Seeker, Voice, Wanderer
from talkwalk.eval.unseen import Unseen, Words, oracle_shares, split_words
from talkwalk.projection.validation import Movement, TurnFigures
from talkwalk.projection.walks import StepKind

NOTHING = np.zeros(0)


def unit(*numbers):
    vector = np.array(numbers, dtype=float)
    return vector / np.linalg.norm(vector)


def turn(kind=None, subject=None, value=None, *, shown=("1",), position=(1, 0), trace=None, seconds=0.1):
    ask = Ask("words", kind, subject, value)
    return RecordedTurn(ask, tuple(shown), np.ones(len(shown)), unit(*position), trace or {}, seconds)


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

    def test_a_figure_of_any_kind(self):
        values = np.array([0.0, 1.0, 10.0])
        found = bootstrap(lambda chosen: float(values[chosen].max()), 3)
        # one resample in 27 is the lowest three times
        assert found == Interval(10.0, 0.0, 10.0, 3)

    @pytest.mark.parametrize(("values", "said"), [([], "nothing to measure"), ([1.0, np.nan], "finite, got nan")])
    def test_what_cannot_be_averaged(self, values, said):
        with pytest.raises(ValueError, match=said):
            bootstrap_mean(np.array(values))


class TestSessions:
    def test_a_script_is_played_and_recorded(self, recommender):
        asks = [Ask("a comedy", StepKind.WISH), Ask("older", StepKind.DIRECTION, "year", -1)]
        record = play(recommender, Opening({"age": 25.0}, ("3",)), asks, k=4)
        said = recommender.session(user={"age": 25.0}, history=["3"])
        for ask, recorded in zip(asks, record.turns, strict=True):
            answer = said.say(ask.text, k=4)
            assert recorded.ask is ask
            assert recorded.shown == tuple(item.id for item in answer.items)
            assert recorded.scores == pytest.approx([item.score for item in answer.items])
            assert recorded.position == pytest.approx(answer.position)
            assert recorded.trace == pytest.approx(answer.trace)
            assert recorded.seconds > 0

    def test_each_line_is_the_first_one(self, recommender):
        asks = [Ask("a comedy", diversity=g) for g in (0.0, 0.0, 1.0)]
        record = play_each(recommender, Opening(None, ("3",)), asks, k=5)
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
        vectors = np.stack([unit(1, 0), unit(1, 1), unit(0, 1)])
        slow = [1 - float(vectors[i] @ vectors[j]) for i in range(3) for j in range(i + 1, 3)]
        assert control.spread(vectors) == pytest.approx(sum(slow) / 3)
        assert control.spread(vectors[:1]) == 0

    def test_perfect_reversed_and_deaf(self):
        grades, rows = np.array(control.GRADES), [[1, 2, 3, 4, 9], [5, 4, 3, 2, 1], [2, 2, 2, 2, 2], [1, 1, 1, 2, 2]]
        tied = np.corrcoef([1, 2, 3, 4, 5], [2, 2, 2, 4.5, 4.5])[0, 1]
        assert control.diversity_gradient(grades, np.array(rows)) == pytest.approx([1, -1, 0, tied])

    def test_the_engine_spreads_when_asked(self, recommender):
        asks = [Ask("a comedy", diversity=g) for g in control.GRADES]
        record = play_each(recommender, Opening(None, ("3",)), asks, k=5)
        spreads = [[control.spread(recommender.index.vectors(t.shown)) for t in record.turns]]
        assert control.diversity_gradient(np.array(control.GRADES), np.array(spreads))[0] > 0.5


class TestPrecision:
    def test_surgical_half_and_wrong(self):
        moved = Movement(np.array([0.2, 0.2, -0.3, 0.0]), np.array([0.0, 0.2, 0.1, 0.0]))
        assert control.steering_precision(moved) == pytest.approx([1.0, 0.5, 0.0, 0.0])

    def test_movement_of_recorded_steers_written_out(self, catalog):
        steer = turn(StepKind.DIRECTION, "year", -1, shown=("8", "9"))
        moved = control.steering_movement([session(turn(shown=("5", "6")), steer), session(steer)], catalog)
        year, rating = catalog.ranks("year"), catalog.ranks("rating")
        assert moved.on_axis == pytest.approx([year["5"] - (year["8"] + year["9"]) / 2])  # the second has no start
        assert moved.off_axis == pytest.approx([abs((rating["8"] + rating["9"]) / 2 - rating["5"])])


class TestReversibility:
    def test_perfect_and_deaf(self):
        start, steer = turn(shown=("1", "2")), turn(StepKind.DIRECTION, "year", 1, shown=("3", "4"), position=(0, 1))
        returned = turn(StepKind.BACK, shown=("2", "1"))
        deaf = turn(StepKind.BACK, shown=("5", "6"), position=(0, 1))
        found = control.steering_reversibility([session(start, steer, returned), session(start, steer, deaf)])
        assert found.cosine == pytest.approx([1, 0])
        assert found.returned == pytest.approx([1, 0])


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

    def test_axis_directions_of_a_straight_encoder(self, catalog):
        features = catalog.features()
        weights = np.random.default_rng(0).normal(size=(features.shape[1], 6))
        directions = axis_directions(lambda rows: rows @ weights, features[:5], catalog.schema)
        assert list(directions) == ["year", "rating"]
        assert directions["year"] == pytest.approx(unit(*weights[4]))  # after the four genres
        assert directions["rating"] == pytest.approx(unit(*weights[5]))


class TestEfficiency:
    def test_first_turn_best_random_and_worst(self):
        distances = np.array([[0.0, 0.0, 1.0, 1.0]] * 3 + [[0.4] * 4])
        answers = np.array([[0, 1], [1, 2], [2, 3], [0, 1]])
        assert first_turn_relevance(answers, distances) == pytest.approx([1, 0, -1, 1])

    def test_exploration_counts_regions(self):
        moving = session(turn(position=(1, 0.1)), turn(position=(0.1, 1)), turn(position=(1, 0)))
        deaf = session(*[turn(position=(1, 0))] * 3)
        velocity = exploration_velocity([moving, deaf, session(turn())], np.eye(2), turns=3)
        assert velocity.tolist() == [2, 1]

    def test_ranking_written_out(self):
        rng = np.random.default_rng(0)
        scores, blocked = rng.integers(0, 4, (30, 12)).astype(float), rng.random((30, 12)) < 0.2
        targets = rng.integers(0, 12, 30)
        blocked[np.arange(30), targets] = False
        ranks = target_ranks(scores, targets, blocked)
        for row in range(30):
            order = sorted((i for i in range(12) if not blocked[row, i]), key=lambda i: (-scores[row, i], i))
            place = order.index(targets[row])
            assert ranks[row] == place
            assert hit_at(ranks, 3)[row] == (place < 3)
            assert ndcg_at(ranks, 3)[row] == pytest.approx(1 / math.log2(place + 2) if place < 3 else 0)

    @pytest.mark.parametrize("metric", [cold_start_quality, next_item_accuracy])
    def test_perfect_and_hopeless_rankings(self, metric):
        targets, blocked = np.arange(20), np.zeros((20, 20), bool)
        perfect, hopeless = metric(np.eye(20), targets, blocked), metric(-np.eye(20), targets, blocked)
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

    def test_the_row_says_what_is_met(self):
        figures = {
            "sanity/top1/unseen_wordings": point(0.2, 5),
            "sanity/coverage/unseen_wordings": point(0.2, 5),
            "sanity/p50_seconds": point(0.1, 5),
            "sanity/next_item/hit10": point(0.1, 5),
            "sanity/next_item/hit10/popularity": point(0.05, 5),
        }
        assert [check.met for check in sanity_row(figures)] == [True, False, True, True]
        assert sanity_row(figures)[1].line() == "coverage, unseen wordings: 0.200 (> 0.300) MISSED"
        assert sanity_row({}) == []

    def test_shares_of_the_oracle(self):
        def outcome(hits, on):
            moved = Movement(np.array(on), np.full(len(on), 0.1))
            return TurnFigures(np.array(hits), NOTHING, NOTHING, moved, NOTHING, NOTHING, np.zeros((0, 10), int))

        ours, best = outcome([1.0, 0.0], [0.1, 0.0]), outcome([1.0, 1.0], [0.3, 0.3])
        shares = oracle_shares(ours, best, k=10, seed=0)
        assert shares["r10"].value == pytest.approx(0.5)
        assert shares["direction"].value == pytest.approx(0.5)
        assert shares["precision"].value == pytest.approx((0.05 / 0.15) / (0.3 / 0.4))

    def test_what_has_no_units_is_left_out(self):
        assert list(means({"a": np.ones(3), "b": NOTHING}, 0)) == ["a"]


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

    def test_first_positions_are_those_of_the_engine(self, recommender):
        openings = [Opening({"age": 25.0}, ("3", "9")), Opening({"gender": "F"}), Opening()]
        batch = first_positions(recommender, openings, ["what next"] * 3)
        for opening, position in zip(openings, batch, strict=True):
            engine = recommender.recommend("what next", user=opening.user, history=opening.history)
            assert position == pytest.approx(engine.position, abs=2e-3)  # the batch keeps states in float16

    def test_rankings_leave_out_what_was_had(self, recommender):
        persons = people(recommender.catalog)[:3]
        ranked = rankings(recommender, persons, ["what next"] * 3, told=True)
        assert ranked.scores.shape == ranked.popularity.shape == ranked.blocked.shape == (3, 40)
        assert ranked.blocked.sum(axis=1).tolist() == [5, 5, 5]
        assert not ranked.blocked[np.arange(3), ranked.targets].any()


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


SETTINGS = {
    "bundle": "tiny", "descriptions": "", "out": "", "conversations": 60, "quick_conversations": 20,
    "quick_sessions": 2, "quick_users": 5, "clusters": 4, "k": 4, "quick": True,
}  # fmt: skip


class TestBenchmark:
    def test_every_figure_on_the_small_engine(self, recommender, descriptions, language, tmp_path):
        words = Words(descriptions, language)
        walks = WalksConfig(simulated=1, real=0, test=1, turns=4)
        unseen = Unseen(HoldoutConfig(users=0.4), walks, {"trained_wordings": words, "unseen_wordings": words})
        report = run(recommender, unseen, EvalConfig(**SETTINGS))
        sections = {name.partition("/")[0] for name in report.figures}
        assert sections == {"controllability", "efficiency", "interpretability", "sanity", "turns"}
        for name in (
            "controllability/entropy_reduction", "controllability/turns_to_satisfaction",
            "controllability/diversity_gradient", "controllability/reversibility/cosine",
            "controllability/steering_precision/unseen_wordings", "interpretability/embedding_space_coherence",
            "interpretability/steering_traceability", "efficiency/exploration_velocity",
            "efficiency/first_turn_relevance/unseen_wordings", "efficiency/cold_start/hit4",
            "sanity/top1/unseen_wordings", "sanity/coverage/trained_wordings", "sanity/p50_seconds",
            "sanity/next_item/hit4/popularity", "turns/unseen_wordings/oracle/r4",
            "turns/unseen_wordings/share_of_oracle/precision",
        ):  # fmt: skip
            assert name in report.figures, name
        assert report.figures["turns/unseen_wordings/talkwalk/top1"] == report.figures["sanity/top1/unseen_wordings"]
        report.save(tmp_path / "out")
        saved = json.loads((tmp_path / "out" / "report.json").read_text())
        assert saved["figures"]["sanity/p50_seconds"]["value"] == report.figures["sanity/p50_seconds"].value
        assert {check["name"] for check in saved["sanity"]} == {check.name for check in sanity_row(report.figures)}
        for page in (report.text(), (tmp_path / "out" / "report.md").read_text()):
            for name, interval in report.figures.items():
                assert (name.rpartition("/")[2] if name.startswith("turns") else name.partition("/")[2]) in page
                assert cell(interval, units=False) in page

    def test_rivals_stand_side_by_side(self):
        figures = {
            "turns/unseen_wordings/talkwalk/r10": Interval(0.6, 0.5, 0.7, 4),
            "turns/unseen_wordings/oracle/r10": Interval(0.8, 0.7, 0.9, 4),
            "sanity/coverage/unseen_wordings": point(0.5, 3),
        }
        page = Report({"bundle": "x"}, {}, figures, 1).markdown()
        assert "| figure | talkwalk | no_llm | oracle | share_of_oracle |" in page
        assert "| r10 | 0.600 [0.500, 0.700] |  | 0.800 [0.700, 0.900] |  |" in page
        assert "| coverage/unseen_wordings | 0.500 n=3 |" in page

    def test_quick_takes_the_quick_amounts(self):
        quick = amounts_of(EvalConfig(**SETTINGS))
        full = amounts_of(EvalConfig(**{**SETTINGS, "quick": False}))
        assert (quick.conversations, quick.sessions, quick.users) == (20, 2, 5)
        assert (full.conversations, full.sessions, full.users) == (60, 20, 0)

    def test_the_config_composes(self):
        register()
        with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
            config = to_object(compose("eval", overrides=["quick=true"]))
        assert isinstance(config, EvalConfig)
        assert (config.quick, config.bundle, config.out) == (True, "movielens-100k", "runs/benchmark")

    def test_what_was_kept_is_read_from_the_bundle(self, bundle, catalog, backend, repository):
        with pytest.raises(ValueError, match="not opened from one"):
            unseen_by(Recommender(bundle, catalog, backend), "")
        with pytest.raises(ValueError, match=r"does not hold contrastive\.holdout"):
            unseen_by(Recommender(bundle, catalog, backend), repository / "data" / "descriptions")

    def test_no_unseen_wording_was_trained_on(self, descriptions, language):
        words = split_words(descriptions, language, HoldoutConfig(wordings=0.5))
        for part in (lambda w: set(w.descriptions.all_wordings()), lambda w: w.language.all_wordings()):
            trained, unseen = part(words["trained_wordings"]), part(words["unseen_wordings"])
            assert trained and unseen and not trained & unseen

    def test_amounts_must_be_positive(self):
        with pytest.raises(ValueError, match="clusters must be positive, got 0"):
            EvalConfig(**{**SETTINGS, "clusters": 0})
        assert dataclasses.is_dataclass(EvalConfig)
