"""Typed attributes of items and users, and how a row of them becomes numbers.

A row becomes a vector of values *and* a mask of what is present, so that a missing value, a category never
seen before or a row with a single attribute all mean what they say: "not known".
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import yaml

if TYPE_CHECKING:
    import pandas as pd

MAX_KNOTS = 257  # points kept of an empirical distribution; the error is at most half a step, 0.2 % of a rank

Row = Mapping[str, Any]


class Kind(StrEnum):
    """What the values of an attribute are."""

    ORDERED = "ordered"  # a number
    CATEGORY = "category"  # one of several names
    MULTI = "multi"  # several of several names
    FLAG = "flag"  # true or false
    TEXT = "text"  # words for people and the LLM to read; never a feature


class Scale(StrEnum):
    """How an ordered attribute is laid on [0, 1]."""

    LINEAR = "linear"
    LOG = "log"
    RANK = "rank"  # share of the catalogue that lies below


class Show(StrEnum):
    """How the language model reads an ordered attribute."""

    VALUE = "value"  # the number, such as a year
    LEVEL = "level"  # "low" to "high", for numbers that mean little by themselves


@dataclass(frozen=True, slots=True)
class Attribute:
    """One column of items or users.

    Attributes:
        name: Column name.
        kind: What its values are.
        scale: For ordered attributes, how values are laid on [0, 1].
        unit: Unit of an ordered attribute, for people.
        range: Lowest and highest value of an ordered attribute; fitted when absent.
        values: Names of a category or multi attribute; fitted when absent.
        words: Names of less and more for explanations, such as ("older", "newer").
        show: How the language model reads an ordered attribute.
        knots: Fitted (value, rank) points of an ordered attribute with rank scale, increasing in both.
        open: Whether `values` are those found in a catalogue rather than declared: elsewhere there may be others.
    """

    name: str
    kind: Kind
    scale: Scale = Scale.LINEAR
    unit: str = ""
    range: tuple[float, float] | None = None
    values: tuple[str, ...] = ()
    words: tuple[str, str] | None = None
    show: Show = Show.VALUE
    knots: tuple[tuple[float, float], ...] = ()
    open: bool = False

    def __post_init__(self) -> None:
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError(f"range of attribute {self.name!r} must be increasing, got {list(self.range)}")
        if self.scale is Scale.LOG and self.range is not None and self.range[0] <= 0:
            raise ValueError(
                f"range of attribute {self.name!r} must be positive for a log scale, got {list(self.range)}"
            )

    @property
    def sides(self) -> tuple[str, str]:
        """What less and more of an ordered attribute are called, such as "older" and "newer"."""
        return self.words or (f"lower {self.name}", f"higher {self.name}")

    @property
    def width(self) -> int:
        """Number of feature columns."""
        if self.kind is Kind.TEXT:
            return 0
        return len(self.values) if self.kind in (Kind.CATEGORY, Kind.MULTI) else 1

    def to_unit(self, values: np.ndarray) -> np.ndarray:
        """Lay values of an ordered attribute on [0, 1] by its scale; NaN stays NaN."""
        values = np.asarray(values, dtype=np.float64)
        if self.scale is Scale.RANK:
            if not self.knots:
                raise ValueError(f"attribute {self.name!r} has rank scale: fit the schema on a catalogue first")
            xs, ranks = np.array(self.knots).T
            return np.where(np.isnan(values), np.nan, np.interp(values, xs, ranks))
        low, high = self._bounds()
        if self.scale is Scale.LOG:
            values, low, high = np.log(np.maximum(values, low)), math.log(low), math.log(high)
        return np.clip((values - low) / (high - low), 0.0, 1.0)

    def from_unit(self, units: np.ndarray) -> np.ndarray:
        """Inverse of `to_unit` inside the fitted range."""
        units = np.clip(np.asarray(units, dtype=np.float64), 0.0, 1.0)
        if self.scale is Scale.RANK:
            xs, ranks = np.array(self.knots).T
            return np.interp(units, ranks, xs)
        low, high = self._bounds()
        if self.scale is Scale.LOG:
            return np.exp(math.log(low) + units * (math.log(high) - math.log(low)))
        return low + units * (high - low)

    def _bounds(self) -> tuple[float, float]:
        if self.range is None:
            raise ValueError(f"attribute {self.name!r} has no range: give one in schema.yaml or fit the schema")
        return self.range

    def fit(self, column: pd.Series) -> Attribute:
        """A copy with range, values and rank knots taken from `column` where they are not given."""
        present = [value for value in column.tolist() if not is_missing(value)]
        if self.kind is Kind.ORDERED:
            numbers = np.array([_number(self, value) for value in present])
            if len(numbers) == 0:
                return self
            span = self.range or _widened(float(numbers.min()), float(numbers.max()))
            knots = rank_knots(numbers) if self.scale is Scale.RANK else ()
            return dataclasses.replace(self, range=span, knots=knots)
        if self.kind in (Kind.CATEGORY, Kind.MULTI) and not self.values:
            names = {name for value in present for name in _names(self, value)}
            return dataclasses.replace(self, values=tuple(sorted(names)), open=True)
        return self


def _widened(low: float, high: float) -> tuple[float, float]:
    return (low, high) if low < high else (low, low + 1.0)


def rank_knots(numbers: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Points of the empirical distribution: distinct values with the middle of the ranks that they share."""
    values, counts = np.unique(numbers, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2) / len(numbers)
    if len(values) > MAX_KNOTS:
        keep = np.unique(np.searchsorted(ranks, np.linspace(ranks[0], ranks[-1], MAX_KNOTS)))
        values, ranks = values[keep], ranks[keep]
    return tuple(zip(values.tolist(), ranks.tolist(), strict=True))


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, an empty string or an empty list."""
    if value is None:
        return True
    if isinstance(value, (list, tuple, set, np.ndarray, str)):
        return len(value) == 0
    if type(value).__name__ == "NAType":  # pandas' NA, whose comparisons are NA again
        return True
    return bool(value != value)  # NaN and NaT are the values that differ from themselves


def _number(attribute: Attribute, value: Any) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ValueError(f"attribute {attribute.name!r} must be a number, got {value!r}")
    number = float(value)
    if math.isinf(number):
        raise ValueError(f"attribute {attribute.name!r} must be finite, got {value!r}")
    return number


def _names(attribute: Attribute, value: Any) -> list[str]:
    if attribute.kind is Kind.CATEGORY:
        if not isinstance(value, str):
            raise ValueError(f"attribute {attribute.name!r} must be a string, got {value!r}")
        return [value]
    if isinstance(value, str):
        return [value]
    if not isinstance(value, (list, tuple, set, np.ndarray)) or not all(isinstance(v, str) for v in value):
        raise ValueError(f"attribute {attribute.name!r} must be a list of strings, got {value!r}")
    return list(value)


class Features(NamedTuple):
    """What the metadata encoder reads.

    `values` is (rows, feature columns), zero where nothing is present; `present` is (rows, attributes), 0 or 1.
    """

    values: np.ndarray
    present: np.ndarray

    def joined(self) -> np.ndarray:
        """Both side by side, float32 (rows, columns + attributes)."""
        return np.concatenate([self.values, self.present], axis=1)


@dataclass(frozen=True)
class Schema:
    """The attributes of one domain.

    Attributes:
        domain: Short name, such as "movies".
        items: Item attributes by name, in column order.
        users: User attributes by name, in column order.
        title: The text attribute that names an item to people, if any.
        noun: What one item is called in prompts, such as "film".
    """

    domain: str
    items: Mapping[str, Attribute]
    users: Mapping[str, Attribute] = field(default_factory=dict)
    title: str | None = None
    noun: str = "item"

    def __post_init__(self) -> None:
        if not self.items:
            raise ValueError(f"schema {self.domain!r} must have at least one item attribute")
        if self.title is not None and self.title not in self.items:
            raise ValueError(f"title of schema {self.domain!r} must be an item attribute, got {self.title!r}")

    @property
    def input_width(self) -> int:
        """Width of `Features.joined()` for a row with both blocks."""
        attributes = self.featured
        return sum(a.width for a in attributes) + len(attributes)

    @property
    def ordered(self) -> tuple[Attribute, ...]:
        """Ordered item attributes: the axes along which a person steers."""
        return tuple(a for a in self.items.values() if a.kind is Kind.ORDERED)

    @property
    def categorical(self) -> tuple[Attribute, ...]:
        """Category and multi item attributes."""
        return tuple(a for a in self.items.values() if a.kind in (Kind.CATEGORY, Kind.MULTI))

    @property
    def category_values(self) -> tuple[tuple[str, str], ...]:
        """(attribute, value) of every value of the category and multi item attributes."""
        return tuple((a.name, str(v)) for a in self.categorical for v in a.values or ())

    @property
    def featured(self) -> list[Attribute]:
        """Attributes that have columns in `Features`, in their order: all but text, items then users."""
        return [a for a in (*self.items.values(), *self.users.values()) if a.kind is not Kind.TEXT]

    def fit(self, items: pd.DataFrame, users: pd.DataFrame | None = None) -> Schema:
        """A copy whose ranges, category names and ranks come from the tables where the schema leaves them open."""
        fitted_items = {n: a.fit(items[n]) if n in items else a for n, a in self.items.items()}
        fitted_users = {n: a.fit(users[n]) if users is not None and n in users else a for n, a in self.users.items()}
        return dataclasses.replace(self, items=fitted_items, users=fitted_users)

    def check_row(self, row: Row, *, entity: str) -> None:
        """Raise `ValueError` for an attribute that the schema does not know or a value of the wrong type."""
        attributes = self.items if entity == "item" else self.users
        for name, value in row.items():
            attribute = attributes.get(name)
            if attribute is None:
                raise ValueError(unknown(f"{entity} attribute", name, attributes))
            if not is_missing(value):
                check_value(attribute, value)

    def featurize(
        self,
        items: pd.DataFrame | Sequence[Row] | None = None,
        users: pd.DataFrame | Sequence[Row] | None = None,
    ) -> Features:
        """Turn rows into features; items and users given together are pairs, row by row.

        Args:
            items: Item rows, or None for rows without an item block.
            users: User rows, or None for rows without a user block.

        Raises:
            ValueError: On an unknown attribute or a value of the wrong type; names it.
        """
        if items is None and users is None:
            raise ValueError("featurize needs items, users or both")
        if items is not None and users is not None and len(items) != len(users):
            raise ValueError(f"items and users must have equal length, got {len(items)} and {len(users)}")
        count = len(items) if items is not None else len(users) if users is not None else 0
        blocks = [*_block(self.items, items, count, "item"), *_block(self.users, users, count, "user")]
        values = np.concatenate([block for block, _ in blocks], axis=1)
        present = np.stack([mask for _, mask in blocks], axis=1)
        return Features(values.astype(np.float32), present.astype(np.float32))

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, strings and numbers; the inverse of `from_dict`."""
        head = {"domain": self.domain, "noun": self.noun, "title": self.title}
        blocks = {"items": self.items, "users": self.users}
        return {**head, **{k: {n: _attribute_dict(a) for n, a in v.items()} for k, v in blocks.items()}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, where: str = "schema") -> Schema:
        """Build a schema; errors name the place in `where`, the attribute and the field."""
        known = {"domain", "noun", "title", "items", "users"}
        for key in data:
            if key not in known:
                raise ValueError(f"{where}: {unknown('field', key, known)}")
        if "domain" not in data or not data.get("items"):
            raise ValueError(f"{where}: fields 'domain' and 'items' are required")
        for block in ("items", "users"):
            if not isinstance(data.get(block) or {}, Mapping):
                raise ValueError(f"{where}: {block} must be a mapping of names to attributes, got {data[block]!r}")
        items, users = (
            {n: _attribute(n, f, f"{where}: {block}.{n}") for n, f in (data.get(block) or {}).items()}
            for block in ("items", "users")
        )
        return cls(str(data["domain"]), items, users, data.get("title"), str(data.get("noun", "item")))

    @classmethod
    def load(cls, path: str | Path) -> Schema:
        """Read `schema.yaml`."""
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no schema at {path}: a catalogue folder needs a schema.yaml")
        data = yaml.safe_load(path.read_text())
        if not isinstance(data, dict):
            raise ValueError(f"{path} must hold a mapping, got {type(data).__name__}")
        return cls.from_dict(data, where=str(path))

    def save(self, path: str | Path) -> None:
        """Write `schema.yaml`."""
        Path(path).write_text(yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True))

    def fingerprint(self) -> str:
        """Hash of everything that changes the meaning of a feature column, and of nothing else."""
        columns = [
            (block, a.name, a.kind.value, a.scale.value, a.range and [float(v) for v in a.range], a.values, a.knots)
            for block, attributes in (("item", self.items), ("user", self.users))
            for a in attributes.values()
            if a.kind is not Kind.TEXT
        ]
        return hashlib.sha256(json.dumps([self.domain, columns]).encode()).hexdigest()[:16]


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """An error sentence for a name that is not among `known`, with the nearest one."""
    known = sorted(known)
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown {what} {name!r}{hint} (known: {', '.join(known)})"


