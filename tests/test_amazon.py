"""Amazon Reviews 2023, in its JSON lines; the big file is `slow`."""

from __future__ import annotations

import gzip
import json
import math
import random
import subprocess
import sys
import time

import pandas as pd
import pyarrow.parquet as pq
import pytest

from talkwalk.contrastive.descriptions import load_descriptions
from talkwalk.datasets.amazon import Sort, amazon, sort_of
from talkwalk.datasets.movielens import PRIOR_RATINGS, split_by_time
from talkwalk.index.catalog import Catalog
from talkwalk.projection.steering_language import load_steering


def product(asin, **changes):
    fields = {
        "main_category": "All Beauty", "title": f"Thing {asin}", "average_rating": 4.0, "rating_number": 10,
        "features": ["soft"], "description": [], "price": 9.99, "images": [{"thumb": "x", "large": None}], "videos": [],
        "store": "Howard", "categories": ["Beauty", "Hair Care"], "details": {"Brand": "Howard", "Size": "1"},
        "parent_asin": asin, "bought_together": None,
    }  # fmt: skip
    return fields | changes


def review(user, asin, rating, seconds):
    return {
        "rating": rating, "title": "Nice \u201cthing\u201d", "text": "As described.\nWould buy again.", "images": [],
        "asin": f"{asin}X", "parent_asin": asin, "user_id": user, "timestamp": seconds * 1000, "helpful_vote": 0,
        "verified_purchase": True,
    }  # fmt: skip


PRODUCTS = [
    product("B1"),
    product("B2", average_rating=5.0, rating_number=1, price="from 1,299.00", categories=["Hair Care"], store=None),
    product("B3", average_rating=None, rating_number=None, price="\u2014", categories=[], brand="Maker"),
    product("B4", categories=["Tools", "Beauty", "Beauty"], price=None, main_category=None),
    product("B1", rating_number=3, title="The same, earlier"),
]
REVIEWS = [
    review("AE2", "B1", 5.0, 300), review("AE2", "B2", 1.0, 100), review("AE2", "B3", 3.0, 200),
    review("AE10", "B1", 4.0, 50), review("AE2", "B9", 2.0, 400), review("AE10", "B2", 2.0, 50),
]  # fmt: skip


