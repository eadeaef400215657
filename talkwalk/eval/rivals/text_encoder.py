"""The frozen sentence encoder by itself: item texts and what was said, in its own space."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from talkwalk.contrastive.text_encoder import SentenceEncoder
from talkwalk.eval.rivals.bm25 import item_texts
from talkwalk.eval.system import Dialogue, Placed, unit
from talkwalk.index.catalog import Catalog


class Reads(StrEnum):
    """What of a dialogue is embedded."""

    UTTERANCE = "utterance"  # what is said now
    CONVERSATION = "conversation"  # everything that was said
    ITEM_UTTERANCE = "item_utterance"  # text of the item where the conversation stands, and what is said now


class RawEncoder(Placed):
    """Items nearest to the embedded words; nothing is trained.

    Args:
        sentences: The frozen encoder.
        reads: What is embedded.
    """

    def __init__(self, sentences: SentenceEncoder, reads: Reads) -> None:
        self.name = f"encoder_{reads.value}"
        self.sentences, self.reads = sentences, reads

    def fit(self, catalog: Catalog) -> None:
        super().fit(catalog)
        vectors = self.sentences.encode(item_texts(catalog))
        self.vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        self._row = {item_id: i for i, item_id in enumerate(self.ids)}

    def position(self, dialogue: Dialogue) -> np.ndarray:
        if self.reads is Reads.CONVERSATION:
            return unit(self.sentences.encode([" ".join(dialogue.words) or " "])[0])
        said = unit(self.sentences.encode([dialogue.text or " "])[0])
        if self.reads is Reads.UTTERANCE or dialogue.stand is None:
            return said
        return unit(said + self.vectors[self._row[dialogue.stand]])
