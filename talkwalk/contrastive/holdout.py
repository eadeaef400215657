"""Which items, users and wordings of a catalogue belong to which split."""

from __future__ import annotations

from talkwalk.config import HoldoutConfig
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Row
from talkwalk.splits import Split, split_of


def item_split(item_id: str, holdout: HoldoutConfig) -> Split:
    """Whether an item is trained on."""
    return split_of(f"item:{item_id}", test=holdout.items, valid=holdout.valid)


def user_split(user_id: str, holdout: HoldoutConfig) -> Split:
    """Whether a user is trained on."""
    return split_of(f"user:{user_id}", test=holdout.users, valid=holdout.valid)


def item_rows(catalog: Catalog, holdout: HoldoutConfig, split: Split) -> list[Row]:
    """Items of one split."""
    return list(catalog.rows([i for i in catalog.ids if item_split(i, holdout) is split]))


def user_rows(catalog: Catalog, holdout: HoldoutConfig, split: Split) -> list[Row]:
    """Users of one split."""
    ids = [str(u) for u in catalog.users.index]
    return [catalog.user(u) for u in ids if user_split(u, holdout) is split]
