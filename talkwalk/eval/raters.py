"""Human raters: tasks as CSV and as one page that works without a server, and what the returned ratings say.

`python -m talkwalk.eval.raters export runs/raters` writes tasks.csv, rate.html and automatic.csv; raters open the page
and send back the CSV that it saves; `python -m talkwalk.eval.raters agreement runs/raters/tasks.csv FILE...` reads it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from talkwalk.datasets.resolve import open_catalog
from talkwalk.eval.rating_tasks import export, first_turn_tasks, label_tasks, read_tasks
from talkwalk.eval.ratings import read_ratings, summarise
from talkwalk.eval.rivals.registry import OURS, Parts, open_system
from talkwalk.eval.unseen import unseen_by
from talkwalk.eval.world import Amounts, World


def main(arguments: Sequence[str] | None = None) -> None:
    """Export tasks, or read what came back."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    exporting = commands.add_parser("export")
    exporting.add_argument("out", type=Path)
    exporting.add_argument("--bundle", default="movielens-100k")
    exporting.add_argument("--descriptions", default="data/descriptions")
    exporting.add_argument("--systems", nargs="+", default=[OURS, "item_plus_text", "random"])
    exporting.add_argument("--tasks", type=int, default=40, help="of each question, per system")
    exporting.add_argument("--seed", type=int, default=0)
    reading = commands.add_parser("agreement")
    reading.add_argument("tasks", type=Path)
    reading.add_argument("files", type=Path, nargs="+")
    asked = parser.parse_args(arguments)
    if asked.command == "agreement":
        ratings = read_ratings(read_tasks(asked.tasks), asked.files)
        sys.stdout.write("\n".join([*summarise(ratings), ""]))
        return
    parts = Parts(asked.bundle, seed=asked.seed)
    catalog = open_catalog(parts.bundle.catalog)
    amounts = Amounts(conversations=10 * asked.tasks, sessions=1, users=0, clusters=20)
    world = World(catalog, unseen_by(parts.bundle, catalog, asked.descriptions), amounts, seed=asked.seed)
    tasks = []
    for name in asked.systems:
        system = open_system(name, parts)
        system.fit(catalog)
        tasks += [*label_tasks(system, world, asked.tasks), *first_turn_tasks(system, world, asked.tasks)]
    export(tasks, asked.out, asked.seed)
    sys.stdout.write(f"{len(tasks)} tasks in {asked.out}\n")


if __name__ == "__main__":
    main()
