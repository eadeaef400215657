"""CPCD (Chaganty et al. 2023), the Conversational Playlist Curation Dataset, in the official format."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from talkwalk.datasets.dialogues import HumanDialogue, HumanTurn
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Kind, Schema

DEV = "cpcd_dev.jsonl.gz"
SCHEMA = {
    "domain": "music",
    "noun": "track",
    "title": "title",
    "items": {"title": {"kind": "text"}, "artist": {"kind": "text"}, "album": {"kind": "text"}},
}


def cpcd_catalog(folder: str | Path, *, file: str = DEV, artists: Catalog | None = None) -> Catalog:
    """All tracks of the dialogues, in the order of their first appearance.

    A track is its title, artists and album; there is nothing else about it, so that systems that need attributes have
    no space for it. Where a catalogue of music lends them, a track has what the tracks of its first artist known there
    are like: the mean of ordered attributes on their [0, 1] scales, and the most frequent category. Who is not known
    has a title and a name; the album is left out, because that catalogue's schema is taken.

    Args:
        folder: Where the file is.
        file: Which dialogues.
        artists: Catalogue with the attributes `title` and `artist`, which lends its tracks' attributes.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If `artists` is no catalogue of music.
    """
    if artists is not None and not {"title", "artist"} <= set(artists.schema.items):
        raise ValueError(
            f"artists must be a catalogue with the attributes title and artist, got {list(artists.schema.items)}"
        )
    tracks: dict[str, Mapping[str, Any]] = {}
    for dialogue in _lines(Path(folder) / file):
        for track_id, track in dialogue["tracks"].items():
            tracks.setdefault(str(track_id), track)
    items = pd.DataFrame(
        {
            "title": [t["track_titles"] for t in tracks.values()],
            "artist": [", ".join(t["track_artists"]) for t in tracks.values()],
            "album": [t["track_release_titles"] for t in tracks.values()],
        },
        index=list(tracks),
    )
    if artists is None:
        return Catalog(Schema.from_dict(SCHEMA), items)
    lent = artist_attributes(artists)
    names = [[name.lower() for name in t["track_artists"]] for t in tracks.values()]
    known = [next((name for name in called if name in lent.index), None) for called in names]
    rows = lent.reindex(known).set_axis(items.index)
    rows[["title", "artist"]] = items[["title", "artist"]]
    return Catalog(
        artists.schema, rows.reindex(columns=list(artists.schema.items)), evaluation_only=artists.evaluation_only
    )


def artist_attributes(catalog: Catalog) -> pd.DataFrame:
    """What the tracks of every artist are like, by the artist's name in lower case."""
    schema, tracks = catalog.schema, catalog.items.assign(artist=catalog.items["artist"].str.lower())
    columns = {}
    for attribute in schema.ordered:
        units = pd.Series(attribute.to_unit(tracks[attribute.name].to_numpy(dtype=np.float64)), index=tracks["artist"])
        mean = units.groupby(level=0).mean().dropna()
        columns[attribute.name] = pd.Series(attribute.from_unit(mean.to_numpy()), index=mean.index)
    for attribute in schema.items.values():
        if attribute.kind is Kind.CATEGORY:  # the most frequent one, of equals the first in the alphabet
            counts = tracks.groupby(["artist", attribute.name]).size().reset_index(name="tracks")
            counts = counts.sort_values(["tracks", attribute.name], ascending=[False, True])
            columns[attribute.name] = counts.drop_duplicates("artist").set_index("artist")[attribute.name]
    return pd.DataFrame(columns)


def cpcd_dialogues(folder: str | Path, *, file: str = DEV) -> list[HumanDialogue]:
    """Dialogues as turns: the person's words, the wizard's answer, and which of the tracks shown they liked or not.

    Raises:
        FileNotFoundError: If the file is missing.
    """
    return [HumanDialogue(str(d["id"]), tuple(_turn(turn) for turn in d["turns"])) for d in _lines(Path(folder) / file)]


def _turn(data: Mapping[str, Any]) -> HumanTurn:
    liked, disliked = (tuple(dict.fromkeys(map(str, data[f"{side}_results"]))) for side in ("liked", "disliked"))
    disliked = tuple(i for i in disliked if i not in liked)
    return HumanTurn(
        str(data["user_query"]).strip(), (), str(data["system_response"]).strip(), (*liked, *disliked), liked, disliked
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise FileNotFoundError(f"CPCD needs {path.name} in {path.parent}")
    with gzip.open(path, "rt") as file:
        for line in file:
            yield json.loads(line)
