"""A strong rival: our anchored head on the sentence encoder's embedding, no language model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from talkwalk.contrastive.space import Space
from talkwalk.eval.rivals.text_tower import encoded_items, start
from talkwalk.eval.system import Answer, Dialogue, Placed, best
from talkwalk.files import atomic_folder, read_json
from talkwalk.index.catalog import Catalog
from talkwalk.modules import load_module, save_module
from talkwalk.projection.projection_head import (
    BACK,
    CURRENT,
    FIRST,
    SLOTS,
    AbsoluteHead,
    AnchoredHead,
    Projected,
    build_head,
)
from talkwalk.projection.validation import as_answers, members, ranges_of, ruled_out


class UtteranceHead(Placed):
    """A trained head that reads the bare utterance's sentence embedding.

    Args:
        folder: Written by `save_utterance_head`.
    """

    def __init__(self, folder: Path) -> None:
        shape = read_json(folder / "head.json")
        self.name, self.space = shape["name"], Space.load(folder / "space")
        self.head = build_head(
            shape["kind"], self.space.heard_dim, self.space.dim, hidden=shape["hidden"], dropout=shape["dropout"],
            categories=len(self.space.schema.category_values), axes=len(self.space.schema.ordered),
            ranges=len(self.space.ranges),
        )  # fmt: skip
        load_module(self.head, folder / "head.safetensors")

    def fit(self, catalog: Catalog) -> None:
        super().fit(catalog)
        self.vectors = encoded_items(self.space, catalog)
        self._row = {item_id: i for i, item_id in enumerate(self.ids)}
        known = Catalog(self.space.schema, catalog.items)
        self._has, self._ranges = members(known), ranges_of(known, self.space.ranges)

    def position(self, dialogue: Dialogue) -> np.ndarray:
        return as_answers(self._projected(dialogue)).positions[0]

    def answer(self, dialogue: Dialogue, k: int) -> Answer:
        """The nearest items, of the categories that the words ask for and without those that they refuse."""
        projected = self._projected(dialogue)
        read = as_answers(projected)
        scores = np.where(ruled_out(read, self._has, k, self._ranges)[0], -np.inf, self.vectors @ read.positions[0])
        back = bool((projected.returns > 0).any())  # who goes back may show again what was shown
        ids = best(scores, self.ids, frozenset() if back else dialogue.seen, k)
        return Answer(tuple(i for i in ids if np.isfinite(scores[self._row[i]])), read.positions[0])

    @torch.inference_mode()
    def _projected(self, dialogue: Dialogue) -> Projected:
        state = self.space.heard([dialogue.text or " "])
        anchors = np.zeros((1, SLOTS, self.space.dim), dtype=np.float32)
        anchors[0, CURRENT] = start(self.space, self.vectors, self._row, dialogue)
        anchors[0, BACK] = self._before(dialogue)
        if dialogue.turns and dialogue.turns[0].shown:
            anchors[0, FIRST] = self.vectors[self._row[dialogue.turns[0].shown[0]]]
        read: Projected = self.head(torch.as_tensor(state), torch.as_tensor(anchors))
        return read

    def _before(self, dialogue: Dialogue) -> np.ndarray:
        """Where the conversation stood before the last turn, zero at its beginning."""
        if not dialogue.turns:
            return np.zeros(self.space.dim, dtype=np.float32)
        earlier = Dialogue(dialogue.turns[-1].text, dialogue.user, dialogue.history, dialogue.turns[:-1])
        return start(self.space, self.vectors, self._row, earlier)


def save_utterance_head(
    head: AbsoluteHead | AnchoredHead, space: Space, folder: Path, *, name: str, kind: str, hidden: int, dropout: float
) -> None:
    """Write head and space; the folder appears whole or not at all."""
    shape = {
        "name": name, "kind": kind, "hidden": hidden, "dropout": dropout, "sentence_dim": space.shape["sentence_dim"]
    }  # fmt: skip
    with atomic_folder(folder) as temporary:
        (temporary / "space").mkdir()
        space.save(temporary / "space")
        save_module(head, temporary / "head.safetensors")
        (temporary / "head.json").write_text(json.dumps(shape, indent=2) + "\n")
