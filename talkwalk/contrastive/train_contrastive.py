"""Phase 1: learn the space. `make train-contrastive`, or `python -m talkwalk.contrastive.train_contrastive`."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import hydra
import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor
from tqdm import tqdm

from talkwalk.config import CONFIG_DIR, ContrastiveConfig, register, to_object
from talkwalk.contrastive.dataset import Pair, featurize_pairs
from talkwalk.contrastive.descriptions import Descriptions, copy_descriptions, load_descriptions
from talkwalk.contrastive.infonce_loss import SymmetricInfoNCE
from talkwalk.contrastive.mixture import heldout_pairs, item_rows, texts, training_pairs
from talkwalk.contrastive.sampler import DistinctBatches
from talkwalk.contrastive.smoothing import ordered_columns, smoothing_loss
from talkwalk.contrastive.space import Space, pick_device
from talkwalk.contrastive.text_encoder import SentenceEncoder, clause_table
from talkwalk.contrastive.validation import axis_reports, top1
from talkwalk.datasets.resolve import open_catalog
from talkwalk.files import atomic_file, atomic_folder, write_json
from talkwalk.index.catalog import Catalog
from talkwalk.runlog import RunLog
from talkwalk.splits import Split

log = logging.getLogger(__name__)


class TrainingSet(NamedTuple):
    """Everything that a step reads, in memory.

    Attributes:
        features: Metadata of every pair, (pairs, input width).
        clauses: Frozen embedding of every distinct clause, (clauses + 1, sentence dim).
        texts: Clauses of every pair's text as rows of `clauses`, (pairs, 16), 0 for none.
        rows: Whole items, which smoothing moves, (items, input width).
        batches: Batches without false negatives.
    """

    features: Tensor
    clauses: Tensor
    texts: Tensor
    rows: Tensor
    batches: DistinctBatches


def prepare(
    catalog: Catalog, descriptions: Descriptions, space: Space, config: ContrastiveConfig, seed: int
) -> TrainingSet:
    """Draw the pairs of one seed and embed their text."""
    device = pick_device(config.device)
    pairs = training_pairs(catalog, descriptions, config, np.random.default_rng(seed))
    log.info("%d training pairs", len(pairs))
    table = clause_table(texts(pairs), space.sentences, show_progress=True)
    items = space.schema.featurize(items=item_rows(catalog, config.holdout, Split.TRAIN)).joined()
    return TrainingSet(
        torch.from_numpy(featurize_pairs(pairs, space.schema)).to(device),
        torch.from_numpy(table.vectors).to(device),
        torch.from_numpy(table.rows).to(device),
        torch.from_numpy(items).to(device),
        DistinctBatches(texts(pairs), [pair.key for pair in pairs], config.batch_size),
    )


def fit(space: Space, data: TrainingSet, config: ContrastiveConfig, seed: int, folder: Path) -> None:
    """Train both encoders in place; an interrupted run continues after its last whole epoch, to the same losses."""
    device = pick_device(config.device)
    contrast = SymmetricInfoNCE()
    modules = torch.nn.ModuleList([space.metadata, space.text, contrast]).to(device)
    optimizer = torch.optim.AdamW(modules.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=config.epochs)
    parts = {"modules": modules, "optimizer": optimizer, "scheduler": scheduler}
    columns = ordered_columns(space.schema)
    settings = run_settings(asdict(config))
    start = load_checkpoint(folder, parts, settings) if config.resume else 0
    with RunLog(folder) as run:
        for epoch in range(start, config.epochs):
            torch.manual_seed(seed * 100_003 + epoch)  # dropout; per epoch, so that a resumed run draws the same
            generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
            modules.train()
            losses = []
            batches = data.batches.epoch(np.random.default_rng([seed, epoch]))
            for batch in tqdm(batches, f"epoch {epoch + 1}/{config.epochs}", unit="batch", leave=False):
                said = data.texts[batch]
                match = contrast(space.metadata(data.features[batch]), space.text(data.clauses[said], said > 0))
                some = data.rows[torch.randint(len(data.rows), (config.smoothing_rows,), generator=generator)]
                smooth = smoothing_loss(space.metadata, some, columns, generator)
                loss = match + config.smoothing * smooth
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append([match.item(), smooth.item()])
            if not losses:
                raise ValueError(
                    f"batch_size must be smaller, got {config.batch_size}: no batch of distinct pairs is full"
                )
            scheduler.step()
            match_mean, smooth_mean = np.mean(losses, axis=0)
            run.log(epoch, match=match_mean, smooth=smooth_mean, temperature=1 / contrast.scale.item())
            save_checkpoint(folder, parts, epoch + 1, settings)
    modules.eval()


def run_settings(config: dict[str, Any]) -> str:
    """What must be equal for a run to be continued: everything but where it lies and which seeds it has."""
    left_out = ("out", "seeds", "resume", "device", "space", "ship", "baselines")
    return json.dumps({name: value for name, value in config.items() if name not in left_out}, sort_keys=True)


def save_checkpoint(folder: Path, parts: dict[str, Any], epochs_done: int, settings: str) -> None:
    """State of every part after a whole epoch; the file is replaced in one move."""
    with atomic_file(folder / "checkpoint.pt") as temporary:
        torch.save(
            {"epochs": epochs_done, "settings": settings, **{n: p.state_dict() for n, p in parts.items()}}, temporary
        )


def load_checkpoint(folder: Path, parts: dict[str, Any], settings: str) -> int:
    """Fill the parts from the folder's checkpoint; returns the number of epochs done, 0 without a checkpoint.

    Raises:
        ValueError: If the checkpoint is of a run with other settings.
    """
    path = folder / "checkpoint.pt"
    if not path.is_file():
        return 0
    state = torch.load(path, weights_only=True)
    if state.get("settings") != settings:
        raise ValueError(
            f"{path} is of a run with other settings: remove the folder, choose another out=, or resume=false"
        )
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["epochs"])


def evaluate(
    space: Space, catalog: Catalog, descriptions: Descriptions, config: ContrastiveConfig, seed: int
) -> dict[str, float]:
    """Figures on held-out items, users and wordings."""
    space.metadata.cpu().eval()
    space.text.cpu().eval()
    figures: dict[str, float] = {}
    for name, wordings in (("trained_wordings", Split.TRAIN), ("unseen_wordings", Split.TEST)):
        pairs = heldout_pairs(catalog, descriptions, config, np.random.default_rng(seed), wordings)
        figures[f"pairs_{name}"] = len(pairs)
        figures[f"text_to_metadata_r1_{name}"] = float(text_to_metadata(space, pairs).mean())
    rows = space.schema.featurize(items=item_rows(catalog, config.holdout, Split.TEST)).joined()
    for axis, report in axis_reports(space.metadata.encode, rows, space.schema).items():
        figures |= {f"{axis}_{name}": value for name, value in report._asdict().items()}
    return figures


def text_to_metadata(space: Space, pairs: list[Pair]) -> np.ndarray:
    """Per pair, whether its words are nearest to its own metadata among all of `pairs`."""
    vectors = space.metadata.encode(featurize_pairs(pairs, space.schema))
    return top1(space.encode_text(texts(pairs)), vectors)


def summary(runs: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Per figure its value in the kept run (the first seed) and the lowest and highest over the seeds."""
    return {
        name: {"value": runs[0][name], "low": min(r[name] for r in runs), "high": max(r[name] for r in runs)}
        for name in runs[0]
    }


