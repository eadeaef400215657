"""Made-up music: tracks drawn from what styles usually sound like, and people who listen to them.

`synthetic_music.yaml` and `synthetic_listeners.yaml`, written by hand, hold every number; no real track was looked at.
Training may see this catalogue where a publisher's terms forbid training on real tracks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml

from talkwalk.datasets.synthetic_listeners import Listeners
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Schema, unknown

HERE = Path(__file__).parent
SCHEMA = HERE / "schemas" / "music.yaml"
STYLES = HERE / "synthetic_music.yaml"
LISTENERS = HERE / "synthetic_listeners.yaml"
SOURCES = (SCHEMA, STYLES, LISTENERS)  # what decides the catalogue of a seed
AXES = ("energy", "valence", "danceability", "acousticness", "tempo", "popularity", "year")
SHARES = {"energy": 1.0, "valence": 1.0, "danceability": 1.0, "acousticness": 1.0, "popularity": 100.0}  # their tops
BPM = (50.0, 220.0)
HALF = NormalDist().inv_cdf(0.75)  # half of a normal lies within this many spreads of the middle


class TempoGroup(NamedTuple):
    """Tracks of a style that are counted at about the same speed; `low` to `high` beats a minute hold half of them."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Style:
    """What one subgenre usually sounds like.

    Attributes:
        name: The subgenre.
        genre: Its genre.
        share: How common it is beside the others.
        halves: Per axis on a fixed scale, the ends between which half of the tracks lie.
        tempo: Groups of tracks by speed.
        years: First year, the ends between which half of the tracks lie, last year.
        correlation: Of the normal draws behind `AXES`, (7, 7).
    """

    name: str
    genre: str
    share: float
    halves: Mapping[str, tuple[float, float]]
    tempo: tuple[TempoGroup, ...]
    years: tuple[int, int, int, int]
    correlation: np.ndarray


@dataclass(frozen=True)
class Table:
    """`synthetic_music.yaml`, checked.

    Attributes:
        styles: Every subgenre.
        names: Word lists: invented, artists, titles, adjectives, nouns.
        same_artist: Share of a track's variance that it has from its artist.
        tracks_per_artist: On average.
        unheard: Share of tracks with popularity 0.
    """

    styles: tuple[Style, ...]
    names: Mapping[str, Sequence[str]]
    same_artist: float
    tracks_per_artist: int
    unheard: float

    @classmethod
    def load(cls, path: str | Path = STYLES) -> Table:
        """Read the table.

        Raises:
            ValueError: Naming file, style and field of the first mistake.
        """
        data = yaml.safe_load(Path(path).read_text())
        shared = data["correlations"]
        styles = tuple(_style(name, fields, shared, f"{path}: {name}") for name, fields in data["styles"].items())
        return cls(styles, data["names"], data["same_artist"], data["tracks_per_artist"], data["unheard"])


def _style(name: str, fields: Mapping[str, Any], shared: Sequence[Any], where: str) -> Style:
    for field in ("genre", "share", "tempo", "years", *SHARES):
        if field not in fields:
            raise ValueError(f"{where} lacks {field!r}")
    halves = {axis: (float(fields[axis][0]), float(fields[axis][1])) for axis in SHARES}
    for axis, (low, high) in halves.items():
        if not 0 < low < high < SHARES[axis]:
            raise ValueError(f"{where}.{axis} must lie between 0 and {SHARES[axis]:g} and increase, got {fields[axis]}")
    tempo = tuple(TempoGroup(*map(float, group)) for group in fields["tempo"])
    if any(not BPM[0] <= group.low < group.high <= BPM[1] for group in tempo):
        raise ValueError(f"{where}.tempo must hold [share, low, high] within {BPM}, got {fields['tempo']}")
    years = tuple(fields["years"])
    if len(years) != 4 or not years[0] <= years[1] < years[2] <= years[3]:
        raise ValueError(f"{where}.years must be four increasing years, got {fields['years']}")
    correlation = correlation_matrix((*shared, *fields.get("correlations", ())), where)
    return Style(name, fields["genre"], float(fields["share"]), halves, tempo, years, correlation)


def correlation_matrix(pairs: Sequence[Any], where: str) -> np.ndarray:
    """(axes, axes) from [axis, axis, correlation] entries, a later one replacing an earlier one.

    Raises:
        ValueError: On an unknown axis, or correlations that cannot all hold at once.
    """
    matrix = np.eye(len(AXES))
    for one, other, value in pairs:
        for axis in (one, other):
            if axis not in AXES:
                raise ValueError(f"{where}.correlations: {unknown('axis', axis, AXES)}")
        i, j = AXES.index(one), AXES.index(other)
        matrix[i, j] = matrix[j, i] = value
    if np.linalg.eigvalsh(matrix).min() <= 0:
        raise ValueError(f"{where}.correlations cannot all hold at once: the matrix is not positive definite")
    return matrix


def between(normal: np.ndarray, low: float, high: float) -> np.ndarray:
    """Standard normal draws as numbers in (0, 1) of which half lie between `low` and `high` (logit-normal)."""
    start, end = np.log(low / (1 - low)), np.log(high / (1 - high))
    return np.asarray(1 / (1 + np.exp(-((start + end) / 2 + (end - start) / 2 / HALF * normal))))


