"""Many conversations in one forward pass, end to end and without padding.

All tokens lie in one row, so that every matrix product sees them together; attention alone looks at one conversation
at a time, with the keys and values that its earlier turns left. No state depends on what else is in the row: on the
CPUs tried, bf16 states are the same to the last bit in whatever company (`benchmarks/turns.py` counts). Only a
beginning that is shared is looked at in another order, which bf16 rounds differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from talkwalk.llm.kv_cache import KeyValues
from talkwalk.llm.layers import Tap, words_layer
from talkwalk.llm.prompt_format import Readout

ATTENTION = "talkwalk_packed"
# The families whose attention is plain softmax over roped keys; others go through their own caches
FAMILIES = ("llama", "mistral", "phi3", "qwen2", "qwen3")


class Stem(NamedTuple):
    """The beginning that a conversation shares with another one of the same row.

    Attributes:
        piece: Number of the other piece, which comes earlier in the row and has neither stem nor cache.
        length: How many of its tokens are the beginning of both.
    """

    piece: int
    length: int


class Piece(NamedTuple):
    """New tokens of one conversation.

    Attributes:
        ids: The tokens.
        readouts: Where turns are read, counted from the first new one.
        cache: Of the tokens before them; takes up the new ones. None for a conversation that does not go on.
        stem: Where the tokens before them are found instead, if another piece has them.
    """

    ids: Sequence[int]
    readouts: Sequence[Readout]
    cache: KeyValues | None = None
    stem: Stem | None = None


class _Segment:
    """Where a piece lies in the row, and what its tokens may look at."""

    def __init__(self, piece: Piece, start: int, before: Sequence[_Segment]) -> None:
        self.cache, self.start, self.new = piece.cache, start, len(piece.ids)
        self.held = len(piece.cache.ids) if piece.cache else 0
        self._stem = slice(0, 0)  # where the shared beginning lies in the row
        if piece.stem is not None:
            self.held, first = piece.stem.length, before[piece.stem.piece].start
            self._stem = slice(first, first + self.held)
        self._masks: dict[tuple[int | None, int], Tensor] = {}

    @property
    def total(self) -> int:
        return self.held + self.new

    @property
    def span(self) -> slice:
        """Of the new tokens in the row."""
        return slice(self.start, self.start + self.new)

    def keys_values(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values of the conversation, (heads, total, width) each; the new ones go into the cache.

        Args:
            layer: Number of the layer.
            key: Of the whole row, (heads, tokens, width).
            value: Likewise.
        """
        if self.cache is not None:
            keys, values = self.cache.buffer[layer, :, :, : self.total]
            keys[:, self.held :], values[:, self.held :] = key[:, self.span], value[:, self.span]
            return keys, values
        if not self.held:
            return key[:, self.span], value[:, self.span]
        keys, values = (torch.cat([each[:, self._stem], each[:, self.span]], dim=1) for each in (key, value))
        return keys, values

    def mask(self, window: int | None, groups: int, like: Tensor) -> Tensor | None:
        """What to add to the scores, (groups * new, total): each token sees itself and what came before.

        None where every token is new, and plain causal attention does.
        """
        if window is not None and window >= self.total:
            window = None
        if self.held == 0 and window is None:
            return None
        if (window, groups) not in self._masks:
            seen = torch.ones(self.new, self.total, dtype=torch.bool, device=like.device).tril(self.held)
            if window is not None:
                seen = seen.triu(self.held - window + 1)
            mask = torch.zeros(self.new, self.total, dtype=like.dtype, device=like.device)
            self._masks[window, groups] = mask.masked_fill_(~seen, -torch.inf).repeat(groups, 1)
        return self._masks[window, groups]


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    segments: Sequence[_Segment] | None = None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """The attention interface of transformers; plain SDPA when the forward pass is not a packed one.

    Args:
        module: The layer's attention.
        query: Roped, (1, heads, tokens, width).
        key: Likewise, (1, key heads, tokens, width).
        value: Likewise.
        attention_mask: For plain SDPA.
        segments: Conversations in the row, set by `forward`.
        scaling: Of the scores.
        sliding_window: Tokens that a token may look back at, itself included; None for all.
        **options: For plain SDPA.
    """
    if segments is None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **options)
    heads, width = query.shape[1], query.shape[3]
    out = query.new_empty(1, query.shape[2], heads, width)
    for s in segments:
        span = s.span
        keys, values = s.keys_values(module.layer_idx, key[0], value[0])  # type: ignore[arg-type]
        groups = heads // len(keys)
        mask = s.mask(sliding_window, groups, query)
        if mask is None:
            attended = F.scaled_dot_product_attention(
                query[:, :, span], keys[None], values[None], scale=scaling, is_causal=True, enable_gqa=groups > 1
            )[0]
        else:  # the queries that share a key head are rows of one matrix: no key is copied
            folded = query[0, :, span].reshape(1, len(keys), groups * s.new, width)
            attended = F.scaled_dot_product_attention(folded, keys[None], values[None], attn_mask=mask, scale=scaling)
            attended = attended.reshape(heads, s.new, width)
        out[0, span] = attended.transpose(0, 1)
    return out, None


def can_pack(model: Any) -> bool:
    """Whether `forward` knows the model's attention."""
    return model.config.model_type in FAMILIES


def prepare(model: Any) -> None:
    """Let the model's attention take packed rows, and its words be read; everything else works as with SDPA."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(ATTENTION, packed_attention)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)
    model.set_attn_implementation(ATTENTION)
    if not hasattr(model, "words"):
        model.words = Tap()
        model.words.put_on(model.layers[words_layer(model) - 1])


@torch.inference_mode()
def forward(model: Any, pieces: Sequence[Piece]) -> list[Tensor]:
    """What is read of each piece's turns, (turns, state dim) per piece; caches take up the new tokens.

    Conversations with one beginning can share it: a piece with a stem looks at the keys that another piece of the same
    row has there, so that the beginning is computed once (a tree of tokens, as in Miao et al. 2023, arXiv 2305.09781).

    Where the pass is interrupted, the caches hold the tokens that they held before.

    Raises:
        RuntimeError: If somebody has given the model another attention since `prepare`.
    """
    attention = model.config._attn_implementation
    if attention != ATTENTION:  # any other would let the conversations look at each other
        raise RuntimeError(f"the model's attention must be {ATTENTION!r}, got {attention!r}")
    segments: list[_Segment] = []
    positions: list[int] = []
    start = 0
    for piece in pieces:
        segments.append(_Segment(piece, start, segments))
        positions += range(segments[-1].held, segments[-1].total)
        start += len(piece.ids)
        if piece.cache is not None:
            piece.cache.reserve(segments[-1].total)
    device = model.device
    with model.words.listen() as heard:
        last = model(
            input_ids=torch.tensor([[i for piece in pieces for i in piece.ids]], device=device),
            position_ids=torch.tensor([positions], device=device),
            attention_mask=torch.empty(1, 1, 1, 1, device=device),  # 4-D: transformers builds no mask of its own
            use_cache=False,
            segments=segments,
        ).last_hidden_state[0]
        words = heard()[0]
    for piece in pieces:
        if piece.cache is not None:
            piece.cache.ids.extend(piece.ids)
    return [
        torch.stack([readout.after(-s.start).of(words, last) for readout in piece.readouts])
        for s, piece in zip(segments, pieces, strict=True)
    ]
