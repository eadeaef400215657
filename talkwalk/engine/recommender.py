"""The engine: `Recommender`, which a user starts with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from numbers import Integral, Real
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from talkwalk.bundle import Bundle
from talkwalk.datasets.resolve import open_catalog
from talkwalk.engine.diversity import POOL, diversify, spoken_spread
from talkwalk.engine.named_items import Named as NamedItem
from talkwalk.engine.named_items import NamedItems, may_name
from talkwalk.engine.prompt_builder import ContextLimits, PromptBuilder
from talkwalk.engine.senses import Sense, senses_of
from talkwalk.engine.session import Session, as_batch
from talkwalk.engine.turn import Item, Turn
from talkwalk.index.catalog import Catalog, present
from talkwalk.index.factory import build_index
from talkwalk.index.locks import ReadWriteLock
from talkwalk.llm.batching import BatchQueue
from talkwalk.llm.language_model import HiddenStateBackend, LanguageModel
from talkwalk.modules import pick_device
from talkwalk.projection.movements import SIDES
from talkwalk.projection.projection_head import RETURNS
from talkwalk.projection.steps import Named
from talkwalk.schema import Row

LISTENERS = 32  # sessions whose words are waited for at the same time
AT_HOME = 1 / 3  # share of the nearest items that must have a category for a place to be at home in it
SAMPLE = 1000  # items, at most about, that the middle of a catalogue is taken of
NO_LESS = 0.75  # of the movement before; "a touch newer" after "newer" wants less, and does not insist


class Reading(NamedTuple):
    """What is made of one turn.

    Attributes:
        position: Where the conversation stands, unit vector (dim,).
        spread: How far apart the answers should be, -1 to 1; 0 where nothing was said.
        asked: (attribute, value) of the categories that were asked for.
        without: The same of those that were refused.
        returns: The earlier place that is gone back to, BACK or FIRST; None for going on.
        within: (attribute, range) of the ranges that were asked for.
        moves: How far the words ask to move along every ordered attribute, on its [0, 1] scale; 0 where they do not.
        far: How far they would ask to move along each, should they ask for that one.
        senses: Everything that they could ask for, the likeliest first.
    """

    position: np.ndarray
    spread: float
    asked: list[Named]
    without: list[Named]
    returns: int | None
    within: list[Named]
    moves: tuple[float, ...] = ()
    far: tuple[float, ...] = ()
    senses: Sequence[Sense] = ()


class Recommender:
    """Recommends items of a catalogue to a person who steers in words.

    Args:
        bundle: What training made.
        catalog: The items; its schema must have the bundle's attributes.
        backend: The language model that the bundle's head was trained on.
        limits: How much of a conversation the language model is shown.

    Raises:
        ValueError: If the language model or the schema is not the bundle's.
    """

    def __init__(
        self,
        bundle: Bundle,
        catalog: Catalog,
        backend: HiddenStateBackend,
        *,
        limits: ContextLimits | None = None,
    ) -> None:
        _check_llm(bundle, backend)
        self.bundle, self.backend = bundle, backend
        self.catalog = _fit_to(bundle, catalog)
        self.prompts = PromptBuilder(bundle.space.schema, backend.renderer, limits)
        self._words: BatchQueue[str, np.ndarray] = BatchQueue(self._hear)
        self._listeners = ThreadPoolExecutor(LISTENERS, thread_name_prefix="words")
        self.index = build_index(self.catalog.ids, bundle.space.encode_items(self.catalog.items))
        self._names: NamedItems | None = None  # of the catalogue as it is, once somebody names something
        self._changes = ReadWriteLock()  # items come and go between the looks of a turn at the catalogue, not amid one
        self._naming = Lock()  # held while names are collected, so that none outlives a change

    def __repr__(self) -> str:
        return f"Recommender({self.catalog!r}, llm={self.bundle.llm.name!r}, dim={self.dim})"

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        catalog: str | Path | Catalog | None = None,
        llm: str | None = None,
        device: str = "auto",
        limits: ContextLimits | None = None,
    ) -> Recommender:
        """Open a bundle by shipped name, folder or Hub repository id.

        Args:
            name: The bundle.
            catalog: Catalogue, its folder or its name; the bundle's own by default.
            llm: Name or folder of the language model; the bundle's own by default.
            device: Torch device of the language model; "auto" takes CUDA where there is one.
            limits: How much of a conversation the language model is shown.

        Raises:
            FileNotFoundError: If the bundle, catalogue or language model is not there; says how to get it.
            ValueError: If they do not belong together, or a file is damaged.
        """
        bundle = Bundle.load(name)
        items = catalog if isinstance(catalog, Catalog) else open_catalog(catalog or bundle.catalog)
        backend = LanguageModel.load(llm or bundle.llm.name, device=pick_device(device))
        # not sooner: two threads that import transformers get in each other's way
        (bundle.space.adapted or bundle.space.sentences).preload()
        return cls(bundle, items, backend, limits=limits)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the bundle; items and users stay in their catalogue."""
        self.bundle.save(folder)

    @property
    def dim(self) -> int:
        """Dimension of the space."""
        return self.bundle.space.dim

    def session(self, *, user: Row | str | None = None, history: Sequence[str] = ()) -> Session:
        """Start a conversation.

        Args:
            user: Profile attributes, or a user id of the catalogue.
            history: Ids of items already consumed or playing, the last one most recent.

        Raises:
            ValueError: On an unknown id or attribute, or a value of the wrong type.
        """
        profile = self.catalog.user(user) if isinstance(user, str) else user
        if profile is not None:
            if not isinstance(profile, Mapping):
                raise ValueError(f"user must be a mapping of attributes or a user id, got {type(profile).__name__}")
            self.catalog.schema.check_row(profile, entity="user")
        with self.reading():
            self.catalog.check_ids(history, name="history")
            return Session(self, profile, history)

    def recommend(
        self,
        text: str,
        *,
        user: Row | str | None = None,
        history: Sequence[str] = (),
        k: int = 10,
        system: str | None = None,
        exclude: Collection[str] = (),
        where: Mapping[str, Any] | None = None,
        diversity: float = 0.0,
    ) -> Turn:
        """One turn of a fresh session; arguments as for `session` and `Session.say`."""
        session = self.session(user=user, history=history)
        return session.say(text, k=k, system=system, exclude=exclude, where=where, diversity=diversity)

    def add_items(self, rows: Mapping[str, Row] | pd.DataFrame) -> None:
        """Add or replace items, live; nothing changes if any row is bad.

        Args:
            rows: Attributes by id, or a table indexed by id.
        """
        if isinstance(rows, pd.DataFrame):
            repeated = rows.index[rows.index.duplicated()]
            if len(repeated):
                raise ValueError(f"item ids must be unique, {repeated[0]!r} occurs more than once")
            rows = {str(i): present(row) for i, row in zip(rows.index, rows.to_dict("records"), strict=True)}
        for item_id in rows:
            if not isinstance(item_id, str) or not item_id:
                raise ValueError(f"item ids must be non-empty strings, got {item_id!r}")
        if rows:
            self.catalog.check_rows(rows)
            vectors = self.encode_items(list(rows.values()))
            with self._changes.writing():
                self.catalog.add(rows)
                self.index.add(list(rows), vectors)
                self._forget_names()

    def remove_items(self, ids: Sequence[str]) -> None:
        """Remove items, live; nothing changes if any id is unknown."""
        with self._changes.writing():
            self.catalog.remove(ids)
            self.index.remove(list(ids))
            self._forget_names()

    def reading(self) -> AbstractContextManager[None]:
        """Keeps items from being added and removed for a while; not re-entrant."""
        return self._changes.reading()

    def _forget_names(self) -> None:
        with self._naming:
            self._names = None

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """Words to unit vectors, (texts, dim)."""
        if isinstance(texts, str):
            raise ValueError(f"texts must be a list of strings, got the string {texts!r}")
        return self.bundle.space.encode_text([self.prompts.check_text(text) for text in texts])

    def encode_items(self, rows: pd.DataFrame | Sequence[Row]) -> np.ndarray:
        """Item attributes to unit vectors, (rows, dim)."""
        return self.bundle.space.encode_items(rows)

    def encode_users(self, rows: pd.DataFrame | Sequence[Row]) -> np.ndarray:
        """Profiles to unit vectors, (rows, dim)."""
        return self.bundle.space.encode_users(rows)

    def item_vector(self, item_id: str) -> np.ndarray:
        """Unit vector of an item of the catalogue, (dim,)."""
        return self.index.vectors([item_id])[0]

    def named(self, text: str, *, refused: bool = False) -> list[NamedItem]:
        """Items, by title or another name, that words speak of; what is the name of a category is none.

        Args:
            text: The words.
            refused: Find the makers that the words keep out instead.
        """
        if not may_name(text):
            return []
        with self._naming:
            names = self._names = self._names or NamedItems(self.catalog)
        called = names.find(text, refused=refused)
        found = [name for name in called if not self.bundle.space.mentions.is_name(name.words)]
        kept = [name._replace(ids=[i for i in name.ids if i in self.index]) for name in found]
        return [name for name in kept if name.ids]

    def middle(self, groups: Sequence[Sequence[str]]) -> np.ndarray:
        """Where several groups of items have their middle, each weighing the same, unit vector (dim,)."""
        means = [self.index.vectors(list(ids)).mean(axis=0) for ids in groups]
        total = np.sum([mean / max(np.linalg.norm(mean), 1e-9) for mean in means], axis=0)
        return (total / max(np.linalg.norm(total), 1e-9)).astype(np.float32)

    def hear(self, text: str) -> Future[np.ndarray]:
        """What the text side of the space makes of something said, (heard dim,); nothing of it is kept.

        Works beside the language model, and on what many sessions say at the same time in one go.
        """
        return self._listeners.submit(self._words.ask, text)

    def _hear(self, texts: Sequence[str]) -> list[np.ndarray]:
        return list(self.bundle.space.heard(texts, keep=False))

    @torch.inference_mode()
    def project(self, state: np.ndarray, anchors: np.ndarray) -> Reading:
        """What is made of a hidden state and words (llm dim + heard dim,) said from anchors (slots, dim)."""
        projected = self.bundle.head(as_batch(state), as_batch(anchors))
        space = self.bundle.space
        values, ranges = space.schema.category_values, space.ranges
        asked, without, within = (
            [named for named, logit in zip(names, logits[0].tolist(), strict=True) if logit > 0]
            for names, logits in ((values, projected.asked), (values, projected.without), (ranges, projected.within))
        )
        spread = spoken_spread(float(projected.spread[0]))
        logit, place = max(zip(projected.returns[0].tolist(), RETURNS, strict=True))
        returns = place if logit > 0 else None
        moving = projected.moves.sides[0].argmax(dim=-1) != SIDES.index(0.0)
        moves = tuple((projected.moves.amounts[0] * moving).tolist())
        far = tuple(self.bundle.head.intent.moves.far(projected.moves.grades)[0].tolist())
        senses = senses_of(projected, space.schema, self.bundle.certainty, ways=self.bundle.head.walks)
        return Reading(projected.positions[0].numpy(), spread, asked, without, returns, within, moves, far, senses)

    @torch.inference_mode()
    def meant(self, read: Reading, sense: Sense, start: np.ndarray) -> Reading:
        """The reading, had the words asked for just one thing: a step along its axis, or its category nearby.

        Args:
            read: What was made of the words.
            sense: What they were meant to ask for.
            start: Where they were said, (dim,); zeros for nowhere, which is taken for the middle of the catalogue.

        Raises:
            ValueError: If the head knows no way along the sense's attribute.
        """
        if isinstance(sense.value, int) and not self.bundle.head.walks:
            raise ValueError(
                f"this bundle's head goes to absolute places and knows no way along {sense.attribute}: say it in words"
            )
        moves = tuple(
            float(sense.value) * far if sense.attribute == attribute.name else 0.0
            for attribute, far in zip(self.catalog.schema.ordered, read.far, strict=True)
        )
        if not start.any():
            some = self.catalog.ids[:: 1 + len(self.catalog) // SAMPLE]
            start = self.middle([some]) if some else read.position
        place = start + self.bundle.head.along(as_batch(np.array(moves)))[0].numpy()
        named = [(sense.attribute, sense.value)] if isinstance(sense.value, str) else []
        return read._replace(
            position=place / np.linalg.norm(place), moves=moves, returns=None, within=[], spread=0.0,
            asked=named if sense.wanted else [], without=[] if sense.wanted else named,
        )  # fmt: skip

    @torch.inference_mode()
    def further(self, read: Reading, before: Sequence[float]) -> Reading:
        """The reading, moved once more along what the turn before asked for too: it had not been enough.

        Args:
            read: What is made of this turn.
            before: Movements of the turn before, as in `Reading.moves`.
        """
        again = [
            now if now * then > 0 and abs(now) >= NO_LESS * abs(then) else 0.0
            for now, then in zip(read.moves, before, strict=False)
        ]
        if not any(again):
            return read
        place = read.position + self.bundle.head.along(as_batch(np.array(again)))[0].numpy()
        return read._replace(position=place / np.linalg.norm(place))

    def check_search(
        self, k: int, exclude: Collection[str], where: Mapping[str, Any] | None, diversity: float
    ) -> list[str] | None:
        """Check the arguments of a search; returns the ids that `where` admits now, None for all."""
        if isinstance(k, bool) or not isinstance(k, Integral) or k < 1:
            raise ValueError(f"k must be a positive whole number, got {k!r}")
        if isinstance(diversity, bool) or not isinstance(diversity, Real) or not 0 <= diversity <= 1:
            raise ValueError(f"diversity must be between 0 and 1, got {diversity!r}")
        with self.reading():
            self.catalog.check_ids(exclude, name="exclude")
            admitted = self.catalog.matching(where) if where is not None else None
        return admitted if where else None

    def among_asked(
        self,
        asked: Collection[Named],
        within: Collection[Named],
        among: Collection[str] | None,
        hidden: Collection[str],
        k: int,
    ) -> Collection[str] | None:
        """The items that a search may show where categories or ranges were asked for: None for all.

        What would leave fewer than `k` items is not insisted on: first the ranges are given up, then all categories
        for any, at last the categories.

        Args:
            asked: (attribute, value) of the categories.
            within: (attribute, range) of the ranges, one of which is needed of every attribute that has some.
            among: Ids that are allowed otherwise, None for all.
            hidden: Ids that must not be shown.
            k: Length of the answer.
        """
        ranged = self.catalog.in_ranges(within) if within else None
        options: list[set[str]] = []
        for find in (self.catalog.having_all, self.catalog.having) if asked else ():
            fitting = find(asked)
            options += [fitting & ranged, fitting] if ranged is not None else [fitting]
        for option in [*options, ranged] if ranged is not None else options:
            found = option.difference(hidden)
            if among is not None:
                found &= set(among)
            if len(found) >= k:
                return found
        return among

    def at_home(
        self,
        held: Sequence[Named],
        position: np.ndarray,
        k: int,
        hidden: Collection[str],
        among: Collection[str] | None,
    ) -> tuple[Named, ...]:
        """Those of some categories that the place is still at home in: enough of the `k` nearest items have them."""
        if not held:
            return ()
        near = self.index.search(position, k, exclude=hidden, among=among).ids
        return tuple(c for c in held if len(self.catalog.having([c]).intersection(near)) >= AT_HOME * len(near))

    def search(
        self,
        position: np.ndarray,
        k: int,
        exclude: Collection[str],
        among: Collection[str] | None,
        diversity: float,
    ) -> list[Item]:
        """The nearest allowed items to a position, the best first; `diversity` as for `diversify`."""
        hits = self.index.search(position, k * POOL if diversity else k, exclude=exclude, among=among)
        order = range(len(hits.ids))
        if diversity and hits.ids:
            order = diversify(hits.scores, self.index.vectors(hits.ids), k, diversity)  # type: ignore[assignment]
        return [Item(hits.ids[i], float(np.clip(hits.scores[i], -1, 1)), self.catalog.row(hits.ids[i])) for i in order]


def _check_llm(bundle: Bundle, backend: HiddenStateBackend) -> None:
    if bundle.llm.fingerprint != backend.fingerprint:
        raise ValueError(
            f"this bundle's head belongs to the language model {bundle.llm.name} ({bundle.llm.revision}, fingerprint "
            f"{bundle.llm.fingerprint}), got one with fingerprint {backend.fingerprint}: load that model, or train a "
            "head for this one with `make train-projection ARGS='llm=...'`"
        )


def _fit_to(bundle: Bundle, catalog: Catalog) -> Catalog:
    """The catalogue under the bundle's own fitted schema, which its encoder was trained with."""
    ours = {n: a.kind.value for n, a in bundle.space.schema.items.items()}
    theirs = {n: a.kind.value for n, a in catalog.schema.items.items()}
    if ours != theirs:
        raise ValueError(f"the bundle was trained for item attributes {ours}, the catalogue has {theirs}")
    users = catalog.users if set(catalog.users.columns) <= set(bundle.space.schema.users) else None
    return Catalog(bundle.space.schema, catalog.items, users, catalog.interactions, catalog.evaluation_only)
