"""Typed attributes: every kind and scale against slow formulas, and errors that name their place."""

from __future__ import annotations

import copy
import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from talkwalk.schema import MAX_KNOTS, Attribute, Kind, Scale, Schema, is_missing, rank_knots, unknown
from tests.conftest import GENRES, make_catalog, movie_schema

EVERY_KIND = {
    "domain": "things",
    "items": {
        "name": {"kind": "text"},
        "price": {"kind": "ordered", "scale": "log", "range": [1, 100], "unit": "EUR", "words": ["cheaper", "dearer"]},
        "size": {"kind": "ordered", "scale": "linear", "range": [0, 10], "show": "level"},
        "age": {"kind": "ordered", "scale": "rank", "knots": [[1, 0.25], [3, 0.75]]},
        "color": {"kind": "category", "values": ["red", "green"]},
        "tags": {"kind": "multi", "values": ["a", "b", "c"]},
        "new": {"kind": "flag"},
    },
    "users": {"size": {"kind": "ordered", "range": [0, 2]}, "color": {"kind": "category", "values": ["red"]}},
}
FEATURED = ("price", "size", "age", "color", "tags", "new", "user size", "user color")  # the order of presence masks


@pytest.fixture
def schema() -> Schema:
    return Schema.from_dict(EVERY_KIND)


# featurize


def test_one_row_of_every_kind(schema):
    row = {"name": "x", "price": 10.0, "size": 2.5, "age": 2, "color": "green", "tags": ["c", "a"], "new": False}
    values, present = schema.featurize(items=[row], users=[{"size": 2}])
    #                          price, size, age, color, tags, new, user size, user color
    np.testing.assert_allclose(values, [[0, -0.5, 0, 0, 1, 1, 0, 1, -1, 1, 0]], atol=1e-6)
    np.testing.assert_array_equal(present, [[1, 1, 1, 1, 1, 1, 1, 0]])
    assert values.dtype == present.dtype == np.float32


def test_joined_is_values_then_presence(schema):
    features = schema.featurize(items=[{"new": True}, {"size": 10}])
    joined = features.joined()
    assert joined.shape == (2, schema.input_width) and joined.dtype == np.float32
    np.testing.assert_array_equal(joined[:, : features.values.shape[1]], features.values)
    np.testing.assert_array_equal(joined[:, features.values.shape[1] :], features.present)


@pytest.mark.parametrize("nothing", [None, math.nan, np.nan, "", [], (), np.array([]), pd.NaT, pd.NA], ids=repr)
def test_nothing_is_missing(schema, nothing):
    assert is_missing(nothing)
    values, present = schema.featurize(items=[dict.fromkeys(schema.items, nothing)])
    assert not values.any() and not present.any()


@pytest.mark.parametrize("something", [0, 0.0, False, "0", [""], math.inf, np.array([0]), pd.Timestamp(0)], ids=repr)
def test_zero_and_false_are_not_missing(something):
    assert not is_missing(something)


def test_presence_tells_zero_from_absent(schema):
    middle, absent = schema.featurize(items=[{"size": 5}]), schema.featurize(items=[{}])
    np.testing.assert_array_equal(middle.values, absent.values)
    assert middle.present.tolist() == [[0, 1, 0, 0, 0, 0, 0, 0]] and absent.present.tolist() == [[0] * 8]


@pytest.mark.parametrize("row", [{"color": "blue"}, {"tags": ["z"]}, {"tags": "z"}])
def test_unseen_category_is_absent(schema, row):
    values, present = schema.featurize(items=[row])
    assert not values.any() and not present.any()


def test_unseen_name_beside_a_known_one(schema):
    values, present = schema.featurize(items=[{"tags": ["z", "b"]}])
    assert present[0, FEATURED.index("tags")] == 1 and values.sum() == 1
    np.testing.assert_array_equal(values, schema.featurize(items=[{"tags": "b"}]).values)


def test_table_equals_list_of_rows():
    catalog = make_catalog()
    table = catalog.items.copy()
    table.loc["3", "year"], table.at["4", "genre"] = math.nan, []
    rows = [{n: v for n, v in row.items() if v == v} for _, row in table.iterrows()]  # NaN differs from itself
    for a, b in zip(catalog.schema.featurize(items=table), catalog.schema.featurize(items=rows), strict=True):
        np.testing.assert_array_equal(a, b)


