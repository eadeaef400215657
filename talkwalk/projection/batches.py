"""Turns as batches: whole walks, with steers said from elsewhere and in words between two wordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from talkwalk.projection.anchor_swap import Swap
from talkwalk.projection.projection_head import CURRENT
from talkwalk.projection.steps import StepKind
from talkwalk.projection.turns import NONE, TurnTable


class Place(NamedTuple):
    """One of the places of a swap."""

    swap: Swap
    at: int


class Batch:
    """Some walks' turns as tensors.

    Args:
        table: All turns.
        rows: Which of them.
        device: Where the tensors live.
        places: Per row of the batch the place that a steer is moved to, or None.
        strangers: Per row of the batch another anchor for a wish, which wants the same from anywhere, or None.
        others: Per row of the batch a turn whose words mean the same, or the row itself.
        shares: How much of that turn's state is taken, (batch,).
    """

    def __init__(
        self,
        table: TurnTable,
        rows: np.ndarray,
        device: torch.device,
        places: Sequence[Place | None] = (),
        strangers: Sequence[np.ndarray | None] = (),
        others: np.ndarray | None = None,
        shares: np.ndarray | None = None,
    ) -> None:
        states = table.states[rows]
        if others is not None and shares is not None:
            states = states + shares[:, None].astype(np.float32) * (table.states[others] - states)
        position = {int(row): i for i, row in enumerate(rows)}
        anchors, wanted, items, keys = (a[rows] for a in (table.anchors, table.wanted, table.items, table.item_keys))
        swapped = np.zeros(len(rows), dtype=bool)
        for i, place in enumerate(places):
            if place is not None:
                swap, at = place
                anchors[i, CURRENT], wanted[i], items[i], keys[i] = (column[at] for column in swap)
                swapped[i] = True
        for i, stranger in enumerate(strangers):
            if stranger is not None:
                anchors[i, CURRENT] = stranger
        self.states, self.anchors, self.wanted, self.items, self.item_keys, self.descriptions, self.swapped = (
            torch.as_tensor(array, device=device)
            for array in (states, anchors, wanted, items, keys, table.descriptions[rows], swapped)
        )
        self.spread, self.asked, self.without = (
            torch.as_tensor(array[rows], device=device) for array in (table.spread, table.asked, table.without)
        )
        self.after, self.before = self._pairs(table.before, rows, position, swapped)
        self.last, self.twin = self._pairs(table.twin, rows, position, swapped)

    def _pairs(
        self, partner: np.ndarray, rows: np.ndarray, position: dict[int, int], swapped: np.ndarray
    ) -> tuple[Tensor, Tensor]:
        """Where the rows that have a partner stand in the batch, and their partners; swapped rows have none."""
        found = [(position[int(r)], position[int(partner[r])]) for r in rows if partner[r] != NONE]
        kept = [pair for pair in found if not swapped[list(pair)].any()]
        first, second = np.array(kept, dtype=np.int64).reshape(-1, 2).T
        return torch.as_tensor(first, device=self.states.device), torch.as_tensor(second, device=self.states.device)


def batches(
    table: TurnTable,
    size: int,
    rng: np.random.Generator,
    device: torch.device,
    swaps: Sequence[Swap] = (),
    share: float = 0.0,
    mix: float = 0.0,
) -> Iterator[Batch]:
    """Whole walks with their twins, `size` walks at a time, in random order.

    A moved steer may also be mixed: its state is drawn towards that of another wording of the same steer (mixup, Zhang
    et al. 2018, arXiv 1710.09412, between inputs of one label), so that what lies between two wordings means the same.

    Args:
        table: All turns.
        size: Walks per batch.
        rng: Chooses order and swaps.
        device: Where the tensors live.
        swaps: Other places from which each steer could have been said.
        share: Probability that a steer or a wish is moved.
        mix: Probability that a moved steer is mixed with another wording.
    """
    alike = [np.flatnonzero(table.swap == number) for number in range(len(swaps))]
    by_walk = np.split(np.arange(len(table)), np.flatnonzero(np.diff(table.walk)) + 1)
    order = rng.permutation(len(by_walk))
    for start in range(0, len(order), size):
        rows = np.concatenate([by_walk[i] for i in order[start : start + size]])
        places: list[Place | None] = [
            Place(swaps[number], int(rng.integers(len(swaps[number].item_keys))))
            if swaps and number != NONE and rng.random() < share
            else None
            for number in table.swap[rows]
        ]
        strangers = [
            swaps[0].anchors[int(rng.integers(len(swaps[0].anchors)))]
            if swaps and table.steps[row].kind is StepKind.WISH and rng.random() < share
            else None
            for row in rows
        ]
        others = np.array(
            [rng.choice(alike[table.swap[row]]) if place is not None and rng.random() < mix else row
             for row, place in zip(rows, places, strict=True)]
        )  # fmt: skip
        yield Batch(table, rows, device, places, strangers, others, rng.random(len(rows)))
