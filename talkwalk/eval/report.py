"""The benchmark's figures as a page and as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from talkwalk.eval.intervals import Interval
from talkwalk.eval.sanity import COVERAGE_FLOOR, LATENCY_CEILING, TOP1_FLOOR
from talkwalk.files import atomic_file, write_json

TURNS = "turns"  # section of the simulated turns
RIVALS = ("talkwalk", "no_llm", "oracle", "share_of_oracle")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the founding plan's sanity row.

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


def sanity_row(figures: Mapping[str, Interval]) -> list[Check]:
    """The checks whose figures were measured; real people's next items are held against popularity's."""
    checks = []
    for figure, bound in (("top1", TOP1_FLOOR), ("coverage", COVERAGE_FLOOR)):
        for name in sorted(n for n in figures if n.startswith(f"sanity/{figure}/")):
            words = name.rpartition("/")[2].replace("_", " ")
            checks.append(Check(f"{figure.replace('top1', 'top-1')}, {words}", figures[name].value, bound))
    if "sanity/p50_seconds" in figures:
        p50 = figures["sanity/p50_seconds"].value
        checks.append(Check("half of the live turns within, seconds", p50, LATENCY_CEILING, above=False))
    for name in sorted(n for n in figures if n.startswith("sanity/next_item/") and n.count("/") == 2):
        popular = figures[f"{name}/popularity"].value
        checks.append(
            Check(f"next item, {name.rpartition('/')[2]}, against popularity's", figures[name].value, popular)
        )
    return checks


@dataclass(frozen=True, slots=True)
class Report:
    """A finished benchmark.

    Attributes:
        subject: What was measured: bundle, language model, catalogue.
        settings: The benchmark's settings.
        figures: Every figure by name; the part before the first slash is its section.
        seconds: How long it took.
    """

    subject: Mapping[str, str]
    settings: Mapping[str, Any]
    figures: Mapping[str, Interval]
    seconds: float

    def text(self) -> str:
        """Plain text for a terminal."""
        lines = []
        for section, names in _sections(self.figures):
            lines += ["", section, *(f"  {n.partition('/')[2]:48} {cell(self.figures[n])}" for n in names)]
        for words, rows in compared(self.figures).items():
            lines += [
                "",
                f"turns of unseen conversations, {words}",
                "  " + " " * 14 + "".join(f"{r:24}" for r in RIVALS),
            ]
            lines += [
                f"  {name:14}" + "".join(f"{cell(c, units=False):24}" for c in cells) for name, cells in rows.items()
            ]
        checks = [f"  {check.line()}" for check in sanity_row(self.figures)]
        return "\n".join([*self._head(), *(line.rstrip() for line in lines), "", "sanity row", *checks, ""])

    def markdown(self) -> str:
        """A page with one table per section."""
        lines = ["# Benchmark", "", *(f"- {line}" for line in self._head()), "", "## sanity row", ""]
        lines += [f"- {check.line()}" for check in sanity_row(self.figures)]
        for words, rows in compared(self.figures).items():
            lines += ["", f"## turns of unseen conversations, {words}", "", f"| figure | {' | '.join(RIVALS)} |"]
            lines += ["|---" * (len(RIVALS) + 1) + "|"]
            lines += [f"| {n} | {' | '.join(cell(c, units=False) for c in cells)} |" for n, cells in rows.items()]
        for section, names in _sections(self.figures):
            lines += ["", f"## {section}", "", "| figure | mean |", "|---|---|"]
            lines += [f"| {name.partition('/')[2]} | {cell(self.figures[name])} |" for name in names]
        return "\n".join([*lines, ""])

    def save(self, folder: Path) -> None:
        """Write report.json and report.md, each whole or not at all."""
        data = {
            "subject": dict(self.subject),
            "settings": dict(self.settings),
            "seconds": round(self.seconds, 1),
            "figures": {name: interval._asdict() for name, interval in self.figures.items()},
            "sanity": [{**asdict(check), "met": check.met} for check in sanity_row(self.figures)],
        }
        write_json(folder / "report.json", data)
        with atomic_file(folder / "report.md") as temporary:
            temporary.write_text(self.markdown())

    def _head(self) -> list[str]:
        subject = ", ".join(f"{name} {value}" for name, value in self.subject.items())
        return [subject, f"measured in {self.seconds:.0f} s; mean [95 % bootstrap interval] over units"]


def _sections(figures: Mapping[str, Interval]) -> list[tuple[str, list[str]]]:
    """Names by section; simulated turns have a table of their own."""

    def section(name: str) -> str:
        return name.partition("/")[0]

    names = sorted(name for name in figures if section(name) != TURNS)
    return [(title, list(group)) for title, group in groupby(names, key=section)]


def compared(figures: Mapping[str, Interval]) -> dict[str, dict[str, list[Interval | None]]]:
    """Figures of simulated turns, named turns/words/rival/figure: per words and figure, one cell per rival."""
    tables: dict[str, dict[str, list[Interval | None]]] = {}
    for name in sorted(n for n in figures if n.startswith(f"{TURNS}/")):
        _, words, _, figure = name.split("/")
        cells = [figures.get(f"{TURNS}/{words}/{rival}/{figure}") for rival in RIVALS]
        tables.setdefault(words.replace("_", " "), {})[figure] = cells
    return tables


def cell(interval: Interval | None, *, units: bool = True) -> str:
    """Such as "0.611 [0.580, 0.640] n=300"; empty for a figure that was not measured."""
    if interval is None:
        return ""
    spread = "" if interval.low is None else f" [{interval.low:.3f}, {interval.high:.3f}]"
    return f"{interval.value:.3f}{spread}{f' n={interval.units}' if units else ''}"
