"""The same words, said from somewhere else: what a steer means must not depend on where it was said.

Part of context dropout (loss 5). The hidden state of "something older" was read after one item; with another item as
anchor, the person would have wanted that item, older. Training on both teaches the head to take *what* from the words
and *where* from the anchor. Wanted metadata of every (steer, item) is encoded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from talkwalk.contrastive.space import Space
from talkwalk.index.metadata_distance import MetadataTable
from talkwalk.projection.steps import Step, StepKind
from talkwalk.projection.walks import Walker
from talkwalk.schema import Row

CANDIDATES = 200  # items that each kind of steer may be moved to
FEW = 6  # the same of several steers in one sentence, which hardly ever come twice
MOVABLE = (
    StepKind.DIRECTION, StepKind.KEEP, StepKind.SWITCH, StepKind.MORE, StepKind.LESS, StepKind.SEVERAL, StepKind.VARIETY
)  # fmt: skip


class Swap(NamedTuple):
    """Other places from which one steer could have been said.

    Attributes:
        anchors: Vectors of items, (places, dim).
        wanted: Vectors of what the steer would want there, (places, dim).
        items: Vectors of the nearest items to that, (places, dim).
        item_keys: Row of each of those items in the catalogue, (places,).
    """

    anchors: np.ndarray
    wanted: np.ndarray
    items: np.ndarray
    item_keys: np.ndarray


class AnchorSwaps:
    """The places of every steer that occurs in a list of steps.

    Args:
        walker: Knows the items and what a steer wants of each.
        space: Encodes wanted metadata.
        rng: Chooses the places.
    """

    def __init__(self, walker: Walker, space: Space, rng: np.random.Generator) -> None:
        self._walker, self._space, self._rng = walker, space, rng
        catalog = walker.catalog
        self._row = {item_id: i for i, item_id in enumerate(catalog.ids)}
        self._vectors = space.encode_items(catalog.items)
        self._table = MetadataTable(catalog.schema, catalog.items)
        self._allowed = np.array([self._row[i] for i in walker.ids])
        self._swaps: list[Swap] = []
        self._numbers: dict[tuple[Any, ...], int] = {}

    def number(self, step: Step) -> int:
        """Which of `swaps` belongs to a step; -1 for a step that means something only where it was said."""
        if step.kind not in MOVABLE:
            return -1
        key = step.meaning
        if key not in self._numbers:
            self._numbers[key] = self._add(step)
        return self._numbers[key]

    @property
    def swaps(self) -> Sequence[Swap]:
        """The places, by number."""
        return self._swaps

    def _add(self, step: Step) -> int:
        wanted: list[Row] = []
        places: list[int] = []
        most = FEW if step.kind is StepKind.SEVERAL else CANDIDATES
        for row in self._rng.permutation(self._allowed)[: 4 * CANDIDATES]:
            if len(places) == most:
                break
            there = self._walker.asking.steered(self._walker.row(int(row)), step)
            if there is not None:
                wanted.append(there)
                places.append(int(row))
        if not places:
            return -1
        hidden = np.isin(self._allowed, [self._row[i] for i in self._walker.hidden(step)])
        targets = [self._nearest(w, place, hidden) for w, place in zip(wanted, places, strict=True)]
        vectors = self._vectors
        self._swaps.append(Swap(vectors[places], self._space.encode_items(wanted), vectors[targets], np.array(targets)))
        return len(self._swaps) - 1

    def _nearest(self, wanted: Row, place: int, hidden: np.ndarray) -> int:
        """Catalogue row of the allowed item nearest to wanted metadata, the place and what is `hidden` left out."""
        distances = self._table.distances(wanted)[self._allowed]
        alone = self._allowed == place
        distances[alone | (hidden if not hidden[~alone].all() else False)] = np.inf
        return int(self._allowed[np.argmin(distances)])
