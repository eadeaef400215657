"""Reports: what they say, that the same seed gives the same one, that a run goes on where it stopped, and comparing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from talkwalk.config import CONFIG_DIR, EvalConfig, HoldoutConfig, WalksConfig, register, to_object
from talkwalk.eval.benchmark import amounts_of, fingerprint, made_of, run, told_of, world_of
from talkwalk.eval.compare import compared, main, read_report
from talkwalk.eval.intervals import Interval, point
from talkwalk.eval.parts import PARTS, parts_for
from talkwalk.eval.report import NOT_APPLICABLE, best_rival, build_report, cell, check, headlines
from talkwalk.eval.results import Result
from talkwalk.eval.rivals.registry import SYSTEMS, Parts, open_system
from talkwalk.eval.unseen import Unseen, Words, unseen_by
from talkwalk.eval.world import World
from talkwalk.index.catalog import Catalog

SYSTEMS_HERE = ["talkwalk", "random", "bm25", "item_plus_text"]
SETTINGS = {
    "bundle": "tiny", "descriptions": "", "out": "", "systems": SYSTEMS_HERE, "quick_systems": SYSTEMS_HERE,
    "conversations": 60, "quick_conversations": 12, "quick_sessions": 2, "quick_users": 3, "clusters": 4, "k": 4,
    "quick": True,
}  # fmt: skip


@pytest.fixture
def parts(bundle, backend):
    parts = Parts("tiny")
    parts.__dict__ |= {"bundle": bundle, "backend": backend, "whole_model": backend}
    return parts


@pytest.fixture
def measure(parts, catalog, descriptions, language):
    """Runs the benchmark on forty films."""
    words = Words(descriptions, language)
    walks = WalksConfig(simulated=1, real=0, test=1, turns=4)
    unseen = Unseen(HoldoutConfig(users=0.4), walks, {"trained_wordings": words, "unseen_wordings": words})

    def measured(out="", open_one=lambda name: open_system(name, parts), **settings):
        config = EvalConfig(**{**SETTINGS, "out": str(out), **settings})
        world = World(catalog, unseen, amounts_of(config), config.k, config.seed)
        return run(config, world, parts, open_one)

    return measured


def without_timings(folder):
    data = json.loads((folder / "report.json").read_text())
    data.pop("timings")
    page = (folder / "report.md").read_text()
    return json.dumps(data), page[: page.index("## Latency")]


class TestBenchmark:
    def test_all_thirteen_for_all_systems_and_the_same_seed_says_the_same(self, measure, tmp_path):
        report = measure()
        thirteen = headlines(4)
        assert len(thirteen) == 13
        for system in SYSTEMS_HERE:
            for metric in thirteen[:-1]:
                assert metric.figure in report.figures[system] or system not in ("talkwalk", "item_plus_text"), metric
            assert report.waited[system].value > 0
        applies = [m.figure for m in thirteen[:-1] if m.figure in report.figures["random"]]
        assert len(applies) == 9  # entropy, reversibility and coherence need a position
        page = report.text()
        for metric in thirteen:
            assert metric.title in page
        assert NOT_APPLICABLE in page
        assert {"r4", "share_of_oracle/r4"} <= set(report.figures["talkwalk"])
        assert "oracle" in report.systems
        report.save(tmp_path / "one")
        measure().save(tmp_path / "two")
        assert without_timings(tmp_path / "one") == without_timings(tmp_path / "two")
        for name in ("bars.png", "paths.png"):
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        assert (tmp_path / "one" / "latency.png").stat().st_size > 1000

    def test_goes_on_where_it_stopped(self, measure, tmp_path, parts):
        opened = []

        def open_one(name):
            opened.append(name)
            if name == "popularity" and opened.count("popularity") == 1:
                raise KeyboardInterrupt
            return open_system(name, parts)

        few = {"quick_systems": ["random", "popularity"], "parts": ["people", "space"]}
        with pytest.raises(KeyboardInterrupt):
            measure(tmp_path, open_one, **few)
        first = measure(tmp_path, open_one, **few)
        assert opened == ["random", "popularity", "popularity"]
        again = measure(tmp_path, open_one, **few)
        assert opened == ["random", "popularity", "popularity"]  # nothing is opened that is done
        assert first.data() == again.data()
        measure(tmp_path, open_one, **few, seed=1)  # other draws are measured again
        assert opened[3:] == ["random", "popularity"]
        measure(tmp_path, open_one, **few, resume=False)
        assert opened[5:] == ["random", "popularity"]

    def test_a_folder_that_was_trained_again_is_measured_again(self, tmp_path):
        (tmp_path / "head.json").write_text("1")
        first = made_of(str(tmp_path))
        assert first == made_of(str(tmp_path)) and first.startswith(str(tmp_path))
        (tmp_path / "head.json").write_text("2")
        assert made_of(str(tmp_path)) != first
        assert made_of("random") == "random"

    def test_intervals_do_not_depend_on_the_order_in_which_units_were_measured(self):
        rng = np.random.default_rng(0)
        units = {f"u{i}": float(rng.random()) for i in range(30)}
        other = dict(reversed(list(units.items())))
        reports = [
            build_report([Result("talkwalk", "space", {"direction": u})], {}, {}, k=10, seed=0) for u in (units, other)
        ]
        assert reports[0].figures == reports[1].figures

    def test_a_head_that_was_trained_again_measures_no_rival_again(self):
        settings = {"space": "s", "bundle": "b", "words": "w"}
        other = {**settings, "bundle": "c"}
        assert told_of("text_tower", settings) == told_of("text_tower", other)
        assert told_of("talkwalk", settings) != told_of("talkwalk", other)
        assert told_of("llm_reranker", settings) != told_of(
            "llm_reranker", other
        )  # whose language model may be another
        assert told_of("random", settings) != told_of("random", {**settings, "space": "t"})

    def test_what_people_did_is_part_of_what_a_result_was_measured_on(self, catalog, parts):
        fewer = Catalog(catalog.schema, catalog.items, catalog.users, catalog.interactions.iloc[1:])
        told = [fingerprint(World(c, None, amounts_of(EvalConfig(**SETTINGS))), parts) for c in (catalog, fewer)]
        assert told[0]["catalogue"] == told[1]["catalogue"] and told[0]["people"] != told[1]["people"]

    def test_a_systems_name_is_no_folder(self, tmp_path, monkeypatch):
        """In the repository itself `talkwalk` is one."""
        (tmp_path / "talkwalk").mkdir()
        monkeypatch.chdir(tmp_path)
        assert made_of("talkwalk") == "talkwalk"

    def test_what_was_kept_of_other_parts_does_not_depend_on_the_amounts_of_asked(self, catalog, parts):
        worlds = [World(catalog, None, amounts_of(EvalConfig(**SETTINGS, quick_starts=n))) for n in (3, 4)]
        assert fingerprint(worlds[0], parts) == fingerprint(worlds[1], parts)
        assert set(fingerprint(worlds[0], parts)["amounts"]) == {
            "conversations", "sessions", "users", "clusters", "temperaments", "genre_users", "dialogues",
        }  # fmt: skip

    def test_a_system_that_does_not_fit_says_why(self, measure, catalog, parts):
        catalog.interactions = None
        report = measure(quick_systems=["random", "collaborative"], parts=["space", "live"])
        assert "no interactions" in report.unsuited["collaborative"]
        assert "collaborative: not measured" in report.markdown()

    def test_quick_takes_the_quick_amounts(self):
        quick, full = (amounts_of(EvalConfig(**{**SETTINGS, "quick": quick})) for quick in (True, False))
        assert (quick.conversations, quick.sessions, quick.users, quick.temperaments) == (12, 2, 3, False)
        assert (full.conversations, full.sessions, full.users, full.temperaments) == (60, 20, 0, True)
        assert (quick.starts, quick.long_sessions, full.starts, full.long_sessions) == (5, 2, 40, 10)

    def test_the_config_composes_and_names_systems_that_exist(self):
        register()
        with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
            config = to_object(compose("eval", overrides=["quick=true"]))
        assert (config.quick, config.bundle, config.out) == (True, "movielens-100k", "runs/benchmark")
        assert set(config.systems) == set(SYSTEMS)
        assert config.systems[0] == config.quick_systems[0] == "talkwalk"
        assert len(config.quick_systems) == 6

    def test_parts_by_catalogue(self, catalog):
        world = World(catalog, None, amounts_of(EvalConfig(**SETTINGS)))
        assert parts_for("redial", world, [], quick=False) == ["redial"]
        assert set(parts_for("", world, [], quick=False)) == set(PARTS) - {"redial", "cpcd"}
        assert "steereval" not in parts_for("", world, [], quick=True)
        with pytest.raises(ValueError, match=r"unknown part 'lives'.*did you mean 'live'"):
            parts_for("", world, ["lives"], quick=False)

    def test_what_was_kept_is_read_from_the_bundle(self, bundle, catalog, repository):
        with pytest.raises(ValueError, match="not opened from one"):
            unseen_by(bundle, catalog, "")
        with pytest.raises(ValueError, match=r"does not hold contrastive\.holdout"):
            unseen_by(bundle, catalog, repository / "data" / "descriptions")

    def test_human_dialogues_need_their_files(self, parts):
        with pytest.raises(ValueError, match="catalog=redial needs the folder of its files"):
            world_of(EvalConfig(**{**SETTINGS, "catalog": "redial"}), parts)

    def test_a_benchmark_needs_systems(self):
        with pytest.raises(ValueError, match="systems must name at least one system"):
            EvalConfig(**{**SETTINGS, "systems": []})


def results():
    """Ours is ahead by one everywhere, on units that vary a lot."""
    hard = np.random.default_rng(0).normal(0, 10, 50)
    keys = [str(i) for i in range(50)]
    return [
        Result("ours", "live", {
            "traceability": dict(zip(keys, (hard + 1).tolist(), strict=True)),
            "turns_to_satisfaction": dict(zip(keys, (hard + 1).tolist(), strict=True)),
            "coverage": {"run": 0.5},
        }, [0.1, 0.3]),
        Result("near", "live", {
            "traceability": dict(zip(keys[10:], hard[10:].tolist(), strict=True)),
            "turns_to_satisfaction": dict(zip(keys, hard.tolist(), strict=True)),
            "coverage": {"run": 0.6},
        }),
        Result("far", "live", {"traceability": dict.fromkeys(keys, -50.0)}),
    ]  # fmt: skip


class TestReport:
    def test_differences_are_paired_and_against_the_best(self):
        report = build_report(results(), {}, {"parts": ["live"]}, k=10, seed=0)
        found = report.differences["traceability"]
        assert found.rival == "near"
        assert found.interval == Interval(pytest.approx(1), pytest.approx(1), pytest.approx(1), 40)
        assert any("traceability: ours ahead of near" in line for line in report.against())
        assert any("turns_to_satisfaction: ours behind near" in line for line in report.against())  # less is better
        assert "coverage" not in report.differences

    def test_no_rival_no_difference(self):
        assert best_rival("traceability", {"1": 1.0}, {}, 0) is None
        assert best_rival("traceability", {"1": 1.0}, {"other": {"traceability": {"2": 1.0}}}, 0) is None

    def test_a_figure_of_the_whole_run_has_no_interval(self):
        report = build_report(results(), {}, {"parts": ["live"]}, k=10, seed=0)
        assert report.figures["ours"]["coverage"] == point(0.5, 1)

    def test_cells(self):
        assert cell(None) == NOT_APPLICABLE
        assert cell(point(0.5, 3)) == "0.500"
        assert cell(Interval(0.5, 0.4, 0.6, 7), units=True) == "0.500 [0.400, 0.600] n=7"
        assert check("coverage", 0.2, 0.3) == "coverage: 0.200 (> 0.300) MISSED"
        assert check("seconds", 0.2, 0.3, above=False) == "seconds: 0.200 (< 0.300) met"

    def test_a_kept_result_is_read_back_unless_the_settings_changed(self, tmp_path):
        path, settings = tmp_path / "a" / "live.json", {"k": 10, "amounts": {"users": 3}}
        result = results()[0]
        result.save(path, settings)
        assert Result.load(path, settings) == result
        assert Result.load(path, {**settings, "k": 9}) is None
        path.write_text("{")
        assert Result.load(path, settings) is None


class TestCompare:
    @pytest.fixture
    def folders(self, tmp_path):
        first, second = tmp_path / "a", tmp_path / "b"
        build_report(results(), {"bundle": "x"}, {"seed": 0}, k=10, seed=0).save(first)
        better = results()
        better[0].figures["traceability"] = {k: v + 100 for k, v in better[0].figures["traceability"].items()}
        better[0].figures["turns_to_satisfaction"] = {
            k: v + 100 for k, v in better[0].figures["turns_to_satisfaction"].items()
        }
        build_report(better[:2], {"bundle": "y"}, {"seed": 0}, k=10, seed=0).save(second)
        return first, second

    def test_says_what_differs_and_which_way(self, folders):
        lines = compared(*map(read_report, folders))
        assert "subject.bundle: x | y" in lines
        assert any("traceability" in line and "+100.000 better, intervals apart" in line for line in lines)
        assert any("turns_to_satisfaction" in line and "+100.000 worse, intervals apart" in line for line in lines)
        assert lines[-1] == "in one report only: far"

    def test_the_command_prints_it(self, folders, capsys):
        main([str(folder) for folder in folders])
        assert "intervals apart" in capsys.readouterr().out
        main([str(folders[0]), str(folders[0] / "report.json")])
        assert capsys.readouterr().out.startswith("the same subject, settings and versions")

    def test_other_files_are_refused(self, tmp_path):
        (tmp_path / "report.json").write_text("{}")
        with pytest.raises(ValueError, match="must be a benchmark report: it has no 'subject'"):
            read_report(tmp_path)
        with pytest.raises(FileNotFoundError, match=r"no report\.json"):
            (tmp_path / "empty").mkdir()
            read_report(tmp_path / "empty")
