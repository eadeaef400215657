"""Where the publishers' real files are; tests that read them are skipped, saying so, where they are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("TALKWALK_DATA", Path(__file__).parents[2] / "shared" / "data"))


def real(name: str) -> Path:
    """A file or folder of the public data."""
    if not (FOLDER / name).exists():
        pytest.skip(f"no {name} in {FOLDER}: TALKWALK_DATA names the folder of the public data")
    return FOLDER / name
