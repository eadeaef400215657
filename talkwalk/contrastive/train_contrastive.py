"""Phase 1: learn the space. `make train-contrastive`, or `python -m talkwalk.contrastive.train_contrastive`."""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import hydra
import numpy as np
import pandas as pd
import torch
from omegaconf import DictConfig
from torch import Tensor
from tqdm import tqdm

from talkwalk.checkpoint import BestEpoch, load_checkpoint, run_settings, save_checkpoint
from talkwalk.config import CONFIG_DIR, ContrastiveConfig, register, to_object
from talkwalk.contrastive.dataset import Pair, PairKind, featurize_pairs
from talkwalk.contrastive.descriptions import Descriptions, copy_descriptions, load_descriptions
from talkwalk.contrastive.hard_negatives import alter_one
from talkwalk.contrastive.holdout import item_rows
from talkwalk.contrastive.infonce_loss import SymmetricInfoNCE, info_nce
from talkwalk.contrastive.mixture import heldout_pairs, texts, training_pairs
from talkwalk.contrastive.neighbours import draw_neighbours, neighbour_loss
from talkwalk.contrastive.processes import Processes
from talkwalk.contrastive.sampler import DistinctBatches
from talkwalk.contrastive.smoothing import move_along, ordered_columns, parallel_loss, smoothing_loss
from talkwalk.contrastive.space import Space
from talkwalk.contrastive.tastes import Tastes, taste_batch, taste_loss, tastes_of, training_ratings
from talkwalk.contrastive.text_encoder import SentenceEncoder, clause_table
from talkwalk.contrastive.validation import axis_reports, top1
from talkwalk.datasets.resolve import open_for_training
from talkwalk.files import atomic_folder, write_json
from talkwalk.index.catalog import Catalog
from talkwalk.modules import SHORT, has_bf16, pick_device, shorten
from talkwalk.runlog import RunLog, summary
from talkwalk.schema import Schema
from talkwalk.splits import JUDGED, SALT, Split

log = logging.getLogger(__name__)
AMONG = 1000  # R@1 depends on how many pairs there are: it is also told among these
ENOUGH = 100  # wordings held back, below which an epoch would be chosen by chance
PLAIN = (PairKind.ITEM, PairKind.USER, PairKind.BOTH)


class ValidationSet(NamedTuple):
    """Pairs of held-out rows in held-out words, by which training is stopped.

    Attributes:
        features: Metadata of every pair, (pairs, input width).
        texts: Their words.
    """

    features: np.ndarray
    texts: list[str]


class TrainingSet(NamedTuple):
    """Everything that a step reads, in memory.

    Attributes:
        features: Metadata of every pair, (pairs, input width).
        clauses: Frozen embedding of every distinct clause, (clauses + 1, sentence dim).
        words: The clauses themselves, row 0 of `clauses` left out.
        plain: Whether a pair's words tell all of its metadata and nothing else, (pairs,).
        texts: Clauses of every pair's text as rows of `clauses`, (pairs, 64), 0 for none.
        rows: Whole items, which smoothing moves, (items, input width).
        tastes: Who liked what, if anybody did.
        batches: Batches without false negatives.
        valid: What is held out for stopping.
        fingerprint: Of the catalogue, the words and the split.
    """

    features: Tensor
    clauses: Tensor
    words: Sequence[str]
    plain: Tensor
    texts: Tensor
    rows: Tensor
    tastes: Tastes | None
    batches: DistinctBatches
    valid: ValidationSet
    fingerprint: str


def prepare(
    catalog: Catalog, descriptions: Descriptions, space: Space, config: ContrastiveConfig, seed: int
) -> TrainingSet:
    """Draw the pairs of one seed and embed their text."""
    device, rng = pick_device(config.device), np.random.default_rng(seed)
    pairs = training_pairs(catalog, descriptions, config, rng)
    log.info("%d training pairs", len(pairs))
    table = clause_table(texts(pairs), space.sentences, show_progress=True)
    items = space.schema.featurize(items=item_rows(catalog, config.holdout, Split.TRAIN)).joined()
    held = validation_pairs(catalog, descriptions, config, rng)
    tastes = tastes_of(training_ratings(catalog, config.holdout), catalog, rng) if config.affinity else None
    return TrainingSet(
        torch.from_numpy(featurize_pairs(pairs, space.schema)).to(device),
        torch.from_numpy(table.vectors).to(device),
        table.words,
        torch.tensor([pair.kind in PLAIN for pair in pairs], device=device),
        torch.from_numpy(table.rows).to(device),
        torch.from_numpy(items).to(device),
        tastes.to(device) if tastes is not None else None,
        DistinctBatches(texts(pairs), [pair.key for pair in pairs], config.batch_size),
        ValidationSet(featurize_pairs(held, space.schema), texts(held)),
        fingerprint_of(catalog, descriptions),
    )


