"""Distances of metadata against the formula written out per attribute."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from talkwalk.index.metadata_distance import MetadataTable
from talkwalk.schema import Attribute, Kind, Row, Schema
from tests.conftest import GENRES, make_catalog
from tests.test_catalog import ROWS, THINGS


def difference(attribute: Attribute, mine: object, theirs: object) -> float:
    if theirs is None or theirs == []:
        return 1.0
    if attribute.kind is Kind.ORDERED:
        a, b = (float(attribute.to_unit(np.array(float(v)))) for v in (mine, theirs))
        return abs(a - b)
    if attribute.kind is Kind.FLAG:
        return float(mine != theirs)
    a, b = (set(v) if isinstance(v, list) else {v} for v in (mine, theirs))
    return 1 - len(a & b) / len(a | b)


def slow(schema: Schema, rows: list[Row], wanted: Row) -> list[float]:
    names = [n for n in wanted if schema.items[n].kind is not Kind.TEXT]
    return [sum(difference(schema.items[n], wanted[n], row.get(n)) for n in names) / len(names) for row in rows]


@pytest.mark.parametrize(
    "wanted",
    [
        {"price": 2.5},
        {"color": "red"},
        {"tags": ["a", "b"]},
        {"new": True},
        {"price": 0, "tags": ["c"], "new": False, "color": "blue"},
        {"name": "one", "price": 9},
    ],
)
def test_every_kind_against_a_slow_loop(wanted):
    table = MetadataTable(THINGS, pd.DataFrame.from_dict(ROWS, orient="index"))
    np.testing.assert_allclose(table.distances(wanted), slow(THINGS, list(ROWS.values()), wanted), atol=1e-6)


def test_films_against_a_slow_loop():
    catalog = make_catalog()
    rows = catalog.rows(catalog.ids)
    wanted = {"year": 1975.0, "rating": 4.5, "genre": ["Comedy", "Drama"]}
    distances = MetadataTable(catalog.schema, catalog.items).distances(wanted)
    np.testing.assert_allclose(distances, slow(catalog.schema, rows, wanted), atol=1e-6)


def test_an_item_is_at_zero_from_itself():
    catalog = make_catalog()
    table = MetadataTable(catalog.schema, catalog.items)
    for position, row in enumerate(catalog.rows(catalog.ids)):
        distances = table.distances(row)
        assert distances[position] == 0 and distances.min() >= 0 and distances.max() <= 1


def test_closed_form():
    table = MetadataTable(THINGS, pd.DataFrame.from_dict(ROWS, orient="index"))
    np.testing.assert_allclose(table.distances({"price": 0}), [0.1, 0.2, 0.3, 0.2, 1.0], atol=1e-6)
    np.testing.assert_allclose(table.distances({"tags": ["b", "c"]}), [2 / 3, 1 / 2, 1, 1 / 2, 1], atol=1e-6)
    np.testing.assert_array_equal(table.distances({"new": True}), [0, 1, 1, 0, 1])


def test_what_is_not_wanted_does_not_count():
    table = MetadataTable(THINGS, pd.DataFrame.from_dict(ROWS, orient="index"))
    with_unknown = table.distances({"price": 2, "color": "purple"})  # a name never seen is not wanted
    np.testing.assert_array_equal(with_unknown, table.distances({"price": 2}))
    assert not table.distances({}).any()


def test_unknown_attributes_are_named():
    catalog = make_catalog()
    with pytest.raises(ValueError, match="unknown item attribute 'genres'; did you mean 'genre'"):
        MetadataTable(catalog.schema, catalog.items).distances({"genres": list(GENRES)})
