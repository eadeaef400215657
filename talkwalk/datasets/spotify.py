"""Spotify tracks in the columns of TidyTuesday 2020-01-21, `spotify_songs.csv`. FOR EVALUATION ONLY.

Spotify's terms forbid training on its data: a catalogue from here may be searched and measured, but no model that is
kept or shipped may be trained on it. Train on a made-up catalogue with the same schema.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from talkwalk.datasets.generic import check_columns, find_table, read_table, typed_rows
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Schema

FILE = "spotify_songs.csv"
SCHEMA = Path(__file__).parent / "schemas" / "music.yaml"
COLUMNS = {  # the file's: the schema's
    "track_name": "title", "track_artist": "artist", "playlist_genre": "genre", "playlist_subgenre": "subgenre",
    "energy": "energy", "valence": "valence", "danceability": "danceability", "acousticness": "acousticness",
    "tempo": "tempo", "track_popularity": "popularity", "track_album_release_date": "year",
}  # fmt: skip

log = logging.getLogger(__name__)


TERMS = "Spotify's terms: these tracks are for evaluation only, train no model that is kept on them"


def spotify(path: str | Path) -> Catalog:
    """Read the tracks; see the module on what they may be used for.

    The file has a row per playlist and track, the catalogue a track once. Its genre is that of most of its rows, its
    subgenre that of most of those; of equally frequent names the first in the alphabet. The year is that of the
    album's release. A tempo of 0 says that the analysis failed, and counts as missing.

    Args:
        path: The file, gzipped or not, or its folder.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing, or a cell is of the wrong kind.
    """
    log.warning(TERMS)
    path = find_table(path, FILE)
    table = read_table(path)
    check_columns(table, ("track_id", *COLUMNS), where=str(path))
    table = table[["track_id", *COLUMNS]].rename(columns=COLUMNS)
    genre = _most_frequent(table, "genre")
    of_genre = table[table["genre"] == table["track_id"].map(genre)]
    tracks = table.drop_duplicates("track_id").assign(
        genre=lambda t: t["track_id"].map(genre),
        subgenre=lambda t: t["track_id"].map(_most_frequent(of_genre, "subgenre")),
        year=lambda t: t["year"].str[:4],  # "2019-06-14", "2019-06" or "2019"
    )
    schema = Schema.load(SCHEMA)
    items = typed_rows(tracks, schema.items, "track_id", where=str(path))
    items["tempo"] = items["tempo"].where(items["tempo"] > 0)
    return Catalog(schema.fit(items), items, evaluation_only=TERMS)


def _most_frequent(table: pd.DataFrame, column: str) -> pd.Series:
    """By track the name that most of its rows have."""
    counts = table.groupby(["track_id", column]).size().reset_index(name="rows")
    ordered = counts.sort_values(["track_id", "rows", column], ascending=[True, False, True])
    return ordered.drop_duplicates("track_id").set_index("track_id")[column]