def validation_pairs(
    catalog: Catalog, descriptions: Descriptions, config: ContrastiveConfig, rng: np.random.Generator
) -> list[Pair]:
    """What the best epoch is chosen by; nothing where a small domain holds back too few wordings for a fair choice."""
    share = descriptions.part(Split.VALID, test=config.holdout.wordings, valid=config.holdout.valid)
    if len(set(share.all_wordings())) < ENOUGH:
        log.info("fewer than %d wordings are held back for validation: the last epoch is kept", ENOUGH)
        return []
    return heldout_pairs(
        catalog, descriptions, config.holdout, rng, wordings=Split.VALID, rows=Split.VALID, count=config.valid_pairs
    )


def losses(
    space: Space, contrast: SymmetricInfoNCE, data: TrainingSet, batch: list[int], config: ContrastiveConfig,
    draws: Draws, processes: Processes,
) -> dict[str, Tensor]:  # fmt: skip
    """Every loss of one batch, unweighted: this process's share of it, drawn as all others draw it."""
    altered = [alter_one(data.features[batch], space.schema, draws.torch) for _ in range(config.hard_negatives)]
    mine = processes.share(len(batch))
    own, copies, said = data.features[batch][mine], [copy[mine] for copy in altered], data.texts[batch][mine]
    some = data.rows[torch.randint(len(data.rows), (config.smoothing_rows,), generator=draws.torch)]
    with torch.autocast(own.device.type, torch.bfloat16, enabled=config.mixed_precision and has_bf16(own.device)):
        rows, *others = space.metadata(torch.cat([own, *copies])).split(len(own))
        words = space.text(clause_vectors(space, data, said[said > 0], config), (said > 0).nonzero()[:, 0], len(said))
        terms = movement_terms(space, some, draws)
        if config.neighbours:
            terms["neighbours"] = neighbour_term(space, data.rows, config, draws)
    terms["match"] = contrast(rows, words)
    if others:
        temperature, plain = 1 / contrast.scale.item(), data.plain[batch].float()
        each = info_nce(words, rows, torch.stack(others, dim=1), temperature=temperature, reduction="none")
        # the mean over the plain pairs of the whole batch, of which this process has a share
        terms["hard"] = (each * plain[mine]).sum() * processes.count / plain.sum().clamp(min=1)
    if data.tastes is not None:
        likes = taste_batch(data.tastes, config.affinity_likes, config.affinity_items, draws.numpy)
        terms["affinity"] = taste_loss(space.metadata, likes, temperature=config.affinity_temperature)
    return terms


def movement_terms(space: Space, rows: Tensor, draws: Draws) -> dict[str, Tensor]:
    """How evenly and how alike rows (n, input width) move along the ordered axes, if there are any."""
    if not draws.columns:
        return {}
    moves = move_along(space.metadata, rows, draws.columns, draws.torch)
    return {"smooth": smoothing_loss(moves), "parallel": parallel_loss(moves)}


def neighbour_term(space: Space, rows: Tensor, config: ContrastiveConfig, draws: Draws) -> Tensor:
    """How far the order of neighbours is from that of metadata, among some of `rows` (items, input width)."""
    drawn = draw_neighbours(
        rows, space.schema, wanted=config.neighbours_wanted, items=config.neighbours_items, generator=draws.torch
    )
    return neighbour_loss(
        space.metadata, drawn, space.schema, nearness=config.nearness, temperature=config.neighbours_temperature
    )


class Draws(NamedTuple):
    """What is drawn anew in every epoch, alike in every process.

    Attributes:
        torch: Draws changes of tensors.
        numpy: Draws rows.
        columns: Axes that smoothing moves along.
    """

    torch: torch.Generator
    numpy: np.random.Generator
    columns: list[tuple[int, int]]


