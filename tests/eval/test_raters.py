"""Human raters: agreement against published examples, tasks that give nothing away, and files that come back."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest

from talkwalk.config import HoldoutConfig, WalksConfig
from talkwalk.eval.agreement import Level, fleiss_kappa, krippendorff_alpha
from talkwalk.eval.raters import main
from talkwalk.eval.rating_tasks import (
    STAND_IN,
    Question,
    category_names,
    export,
    first_turn_tasks,
    label_tasks,
    page,
    read_tasks,
)
from talkwalk.eval.ratings import read_ratings, summarise
from talkwalk.eval.rivals.baselines import Random
from talkwalk.eval.rivals.text_tower import TextTower
from talkwalk.eval.unseen import Unseen, Words
from talkwalk.eval.world import Amounts, World


class TestAgreement:
    def test_the_example_of_hayes_and_krippendorff(self):
        _ = np.nan
        ratings = np.array([
            [_, _, _, _, _, 3, 4, 1, 2, 1, 1, 3, 3, _, 3],
            [1, _, 2, 1, 3, 3, 4, 3, _, _, _, _, _, _, _],
            [_, _, 2, 1, 3, 4, 4, _, 2, 1, 1, 3, 3, _, 4],
        ])  # fmt: skip
        assert krippendorff_alpha(ratings) == pytest.approx(0.691, abs=5e-4)
        assert krippendorff_alpha(ratings, Level.INTERVAL) == pytest.approx(0.811, abs=5e-4)

    def test_the_example_of_fleiss(self):
        counts = [
            [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
        ]  # fmt: skip
        assert fleiss_kappa(np.array(counts)) == pytest.approx(0.210, abs=5e-4)

    def test_agreement_and_chance(self):
        answers = np.random.default_rng(0).integers(1, 3, 400).astype(float)
        other = np.random.default_rng(1).integers(1, 3, 400).astype(float)
        assert krippendorff_alpha(np.stack([answers, answers])) == 1
        assert krippendorff_alpha(np.stack([answers, other])) == pytest.approx(0, abs=0.1)
        assert fleiss_kappa(np.array([[2, 0], [0, 2]])) == 1

    def test_too_little_to_say(self):
        with pytest.raises(ValueError, match="at least one task with two ratings"):
            krippendorff_alpha(np.array([[1.0, np.nan], [np.nan, 2.0]]))
        with pytest.raises(ValueError, match="same number of at least two ratings"):
            fleiss_kappa(np.array([[2, 0], [1, 0]]))


@pytest.fixture
def world(catalog, descriptions, language):
    walks = WalksConfig(simulated=1, real=0, test=1)
    words = {"unseen_wordings": Words(descriptions, language)}
    return World(catalog, Unseen(HoldoutConfig(), walks, words), Amounts(80, 1, 0, 3), k=5)


@pytest.fixture
def tasks(world, space):
    tower, chance = TextTower(space), Random()
    for system in (tower, chance):
        system.fit(world.catalog)
    assert label_tasks(chance, world, 5) == []  # no space, no regions
    return [*label_tasks(tower, world, 12), *first_turn_tasks(tower, world, 5), *first_turn_tasks(chance, world, 5)]


class TestTasks:
    def test_the_stand_in_says_whether_the_item_has_the_category(self, tasks, catalog):
        titles = {row["title"]: row for row in catalog.rows(catalog.ids)}
        labels = [t for t in tasks if t.question is Question.LABEL]
        assert len(labels) == 12
        for task in labels:
            name = re.search("“(.*)”", task.text)[1]
            assert task.automatic == 1 + (name in titles[task.shown.split(";")[0]]["genre"])

    def test_half_of_the_names_belong_to_the_item_s_region(self, tasks):
        groups = [t.group for t in tasks if t.question is Question.LABEL]
        assert groups.count("text_tower/own region") == groups.count("text_tower/random region") == 6

    def test_names_are_in_the_order_of_the_table(self, catalog):
        assert category_names(catalog) == ["Comedy", "Drama", "Horror", "Western"]

    def test_the_page_holds_every_task_and_gives_nothing_away(self, tasks):
        text = page(tasks)
        data = json.loads(re.search(r'id="tasks">(.*?)</script>', text, re.DOTALL)[1])
        assert [t["id"] for t in data] == [t.id for t in tasks]
        assert all(set(t) == {"id", "text", "shown", "answers"} for t in data)
        assert "http" not in text.replace("URL.createObjectURL", "")  # it needs no server

    def test_no_title_can_end_the_script(self, tasks):
        import dataclasses

        bad = dataclasses.replace(tasks[0], shown="</script><b>` ${x} \\n")
        text = page([bad])
        assert text.count("</script>") == 2
        data = json.loads(re.search(r'id="tasks">(.*?)</script>', text, re.DOTALL)[1])
        assert data[0]["shown"] == bad.shown


def send(path, rater, ratings):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["rater", "task", "rating"])
        writer.writerows([rater, task, rating] for task, rating in ratings.items())
    return path


class TestRatings:
    def test_there_and_back(self, tasks, tmp_path, capsys):
        export(tasks, tmp_path, seed=0)
        kept = read_tasks(tmp_path / "tasks.csv")
        assert sorted(kept, key=lambda t: t.id) == sorted(tasks, key=lambda t: t.id)
        assert [t.id for t in kept] != [t.id for t in tasks]  # systems are mixed
        one = send(tmp_path / "one.csv", "one", {t.id: t.automatic for t in tasks})
        two = send(tmp_path / "two.csv", "two", {t.id: t.automatic for t in tasks[1:]})
        ratings = read_ratings(kept, [one, two, tmp_path / "automatic.csv"])
        assert ratings.raters == ("one", "two", STAND_IN)
        assert np.isnan(ratings.values).sum() == 1
        main(["agreement", str(tmp_path / "tasks.csv"), *map(str, (one, two, tmp_path / "automatic.csv"))])
        said = capsys.readouterr().out
        assert said == "\n".join([*summarise(ratings), ""])
        assert "2 people" in said
        assert "label, Krippendorff's alpha (nominal): 1.000" in said
        assert f"first_turn, random, {STAND_IN}" in said

    def test_the_stand_in_is_no_person(self, tasks, tmp_path):
        export(tasks, tmp_path, seed=0)
        lines = summarise(read_ratings(tasks, [tmp_path / "automatic.csv"]))
        assert lines[0].startswith("0 people")
        assert not any(", people" in line for line in lines)
        assert "label, agreement: no task was rated by two people" in lines

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            ("me,nothing,1", "line 2: unknown task 'nothing'"),
            ("me,{task},7", "rating must be 1 to 2, got '7'"),
            ("me,{task},x", "got 'x'"),
        ],
    )
    def test_mistakes_are_named(self, tasks, tmp_path, row, said):
        path = tmp_path / "bad.csv"
        path.write_text("rater,task,rating\n" + row.format(task=tasks[0].id) + "\n")
        with pytest.raises(ValueError, match=said):
            read_ratings(tasks, [path])
        path.write_text("who,what\n")
        with pytest.raises(ValueError, match="must have the columns"):
            read_ratings(tasks, [path])
