"""The five losses of the projection, as functions of unit vectors.

Target similarity, directional steering, anchor reconstruction, conversation delta, and context dropout (which alters
the conversation instead of adding a term); beside them the contrast with the other items of the batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from talkwalk.config import ContextDropoutConfig
from talkwalk.llm.conversation import Conversation
from talkwalk.llm.prompt_text import Verbosity
from talkwalk.projection.movements import Moves
from talkwalk.projection.projection_head import Projected, Said
from talkwalk.projection.spreads import LEVELS


def target_similarity(projected: Tensor, wanted: Tensor) -> Tensor:
    """Loss 1, mean of 1 - cos(projected, wanted); both (batch, dim)."""
    return (1 - F.cosine_similarity(projected, wanted, dim=-1)).mean()


def directional(steered: Tensor, base: Tensor, steered_wanted: Tensor, base_wanted: Tensor) -> Tensor:
    """Loss 2, mean of 1 - cos(movement of the projection, movement of what was wanted); all (pairs, dim).

    Rows of `steered` and `base` come from conversations that differ in their last utterance only.
    """
    return (1 - F.cosine_similarity(steered - base, steered_wanted - base_wanted, dim=-1)).mean()


def reconstruction(decoded: Tensor, description: Tensor) -> Tensor:
    """Loss 3, mean of 1 - cos(decoder(projected), sentence embedding of the wanted metadata's description)."""
    return (1 - F.cosine_similarity(decoded, description, dim=-1)).mean()


def conversation_delta(
    before: Tensor, after: Tensor, item_before: Tensor, item_after: Tensor, *, margin: float
) -> Tensor:
    """Loss 4, mean hinge: each turn's projection is nearer to its own item than to the other turn's, by `margin`.

    Args:
        before: Projections of the earlier turns, (pairs, dim).
        after: Projections of the turns right after them, (pairs, dim).
        item_before: Items of the earlier turns, (pairs, dim).
        item_after: Items of the later turns, (pairs, dim).
        margin: Wanted difference of cosines.
    """
    right, wrong = F.cosine_similarity(after, item_after), F.cosine_similarity(after, item_before)
    right_before, wrong_before = (
        F.cosine_similarity(before, item_before),
        F.cosine_similarity(before, item_after),
    )
    return (F.relu(margin - right + wrong) + F.relu(margin - right_before + wrong_before)).mean() / 2


def in_batch_items(projected: Tensor, items: Tensor, item_keys: Tensor, *, temperature: float) -> Tensor:
    """Cross-entropy of each projection against the items of the whole batch (InfoNCE, van den Oord et al. 2018).

    Args:
        projected: Unit vectors, (batch, dim).
        items: Unit vectors of the target items, (batch, dim); row i belongs to row i.
        item_keys: Equal keys mark equal items, which are no negatives of each other, (batch,).
        temperature: Softmax temperature.
    """
    logits = projected @ items.T / temperature  # (batch, batch)
    same = (item_keys[:, None] == item_keys[None, :]) & ~torch.eye(len(items), dtype=torch.bool, device=items.device)
    return F.cross_entropy(logits.masked_fill(same, float("-inf")), torch.arange(len(items), device=items.device))


def wanted_spread(spreads: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy of the spread that the words ask for.

    Args:
        spreads: Logits of `spreads.LEVELS`, (batch, levels).
        wanted: Asked spread, -1 to 1, 0 where nothing is said of it; counts as the nearest level, (batch,).
    """
    levels = torch.tensor(LEVELS, device=wanted.device)
    return F.cross_entropy(spreads, (wanted[:, None] - levels).abs().argmin(dim=1))


def going_back(returns: Tensor, wanted: Tensor) -> Tensor:
    """Binary cross-entropy of going back to each earlier place, summed over the places; both (batch, places)."""
    return F.binary_cross_entropy_with_logits(returns, wanted, reduction="sum") / len(returns)


def named_categories(asked: Tensor, without: Tensor, wanted: Tensor, refused: Tensor) -> Tensor:
    """Binary cross-entropy of every category being asked for or refused, summed over the categories.

    Args:
        asked: Logits, (batch, categories).
        without: Logits, (batch, categories).
        wanted: 1.0 where the words ask for the category, (batch, categories).
        refused: 1.0 where they refuse it, (batch, categories).
    """
    logits, labels = torch.cat([asked, without], dim=1), torch.cat([wanted, refused], dim=1)
    return F.binary_cross_entropy_with_logits(logits, labels, reduction="sum") / len(logits)


def named_ranges(within: Tensor, wanted: Tensor) -> Tensor:
    """Binary cross-entropy of every range being asked for, summed over the ranges; both (batch, ranges)."""
    return F.binary_cross_entropy_with_logits(within, wanted, reduction="sum") / len(within)


def asked_moves(moves: Moves, scale: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy of the side of every axis, and of the amount where it moves; summed over axes, mean over turns.

    Args:
        moves: As read from the words.
        scale: Movement that belongs to each grade, on the attributes' [0, 1] scales, (grades,).
        wanted: Asked movement, (batch, axes); NaN, where the words name a place and no movement, counts as none.
    """
    asked = wanted.nan_to_num()
    side = torch.sign(asked).long() + 1  # an index of `SIDES`
    grade = (asked.abs()[..., None] - scale).abs().argmin(dim=-1)
    which = F.cross_entropy(moves.sides.flatten(0, 1), side.flatten(), reduction="sum")
    moved = asked != 0
    return (which + F.cross_entropy(moves.grades[moved], grade[moved], reduction="sum")) / len(wanted)


class Wanted(Protocol):
    """What turns ask for, as tensors: see `labels.Labels`."""

    @property
    def spread(self) -> Tensor: ...
    @property
    def asked(self) -> Tensor: ...
    @property
    def without(self) -> Tensor: ...
    @property
    def within(self) -> Tensor: ...
    @property
    def moves(self) -> Tensor: ...
    @property
    def returns(self) -> Tensor: ...


def intent_terms(read: Said | Projected, scale: Tensor, labels: Wanted) -> dict[str, Tensor]:
    """The losses of what words ask for besides a place, by their names in `LossWeights`.

    Args:
        read: What was made of the words.
        scale: Movement that belongs to each grade, (grades,).
        labels: What they ask for.
    """
    return {
        "spread": wanted_spread(read.spreads, labels.spread),
        "moves": asked_moves(read.moves, scale, labels.moves),
        "returns": going_back(read.returns, labels.returns),
        "within": named_ranges(read.within, labels.within),
        "named": named_categories(read.asked, read.without, labels.asked, labels.without),
    }


@dataclasses.dataclass(frozen=True, slots=True)
class ContextDrop:
    """How one conversation's context is altered before the language model reads it.

    Attributes:
        first_turn: Earlier turns are dropped.
        history_order: Order in which the consumed items are told; the last one stays last.
        verbosity: How much is told of each item.
    """

    first_turn: int
    history_order: tuple[int, ...]
    verbosity: Verbosity


def context_dropout(turns: int, history: int, config: ContextDropoutConfig, rng: np.random.Generator) -> ContextDrop:
    """Loss 5: draw how a conversation of `turns` turns and `history` consumed items is altered."""
    first = int(rng.integers(0, turns)) if rng.random() < config.drop_turns else 0
    order = list(range(history))
    if history > 2 and rng.random() < config.shuffle_history:
        order = [*rng.permutation(history - 1).tolist(), history - 1]
    vary = rng.random() < config.vary_verbosity
    verbosity = list(Verbosity)[int(rng.integers(len(Verbosity)))] if vary else Verbosity.NORMAL
    return ContextDrop(first, tuple(order), verbosity)


def drop_turns(conversation: Conversation, first_turn: int) -> Conversation:
    """The conversation from `first_turn` on; the system text stays."""
    return dataclasses.replace(conversation, exchanges=conversation.exchanges[first_turn:])


def no_context_drop(history: Sequence[str]) -> ContextDrop:
    """What the engine shows: everything, in order, at normal verbosity."""
    return ContextDrop(0, tuple(range(len(history))), Verbosity.NORMAL)
