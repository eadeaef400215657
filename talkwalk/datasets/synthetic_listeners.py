"""Made-up people who listen to a made-up catalogue, by hand-written leanings (`synthetic_listeners.yaml`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml

from talkwalk.datasets.movielens import split_by_time
from talkwalk.index.catalog import Catalog
from talkwalk.schema import unknown

AXES = ("energy", "valence", "danceability", "acousticness", "tempo", "popularity")
KINDS = ("genre", "subgenre")
START = 1_577_836_800  # 2020-01-01 in UTC seconds: nobody listens before
DAYS = 540  # over which a person's listening is spread
DAY, HOUR = 86_400, 3_600


class Tracks(NamedTuple):
    """What decides who likes which tracks.

    Attributes:
        ids: Their ids, (tracks,).
        names: Per category attribute, all its names.
        codes: Per category attribute, every track's place in `names`, (tracks,).
        ranks: Per axis, every track's rank in the catalogue, (tracks,).
        popularity: 0 to 100, (tracks,).
        years: (tracks,).
    """

    ids: np.ndarray
    names: Mapping[str, tuple[str, ...]]
    codes: Mapping[str, np.ndarray]
    ranks: Mapping[str, np.ndarray]
    popularity: np.ndarray
    years: np.ndarray

    @classmethod
    def of(cls, catalog: Catalog) -> Tracks:
        items = catalog.items
        names = {kind: catalog.schema.items[kind].values for kind in KINDS}
        return cls(
            items.index.to_numpy(dtype=object),
            names,
            {kind: np.asarray(pd.Categorical(items[kind], categories=names[kind]).codes) for kind in KINDS},
            {axis: catalog.ranks(axis).to_numpy() for axis in AXES},
            items["popularity"].to_numpy(),
            items["year"].to_numpy(),
        )


class Drawn(NamedTuple):
    """Users indexed by id, and what they heard, with ratings and splits."""

    users: pd.DataFrame
    interactions: pd.DataFrame


@dataclass(frozen=True)
class Listeners:
    """What people lean to.

    Attributes:
        attributes: Per user attribute and name: its share and leanings.
        settings: Everything else of the table.
    """

    attributes: Mapping[str, Mapping[str, Mapping[str, Any]]]
    settings: Mapping[str, Any]

    @classmethod
    def load(cls, path: str | Path) -> Listeners:
        """Read the table.

        Raises:
            ValueError: If an attribute's shares do not add up to 1, or a leaning has an unknown kind or axis.
        """
        data = yaml.safe_load(Path(path).read_text())
        attributes = data.pop("attributes")
        for attribute, names in attributes.items():
            total = sum(fields["share"] for fields in names.values())
            if abs(total - 1) > 1e-6:
                raise ValueError(f"{path}: shares of {attribute} must add up to 1, got {total:g}")
            for name, fields in names.items():
                _check_leanings(fields, f"{path}: {attribute}.{name}")
        return cls(attributes, data)

    def draw(self, catalog: Catalog, count: int, rng: np.random.Generator) -> Drawn:
        """`count` people of `catalog`'s schema and their listening; ids are "listener-001" and so on."""
        users, tracks = self._profiles(count, rng), Tracks.of(catalog)
        leanings = {
            (attribute, name): points(fields, tracks)
            for attribute, names in self.attributes.items()
            for name, fields in names.items()
        }
        heard = [
            self._listening(user, np.sum([leanings[a, str(user[a])] for a in self.attributes], axis=0), tracks, rng)
            for user in users.to_dict("records")
        ]
        interactions = pd.concat([table.assign(user_id=i) for i, table in zip(users.index, heard, strict=True)])
        columns = ["user_id", "item_id", "rating", "timestamp"]
        return Drawn(users, split_by_time(interactions[columns].reset_index(drop=True)))

    def _profiles(self, count: int, rng: np.random.Generator) -> pd.DataFrame:
        columns: dict[str, Any] = {}
        for attribute, names in self.attributes.items():
            shares = np.array([fields["share"] for fields in names.values()])
            columns[attribute] = rng.choice(list(names), size=count, p=shares / shares.sum()).tolist()
        spans = [self.settings["ages"][name] for name in columns["age_range"]]
        columns["age"] = [float(rng.integers(low, high + 1)) for low, high in spans]
        width = len(str(count))
        return pd.DataFrame(columns, index=[f"listener-{i + 1:0{width}d}" for i in range(count)])

    def _listening(
        self, user: Mapping[Any, Any], liking: np.ndarray, tracks: Tracks, rng: np.random.Generator
    ) -> pd.DataFrame:
        """What one person heard: item_id, rating, timestamp.

        Args:
            user: Their attributes.
            liking: Points of every track by these attributes, (tracks,).
            tracks: What they choose from.
            rng: Draws whims, tracks, ratings and times.
        """
        hearing, stars = self.settings["hearing"], self.settings["ratings"]
        liking = liking + self._youth(user["age"], tracks.years) + self._whims(tracks, rng)
        liking = (liking - liking.mean()) / max(liking.std(), 1e-9)
        fewest, most = self.settings["tracks"][user["listening_frequency"]]
        count = min(int(rng.integers(fewest, most + 1)), len(tracks.ids))
        elsewhere = rng.random(len(tracks.ids)) < hearing["elsewhere"]  # tracks that would reach them unasked
        pull = hearing["charts"] * tracks.popularity / 100 + np.where(elsewhere, 0.0, hearing["taste"] * liking)
        heard = np.argsort(-(pull + rng.gumbel(size=len(pull))), kind="stable")[:count]  # draws without replacement
        ratings = stars["base"] + stars["slope"] * liking[heard] + rng.normal(0, stars["chance"], count)
        return pd.DataFrame(
            {
                "item_id": tracks.ids[heard],
                "rating": np.clip(np.round(ratings), 1, 5),
                "timestamp": self._times(user["time_of_day"], count, rng),
            }
        )

    def _youth(self, age: float, years: np.ndarray) -> np.ndarray:
        """Points for what came out when they were young, (tracks,)."""
        youth, now = self.settings["youth"], self.settings["now"]
        centre = min(now, now - age + youth["age"])
        return np.asarray(youth["points"] * np.exp(-(((years - centre) / youth["years"]) ** 2) / 2))

    def _whims(self, tracks: Tracks, rng: np.random.Generator) -> np.ndarray:
        """What no attribute explains, in points, (tracks,)."""
        spread = self.settings["whims"]
        whims = rng.normal(0, spread["track"], len(tracks.ids))
        for kind in KINDS:
            whims += rng.normal(0, spread[kind], len(tracks.names[kind]))[tracks.codes[kind]]
        for axis in AXES:
            whims += rng.normal(0, spread["axes"]) * (2 * tracks.ranks[axis] - 1)
        return np.asarray(whims)

    def _times(self, usual: str, count: int, rng: np.random.Generator) -> np.ndarray:
        """Seconds since 1970 of `count` listenings in random order, most at the usual time of day."""
        low, high = self.settings["hours"][usual]
        hours = np.where(
            rng.random(count) < self.settings["usual_hours"], rng.uniform(low, high, count), rng.uniform(0, 24, count)
        )
        days = rng.integers(rng.integers(DAYS // 2), DAYS, count)
        return np.round(START + DAY * days + HOUR * hours)


def points(fields: Mapping[str, Any], tracks: Tracks) -> np.ndarray:
    """Points that a leaning gives every track, (tracks,)."""
    total = np.zeros(len(tracks.ids))
    for kind in KINDS:
        liked = fields.get(kind, {})
        total += np.array([liked.get(name, 0.0) for name in tracks.names[kind]])[tracks.codes[kind]]
    for axis, (wanted, lost) in fields.get("axes", {}).items():
        total -= lost * np.abs(tracks.ranks[axis] - wanted)
    return total


def _check_leanings(fields: Mapping[str, Any], where: str) -> None:
    known = ("share", "genre", "subgenre", "axes")
    for field in fields:
        if field not in known:
            raise ValueError(f"{where}: {unknown('field', field, known)}")
    for axis in fields.get("axes", {}):
        if axis not in AXES:
            raise ValueError(f"{where}: {unknown('axis', axis, AXES)}")
