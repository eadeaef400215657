"""How much of what the space allows a system reaches: figures as shares of the oracle's (docs/metrics.md)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from talkwalk.eval.intervals import Interval, bootstrap
from talkwalk.eval.judge import Values
from talkwalk.eval.unseen import TRAINED
from talkwalk.projection.validation import Movement


def oracle_shares(
    ours: Mapping[str, Values], oracle: Mapping[str, Values], *, k: int, seed: int
) -> dict[str, Interval]:
    """R@k, direction and both precisions as shares of the oracle's on the same turns (docs/metrics.md)."""
    shares: dict[str, Interval] = {}
    for tail in ("", f"/{TRAINED}"):
        for name in (f"r{k}", f"wish_r{k}", "direction", "steering_precision"):
            both = _on_both(ours, oracle, f"{name}{tail}")
            if both is not None and both[1].any():
                shares[f"share_of_oracle/{name}{tail}"] = bootstrap(_Ratio(*both), len(both[0]), seed=seed)
        on, off = (_on_both(ours, oracle, f"{side}_axis{tail}") for side in ("on", "off"))
        if on is not None and off is not None:
            shares[f"share_of_oracle/precision{tail}"] = bootstrap(_PrecisionShare(on, off), len(on[0]), seed=seed)
    return shares


def _on_both(
    ours: Mapping[str, Values], oracle: Mapping[str, Values], name: str
) -> tuple[np.ndarray, np.ndarray] | None:
    """A figure of the units that both have; None where there are none."""
    keys = [key for key in ours.get(name, {}) if key in oracle.get(name, {})]
    if not keys:
        return None
    mine, theirs = (np.array([side[name][key] for key in keys]) for side in (ours, oracle))
    return mine, theirs


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
