"""Where the publishers' real files are; tests that read them are skipped, saying so, where they are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("TALKWALK_DATA", Path(__file__).parents[2] / "shared" / "data"))


# never in the repository: where anybody gets them
PUBLISHERS = {
    "cpcd": "Google Research's Conversational Playlist Curation Dataset, cpcd_dev.jsonl",
    "ml-latest-small": "GroupLens, MovieLens ml-latest-small",
    "redial": "ReDial's dialogues, and their films as data/redial/id2info.json of iEvaLM-CRS",
    "spotify_songs": "TidyTuesday of 2020-01-21, spotify_songs.csv",
    "steam": "the Steam store games of May 2019, steam.csv",
}


def real(name: str) -> Path:
    """A file or folder of the public data."""
    source = PUBLISHERS[name.split("/")[0]]  # asked for where the data is, too, or only a bare machine misses one
    if not (FOLDER / name).exists():
        pytest.skip(f"no {name} in {FOLDER}: get {source}, and set TALKWALK_DATA to the folder that holds it")
    return FOLDER / name
