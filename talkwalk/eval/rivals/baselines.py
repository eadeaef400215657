"""Two rivals that do not listen: chance and popularity."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pandas as pd

from talkwalk.eval.system import Dialogue, Scored, Unsuited
from talkwalk.index.catalog import Catalog
from talkwalk.splits import Split


class Random(Scored):
    """Another order of the catalogue for every dialogue.

    Args:
        seed: Same seed and dialogue, same order.
    """

    name = "random"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def scores(self, dialogue: Dialogue) -> np.ndarray:
        said = json.dumps([dialogue.words, dialogue.history, [turn.shown for turn in dialogue.turns]])
        return np.random.default_rng([self.seed, zlib.crc32(said.encode())]).random(len(self.ids))


class Popularity(Scored):
    """What most people had; deaf to words."""

    name = "popularity"

    def fit(self, catalog: Catalog) -> None:
        super().fit(catalog)
        self._scores = popularity(catalog)

    def scores(self, dialogue: Dialogue) -> np.ndarray:
        return self._scores


def popularity(catalog: Catalog) -> np.ndarray:
    """Training interactions of every item, or where there are none its `popularity` attribute, (items,).

    Raises:
        Unsuited: If the catalogue has neither.
    """
    train = training_interactions(catalog)
    if len(train):
        counts = train["item_id"].value_counts()
        return counts.reindex(catalog.items.index).fillna(0).to_numpy(dtype=np.float64)
    if "popularity" in {a.name for a in catalog.schema.ordered}:
        return pd.to_numeric(catalog.items["popularity"]).fillna(0).to_numpy(dtype=np.float64)
    raise Unsuited("the catalogue has neither interactions nor a popularity")


def training_interactions(catalog: Catalog) -> pd.DataFrame:
    """Interactions of the split "train" with items of the catalogue; empty where there are none."""
    inter = catalog.interactions
    if inter is None or "split" not in inter:
        return pd.DataFrame({"user_id": [], "item_id": []})
    return inter[(inter["split"] == Split.TRAIN.value) & inter["item_id"].isin(catalog.items.index)]
