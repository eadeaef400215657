"""The mixture of pairs that Phase 1 trains on, and the held-out pairs that it is judged by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from talkwalk.config import ContrastiveConfig, HoldoutConfig
from talkwalk.contrastive.dataset import Pair, distinct, draw, item_pair
from talkwalk.contrastive.descriptions import Descriptions
from talkwalk.contrastive.holdout import item_rows, user_rows
from talkwalk.contrastive.tastes import rating_pairs, training_ratings
from talkwalk.contrastive.user_metadata import both_pair, composite_pairs, mixed_pairs, user_pair
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Row, Schema
from talkwalk.splits import Split

OVERDRAW = 20  # held-out pairs must differ in meaning: draw more and keep the distinct ones


def training_pairs(
    catalog: Catalog, descriptions: Descriptions, config: ContrastiveConfig, rng: np.random.Generator
) -> list[Pair]:
    """Pairs of training items and users in training wordings.

    A catalogue without users has people all the same: of each, a random part of what the descriptions can say.
    """
    words = descriptions.part(Split.TRAIN, test=config.holdout.wordings, valid=config.holdout.valid)
    schema, counts = catalog.schema, config.pairs
    items = item_rows(catalog, config.holdout, Split.TRAIN)
    users = user_rows(catalog, config.holdout, Split.TRAIN) or [{}]
    composites: list[Pair] = []
    while words.composites and len(composites) < counts.composites:
        composites += composite_pairs(words, schema, rng)
    return [
        *draw(lambda row: item_pair(row, schema, words, rng), items, counts.items, rng),
        *draw(lambda row: user_pair(row, schema, words, rng), users, counts.users, rng),
        *_both(items, users, counts.both, schema, words, rng),
        *composites[: counts.composites],
        *mixed_pairs(words.affinities, schema, counts.affinities, rng),
        *rating_pairs(training_ratings(catalog, config.holdout), catalog, words, counts.ratings, rng),
    ]


def heldout_pairs(
    catalog: Catalog,
    descriptions: Descriptions,
    holdout: HoldoutConfig,
    rng: np.random.Generator,
    *,
    wordings: Split,
    rows: Split,
    count: int,
) -> list[Pair]:
    """Pairs of held-out items, of held-out users, and of both side by side, a third each where there are users.

    Each is any part of a row in wordings of the given split; no two of the pairs share their meaning or their words.

    Args:
        catalog: Holds the rows.
        descriptions: Wordings of every split.
        holdout: Shares of the splits.
        rng: Draws.
        wordings: Split of the wordings.
        rows: Split of the items and users.
        count: How many pairs; fewer where there are no more that differ.
    """
    words = descriptions.part(wordings, test=holdout.wordings, valid=holdout.valid)
    schema = catalog.schema
    items, users = item_rows(catalog, holdout, rows), user_rows(catalog, holdout, rows)
    third = count // 3 if users else 0
    about_users = draw(lambda row: user_pair(row, schema, words, rng), users, third * OVERDRAW, rng)
    about_both = _both(items, users, third * OVERDRAW, schema, words, rng)
    about_items = draw(lambda row: item_pair(row, schema, words, rng), items, (count - 2 * third) * OVERDRAW, rng)
    return [
        *distinct(about_items, count - 2 * third),
        *distinct(about_users, third),
        *distinct(about_both, third),
    ]


def _both(
    items: list[Row],
    users: list[Row],
    count: int,
    schema: Schema,
    words: Descriptions,
    rng: np.random.Generator,
) -> list[Pair]:
    if not users:
        return []
    return draw(
        lambda row: both_pair(row, users[int(rng.integers(len(users)))], schema, words, rng),
        items,
        count,
        rng,
    )


def texts(pairs: Sequence[Pair]) -> list[str]:
    """The words of every pair."""
    return [pair.text for pair in pairs]
