"""CPCD (Chaganty et al. 2023), the Conversational Playlist Curation Dataset, in the official format."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from talkwalk.datasets.dialogues import HumanDialogue, HumanTurn
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Schema

DEV = "cpcd_dev.jsonl.gz"
SCHEMA = {
    "domain": "music",
    "noun": "track",
    "title": "title",
    "items": {"title": {"kind": "text"}, "artist": {"kind": "text"}, "album": {"kind": "text"}},
}


def cpcd_catalog(folder: str | Path, *, file: str = DEV) -> Catalog:
    """All tracks of the dialogues, in the order of their first appearance.

    A track is its title, artists and album; there is nothing else about it, so that systems that need attributes have
    no space for it.

    Raises:
        FileNotFoundError: If the file is missing.
    """
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
    return Catalog(Schema.from_dict(SCHEMA), items)


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
