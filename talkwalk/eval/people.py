"""Real people: what they had, what they had next, and what the engine would have said first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from talkwalk.engine.recommender import Recommender
from talkwalk.eval.sessions import Opening
from talkwalk.eval.unseen import head_positions
from talkwalk.index.catalog import Catalog
from talkwalk.llm.conversation import Conversation, Exchange
from talkwalk.llm.hidden_states import hidden_states
from talkwalk.projection.projection_head import CURRENT, SLOTS
from talkwalk.projection.validation import blocked_items
from talkwalk.schema import Row
from talkwalk.splits import Split


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the catalogue.

    Attributes:
        user_id: Their id.
        profile: Their attributes, if any are known.
        history: Everything they had before the test interaction, the oldest first.
        target: The item of the test interaction.
    """

    user_id: str
    profile: Row | None
    history: tuple[str, ...]
    target: str


def people(catalog: Catalog) -> list[Person]:
    """Everybody with a test interaction; nobody where the catalogue has no split of its interactions."""
    inter = catalog.interactions
    if inter is None or "split" not in inter:
        return []
    inter = inter[inter["item_id"].isin(catalog.items.index)].sort_values("timestamp", kind="stable")
    found = []
    for user_id, rows in inter.groupby("user_id", sort=True):
        tested = rows[rows["split"] == Split.TEST.value]["item_id"].tolist()
        before = rows[rows["split"] != Split.TEST.value]["item_id"].tolist()
        if tested and tested[0] not in before:
            profile = catalog.user(str(user_id)) if user_id in catalog.users.index else None
            found.append(Person(str(user_id), profile or None, tuple(before), tested[0]))
    return found


def popularity(catalog: Catalog) -> np.ndarray:
    """Training interactions of every item, (items,)."""
    inter = catalog.interactions
    if inter is None or "split" not in inter:
        return np.zeros(len(catalog))
    counts = inter[inter["split"] == Split.TRAIN.value]["item_id"].value_counts()
    return counts.reindex(catalog.items.index).fillna(0).to_numpy(dtype=np.float64)


def first_positions(recommender: Recommender, openings: Sequence[Opening], texts: Sequence[str]) -> np.ndarray:
    """Where the first turn of every session would stand, as `Session.say` has it, in one batch, (sessions, dim).

    Args:
        recommender: Whose language model and head.
        openings: Who starts.
        texts: What they say first.
    """
    prompts, catalog = recommender.prompts, recommender.catalog
    told = [
        Conversation(prompts.opening(opening.user, catalog.rows(opening.history)), (Exchange(text),))
        for opening, text in zip(openings, texts, strict=True)
    ]
    states = np.stack([turns[0] for turns in hidden_states(recommender.backend, told)])
    anchors = np.zeros((len(openings), SLOTS, recommender.dim), dtype=np.float32)
    for i, opening in enumerate(openings):
        if opening.history:
            anchors[i, CURRENT] = recommender.item_vector(opening.history[-1])
        elif opening.user:
            anchors[i, CURRENT] = recommender.encode_users([opening.user])[0]
    return head_positions(recommender, states, anchors)


class Rankings(NamedTuple):
    """Everybody's catalogue, scored.

    Attributes:
        scores: Cosine of every item with the position, (people, items).
        popularity: Training interactions of every item, (people, items).
        targets: Index of the test item, (people,).
        blocked: True for the items that they had before, (people, items).
    """

    scores: np.ndarray
    popularity: np.ndarray
    targets: np.ndarray
    blocked: np.ndarray


def rankings(recommender: Recommender, persons: Sequence[Person], texts: Sequence[str], *, told: bool) -> Rankings:
    """Score the catalogue for everybody after their first words.

    Args:
        recommender: Scores.
        persons: Who.
        texts: What each of them says.
        told: Whether the recommender knows the history.
    """
    catalog = recommender.catalog
    last = max(recommender.prompts.limits.history, 1)  # the engine reads nothing before these
    openings = [Opening(p.profile, p.history[-last:] if told else ()) for p in persons]
    row = {item_id: i for i, item_id in enumerate(catalog.ids)}
    scores = first_positions(recommender, openings, texts) @ recommender.index.vectors(catalog.ids).T
    return Rankings(
        scores,
        np.broadcast_to(popularity(catalog), scores.shape),
        np.array([row[p.target] for p in persons]),
        blocked_items([set(p.history) for p in persons], catalog.ids),
    )
