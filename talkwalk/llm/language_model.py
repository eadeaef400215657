"""Hidden states of a frozen causal language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from talkwalk.llm.models import fingerprint, locate
from talkwalk.llm.prompt_format import READS, Prompt, PromptRenderer


class StateReader(Protocol):
    """Reads one growing conversation."""

    def read(self, prompt: Prompt) -> np.ndarray:
        """State of the prompt's last turn, float32 (dim,)."""
        ...


class HiddenStateBackend(Protocol):
    """Anything that turns prompts into final-norm hidden states of the last layer.

    The state of a turn is the hidden states at both positions of its readout, side by side.
    """

    renderer: PromptRenderer

    @property
    def dim(self) -> int:
        """Length of a state: hidden size times positions in a readout."""
        ...

    @property
    def fingerprint(self) -> str:
        """Identifies weights, tokenizer and quantisation; a head belongs to one fingerprint."""
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
    """

    def __init__(self, model: Any, tokenizer: Any, fingerprint: str) -> None:
        self.model = model.eval().requires_grad_(False)
        self.renderer = PromptRenderer(tokenizer)
        self._fingerprint = fingerprint
        self._pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0

    @classmethod
    def load(cls, name: str, *, device: str | torch.device = "cpu", four_bit: bool = False) -> LanguageModel:
        """Load a model by name, folder or Hub id, in bf16 where the hardware computes it, else float32.

        Args:
            name: See `talkwalk.llm.models.locate`.
            device: Torch device.
            four_bit: Quantise the weights to NF4 with bitsandbytes (CUDA); changes the fingerprint.
        """
        from transformers import AutoModel, AutoTokenizer, BitsAndBytesConfig
        from transformers.utils import logging as transformers_logging

        folder, device = locate(name), torch.device(device)
        options: dict[str, Any] = {"dtype": compute_dtype(device), "attn_implementation": "sdpa"}
        if four_bit:
            options["quantization_config"] = BitsAndBytesConfig(
                load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
            )
        transformers_logging.disable_progress_bar()
        model = AutoModel.from_pretrained(folder, **options).to(device)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        return cls(model, tokenizer, fingerprint(folder) + ("-nf4" if four_bit else ""))

    @property
    def dim(self) -> int:
        return READS * int(self.model.config.hidden_size)

    @property
    def fingerprint(self) -> str:
        return f"{self._fingerprint}-{self.renderer.format.fingerprint()}"

    @torch.inference_mode()
    def states(self, prompts: Sequence[Prompt]) -> list[np.ndarray]:
        """One padded forward pass; causal attention gives every turn's state at once."""
        longest = max(len(p.ids) for p in prompts)
        ids = torch.full((len(prompts), longest), self._pad)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):  # right padding: positions need no correction
            ids[row, : len(prompt.ids)] = torch.tensor(prompt.ids)
            mask[row, : len(prompt.ids)] = 1
        device = self.model.device
        hidden = self.model(
            input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False
        ).last_hidden_state  # (prompts, longest, dim)
        return [hidden[row, p.readouts].flatten(1).float().cpu().numpy() for row, p in enumerate(prompts)]

    def reader(self) -> IncrementalReader:
        """A reader that feeds only what is new since the last call."""
        return IncrementalReader(self.model)


class IncrementalReader:
    """The key-value cache of one conversation.

    Prompts that continue the last one cost their new tokens; any other prompt keeps the common beginning.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._ids: list[int] = []
        self._cache: Any = None

    @torch.inference_mode()
    def read(self, prompt: Prompt) -> np.ndarray:
        """State of the prompt's last turn, float32 (dim,)."""
        ids, readout = prompt.ids, prompt.readouts[-1]
        keep = min(_common(self._ids, ids), readout.said)  # what is to be read must be fed
        self._crop(keep)
        new = torch.tensor([ids[keep:]], device=self._model.device)
        self._ids = []  # an interruption inside the forward pass must not leave ids that the cache does not hold
        output = self._model(input_ids=new, cache=self._cache, use_cache=True)
        self._ids = list(ids)
        state: Tensor = output.last_hidden_state[0, [position - keep for position in readout]]
        return state.flatten().float().cpu().numpy()

    def _crop(self, keep: int) -> None:
        from transformers import DynamicCache

        held = self._cache.get_seq_length() if self._cache is not None and self._ids else 0
        if held == 0 or keep == 0:
            self._cache = DynamicCache(config=self._model.config)
        elif keep < held:
            self._cache.crop(keep - held)  # a negative count removes from the end in every transformers 5


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of the common beginning."""
    for position, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return position
    return min(len(first), len(second))


def compute_dtype(device: torch.device) -> torch.dtype:
    """bf16 where the hardware computes it, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "cpu":
        return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32
    return torch.float32
