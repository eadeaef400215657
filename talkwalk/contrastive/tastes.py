"""Ratings teach affinity: a profile comes to lie near what people like them liked, and away from what they did not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from talkwalk.config import HoldoutConfig
from talkwalk.contrastive.dataset import Pair, PairKind, item_pair, join
from talkwalk.contrastive.descriptions import Descriptions
from talkwalk.contrastive.holdout import item_split, user_split
from talkwalk.contrastive.infonce_loss import info_nce
from talkwalk.contrastive.user_metadata import user_pair, with_number
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Row
from talkwalk.splits import Split

LIKED, DISLIKED = 4.0, 2.0  # stars from which, and up to which
VERSIONS = 4  # of every profile


def training_ratings(catalog: Catalog, holdout: HoldoutConfig) -> pd.DataFrame:
    """Columns user_id, item_id, liked: clear verdicts of training users on training items, in the training part.

    Interactions without a rating count as liked; ratings between 2 and 4 stars say nothing.
    """
    inter = catalog.interactions
    if inter is None or not len(catalog.users):
        return pd.DataFrame({"user_id": [], "item_id": [], "liked": []})
    if "split" in inter:
        inter = inter[inter["split"] == Split.TRAIN.value]
    users = {str(u) for u in catalog.users.index if user_split(str(u), holdout) is Split.TRAIN}
    items = {i for i in catalog.ids if item_split(i, holdout) is Split.TRAIN}
    inter = inter[inter["user_id"].isin(users) & inter["item_id"].isin(items)]
    rating = inter["rating"] if "rating" in inter else pd.Series(LIKED, index=inter.index)
    liked = rating.isna() | (rating >= LIKED)
    clear = liked | (rating <= DISLIKED)
    return inter.loc[clear, ["user_id", "item_id"]].assign(liked=liked[clear]).reset_index(drop=True)


def rating_pairs(
    ratings: pd.DataFrame, catalog: Catalog, descriptions: Descriptions, count: int, rng: np.random.Generator
) -> list[Pair]:
    """`count` ratings as (person and film, words) pairs: who, what, and the verdict.

    Of a liked item, half of the time the person alone stands for the pair and the words tell the item: what is said of
    such items comes near such people.
    """
    if ratings.empty or not (descriptions.verdicts.high and descriptions.verdicts.low):
        return []
    pairs: list[Pair] = []
    schema = catalog.schema
    items = {i: catalog.row(i) for i in set(ratings["item_id"])}
    users = {u: catalog.user(u) for u in set(ratings["user_id"])}
    drawn = ratings.iloc[rng.integers(len(ratings), size=count)]
    for user_id, item_id, liked in drawn.itertuples(index=False):
        item = item_pair(items[item_id], schema, descriptions, rng)
        user = user_pair(users[user_id], schema, descriptions, rng)
        if item is None or user is None:
            continue
        verdict = str(rng.choice(descriptions.verdicts.high if liked else descriptions.verdicts.low))
        if liked and rng.random() < 0.5:
            pairs.append(Pair(PairKind.AFFINITY, join([item.text, verdict], rng), user.key, user=user.user))
        else:
            text = join([user.text, item.text, verdict], rng)
            key = f"{user.key}|{item.key}"  # of the metadata: equal metadata must not be each other's negatives
            pairs.append(Pair(PairKind.AFFINITY, text, key, item=item.item, user=user.user))
    return pairs


class Tastes(NamedTuple):
    """Ratings as rows of features.

    Attributes:
        users: Every training user in versions, the whole profile and parts of it, (users, versions, input width).
        items: Every training item that has a rating, (items, input width).
        liked: Rows of `users` and `items` of every liked interaction, (likes, 2).
        disliked: Rows of `items` that each user disliked.
    """

    users: Tensor
    items: Tensor
    liked: np.ndarray
    disliked: Sequence[np.ndarray]

    def to(self, device: torch.device) -> Tastes:
        return self._replace(users=self.users.to(device), items=self.items.to(device))


def tastes_of(ratings: pd.DataFrame, catalog: Catalog, rng: np.random.Generator) -> Tastes | None:
    """Line the ratings up; None where there is nothing liked.

    Args:
        ratings: From `training_ratings`.
        catalog: Holds the rows.
        rng: Chooses the parts of profiles that stand for the whole.
    """
    if ratings.empty or not ratings["liked"].any():
        return None
    users = {u: i for i, u in enumerate(sorted(set(ratings["user_id"])))}
    items = {x: i for i, x in enumerate(sorted(set(ratings["item_id"])))}
    places = np.stack([ratings["user_id"].map(users), ratings["item_id"].map(items)], axis=1)
    liked = ratings["liked"].to_numpy(dtype=bool)
    disliked: list[list[int]] = [[] for _ in users]
    for user, item in places[~liked].tolist():
        disliked[user].append(item)
    profiles = [version for u in users for version in _versions(catalog.user(u), catalog, rng)]
    features = torch.from_numpy(catalog.schema.featurize(users=profiles).joined())
    return Tastes(
        features.reshape(len(users), VERSIONS, -1),
        torch.from_numpy(catalog.schema.featurize(items=catalog.rows(list(items))).joined()),
        places[liked],
        [np.array(rows, dtype=np.int64) for rows in disliked],
    )


def _versions(profile: Row, catalog: Catalog, rng: np.random.Generator) -> list[Row]:
    """The whole profile, and parts of it: a person may tell any of their attributes."""
    parts = [{n: v for n, v in profile.items() if rng.random() < 0.6} or profile for _ in range(VERSIONS - 1)]
    return [profile, *(with_number(part, catalog.schema, rng) for part in parts)]


class TasteBatch(NamedTuple):
    """Some likes.

    Attributes:
        users: Profiles, (batch, input width).
        liked: Items that they liked, (batch, input width).
        others: Items drawn evenly, (items, input width).
        disliked: Per like an item that the same person disliked, or one of the others, (batch, input width).
    """

    users: Tensor
    liked: Tensor
    others: Tensor
    disliked: Tensor


def taste_batch(tastes: Tastes, size: int, others: int, rng: np.random.Generator) -> TasteBatch:
    """Draw likes evenly, and items to set against them: of none that is liked in the batch."""
    drawn = tastes.liked[rng.integers(len(tastes.liked), size=size)]
    strangers = rng.choice(np.setdiff1d(np.arange(len(tastes.items)), drawn[:, 1]), size=others)
    disliked = [
        int(rng.choice(tastes.disliked[user])) if len(tastes.disliked[user]) else int(rng.choice(strangers))
        for user in drawn[:, 0]
    ]
    users = tastes.users[drawn[:, 0], rng.integers(VERSIONS, size=size)]
    return TasteBatch(users, tastes.items[drawn[:, 1]], tastes.items[strangers], tastes.items[disliked])


def taste_loss(encoder: nn.Module, batch: TasteBatch, *, temperature: float) -> Tensor:
    """Cross-entropy of each person between an item they liked, one that they disliked, and items drawn evenly.

    The others are drawn evenly over the catalogue, not over the interactions, so that what many people like counts as
    liked: a sampled softmax of p(item | person).
    """
    sizes = [len(rows) for rows in batch]
    users, liked, others, disliked = encoder(torch.cat(batch)).split(sizes)
    against = torch.cat([others.expand(len(users), -1, -1), disliked[:, None]], dim=1)  # (batch, others + 1, dim)
    return info_nce(users, liked, against, temperature=temperature)
