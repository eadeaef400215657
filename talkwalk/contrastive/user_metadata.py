"""Who a person is, as metadata: profiles, what combinations mean, and which items go with whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from talkwalk.bands import Band
from talkwalk.contrastive.dataset import Pair, PairKind, described_pair, item_pair, join
from talkwalk.contrastive.descriptions import Affinity, Descriptions
from talkwalk.schema import Attribute, Kind, Row, Schema

# Two ways to say one thing: a profile may hold either or both, and wordings describe the second.
SAME_THING = {"age": "age_range"}
AGE_OF_RANGE = {"under-18": (8, 17), "18-24": (18, 24), "25-34": (25, 34), "35-49": (35, 49), "50+": (50, 75)}


def user_pair(row: Row, schema: Schema, descriptions: Descriptions, rng: np.random.Generator) -> Pair | None:
    """A profile, completed with a random context, and words for a random part of it."""
    full = {**random_context(row, schema, descriptions, rng), **row}
    described = {n: v for n, v in full.items() if n in descriptions.users}
    pair = described_pair(described, schema.users, descriptions.users, rng)
    if pair is None:
        return None
    metadata = with_number(pair.metadata, schema, rng)
    return Pair(PairKind.USER, pair.text, pair.key, user=metadata)


def both_pair(
    item: Row, user: Row, schema: Schema, descriptions: Descriptions, rng: np.random.Generator
) -> Pair | None:
    """A person and an item side by side, each described in part."""
    about_item, about_user = (
        item_pair(item, schema, descriptions, rng),
        user_pair(user, schema, descriptions, rng),
    )
    if about_item is None or about_user is None:
        return None
    text = join([about_item.text, about_user.text], rng)
    return Pair(PairKind.BOTH, text, f"{about_user.key}|{about_item.key}", item=about_item.item, user=about_user.user)


def random_context(row: Row, schema: Schema, descriptions: Descriptions, rng: np.random.Generator) -> dict[str, Any]:
    """Described attributes that the table does not hold, such as the time of day, each with probability 1/2."""
    names = [n for n in descriptions.users if n not in row and schema.users[n].kind is Kind.CATEGORY]
    return {n: str(rng.choice(schema.users[n].values)) for n in names if rng.random() < 0.5}


def with_number(metadata: Mapping[str, Any], schema: Schema, rng: np.random.Generator) -> dict[str, Any]:
    """Tell the age range as a number, as a range, or as both: all mean the same."""
    metadata = dict(metadata)
    for number, band in SAME_THING.items():
        if number in schema.users and metadata.get(band) in AGE_OF_RANGE and rng.random() < 2 / 3:
            low, high = AGE_OF_RANGE[metadata[band]]
            metadata[number] = float(rng.integers(low, high + 1))
            if rng.random() < 0.5:
                del metadata[band]
    return metadata


def composite_pairs(descriptions: Descriptions, schema: Schema, rng: np.random.Generator) -> list[Pair]:
    """One pair per wording of every composite."""

    def row(when: Mapping[str, Any]) -> dict[str, Any]:
        return with_number(sample_conditions(when, schema.users, rng), schema, rng)

    return [
        Pair(
            PairKind.COMPOSITE,
            wording,
            f"composite:{sorted(map(str, c.when.items()))}",
            user=row(c.when),
        )
        for c in descriptions.composites
        for wording in c.wordings
    ]


def affinity_pair(rule: Affinity, schema: Schema, rng: np.random.Generator) -> Pair:
    """A person and an item that the rule speaks about, with its words.

    Of a good match, either side alone sometimes stands for the pair: words that bring both together bring the person
    near the items.
    """
    user, item = (
        sample_conditions(rule.user, schema.users, rng),
        sample_conditions(rule.item, schema.items, rng),
    )
    key = f"affinity:{rule.high}:{sorted(map(str, rule.user.items()))}:{sorted(map(str, rule.item.items()))}"
    side = rng.random() if rule.high else 1.0
    return Pair(
        PairKind.AFFINITY,
        str(rng.choice(rule.wordings)),
        key,
        item=None if side < 0.25 else item,
        user=None if 0.25 <= side < 0.5 else with_number(user, schema, rng),
    )


def sample_conditions(
    conditions: Mapping[str, Any], attributes: Mapping[str, Attribute], rng: np.random.Generator
) -> dict[str, Any]:
    """A row that satisfies the conditions: a value drawn from every range, names as they are."""
    row: dict[str, Any] = {}
    for name, condition in conditions.items():
        attribute = attributes[name]
        if attribute.kind is Kind.ORDERED:
            low, high = Band.parse(str(condition)).units(attribute)
            row[name] = float(attribute.from_unit(np.array(rng.uniform(low, high))))
        elif attribute.kind is Kind.MULTI:
            row[name] = list(condition) if isinstance(condition, list) else [condition]
        else:
            row[name] = condition[int(rng.integers(len(condition)))] if isinstance(condition, list) else condition
    return row


def mixed_pairs(rules: Sequence[Affinity], schema: Schema, count: int, rng: np.random.Generator) -> list[Pair]:
    """`count` pairs of rules drawn evenly."""
    if not rules:
        return []
    return [affinity_pair(rules[int(rng.integers(len(rules)))], schema, rng) for _ in range(count)]
