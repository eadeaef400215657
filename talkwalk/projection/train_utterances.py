"""Before the head: the sentence encoder learns what people ask for, from their words alone.

The language model's state is read slowly and the same few thousand conversations must do; words alone are read fast,
and drawing more of them costs nothing. What is learned here is one of the things that the head reads of a turn.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from talkwalk.checkpoint import load_checkpoint, run_settings, save_checkpoint
from talkwalk.config import LossWeights, UtterancesConfig
from talkwalk.contrastive.adapted_sentences import AdaptedSentences
from talkwalk.contrastive.space import Space
from talkwalk.projection.introductions import introductions
from talkwalk.projection.labels import Labels, labels_of
from talkwalk.projection.losses import intent_terms
from talkwalk.projection.projection_head import Intent
from talkwalk.projection.steps import Step, StepKind, grade_amounts
from talkwalk.projection.walks import Walker
from talkwalk.runlog import RunLog

SAID = {
    StepKind.WISH: 0.16,
    StepKind.DIRECTION: 0.36,
    StepKind.KEEP: 0.06,
    StepKind.SWITCH: 0.06,
    StepKind.MORE: 0.04,
    StepKind.LESS: 0.07,
    StepKind.SEVERAL: 0.12,
    StepKind.VARIETY: 0.08,
    StepKind.STAY: 0.01,
    StepKind.BACK: 0.02,
    StepKind.FIRST: 0.02,
    StepKind.BETWEEN: 0.01,
    StepKind.NEXT: 0.01,
}  # how often an utterance asks for what; what has many wordings comes often
INTRODUCED = 0.03  # share of the utterances in which people first say what they like
POOL = 32  # batches whose utterances are sorted by length, so that little is padded
GAIN = 10.0  # of the unit vectors, so that their entries are about as large as other inputs of a layer


def draw_utterances(walker: Walker, count: int, rng: np.random.Generator) -> list[Step]:
    """`count` things that people may say in front of random items, with what they ask for."""
    kinds, shares = list(SAID), np.array(list(SAID.values()))
    steps = [walk.steps[0] for walk in introductions(walker, int(INTRODUCED * count), rng)]
    while len(steps) < count:
        kind = kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))]
        step = walker.said(kind, rng)
        if step is not None:
            steps.append(step)
    return steps


class Reader(nn.Module):
    """What a sentence embedding says of the words' intent; only training uses it.

    Args:
        dim: Width of the embedding.
        space: Knows categories, ranges and axes.
        plain: Movement of a plain "more" or "less", on an attribute's [0, 1] scale.
        hidden: Width of the hidden layer.
    """

    def __init__(self, dim: int, space: Space, plain: float, hidden: int = 512) -> None:
        super().__init__()
        schema = space.schema
        self.trunk = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(0.1))
        self.intent = Intent(hidden, len(schema.category_values), len(schema.ordered), len(space.ranges))
        self.intent.moves.scale.copy_(torch.tensor(grade_amounts(plain)))

    def terms(self, embeddings: Tensor, mentions: Tensor, labels: Labels) -> dict[str, Tensor]:
        """Losses of embeddings (batch, dim) that name categories (batch, places * categories)."""
        return intent_terms(self.intent(self.trunk(GAIN * embeddings), mentions), self.intent.moves.scale, labels)


def fit_utterances(
    space: Space, walker: Walker, config: UtterancesConfig, weights: LossWeights, folder: Path, *,
    seed: int, device: torch.device, resume: bool = True,
) -> AdaptedSentences:  # fmt: skip
    """The space's sentence encoder, adapted; an interrupted run continues after its last whole epoch."""
    own = dataclasses.replace(walker)  # which deals its own wordings: what walks say does not depend on it
    steps = draw_utterances(own, config.count, np.random.default_rng(seed))
    labels = labels_of(steps, space, walker.config.step)
    words = [step.utterance for step in steps]
    torch.manual_seed(seed)
    adapted = AdaptedSentences(space.sentences, config.rank, cache=folder)
    reader = Reader(int(space.shape["sentence_dim"]), space, walker.config.step).to(device)
    additions = adapted.learn(device)
    optimizer = torch.optim.AdamW(
        [{"params": additions, "lr": config.lr}, {"params": reader.parameters(), "lr": config.reader_lr}]
    )
    count = -(-len(words) // config.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [config.lr, config.reader_lr], total_steps=count * config.epochs, pct_start=0.1,
        anneal_strategy="linear",
    )  # fmt: skip
    parts = {"additions": nn.ParameterList(additions), "reader": reader, "optimizer": optimizer, "schedule": schedule}
    weight = dataclasses.asdict(weights)
    told = {**dataclasses.asdict(config), "seed": seed, "weights": weight, "base": space.sentences.cache_name()}
    settings = run_settings(told, fingerprint(words, labels))
    start = load_checkpoint(folder, parts, settings) if resume else 0
    with RunLog(folder) as run:
        for epoch in range(start, config.epochs):
            torch.manual_seed(seed * 100_003 + epoch)
            reader.train()
            losses: list[float] = []
            for rows in tqdm(batches(words, config.batch_size, np.random.default_rng([seed, epoch])), "words", count):
                mentions = torch.as_tensor(space.mentions.find([words[i] for i in rows]), device=device)
                asked = Labels(*(torch.as_tensor(column[rows], device=device) for column in labels))
                with torch.autocast(device.type, torch.bfloat16):  # 1.6 times as fast where processors know it
                    read = adapted.embed([words[i] for i in rows])
                terms = reader.terms(read.float(), mentions, asked)
                loss = torch.stack([weight[name] * term for name, term in terms.items()]).sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                losses.append(loss.item())
            run.log(epoch, loss=float(np.mean(losses)))
            save_checkpoint(folder, parts, epoch + 1, settings)
    adapted.freeze()
    return adapted


def batches(words: Sequence[str], size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Rows of all words, `size` of about the same length at a time, in random order."""
    order = rng.permutation(len(words))
    for start in range(0, len(order), POOL * size):
        pool = sorted(order[start : start + POOL * size].tolist(), key=lambda row: len(words[row]))
        parts = [np.array(pool[i : i + size]) for i in range(0, len(pool), size)]
        yield from (parts[i] for i in rng.permutation(len(parts)))


def fingerprint(words: Sequence[str], labels: Labels) -> str:
    """Hash of what is said and what it asks for."""
    digest = hashlib.sha256("\n".join(words).encode())
    for column in labels:
        digest.update(column.tobytes())
    return digest.hexdigest()[:16]