def check_value(attribute: Attribute, value: Any) -> None:
    """Raise `ValueError` if `value` is not of the attribute's kind."""
    if attribute.kind is Kind.ORDERED:
        _number(attribute, value)
    elif attribute.kind in (Kind.CATEGORY, Kind.MULTI):
        _names(attribute, value)
    elif attribute.kind is Kind.FLAG and not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"attribute {attribute.name!r} must be true or false, got {value!r}")
    elif attribute.kind is Kind.TEXT and not isinstance(value, str):
        raise ValueError(f"attribute {attribute.name!r} must be a string, got {value!r}")


def _attribute_dict(attribute: Attribute) -> dict[str, Any]:
    data: dict[str, Any] = {"kind": attribute.kind.value}
    if attribute.kind is Kind.ORDERED:
        data |= {"scale": attribute.scale.value, "show": attribute.show.value}
    if attribute.unit:
        data["unit"] = attribute.unit
    for name in ("range", "values", "words"):
        if getattr(attribute, name):
            data[name] = list(getattr(attribute, name))
    if attribute.open:
        data["open"] = True
    if attribute.knots:
        data["knots"] = [list(knot) for knot in attribute.knots]
    return data


def _attribute(name: str, fields: Any, where: str) -> Attribute:
    if not isinstance(fields, Mapping) or "kind" not in fields:
        raise ValueError(f"{where} must be a mapping with a 'kind', got {fields!r}")
    known = {f.name for f in dataclasses.fields(Attribute)} - {"name"}
    for key in fields:
        if key not in known:
            raise ValueError(f"{where}: {unknown('field', key, known)}")
    try:
        return Attribute(
            name=name,
            kind=Kind(fields["kind"]),
            scale=Scale(fields.get("scale", "linear")),
            unit=str(fields.get("unit", "")),
            range=_pair(fields.get("range")),
            values=_value_names(fields.get("values", ())),
            words=_words(fields.get("words")),
            show=Show(fields.get("show", "value")),
            knots=tuple((float(v), float(r)) for v, r in fields.get("knots", ())),
            open=bool(fields.get("open", False)),
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def _value_names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"values must be a list of names, got {value!r}")
    return tuple(str(name) for name in value)


