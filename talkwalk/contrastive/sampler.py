"""Batches without false negatives."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np


class DistinctBatches:
    """Batches of indices in which no two pairs share their text or their metadata.

    Pairs that would repeat something wait for a later batch; what no full batch can hold is left for the next epoch.

    Args:
        texts: Text key of every pair.
        metadata: Metadata key of every pair.
        batch_size: Size of every batch.
    """

    def __init__(self, texts: Sequence[str], metadata: Sequence[str], batch_size: int) -> None:
        if len(texts) != len(metadata):
            raise ValueError(f"texts and metadata must have equal length, got {len(texts)} and {len(metadata)}")
        if batch_size < 2:
            raise ValueError(f"batch_size must be at least 2, got {batch_size}")
        self.texts, self.metadata, self.batch_size = texts, metadata, batch_size

    def epoch(self, rng: np.random.Generator) -> Iterator[list[int]]:
        """The batches of one pass in an order drawn by `rng`."""
        queue = deque(rng.permutation(len(self.texts)).tolist())
        while True:
            batch, waiting = _Batch(), []
            while queue and len(batch.indices) < self.batch_size:
                index = queue.popleft()
                if not batch.take(index, self.texts[index], self.metadata[index]):
                    waiting.append(index)
            if len(batch.indices) < self.batch_size:
                return
            yield batch.indices
            queue.extendleft(reversed(waiting))


class _Batch:
    """Indices that share nothing."""

    def __init__(self) -> None:
        self.indices: list[int] = []
        self._texts: set[str] = set()
        self._metadata: set[str] = set()

    def take(self, index: int, text: str, metadata: str) -> bool:
        """Add the pair unless its text or metadata is here already; says whether it was added."""
        if text in self._texts or metadata in self._metadata:
            return False
        self.indices.append(index)
        self._texts.add(text)
        self._metadata.add(metadata)
        return True
