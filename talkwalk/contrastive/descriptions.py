"""Human wordings of attribute values, of combinations, and of who goes with what, read from YAML.

A value's key is its name, or for ordered attributes a range: "1970-1979" in the attribute's own units, or
"0%-20%" as ranks in the catalogue. Both ends belong to a range in own units; of a rank range, the lower one.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from talkwalk.bands import Band
from talkwalk.schema import Attribute, Kind, Schema, is_missing, unknown
from talkwalk.splits import Split, split_of

log = logging.getLogger(__name__)

Wordings = tuple[str, ...]
ByValue = dict[str, dict[str, Wordings]]  # attribute -> value or range -> wordings


@dataclass(frozen=True, slots=True)
class Composite:
    """What a combination of user attributes means."""

    when: Mapping[str, Any]
    wordings: Wordings


@dataclass(frozen=True, slots=True)
class Affinity:
    """Which people go with which items (high), or do not (low)."""

    user: Mapping[str, Any]
    item: Mapping[str, Any]
    high: bool
    wordings: Wordings


class Verdicts(NamedTuple):
    """How people say that something goes with someone (high), or does not (low)."""

    high: Wordings = ()
    low: Wordings = ()


@dataclass(frozen=True)
class Descriptions:
    """All wordings of one domain."""

    items: ByValue = field(default_factory=dict)
    users: ByValue = field(default_factory=dict)
    composites: tuple[Composite, ...] = ()
    affinities: tuple[Affinity, ...] = ()
    verdicts: Verdicts = field(default_factory=Verdicts)

    def part(self, split: Split, *, test: float, valid: float = 0.0) -> Descriptions:
        """Only the wordings that the hash assigns to `split`; values keep their keys, perhaps without wordings."""

        def keep(wordings: Wordings) -> Wordings:
            return tuple(w for w in wordings if split_of(w, test=test, valid=valid) is split)

        def by_value(block: ByValue) -> ByValue:
            return {a: {k: keep(w) for k, w in values.items()} for a, values in block.items()}

        composites = tuple(Composite(c.when, keep(c.wordings)) for c in self.composites)
        affinities = tuple(Affinity(a.user, a.item, a.high, keep(a.wordings)) for a in self.affinities)
        return Descriptions(
            by_value(self.items),
            by_value(self.users),
            tuple(c for c in composites if c.wordings),
            tuple(a for a in affinities if a.wordings),
            Verdicts(*(keep(wordings) for wordings in self.verdicts)),
        )

    def all_wordings(self) -> Iterator[str]:
        for block in (self.items, self.users):
            for values in block.values():
                for wordings in values.values():
                    yield from wordings
        for composite in self.composites:
            yield from composite.wordings
        for affinity in self.affinities:
            yield from affinity.wordings
        for wordings in self.verdicts:
            yield from wordings


def keys_of(attribute: Attribute, value: Any, values: Mapping[str, Wordings]) -> list[str]:
    """The keys under which `value` is described: its names, or the ranges that hold it."""
    if is_missing(value):
        return []
    if attribute.kind is Kind.ORDERED:
        bands = {key: Band.parse(key) for key in values}
        in_ranks = any(band.in_ranks for band in bands.values())
        unit = float(attribute.to_unit(np.array(float(value)))) if in_ranks else 0.0
        return [key for key, band in bands.items() if band.holds_either(float(value), unit)]
    names = value if isinstance(value, (list, tuple)) else [value]
    return [str(name) for name in names if str(name) in values]


LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, in C where it was built with it
EVERY_DOMAIN = "any"  # what a file says that belongs to all of them


def description_files(folder: Path, domain: str) -> list[Path]:
    """Files under `folder` that belong to `domain` or to every domain, in a stable order."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no description folder at {folder}")
    found = {path: read_mapping(path).get("domain") for path in sorted(folder.rglob("*.yaml"))}
    if domain not in found.values():
        raise FileNotFoundError(f"no description file under {folder} says `domain: {domain}`")
    return [path for path, of in found.items() if of in (domain, EVERY_DOMAIN)]


def load_descriptions(folder: str | Path, schema: Schema) -> Descriptions:
    """Read every file of the schema's domain.

    Raises:
        ValueError: Naming file, entry and field of the first mistake.
    """
    result = Descriptions({}, {})
    composites: list[Composite] = []
    affinities: list[Affinity] = []
    verdicts = Verdicts()
    for path in description_files(Path(folder), schema.domain):
        data = read_mapping(path)
        _check_top_level(data, str(path))
        if "attributes" in data:
            entity = data.get("entity", "item")
            attributes, block = (schema.items, result.items) if entity == "item" else (schema.users, result.users)
            for name, values in data["attributes"].items():
                described = block.setdefault(name, {})
                for key, wordings in _values(attributes, name, values, f"{path}: attributes.{name}").items():
                    described[key] = tuple(dict.fromkeys((*described.get(key, ()), *wordings)))
        composites += [
            _composite(schema, e, f"{path}: composites[{i}]") for i, e in enumerate(data.get("composites", ()))
        ]
        affinities += [
            _affinity(schema, e, f"{path}: affinities[{i}]") for i, e in enumerate(data.get("affinities", ()))
        ]
        if "verdicts" in data:
            verdicts = _verdicts(data["verdicts"], f"{path}: verdicts")
    possible = [c for c in composites if _can_hold(schema.users, c.when)]
    rules = [a for a in affinities if _can_hold(schema.users, a.user) and _can_hold(schema.items, a.item)]
    return Descriptions(result.items, result.users, tuple(possible), tuple(rules), verdicts)


