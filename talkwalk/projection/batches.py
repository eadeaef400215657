"""Turns as batches: whole walks, with steers said from elsewhere and in words between two wordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from talkwalk.config import ContextDropoutConfig
from talkwalk.projection.anchor_swap import Swap
from talkwalk.projection.projection_head import CURRENT
from talkwalk.projection.steps import StepKind
from talkwalk.projection.turns import NONE, TurnTable, said_last

UNALTERED = ContextDropoutConfig(
    drop_turns=0, shuffle_history=0, vary_verbosity=0, swap_anchor=0, mix_wordings=0, retell=0, unheard=0
)


class Moved(NamedTuple):
    """Changes to some rows of a batch.

    Attributes:
        steers: Which rows are steers that are said from another place, increasing, (moved,).
        places: That place and what is wanted there, one entry per moved steer.
        wishes: Which rows are wishes after another item, which want the same from anywhere, (strangers,).
        strangers: Vectors of those items, (strangers, dim).
    """

    steers: np.ndarray
    places: Swap
    wishes: np.ndarray
    strangers: np.ndarray


class Batch:
    """Some walks' turns as tensors.

    Args:
        table: All turns.
        rows: Which of them.
        device: Where the tensors live.
        moved: What is said from elsewhere, if anything.
        states: States to take instead of the table's, (batch, input dim), if any.
    """

    def __init__(
        self,
        table: TurnTable,
        rows: np.ndarray,
        device: torch.device,
        moved: Moved | None = None,
        states: np.ndarray | None = None,
    ) -> None:
        anchors, wanted, items, keys = (a[rows] for a in (table.anchors, table.wanted, table.items, table.item_keys))
        swapped = np.zeros(len(rows), dtype=bool)
        if moved is not None:
            steers = moved.steers
            anchors[steers, CURRENT], wanted[steers], items[steers], keys[steers] = moved.places
            anchors[moved.wishes, CURRENT] = moved.strangers
            swapped[steers] = True
        given = table.states[rows] if states is None else states
        self.states, self.anchors, self.wanted, self.items, self.item_keys, self.swapped = (
            torch.as_tensor(array, device=device) for array in (given, anchors, wanted, items, keys, swapped)
        )
        self.descriptions, self.spread, self.asked, self.without, self.within, self.moves, self.returns = (
            torch.as_tensor(array[rows], device=device)
            for array in (
                table.descriptions, table.spread, table.asked, table.without, table.within, table.moves, table.returns
            )
        )  # fmt: skip
        place = np.full(len(table), NONE)
        place[rows] = np.arange(len(rows))
        self.after, self.before = self._pairs(table.before, rows, place, swapped)
        self.last, self.twin = self._pairs(table.twin, rows, place, swapped)

    def _pairs(
        self, partner: np.ndarray, rows: np.ndarray, place: np.ndarray, swapped: np.ndarray
    ) -> tuple[Tensor, Tensor]:
        """Where the rows that have a partner stand in the batch, and their partners; swapped rows have none."""
        first = np.flatnonzero(partner[rows] != NONE)
        second = place[partner[rows[first]]]
        kept = ~(swapped[first] | swapped[second])
        device = self.states.device
        return torch.as_tensor(first[kept], device=device), torch.as_tensor(second[kept], device=device)


def batches(
    table: TurnTable,
    size: int,
    rng: np.random.Generator,
    device: torch.device,
    swaps: Sequence[Swap] = (),
    context: ContextDropoutConfig = UNALTERED,
) -> Iterator[Batch]:
    """Whole walks with their other endings, `size` walks at a time, in random order.

    A moved steer may also be mixed: its state is drawn towards that of another wording of the same steer (mixup, Zhang
    et al. 2018, arXiv 1710.09412, between inputs of one label), so that what lies between two wordings means the same.
    And any turn may be put into another context: the difference that two contexts made to the state of some other words
    is added to its own, so that few wordings read in many contexts teach what context does to all the others.

    The sentence encoder was adapted to these very words, and knows them better than it will know any others: where it
    is not heard, the head learns to read them from the language model as well (modality dropout, Neverova et al. 2016,
    arXiv 1501.00102).

    Args:
        table: All turns.
        size: Walks per batch.
        rng: Chooses order and swaps.
        device: Where the tensors live.
        swaps: Other places from which each steer could have been said.
        context: How often a steer or a wish is moved (`swap_anchor`), mixed (`mix_wordings`), retold (`retell`) and not
            heard by the sentence encoder (`unheard`).
    """
    by_walk = np.split(np.arange(len(table)), np.flatnonzero(np.diff(table.walk)) + 1)
    elsewhere = _Elsewhere(table, swaps) if swaps else None
    usual = table.states[:, table.sentence].mean(axis=0)
    order = rng.permutation(len(by_walk))
    for start in range(0, len(order), size):
        rows = np.concatenate([by_walk[i] for i in order[start : start + size]])
        moved, states = None, table.states[rows]
        if elsewhere is not None:
            moved = elsewhere.draw(rows, context.swap_anchor, rng)
            states = elsewhere.mixed(rows, moved.steers, context.mix_wordings, rng)
            states = elsewhere.retold(states, context.retell, rng)
        if context.unheard:
            states[rng.random(len(rows)) < context.unheard, table.sentence] = usual
        yield Batch(table, rows, device, moved, states)


class _Elsewhere:
    """Draws places for steers and wishes, and wordings that mean the same.

    Args:
        table: All turns.
        swaps: Places of each steer; at least one.
    """

    def __init__(self, table: TurnTable, swaps: Sequence[Swap]) -> None:
        self._table = table
        self._all = Swap(*(np.concatenate(column) for column in zip(*swaps, strict=True)))
        self._count = np.array([len(swap.item_keys) for swap in swaps])
        self._first = np.cumsum(self._count) - self._count
        self._anywhere = swaps[0].anchors
        self._wish = np.array([step.kind is StepKind.WISH for step in table.steps])
        order = np.argsort(table.swap, kind="stable")  # turns of one steer side by side
        self._alike, self._from = order, np.searchsorted(table.swap[order], np.arange(len(swaps)))
        self._wordings = np.bincount(table.swap[table.swap != NONE], minlength=len(swaps))
        self._same = same_words([said_last(step) for step in table.steps])

    def draw(self, rows: np.ndarray, share: float, rng: np.random.Generator) -> Moved:
        """What of a batch's rows is said from where."""
        chosen = rng.random(len(rows)) < share
        steers = np.flatnonzero(chosen & (self._table.swap[rows] != NONE))
        wishes = np.flatnonzero(chosen & self._wish[rows])
        number = self._table.swap[rows[steers]]
        at = self._first[number] + (rng.random(len(steers)) * self._count[number]).astype(int)
        places = Swap(*(column[at] for column in self._all))
        return Moved(steers, places, wishes, self._anywhere[rng.integers(len(self._anywhere), size=len(wishes))])

    def mixed(self, rows: np.ndarray, steers: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
        """States of the rows, some steers' drawn towards another wording's, (batch, input dim)."""
        some = steers[rng.random(len(steers)) < share]
        number = self._table.swap[rows[some]]
        other = self._alike[self._from[number] + (rng.random(len(some)) * self._wordings[number]).astype(int)]
        states = self._table.states[rows]
        amount = rng.random((len(some), 1)).astype(states.dtype)
        states[some] += amount * (self._table.states[other] - states[some])
        return states

    def retold(self, states: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
        """The states (batch, input dim), some of them as if the words had been said in another context."""
        if share and len(self._same):
            some = np.flatnonzero(rng.random(len(states)) < share)
            here, there = self._same[rng.integers(len(self._same), size=len(some))].T
            states[some] += self._table.states[there] - self._table.states[here]
        return states


def same_words(said: Sequence[str]) -> np.ndarray:
    """Pairs of turns with the same words: each with the next one that has them, the last with the first, (pairs, 2)."""
    turns: dict[str, list[int]] = {}
    for turn, words in enumerate(said):
        turns.setdefault(words, []).append(turn)
    pairs = [
        pair for found in turns.values() if len(found) > 1 for pair in zip(found, [*found[1:], found[0]], strict=True)
    ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
