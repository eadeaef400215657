"""Before the head: the sentence encoder learns what people ask for, from their words alone.

The language model's state is read slowly and the same few thousand conversations must do; words alone are read fast,
and drawing more of them costs nothing. What is learned here is one of the things that the head reads of a turn.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from talkwalk.checkpoint import load_checkpoint, run_settings, save_checkpoint
from talkwalk.config import LossWeights, UtterancesConfig
from talkwalk.contrastive.adapted_sentences import AdaptedSentences
from talkwalk.contrastive.space import Space
from talkwalk.files import read_json
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


def draw_utterances(
    walker: Walker, count: int, rng: np.random.Generator, *, only_directions: bool = False
) -> list[Step]:
    """`count` things that people may say in front of random items, with what they ask for.

    Args:
        walker: Says them.
        count: Number of utterances.
        rng: Draws them.
        only_directions: Draw nothing but movements along an attribute, instead of the usual mixture.
    """
    kinds, shares = list(SAID), np.array(list(SAID.values()))
    if only_directions:
        shares = np.array([float(kind is StepKind.DIRECTION) for kind in kinds])
    shares /= shares.sum()
    introduced = 0 if only_directions else int(INTRODUCED * count)
    steps = [walk.steps[0] for walk in introductions(walker, introduced, rng)]
    while len(steps) < count:
        kind = kinds[int(rng.choice(len(kinds), p=shares))]
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
        self.plain = plain
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
    """The space's sentence encoder, adapted; an interrupted run continues after its last whole epoch.

    Directions, which have thousands of wordings where the rest has frames, are learned too late beside all else that
    people say: they may be read alone before. An encoder that begins with a bundle's additions knows most already.

    Raises:
        ValueError: If `config.start` has no additions, or some of another rank or of another encoder.
    """
    own = dataclasses.replace(walker)  # which deals its own wordings: what walks say does not depend on it
    torch.manual_seed(seed)
    adapted = starting_encoder(space, config, folder)
    if not config.epochs:
        return adapted
    reader = Reader(int(space.shape["sentence_dim"]), space, walker.config.step).to(device)
    learning = Learning(adapted, reader, adapted.learn(device), space, asdict(weights), device)
    told = {key: value for key, value in asdict(config).items() if key not in ("directions", "start")}
    told |= {"seed": seed, "weights": asdict(weights), "base": space.sentences.cache_name()}
    if config.start:
        told["start"] = learning.fingerprint()  # what it begins with, wherever that lies
    if config.directions and any(map(own.asking.directed, own.language.directions)):
        first = draw_utterances(own, config.directions, np.random.default_rng([seed, 2]), only_directions=True)
        learning.read(first, config, 1, folder / "directions", told, seed=seed, resume=resume)
        told |= {"directions": config.directions, "learned": learning.fingerprint()}
    mixture = draw_utterances(own, config.count, np.random.default_rng(seed))
    learning.read(mixture, config, config.epochs, folder, told, seed=seed, resume=resume)
    adapted.freeze()
    return adapted


def starting_encoder(space: Space, config: UtterancesConfig, folder: Path) -> AdaptedSentences:
    """The space's sentence encoder with untrained additions, or with those that the config starts from."""
    if not config.start:
        return AdaptedSentences(space.sentences, config.rank, cache=folder)
    start = Path(config.start)
    started = AdaptedSentences.load(start, space.sentences, folder)
    if started is None:
        raise ValueError(f"utterances.start must be a bundle with adapted sentences, got {config.start!r}")
    base = read_json(start / "space.json").get("text_encoder")
    if space.sentences.learned or base != space.sentences.name:
        own = "one that learned" if space.sentences.learned else repr(space.sentences.name)
        raise ValueError(f"utterances.start must be of the space's sentence encoder, {own}, got {base!r}")
    if started.rank != config.rank:
        raise ValueError(f"utterances.rank must be {started.rank} as in {config.start}, got {config.rank}")
    return started


@dataclass
class Learning:
    """An encoder and its reader while they learn.

    Attributes:
        adapted: The encoder.
        reader: What reads its embeddings.
        additions: What the encoder learns.
        space: Finds what is named, and knows what is meant.
        weights: Of the losses, by name.
        device: Where all that is computed.
    """

    adapted: AdaptedSentences
    reader: Reader
    additions: list[nn.Parameter]
    space: Space
    weights: Mapping[str, float]
    device: torch.device

    def read(
        self, steps: Sequence[Step], config: UtterancesConfig, epochs: int, folder: Path, told: Mapping[str, Any], *,
        seed: int, resume: bool,
    ) -> None:  # fmt: skip
        """Learn from `steps`, each read `epochs` times, with the learning rate rising and falling once."""
        labels = labels_of(steps, self.space, self.reader.plain)
        words = [step.utterance for step in steps]
        optimizer = torch.optim.AdamW(
            [{"params": self.additions, "lr": config.lr}, {"params": self.reader.parameters(), "lr": config.reader_lr}],
            fused=True,
        )
        count = -(-len(words) // config.batch_size)
        total = max(count * epochs, 2)  # a rise of less than two steps would divide by zero
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, [config.lr, config.reader_lr], total_steps=total, pct_start=max(0.1, 2 / total),
            anneal_strategy="linear",
        )  # fmt: skip
        parts = {
            "additions": nn.ParameterList(self.additions), "reader": self.reader, "optimizer": optimizer,
            "schedule": schedule,
        }  # fmt: skip
        settings = run_settings(dict(told), fingerprint(words, labels))
        start = load_checkpoint(folder, parts, settings) if resume else 0
        if start == epochs:
            return
        tokens, mentions = self.adapted.tokens(words), self.space.mentions.find(words)
        with RunLog(folder) as run:
            for epoch in range(start, epochs):
                torch.manual_seed(seed * 100_003 + epoch)
                self.reader.train()
                losses: list[float] = []
                dealt = batches(words, config.batch_size, np.random.default_rng([seed, epoch]))
                for rows in tqdm(dealt, "words", count):
                    asked = Labels(*(column[rows] for column in labels))
                    loss = self.loss([tokens[i] for i in rows], mentions[rows], asked)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    schedule.step()
                    losses.append(loss.item())
                run.log(epoch, loss=float(np.mean(losses)))
                save_checkpoint(folder, parts, epoch + 1, settings)

    def fingerprint(self) -> str:
        """Hash of the additions as they are now."""
        return hashlib.sha256(b"".join(a.detach().cpu().numpy().tobytes() for a in self.additions)).hexdigest()

    def loss(self, tokens: Sequence[Sequence[int]], mentions: np.ndarray, labels: Labels) -> Tensor:
        """All losses of a batch of words, as tokens, with what they name and what they ask for; weighted."""
        named = torch.as_tensor(mentions, device=self.device)
        asked = Labels(*(torch.as_tensor(column, device=self.device) for column in labels))
        with torch.autocast(self.device.type, torch.bfloat16):  # 1.6 times as fast where processors know it
            read = self.adapted.embed_tokens(tokens)
        terms = self.reader.terms(read.float(), named, asked)
        return torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()


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