def write(path, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.fixture
def beauty(tmp_path):
    """A folder as one downloads it: metadata and reviews of a category, one gzipped."""
    folder = tmp_path / "beauty"
    folder.mkdir()
    write(folder / "meta_All_Beauty.jsonl.gz", PRODUCTS)
    write(folder / "All_Beauty.jsonl", REVIEWS)
    return folder


@pytest.fixture
def shop(beauty, tmp_path):
    amazon(beauty, tmp_path / "out")
    return Catalog.load(tmp_path / "out")


def test_products(shop):
    mean = (4 * 10 + 5 * 1 + 4 * 10) / 21
    assert shop.row("B1") == {
        "title": "Thing B1", "brand": "Howard", "category": ["Beauty", "Hair Care"], "price": 9.99,
        "rating": pytest.approx((40 + PRIOR_RATINGS * mean) / (10 + PRIOR_RATINGS)),
        "popularity": pytest.approx(math.log(11)),
    }  # fmt: skip
    assert shop.row("B2")["price"] == 1299 and "brand" not in shop.row("B2")
    assert shop.row("B3") == {"title": "Thing B3", "brand": "Maker", "category": ["All Beauty"]}
    assert shop.row("B4")["category"] == ["Tools", "Beauty"] and "price" not in shop.row("B4")


def test_interactions(shop, caplog):
    known = [r for r in REVIEWS if r["parent_asin"] != "B9"]
    rows = [(r["user_id"], r["parent_asin"], r["rating"], r["timestamp"] / 1000) for r in known]
    expected = split_by_time(pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"]))
    pd.testing.assert_frame_equal(shop.interactions, expected[list(shop.interactions.columns)], check_dtype=False)
    assert shop.interactions["split"].tolist() == ["valid", "test", "train", "valid", "test"]


def test_the_most_frequent_categories_are_kept(beauty, tmp_path):
    amazon(beauty, tmp_path / "out", categories=2)
    shop = Catalog.load(tmp_path / "out")
    assert shop.schema.items["category"].values == ("Beauty", "Hair Care")
    assert [shop.row(i).get("category") for i in shop.ids] == [["Beauty", "Hair Care"], ["Hair Care"], None, ["Beauty"]]


def test_departments_that_are_described_but_not_sold_are_left_out(shop, repository):
    """The kept names are the catalogue's, not all that there are: the repository's own wordings fit every part."""
    folder = repository / "data" / "descriptions"
    described = load_descriptions(folder, shop.schema).items["category"]
    named = load_steering(folder, shop.schema).categories["category"].names
    assert set(described) == set(named) == {"All Beauty"} < set(shop.schema.items["category"].values)


def test_reviews_may_lie_elsewhere_or_nowhere(beauty, tmp_path, shop):
    metadata, reviews = beauty / "meta_All_Beauty.jsonl.gz", beauty / "All_Beauty.jsonl"
    amazon(metadata, tmp_path / "two", reviews=reviews)
    two = Catalog.load(tmp_path / "two")
    pd.testing.assert_frame_equal(two.interactions, shop.interactions)
    assert two.rows(two.ids) == shop.rows(shop.ids)
    amazon(metadata, tmp_path / "none")
    assert Catalog.load(tmp_path / "none").interactions is None


def test_reviews_alone_make_items(beauty, tmp_path):
    (beauty / "meta_All_Beauty.jsonl.gz").unlink()
    amazon(beauty, tmp_path / "out")
    shop = Catalog.load(tmp_path / "out")
    assert shop.ids == ["B1", "B2", "B3", "B9"] and len(shop.interactions) == 6
    train = {("AE2", "B2"): 1.0, ("AE2", "B3"): 3.0}  # before the last two of each person
    for asin in shop.ids:
        ratings = [r for (_, item), r in train.items() if item == asin]
        expected = (sum(ratings) + PRIOR_RATINGS * 2.0) / (len(ratings) + PRIOR_RATINGS)
        assert shop.row(asin) == {
            "rating": pytest.approx(expected), "popularity": pytest.approx(math.log(1 + len(ratings))),
        }  # fmt: skip


def test_incomplete_reviews_are_left_out_aloud(beauty, tmp_path, caplog):
    broken = [review("", "B1", 1.0, 1), review("AE7", "B1", None, 1), review(None, "B1", 1.0, 1)]
    write(beauty / "All_Beauty.jsonl", REVIEWS + broken)
    amazon(beauty, tmp_path / "out")
    assert len(Catalog.load(tmp_path / "out").interactions) == 5
    assert "4 of 9 interactions are left out: 3 lack user, item, rating or time, 1 are of unknown items" in caplog.text


def test_a_file_with_a_damaged_line_is_named(beauty, tmp_path):
    path = beauty / "All_Beauty.jsonl"
    path.write_text(path.read_text() + '{"user_id": "AE9", "parent\n')
    with pytest.raises(ValueError, match=r"(?s)out cannot be made: .*All_Beauty\.jsonl.* in line \d"):
        amazon(beauty, tmp_path / "out")
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize("text", ["", "no json\n", "[1]\n", '{"asin": "B1"}\n'])
def test_foreign_files_are_refused(tmp_path, text):
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(ValueError, match=r"a\.jsonl (must hold JSON lines|line 1 must be a product or a review)"):
        amazon(tmp_path, tmp_path / "out")


def test_a_damaged_archive_is_refused(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"parent_asin": "B1"}' * 100)[:20])
    with pytest.raises(ValueError, match=r"a\.jsonl\.gz must hold JSON lines"):
        sort_of(tmp_path / "a.jsonl.gz")


def test_missing_files_are_named(tmp_path):
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FileNotFoundError, match="no JSON lines at "):
            amazon(place, tmp_path / "out")


def test_the_first_line_tells_the_sort(tmp_path):
    assert sort_of(write(tmp_path / "x.jsonl", REVIEWS)) is Sort.REVIEWS
    assert sort_of(write(tmp_path / "y.jsonl.gz", PRODUCTS)) is Sort.PRODUCTS


def test_names_with_quotes(beauty, tmp_path):
    beauty.rename(tmp_path / "bob's")
    amazon(tmp_path / "bob's", tmp_path / "ann's")
    assert len(Catalog.load(tmp_path / "ann's").interactions) == 5


LINES, ITEMS, LIMIT = 5_000_000, 300_000, 2 * 2**30
# A fresh process measures its one child: the peak of a child counts from the memory of the process that started it
MEASURE = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)"
)


def write_reviews(path, count):
    rng = random.Random(0)
    with gzip.open(path, "wt", compresslevel=1) as file:
        for i in range(count):
            user, item, when = rng.randrange(count // 3), int(rng.random() ** 2 * ITEMS), rng.randrange(10**11)
            file.write(
                f'{{"rating": {1 + i % 5}.0, "title": "Title {i}", "text": "It arrived on time and works as described, '
                f'and I would buy it again, number {i}.", "images": [], "asin": "B{item:09d}", "parent_asin": '
                f'"B{item:09d}", "user_id": "AE{user:026d}", "timestamp": {1_400_000_000_000 + when}, '
                f'"helpful_vote": 0, "verified_purchase": true}}\n'
            )


@pytest.mark.slow
def test_five_million_reviews_convert_under_two_gigabytes(tmp_path, repository, capsys):
    write_reviews(tmp_path / "Big.jsonl.gz", LINES)
    with gzip.open(tmp_path / "meta_Big.jsonl.gz", "wt", compresslevel=1) as file:
        file.writelines(json.dumps(product(f"B{i:09d}", rating_number=i % 999)) + "\n" for i in range(ITEMS))
    command = [sys.executable, "-c", MEASURE, sys.executable, "data/scripts/prepare_catalog.py", "dataset=amazon"]
    command += [f"path={tmp_path}", f"out={tmp_path / 'out'}"]
    start = time.monotonic()
    done = subprocess.run(command, cwd=repository, env={"PYTHONPATH": "."}, capture_output=True, text=True, check=True)
    seconds, peak = time.monotonic() - start, int(done.stdout.splitlines()[-1])
    with capsys.disabled():
        print(f"\n{LINES:,} reviews of {ITEMS:,} items: {seconds:.0f} s, peak memory {peak / 2**30:.2f} GiB")
    assert f"{ITEMS} items, 0 users, {LINES} interactions" in done.stdout
    assert pq.read_metadata(tmp_path / "out" / "interactions.parquet").num_rows == LINES
    assert 2**26 < peak < LIMIT