def train(config: ContrastiveConfig) -> dict[str, dict[str, float]]:
    """Train once per seed; the first seed's space becomes `out/space`, the figures `out/metrics.json`."""
    catalog = open_catalog(config.catalog)
    descriptions = load_descriptions(config.descriptions, catalog.schema)
    sentences = SentenceEncoder(config.text_encoder)
    shape = {
        "dim": config.dim,
        "hidden": list(config.hidden),
        "sentence_dim": sentences.dim,
        "text_hidden": config.text_hidden,
        "text_dropout": config.text_dropout,
    }
    out, runs = Path(config.out), []
    for seed in config.seeds:
        torch.manual_seed(seed)
        space = Space.build(catalog.schema, sentences, shape)
        fit(space, prepare(catalog, descriptions, space, config, seed), config, seed, out / f"seed-{seed}")
        runs.append(evaluate(space, catalog, descriptions, config, seed))
        log.info("seed %d: %s", seed, {name: round(value, 3) for name, value in runs[-1].items()})
        if seed == config.seeds[0]:
            with atomic_folder(out / "space") as folder:
                space.save(folder)
                write_json(folder / "contrastive_config.json", asdict(config))
                copy_descriptions(config.descriptions, catalog.schema.domain, folder / "descriptions")
    figures = summary(runs)
    write_json(out / "metrics.json", figures)
    write_json(out / "space" / "contrastive_metrics.json", figures)
    return figures


@hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name="contrastive")
def main(cfg: DictConfig) -> None:
    """Train with the composed config and print the figures."""
    config: ContrastiveConfig = to_object(cfg)
    for name, figure in train(config).items():
        sys.stdout.write(f"{name:40} {figure['value']:8.3f}   ({figure['low']:.3f} to {figure['high']:.3f})\n")


register()
if __name__ == "__main__":
    main()