def clause_vectors(space: Space, data: TrainingSet, rows: Tensor, config: ContrastiveConfig) -> Tensor:
    """Embeddings of some clauses, (clauses, sentence dim), with gradients where the sentence encoder learns.

    Args:
        space: Has the sentence encoder.
        data: Has the clauses.
        rows: Which of `data.clauses`, from 1, (clauses,).
        config: Says whether it learns.
    """
    if not config.unfreeze:
        return data.clauses[rows]
    distinct, where = torch.unique(rows, return_inverse=True)
    return space.sentences.embed([data.words[row - 1] for row in distinct.tolist()])[where]


def fit(space: Space, data: TrainingSet, config: ContrastiveConfig, seed: int, folder: Path) -> None:
    """Train both encoders in place; an interrupted run continues after its last whole epoch, to the same losses.

    Started by torchrun, every process trains on its share of every batch. The best epoch on validation is kept.
    """
    device = pick_device(config.device)
    processes = Processes.join(device)
    contrast = SymmetricInfoNCE(processes)
    modules = torch.nn.ModuleList([space.metadata, space.text, contrast]).to(device)
    groups: list[dict[str, Any]] = [{"params": list(modules.parameters()), "lr": config.lr}]
    if config.unfreeze:
        modules.append(space.sentences.unfreeze(device))
        groups.append({"params": list(space.sentences.model.parameters()), "lr": config.unfreeze_lr})
    optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=config.epochs)
    best = BestEpoch()
    parts = {"modules": modules, "optimizer": optimizer, "scheduler": scheduler, "best": best}
    weight = {"match": 1.0, "hard": config.hard, "smooth": config.smoothing, "parallel": config.parallel,
              "neighbours": config.neighbours, "affinity": config.affinity}  # fmt: skip
    columns, settings = ordered_columns(space.schema), run_settings(asdict(config), data.fingerprint)
    start = load_checkpoint(folder, parts, settings) if config.resume else 0
    with RunLog(folder, active=processes.writes) as run:
        for epoch in range(start, config.epochs):
            if best.is_over(epoch - 1, config.patience):
                break
            # dropout; per epoch, so that a resumed run draws the same, and in every process its own
            torch.manual_seed(seed * 100_003 + epoch + 1_000_003 * processes.rank)
            draws = Draws(
                torch.Generator().manual_seed(seed * 100_003 + epoch), np.random.default_rng([seed, epoch]), columns
            )
            modules.train()
            history: dict[str, list[float]] = {}
            batches = data.batches.epoch(draws.numpy.spawn(1)[0])
            for batch in tqdm(batches, f"epoch {epoch + 1}/{config.epochs}", unit="batch", leave=False):
                terms = losses(space, contrast, data, batch, config, draws, processes)
                loss = torch.stack([weight[name] * term for name, term in terms.items()]).sum()
                optimizer.zero_grad()
                loss.backward()
                processes.average_gradients(modules)
                optimizer.step()
                for name, term in terms.items():
                    history.setdefault(name, []).append(term.item())
            if not history:
                raise ValueError(
                    f"batch_size must be smaller, got {config.batch_size}: no batch of distinct pairs is full"
                )
            scheduler.step()
            score = processes.agree(validate(space, modules, data.valid))
            best.update(score, epoch, modules)
            run.log(epoch, valid_r1=score, temperature=1 / contrast.scale.item(),
                    **{name: float(np.mean(values)) for name, values in history.items()})  # fmt: skip
            if processes.writes:
                save_checkpoint(folder, parts, epoch + 1, settings)
    best.restore(modules)
    modules.eval()


def validate(space: Space, modules: torch.nn.Module, valid: ValidationSet) -> float:
    """Share of the validation texts that are nearest to their own metadata."""
    if not valid.texts:
        return 0.0
    modules.eval()
    return float(top1(space.encode_text(valid.texts), space.metadata.encode(valid.features)).mean())


