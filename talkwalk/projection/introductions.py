"""People who say what they like before they ask for anything.

A profile in words names many categories, and asks for none of them: only what comes after it does. Who has heard names
in requests alone takes the last name of a long introduction for one, or for a refusal.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from talkwalk.projection.steps import Step, StepKind, bare, names_in
from talkwalk.projection.walks import Walk, Walker
from talkwalk.schema import Kind, Row, is_missing

FAVOURITES = 3  # most categories and titles that are told
REQUESTS = (StepKind.LESS, StepKind.LESS, StepKind.MORE, StepKind.SWITCH, None)  # what follows, None for nothing


def introductions(walker: Walker, count: int, rng: np.random.Generator) -> list[Walk]:
    """`count` first turns in which a person introduces themselves, each time with every one of `REQUESTS` that can be.

    None where the domain has no words for it.
    """
    walks: list[Walk] = []
    titled = walker.catalog.schema.title is not None
    if not any(titled or "{titles}" not in frame for frame in walker.asking.language.tastes):
        return walks
    while len(walks) < count:
        liked = [str(i) for i in rng.choice(walker.ids, size=FAVOURITES, replace=False)]
        told = taste_text(walker, liked, rng)
        steps = (introduced(walker, told, liked, request, rng) for request in REQUESTS)
        walks += [Walk(None, (), (step,)) for step in steps if step is not None]
    return walks[:count]


def introduced(
    walker: Walker, told: str, liked: Sequence[str], request: StepKind | None, rng: np.random.Generator
) -> Step | None:
    """A wish for the favourite categories of `liked`, but for what is asked after the introduction `told`.

    Args:
        walker: Draws the request.
        told: What the person likes, in words.
        liked: Ids of what they like.
        request: Kind of request, or None for none.
        rng: Chooses.

    Returns:
        None if no request of the kind could be drawn.
    """
    wanted = favourites(walker, [walker.row_of(i) for i in liked])
    if request is None:
        wish = Step(StepKind.WISH, told, wanted, "")
    else:
        asked = walker.asking.ask(request, walker.row_of(liked[-1]), rng)
        if asked is None:
            return None
        name, value = str(asked.subject), str(asked.value)
        steered = walker.asking.recategorised(wanted, request, name, value)
        wish = Step(
            StepKind.WISH, f"{bare(told)}. {asked.utterance}", wanted if steered is None else steered, "",
            asked=asked.asked, without=asked.without,
        )  # fmt: skip
    target = walker.nearest(wish.wanted, {*liked, *walker.hidden(wish, liked)})
    return dataclasses.replace(wish, target=target)


def taste_text(walker: Walker, liked: Sequence[str], rng: np.random.Generator) -> str:
    """A frame of the language, filled with the favourite categories of some items and with their titles."""
    asking, rows = walker.asking, [walker.row_of(i) for i in liked]
    titles = titles_of(rows, walker.catalog.schema.title)
    frames = [frame for frame in asking.language.tastes if titles or "{titles}" not in frame]
    likes = _listed(likes_of(walker, rows, rng), rng)
    shown = titles[: int(rng.integers(1, FAVOURITES + 1))]
    mark = "; " if rng.random() < 0.5 else ", "
    return asking.pick(frames, rng).replace("{likes}", likes).replace("{titles}", mark.join(shown))


def likes_of(walker: Walker, rows: Sequence[Row], rng: np.random.Generator) -> list[str]:
    """How a person may call the categories that most of the rows have."""
    named = walker.asking.language.categories
    return [
        str(rng.choice(named[name].names[value])) if rng.random() < 0.5 else value
        for name, value in _most_common(walker, rows)
    ]


def favourites(walker: Walker, rows: Sequence[Row]) -> dict[str, Any]:
    """The categories that most of the rows have, as metadata: of an attribute with one value the most frequent."""
    wanted: dict[str, Any] = {}
    for name, value in _most_common(walker, rows):
        if walker.catalog.schema.items[name].kind is Kind.MULTI:
            wanted.setdefault(name, []).append(value)
        else:
            wanted.setdefault(name, value)
    return wanted


def _most_common(walker: Walker, rows: Sequence[Row]) -> list[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for name, language in walker.asking.language.categories.items():
        counts.update((name, v) for row in rows for v in names_in(row.get(name)) if language.names.get(v))
    return [named for named, _ in counts.most_common(FAVOURITES)]


def titles_of(rows: Sequence[Row], title: str | None) -> list[str]:
    """The rows' titles, where they have one."""
    return [str(row[title]) for row in rows if title and not is_missing(row.get(title))]


def _listed(names: Sequence[str], rng: np.random.Generator) -> str:
    if len(names) < 2 or rng.random() < 0.5:
        return ", ".join(names) or "all sorts of things"
    return f"{', '.join(names[:-1])} and {names[-1]}"
