"""The report's pictures: bars with intervals, sessions in two dimensions, seconds of a turn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from talkwalk.files import atomic_file

if TYPE_CHECKING:
    from talkwalk.eval.report import Report

FORMAT: dict[str, Any] = {"format": "png", "dpi": 110, "metadata": {"Software": None}}  # the same bytes every time


def draw(report: Report, folder: Path) -> None:
    """Write bars.png, paths.png and latency.png, as far as there is something to draw."""
    for name, figure in (("bars", bars(report)), ("paths", session_paths(report)), ("latency", seconds(report))):
        if figure is not None:
            with atomic_file(folder / f"{name}.png") as temporary:
                figure.savefig(temporary, **FORMAT)


def _canvas(rows: int, columns: int, width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()


def bars(report: Report) -> Any:
    """One panel per metric, or per figure where there are no headline metrics; one bar per system."""
    from talkwalk.eval.report import LATENCY, ORACLE

    systems = [s for s in report.systems if s != ORACLE]
    metrics = [m for m in report.headlines() if m.figure != LATENCY]
    metrics = metrics or report.every()
    if not systems or not metrics:
        return None
    columns = min(4, len(metrics))
    figure, panels = _canvas(-(-len(metrics) // columns), columns, 3.4, 0.28 * len(systems) + 1.1)
    for panel, metric in zip(panels, metrics, strict=False):
        panel.set_title(metric.label, fontsize=8)
        for row, system in enumerate(systems):
            found = report.figures[system].get(metric.figure)
            if found is not None:
                low, high = found.value - (found.low or found.value), (found.high or found.value) - found.value
                error = None if found.low is None else [[max(low, 0.0)], [max(high, 0.0)]]
                panel.barh(row, found.value, xerr=error, color="C0" if row == 0 else "0.7", ecolor="0.3")
            else:
                panel.text(
                    0.02, row, "n/a", transform=panel.get_yaxis_transform(), fontsize=7, va="center", color="0.5"
                )
        panel.set_yticks(range(len(systems)), systems, fontsize=7)
        panel.tick_params(axis="x", labelsize=7)
        panel.set_ylim(len(systems) - 0.5, -0.5)  # the first system on top
    for panel in panels[len(metrics) :]:
        panel.set_visible(False)
    return figure


def session_paths(report: Report) -> Any:
    """Where the same people's sessions went, one panel per system with a space; a dot is where a session begins."""
    if not report.paths:
        return None
    columns = min(3, len(report.paths))
    figure, panels = _canvas(-(-len(report.paths) // columns), columns, 3.4, 3.0)
    for panel, (system, paths) in zip(panels, report.paths.items(), strict=False):
        panel.set_title(system, fontsize=8)
        for number, path in enumerate(paths):
            points = np.array(path, dtype=float).reshape(-1, 2)
            panel.plot(points[:, 0], points[:, 1], "-", marker=".", color=f"C{number}", linewidth=1, markersize=3)
            panel.plot(points[:1, 0], points[:1, 1], "o", color=f"C{number}", markersize=6)
        panel.tick_params(labelsize=7)
    for panel in panels[len(report.paths) :]:
        panel.set_visible(False)
    return figure


def seconds(report: Report) -> Any:
    """Share of turns that were answered within a time, per system."""
    if not report.timings:
        return None
    figure, (panel,) = _canvas(1, 1, 6.0, 3.6)
    for system, times in report.timings.items():
        ordered = np.sort(np.array(times))
        panel.step(ordered, np.arange(1, len(ordered) + 1) / len(ordered), where="post", label=system)
    panel.set_xscale("log")
    panel.set_xlabel("seconds of a turn")
    panel.set_ylabel("share of turns")
    panel.legend(fontsize=7)
    return figure
