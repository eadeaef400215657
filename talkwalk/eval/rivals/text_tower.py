"""The space of Phase 1 without Phase 2: its text tower, alone and added to the last item."""

from __future__ import annotations

import numpy as np

from talkwalk.contrastive.space import Space
from talkwalk.eval.system import Dialogue, Placed, Unsuited, unit
from talkwalk.index.catalog import Catalog

TEXT_WEIGHT = 2.0  # of the words against the last item, as in the strongest mixture measured


class TextTower(Placed):
    """Items nearest to the words in the learned space.

    Args:
        space: The learned space.
        from_item: Add the words, twice, to the item where the conversation stands (or the profile, at first).
    """

    def __init__(self, space: Space, *, from_item: bool = False) -> None:
        self.name = "item_plus_text" if from_item else "text_tower"
        self.space, self.from_item = space, from_item

    def fit(self, catalog: Catalog) -> None:
        super().fit(catalog)
        self.vectors = encoded_items(self.space, catalog)
        self._row = {item_id: i for i, item_id in enumerate(self.ids)}

    def position(self, dialogue: Dialogue) -> np.ndarray:
        said = self.space.encode_text([dialogue.text or " "])[0]
        if not self.from_item:
            return said
        return unit(start(self.space, self.vectors, self._row, dialogue) + TEXT_WEIGHT * said)


def encoded_items(space: Space, catalog: Catalog) -> np.ndarray:
    """Unit vector of every item, (items, dim).

    Raises:
        Unsuited: If the space was trained for other attributes.
    """
    ours = {name: a.kind for name, a in space.schema.items.items()}
    theirs = {name: a.kind for name, a in catalog.schema.items.items()}
    if ours != theirs:
        raise Unsuited(f"there is no trained space for the attributes {', '.join(theirs)}")
    return space.encode_items(catalog.items)


def start(space: Space, vectors: np.ndarray, row: dict[str, int], dialogue: Dialogue) -> np.ndarray:
    """Where the conversation stands: its item, else at first the profile, else zero, (dim,)."""
    if dialogue.stand is not None:
        return np.asarray(vectors[row[dialogue.stand]])
    if dialogue.user and not dialogue.turns:
        return np.asarray(space.encode_users([dialogue.user])[0])
    return np.zeros(vectors.shape[1], dtype=np.float32)
