"""How long the walk takes to learn: `python -m benchmarks.training`, after `make train-projection`.

Hidden states come from the cache; what is timed is one head, all epochs of `configs/projection.yaml`, on 100,000 turns.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from hydra import compose, initialize_config_dir

from benchmarks.report import REPORT, write_section
from talkwalk.config import CONFIG_DIR, ProjectionConfig, register, to_object
from talkwalk.llm.cores import fit_threads
from talkwalk.llm.language_model import LanguageModel
from talkwalk.projection.anchor_decoder import AnchorDecoder
from talkwalk.projection.train_projection import fit, fresh_head, prepare
from talkwalk.projection.turns import NONE, TurnTable

TURNS = 100_000


def repeated(table: TurnTable, turns: int) -> TurnTable:
    """The table's walks again and again, cut after whole walks, so that it has about `turns` turns.

    Args:
        table: One row per turn. Noise (deviation 0.001) is added to all states: no two contexts give the same.
        turns: At least one.
    """
    times = -(-turns // len(table))
    walks = int(table.walk.max()) + 1
    copies: dict[str, object] = {}
    for field in dataclasses.fields(table):
        value = getattr(table, field.name)
        if field.name in ("ranges", "sentence"):
            continue
        if isinstance(value, list):
            copies[field.name] = value * times
            continue
        parts = [value] * times
        if field.name == "walk":
            parts = [value + n * walks for n in range(times)]
        elif field.name in ("before", "twin"):
            parts = [np.where(value == NONE, NONE, value + n * len(table)) for n in range(times)]
        elif field.name == "states":
            rng = np.random.default_rng(0)
            parts = [value + 1e-3 * rng.standard_normal(value.shape).astype(value.dtype) for _ in range(times)]
        copies[field.name] = np.concatenate(parts)
    last = int(np.searchsorted(copies["walk"], copies["walk"][turns - 1], side="right"))  # type: ignore[index,call-overload]
    return dataclasses.replace(table, **{name: value[:last] for name, value in copies.items()})  # type: ignore[index]


def measure(overrides: Sequence[str]) -> str:
    """Train one head on 100,000 turns and say how long it took."""
    with initialize_config_dir(version_base="1.3", config_dir=CONFIG_DIR):
        config: ProjectionConfig = to_object(compose("projection", overrides=list(overrides)))
    fit_threads()
    material = prepare(config, LanguageModel.load(config.llm, device="cpu"))
    table = repeated(material.train, TURNS)
    torch.manual_seed(config.seeds[0])
    head = fresh_head(config.head, material, config)
    decoder = AnchorDecoder(material.space.dim, material.space.shape["sentence_dim"])
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        fit(head, decoder, table, config, config.weights, config.seeds[0], Path(folder), material.swaps)
        seconds = time.perf_counter() - began
    return (
        f"{len(table):,} turns with cached states ({len(material.train):,} simulated ones, repeated), one head: "
        f"**{seconds / config.epochs:.1f} s an epoch**, {seconds:.0f} s for {config.epochs} epochs (asked: under "
        f"180 s); {config.epochs * len(table) / seconds:,.0f} turns a second."
    )


def main(overrides: Sequence[str] | None = None) -> None:
    """Measure, print, and write the section "Training"; arguments are overrides of `configs/projection.yaml`."""
    given = list(overrides if overrides is not None else sys.argv[1:])
    body = measure(given)
    print(body)
    write_section("Training", " ".join(["python -m benchmarks.training", *given]), body, path=REPORT)


register()
if __name__ == "__main__":
    main()
