"""SteerEval (Zhou et al. 2026, arXiv 2601.21105): does editing the text of a profile move the ranking?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from talkwalk.eval.judge import Values
from talkwalk.eval.people import Person, people
from talkwalk.eval.system import Dialogue, System
from talkwalk.eval.world import Measured, World
from talkwalk.index.catalog import Catalog
from talkwalk.schema import is_missing

POOL = 100  # items that are ranked, half of them with the category where there are enough
FAVOURITES = 3  # categories and titles that a profile names
TOWARDS = " I would like to see more {value}."
AWAY = " I do not want to see any {value}."
PLACE = 6  # of this part's draws


class Label(NamedTuple):
    """What is steered towards or away from.

    Attributes:
        name: The category or tag, as a person would say it.
        key: Of its figures.
        items: Ids of the items that have it.
        tag: Whether people gave it, and no attribute of the catalogue holds it.
    """

    name: str
    key: str
    items: set[str]
    tag: bool = False


class Edit(NamedTuple):
    """A person's profile, a category to steer towards or away from, and the items that are ranked.

    Attributes:
        person: Number of the person.
        profile: Text of the profile.
        label: What is asked for or refused.
        pool: Ids, (pool,).
        has: True for those that have the category, (pool,).
    """

    person: int
    profile: str
    label: Label
    pool: tuple[str, ...]
    has: np.ndarray


def profile_text(catalog: Catalog, person: Person) -> str:
    """What somebody likes, in two sentences made from what they had: SteerEval's short profile.

    The paper lets a language model write it from the same history; a template is the same for every system, needs no
    model and names what the paper's prompt asks for.
    """
    rows = catalog.rows(person.history)
    counts: Counter[str] = Counter()
    for attribute in catalog.schema.categorical:
        for row in rows:
            value = row.get(attribute.name)
            if not is_missing(value):
                counts.update([value] if isinstance(value, str) else value)
    noun, title = catalog.schema.noun, catalog.schema.title
    text = f"I mostly like {', '.join(name for name, _ in counts.most_common(FAVOURITES))}."
    titles = [str(row[title]) for row in rows[-FAVOURITES:] if title and not is_missing(row.get(title))]
    return f"{text} The last {noun}s that I enjoyed: {'; '.join(titles)}." if titles else text


def labels(world: World) -> list[Label]:
    """Every category of the catalogue, and every tag that the world knows."""
    catalog = world.catalog
    found = [
        Label(value, f"{name}={value}", catalog.having([(name, value)]))
        for name, value in catalog.schema.category_values
    ]
    return found + [Label(tag, tag, ids, tag=True) for tag, ids in (world.tags or {}).items()]


def edits(world: World) -> list[Edit]:
    """Every category and tag with `genre_users` people each, who had at least one item.

    A label with fewer than fifty unseen items gives a smaller pool, half and half; one with fewer than five is left
    out.
    """
    catalog, rng = world.catalog, world.rng(PLACE)
    persons = [p for p in people(catalog) if p.history]
    if not persons:
        return []
    found = []
    for label in labels(world):
        chosen = rng.choice(len(persons), size=min(world.amounts.genre_users, len(persons)), replace=False)
        for number in sorted(chosen.tolist()):
            had = set(persons[number].history)
            sides = [[i for i in catalog.ids if i not in had and (i in label.items) is side] for side in (True, False)]
            half = min(POOL // 2, *map(len, sides))
            if half >= 5:
                pool = [str(i) for side in sides for i in rng.choice(side, size=half, replace=False)]
                text = profile_text(catalog, persons[number])
                marks = np.arange(2 * half) < half
                found.append(Edit(number, text, label, tuple(pool), marks))
    return found


def auc(ranked: Sequence[str], pool: Sequence[str], has: np.ndarray) -> float:
    """Probability that an item with the category stands before one without; items that are not ranked tie at the end.

    Args:
        ranked: Ids, the best first.
        pool: Ids that are looked at, (pool,).
        has: True for those with the category, (pool,).
    """
    place = {item_id: i for i, item_id in enumerate(ranked)}
    places = np.array([place.get(i, len(ranked)) for i in pool])
    differences = places[~has][None, :] - places[has][:, None]  # (with, without), positive where with stands first
    return float(np.mean((differences > 0) + 0.5 * (differences == 0)))


def measure_steereval(system: System, world: World) -> Measured:
    """SteerEval's protocol on a catalogue with categories and histories.

    For every category (and, told apart as `tag_...`, every tag that the world knows) and ten people: a pool of 100
    items that the person did not have, half of them with the category, is ranked for the text of the person's profile,
    for the same text with a sentence that asks for the category, and for the text with a sentence that refuses it. The
    text is all that a system is told. Reported is the change of the area under the ROC curve with the category as
    label: towards = AUC(edited) - AUC(profile), away = AUC(profile) - AUC(edited); both lie between -1 and 1, above 0
    is obedience, and a system that ignores the edit has 0. The paper uses descriptions of the films and profiles
    written by a language model, so its figures are comparable in direction and not to the digit.
    """
    towards: Values = {}
    away: Values = {}
    plain: Values = {}
    towards_tag: Values = {}
    away_tag: Values = {}
    for edit in edits(world):
        texts = (edit.profile, *(edit.profile + frame.format(value=edit.label.name) for frame in (TOWARDS, AWAY)))
        base, more, less = (
            auc(system.answer(Dialogue(text), len(world.catalog)).ids, edit.pool, edit.has) for text in texts
        )
        key = f"{edit.label.key}:{edit.person}"
        plain[key] = base
        (towards_tag if edit.label.tag else towards)[key] = more - base
        (away_tag if edit.label.tag else away)[key] = base - less
    figures = {"steereval/auc": plain, "steereval/towards": towards, "steereval/away": away}
    tags = {"steereval/tag_towards": towards_tag, "steereval/tag_away": away_tag}
    return Measured(figures | (tags if world.tags else {}))
