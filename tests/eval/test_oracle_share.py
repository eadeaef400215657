"""Shares of what the space allows, against the formulas written out slowly."""

from __future__ import annotations

import numpy as np
import pytest

from talkwalk.eval.oracle_share import oracle_shares
from talkwalk.eval.unseen import TRAINED


@pytest.fixture
def both():
    rng = np.random.default_rng(0)

    def drawn(keys):
        return {
            "direction": {key: float(rng.random() < 0.7) for key in keys},
            "on_axis": {key: float(rng.normal(0.2, 0.2)) for key in keys},
            "off_axis": {key: float(rng.random() * 0.2) for key in keys},
        }

    return drawn([f"turn {i}" for i in range(40)]), drawn([f"turn {i}" for i in range(10, 60)])


def test_only_turns_that_both_have_count(both):
    ours, oracle = both
    keys = [key for key in ours["direction"] if key in oracle["direction"]]
    mine, theirs = (sum(side["direction"][key] for key in keys) for side in both)
    share = oracle_shares(ours, oracle, k=10, seed=0)["share_of_oracle/direction"]
    assert (share.units, share.value) == (30, pytest.approx(mine / theirs))
    assert share.low < share.value < share.high


def test_a_corrected_steer_is_a_share_of_what_the_oracle_reaches_at_once(both):
    ours, oracle = both
    corrected = {f"direction/corrected{tail}": ours["direction"] for tail in ("", f"/{TRAINED}")}
    told = {**oracle, f"direction/{TRAINED}": oracle["direction"]}
    shares = oracle_shares(corrected, told, k=10, seed=0)
    plain = oracle_shares(ours, oracle, k=10, seed=0)["share_of_oracle/direction"]
    assert shares == {f"share_of_oracle/{name}": plain for name in corrected}


def test_precision_is_the_ratio_of_mean_movements(both):
    keys = [f"turn {i}" for i in range(10, 40)]
    on, off = (
        np.mean([[side[f"{name}_axis"][key] for key in keys] for side in both], axis=1) for name in ("on", "off")
    )
    ours, theirs = on / (on + off)
    share = oracle_shares(*both, k=10, seed=0)["share_of_oracle/precision"]
    assert share.value == pytest.approx(ours / theirs)


def test_trained_wordings_have_shares_of_their_own(both):
    told = [{f"{name}/{TRAINED}": values for name, values in side.items()} for side in both]
    shares = oracle_shares(*told, k=10, seed=0)
    assert set(shares) == {f"share_of_oracle/{name}/{TRAINED}" for name in ("direction", "precision")}
    assert (
        shares[f"share_of_oracle/direction/{TRAINED}"]
        == oracle_shares(*both, k=10, seed=0)["share_of_oracle/direction"]
    )


def test_without_turns_or_without_a_hit_of_the_oracle_there_is_no_share(both):
    assert oracle_shares(both[0], {}, k=10, seed=0) == {}
    missed = {"direction": {key: 0.0 for key in both[0]["direction"]}}
    assert oracle_shares(both[0], missed, k=10, seed=0) == {}
