"""Unseen simulated conversations, read in one batch and judged as in training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from talkwalk.config import HoldoutConfig, WalksConfig
from talkwalk.contrastive.descriptions import Descriptions
from talkwalk.engine.recommender import Recommender
from talkwalk.eval.intervals import Interval, bootstrap, bootstrap_mean, point
from talkwalk.index.metadata_distance import MetadataTable
from talkwalk.projection import losses
from talkwalk.projection.projection_head import CURRENT
from talkwalk.projection.steering_language import SteeringLanguage
from talkwalk.projection.turns import TurnTable, TurnTables
from talkwalk.projection.validation import CHANGES, Movement, TurnFigures, turn_figures
from talkwalk.projection.walks import StepKind, Walk, Walker, draw_walks, profiles
from talkwalk.splits import Split

TEXT_WEIGHT = 2.0  # of the words against the last item, for the rival without a language model


class Words(NamedTuple):
    """What people say: wordings of one split."""

    descriptions: Descriptions
    language: SteeringLanguage


@dataclass(frozen=True, slots=True)
class Unseen:
    """What training kept for testing, and how conversations are drawn.

    Attributes:
        holdout: The bundle's shares.
        walks: The bundle's walks.
        words: Wordings by name: "trained_wordings", "unseen_wordings".
    """

    holdout: HoldoutConfig
    walks: WalksConfig
    words: Mapping[str, Words]


def split_words(descriptions: Descriptions, language: SteeringLanguage, holdout: HoldoutConfig) -> dict[str, Words]:
    """Trained and unseen wordings, split by the bundle's own hash."""
    test, valid = holdout.wordings, holdout.valid
    return {
        name: Words(descriptions.part(split, test=test, valid=valid), language.part(split, test=test, valid=valid))
        for name, split in (("trained_wordings", Split.TRAIN), ("unseen_wordings", Split.TEST))
    }


def unseen_walks(
    recommender: Recommender, words: Words, unseen: Unseen, count: int, rng: np.random.Generator
) -> list[Walk]:
    """Conversations of people that training did not see, over all items."""
    walker = Walker(recommender.catalog, words.descriptions, words.language, unseen.walks)
    return draw_walks(walker, profiles(recommender.catalog, unseen.holdout, Split.TEST), count, rng)


def read_walks(recommender: Recommender, words: Words, walks: list[Walk], rng: np.random.Generator) -> TurnTable:
    """Every turn of the walks, through the language model in one batch."""
    tables = TurnTables(recommender.bundle.space, recommender.catalog, words.descriptions, recommender.backend)
    return tables.build(walks, [losses.no_context_drop(walk.history) for walk in walks], rng)


@torch.inference_mode()
def head_positions(recommender: Recommender, states: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Where the bundle's head puts every turn, (turns, dim)."""
    head = recommender.bundle.head
    return np.asarray(head(torch.as_tensor(states), torch.as_tensor(anchors)).positions.numpy())


def without_llm(recommender: Recommender, table: TurnTable) -> np.ndarray:
    """The rival without a language model: last item (or profile) plus twice the embedded words, (turns, dim)."""
    said = recommender.encode_text([step.utterance for step in table.steps])
    total = table.anchors[:, CURRENT] + TEXT_WEIGHT * said
    return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12))


def outcomes(recommender: Recommender, table: TurnTable, *, k: int) -> dict[str, TurnFigures]:
    """The head, the rival without a language model, and the oracle (the wanted metadata, encoded)."""
    items = recommender.index.vectors(recommender.catalog.ids)
    positions = {
        "talkwalk": head_positions(recommender, table.states, table.anchors),
        "no_llm": without_llm(recommender, table),
        "oracle": table.wanted,
    }
    return {name: turn_figures(place, table, recommender.catalog, items, k) for name, place in positions.items()}


def turn_intervals(outcome: TurnFigures, size: int, *, k: int, seed: int) -> dict[str, Interval]:
    """Every figure of DESIGN, section 6, over turns; those without turns are left out.

    Args:
        outcome: Judged turns.
        size: Items in the catalogue.
        k: Length of the answers.
        seed: Of the bootstrap.
    """
    moved = outcome.movement
    named = {
        f"r{k}": outcome.hit10,
        "top1": outcome.hit1,
        f"wish_r{k}": outcome.wish10,
        "direction": moved.direction,
        "on_axis": moved.on_axis,
        "off_axis": moved.off_axis,
        "switch_share": outcome.switched,
        f"back_r{k}": outcome.returned,
    }
    figures = {name: bootstrap_mean(values, seed=seed) for name, values in named.items() if len(values)}
    if len(moved.on_axis):
        figures["precision"] = bootstrap(
            lambda chosen: Movement(moved.on_axis[chosen], moved.off_axis[chosen]).precision,
            len(moved.on_axis),
            seed=seed,
        )
    figures["coverage"] = point(len(np.unique(outcome.shown)) / size, len(outcome.shown))
    return figures


def oracle_shares(outcome: TurnFigures, oracle: TurnFigures, *, k: int, seed: int) -> dict[str, Interval]:
    """Direction, precision and R@k as shares of the oracle's on the same turns."""
    ours, best = outcome.movement, oracle.movement
    shares: dict[str, Interval] = {}
    for name, mine, theirs in ((f"r{k}", outcome.hit10, oracle.hit10), ("direction", ours.direction, best.direction)):
        if len(theirs) and theirs.any():
            shares[name] = bootstrap(_MeanRatio(mine, theirs), len(mine), seed=seed)
    if len(best.on_axis) and best.precision > 0:
        shares["precision"] = bootstrap(
            lambda chosen: _precision(ours, chosen) / max(_precision(best, chosen), 1e-12), len(best.on_axis), seed=seed
        )
    return shares


class _MeanRatio:
    """mean(mine) / mean(theirs) over chosen units."""

    def __init__(self, mine: np.ndarray, theirs: np.ndarray) -> None:
        self.mine, self.theirs = mine, theirs

    def __call__(self, chosen: np.ndarray) -> float:
        return float(self.mine[chosen].mean() / max(self.theirs[chosen].mean(), 1e-12))


def _precision(moved: Movement, chosen: np.ndarray) -> float:
    return Movement(moved.on_axis[chosen], moved.off_axis[chosen]).precision


class FirstTurns(NamedTuple):
    """Rows of a table that open a conversation with a wish and no history, and how far every item is from the wish.

    Attributes:
        rows: Rows of the table, (turns,).
        distances: Metadata distance of every item, (turns, items).
    """

    rows: np.ndarray
    distances: np.ndarray


def first_turns(recommender: Recommender, table: TurnTable) -> FirstTurns:
    """The first turns of people without history."""
    metadata = MetadataTable(recommender.catalog.schema, recommender.catalog.items)
    rows = [i for i, step in enumerate(table.steps) if step.kind is StepKind.WISH and not table.seen[i]]
    distances = [metadata.distances(table.steps[i].wanted) for i in rows]
    return FirstTurns(np.array(rows, dtype=int), np.array(distances).reshape(len(rows), len(recommender.catalog)))


def changes(table: TurnTable) -> np.ndarray:
    """Rows that ask for a direction or a category, whose wanted item is one, (rows,)."""
    return np.array([i for i, step in enumerate(table.steps) if step.kind in CHANGES], dtype=int)
