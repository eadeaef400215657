"""The benchmark's figures as a page, as data and as pictures."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from talkwalk.eval.intervals import Interval, bootstrap, bootstrap_difference, bootstrap_mean, point
from talkwalk.eval.judge import Values
from talkwalk.eval.oracle_share import oracle_shares
from talkwalk.eval.results import Result
from talkwalk.eval.sanity import COVERAGE_FLOOR, LATENCY_CEILING, TOP1_FLOOR, latency
from talkwalk.eval.unseen import TRAINED
from talkwalk.files import atomic_file, write_json
from talkwalk.projection.validation import Movement

ORACLE = "oracle"
NOT_APPLICABLE = "n/a"
LATENCY = "latency"
# figures of which less is better
LOWER = ("turns_to_satisfaction", "off_axis", "refused", "sureness/unsure", LATENCY)
# figures that stand beside another one, or whose best is neither the most nor the least
ASIDE = ("shuffled", "without_steering", "random_speaker", "auc", "unsaid", "sureness/too_sure")
DIALOGUES = ("redial", "cpcd")  # figures of which one dialogue gives several units, resampled together
ASKED = (
    "intensity",
    "variety",
    "refused",
    "off_axis/refused",
    "several",
    "first",
    "between",
    "long",
    "absolute",
    "off_axis/absolute",
)  # what the figures of the part `asked` are named, alone or before a slash
PACKAGES = ("talkwalk", "numpy", "torch", "transformers", "sentence-transformers", "faiss-cpu", "bm25s", "implicit")


class Metric(NamedTuple):
    """One of the thirteen of docs/metrics.md.

    Attributes:
        title: For people.
        figure: Its name among the figures.
        better: "up" or "down".
    """

    title: str
    figure: str
    better: str = "up"

    @property
    def label(self) -> str:
        """The title, saying so where less is better."""
        return self.title + (" (less is better)" if self.better == "down" else "")


def metric_of(figure: str) -> Metric:
    """A figure under its own name."""
    return Metric(figure, figure, "down" if figure.startswith(LOWER) else "up")


def headlines(k: int) -> list[Metric]:
    """The thirteen, in the plan's order."""
    return [
        Metric("steering entropy reduction", "entropy_reduction"),
        Metric("turns to satisfaction", "turns_to_satisfaction", "down"),
        Metric("controllable diversity gradient", "diversity_gradient"),
        Metric("steering precision", "steering_precision"),
        Metric("steering reversibility", "reversibility"),
        Metric("embedding space coherence", "coherence"),
        Metric("steering traceability", "traceability"),
        Metric("first-turn relevance", "first_turn_relevance"),
        Metric("exploration velocity", "exploration_velocity"),
        Metric("cold-start quality", f"cold_start/ndcg{k}"),
        Metric("nearest-neighbour accuracy", "nearest_neighbour_accuracy"),
        Metric("catalogue coverage", "coverage"),
        Metric("latency, median seconds", LATENCY, "down"),
    ]


