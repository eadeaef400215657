"""Two processes train exactly as one does."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp

from talkwalk.config import ContrastiveConfig, HoldoutConfig, PairsConfig
from talkwalk.contrastive.processes import Processes


def config(**changes) -> ContrastiveConfig:
    values = {
        "catalog": "none", "descriptions": "none", "out": "none", "epochs": 2, "batch_size": 8, "lr": 0.01,
        "smoothing": 0.5, "smoothing_rows": 8, "test_pairs": 30, "device": "cpu", "affinity": 0.5, "text_dropout": 0.0,
        "mixed_precision": False, "hard_negatives": 2, "valid_pairs": 9,
        "pairs": PairsConfig(items=48, users=16, both=16, composites=0, affinities=0),
        "holdout": HoldoutConfig(wordings=0.2, items=0.2, users=0.2, valid=0.1),
    }  # fmt: skip
    return ContrastiveConfig(**{**values, **changes})


def train_in(rank: int, count: int, port: int, folder: str) -> None:
    """One process of `count`: trains and leaves its weights."""
    from talkwalk.contrastive.train_contrastive import fit, prepare
    from tests.conftest import make_catalog, make_descriptions, make_space

    torch.set_num_threads(1)
    os.environ |= {"TALKWALK_CACHE": f"{folder}/cache"}
    if count > 1:
        os.environ |= {
            "RANK": str(rank),
            "WORLD_SIZE": str(count),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
    catalog = make_catalog()
    space = make_space(catalog)
    data = prepare(catalog, make_descriptions(), space, config(), 0)
    fit(space, data, config(), 0, Path(folder) / f"of-{count}")
    torch.save(
        [p.detach() for p in (*space.metadata.parameters(), *space.text.parameters())], f"{folder}/{count}-{rank}.pt"
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_two_processes_end_where_one_does(tmp_path):
    pytest.importorskip("open_clip", reason="needs the extra `train`, which `make setup` installs")
    mp.spawn(train_in, args=(2, free_port(), str(tmp_path)), nprocs=2)
    mp.spawn(train_in, args=(1, 0, str(tmp_path)), nprocs=1)
    one, first, second = (torch.load(tmp_path / f"{name}.pt") for name in ("1-0", "2-0", "2-1"))
    for a, b, c in zip(one, first, second, strict=True):
        torch.testing.assert_close(b, c)
        torch.testing.assert_close(b, a, atol=1e-5, rtol=1e-3)
    assert (tmp_path / "of-2" / "log.jsonl").read_text().count("\n") == 2, "one of them keeps the record"


def test_shares_cover_the_batch():
    batch = np.arange(12)
    shares = [batch[Processes(rank, 3).share(12)] for rank in range(3)]
    np.testing.assert_array_equal(np.concatenate(shares), batch)
    with pytest.raises(ValueError, match=r"multiple of the 3 processes, got 10"):
        Processes(0, 3).share(10)


def test_alone_nothing_is_shared(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    alone = Processes.join(torch.device("cpu"))
    assert alone == Processes(0, 1) and alone.writes and alone.agree(0.25) == 0.25 and alone.share(5) == slice(0, 5)
