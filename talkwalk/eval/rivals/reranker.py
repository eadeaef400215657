"""The upper-cost rival: a language model reads fifty candidates after the conversation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from talkwalk.eval.system import Answer, Dialogue, Placed, System, Unsuited
from talkwalk.index.catalog import Catalog
from talkwalk.llm.conversation import Conversation, Exchange
from talkwalk.llm.language_model import LanguageModel
from talkwalk.llm.prompt_text import item_text, system_text

CANDIDATES = 50
TOLD = 3  # consumed items that the prompt names, and earlier turns


class Reranker(System):
    """Another system's first fifty, in the order of the language model's log-likelihood of the item's text.

    The text stands where an answer would, after the whole conversation; its log-likelihood is the mean over its tokens,
    so that long titles do not lose. The candidates' scores cost one pass over about fifty times fifteen tokens.

    Args:
        first: Finds the candidates.
        open_model: Opens the language model.
        candidates: How many are read.
    """

    def __init__(self, first: Placed, open_model: Callable[[], LanguageModel], *, candidates: int = CANDIDATES) -> None:
        self.name = "llm_reranker"
        self.first, self._open, self.candidates = first, open_model, candidates

    def fit(self, catalog: Catalog) -> None:
        self.first.fit(catalog)
        self.catalog, self.model = catalog, self._open()
        if not getattr(self.model.model.config, "tie_word_embeddings", False):
            raise Unsuited("the language model was loaded without its output layer, which is not its input layer")
        self._texts = {
            i: item_text(row, catalog.schema) for i, row in zip(catalog.ids, catalog.rows(catalog.ids), strict=True)
        }

    def answer(self, dialogue: Dialogue, k: int) -> Answer:
        found = self.first.answer(dialogue, max(k, self.candidates)).ids
        head, tail = found[: self.candidates], found[self.candidates :]
        likely = self.log_likelihoods(self._prefix(dialogue), [self._texts[i] for i in head])
        order = np.argsort(-likely, kind="stable")
        return Answer((*(head[i] for i in order), *tail)[:k])

    def _prefix(self, dialogue: Dialogue) -> list[int]:
        """Token ids of the conversation up to where the answer's words begin."""
        schema = self.catalog.schema
        told = [
            Exchange(t.text, self._texts[t.shown[0]] if t.shown else "nothing")
            for t in dialogue.turns[-TOLD:]
            if t.text
        ]
        opening = system_text(schema, dialogue.user, [self._texts[i] for i in dialogue.history[-TOLD:]])
        renderer = self.model.renderer
        prompt = renderer.render(Conversation(opening, (*told, Exchange(dialogue.text or " "))))
        # The answer's fixed words serve the head's readout; a plain "assistant:" is where a model names an item.
        said = prompt.readouts[-1].said + 1
        form = renderer.format
        tail = renderer.tokenizer(
            form.end + form.assistant + f"I recommend the {schema.noun}", add_special_tokens=False
        )
        return [*prompt.ids[:said], *tail["input_ids"]]

    @torch.inference_mode()
    def log_likelihoods(self, prefix: list[int], texts: list[str]) -> np.ndarray:
        """Mean log-probability of each text's tokens after the prefix, (texts,)."""
        from transformers import DynamicCache

        model, tokenizer = self.model.model, self.model.renderer.tokenizer
        parts = [tokenizer(": " + text, add_special_tokens=False)["input_ids"] for text in texts]
        longest, pad = max(map(len, parts)), tokenizer.pad_token_id or 0
        ids = torch.tensor([p + [pad] * (longest - len(p)) for p in parts], device=model.device)
        mask = torch.tensor(
            [[1] * (len(prefix) + len(p)) + [0] * (longest - len(p)) for p in parts], device=model.device
        )
        cache: Any = DynamicCache(config=model.config)
        first = model(input_ids=torch.tensor([prefix], device=model.device), cache=cache, use_cache=True)
        cache.batch_repeat_interleave(len(parts))
        hidden = model(input_ids=ids, attention_mask=mask, cache=cache, use_cache=True).last_hidden_state
        before = torch.cat([first.last_hidden_state[:, -1:].expand(len(parts), -1, -1), hidden[:, :-1]], dim=1)
        logits = (before @ model.get_input_embeddings().weight.T).float()  # (texts, longest, vocabulary)
        chosen = logits.log_softmax(-1).gather(-1, ids[..., None])[..., 0]
        real = mask[:, len(prefix) :].bool()
        return np.asarray((chosen.where(real, 0.0).sum(1) / real.sum(1)).cpu().numpy(), dtype=np.float64)
