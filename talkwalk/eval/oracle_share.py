"""How much of what the space allows a system reaches: figures as shares of the oracle's (docs/metrics.md)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from talkwalk.eval.intervals import Interval, bootstrap
from talkwalk.eval.judge import Values
from talkwalk.eval.unseen import TRAINED
from talkwalk.projection.validation import Movement

STEERS = ("direction", "steering_precision")


def oracle_shares(
    ours: Mapping[str, Values], oracle: Mapping[str, Values], *, k: int, seed: int
) -> dict[str, Interval]:
    """R@k, direction and both precisions as shares of the oracle's on the same turns (docs/metrics.md).

    What a steer reaches once it was corrected is told as a share of what the oracle, which hears right, reaches.
    """
    shares: dict[str, Interval] = {}
    named = (f"r{k}", f"wish_r{k}", *STEERS, *(f"{name}/corrected" for name in STEERS))
    for tail in ("", f"/{TRAINED}"):
        for name in named:
            both = _on_both(ours, oracle, f"{name}{tail}", f"{name.removesuffix('/corrected')}{tail}")
            if both is not None and both[1].any():
                shares[f"share_of_oracle/{name}{tail}"] = bootstrap(_Ratio(*both), len(both[0]), seed=seed)
        on, off = (_on_both(ours, oracle, *[f"{side}_axis{tail}"] * 2) for side in ("on", "off"))
        if on is not None and off is not None:
            shares[f"share_of_oracle/precision{tail}"] = bootstrap(_PrecisionShare(on, off), len(on[0]), seed=seed)
    return shares


def _on_both(
    ours: Mapping[str, Values], oracle: Mapping[str, Values], name: str, best: str
) -> tuple[np.ndarray, np.ndarray] | None:
    """Our figure `name` and the oracle's `best` of the units that both have; None where there are none."""
    mine, theirs = ours.get(name, {}), oracle.get(best, {})
    keys = [key for key in mine if key in theirs]
    if not keys:
        return None
    return np.array([mine[key] for key in keys]), np.array([theirs[key] for key in keys])


class _PrecisionShare:
    """`Movement.precision` over chosen steers as a share of the oracle's."""

    def __init__(self, on: tuple[np.ndarray, np.ndarray], off: tuple[np.ndarray, np.ndarray]) -> None:
        self.on, self.off = on, off

    def __call__(self, chosen: np.ndarray) -> float:
        mine, theirs = (Movement(on[chosen], off[chosen]).precision for on, off in zip(self.on, self.off, strict=True))
        return mine / max(theirs, 1e-12)


class _Ratio:
    """mean(mine) / mean(theirs) over chosen units."""

    def __init__(self, mine: np.ndarray, theirs: np.ndarray) -> None:
        self.mine, self.theirs = mine, theirs

    def __call__(self, chosen: np.ndarray) -> float:
        return float(self.mine[chosen].mean() / max(self.theirs[chosen].mean(), 1e-12))
