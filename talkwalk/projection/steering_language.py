"""How people steer, read from `descriptions/steering/*.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from talkwalk.contrastive.descriptions import Wordings, description_files, read_mapping, wordings_of
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


@dataclass(frozen=True, slots=True)
class SteeringLanguage:
    """All steering wordings of one domain.

    Attributes:
        directions: Per ordered attribute.
        categories: Per category or multi attribute.
        stay: More of the same.
        back: Return to what was recommended before the last turn.
        next: A request without a direction.
        wish: Frames with {wish} around a description.
    """

    directions: Mapping[str, Direction]
    categories: Mapping[str, CategoryLanguage]
    stay: Wordings
    back: Wordings
    next: Wordings
    wish: Wordings

    def part(self, split: Split, *, test: float, valid: float = 0.0) -> SteeringLanguage:
        """Only what the hash assigns to `split`; the names of categories belong to every split."""

        def keep(wordings: Wordings) -> Wordings:
            return tuple(w for w in wordings if split_of(w, test=test, valid=valid) is split)

        return SteeringLanguage(
            {n: Direction(keep(d.up), keep(d.down)) for n, d in self.directions.items()},
            {
                n: CategoryLanguage(c.names, keep(c.switch), keep(c.more), keep(c.less))
                for n, c in self.categories.items()
            },
            *(keep(wordings) for wordings in (self.stay, self.back, self.next, self.wish)),
        )

    def all_wordings(self) -> set[str]:
        """Every wording and frame."""
        directed = (w for d in self.directions.values() for side in d for w in side)
        framed = (w for c in self.categories.values() for side in (c.switch, c.more, c.less) for w in side)
        return {*directed, *framed, *self.stay, *self.back, *self.next, *self.wish}


def load_steering(folder: str | Path, schema: Schema) -> SteeringLanguage:
    """Read the steering file of the schema's domain.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: Naming file and field of the first mistake.
    """
    for path in description_files(Path(folder), schema.domain):
        data = read_mapping(path)
        if "directions" in data:
            return _language(data, schema, str(path))
    raise FileNotFoundError(f"no steering language for domain {schema.domain!r} under {folder}: it has `directions:`")


def _language(data: Mapping[str, Any], schema: Schema, where: str) -> SteeringLanguage:
    axes = {a.name for a in schema.ordered}
    directions = {}
    for name, sides in data["directions"].items():
        if name not in axes:
            raise ValueError(f"{where}: directions: {unknown('ordered attribute', name, axes)}")
        up, down = (wordings_of(sides.get(s), f"{where}: directions.{name}.{s}") for s in ("up", "down"))
        directions[name] = Direction(up, down)
    categories = {
        name: _category(fields, schema, name, f"{where}: categories.{name}")
        for name, fields in data.get("categories", {}).items()
    }
    lists = (wordings_of(data.get(key), f"{where}: {key}") for key in ("stay", "back", "next", "wish"))
    language = SteeringLanguage(directions, categories, *lists)
    _check_frames(language.wish, "{wish}", f"{where}: wish")
    return language


def _category(fields: Mapping[str, Any], schema: Schema, name: str, where: str) -> CategoryLanguage:
    attribute = schema.items.get(name)
    if attribute is None or attribute.kind not in (Kind.CATEGORY, Kind.MULTI):
        raise ValueError(f"{where}: {unknown('category attribute', name, [a.name for a in schema.categorical])}")
    names = {value: wordings_of(words, f"{where}.names.{value}") for value, words in fields["names"].items()}
    for value in names:
        if attribute.values and value not in attribute.values:
            raise ValueError(f"{where}.names: {unknown('value', value, attribute.values)}")
    frames = {key: wordings_of(fields.get(key), f"{where}.{key}") for key in ("switch", "more", "less")}
    for key, wordings in frames.items():
        _check_frames(wordings, "{value}", f"{where}.{key}")
    return CategoryLanguage(names, **frames)


def _check_frames(wordings: Wordings, slot: str, where: str) -> None:
    for wording in wordings:
        if slot not in wording:
            raise ValueError(f"{where} must contain {slot}, got {wording!r}")
