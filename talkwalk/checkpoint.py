"""Interrupted training goes on from its last whole epoch, to the same losses."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from talkwalk.files import atomic_file

FILE = "checkpoint.pt"


def run_settings(config: dict[str, Any], data: str) -> str:
    """What must be equal for a run to be continued: everything but where it lies and which seeds it has.

    Args:
        config: Settings by name.
        data: Fingerprint of what is trained on, which may change under the same name.
    """
    left_out = ("out", "seeds", "resume", "device", "space", "ship", "baselines", "variants")
    kept = {name: value for name, value in config.items() if name not in left_out}
    return json.dumps({**kept, "data": data}, sort_keys=True)


def save_checkpoint(folder: Path, parts: dict[str, Any], epochs_done: int, settings: str) -> None:
    """State of every part after a whole epoch; the file is replaced in one move."""
    with atomic_file(folder / FILE) as temporary:
        torch.save(
            {"epochs": epochs_done, "settings": settings, **{n: p.state_dict() for n, p in parts.items()}}, temporary
        )


def load_checkpoint(folder: Path, parts: dict[str, Any], settings: str) -> int:
    """Fill the parts from the folder's checkpoint; returns the number of epochs done, 0 without a checkpoint.

    Raises:
        ValueError: If the checkpoint is of a run with other settings.
    """
    path = folder / FILE
    if not path.is_file():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state.get("settings") != settings:
        raise ValueError(
            f"{path} is of a run with other settings or data: remove the folder, choose another out=, or resume=false"
        )
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["epochs"])


class BestEpoch:
    """The weights that did best on validation, and how long ago that was."""

    def __init__(self) -> None:
        self.score, self.epoch = float("-inf"), -1
        self._weights: dict[str, Any] = {}

    def update(self, score: float, epoch: int, module: nn.Module) -> None:
        """Keep a copy of the weights if no epoch before this one is better."""
        if score >= self.score:
            self.score, self.epoch = score, epoch
            self._weights = copy.deepcopy(module.state_dict())

    def is_over(self, epoch: int, patience: int) -> bool:
        """Whether `patience` epochs have passed without a better one; never where patience is 0."""
        return patience > 0 and epoch - self.epoch >= patience

    def restore(self, module: nn.Module) -> None:
        """Give the module the best weights."""
        module.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        return {"score": self.score, "epoch": self.epoch, "weights": self._weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.score, self.epoch, self._weights = state["score"], state["epoch"], state["weights"]
