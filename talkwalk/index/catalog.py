"""A catalogue: typed items, and optionally the people who use them and what they did."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from talkwalk.bands import Band
from talkwalk.files import atomic_folder, check_only
from talkwalk.schema import Attribute, Kind, Row, Schema, check_value, is_missing, unknown

INTERACTION_COLUMNS = ("user_id", "item_id", "timestamp")

EVALUATION_ONLY = "evaluation_only.txt"  # in the folder of a catalogue that nothing may be trained on
TABLES = ("items", "users", "interactions")
FILES = ("schema.yaml", EVALUATION_ONLY, *(f"{name}.parquet" for name in TABLES))  # what such a folder holds


class Catalog:
    """Items with their schema; ids are strings.

    Attributes:
        schema: What the columns mean.
        items: Item attributes, indexed by id.
        users: User attributes, indexed by id; empty when there are none.
        interactions: Columns user_id, item_id, timestamp, optional rating and split ("train", "valid" or
            "test", by time per user); None when there are none.
        evaluation_only: Why nothing may be trained on these items, such as a publisher's terms; empty where it may.
    """

    def __init__(
        self,
        schema: Schema,
        items: pd.DataFrame,
        users: pd.DataFrame | None = None,
        interactions: pd.DataFrame | None = None,
        evaluation_only: str = "",
    ) -> None:
        self.schema = schema
        self.evaluation_only = evaluation_only
        self.items = _table(items, schema.items, "item")
        self.users = _table(users if users is not None else pd.DataFrame(), schema.users, "user")
        if interactions is not None:
            missing = [name for name in INTERACTION_COLUMNS if name not in interactions]
            if missing:
                raise ValueError(f"interactions must have the columns {INTERACTION_COLUMNS}, missing {missing}")
            interactions = interactions.astype({"user_id": str, "item_id": str})
        self.interactions = interactions
        self._ranks: dict[str, pd.Series] = {}
        self._having: dict[tuple[str, str], frozenset[str]] = {}

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        seen = 0 if self.interactions is None else len(self.interactions)
        return f"Catalog({self.schema.domain}: {len(self.items)} items, {len(self.users)} users, {seen} interactions)"

    @property
    def ids(self) -> list[str]:
        """Item ids, in table order."""
        return [str(i) for i in self.items.index]

    def row(self, item_id: str) -> dict[str, Any]:
        """The present attributes of one item.

        Raises:
            ValueError: If the catalogue has no such item.
        """
        self.check_ids([item_id])
        return present(self.items.loc[item_id].to_dict())

    def rows(self, item_ids: Sequence[str]) -> list[dict[str, Any]]:
        return [self.row(item_id) for item_id in item_ids]

    def user(self, user_id: str) -> dict[str, Any]:
        """The present attributes of one user.

        Raises:
            ValueError: If the catalogue has no such user.
        """
        if user_id not in self.users.index:
            raise ValueError(f"unknown user id {user_id!r}: the catalogue has {len(self.users)} users")
        return present(self.users.loc[user_id].to_dict())

    def check_ids(self, item_ids: Collection[str], *, name: str = "ids") -> None:
        """Raise `ValueError` for what is no list of ids, and for the first id that is not in the catalogue."""
        if isinstance(item_ids, str) or not isinstance(item_ids, Collection):
            raise ValueError(f"{name} must be a list of item ids, got {item_ids!r}")
        for item_id in item_ids:
            if not isinstance(item_id, str):
                raise ValueError(f"item ids must be strings, got {item_id!r}")
            if item_id not in self.items.index:
                raise ValueError(f"unknown item id {item_id!r}: the catalogue has {len(self.items)} items")

    def features(self) -> np.ndarray:
        """Encoder input of every item, float32 (items, input width)."""
        return self.schema.featurize(items=self.items).joined()

    def ranks(self, attribute: str) -> pd.Series:
        """Rank in this catalogue (0 lowest, 1 highest, ties in the middle) of every item's value, NaN if missing."""
        known = {a.name for a in self.schema.ordered}
        if attribute not in known:
            raise ValueError(unknown("ordered attribute", attribute, known))
        if attribute not in self._ranks:
            column = pd.to_numeric(self.items[attribute])
            self._ranks[attribute] = (column.rank(method="average") - 0.5) / max(column.notna().sum(), 1)
        return self._ranks[attribute]

    def matching(self, where: Mapping[str, Any]) -> list[str]:
        """Ids of the items that satisfy every condition.

        Args:
            where: Attribute to a value (equal, or among a multi attribute's names), a list of values (any of
                them), or for ordered attributes a (low, high) tuple, either end None, both ends included.

        Raises:
            ValueError: On an unknown attribute, a category that no item has, a value of the wrong kind, or a range
                the wrong way round.
        """
        if not isinstance(where, Mapping):
            raise ValueError(f"where must be a mapping of attributes to values, got {where!r}")
        keep = self._mask(where)
        for name, condition in where.items():
            attribute = self.schema.items[name]
            if attribute.kind in (Kind.CATEGORY, Kind.MULTI):
                _check_known(attribute, _values(condition), self.items[name])
        return [str(i) for i in self.items.index[keep]]

    def _mask(self, where: Mapping[str, Any]) -> np.ndarray:
        """True where an item satisfies every condition, (items,)."""
        keep = np.ones(len(self.items), dtype=bool)
        for name, condition in where.items():
            attribute = self.schema.items.get(name)
            if attribute is None:
                raise ValueError(unknown("item attribute", name, self.schema.items))
            column = self.items[name]
            if attribute.kind is Kind.ORDERED and isinstance(condition, tuple):
                keep &= _between(name, column, condition)
                continue
            if isinstance(condition, tuple):
                raise ValueError(f"where[{name!r}] must be a string or a list of them, got {condition!r}")
            wanted = _values(condition)
            for value in wanted:
                if isinstance(value, Iterable) and not isinstance(value, str):
                    raise ValueError(f"where[{name!r}] must be a value or a list of them, got {condition!r}")
                if is_missing(value):
                    raise ValueError(f"where[{name!r}] must be a value, got {value!r}")
                check_value(attribute, value)
            if attribute.kind is Kind.MULTI:
                sets = [set() if is_missing(v) else set(v) for v in column]
                keep &= np.array([not names.isdisjoint(wanted) for names in sets], dtype=bool)
            else:
                keep &= column.isin(wanted).to_numpy()
        return keep

    def having(self, named: Collection[tuple[str, str]]) -> set[str]:
        """Ids of the items that have any of the categories, each given as (attribute, value)."""
        return set().union(*(self._with(name) for name in named))

    def having_all(self, named: Collection[tuple[str, str]]) -> set[str]:
        """Ids of the items that have all of the categories, of which there must be one."""
        first, *others = (self._with(name) for name in named)
        return set(first).intersection(*others)

    def in_ranges(self, ranges: Collection[tuple[str, str]]) -> set[str]:
        """Ids of the items that lie in one of the ranges of every attribute that has some; there must be one.

        Args:
            ranges: Ordered attribute and range, as `Band.parse` reads it.
        """
        by_attribute: dict[str, set[str]] = {}
        for name in ranges:
            by_attribute.setdefault(name[0], set()).update(self._with(name))
        first, *others = by_attribute.values()
        return first.intersection(*others)

    def _with(self, named: tuple[str, str]) -> frozenset[str]:
        if named not in self._having:
            name, value = named
            attribute = self.schema.items.get(name)
            if attribute is not None and attribute.kind is Kind.ORDERED:
                held = Band.parse(value).within(self.items[name].to_numpy(dtype=np.float64), attribute)
                self._having[named] = frozenset(str(i) for i in self.items.index[held])
            else:
                self._having[named] = frozenset(str(i) for i in self.items.index[self._mask({name: value})])
        return self._having[named]

    def check_rows(self, rows: Mapping[str, Row]) -> None:
        """Raise `ValueError` for the first item whose attributes are not the schema's."""
        for item_id, row in rows.items():
            if not isinstance(row, Mapping):
                raise ValueError(f"item {item_id!r} must be a mapping of attributes, got {row!r}")
            self.schema.check_row(row, entity="item")

    def add(self, rows: Mapping[str, Row]) -> None:
        """Add or replace items in place; nothing changes if any row is bad."""
        self.check_rows(rows)
        new = pd.DataFrame.from_dict({i: dict(row) for i, row in rows.items()}, orient="index")
        new = new.reindex(columns=self.items.columns)
        kept = self.items.drop(index=[i for i in rows if i in self.items.index])
        self.items = _table(pd.concat([kept.astype(object), new.astype(object)]), self.schema.items, "item")
        self._ranks.clear()
        self._having.clear()

    def remove(self, item_ids: Collection[str]) -> None:
        """Remove items in place; nothing changes if any id is unknown."""
        self.check_ids(item_ids)
        self.items = self.items.drop(index=list(item_ids))
        self._ranks.clear()
        self._having.clear()

    def fingerprint(self) -> str:
        """Hash of the schema and the items."""
        plain = self.items.map(lambda value: "" if is_missing(value) else str(value))
        content = pd.util.hash_pandas_object(plain, index=True).to_numpy().tobytes()
        return hashlib.sha256(self.schema.fingerprint().encode() + content).hexdigest()[:16]

    def save(self, folder: str | Path) -> None:
        """Write schema.yaml and the parquet tables; the folder appears whole or not at all.

        Raises:
            ValueError: If `folder` holds something else than a catalogue.
        """
        check_target(Path(folder))
        with atomic_folder(Path(folder)) as temporary:
            self.schema.save(temporary / "schema.yaml")
            self.items.to_parquet(temporary / "items.parquet")
            if len(self.users):
                self.users.to_parquet(temporary / "users.parquet")
            if self.interactions is not None:
                self.interactions.to_parquet(temporary / "interactions.parquet")
            if self.evaluation_only:
                (temporary / EVALUATION_ONLY).write_text(self.evaluation_only + "\n")

    @classmethod
    def load(cls, folder: str | Path) -> Catalog:
        """Read a catalogue folder.

        Raises:
            FileNotFoundError: If the folder, its schema.yaml or its items.parquet is missing.
        """
        folder = Path(folder)
        if not (folder / "items.parquet").is_file():
            raise FileNotFoundError(
                f"no catalogue at {folder}: it needs schema.yaml and items.parquet; "
                "data/scripts/prepare_catalog.py makes one"
            )
        tables = {n: _read(folder / f"{n}.parquet") for n in TABLES}
        items = tables["items"]
        assert items is not None  # checked above
        terms = (folder / EVALUATION_ONLY).read_text().strip() if (folder / EVALUATION_ONLY).is_file() else ""
        return cls(Schema.load(folder / "schema.yaml"), items, tables["users"], tables["interactions"], terms)