def test_table_of_users_equals_list_of_rows():
    catalog = make_catalog()
    users = [dict(row) for _, row in catalog.users.iterrows()]
    for a, b in zip(catalog.schema.featurize(users=catalog.users), catalog.schema.featurize(users=users), strict=True):
        np.testing.assert_array_equal(a, b)


def test_pairs_are_items_beside_users(schema):
    items, users = [{"size": 1}, {"color": "red"}], [{"color": "red"}, {"size": 2}]
    pairs, one, other = schema.featurize(items, users), schema.featurize(items), schema.featurize(users=users)
    np.testing.assert_array_equal(pairs.values, one.values + other.values)  # each is zero in the other's block
    np.testing.assert_array_equal(pairs.present, one.present + other.present)
    assert not (one.present * other.present).any()


def test_featurize_needs_matching_rows(schema):
    with pytest.raises(ValueError, match="items, users or both"):
        schema.featurize()
    with pytest.raises(ValueError, match="equal length, got 2 and 1"):
        schema.featurize([{}, {}], [{}])


def test_no_rows_are_no_features(schema):
    assert schema.featurize(items=[]).joined().shape == (0, schema.input_width)


# errors


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("size", "big", "'size' must be a number, got 'big'"),
        ("size", True, "'size' must be a number, got True"),
        ("size", math.inf, "'size' must be finite, got inf"),
        ("color", 3, "'color' must be a string, got 3"),
        ("color", ["red"], "'color' must be a string"),
        ("tags", [1, 2], "'tags' must be a list of strings"),
        ("tags", 7, "'tags' must be a list of strings, got 7"),
        ("new", "yes", "'new' must be true or false, got 'yes'"),
        ("new", 1, "'new' must be true or false, got 1"),
    ],
)
def test_wrong_types_are_named(schema, name, value, message):
    with pytest.raises(ValueError, match=message):
        schema.check_row({name: value}, entity="item")
    for rows in ([{name: value}], pd.DataFrame({name: pd.Series([value], dtype=object)})):
        with pytest.raises(ValueError, match=message):
            schema.featurize(items=rows)


def test_table_and_rows_refuse_infinity_alike(schema):
    with pytest.raises(ValueError, match="'size' must be finite"):
        schema.featurize(items=pd.DataFrame({"size": [1.0, math.inf]}))


def test_text_must_be_a_string(schema):
    with pytest.raises(ValueError, match="'name' must be a string, got 3"):
        schema.check_row({"name": 3}, entity="item")
    schema.check_row({"name": "three", "size": None, "tags": np.array(["a"])}, entity="item")


def test_unknown_attribute_names_the_nearest(schema):
    message = "unknown item attribute 'prize'; did you mean 'price'"
    with pytest.raises(ValueError, match=message):
        schema.check_row({"prize": 1}, entity="item")
    for rows in ([{"size": 1}, {"prize": 1}], pd.DataFrame({"prize": [1]})):
        with pytest.raises(ValueError, match=message):
            schema.featurize(items=rows)
    with pytest.raises(ValueError, match="unknown user attribute 'price'"):
        schema.featurize(users=[{"price": 1}])


def test_unknown_without_a_near_name():
    assert unknown("thing", "qqq", ["b", "a"]) == "unknown thing 'qqq' (known: a, b)"


# scales


def test_linear_scale_clips():
    attribute = Attribute("x", Kind.ORDERED, range=(10, 20))
    np.testing.assert_allclose(attribute.to_unit([5, 10, 12.5, 20, 99, math.nan]), [0, 0, 0.25, 1, 1, math.nan])


def test_log_scale_is_even_in_ratios():
    attribute = Attribute("x", Kind.ORDERED, Scale.LOG, range=(1, 1000))
    np.testing.assert_allclose(attribute.to_unit([-1, 1, 10, 100, 5000, math.nan]), [0, 0, 1 / 3, 2 / 3, 1, math.nan])