class Difference(NamedTuple):
    """The first system against the best of the others.

    Attributes:
        rival: The best of the others by mean, chosen after the fact.
        interval: Paired difference over the units that both have, ours minus theirs.
    """

    rival: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class Report:
    """A finished benchmark.

    Attributes:
        subject: What was measured on: bundle, language model, catalogue and its hash.
        settings: The benchmark's settings.
        versions: Of Python and of what figures depend on.
        figures: Per system every figure by name.
        differences: Per figure the first system against the best of the others.
        unsuited: Per system and part why there are no figures.
        timings: Per system the seconds of every turn that somebody waited for; the only thing that differs from run to
            run.
        waited: Per system the median of those seconds.
        paths: Per system where the first sessions went in two dimensions.
        k: Length of the answers.
    """

    subject: Mapping[str, str]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    figures: Mapping[str, Mapping[str, Interval]]
    differences: Mapping[str, Difference]
    unsuited: Mapping[str, str]
    timings: Mapping[str, Sequence[float]] = field(default_factory=dict)
    waited: Mapping[str, Interval] = field(default_factory=dict)
    paths: Mapping[str, list[list[list[float]]]] = field(default_factory=dict)
    k: int = 10

    @property
    def systems(self) -> list[str]:
        """Names in the order of the settings, the oracle last."""
        return list(self.figures)

    def cells(self, metric: Metric) -> list[str]:
        """One cell per system, without the oracle."""
        return [
            cell(self.waited.get(s) if metric.figure == LATENCY else self.figures[s].get(metric.figure))
            for s in self.systems
            if s != ORACLE
        ]

    def headlines(self) -> list[Metric]:
        """The thirteen where simulated people were measured, else nothing."""
        asked = set(self.settings.get("parts", ()))
        return headlines(self.k) if {"simulated", "live"} & asked else []

    def every(self) -> list[Metric]:
        """All figures of the systems, by name."""
        return [metric_of(f) for f in sorted({f for s in self.systems if s != ORACLE for f in self.figures[s]})]

    def asked(self) -> list[Metric]:
        """The figures of the part `asked`, in the order of `ASKED`."""
        sort = {m.figure: m.figure if m.figure in ASKED else m.figure.split("/")[0] for m in self.every()}
        return sorted((m for m in self.every() if sort[m.figure] in ASKED), key=lambda m: ASKED.index(sort[m.figure]))

    def text(self) -> str:
        """Plain text for a terminal: the thirteen metrics and what else is asked, or all figures without them."""
        names = [s for s in self.systems if s != ORACLE]
        lines = [*self._head(), ""]
        metrics = [*self.headlines(), *self.asked()] if self.headlines() else self.every()
        rows = [(m.label, self.cells(m)) for m in metrics]
        lines.append(" " * 42 + "".join(f"{name:>26}" for name in names))
        lines += [f"{title:42}" + "".join(f"{c:>26}" for c in cells) for title, cells in rows]
        lines += ["", *self.against(), *self.sanity_row(), *self._missing()]
        return "\n".join([*lines, ""])

    def markdown(self) -> str:
        """A page; what depends on the clock comes last."""
        timed = [m for m in self.headlines() if m.figure == LATENCY]
        names = [s for s in self.systems if s != ORACLE]
        lines = ["# Benchmark", "", *(f"- {line}" for line in self._head())]
        lines += [f"- seed {self.settings.get('seed')}; {', '.join(f'{n} {v}' for n, v in self.versions.items())}"]
        if self.headlines():
            lines += ["", "## The thirteen metrics", "", *_table("metric", names, [
                (m.label, self.cells(m)) for m in self.headlines() if m.figure != LATENCY
            ])]  # fmt: skip
            lines += ["", "![the metrics with intervals](bars.png)"]
            lines += ["", "![sessions in two dimensions](paths.png)"] if self.paths else []
        else:
            lines += ["", "![every figure with intervals](bars.png)"]
        lines += ["", "## Against the best rival", "", *(f"- {line}" for line in self.against())]
        lines += ["", "## Sanity", "", *(f"- {line}" for line in self.sanity_row())]
        lines += [f"- {line}" for line in self._missing()]
        for title, figures in self.groups().items():
            rows = [
                (metric_of(f).label, [cell(self.figures[s].get(f), units=True) for s in self.systems]) for f in figures
            ]
            lines += ["", f"## {title}", "", *_table("figure", self.systems, rows)]
        if timed:
            lines += ["", "## Latency", "", *_table("metric", names, [(m.title, self.cells(m)) for m in timed])]
            lines += ["", *(f"- {line}" for line in self.latency_checks())]
            lines += ["", "![seconds of a turn](latency.png)"] if self.waited else []
        return "\n".join([*lines, ""])

    def groups(self) -> dict[str, list[str]]:
        """Every figure, by the table that it belongs to."""
        every = sorted({f for figures in self.figures.values() for f in figures})
        trained = [f for f in every if f.endswith(f"/{TRAINED}")]
        asked = [m.figure for m in self.asked()]
        groups = {
            "Grades, variety, refusals, several wishes, long sessions": asked,
            "Every other figure, unseen wordings" if asked else "Every figure, unseen wordings": [
                f for f in every if f not in {*trained, *asked}
            ],
            "Trained wordings": trained,
        }
        return {title: figures for title, figures in groups.items() if figures}

    def against(self) -> list[str]:
        """One line per figure: the first system against the best of the others."""
        first = self.systems[0] if self.systems else ""
        lines = []
        for figure, (rival, found) in self.differences.items():
            sign = -1 if figure.startswith(LOWER) else 1
            low, high = sorted((sign * (found.low or 0.0), sign * (found.high or 0.0)))
            verdict = "ahead of" if low > 0 else "behind" if high < 0 else "level with"
            lines.append(f"{figure}: {first} {verdict} {rival}, difference {cell(found, units=True)}")
        return lines

    def sanity_row(self) -> list[str]:
        """The floors, for the first system."""
        first = self.figures[self.systems[0]] if self.systems else {}
        floors = (("nearest_neighbour_accuracy", TOP1_FLOOR), ("coverage", COVERAGE_FLOOR))
        return [check(figure, first[figure].value, floor) for figure, floor in floors if figure in first]

    def latency_checks(self) -> list[str]:
        """The ceiling, for the first system."""
        found = self.waited.get(self.systems[0])
        return [check("median seconds of a turn", found.value, LATENCY_CEILING, above=False)] if found else []

    def save(self, folder: Path) -> None:
        """Write report.json, report.md and, where matplotlib is installed, the pictures; each whole or not at all."""
        write_json(folder / "report.json", self.data())
        with atomic_file(folder / "report.md") as temporary:
            temporary.write_text(self.markdown())
        if importlib.util.find_spec("matplotlib") is not None:
            from talkwalk.eval.pictures import draw

            draw(self, folder)

    def data(self) -> dict[str, Any]:
        """Everything, as JSON has it; `timings` alone depends on the clock."""
        return {
            "subject": dict(self.subject),
            "settings": dict(self.settings),
            "versions": dict(self.versions),
            "figures": {s: {f: i._asdict() for f, i in figures.items()} for s, figures in self.figures.items()},
            "differences": {f: {"rival": d.rival, **d.interval._asdict()} for f, d in self.differences.items()},
            "unsuited": dict(self.unsuited),
            "paths": dict(self.paths),
            "timings": {s: interval._asdict() for s, interval in self.waited.items()},
        }

    def _head(self) -> list[str]:
        subject = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.subject.items())
        return [
            subject,
            "mean [95 % bootstrap interval over units]; n/a: the system has nothing that could be measured",
        ]

    def _missing(self) -> list[str]:
        return [f"{name}: not measured, {reason}" for name, reason in self.unsuited.items()]


