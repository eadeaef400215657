"""Hidden states of a frozen causal language model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch

from talkwalk.llm import packed
from talkwalk.llm.cache_store import LIMIT
from talkwalk.llm.cores import Cores, fit_threads
from talkwalk.llm.layers import DEPTH, keep_layers, words_layer
from talkwalk.llm.models import fingerprint, locate
from talkwalk.llm.prompt_format import READS, Prompt, PromptRenderer
from talkwalk.llm.readers import PlainReader, SharedReading
from talkwalk.llm.shared_beginnings import Tree, new_tokens, trees


class StateReader(Protocol):
    """Reads one growing conversation."""

    def read(self, prompt: Prompt) -> np.ndarray:
        """State of the prompt's last turn, float32 (dim,)."""
        ...


class HiddenStateBackend(Protocol):
    """Anything that turns prompts into hidden states.

    The state of a turn is what `Readout.of` reads: the words' mean state behind a middle layer, and the final-norm
    state after the answer's fixed words, side by side.
    """

    renderer: PromptRenderer

    @property
    def dim(self) -> int:
        """Length of a state: hidden size times the vectors that are read."""
        ...

    @property
    def shares_beginnings(self) -> bool:
        """Whether a common beginning of conversations that are given together is read once; else rows are padded."""
        ...

    @property
    def fingerprint(self) -> str:
        """Identifies weights, tokenizer, quantisation and what is read; a head belongs to one fingerprint."""
        ...

    def states(self, prompts: Sequence[Prompt]) -> list[np.ndarray]:
        """States of every turn, float32 (turns, dim) per prompt."""
        ...

    def reader(self) -> StateReader:
        """A fresh reader for one session."""
        ...


class LanguageModel:
    """A frozen transformers model without its output layer.

    Args:
        model: As made by `AutoModel`.
        tokenizer: Its tokenizer.
        fingerprint: Identifies weights, tokenizer and quantisation.
        cache_bytes: Bytes for the caches of conversations that are waiting for their person.

    Attributes:
        reading: Where conversations are read together; None for a family whose attention is read one by one.
    """

    def __init__(self, model: Any, tokenizer: Any, fingerprint: str, *, cache_bytes: int = LIMIT) -> None:
        self.model = model.eval().requires_grad_(False)
        self._cores = Cores(model.device)
        self.reading: SharedReading | None = None
        if packed.can_pack(model):
            packed.prepare(model)
            self.reading = SharedReading(model, self._cores, limit=cache_bytes)
        self.renderer = PromptRenderer(tokenizer)
        self._fingerprint = fingerprint
        self._pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0

    @classmethod
    def load(
        cls,
        name: str,
        *,
        device: str | torch.device = "cpu",
        four_bit: bool = False,
        cache_bytes: int = LIMIT,
        depth: float = DEPTH,
    ) -> LanguageModel:
        """Load a model by name, folder or Hub id, in bf16 where the hardware computes it, else float32.

        On a CPU, torch's number of threads is taken down to the cores that this process may use.

        Args:
            name: See `talkwalk.llm.models.locate`.
            device: Torch device.
            four_bit: Quantise the weights to NF4 with bitsandbytes (CUDA); changes the fingerprint.
            cache_bytes: Bytes for the caches of conversations that are waiting for their person.
            depth: Share of the layers that is run (all for families that are read one by one), see `llm.layers`.
        """
        from transformers import AutoModel, AutoTokenizer, BitsAndBytesConfig
        from transformers.utils import logging as transformers_logging

        folder, device = locate(name), torch.device(device)
        options: dict[str, Any] = {"dtype": compute_dtype(device), "attn_implementation": "sdpa"}
        if four_bit:
            options["quantization_config"] = BitsAndBytesConfig(
                load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
            )
        if device.type == "cpu":
            fit_threads()
        transformers_logging.disable_progress_bar()
        model = AutoModel.from_pretrained(folder, **options)
        if packed.can_pack(model):
            keep_layers(model, depth)
        model = model.to(device)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        return cls(model, tokenizer, fingerprint(folder) + ("-nf4" if four_bit else ""), cache_bytes=cache_bytes)

    @property
    def dim(self) -> int:
        return READS * int(self.model.config.hidden_size)

    @property
    def shares_beginnings(self) -> bool:
        return self.reading is not None

    @property
    def fingerprint(self) -> str:
        read = f"{words_layer(self.model)}.{self.model.config.num_hidden_layers}"
        return f"{self._fingerprint}-{self.renderer.format.fingerprint()}-{read}"

    def states(self, prompts: Sequence[Prompt]) -> list[np.ndarray]:
        """One forward pass; causal attention gives every turn's state at once."""
        if self.reading is None:
            return self._padded_states(prompts)
        groups = trees(prompts)
        sizes = [new_tokens(tree, prompts) for tree in groups]
        read = self._cores.spread(partial(self._tree_states, prompts), groups, sizes)
        by_number = {
            b.number: s for tree, states in zip(groups, read, strict=True) for b, s in zip(tree, states, strict=True)
        }
        return [by_number[number] for number in range(len(prompts))]

    def _tree_states(self, prompts: Sequence[Prompt], groups: Sequence[Tree]) -> list[list[np.ndarray]]:
        """States of every turn of every conversation of some trees."""
        pieces: list[packed.Piece] = []
        for tree in groups:
            first = len(pieces)
            for number, held, turns in tree:
                ids, readouts = prompts[number]
                stem = packed.Stem(first, held) if held else None
                pieces.append(packed.Piece(ids[held:], [r.after(held) for r in readouts[turns:]], stem=stem))
        read = iter(packed.forward(self.model, pieces))
        found = []
        for tree in groups:
            own = [next(read).cpu().numpy() for _ in tree]
            found.append([np.concatenate([own[0][: b.turns], states]) for b, states in zip(tree, own, strict=True)])
        return found

    @torch.inference_mode()
    def _padded_states(self, prompts: Sequence[Prompt]) -> list[np.ndarray]:
        longest = max(len(p.ids) for p in prompts)
        ids = torch.full((len(prompts), longest), self._pad)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):  # right padding: positions need no correction
            ids[row, : len(prompt.ids)] = torch.tensor(prompt.ids)
            mask[row, : len(prompt.ids)] = 1
        device = self.model.device
        output = self.model(
            input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False, output_hidden_states=True
        )
        words, last = output.hidden_states[words_layer(self.model)], output.last_hidden_state
        return [
            torch.stack([readout.of(words[row], last[row]) for readout in prompt.readouts]).cpu().numpy()
            for row, prompt in enumerate(prompts)
        ]

    def reader(self) -> StateReader:
        """A reader that feeds only what is new since the last call."""
        return self.reading.reader() if self.reading is not None else PlainReader(self.model)


def compute_dtype(device: torch.device) -> torch.dtype:
    """bf16 where the hardware computes it, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "cpu":
        return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32
    return torch.float32
