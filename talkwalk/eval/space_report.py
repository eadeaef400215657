"""The space's figures as a page and as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from talkwalk.eval.intervals import Interval
from talkwalk.eval.report import cell
from talkwalk.files import atomic_file, write_json

# What a space should reach: where the figures stand, the bound, and whether they must lie above it.
GOALS = (
    ("text/trained_wordings/space", 0.85, True),
    ("text/unseen_wordings/space", 0.55, True),
    ("text/unseen_wordings/times raw", 3.0, True),
    ("axes/*/consistency", 0.95, True),
    ("axes/*/spearman", 0.98, True),
    ("axes/*/largest step", 1.5, False),
    ("agreement with neighbours/all/times random", 3.0, True),
    ("rank difference to neighbours/all/times random", 1 / 3, False),
    ("cold start/R@1/ratio", 0.9, True),
    ("speed/metadata rows/seconds per million", 60.0, False),
)


@dataclass(frozen=True, slots=True)
class Check:
    """A goal and the figure that it is about.

    Attributes:
        name: What is checked.
        value: The figure.
        bound: What it is compared with.
        above: Whether it must lie above the bound, else below.
    """

    name: str
    value: float
    bound: float
    above: bool = True

    @property
    def met(self) -> bool:
        return self.value > self.bound if self.above else self.value < self.bound

    def line(self) -> str:
        """Such as "top-1, unseen wordings: 0.213 (> 0.150) met"."""
        sign = ">" if self.above else "<"
        return f"{self.name}: {self.value:.3f} ({sign} {self.bound:.3f}) {'met' if self.met else 'MISSED'}"


def checks(figures: Mapping[str, Interval]) -> list[Check]:
    """Every goal whose figure was measured; of several rows the worst, and of a profile the interval's lower end."""
    found = []
    for name, bound, above in GOALS:
        values = {n: interval.value for n, interval in figures.items() if _matches(name, n)}
        if values:
            worst = (min if above else max)(values, key=lambda n: values[n])
            found.append(Check(worst, values[worst], bound, above))
    for name, interval in figures.items():
        if name.startswith("profile") and name.endswith("/everybody/difference") and interval.low is not None:
            found.append(Check(f"{name}, lower end", interval.low, 0.0))
    return found


def _matches(pattern: str, name: str) -> bool:
    return all(p in ("*", n) for p, n in zip(pattern.split("/"), name.split("/"), strict=True))


@dataclass(frozen=True, slots=True)
class SpaceReport:
    """A space, measured.

    Attributes:
        subject: What was measured.
        settings: The settings.
        figures: Every figure, named section/row/column.
        pictures: File names beside the report.
        seconds: How long it took.
    """

    subject: Mapping[str, str]
    settings: Mapping[str, Any]
    figures: Mapping[str, Interval]
    pictures: Sequence[str]
    seconds: float

    def text(self) -> str:
        """Plain text for a terminal."""
        lines = [*self._head(), "", "goals", *(f"  {check.line()}" for check in checks(self.figures))]
        for section, rows in tables(self.figures).items():
            lines += ["", section]
            lines += [
                f"  {row}: {', '.join(f'{c} {cell(i, units=True)}' for c, i in cells.items())}"
                for row, cells in rows.items()
            ]
        return "\n".join([*lines, ""])

    def markdown(self) -> str:
        """A page with the goals, one table per section, and the pictures."""
        lines = ["# The space", "", *(f"- {line}" for line in self._head()), "", "## goals", ""]
        lines += [f"- {check.line()}" for check in checks(self.figures)]
        for section, rows in tables(self.figures).items():
            columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
            lines += ["", f"## {section}", "", f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
            lines += [
                f"| {row} | {' | '.join(cell(cells.get(c), units=True) for c in columns)} |"
                for row, cells in rows.items()
            ]
        lines += ["", "## pictures", ""]
        return "\n".join([*lines, *(f"![{name}]({name})" for name in self.pictures), ""])

    def save(self, folder: Path) -> None:
        """Write report.json and report.md, each whole or not at all."""
        data = {
            "subject": dict(self.subject),
            "settings": dict(self.settings),
            "seconds": round(self.seconds, 1),
            "figures": {name: interval._asdict() for name, interval in self.figures.items()},
            "goals": [{**asdict(check), "met": check.met} for check in checks(self.figures)],
            "pictures": list(self.pictures),
        }
        write_json(folder / "report.json", data)
        with atomic_file(folder / "report.md") as temporary:
            temporary.write_text(self.markdown())

    def _head(self) -> list[str]:
        subject = ", ".join(f"{name} {value}" for name, value in self.subject.items())
        return [subject, f"measured in {self.seconds:.0f} s; mean [95 % bootstrap interval] over units"]


def tables(figures: Mapping[str, Interval]) -> dict[str, dict[str, dict[str, Interval]]]:
    """Figures by section, row and column, in the order in which they were measured."""
    found: dict[str, dict[str, dict[str, Interval]]] = {}
    for name, interval in figures.items():
        section, row, column = name.split("/")
        found.setdefault(section.replace("_", " "), {}).setdefault(row.replace("_", " "), {})[column] = interval
    return found