def synthetic_music(tracks: int = 20_000, *, listeners: int = 600, seed: int = 0) -> Catalog:
    """Draw a catalogue; equal arguments give equal catalogues.

    Args:
        tracks: How many tracks.
        listeners: How many people; 0 for a catalogue without users and interactions.
        seed: Of everything that is drawn.

    Raises:
        ValueError: If a count is out of range.
    """
    if tracks < 1:
        raise ValueError(f"tracks must be at least 1, got {tracks}")
    if listeners < 0:
        raise ValueError(f"listeners must not be negative, got {listeners}")
    items = draw_tracks(Table.load(), tracks, np.random.default_rng([seed, 1]))
    schema = Schema.load(SCHEMA)
    if not listeners:
        return Catalog(schema.fit(items), items)
    crowd = Listeners.load(LISTENERS)
    users, interactions = crowd.draw(Catalog(schema.fit(items), items), listeners, np.random.default_rng([seed, 2]))
    return Catalog(schema.fit(items, users), items, users, interactions)


def draw_tracks(table: Table, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """`count` tracks with every attribute of the schema, indexed by "synthetic-00001" and so on."""
    shares = np.array([style.share for style in table.styles])
    kinds = rng.choice(len(table.styles), size=count, p=shares / shares.sum())
    artist_names = _shuffled_names(table, rng)
    parts = []
    for kind, style in enumerate(table.styles):
        rows = np.flatnonzero(kinds == kind)
        if len(rows):
            parts.append(_tracks_of(style, table, rows, artist_names, rng))
    items = pd.concat(parts).sort_index(kind="stable")
    items.insert(0, "title", [_title(table.names, rng) for _ in range(count)])
    items.index = pd.Index([f"synthetic-{row + 1:05d}" for row in items.index], name="id")
    return items


def _tracks_of(
    style: Style, table: Table, rows: np.ndarray, artist_names: Iterator[str], rng: np.random.Generator
) -> pd.DataFrame:
    """Tracks of one style, indexed by `rows`; those of one artist resemble each other."""
    artists = max(1, round(len(rows) / table.tracks_per_artist))
    weights = 1 / (np.arange(artists) + 3.0)  # Zipf with a flat head: a few have many tracks
    artist = rng.choice(artists, size=len(rows), p=weights / weights.sum())
    root = np.linalg.cholesky(style.correlation)
    own, shared = (rng.standard_normal((n, len(AXES))) @ root.T for n in (len(rows), artists))
    draws = np.sqrt(1 - table.same_artist) * own + np.sqrt(table.same_artist) * shared[artist]
    normal = dict(zip(AXES, draws.T, strict=True))
    columns: dict[str, Any] = {
        "artist": np.array([next(artist_names) for _ in range(artists)], dtype=object)[artist],
        "genre": style.genre,
        "subgenre": style.name,
    }
    for axis, top in SHARES.items():
        low, high = style.halves[axis]
        columns[axis] = np.round(top * between(normal[axis], low / top, high / top), 3 if top == 1 else 0)
    columns["popularity"] = np.where(rng.random(len(rows)) < table.unheard, 0.0, columns["popularity"])
    columns["tempo"] = _tempo(style.tempo, normal["tempo"], rng)
    columns["year"] = _years(style.years, normal["year"])
    return pd.DataFrame(columns, index=rows)


def _tempo(groups: Sequence[TempoGroup], normal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Beats a minute: log-normal within each group."""
    shares = np.array([group.share for group in groups])
    group = rng.choice(len(groups), size=len(normal), p=shares / shares.sum())
    low, high = (np.log([getattr(g, end) for g in groups])[group] for end in ("low", "high"))
    return np.round(np.clip(np.exp((low + high) / 2 + (high - low) / 2 / HALF * normal), *BPM), 1)


def _years(years: tuple[int, int, int, int], normal: np.ndarray) -> np.ndarray:
    """Whole years from the first to the last."""
    first, low, high, last = years
    span = last + 1 - first
    start, end = max(low - first, 0.5) / span, (high + 0.5 - first) / span
    return np.floor(first + span * between(normal, start, end)).clip(first, last)


def _shuffled_names(table: Table, rng: np.random.Generator) -> Iterator[str]:
    """Artists' names, none twice before all have been used once."""
    names = sorted({_fill(form, name, "", noun) for form in table.names["artists"] for name in table.names["invented"]
                    for noun in table.names["nouns"] if "{adjective}" not in form})  # fmt: skip
    names += sorted({_fill(form, name, adjective, "") for form in table.names["artists"] if "{adjective}" in form
                     for name in table.names["invented"] for adjective in table.names["adjectives"]})  # fmt: skip
    while True:
        yield from (names[i] for i in rng.permutation(len(names)))


def _title(names: Mapping[str, Sequence[str]], rng: np.random.Generator) -> str:
    words = (names[kind][int(rng.integers(len(names[kind])))] for kind in ("titles", "invented", "adjectives", "nouns"))
    return _fill(*words)


def _fill(form: str, name: str, adjective: str, noun: str) -> str:
    return form.format(name=name, adjective=adjective, noun=noun)
