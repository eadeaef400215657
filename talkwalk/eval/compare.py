"""Two reports side by side: `python -m talkwalk.eval.compare A B`, folders or report.json files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from talkwalk.eval.intervals import Interval
from talkwalk.eval.report import ASIDE, LOWER, cell
from talkwalk.files import read_json


def read_report(path: str | Path) -> dict[str, Any]:
    """The data of a report, by its folder or its report.json.

    Raises:
        FileNotFoundError: If there is no report.
        ValueError: If the file is damaged or not a report.
    """
    path = Path(path)
    file = path / "report.json" if path.is_dir() else path
    data = read_json(file)
    for key in ("subject", "settings", "figures"):
        if key not in data:
            raise ValueError(f"{file} must be a benchmark report: it has no {key!r}")
    return data


def compared(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """What differs in subject and settings, then every figure of every system that both reports have."""
    lines = [
        f"{block}.{name}: {first[block].get(name)} | {second[block].get(name)}"
        for block in ("subject", "settings", "versions")
        for name in sorted({*first.get(block, {}), *second.get(block, {})})
        if first[block].get(name) != second[block].get(name)
    ]
    if not lines:
        lines = ["the same subject, settings and versions"]
    for system in (s for s in first["figures"] if s in second["figures"]):
        lines += ["", system, f"  {'figure':40}{'first':>28}{'second':>28}  second - first"]
        mine, other = first["figures"][system], second["figures"][system]
        for figure in sorted({*mine, *other}):
            a, b = (Interval(**side[figure]) if figure in side else None for side in (mine, other))
            lines.append(f"  {figure:40}{cell(a):>28}{cell(b):>28}  {verdict(figure, a, b)}".rstrip())
    alone = [s for s in (*first["figures"], *second["figures"]) if (s in first["figures"]) != (s in second["figures"])]
    return [*lines, *(["", f"in one report only: {', '.join(dict.fromkeys(alone))}"] if alone else [])]


def verdict(figure: str, first: Interval | None, second: Interval | None) -> str:
    """The difference, and whether the intervals lie apart; they are not paired, so this is a careful test."""
    if first is None or second is None:
        return ""
    difference = second.value - first.value
    text = f"{difference:+.3f}"
    if first.low is None or second.low is None or first.high is None or second.high is None or figure.endswith(ASIDE):
        return text
    apart = first.high < second.low or second.high < first.low
    better = difference * (-1 if figure.startswith(LOWER) else 1) > 0
    return f"{text} {'better' if better else 'worse'}, intervals apart" if apart else text


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first")
    parser.add_argument("second")
    asked = parser.parse_args(arguments)
    sys.stdout.write("\n".join([*compared(read_report(asked.first), read_report(asked.second)), ""]))


if __name__ == "__main__":
    main()
