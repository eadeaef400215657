"""The record of a training run: JSON lines always, TensorBoard where it is installed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import TracebackType
from typing import IO, Any


class RunLog:
    """Appends figures to `log.jsonl` and TensorBoard events in a folder.

    Args:
        folder: The run's folder; made if absent.
        active: False where another process keeps the record.
    """

    def __init__(self, folder: Path, *, active: bool = True) -> None:
        self._lines: IO[str] | None = None
        self._board: Any = None
        if not active:
            return
        folder.mkdir(parents=True, exist_ok=True)
        self._lines = (folder / "log.jsonl").open("a")
        if importlib.util.find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"))

    def log(self, step: int, **figures: float) -> None:
        """Record the figures of one step."""
        if self._lines is None:
            return
        self._lines.write(json.dumps({"step": step, **figures}) + "\n")
        self._lines.flush()
        if self._board is not None:
            for name, value in figures.items():
                self._board.add_scalar(name, value, step)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lines is not None:
            self._lines.close()
        if self._board is not None:
            self._board.close()


def summary(runs: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Per figure its value in the kept run (the first seed) and the lowest and highest over the runs that have it."""
    over = {name: [run[name] for run in runs if name in run] for name in runs[0]}
    return {name: {"value": runs[0][name], "low": min(f), "high": max(f)} for name, f in over.items()}