class _Median:
    """Median seconds over chosen turns."""

    def __init__(self, seconds: np.ndarray) -> None:
        self.seconds = seconds

    def __call__(self, chosen: np.ndarray) -> float:
        return latency(self.seconds[chosen], percent=50)


def build_report(
    results: Sequence[Result], subject: Mapping[str, str], settings: Mapping[str, Any], *, k: int, seed: int
) -> Report:
    """Means, intervals and differences of what was measured.

    Args:
        results: Every system in every part, the system that is held against the others first.
        subject: What was measured on.
        settings: The benchmark's settings.
        k: Length of the answers.
        seed: Of the bootstrap.
    """
    values: dict[str, dict[str, Values]] = {}
    timings: dict[str, Sequence[float]] = {}
    paths: dict[str, list[list[list[float]]]] = {}
    unsuited: dict[str, str] = {}
    for result in results:
        # in one order, whether measured just now or read from a file: the bootstrap draws by position
        ordered = {figure: dict(sorted(units.items())) for figure, units in result.figures.items()}
        values.setdefault(result.system, {}).update(ordered)
        if result.seconds:
            timings[result.system] = result.seconds
        if result.paths:
            paths[result.system] = result.paths
        if result.unsuited:
            unsuited[result.system] = result.unsuited
    figures = {system: _intervals(named, seed) for system, named in values.items()}
    if ORACLE in values:
        for system in (s for s in values if s != ORACLE):
            figures[system] |= oracle_shares(values[system], values[ORACLE], k=k, seed=seed)
    first = next(iter(values), "")
    rivals = {s: v for s, v in values.items() if s not in (first, ORACLE)}
    differences = {
        figure: found
        for figure in sorted(values.get(first, {}))
        if not figure.endswith(ASIDE) and (found := best_rival(figure, values[first][figure], rivals, seed)) is not None
    }
    waited = {s: bootstrap(_Median(np.array(times)), len(times)) for s, times in timings.items()}
    return Report(subject, settings, versions(), figures, differences, unsuited, timings, waited, paths, k)


