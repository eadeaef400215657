"""How people steer, read from `descriptions/steering/*.yaml`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from talkwalk.contrastive.descriptions import (
    EVERY_DOMAIN,
    Wordings,
    description_files,
    exists,
    read_mapping,
    wordings_of,
)
from talkwalk.schema import Kind, Schema, unknown
from talkwalk.splits import Split, split_of


class Direction(NamedTuple):
    """Wordings for more (up) and less (down) of an ordered attribute."""

    up: Wordings
    down: Wordings


@dataclass(frozen=True, slots=True)
class CategoryLanguage:
    """How to ask for the values of a category or multi attribute.

    Attributes:
        names: Per value, how it is named inside a sentence; the first is the plain name.
        switch: Frames with {value}: this instead of what we have.
        more: Frames with {value}: this as well.
        less: Frames with {value}: without this.
    """

    names: Mapping[str, Wordings]
    switch: Wordings
    more: Wordings
    less: Wordings


GRADES = ("touch", "bit", "much", "most")  # of a movement, besides the plain one between "bit" and "much"
SPREADS = ("closest", "close", "wide", "widest")  # of an answer, besides the usual one between "close" and "wide"


@dataclass(frozen=True, slots=True)
class SteeringLanguage:
    """All steering wordings of one domain. What a domain has no words for is empty, and is not asked for.

    Attributes:
        directions: Per ordered attribute.
        categories: Per category or multi attribute.
        stay: More of the same.
        back: Return to what was recommended before the last turn.
        next: A request without a direction.
        wish: Frames with {wish} around a description.
        comparatives: Per ordered attribute, what fits into "a touch ...", such as "newer".
        superlatives: Per ordered attribute, the extreme end, such as "as new as it gets".
        grades: Per grade, frames with {steer} (wording of a direction) or {more} (comparative).
        keep: Frames with {wish}: everything as it is, except for that.
        first: Like the first thing recommended in this conversation.
        between: Between the last two things recommended.
        variety: Per spread, how far apart the answers should be.
        joins: Frames with {first} and {second}: two steers in one sentence.
        tastes: Frames with {likes}, {titles} or both: what a person likes, and no request.
    """

    directions: Mapping[str, Direction]
    categories: Mapping[str, CategoryLanguage]
    stay: Wordings
    back: Wordings
    next: Wordings
    wish: Wordings
    comparatives: Mapping[str, Direction] = field(default_factory=dict)
    superlatives: Mapping[str, Direction] = field(default_factory=dict)
    grades: Mapping[str, Wordings] = field(default_factory=dict)
    keep: Wordings = ()
    first: Wordings = ()
    between: Wordings = ()
    variety: Mapping[str, Wordings] = field(default_factory=dict)
    joins: Wordings = ()
    tastes: Wordings = ()

    def part(self, split: Split, *, test: float, valid: float = 0.0) -> SteeringLanguage:
        """Only what the hash assigns to `split`; names of categories and comparatives belong to every split."""

        def keep(wordings: Wordings) -> Wordings:
            return tuple(w for w in wordings if split_of(w, test=test, valid=valid) is split)

        def both(sides: Mapping[str, Direction]) -> dict[str, Direction]:
            return {name: Direction(keep(d.up), keep(d.down)) for name, d in sides.items()}

        return SteeringLanguage(
            directions=both(self.directions),
            categories={
                n: CategoryLanguage(c.names, keep(c.switch), keep(c.more), keep(c.less))
                for n, c in self.categories.items()
            },
            comparatives=self.comparatives,
            superlatives=both(self.superlatives),
            grades={name: keep(frames) for name, frames in self.grades.items()},
            variety={name: keep(wordings) for name, wordings in self.variety.items()},
            **{name: keep(getattr(self, name)) for name in LISTS},
        )

    def all_wordings(self) -> set[str]:
        """Every wording and frame that belongs to one split."""
        sides = [*self.directions.values(), *self.superlatives.values()]
        directed = (w for d in sides for side in d for w in side)
        framed = (w for c in self.categories.values() for side in (c.switch, c.more, c.less) for w in side)
        named = (w for part in (self.grades, self.variety) for wordings in part.values() for w in wordings)
        return {*directed, *framed, *named, *(w for name in LISTS for w in getattr(self, name))}

    def shared(self) -> set[str]:
        """What belongs to every split: comparatives, and how categories are called."""
        compared = {w for sides in self.comparatives.values() for side in sides for w in side}
        return compared | {w for c in self.categories.values() for names in c.names.values() for w in names}


LISTS = ("stay", "back", "next", "wish", "keep", "first", "between", "joins", "tastes")
NEEDED = ("stay", "back", "next", "wish")  # a domain without these cannot be walked
SLOTS = {"wish": ("{wish}",), "keep": ("{wish}",), "joins": ("{first}", "{second}")}


def load_steering(folder: str | Path, schema: Schema) -> SteeringLanguage:
    """Read the steering file of the schema's domain, and the one of all domains if there is one.

    Raises:
        FileNotFoundError: If the domain has none.
        ValueError: Naming file and field of the first mistake.
    """
    found = [(path, read_mapping(path)) for path in description_files(Path(folder), schema.domain)]
    own = next(((path, data) for path, data in found if "directions" in data), None)
    if own is None:
        raise FileNotFoundError(
            f"no steering language for domain {schema.domain!r} under {folder}: it has `directions:`"
        )
    shared = {path: data for path, data in found if data.get("domain") == EVERY_DOMAIN}
    return _language(own[1], schema, str(own[0]), shared)


def with_other_domains(language: SteeringLanguage, folder: str | Path) -> SteeringLanguage:
    """The language, with what other domains say of attributes of the same name, and around their categories.

    A song that is less famous is asked for like a film that is: whoever learns from words alone learns from both. What
    asks for nothing in particular ("more like that", "go back", what is put around a wish) is taken from all as well.

    Args:
        language: Of one domain; it keeps its attributes, categories and names.
        folder: Holds the steering files of all domains.
    """
    found = ((str(path), read_mapping(path)) for path in sorted(Path(folder).rglob("*.yaml")))
    domains = [(where, data) for where, data in found if "directions" in data]  # its own among them

    def sides(own: Mapping[str, Direction], field: str) -> dict[str, Direction]:
        return {
            axis: Direction(*(merged(words, said(field, axis, side)) for side, words in directed._asdict().items()))
            for axis, directed in own.items()
        }

    def said(field: str, *keys: str) -> Wordings:
        """Wordings of all domains at a place in the file; those without it have none."""
        words: list[str] = []
        for where, data in domains:
            there: Any = data.get(field)
            for key in keys:
                there = there.get(key) if isinstance(there, Mapping) else None
            words += wordings_of(there, f"{where}: {'.'.join((field, *keys))}") if there is not None else ()
        return tuple(words)

    categories = {name for _, data in domains for name in data.get("categories", {})}
    frames = {
        key: merged(*(said("categories", name, key) for name in sorted(categories)))
        for key in ("switch", "more", "less")
    }
    lists: dict[str, Any] = {name: merged(getattr(language, name), said(name)) for name in NEEDED}
    return dataclasses.replace(
        language,
        directions=sides(language.directions, "directions"),
        comparatives=sides(language.comparatives, "comparatives"),
        superlatives=sides(language.superlatives, "superlatives"),
        categories={
            name: CategoryLanguage(own.names, *(merged(getattr(own, key), frames[key]) for key in frames))
            for name, own in language.categories.items()
        },
        **lists,
    )


def merged(*wordings: Sequence[str]) -> Wordings:
    """All wordings in order, nothing twice."""
    return tuple(dict.fromkeys(w for words in wordings for w in words))


def _language(
    data: Mapping[str, Any], schema: Schema, where: str, shared: Mapping[Path, Mapping[str, Any]]
) -> SteeringLanguage:
    sources = [(where, data), *((str(path), common) for path, common in shared.items())]
    categories = {
        name: _category(fields, schema, name, f"{where}: categories.{name}")
        for name, fields in _mapping(data, "categories", where).items()
    }
    return SteeringLanguage(
        directions=_directions(data, "directions", schema, where),
        categories=categories,
        comparatives=_directions(data, "comparatives", schema, where),
        superlatives=_directions(data, "superlatives", schema, where),
        grades=_named(sources, "grades", "grade", GRADES),
        variety=_named(sources, "variety", "spread", SPREADS),
        **{name: _list(sources, name) for name in LISTS},
    )


def _directions(data: Mapping[str, Any], field: str, schema: Schema, where: str) -> dict[str, Direction]:
    axes, directions = {a.name for a in schema.ordered}, {}
    for name, sides in _mapping(data, field, where).items():
        if name not in axes:
            raise ValueError(f"{where}: {field}: {unknown('ordered attribute', name, axes)}")
        if not isinstance(sides, Mapping):
            raise ValueError(f"{where}: {field}.{name} must map up and down to wordings, got {sides!r}")
        up, down = (wordings_of(sides.get(s), f"{where}: {field}.{name}.{s}") for s in ("up", "down"))
        directions[name] = Direction(up, down)
    return directions


def _list(sources: Sequence[tuple[str, Mapping[str, Any]]], name: str) -> Wordings:
    """The wordings of all files; a domain's own first."""
    words: list[str] = []
    for where, data in sources:
        if name in data:
            found = wordings_of(data[name], f"{where}: {name}")
            _check_frames(found, SLOTS.get(name, ()), f"{where}: {name}")
            for frame in found if name == "tastes" else ():
                if "{likes}" not in frame and "{titles}" not in frame:
                    raise ValueError(f"{where}: tastes must contain {{likes}} or {{titles}}, got {frame!r}")
            words += found
    if not words and name in NEEDED:
        raise ValueError(f"{sources[0][0]}: {name} must be a list of wordings, got None")
    return merged(words)


