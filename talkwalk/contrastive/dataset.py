"""Pairs of (metadata, words): any part of a row, and one of many ways to say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from talkwalk.contrastive.descriptions import ByValue, Descriptions, keys_of
from talkwalk.schema import Attribute, Kind, Row, Schema

MAX_SAYINGS = 3  # wordings of one value in one text
JOINTS = (", ", "; ", ". ", ", ", " - ")
AND = 0.05  # share of texts joined by "and", which the text encoder reads as one clause: each must be embedded anew


class PairKind(StrEnum):
    """What a pair is about."""

    ITEM = "item"
    USER = "user"
    BOTH = "both"
    COMPOSITE = "composite"
    AFFINITY = "affinity"


@dataclass(frozen=True, slots=True)
class Pair:
    """Metadata and words that mean the same.

    Attributes:
        kind: What it is about.
        text: The words.
        key: What is described (values and ranges, not their wording): equal keys are equal meanings.
        item: Item block of the row, if any.
        user: User block of the row, if any.
    """

    kind: PairKind
    text: str
    key: str
    item: Row | None = None
    user: Row | None = None


class Described(NamedTuple):
    """Part of a row, words for it, and the key of what they say."""

    metadata: dict[str, Any]
    text: str
    key: str


def described_pair(
    row: Row,
    attributes: Mapping[str, Attribute],
    wordings: ByValue,
    rng: np.random.Generator,
    *,
    most_sayings: int = MAX_SAYINGS,
    most_attributes: int | None = None,
) -> Described | None:
    """Words for a random non-empty part of `row`, and just that part as metadata; None if nothing has words.

    Args:
        row: Attributes of an item or a person.
        attributes: Their kinds.
        wordings: Words for their values.
        rng: Chooses the part and the words.
        most_sayings: Most wordings of one value.
        most_attributes: Most attributes in the part; all when None.
    """
    names = [n for n in row if n in wordings]
    rng.shuffle(names)
    most = min(len(names), most_attributes or len(names))
    names = names[: int(rng.integers(1, most + 1))] if names else []
    metadata, sayings, keys = {}, [], []
    for name in names:
        said = [k for k in keys_of(attributes[name], row[name], wordings[name]) if wordings[name][k]]
        if not said:
            continue
        if attributes[name].kind is Kind.MULTI:
            said = sorted(rng.permutation(said)[: int(rng.integers(1, len(said) + 1))])
            metadata[name] = said
        else:
            said = said[:1]
            metadata[name] = row[name]
        for key in said:
            words = wordings[name][key]
            sayings += rng.permutation(words)[: int(rng.integers(1, most_sayings + 1))].tolist()
        keys.append(f"{name}={'+'.join(said)}")
    if not sayings:
        return None
    return Described(metadata, join(sayings, rng), "|".join(sorted(keys)))


def join(sayings: Sequence[str], rng: np.random.Generator) -> str:
    """The sayings in random order, joined in one of several ways."""
    order = rng.permutation(len(sayings))
    joint = " and " if rng.random() < AND else JOINTS[int(rng.integers(len(JOINTS)))]
    return joint.join(sayings[i] for i in order)


def item_pair(row: Row, schema: Schema, descriptions: Descriptions, rng: np.random.Generator) -> Pair | None:
    """An item's metadata in part, and words for that part."""
    said = described_pair(row, schema.items, descriptions.items, rng)
    return None if said is None else Pair(PairKind.ITEM, said.text, said.key, item=said.metadata)


def draw(make: Callable[[Row], Pair | None], rows: Sequence[Row], count: int, rng: np.random.Generator) -> list[Pair]:
    """`count` pairs of rows drawn evenly, fewer if some rows have no words."""
    if not rows:
        return []
    drawn = (make(rows[int(rng.integers(len(rows)))]) for _ in range(count))
    return [pair for pair in drawn if pair is not None]


def distinct(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """The first `count` pairs that differ in meaning and in words."""
    keys: set[str] = set()
    texts: set[str] = set()
    chosen: list[Pair] = []
    for pair in pairs:
        if len(chosen) < count and pair.key not in keys and pair.text not in texts:
            keys.add(pair.key)
            texts.add(pair.text)
            chosen.append(pair)
    return chosen


def featurize_pairs(pairs: Sequence[Pair], schema: Schema) -> np.ndarray:
    """Encoder input of every pair, float32 (pairs, input width)."""
    return schema.featurize(items=[p.item or {} for p in pairs], users=[p.user or {} for p in pairs]).joined()
