"""How a conversation becomes token ids: append-only, one format per family of language models.

Every piece is tokenised by itself and cut at special tokens, so that the ids of a conversation are a true prefix of
the ids of its continuation, whatever the model's own chat template does with earlier turns. Every answer begins with
the same words, which turn "what comes next" into "what was asked for". A turn is read in two places: over what was
said, and at the last of those words.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from talkwalk.llm.conversation import Conversation

READOUT = "Compared with the last one, you want something that is more"


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """The fixed words around system, user and assistant text.

    Attributes:
        name: Family.
        marker: A special token that only this family's tokenizers know.
        start: What every prompt begins with.
        system, user, assistant: What stands before each kind of text.
        end: What closes each kind of text.
    """

    name: str
    marker: str
    start: str
    system: str
    user: str
    assistant: str
    end: str

    def fingerprint(self) -> str:
        """Hash of every fixed word, the readout included."""
        parts = [self.start, self.system, self.user, self.assistant, self.end, READOUT]
        return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:12]


CHATML = PromptFormat(
    "chatml",
    "<|im_start|>",
    "",
    "<|im_start|>system\n",
    "<|im_start|>user\n",
    "<|im_start|>assistant\n",
    "<|im_end|>\n",
)
LLAMA3 = PromptFormat(
    "llama3",
    "<|start_header_id|>",
    "<|begin_of_text|>",
    "<|start_header_id|>system<|end_header_id|>\n\n",
    "<|start_header_id|>user<|end_header_id|>\n\n",
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "<|eot_id|>",
)
PHI3 = PromptFormat("phi3", "<|assistant|>", "", "<|system|>\n", "<|user|>\n", "<|assistant|>\n", "<|end|>\n")
PLAIN = PromptFormat("plain", "", "", "System: ", "User: ", "Assistant: ", "\n")
FORMATS = (CHATML, LLAMA3, PHI3)


def format_of(tokenizer: Any) -> PromptFormat:
    """The format whose marker the tokenizer knows; plain text for a tokenizer that knows none."""
    known = tokenizer.get_vocab()
    return next((f for f in FORMATS if f.marker in known), PLAIN)


READS = 2  # vectors that are read of a turn


class Readout(NamedTuple):
    """Where one turn is read.

    Attributes:
        first: First token of what was said, by the application or the person; the marks between both lie inside.
        said: Last token of what the person said.
        answer: Last token of the answer's fixed words.
    """

    first: int
    said: int
    answer: int

    def after(self, held: int) -> Readout:
        """The same, counted from token number `held`."""
        return Readout(self.first - held, self.said - held, self.answer - held)

    def of(self, words: Tensor, last: Tensor) -> Tensor:
        """What is read of a turn: the mean over what was said, and the state after the fixed words, (2 * dim,).

        Args:
            words: States behind the layer that reads words, (tokens, dim).
            last: States behind the last layer that is run, (tokens, dim).
        """
        mean = words[self.first : self.said + 1].mean(dim=0, dtype=torch.float32)
        return torch.cat([mean, last[self.answer].float()])


class Prompt(NamedTuple):
    """Token ids, and where every turn is read."""

    ids: list[int]
    readouts: list[Readout]


class PromptRenderer:
    """Renders conversations for one tokenizer.

    Args:
        tokenizer: A transformers tokenizer.
        format: The family's fixed words; found by the tokenizer's special tokens when None.
    """

    def __init__(self, tokenizer: Any, format: PromptFormat | None = None) -> None:
        self.tokenizer = tokenizer
        self.format = format or format_of(tokenizer)
        self._ids = lru_cache(maxsize=65_536)(self._tokenize)

    def render(self, conversation: Conversation) -> Prompt:
        """Ids of the whole conversation; it ends at the readout of its last turn, or with that turn's answer."""
        form = self.format
        ids = [*self._ids(form.start), *self._said(form.system, conversation.system)]
        readouts = []
        for exchange in conversation.exchanges:
            first = len(ids) + len(self._ids(form.system if exchange.system else form.user))
            if exchange.system:
                ids += self._said(form.system, exchange.system)
            ids += [*self._ids(form.user), *self._ids(plain(exchange.user))]
            said = len(ids) - 1
            ids += [*self._ids(form.end), *self._ids(form.assistant + READOUT)]
            readouts.append(Readout(min(first, said), said, len(ids) - 1))
            if exchange.answer is not None:
                ids += [*self._ids(": " + plain(exchange.answer)), *self._ids(form.end)]
        return Prompt(ids, readouts)

    def _said(self, opening: str, text: str) -> list[int]:
        return [*self._ids(opening), *self._ids(plain(text)), *self._ids(self.format.end)]

    def _tokenize(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else ()


def plain(text: str) -> str:
    """Text that cannot be taken for a special token, whatever a person types."""
    return text.replace("<|", "< |")