def evaluate(
    space: Space, catalog: Catalog, descriptions: Descriptions, config: ContrastiveConfig, seed: int
) -> dict[str, float]:
    """Figures on held-out items, users and wordings."""
    space.metadata.cpu().eval()
    space.text.cpu().eval()
    figures: dict[str, float] = {}
    for name, wordings, part in JUDGED:
        rng = np.random.default_rng(seed)
        pairs = heldout_pairs(
            catalog, descriptions, config.holdout, rng, wordings=wordings, rows=part, count=config.test_pairs
        )
        if not pairs:
            log.warning("%s: nothing is held out, no figure", name)
            continue
        figures[f"pairs_{name}"] = len(pairs)
        figures[f"text_to_metadata_r1_{name}"] = float(text_to_metadata(space, pairs).mean())
        if len(pairs) > AMONG:
            fewer = [pairs[i] for i in np.linspace(0, len(pairs) - 1, AMONG).astype(int)]  # of every kind its share
            figures[f"text_to_metadata_r1_among_{AMONG}_{name}"] = float(text_to_metadata(space, fewer).mean())
    held = item_rows(catalog, config.holdout, Split.TEST)
    if not held:
        log.warning("no item is held out, no figures of the axes")
        return figures
    rows = space.schema.featurize(items=held).joined()
    for axis, report in axis_reports(space.metadata.encode, rows, space.schema).items():
        figures |= {f"{axis}_{name}": value for name, value in report._asdict().items()}
    return figures


def text_to_metadata(space: Space, pairs: list[Pair]) -> np.ndarray:
    """Per pair, whether its words are nearest to its own metadata among all of `pairs`."""
    vectors = space.metadata.encode(featurize_pairs(pairs, space.schema))
    return top1(space.encode_text(texts(pairs)), vectors)


def train(config: ContrastiveConfig) -> dict[str, dict[str, float]]:
    """Train once per seed; the first seed's space becomes `out/space`, the figures `out/metrics.json`.

    Of several processes, all train and the first one writes.
    """
    processes = Processes.join(pick_device(config.device))
    with processes.first_alone():
        catalog = open_for_training(config.catalog)
    descriptions = load_descriptions(config.descriptions, catalog.schema)
    out, runs = Path(config.out), []
    for seed in config.seeds:
        space = fresh_space(catalog.schema, config, seed)
        with processes.first_alone():
            data = prepare(catalog, descriptions, space, config, seed)
        fit(space, data, config, seed, out / f"seed-{seed}")
        for network in (space.metadata, space.text):
            shorten(network, SHORT)
        runs.append(evaluate(space, catalog, descriptions, config, seed))
        log.info("seed %d: %s", seed, {name: round(value, 3) for name, value in runs[-1].items()})
        if seed == config.seeds[0] and processes.writes:
            with atomic_folder(out / "space") as folder:
                space.save(folder)
                write_json(folder / "contrastive_config.json", asdict(config))
                copy_descriptions(config.descriptions, catalog.schema.domain, folder / "descriptions")
    figures = summary(runs)
    if processes.writes:
        write_json(out / "metrics.json", figures)
        write_json(out / "space" / "contrastive_metrics.json", figures)
    return figures


def fingerprint_of(catalog: Catalog, descriptions: Descriptions) -> str:
    """Hash of everything that is trained on: items, people, what they did, words, and how all is split."""
    parts = [SALT, catalog.fingerprint(), repr(descriptions), catalog.users.to_json()]
    if catalog.interactions is not None:
        parts.append(pd.util.hash_pandas_object(catalog.interactions, index=False).to_numpy().tobytes().hex())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def fresh_space(schema: Schema, config: ContrastiveConfig, seed: int) -> Space:
    """Untrained encoders, drawn by the seed; the sentence encoder as published, whatever another seed made of it."""
    torch.manual_seed(seed)
    sentences = SentenceEncoder(config.text_encoder)
    shape = {
        "dim": config.dim,
        "hidden": list(config.hidden),
        "sentence_dim": sentences.dim,
        "text_hidden": config.text_hidden,
        "topics": config.topics,
        "text_dropout": config.text_dropout,
    }
    return Space.build(schema, sentences, shape)


@hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name="contrastive")
def main(cfg: DictConfig) -> None:
    """Train with the composed config and print the figures."""
    config: ContrastiveConfig = to_object(cfg)
    for name, figure in train(config).items():
        sys.stdout.write(f"{name:40} {figure['value']:8.3f}   ({figure['low']:.3f} to {figure['high']:.3f})\n")


register()
if __name__ == "__main__":
    main()
