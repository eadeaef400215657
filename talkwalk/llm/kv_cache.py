"""Keys and values of one conversation, in one buffer that grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

STEP = 256  # tokens; a buffer grows by whole steps, so that a turn rarely copies what is there


@dataclass(frozen=True, slots=True)
class CacheShape:
    """What the keys of one token take: one (heads, width) matrix per layer, and the same for its values."""

    layers: int
    heads: int
    width: int
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(cls, model: Any) -> CacheShape:
        """The shape that a transformers model needs."""
        config = model.config
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return cls(config.num_hidden_layers, config.num_key_value_heads, width, model.dtype, model.device)


class KeyValues:
    """What a conversation's tokens left in every layer.

    Attributes:
        ids: The tokens.
        buffer: Keys and values, (layers, 2, heads, capacity, width); filled up to `len(ids)`.
    """

    def __init__(self, shape: CacheShape) -> None:
        self.ids: list[int] = []
        self._shape = shape
        self.buffer = self._empty(0)

    def __repr__(self) -> str:
        return f"KeyValues({len(self.ids)} tokens, {self.nbytes:,} bytes)"

    @property
    def nbytes(self) -> int:
        """Bytes that the buffer takes, its free room included."""
        return self.buffer.nbytes

    def reserve(self, tokens: int) -> None:
        """Make room for `tokens` tokens in all."""
        if tokens > self.buffer.shape[3]:
            grown = self._empty(-(-tokens // STEP) * STEP)
            held = len(self.ids)
            grown[:, :, :, :held] = self.buffer[:, :, :, :held]
            self.buffer = grown

    def crop(self, keep: int) -> None:
        """Forget all but the first `keep` tokens; costs nothing."""
        del self.ids[keep:]

    def beginning(self, keep: int) -> KeyValues:
        """A copy of the first `keep` tokens."""
        copy = KeyValues(self._shape)
        copy.reserve(keep)
        copy.ids = self.ids[:keep]
        copy.buffer[:, :, :, :keep] = self.buffer[:, :, :, :keep]
        return copy

    def _empty(self, capacity: int) -> Tensor:
        s = self._shape
        return torch.empty((s.layers, 2, s.heads, capacity, s.width), dtype=s.dtype, device=s.device)


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of the common beginning."""
    for position, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return position
    return min(len(first), len(second))
