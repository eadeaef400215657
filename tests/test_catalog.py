"""A catalogue against slow loops; changes happen whole or not at all."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from talkwalk.index.catalog import Catalog
from talkwalk.schema import Schema
from tests.conftest import make_catalog

THINGS = Schema.from_dict(
    {
        "domain": "things",
        "items": {
            "name": {"kind": "text"},
            "price": {"kind": "ordered", "range": [0, 10]},
            "color": {"kind": "category", "values": ["red", "green", "blue"]},
            "tags": {"kind": "multi", "values": ["a", "b", "c"]},
            "new": {"kind": "flag"},
        },
        "users": {"color": {"kind": "category", "values": ["red", "green"]}},
    }
)
ROWS = {
    "1": {"name": "one", "price": 1.0, "color": "red", "tags": ["a", "b"], "new": True},
    "2": {"name": "two", "price": 2.0, "color": "green", "tags": ["b"], "new": False},
    "3": {"name": "three", "price": 3.0, "tags": []},
    "4": {"price": 2.0, "color": "blue", "tags": ["c"], "new": True},
    "5": {"name": "five", "color": "red"},
}


@pytest.fixture
def things() -> Catalog:
    users = pd.DataFrame({"color": ["red", None]}, index=[1, 2])
    seen = pd.DataFrame({"user_id": [1, 1], "item_id": [2, 3], "timestamp": [5.0, 6.0], "split": ["train", "test"]})
    return Catalog(THINGS, pd.DataFrame.from_dict(ROWS, orient="index"), users, seen)


def state(catalog: Catalog) -> tuple:
    return catalog.ids, catalog.rows(catalog.ids), catalog.fingerprint(), catalog.ranks("price").fillna(-1).tolist()


# reading


def test_rows_hold_only_what_is_present(things):
    for item_id, row in ROWS.items():
        assert things.row(item_id) == {n: v for n, v in row.items() if v != []}
    assert things.rows(["4", "1"]) == [things.row("4"), things.row("1")]
    assert things.user("1") == {"color": "red"} and things.user("2") == {}


def test_ids_are_strings(things):
    items = pd.DataFrame({"price": [1.0, 2.0]}, index=[7, 8])
    catalog = Catalog(THINGS, items, interactions=things.interactions)
    assert catalog.ids == ["7", "8"] and catalog.row("7") == {"price": 1.0}
    assert items.index.tolist() == [7, 8]  # the caller's table stays as it was
    assert things.interactions["user_id"].tolist() == ["1", "1"]
    with pytest.raises(ValueError, match="item ids must be strings, got 7"):
        catalog.row(7)


def test_size_and_repr(things):
    assert len(things) == 5
    assert repr(things) == "Catalog(things: 5 items, 2 users, 2 interactions)"
    assert repr(Catalog(THINGS, things.items)) == "Catalog(things: 5 items, 0 users, 0 interactions)"


def test_features_are_the_schemas(things):
    rows = [{n: v for n, v in row.items() if n != "name"} for row in ROWS.values()]
    np.testing.assert_array_equal(things.features(), THINGS.featurize(items=rows).joined())


def test_unknown_ids_are_named(things):
    for call in (things.row, lambda i: things.rows(["1", i]), lambda i: things.remove([i])):
        with pytest.raises(ValueError, match="unknown item id '99': the catalogue has 5 items"):
            call("99")
    with pytest.raises(ValueError, match="unknown user id '99': the catalogue has 2 users"):
        things.user("99")


def test_repeated_ids_are_named():
    with pytest.raises(ValueError, match="item ids must be unique, '1' occurs more than once"):
        Catalog(THINGS, pd.DataFrame({"price": [1, 2]}, index=[1, "1"]))
    with pytest.raises(ValueError, match="user ids must be unique, 'u'"):
        Catalog(THINGS, pd.DataFrame(), pd.DataFrame({"color": ["red", "red"]}, index=["u", "u"]))


def test_wrong_tables_are_named():
    with pytest.raises(ValueError, match="unknown item column 'prize'; did you mean 'price'"):
        Catalog(THINGS, pd.DataFrame({"prize": [1]}))
    with pytest.raises(ValueError, match="unknown user column 'age'"):
        Catalog(THINGS, pd.DataFrame(), pd.DataFrame({"age": [1]}))
    with pytest.raises(ValueError, match=r"interactions must have the columns .* missing \['timestamp'\]"):
        Catalog(THINGS, pd.DataFrame(), interactions=pd.DataFrame({"user_id": [], "item_id": []}))
    with pytest.raises(ValueError, match="price"):
        Catalog(THINGS, pd.DataFrame({"price": ["cheap"]}, index=["1"]))


def test_ranks_against_a_slow_loop():
    catalog = make_catalog()
    catalog.items.loc["3", "year"] = math.nan
    years = catalog.items["year"].dropna().tolist()
    for item_id, rank in catalog.ranks("year").items():
        year = catalog.items.loc[item_id, "year"]
        if math.isnan(year):
            assert item_id == "3" and math.isnan(rank)
        else:
            expected = (sum(y < year for y in years) + sum(y == year for y in years) / 2) / len(years)
            assert rank == pytest.approx(expected)
    with pytest.raises(ValueError, match="unknown ordered attribute 'yaer'; did you mean 'year'"):
        catalog.ranks("yaer")


def test_ranks_follow_changes(things):
    assert things.ranks("price").loc["1"] == pytest.approx(1 / 8)
    things.add({"0": {"price": 0}})
    assert things.ranks("price").loc["1"] == pytest.approx(3 / 10)
    things.remove(["0", "2", "3", "4"])
    assert things.ranks("price").loc["1"] == pytest.approx(1 / 2)


# matching


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ({}, "12345"),
        ({"name": "two"}, "2"),
        ({"name": ["two", "five", "six"]}, "25"),
        ({"price": 2}, "24"),
        ({"price": [1, 3]}, "13"),
        ({"price": (2, None)}, "234"),
        ({"price": (None, 2)}, "124"),
        ({"price": (1.5, 2)}, "24"),
        ({"price": (None, None)}, "1234"),
        ({"color": "red"}, "15"),
        ({"color": ["red", "blue"]}, "145"),
        ({"color": {"green"}}, "2"),
        ({"color": []}, ""),
        ({"tags": "b"}, "12"),
        ({"tags": ["a", "c"]}, "14"),
        ({"new": True}, "14"),
        ({"new": False}, "2"),
        ({"color": "red", "price": (0, 10)}, "1"),
    ],
)
def test_every_kind_of_condition(things, where, ids):
    assert things.matching(where) == list(ids)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"colour": "red"}, "unknown item attribute 'colour'; did you mean 'color'"),
        ({"price": "low"}, "'price' must be a number, got 'low'"),
        ({"price": (1,)}, r"where\['price'\] must be \(low, high\) with numbers or None, got \(1,\)"),
        ({"price": ("a", 2)}, r"where\['price'\] must be \(low, high\)"),
        ({"color": 3}, "'color' must be a string, got 3"),
        ({"color": ("red", "blue")}, r"where\['color'\] must be a string or a list of them"),
        ({"tags": [1]}, "'tags' must be a list of strings, got 1"),
        ({"tags": ("a", "b")}, "tags"),
        ({"new": "yes"}, "'new' must be true or false, got 'yes'"),
        ({"tags": "z"}, r"unknown value of 'tags' 'z' \(known: a, b, c\)"),
        ({"price": (5, 4)}, r"where\['price'\] must be \(low, high\) with low up to high, got \(5, 4\)"),
        ({"price": (True, 4)}, r"where\['price'\] must be \(low, high\) with numbers"),
        ({"tags": [["a"]]}, r"where\['tags'\] must be a value or a list of them, got \[\['a'\]\]"),
        ({"tags": np.array(["a"])}, r"where\['tags'\] must be a value or a list of them"),
        ({"color": pd.Series(["red"])}, r"where\['color'\] must be a value or a list of them"),
        ([("price", 4)], "where must be a mapping"),
    ],
)
def test_impossible_conditions_are_named(things, where, message):
    with pytest.raises(ValueError, match=message):
        things.matching(where)


# categories by name


def test_having_any_or_all_of_some_categories(things):
    assert things.having([("tags", "b")]) == {"1", "2"}
    assert things.having([("tags", "c"), ("color", "red")]) == {"1", "4", "5"}
    assert things.having([]) == set()
    assert things.having([("tags", "d")]) == set()  # a name that no item has
    assert things.having_all([("tags", "b"), ("color", "red")]) == {"1"}
    assert things.having_all([("tags", "a"), ("tags", "c")]) == set()
    with pytest.raises(ValueError, match="unknown item attribute 'colour'"):
        things.having([("colour", "red")])


def test_having_follows_add_and_remove(things):
    red = [("color", "red")]
    assert things.having(red) == things.having_all(red) == {"1", "5"}
    things.add({"6": {"color": "red"}, "1": {"color": "blue"}})
    assert things.having(red) == things.having_all(red) == {"5", "6"}
    things.remove(["5"])
    assert things.having(red) == things.having_all(red) == {"6"}
    assert things.having([("color", "blue")]) == {"1", "4"}


def test_a_caller_may_change_what_having_gives(things):
    for find in (things.having, things.having_all):
        find([("tags", "b")]).clear()
        assert find([("tags", "b")]) == {"1", "2"}


# changing


def test_add_and_replace(things):
    things.add({"9": {"price": 9, "tags": "c"}, "2": {"color": "blue"}})
    assert sorted(things.ids) == ["1", "2", "3", "4", "5", "9"]
    assert things.row("9") == {"price": 9.0, "tags": ["c"]} and things.row("2") == {"color": "blue"}
    assert things.row("1") == ROWS["1"]
    np.testing.assert_array_equal(things.features()[things.ids.index("1")], THINGS.featurize([ROWS["1"]]).joined()[0])
    before = state(things)
    things.add({})
    assert state(things) == before


def test_an_item_without_attributes_is_an_item(things):
    things.add({"bare": {}})
    assert things.row("bare") == {} and len(things) == 6


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"prize": 1}, "unknown item attribute 'prize'; did you mean 'price'"),
        ({"price": "1"}, "'price' must be a number, got '1'"),
        ({"tags": [1]}, "'tags' must be a list of strings"),
    ],
)
def test_one_bad_row_adds_nothing(things, bad, message):
    before = state(things)
    with pytest.raises(ValueError, match=message):
        things.add({"8": {"price": 1.0}, "1": bad})
    assert state(things) == before


def test_remove(things):
    things.remove(["2", "4"])
    assert things.ids == ["1", "3", "5"] and things.row("3") == {"name": "three", "price": 3.0}
    before = state(things)
    with pytest.raises(ValueError, match="unknown item id '2'"):
        things.remove(["1", "2"])
    assert state(things) == before


def test_fingerprint_sees_items_and_schema(things):
    before = things.fingerprint()
    assert Catalog(THINGS, things.items).fingerprint() == before
    things.add({"1": {**ROWS["1"], "price": 1.5}})
    assert things.fingerprint() != before
    wider = Schema.from_dict({"domain": "things", "items": {"price": {"kind": "ordered", "range": [0, 11]}}})
    items = pd.DataFrame({"price": [1.0]}, index=["1"])
    narrow = Schema.from_dict({"domain": "things", "items": {"price": {"kind": "ordered", "range": [0, 10]}}})
    assert Catalog(wider, items).fingerprint() != Catalog(narrow, items).fingerprint()


# files


@pytest.mark.parametrize("make", [make_catalog, None])
def test_saved_and_loaded_is_the_same(make, things, tmp_path):
    catalog = make() if make else things
    catalog.save(tmp_path / "catalog")
    loaded = Catalog.load(tmp_path / "catalog")
    assert loaded.schema == catalog.schema and loaded.ids == catalog.ids
    assert loaded.rows(loaded.ids) == catalog.rows(catalog.ids)
    np.testing.assert_array_equal(loaded.features(), catalog.features())
    assert [loaded.user(u) for u in loaded.users.index] == [catalog.user(u) for u in catalog.users.index]
    pd.testing.assert_frame_equal(loaded.interactions, catalog.interactions, check_dtype=False)


def test_saved_and_loaded_has_the_same_fingerprint(things, tmp_path):
    for name, catalog in (("films", make_catalog()), ("things", things)):
        catalog.save(tmp_path / name)
        assert Catalog.load(tmp_path / name).fingerprint() == catalog.fingerprint()


def test_a_catalogue_of_items_only(tmp_path, things):
    Catalog(THINGS, things.items).save(tmp_path / "catalog")
    assert sorted(p.name for p in (tmp_path / "catalog").iterdir()) == ["items.parquet", "schema.yaml"]
    loaded = Catalog.load(tmp_path / "catalog")
    assert loaded.interactions is None and len(loaded.users) == 0


def test_saving_again_replaces_the_folder(tmp_path, things):
    things.save(tmp_path / "catalog")
    Catalog(THINGS, things.items.loc[["1"]]).save(tmp_path / "catalog")
    loaded = Catalog.load(tmp_path / "catalog")
    assert loaded.ids == ["1"] and loaded.interactions is None


def test_other_files_are_not_saved_over(tmp_path, things):
    (tmp_path / "thesis.txt").write_text("ten years")
    with pytest.raises(
        ValueError, match=r"holds other files, such as thesis\.txt: give a new folder for the catalogue"
    ):
        things.save(tmp_path)
    assert (tmp_path / "thesis.txt").is_file()


def test_missing_files_are_named(tmp_path, things):
    with pytest.raises(FileNotFoundError, match=r"no catalogue at .*prepare_catalog\.py makes one"):
        Catalog.load(tmp_path)
    things.save(tmp_path / "catalog")
    (tmp_path / "catalog" / "schema.yaml").unlink()
    with pytest.raises(FileNotFoundError, match="no schema at"):
        Catalog.load(tmp_path / "catalog")
