"""Questions for human raters, with the answers of an automatic stand-in that is named as such."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path

import numpy as np

from talkwalk.eval.clusters import spherical_kmeans
from talkwalk.eval.controllability import categories_of
from talkwalk.eval.efficiency import first_turn_relevance
from talkwalk.eval.interpretability import category_table, region_names
from talkwalk.eval.simulated import draw_cases
from talkwalk.eval.system import System
from talkwalk.eval.unseen import UNSEEN
from talkwalk.eval.world import World
from talkwalk.files import atomic_file
from talkwalk.index.catalog import Catalog
from talkwalk.index.metadata_distance import MetadataTable
from talkwalk.llm.prompt_text import item_text
from talkwalk.projection.steps import StepKind

PAGE = Path(__file__).parent / "rate.html"
STAND_IN = (
    "automatic-stand-in"  # the name under which the automatic ratings stand, so that nobody takes it for a person
)
GRADES = 5  # of satisfaction
RATING_FIELDS = ("rater", "task", "rating")
PLACE = 7  # of the draws


class Question(StrEnum):
    """What is asked."""

    LABEL = "label"  # does a region's name fit an item: 1 no, 2 yes
    FIRST_TURN = "first_turn"  # how satisfied would the person be: 1 to 5


@dataclass(frozen=True, slots=True)
class Task:
    """One question to a rater.

    Attributes:
        id: Names it.
        question: What is asked.
        text: The question in words.
        shown: What it is about, one line per item.
        group: What the answers are averaged over; raters do not see it.
        automatic: What the automatic stand-in answers.
    """

    id: str
    question: Question
    text: str
    shown: str
    group: str
    automatic: int

    @property
    def answers(self) -> tuple[str, ...]:
        """The buttons, for the ratings 1, 2 and so on."""
        if self.question is Question.LABEL:
            return ("no", "yes")
        return ("not at all", "hardly", "half", "mostly", "fully")


def label_tasks(system: System, world: World, count: int) -> list[Task]:
    """Whether the names of a space's regions fit their items; half of the names belong to another region.

    The names are those of `interpretability.region_names`. The stand-in says yes where the item has the category.
    """
    if system.vectors is None:
        return []
    catalog, rng = world.catalog, world.rng(PLACE, 0)
    labels = spherical_kmeans(system.vectors, world.amounts.clusters, rng).labels
    categories, names = category_table(catalog), category_names(catalog)
    titles = region_names(labels, categories)
    tasks = []
    for number, row in enumerate(rng.choice(len(catalog), size=min(count, len(catalog)), replace=False).tolist()):
        own = bool(number % 2 == 0)
        region = int(labels[row]) if own else int(rng.choice(titles.shape[0]))
        column = int(titles[region])
        text = f"Would you call this {catalog.schema.noun} “{names[column]}”?"
        tasks.append(
            Task(
                f"{system.name}-label-{number}", Question.LABEL, text, described(catalog, [catalog.ids[row]]),
                f"{system.name}/{'own region' if own else 'random region'}", 1 + int(categories[row, column]),
            )
        )  # fmt: skip
    return tasks


def category_names(catalog: Catalog) -> list[str]:
    """Names of the columns of `interpretability.category_table`."""
    return [value for _, value in sorted(set().union(*(categories_of(catalog, i) for i in catalog.ids)))]


def first_turn_tasks(system: System, world: World, count: int, *, shown: int = 3) -> list[Task]:
    """How satisfied somebody would be with the first answer; the stand-in grades by `first_turn_relevance`."""
    catalog, table = world.catalog, MetadataTable(world.catalog.schema, world.catalog.items)
    row = {item_id: i for i, item_id in enumerate(catalog.ids)}
    asked = [c for c in draw_cases(world, UNSEEN) if c.step.kind is StepKind.WISH and not c.seen][:count]
    tasks = []
    for number, case in enumerate(asked):
        ids = system.answer(case.dialogue, shown).ids
        distances = table.distances(case.step.wanted)[None]
        relevance = float(first_turn_relevance(np.array([[row[i] for i in ids]]), distances)[0])
        grade = 1 + int(np.clip(round(relevance * (GRADES - 1)), 0, GRADES - 1))
        text = f"Somebody says: “{case.dialogue.text}”. How well do these answer it?"
        tasks.append(
            Task(
                f"{system.name}-first-{number}", Question.FIRST_TURN, text, described(catalog, ids), system.name, grade
            )
        )
    return tasks


def described(catalog: Catalog, ids: Sequence[str]) -> str:
    """What a rater reads of some items, a line each."""
    return "\n".join(item_text(catalog.row(i), catalog.schema) for i in ids)


def export(tasks: Sequence[Task], folder: Path, seed: int) -> None:
    """Write tasks.csv, rate.html and the stand-in's automatic.csv; tasks are shuffled, so that systems are mixed."""
    order = np.random.default_rng([seed, PLACE]).permutation(len(tasks))
    shuffled = [tasks[i] for i in order]
    _write(folder / "tasks.csv", [f.name for f in fields(Task)], [
        {**asdict(t), "question": t.question.value} for t in shuffled
    ])  # fmt: skip
    automatic = [{"rater": STAND_IN, "task": t.id, "rating": t.automatic} for t in shuffled]
    _write(folder / "automatic.csv", RATING_FIELDS, automatic)
    with atomic_file(folder / "rate.html") as temporary:
        temporary.write_text(page(shuffled), encoding="utf-8")


def _write(path: Path, names: Sequence[str], rows: Sequence[dict[str, object]]) -> None:
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def read_tasks(path: Path) -> list[Task]:
    """Tasks of a tasks.csv."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Task(r["id"], Question(r["question"]), r["text"], r["shown"], r["group"], int(r["automatic"]))
            for r in csv.DictReader(file)
        ]


def page(tasks: Sequence[Task]) -> str:
    """One page with all tasks in it; what a rater must not know is left out."""
    told = [{"id": t.id, "text": t.text, "shown": t.shown, "answers": t.answers} for t in tasks]
    data = json.dumps(told, ensure_ascii=False).replace("<", "\\u003c")  # so that no title can end the script
    return PAGE.read_text(encoding="utf-8").replace("TASKS", data)