def _intervals(named: Mapping[str, Values], seed: int) -> dict[str, Interval]:
    """Mean and interval of every figure, and precision as the ratio of mean movements (docs/metrics.md)."""
    figures = {
        name: point(values["run"], 1)
        if list(values) == ["run"]
        else bootstrap_mean(_array(values), groups=groups_of(name, values), seed=seed)
        for name, values in named.items()
        if values
    }
    for tail in ("", f"/{TRAINED}"):
        if f"on_axis{tail}" in named:
            on, off = (_array(named[f"{side}_axis{tail}"]) for side in ("on", "off"))
            figures[f"precision{tail}"] = bootstrap(_Precision(on, off), len(on), seed=seed)
    return dict(sorted(figures.items()))


class _Precision:
    """`Movement.precision` over chosen steers."""

    def __init__(self, on: np.ndarray, off: np.ndarray) -> None:
        self.on, self.off = on, off

    def __call__(self, chosen: np.ndarray) -> float:
        return Movement(self.on[chosen], self.off[chosen]).precision


def best_rival(figure: str, ours: Values, rivals: Mapping[str, Mapping[str, Values]], seed: int) -> Difference | None:
    """Ours minus the best rival's, over the units that both have; None without a rival, or with the run as unit."""
    sign = -1 if figure.startswith(LOWER) else 1
    means = {s: sign * float(np.mean(_array(v[figure]))) for s, v in rivals.items() if v.get(figure)}
    if not means or list(ours) == ["run"]:
        return None
    rival = max(means, key=lambda s: means[s])
    theirs = rivals[rival][figure]
    keys = [key for key in ours if key in theirs]
    if not keys:
        return None
    both = (np.array([side[key] for key in keys]) for side in (ours, theirs))
    return Difference(rival, bootstrap_difference(*both, groups=groups_of(figure, keys), seed=seed))


def groups_of(figure: str, keys: Iterable[str]) -> list[str] | None:
    """The dialogue of every unit where units are films or tracks of one; None where they stand for themselves."""
    return [key.split(":")[0] for key in keys] if figure.startswith(DIALOGUES) else None


def versions() -> dict[str, str]:
    """Of Python and of the packages that figures depend on, where they are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def check(name: str, value: float, bound: float, *, above: bool = True) -> str:
    """Such as "coverage: 0.213 (> 0.300) MISSED"."""
    met = value > bound if above else value < bound
    return f"{name}: {value:.3f} ({'>' if above else '<'} {bound:.3f}) {'met' if met else 'MISSED'}"


def cell(interval: Interval | None, *, units: bool = False) -> str:
    """Such as "0.611 [0.580, 0.640] n=300"; "n/a" for a figure that was not measured."""
    if interval is None:
        return NOT_APPLICABLE
    spread = "" if interval.low is None else f" [{interval.low:.3f}, {interval.high:.3f}]"
    return f"{interval.value:.3f}{spread}{f' n={interval.units}' if units else ''}"


def _array(values: Values) -> np.ndarray:
    return np.array(list(values.values()), dtype=np.float64)


def _table(corner: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """A Markdown table."""
    head = [f"| {corner} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    return [*head, *(f"| {title} | {' | '.join(cells)} |" for title, cells in rows)]
