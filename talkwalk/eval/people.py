"""Real people: what they had, what they had next, and how a system ranks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talkwalk.contrastive.holdout import user_split
from talkwalk.eval.efficiency import cold_start_quality
from talkwalk.eval.judge import Values
from talkwalk.eval.ranking import place_of
from talkwalk.eval.sanity import next_item_accuracy
from talkwalk.eval.simulated_user import Voice
from talkwalk.eval.system import Dialogue, System
from talkwalk.eval.unseen import UNSEEN
from talkwalk.eval.world import Measured, World
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Row
from talkwalk.splits import Split

PLACE = 5  # of this part's draws


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
    before: dict[str, list[str]] = {}
    tested: dict[str, str] = {}
    for user_id, item_id, split in zip(inter["user_id"], inter["item_id"], inter["split"], strict=True):
        if split == Split.TEST.value:
            tested.setdefault(user_id, item_id)
        else:
            before.setdefault(user_id, []).append(item_id)
    known = set(catalog.users.index)
    return [
        Person(
            user_id,
            (catalog.user(user_id) or None) if user_id in known else None,
            tuple(before.get(user_id, ())),
            target,
        )
        for user_id, target in sorted(tested.items())
        if target not in before.get(user_id, ())
    ]


def measure_people(system: System, world: World) -> Measured:
    """Next items of everybody with their history, and of unseen people without."""
    everybody, rng = people(world.catalog), world.rng(PLACE)
    voice = Voice(world.words().words[UNSEEN].language, rng)
    holdout, most = world.words().holdout, world.amounts.users
    strangers = [p for p in everybody if p.profile and user_split(p.user_id, holdout) is Split.TEST]
    if most and most < len(everybody):
        everybody = [everybody[i] for i in sorted(rng.choice(len(everybody), size=most, replace=False))]
        strangers = strangers[:most]
    figures: dict[str, Values] = {}
    for name, metric, persons, told in (
        ("next_item", next_item_accuracy, everybody, True),
        ("cold_start", cold_start_quality, strangers, False),
    ):
        if persons:
            places = target_places(system, world.catalog, persons, [voice.next().text for _ in persons], told=told)
            quality = metric(places, k=world.k)
            for figure, array in quality._asdict().items():
                units = (p.user_id for p in persons)
                figures[f"{name}/{figure}{world.k}"] = dict(zip(units, array.tolist(), strict=True))
    return Measured(figures)


def target_places(
    system: System, catalog: Catalog, persons: Sequence[Person], texts: Sequence[str], *, told: bool
) -> np.ndarray:
    """Where the wanted item stands in a ranking of everything that the person did not have, (people,).

    Args:
        system: Ranks.
        catalog: Everything.
        persons: Who.
        texts: What each of them says.
        told: Whether the system knows the history.
    """
    places = []
    for person, text in zip(persons, texts, strict=True):
        dialogue = Dialogue(text, person.profile, person.history if told else ())
        had = set(person.history)
        ranked = system.answer(dialogue, len(catalog)).ids
        places.append(place_of(person.target, ranked, without=had, size=len(catalog) - len(had)))
    return np.array(places, dtype=int)