def _named(
    sources: Sequence[tuple[str, Mapping[str, Any]]], field: str, noun: str, names: Sequence[str]
) -> dict[str, Wordings]:
    """The wordings of all files by the name of a grade or a spread; a domain's own first."""
    found: dict[str, Wordings] = {}
    for where, data in sources:
        for name, wordings in _mapping(data, field, where).items():
            if name not in names:
                raise ValueError(f"{where}: {field}: {unknown(noun, name, names)}")
            own = wordings_of(wordings, f"{where}: {field}.{name}")
            for wording in own if field == "grades" else ():
                if ("{steer}" in wording) == ("{more}" in wording):
                    raise ValueError(
                        f"{where}: {field}.{name} must contain one of {{steer}} and {{more}}, got {wording!r}"
                    )
            found[name] = merged(found.get(name, ()), own)
    return found


def _mapping(data: Mapping[str, Any], field: str, where: str) -> Mapping[str, Any]:
    value = data.get(field, {})
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: {field} must be a mapping, got {value!r}")
    return value


def _category(fields: Mapping[str, Any], schema: Schema, name: str, where: str) -> CategoryLanguage:
    attribute = schema.items.get(name)
    if attribute is None or attribute.kind not in (Kind.CATEGORY, Kind.MULTI):
        raise ValueError(f"{where}: {unknown('category attribute', name, [a.name for a in schema.categorical])}")
    if not isinstance(fields, Mapping):
        raise ValueError(f"{where} must be a mapping, got {fields!r}")
    names = {
        value: wordings_of(words, f"{where}.names.{value}")
        for value, words in _mapping(fields, "names", where).items()
        if exists(attribute, str(value), f"{where}.names")
    }
    frames = {key: wordings_of(fields.get(key), f"{where}.{key}") for key in ("switch", "more", "less")}
    for key, wordings in frames.items():
        _check_frames(wordings, ("{value}",), f"{where}.{key}")
    return CategoryLanguage(names, **frames)


def _check_frames(wordings: Sequence[str], slots: Sequence[str], where: str) -> None:
    for wording in wordings:
        for slot in slots:
            if slot not in wording:
                raise ValueError(f"{where} must contain {slot}, got {wording!r}")