def test_rank_knots_against_a_slow_loop():
    numbers = np.random.default_rng(0).integers(0, 30, 200).astype(float)
    knots = dict(rank_knots(numbers))
    assert list(knots) == sorted(set(numbers))
    for value, rank in knots.items():
        below, equal = sum(n < value for n in numbers), sum(n == value for n in numbers)
        assert rank == pytest.approx((below + equal / 2) / len(numbers))


def test_many_distinct_values_keep_few_knots():
    numbers = np.random.default_rng(0).normal(size=3000) ** 3
    knots = rank_knots(numbers)
    assert len(knots) <= MAX_KNOTS and knots[0][0] == numbers.min() and knots[-1][0] == numbers.max()
    attribute = Attribute("x", Kind.ORDERED, Scale.RANK, knots=knots)
    exact = [(sum(n < x for n in numbers) + 0.5) / len(numbers) for x in numbers[:200]]
    np.testing.assert_allclose(attribute.to_unit(numbers[:200]), exact, atol=0.5 / (MAX_KNOTS - 1))


def test_rank_scale_interpolates_and_holds_its_ends():
    attribute = Attribute("x", Kind.ORDERED, Scale.RANK, knots=((1, 0.25), (3, 0.75)))
    np.testing.assert_allclose(attribute.to_unit([0, 1, 2, 9, math.nan]), [0.25, 0.25, 0.5, 0.75, math.nan])


@pytest.mark.parametrize("scale", list(Scale))
def test_round_trip(scale):
    numbers = np.random.default_rng(1).uniform(2, 50, 60)
    attribute = Attribute("x", Kind.ORDERED, scale).fit(pd.Series(numbers))
    np.testing.assert_allclose(attribute.from_unit(attribute.to_unit(numbers)), numbers, rtol=1e-9)
    np.testing.assert_allclose(attribute.from_unit([-1, 2]), [numbers.min(), numbers.max()])


def test_scales_that_cannot_be_used_yet():
    with pytest.raises(ValueError, match="'x' has no range"):
        Attribute("x", Kind.ORDERED).to_unit([1])
    with pytest.raises(ValueError, match="'x' has rank scale: fit the schema"):
        Attribute("x", Kind.ORDERED, Scale.RANK).to_unit([1])


# fit


def test_fit_fills_only_what_is_open():
    items = {"a": {"kind": "ordered"}, "b": {"kind": "ordered", "range": [0, 9]}, "c": {"kind": "multi"}}
    items |= {"d": {"kind": "category", "values": ["z"]}, "e": {"kind": "ordered", "scale": "rank"}}
    table = pd.DataFrame({"a": [3, None, 5], "b": [1, 2, 3], "c": [["y", "x"], [], ["x"]], "d": ["q", "z", None]})
    schema = Schema.from_dict({"domain": "d", "items": items, "users": {"f": {"kind": "ordered"}}})
    fitted = schema.fit(table.assign(e=[4, 4, 8]))
    assert fitted.items["a"].range == (3, 5) and fitted.items["b"].range == (0, 9)
    assert fitted.items["c"].values == ("x", "y") and fitted.items["d"].values == ("z",)
    assert fitted.items["e"].knots == ((4, pytest.approx(1 / 3)), (8, pytest.approx(5 / 6)))
    assert fitted.users["f"].range is None and schema.items["a"].range is None


def test_fit_on_one_value_or_none():
    attribute = Attribute("x", Kind.ORDERED)
    assert attribute.fit(pd.Series([3.0, 3.0, None])).range == (3, 4)
    assert attribute.fit(pd.Series([None, math.nan])) == attribute
    with pytest.raises(ValueError, match="'x' must be a number, got 'y'"):
        attribute.fit(pd.Series([1, "y"], dtype=object))


# files


def test_dict_and_file_keep_everything(schema, tmp_path):
    fitted = make_catalog().schema
    for original in (schema, fitted):
        original.save(tmp_path / "schema.yaml")
        for copied in (Schema.from_dict(original.to_dict()), Schema.load(tmp_path / "schema.yaml")):
            assert copied == original
            assert copied.fingerprint() == original.fingerprint()


def test_views_of_the_attributes():
    schema = movie_schema()
    assert [a.name for a in schema.ordered] == ["year", "rating"]
    assert [a.name for a in schema.categorical] == ["genre"]
    widths = {"title": 0, "genre": len(GENRES), "year": 1, "rating": 1}
    assert {name: a.width for name, a in schema.items.items()} == widths
    assert schema.input_width == (4 + 1 + 1) + (1 + 5 + 2) + 6


