"""ReDial (Li et al. 2018): real dialogues in which one person recommends films to another, in the official format."""

from __future__ import annotations

import gzip
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from talkwalk.datasets.dialogues import HumanDialogue, HumanTurn
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Schema
from talkwalk.splits import Split

SCHEMA = Path(__file__).parent / "schemas" / "movielens-100k.yaml"
MOVIES, TRAIN, VALID = "id2info.json.gz", "redial_train_part.jsonl.gz", "redial_valid.jsonl.gz"
MENTION = re.compile(r"@(\d+)")
YEAR = re.compile(r"\s*\((\d{4})\)\s*$")
LIKED, DISLIKED = 1, 0  # of the form after the dialogue; 2 is "did not say"
GENRES = {"family": "Children's", "sci-fi": "Sci-Fi", "film-noir": "Film-Noir"}  # others by capital letter


def redial_catalog(folder: str | Path) -> Catalog:
    """The 6,583 films of `id2info`, under the schema of the shipped films.

    Genres and the year of the title are kept; popularity is the log of one plus the number of training dialogues that
    mention the film; a rating is not known. Interactions are the mentions of the training dialogues, one "user" per
    dialogue: what a collaborative filter may learn from. Genres that the schema does not list stay in the table and
    mean nothing to a trained space.

    Args:
        folder: Where the three files are.

    Raises:
        FileNotFoundError: If one of them is missing.
    """
    movies = _movies(Path(folder))
    mentions = [
        (f"train:{d['conversationId']}", film, at)
        for d in _lines(Path(folder) / TRAIN)
        for at, film in enumerate(_mentioned(d, movies))
    ]
    inter = pd.DataFrame(mentions, columns=["user_id", "item_id", "timestamp"])
    inter["split"] = Split.TRAIN.value
    counts = inter["item_id"].value_counts()
    items = pd.DataFrame(
        {
            "title": [_title(m["name"]) for m in movies.values()],
            "genre": [[GENRES.get(g, g.title()) for g in m["genre"]] for m in movies.values()],
            "year": [_year(m["name"]) for m in movies.values()],
            "popularity": [math.log1p(int(counts.get(i, 0))) for i in movies],
            "rating": math.nan,
        },
        index=list(movies),
    )
    return Catalog(Schema.load(SCHEMA).fit(items), items, None, inter)


def redial_dialogues(folder: str | Path, *, file: str = VALID) -> list[HumanDialogue]:
    """Dialogues as turns: what the seeker said since the last answer, and the recommender's answer.

    A dialogue that the recommender opens begins with a turn without words. The labels are the seeker's own form
    (`initiatorQuestions`): a film counts as suggested in the first answer that names it, and as liked or disliked by
    the form. Dialogues whose form is empty (a list in the official files) have no liked films.

    Args:
        folder: Where the files are.
        file: Which dialogues.

    Raises:
        FileNotFoundError: If a file is missing.
    """
    movies = _movies(Path(folder))
    return [HumanDialogue(str(d["conversationId"]), tuple(_turns(d, movies))) for d in _lines(Path(folder) / file)]


def _turns(data: Mapping[str, Any], movies: Mapping[str, Any]) -> Iterator[HumanTurn]:
    form = data["initiatorQuestions"] if isinstance(data["initiatorQuestions"], dict) else {}
    asked: list[str] = []
    answered: list[str] = []
    for message in [*data["messages"], None]:
        seeks = message is not None and message["senderWorkerId"] == data["initiatorWorkerId"]
        if answered and (seeks or message is None):
            yield _turn(asked, answered, form, data, movies)
            asked, answered = [], []
        if message is not None:
            (asked if seeks else answered).append(str(message["text"]))


def _turn(
    asked: list[str], answered: list[str], form: Mapping[str, Any], data: Mapping[str, Any], movies: Mapping[str, Any]
) -> HumanTurn:
    named, suggested = (_known(" ".join(side), movies) for side in (asked, answered))
    suggested = tuple(i for i in suggested if form.get(i, {}).get("suggested") == 1)
    liked, disliked = (tuple(i for i in suggested if form[i].get("liked") == mark) for mark in (LIKED, DISLIKED))
    text, reply = (_with_titles(" ".join(side), data, movies) for side in (asked, answered))
    return HumanTurn(text, named, reply, suggested, liked, disliked)


def _known(text: str, movies: Mapping[str, Any]) -> tuple[str, ...]:
    """Ids of the catalogue's films in a text, in their order, each once."""
    return tuple(dict.fromkeys(i for i in MENTION.findall(text) if i in movies))


def _mentioned(data: Mapping[str, Any], movies: Mapping[str, Any]) -> tuple[str, ...]:
    return _known(" ".join(str(m["text"]) for m in data["messages"]), movies)


def _with_titles(text: str, data: Mapping[str, Any], movies: Mapping[str, Any]) -> str:
    """The text with titles in the place of ids; what no list knows is called "a film"."""
    names = data["movieMentions"] if isinstance(data["movieMentions"], dict) else {}

    def title(match: re.Match[str]) -> str:
        name = movies[match[1]]["name"] if match[1] in movies else names.get(match[1])
        return _title(name) if name else "a film"

    return " ".join(MENTION.sub(title, text).split())


def _title(name: str) -> str:
    return " ".join(YEAR.sub("", name).split())


def _year(name: str) -> float:
    found = YEAR.search(name)
    return float(found[1]) if found else math.nan


def _movies(folder: Path) -> dict[str, dict[str, Any]]:
    with gzip.open(_existing(folder / MOVIES), "rt") as file:
        movies: dict[str, dict[str, Any]] = json.load(file)
    return movies


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(_existing(path), "rt") as file:
        for line in file:
            yield json.loads(line)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"ReDial needs {path.name} in {path.parent}")
    return path
