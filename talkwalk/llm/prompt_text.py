"""Items and people in a few words, for the language model and for explanations."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from talkwalk.schema import Attribute, Kind, Row, Schema, Show, is_missing

LEVELS = ("very low", "low", "average", "high", "very high")


class Verbosity(StrEnum):
    """How much of an item is told."""

    BRIEF = "brief"  # its title, or its categories where it has none
    NORMAL = "normal"  # title, categories, and numbers that people use as they are, such as a year
    FULL = "full"  # everything


def item_text(row: Row, schema: Schema, verbosity: Verbosity = Verbosity.NORMAL) -> str:
    """Such as "Clueless; Comedy, Romance; 1995"."""
    title = row.get(schema.title) if schema.title else None
    if verbosity is Verbosity.BRIEF and not is_missing(title):
        return str(title)
    parts = [] if is_missing(title) else [str(title)]
    for attribute in schema.items.values():
        if attribute.name == schema.title or is_missing(row.get(attribute.name)):
            continue
        if attribute.show is Show.LEVEL and verbosity is not Verbosity.FULL:
            continue
        if attribute.kind in (Kind.ORDERED, Kind.FLAG) and verbosity is Verbosity.BRIEF:
            continue
        parts.append(value_text(attribute, row[attribute.name]))
    return "; ".join(parts) or f"a {schema.noun}"


def value_text(attribute: Attribute, value: object) -> str:
    """One value in words: names as they are, numbers as people use them, or as a level."""
    if attribute.kind is Kind.ORDERED:
        if attribute.show is Show.LEVEL:
            unit = float(attribute.to_unit(np.array(float(value))))  # type: ignore[arg-type]
            return f"{LEVELS[min(int(unit * len(LEVELS)), len(LEVELS) - 1)]} {attribute.name}"
        return f"{float(value):.4g}{' ' + attribute.unit if attribute.unit else ''}"  # type: ignore[arg-type]
    if attribute.kind is Kind.FLAG:
        return attribute.name if value else f"not {attribute.name}"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def user_text(row: Row, schema: Schema) -> str:
    """Such as "age 25; gender F; occupation student"."""
    described = (
        f"{a.name.replace('_', ' ')} {_plain(row[a.name])}"
        for a in schema.users.values()
        if not is_missing(row.get(a.name))
    )
    return "; ".join(described)


def _plain(value: object) -> str:
    if isinstance(value, (float, np.floating)):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value).replace("_", " ")


def system_text(schema: Schema, user: Row | None, history: Sequence[str]) -> str:
    """The opening of every prompt: the task, the profile and what was consumed, the last one most recent.

    Args:
        schema: Names the kind of item.
        user: Profile, if any.
        history: Texts of consumed items, from `item_text`.
    """
    lines = [f"You recommend a {schema.noun} to the user."]
    profile = user_text(user, schema) if user else ""
    if profile:
        lines.append(f"Profile: {profile}.")
    if history:
        lines.append(f"Before: {' | '.join(history)}.")
    return "\n".join(lines)


def all_said(text: str, system: str | None = None) -> str:
    """The words of one turn: the application's, if any, before the person's."""
    return f"{system}. {text}" if system else text