def _words(value: Any) -> tuple[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError(f"words must be two names, of less and of more, got {value!r}")
    return str(value[0]), str(value[1])


def _pair(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError(f"range must be two numbers, got {value!r}")
    return float(value[0]), float(value[1])


Block = tuple[np.ndarray, np.ndarray]  # (rows, width) values and (rows,) presence


def _block(
    attributes: Mapping[str, Attribute], rows: pd.DataFrame | Sequence[Row] | None, count: int, entity: str
) -> list[Block]:
    """One (values, present) per attribute of the block; zeros where `rows` is None."""
    featured = [a for a in attributes.values() if a.kind is not Kind.TEXT]
    if rows is None:
        return [(np.zeros((count, a.width)), np.zeros(count)) for a in featured]
    columns = _columns(attributes, rows, entity)
    return [
        _feature(a, columns[a.name]) if a.name in columns else (np.zeros((count, a.width)), np.zeros(count))
        for a in featured
    ]


def _columns(attributes: Mapping[str, Attribute], rows: Any, entity: str) -> dict[str, Sequence[Any]]:
    if hasattr(rows, "columns"):  # a DataFrame
        names: Iterable[str] = [str(column) for column in rows.columns]
        columns = {name: rows[name].to_numpy() for name in names}
    else:
        names = list(dict.fromkeys(name for row in rows for name in row))
        columns = {name: [row.get(name) for row in rows] for name in names}
    for name in names:
        if name not in attributes:
            raise ValueError(unknown(f"{entity} attribute", name, attributes))
    return columns


def _feature(attribute: Attribute, column: Sequence[Any] | np.ndarray) -> Block:
    """Feature columns and presence of one attribute: ordered and flags lie in [-1, 1], names are one-hot."""
    if attribute.kind is Kind.ORDERED:
        if isinstance(column, np.ndarray) and column.dtype.kind in "fiu":
            numbers = column.astype(np.float64)
            if np.isinf(numbers).any():
                raise ValueError(f"attribute {attribute.name!r} must be finite, got {numbers[np.isinf(numbers)][0]}")
        else:
            numbers = np.array([math.nan if is_missing(v) else _number(attribute, v) for v in column], dtype=np.float64)
        present = ~np.isnan(numbers)
        units = attribute.to_unit(np.where(present, numbers, 0.0)) if present.any() else np.zeros(len(numbers))
        return np.where(present, 2 * units - 1, 0.0)[:, None], present
    if attribute.kind is Kind.FLAG:
        for value in column:
            if not is_missing(value):
                check_value(attribute, value)
        present = np.array([not is_missing(v) for v in column])
        return np.array([0.0 if is_missing(v) else 2.0 * bool(v) - 1 for v in column])[:, None], present
    return _one_hot(attribute, column)


def _one_hot(attribute: Attribute, column: Sequence[Any] | np.ndarray) -> Block:
    """Names never seen when the schema was fitted count as absent."""
    position = {name: i for i, name in enumerate(attribute.values)}
    values = np.zeros((len(column), attribute.width))
    for row, value in enumerate(column):
        if not is_missing(value):
            for name in _names(attribute, value):
                if name in position:
                    values[row, position[name]] = 1.0
    return values, np.asarray(values.any(axis=1))
