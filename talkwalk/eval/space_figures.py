"""What a good space is, as functions of vectors: one value per unit, or a ratio with its interval."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from talkwalk.contrastive.dataset import Pair, featurize_pairs
from talkwalk.contrastive.mixture import texts
from talkwalk.contrastive.space import Space
from talkwalk.contrastive.text_encoder import SentenceEncoder
from talkwalk.contrastive.validation import top1
from talkwalk.eval.intervals import Interval, bootstrap
from talkwalk.eval.people import Person
from talkwalk.eval.ranking import ndcg_at, target_ranks
from talkwalk.eval.rivals.baselines import popularity
from talkwalk.index.catalog import Catalog
from talkwalk.llm.prompt_text import Verbosity, item_text, user_text
from talkwalk.projection.validation import blocked_items
from talkwalk.schema import Schema, is_missing

CHUNK = 256  # asked items at a time against the whole catalogue
SPEED_BLOCK = 50_000  # rows that are encoded at a time


def ratio(mine: np.ndarray, theirs: np.ndarray, *, seed: int = 0) -> Interval:
    """mean(mine) / mean(theirs) over units that have both, (units,) each, with its paired bootstrap interval."""
    return bootstrap(lambda chosen: _share(mine[chosen].mean(), theirs[chosen].mean()), len(mine), seed=seed)


def _share(mine: float, theirs: float) -> float:
    return float(mine / max(theirs, 1e-12))


# words and metadata


def found_by_text(space: Space, pairs: Sequence[Pair]) -> np.ndarray:
    """Per pair, 1.0 if its words are nearest to its own metadata among all of `pairs`, (pairs,)."""
    return top1(space.encode_text(texts(pairs)), space.metadata.encode(featurize_pairs(pairs, space.schema)))


def found_by_raw_text(sentences: SentenceEncoder, schema: Schema, pairs: Sequence[Pair]) -> np.ndarray:
    """The same without anything learned, (pairs,).

    Each row is told in plain words, and the frozen sentence encoder compares words with words.
    """
    plain = [plain_words(pair, schema) for pair in pairs]
    return top1(*(_unit(sentences.encode(words)) for words in (texts(pairs), plain)))


def plain_words(pair: Pair, schema: Schema) -> str:
    """A pair's metadata as prompts tell it, such as "age range 18-24; Comedy; 1995"."""
    parts = [user_text(pair.user, schema)] if pair.user else []
    return "; ".join([*parts, item_text(pair.item, schema, Verbosity.FULL)] if pair.item else parts)


# neighbours


class Compared(NamedTuple):
    """Per asked item, against its neighbours and against all other items; NaN where nothing is known; both (asked,)."""

    near: np.ndarray
    random: np.ndarray

    def known(self) -> Compared:
        """Only the items of which both are known."""
        rows = np.isfinite(self.near) & np.isfinite(self.random)
        return Compared(self.near[rows], self.random[rows])


def neighbours(vectors: np.ndarray, asked: np.ndarray, k: int) -> np.ndarray:
    """Indices of the `k` nearest other items of every asked one, nearest first, (asked, k).

    Args:
        vectors: Unit vectors of the catalogue, (items, dim).
        asked: Indices of items, (asked,).
        k: How many; fewer where there are fewer.
    """
    found = []
    for rows in _chunks(asked):
        scores = vectors[rows] @ vectors.T
        scores[np.arange(len(rows)), rows] = -np.inf
        found.append(np.argsort(-scores, axis=1, kind="stable")[:, : min(k, len(vectors) - 1)])
    return np.concatenate(found)


