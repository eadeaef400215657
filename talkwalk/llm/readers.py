"""Readers of growing conversations: a turn costs its new tokens."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from talkwalk.llm import packed
from talkwalk.llm.batching import BatchQueue
from talkwalk.llm.cache_store import LIMIT, CacheStore
from talkwalk.llm.cores import Cores
from talkwalk.llm.kv_cache import CacheShape, KeyValues, common
from talkwalk.llm.layers import words_layer
from talkwalk.llm.prompt_format import Prompt

TOKENS_PER_PASS = 8192


class Request(NamedTuple):
    """A conversation's key in the store, and its prompt now."""

    key: int
    prompt: Prompt


class _Work(NamedTuple):
    """A request with its cache, cropped to what stays, and what is to be computed."""

    request: Request
    cache: KeyValues
    piece: packed.Piece
    known: bool  # some of its beginning was in a cache


class SharedReading:
    """Reads the turns of many conversations, those that arrive together in one pass.

    Args:
        model: A transformers model for which `packed.can_pack` holds.
        cores: Shares a batch out.
        limit: Bytes for the caches of conversations that are waiting for their person.
    """

    def __init__(self, model: Any, cores: Cores, *, limit: int = LIMIT) -> None:
        self._model, self._cores = model, cores
        self._shape = CacheShape.of(model)
        self.store = CacheStore(limit)
        self._queue: BatchQueue[Request, np.ndarray] = BatchQueue(self._run)

    def reader(self) -> CachedReader:
        """A reader for one more conversation."""
        return CachedReader(self)

    def read(self, request: Request) -> np.ndarray:
        """State of the prompt's last turn, float32 (dim,)."""
        return self._queue.ask(request)

    def _run(self, requests: Sequence[Request]) -> list[np.ndarray]:
        states = []
        for works in _passes([self._work(request) for request in requests]):
            hidden = self._cores.spread(self._forward, works, [len(w.piece.ids) for w in works])
            for work, read in zip(works, hidden, strict=True):
                if not work.known:
                    self.store.share(work.cache)
                self.store.put(work.request.key, work.cache)
                states.append(read[0].cpu().numpy())
        return states

    def _forward(self, works: Sequence[_Work]) -> list[Tensor]:
        return packed.forward(self._model, [work.piece for work in works])

    def _work(self, request: Request) -> _Work:
        ids, readout = request.prompt.ids, request.prompt.readouts[-1]
        cache = self.store.take(request.key)
        keep = min(common(cache.ids, ids), readout.first) if cache else 0  # what is to be read must be fed
        if cache is None or keep == 0:
            cache = self.store.begin(ids) or KeyValues(self._shape)
            keep = min(len(cache.ids), readout.first)
        cache.crop(keep)
        piece = packed.Piece(ids[keep:], [readout.after(keep)], cache)
        return _Work(request, cache, piece, known=keep > 0)


def _passes(works: Sequence[_Work]) -> Iterator[list[_Work]]:
    """Work in passes of a bounded number of tokens."""
    batch: list[_Work] = []
    for work in works:
        if batch and sum(len(w.piece.ids) for w in (*batch, work)) > TOKENS_PER_PASS:
            yield batch
            batch = []
        batch.append(work)
    if batch:
        yield batch


class CachedReader:
    """One conversation's place in a `SharedReading`; its cache goes when the reader goes.

    Prompts that continue the last one cost their new tokens; any other prompt keeps the common beginning.
    """

    def __init__(self, reading: SharedReading) -> None:
        self._reading, self._key = reading, reading.store.new_key()
        weakref.finalize(self, reading.store.drop, self._key)

    def read(self, prompt: Prompt) -> np.ndarray:
        """State of the prompt's last turn, float32 (dim,)."""
        return self._reading.read(Request(self._key, prompt))


class PlainReader:
    """The same for any transformers model, with its own kind of cache, unbounded and by itself."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._ids: list[int] = []
        self._cache: Any = None

    @torch.inference_mode()
    def read(self, prompt: Prompt) -> np.ndarray:
        """State of the prompt's last turn, float32 (dim,)."""
        ids, readout = prompt.ids, prompt.readouts[-1]
        keep = self._crop(min(common(self._ids, ids), readout.first))
        new = torch.tensor([ids[keep:]], device=self._model.device)
        self._ids = []  # an interruption inside the forward pass must not leave ids that the cache does not hold
        output = self._model(input_ids=new, cache=self._cache, use_cache=True, output_hidden_states=True)
        self._ids = list(ids)
        words, last = output.hidden_states[words_layer(self._model)][0], output.last_hidden_state[0]
        return readout.after(keep).of(words, last).cpu().numpy()

    def _crop(self, keep: int) -> int:
        """Keep the first tokens of the cache, or none where it cannot be cropped; returns how many."""
        from transformers import DynamicCache
        from transformers.cache_utils import DynamicLayer

        held = len(self._ids)
        whole = self._cache is not None and all(type(layer) is DynamicLayer for layer in self._cache.layers)
        if keep == 0 or (keep < held and not whole):  # windows and recurrent states have forgotten what was before
            self._cache = DynamicCache(config=self._model.config)
            return 0
        if keep < held:
            self._cache.crop(keep - held)  # a negative count removes from the end in every transformers 5
        return keep
