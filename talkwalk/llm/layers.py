"""Which layers of a language model are run, and which of them is read where.

The last layers of a causal language model turn what was understood into the next token. What is wanted is told better
some layers earlier, and what single words mean earlier still (for layers of encoders: Tenney et al. 2019, arXiv
1905.05950; figures for this project in LOG.md). The layers behind the last one that is read are not run, but in
families whose attention this project does not know, which are read at the same shares of all their layers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

DEPTH = 0.8  # share of a model's layers that is run; the last of them is read after the answer's fixed words
WORDS = 2 / 3  # share of those that is run before a person's words are read


def keep_layers(model: Any, depth: float = DEPTH) -> None:
    """Drop the layers of a transformers model behind a share of them; its final norm stays."""
    config = model.config
    kept = max(1, round(depth * config.num_hidden_layers))
    model.layers = model.layers[:kept]
    config.num_hidden_layers = kept
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:kept]


def words_layer(model: Any) -> int:
    """Number of layers, 1 to all, after which a person's words are read."""
    return max(1, round(WORDS * model.config.num_hidden_layers))


class Tap(threading.local):
    """Takes the states behind one layer, for the thread that listens while it makes a forward pass."""

    _listening = False
    _states: Tensor | None = None

    def put_on(self, layer: nn.Module) -> None:
        """Hear a layer from now on, whenever somebody listens."""
        layer.register_forward_hook(self._take)

    def _take(self, layer: nn.Module, given: Any, output: Any) -> None:
        if self._listening:
            self._states = output if isinstance(output, Tensor) else output[0]

    @contextmanager
    def listen(self) -> Iterator[Callable[[], Tensor]]:
        """Listen to the passes of this thread; gives a function for the last one's states, (batch, tokens, dim)."""
        self._listening = True
        try:
            yield self._heard
        finally:
            self._listening, self._states = False, None

    def _heard(self) -> Tensor:
        if self._states is None:
            raise RuntimeError("the layer has made no forward pass in this thread")
        return self._states