def copy_descriptions(folder: str | Path, domain: str, target: Path) -> None:
    """Copy the files of `domain` as they are, keeping their places below `folder`."""
    for path in description_files(Path(folder), domain):
        place = target / path.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def read_mapping(path: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping; a syntax error names the file."""
    try:
        data = yaml.load(path.read_text(), Loader=LOADER)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} must hold a mapping, got {type(data).__name__}")
    return data


FIELDS = {"domain", "entity", "attributes", "composites", "affinities", "verdicts"}
STEERING_FIELDS = {"directions", "categories", "stay", "back", "next", "wish", "comparatives", "superlatives", "grades",
                   "keep", "first", "between", "variety", "joins", "tastes"}  # fmt: skip  # read by `projection`


def _check_top_level(data: Mapping[str, Any], where: str) -> None:
    if data.get("entity", "item") not in ("item", "user"):
        raise ValueError(f"{where}: entity must be item or user, got {data['entity']!r}")
    for key, kind in (("attributes", Mapping), ("composites", list), ("affinities", list)):
        if key in data and not isinstance(data[key], kind):
            raise ValueError(f"{where}: {key} must be a {'mapping' if kind is Mapping else 'list'}, got {data[key]!r}")
    for key in data:
        if key not in FIELDS | STEERING_FIELDS:
            raise ValueError(f"{where}: {unknown('field', str(key), FIELDS)}")


def _values(attributes: Mapping[str, Attribute], name: str, values: Any, where: str) -> dict[str, Wordings]:
    if name not in attributes:
        raise ValueError(f"{where}: {unknown('attribute', name, attributes)}")
    if not isinstance(values, Mapping):
        raise ValueError(f"{where} must map values to wordings, got {values!r}")
    attribute = attributes[name]
    described = {}
    for key, wordings in values.items():
        if attribute.kind is Kind.ORDERED:
            _parse_band(str(key), where)
        elif not exists(attribute, str(key), where):
            continue
        described[str(key)] = wordings_of(wordings, f"{where}.{key}")
    return described


def wordings_of(wordings: Any, where: str) -> Wordings:
    """Check a list of distinct, non-empty strings."""
    if isinstance(wordings, str):
        wordings = [wordings]
    if not isinstance(wordings, list) or not wordings or not all(isinstance(w, str) and w.strip() for w in wordings):
        raise ValueError(f"{where} must be a list of wordings, got {wordings!r}")
    return tuple(dict.fromkeys(w.strip() for w in wordings))


def _parse_band(key: str, where: str) -> Band:
    try:
        return Band.parse(key)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _composite(schema: Schema, entry: Any, where: str) -> Composite:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("when"), Mapping):
        raise ValueError(f"{where}.when must map user attributes to values, got {entry!r}")
    _conditions(schema.users, entry["when"], f"{where}.when")
    return Composite(dict(entry["when"]), wordings_of(entry.get("wordings"), f"{where}.wordings"))


def _affinity(schema: Schema, entry: Any, where: str) -> Affinity:
    for block, attributes in (("user", schema.users), ("item", schema.items)):
        if not isinstance(entry, Mapping) or not isinstance(entry.get(block), Mapping):
            raise ValueError(f"{where}.{block} must map attributes to values, got {entry!r}")
        _conditions(attributes, entry[block], f"{where}.{block}")
    if entry.get("affinity") not in ("high", "low"):
        raise ValueError(f"{where}.affinity must be high or low, got {entry.get('affinity')!r}")
    wordings = wordings_of(entry.get("wordings"), f"{where}.wordings")
    return Affinity(dict(entry["user"]), dict(entry["item"]), entry["affinity"] == "high", wordings)


def _verdicts(entry: Any, where: str) -> Verdicts:
    if not isinstance(entry, Mapping) or set(entry) != {"high", "low"}:
        raise ValueError(f"{where} must map high and low to wordings, got {entry!r}")
    return Verdicts(*(wordings_of(entry[name], f"{where}.{name}") for name in ("high", "low")))


def _conditions(attributes: Mapping[str, Attribute], conditions: Mapping[str, Any], where: str) -> None:
    for name, value in conditions.items():
        attribute = attributes.get(name)
        if attribute is None:
            raise ValueError(f"{where}: {unknown('attribute', name, attributes)}")
        if attribute.kind is Kind.ORDERED:
            _parse_band(str(value), f"{where}.{name}")
            continue
        names: Iterable[Any] = value if isinstance(value, list) else [value]
        for key in names:
            exists(attribute, str(key), f"{where}.{name}")


def exists(attribute: Attribute, value: str, where: str) -> bool:
    """Whether the attribute has such a value; one that a catalogue merely happens not to have is no mistake.

    Raises:
        ValueError: If the schema declares the attribute's values, and this is none of them.
    """
    if not attribute.values or value in attribute.values:
        return True
    if not attribute.open:
        raise ValueError(f"{where}: {unknown('value', value, attribute.values)}")
    log.warning("%s: %s; left out", where, unknown("value", value, attribute.values))
    return False


def _can_hold(attributes: Mapping[str, Attribute], conditions: Mapping[str, Any]) -> bool:
    """Whether every category condition names a value that the catalogue has."""
    for name, value in conditions.items():
        names = [str(v) for v in (value if isinstance(value, list) else [value])]
        if attributes[name].kind is not Kind.ORDERED and not any(exists(attributes[name], v, name) for v in names):
            return False
    return True