def check_target(folder: Path) -> None:
    """Raise `ValueError` if the folder, which saving a catalogue replaces whole, holds anything else."""
    check_only(folder, FILES, "the catalogue")


def present(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The row without missing cells, with plain Python values."""
    return {str(name): _plain(value) for name, value in row.items() if not is_missing(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list):
        return list(value)  # nobody changes the table through a row
    return value.item() if isinstance(value, np.generic) else value


def _read(path: Path) -> pd.DataFrame | None:
    return pd.read_parquet(path) if path.is_file() else None


def _table(table: pd.DataFrame, attributes: Mapping[str, Any], entity: str) -> pd.DataFrame:
    """Checked copy with string ids, the schema's columns in the schema's order, lists where several names may be."""
    table = table.copy()
    table.index = pd.Index([str(i) for i in table.index], dtype=object, name="id")
    repeated = table.index[table.index.duplicated()]
    if len(repeated):
        raise ValueError(f"{entity} ids must be unique, {repeated[0]!r} occurs more than once")
    for column in table.columns:
        if column not in attributes:
            raise ValueError(unknown(f"{entity} column", str(column), attributes))
    table = table.reindex(columns=list(attributes))
    for name, attribute in attributes.items():
        if attribute.kind is Kind.ORDERED:
            try:
                table[name] = pd.to_numeric(table[name])
            except (TypeError, ValueError) as error:
                raise ValueError(f"{entity} column {name!r} must hold numbers: {error}") from error
        elif attribute.kind is Kind.MULTI:
            table[name] = pd.Series([_list(v) for v in table[name]], index=table.index, dtype=object)
    return table


def _list(value: Any) -> list[str]:
    if is_missing(value):
        return []
    return [value] if isinstance(value, str) else [str(v) for v in value]


def _values(condition: Any) -> list[Any]:
    return list(condition) if isinstance(condition, (list, set, frozenset)) else [condition]


def _check_known(attribute: Attribute, wanted: Collection[str], column: pd.Series) -> None:
    """Raise `ValueError` for a category that neither the schema nor any item has."""
    if set(wanted) <= set(attribute.values):
        return
    present = column.explode() if attribute.kind is Kind.MULTI else column
    known = {*attribute.values, *present.dropna()}
    for value in wanted:
        if value not in known:
            raise ValueError(unknown(f"value of {attribute.name!r}", value, known))


def _between(name: str, column: pd.Series, bounds: tuple[Any, ...]) -> np.ndarray:
    numbers = [b for b in bounds if b is not None]
    if len(bounds) != 2 or not all(isinstance(b, Real) and not isinstance(b, bool) and b == b for b in numbers):
        raise ValueError(f"where[{name!r}] must be (low, high) with numbers or None, got {bounds!r}")
    low, high = bounds
    if len(numbers) == 2 and low > high:
        raise ValueError(f"where[{name!r}] must be (low, high) with low up to high, got {bounds!r}")
    inside = column.notna()
    if low is not None:
        inside &= column >= low
    if high is not None:
        inside &= column <= high
    return inside.to_numpy()