def changed(path: str, value: object) -> Schema:
    """EVERY_KIND with one field replaced, such as "items.size.unit"."""
    data = copy.deepcopy(EVERY_KIND)
    *folders, last = path.split(".")
    place = data
    for folder in folders:
        place = place[folder]
    place[last] = value
    return Schema.from_dict(data)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("items.price.words", ["less", "more"]),
        ("items.size.show", "value"),
        ("items.price.unit", "USD"),
        ("noun", "thing"),
        ("title", "name"),
        ("items.motto", {"kind": "text"}),
    ],
)
def test_fingerprint_ignores_what_people_read(schema, path, value):
    assert changed(path, value) != schema
    assert changed(path, value).fingerprint() == schema.fingerprint()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("items.size.range", [0, 11]),
        ("items.price.scale", "linear"),
        ("items.age.knots", [[1, 0.25], [4, 0.75]]),
        ("items.color.values", ["green", "red"]),
        ("items.color.kind", "multi"),
        ("users.height", {"kind": "flag"}),
    ],
)
def test_fingerprint_sees_what_features_mean(schema, path, value):
    assert changed(path, value).fingerprint() != schema.fingerprint()


def test_fingerprint_of_whole_and_decimal_bounds(tmp_path):
    schema = Schema("d", {"x": Attribute("x", Kind.ORDERED, range=(0, 10))})
    schema.save(tmp_path / "schema.yaml")
    assert Schema.load(tmp_path / "schema.yaml").fingerprint() == schema.fingerprint()


# misspelt files


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("itmes", {}, "schema: unknown field 'itmes'; did you mean 'items'"),
        ("items.size.rnage", [0, 1], r"schema: items\.size: unknown field 'rnage'; did you mean 'range'"),
        ("users.size.kind", "orderd", r"schema: users\.size: 'orderd' is not a valid Kind"),
        ("items.size.scale", "cubic", r"schema: items\.size: 'cubic' is not a valid Scale"),
        ("items.size.show", "all", r"schema: items\.size: 'all' is not a valid Show"),
        ("items.size.range", [1], r"schema: items\.size: range must be two numbers, got \[1\]"),
        ("items.size.range", ["a", 2], r"schema: items\.size: .*'a'"),
        ("items.size.range", [5, 5], r"schema: items\.size: range .*'size' must be increasing, got \[5.0, 5.0\]"),
        ("items.price.range", [0, 5], r"schema: items\.price: range .*'price' must be positive for a log scale"),
        ("items.price.words", "cheap", r"schema: items\.price: words must be two names"),
        ("items.color", "category", r"schema: items\.color must be a mapping with a 'kind', got 'category'"),
        ("items.color", {"values": ["a"]}, r"schema: items\.color must be a mapping with a 'kind'"),
        ("items.color.values", "red", r"schema: items\.color: values must be"),
        ("items", ["size", "color"], "schema: .*items.* must be a mapping"),
        ("items", {}, "fields 'domain' and 'items' are required"),
        ("title", "nmae", "title of schema 'things' must be an item attribute, got 'nmae'"),
    ],
)
def test_mistakes_name_their_place(path, value, message):
    with pytest.raises(ValueError, match=message):
        changed(path, value)


def test_a_schema_needs_a_file_with_a_mapping(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no schema at .*schema\.yaml"):
        Schema.load(tmp_path / "schema.yaml")
    (tmp_path / "schema.yaml").write_text("- a\n- b\n")
    with pytest.raises(ValueError, match=r"schema\.yaml must hold a mapping, got list"):
        Schema.load(tmp_path / "schema.yaml")
    (tmp_path / "schema.yaml").write_text("domain: d\nitems: {a: {kind: flag, vlaues: []}}\n")
    with pytest.raises(ValueError, match=r"schema.yaml: items\.a: unknown field 'vlaues'"):
        Schema.load(tmp_path / "schema.yaml")


def test_a_schema_needs_an_item_attribute():
    with pytest.raises(ValueError, match="'empty' must have at least one item attribute"):
        dataclasses.replace(movie_schema(), domain="empty", items={}, title=None)
