"""What was measured of one system in one part, kept on disk so that an interrupted benchmark goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from talkwalk.eval.judge import Values
from talkwalk.files import write_json

DIGITS = 9  # of a stored value, so that what is read back is what was written


@dataclass(slots=True)
class Result:
    """One system in one part.

    Attributes:
        system: Its name.
        part: The part's name.
        figures: Per figure one value per unit.
        seconds: Of every turn that a person would have waited for.
        paths: Where the first sessions went, each (turns, 2).
        unsuited: Why the system cannot be measured here, if it cannot.
    """

    system: str
    part: str
    figures: dict[str, Values] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    paths: list[list[list[float]]] = field(default_factory=list)
    unsuited: str = ""

    def save(self, path: Path, settings: Mapping[str, Any]) -> None:
        """Write it with the settings that it was measured under."""
        write_json(path, {"settings": dict(settings), **asdict(self)})

    @classmethod
    def load(cls, path: Path, settings: Mapping[str, Any]) -> Result | None:
        """What was kept; None where there is nothing, or only something measured under other settings."""
        if not path.is_file():
            return None
        try:
            data = json.loads(path.read_text())
        except json.JSONDecodeError:
            return None
        if data.pop("settings", None) != json.loads(json.dumps(dict(settings))):
            return None
        return cls(**data)


def rounded(figures: Mapping[str, Values]) -> dict[str, Values]:
    """Figures with at least one value, as they are stored."""
    return {
        name: {key: round(float(v), DIGITS) for key, v in values.items()} for name, values in figures.items() if values
    }