def category_agreement(members: np.ndarray, asked: np.ndarray, near: np.ndarray) -> Compared:
    """Mean Jaccard overlap of names (for one name each: whether it is the same) with neighbours and with all others.

    Args:
        members: Which names every item has, bool (items, names); an item without any is unknown.
        asked: Indices of items, (asked,).
        near: Their neighbours, (asked, k).
    """
    sizes = members.sum(axis=1).astype(np.float32)
    known = sizes > 0
    table = members.astype(np.float32)
    parts = []
    for rows in _chunks(np.arange(len(asked))):
        own = asked[rows]
        shared = table[own] @ table.T  # (rows, items)
        overlap = shared / np.maximum(sizes[own][:, None] + sizes - shared, 1)
        overlap[:, ~known] = np.nan
        overlap[~known[own]] = np.nan
        parts.append(_compared(overlap, own, near[rows]))
    return Compared(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def rank_difference(ranks: np.ndarray, asked: np.ndarray, near: np.ndarray) -> Compared:
    """Mean absolute difference of an ordered attribute's rank to neighbours and to all others.

    Args:
        ranks: 0 to 1, NaN where missing, (items,).
        asked: Indices of items, (asked,).
        near: Their neighbours, (asked, k).
    """
    parts = []
    for rows in _chunks(np.arange(len(asked))):
        apart = np.abs(ranks[asked[rows]][:, None] - ranks)
        parts.append(_compared(apart, asked[rows], near[rows]))
    return Compared(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _compared(values: np.ndarray, own: np.ndarray, near: np.ndarray) -> Compared:
    """Values (rows, items), averaged over neighbours and over all items but the row's own."""
    rows = np.arange(len(own))
    values[rows, own] = np.nan
    return Compared(_nanmean(values[rows[:, None], near]), _nanmean(values))


def mean_compared(parts: Sequence[Compared]) -> Compared:
    """Mean over attributes of what is known, per asked item."""
    return Compared(*(_nanmean(np.stack(values, axis=1)) for values in zip(*parts, strict=True)))


def _nanmean(values: np.ndarray) -> np.ndarray:
    """Mean of each row's known values, NaN where there is none; unlike numpy's, without a warning."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


def names_table(catalog: Catalog, attribute: str) -> np.ndarray:
    """Which names of a category or multi attribute every item has, bool (items, names)."""
    position = {name: i for i, name in enumerate(catalog.schema.items[attribute].values)}
    table = np.zeros((len(catalog), len(position)), dtype=bool)
    for row, cell in enumerate(catalog.items[attribute]):
        for name in [] if is_missing(cell) else [cell] if isinstance(cell, str) else cell:
            if name in position:
                table[row, position[name]] = True
    return table


# people


class ProfileQuality(NamedTuple):
    """NDCG of every person's test item, with what they had before left out; both (people,).

    Attributes:
        space: Items ranked by their cosine with the profile.
        popularity: Items ranked by their number of training interactions.
    """

    space: np.ndarray
    popularity: np.ndarray


def profile_quality(space: Space, catalog: Catalog, persons: Sequence[Person], *, k: int) -> ProfileQuality:
    """How high a profile alone, without history or words, puts the item that the person had last.

    Args:
        space: Encodes profiles and items.
        catalog: Under the space's schema.
        persons: With profiles.
        k: Length of the answer.
    """
    row = {item_id: i for i, item_id in enumerate(catalog.ids)}
    targets = np.array([row[person.target] for person in persons])
    blocked = blocked_items([set(person.history) for person in persons], catalog.ids)
    profiles = space.encode_users([person.profile or {} for person in persons])
    scores = profiles @ space.encode_items(catalog.items).T
    counts = np.broadcast_to(popularity(catalog), scores.shape)
    return ProfileQuality(*(ndcg_at(target_ranks(s, targets, blocked), k) for s in (scores, counts)))


# speed


def seconds_per_million(space: Space, catalog: Catalog, rows: int) -> float:
    """Seconds to turn a million item rows of a table into vectors, measured on `rows` of them."""
    started = time.perf_counter()
    for start in range(0, rows, SPEED_BLOCK):
        block = np.arange(start, min(start + SPEED_BLOCK, rows)) % len(catalog)
        space.encode_items(catalog.items.iloc[block])
    return (time.perf_counter() - started) * 1e6 / rows


def _chunks(indices: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(indices), CHUNK):
        yield indices[start : start + CHUNK]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
