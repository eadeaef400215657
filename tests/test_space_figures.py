"""The space's figures on spaces whose value is known: perfect, random, turned around; pictures and reports of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from talkwalk.contrastive.dataset import Pair, PairKind
from talkwalk.contrastive.smoothing import ordered_columns
from talkwalk.contrastive.validation import axis_paths, axis_report, axis_rows
from talkwalk.eval import space_figures
from talkwalk.eval.intervals import Interval
from talkwalk.eval.people import Person, people
from talkwalk.eval.space_figures import (
    Compared,
    category_agreement,
    found_by_raw_text,
    found_by_text,
    mean_compared,
    names_table,
    neighbours,
    plain_words,
    profile_quality,
    rank_difference,
    ratio,
    seconds_per_million,
)
from talkwalk.eval.space_pictures import draw_paths, draw_space, lay_flat, path_plane
from talkwalk.eval.space_report import SpaceReport, checks, tables

PNG = b"\x89PNG\r\n\x1a\n"


def units(*rows):
    vectors = np.array(rows, dtype=float)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def arc(degrees, steps=21, dim=4):
    """An even path along a circle."""
    angles = np.radians(np.linspace(0, degrees, steps))
    path = np.zeros((steps, dim))
    path[:, 0], path[:, 1] = np.cos(angles), np.sin(angles)
    return path


def test_ratio_closed_form():
    found = ratio(np.array([3.0, 1.0]), np.array([1.0, 1.0]))
    assert found.value == 2 and found.low >= 1 and found.high <= 3 and found.units == 2
    assert ratio(np.ones(5), 4 * np.ones(5))[:3] == (0.25, 0.25, 0.25)


# words


def film_pair(text, **item):
    return Pair(PairKind.ITEM, text, text, item=item)


def test_plain_words_are_the_prompts(catalog):
    pair = Pair(PairKind.BOTH, "x", "x", item={"genre": ["Comedy"], "year": 1995.0}, user={"age_range": "18-24"})
    assert plain_words(pair, catalog.schema) == "age range 18-24; Comedy; 1995"
    assert plain_words(Pair(PairKind.USER, "x", "x", user={"gender": "F"}), catalog.schema) == "gender F"
    assert plain_words(film_pair("x", genre=["Drama", "War"]), catalog.schema) == "Drama, War"


def test_raw_text_finds_its_own_words_and_no_others(space):
    same = [film_pair(genre, genre=[genre]) for genre in ("Comedy", "Drama", "Horror")]
    assert found_by_raw_text(space.sentences, space.schema, same).tolist() == [1, 1, 1]
    turned = [film_pair(said, genre=[is_]) for said, is_ in (("Comedy", "Drama"), ("Drama", "Comedy"))]
    assert found_by_raw_text(space.sentences, space.schema, turned).tolist() == [0, 0]


def test_found_by_text_of_a_perfect_and_a_turned_space(space, monkeypatch):
    pairs = [film_pair(genre, genre=[genre]) for genre in ("Comedy", "Drama")]
    metadata = space.metadata.encode(space.schema.featurize(items=[p.item for p in pairs]).joined())
    monkeypatch.setattr(type(space), "encode_text", lambda self, texts: metadata)
    assert found_by_text(space, pairs).tolist() == [1, 1]
    monkeypatch.setattr(type(space), "encode_text", lambda self, texts: metadata[::-1])
    assert found_by_text(space, pairs).tolist() == [0, 0]


# axes


def test_axis_rows_average_to_the_report(space, catalog):
    paths = axis_paths(space.metadata.encode, catalog.features(), ordered_columns(catalog.schema)[0])
    rows = axis_rows(paths)
    assert all(values.shape == (len(catalog),) for values in rows)
    assert [values.mean() for values in rows] == pytest.approx(list(axis_report(paths)))


def test_an_even_arc_is_perfect_row_by_row():
    rows = axis_rows(np.stack([arc(60), arc(30)]))
    assert rows.spearman.tolist() == [1, 1]
    assert rows.largest_step == pytest.approx([1, 1])


# neighbours


def test_neighbours_against_a_slow_loop():
    rng = np.random.default_rng(0)
    vectors = units(*rng.normal(size=(space_figures.CHUNK + 40, 5)))
    asked = np.arange(0, len(vectors), 1)
    found = neighbours(vectors, asked, 4)
    for item in (0, 7, 255, 256, len(vectors) - 1):
        others = sorted((i for i in asked if i != item), key=lambda i: -float(vectors[item] @ vectors[i]))
        assert found[item].tolist() == others[:4]


def test_a_small_catalogue_has_fewer_neighbours():
    assert neighbours(units([1, 0], [1, 1], [0, 1]), np.array([0]), 10).tolist() == [[1, 2]]


def test_agreement_of_a_perfect_space_is_one():
    kinds = np.repeat(np.eye(4, dtype=bool), 5, axis=0)  # 20 items of four kinds
    vectors = kinds.astype(float)
    asked = np.arange(20)
    found = category_agreement(kinds, asked, neighbours(vectors, asked, 4))
    assert found.near.tolist() == [1.0] * 20
    assert found.random == pytest.approx(np.full(20, 4 / 19))
    assert ratio(*found).value == pytest.approx(19 / 4)


def test_agreement_of_a_random_space_is_that_of_random_items():
    rng = np.random.default_rng(1)
    kinds = np.eye(4, dtype=bool)[rng.integers(4, size=600)]
    asked = np.arange(600)
    found = ratio(*category_agreement(kinds, asked, neighbours(units(*rng.normal(size=(600, 8))), asked, 10)))
    assert found.value == pytest.approx(1, abs=0.1) and found.low < 1 < found.high


def test_agreement_is_jaccard_and_leaves_the_unknown_out():
    members = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 0]], dtype=bool)
    found = category_agreement(members, np.array([0, 3]), np.array([[1, 3], [0, 1]]))
    assert found.near[0] == 1 / 2 and found.random[0] == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert np.isnan(found.near[1]) and np.isnan(found.random[1])
    assert [values.tolist() for values in found.known()] == [[found.near[0]], [found.random[0]]]


def test_rank_difference_closed_form():
    ranks = np.array([0.1, 0.2, 0.9, np.nan])
    found = rank_difference(ranks, np.array([0, 3]), np.array([[1, 3], [0, 1]]))
    assert found.near[0] == pytest.approx(0.1) and found.random[0] == pytest.approx((0.1 + 0.8) / 2)
    assert np.isnan(found.near[1]) and np.isnan(found.random[1])


def test_rank_difference_of_a_line_and_of_a_random_space():
    ranks = (np.arange(500) + 0.5) / 500
    asked, rng = np.arange(500), np.random.default_rng(2)
    line = np.stack([np.cos(ranks), np.sin(ranks)], axis=1)
    assert ratio(*rank_difference(ranks, asked, neighbours(line, asked, 10))).value < 0.05
    random = ratio(*rank_difference(ranks, asked, neighbours(units(*rng.normal(size=(500, 8))), asked, 10)))
    assert random.value == pytest.approx(1, abs=0.05)


def test_mean_compared_skips_the_unknown():
    one, other = Compared(np.array([1.0, np.nan]), np.array([0.5, 0.5])), Compared(np.zeros(2), np.array([0.1, np.nan]))
    assert mean_compared([one, other]).near.tolist() == [0.5, 0.0]
    assert mean_compared([one, other]).random.tolist() == pytest.approx([0.3, 0.5])


def test_names_table_is_the_catalogue(catalog):
    table, names = names_table(catalog, "genre"), catalog.schema.items["genre"].values
    for row, item_id in zip(table, catalog.ids, strict=True):
        assert {n for n, has in zip(names, row, strict=True) if has} == set(catalog.row(item_id)["genre"])


# people


def persons_of(catalog) -> list[Person]:
    return [person for person in people(catalog) if person.profile]


def test_a_space_that_knows_the_answer_is_perfect(space, catalog, monkeypatch):
    persons = persons_of(catalog)
    targets = [catalog.row(person.target) for person in persons]
    monkeypatch.setattr(type(space), "encode_users", lambda self, rows: self.encode_items(targets))
    quality = profile_quality(space, catalog, persons, k=10)
    assert quality.space.tolist() == [1.0] * len(persons)
    assert quality.popularity.mean() < 1


def test_profile_quality_against_a_slow_loop(space, catalog):
    persons = persons_of(catalog)
    assert len(persons) > 3
    quality = profile_quality(space, catalog, persons, k=10)
    train = catalog.interactions[catalog.interactions["split"] == "train"]["item_id"].value_counts()
    items = dict(zip(catalog.ids, space.encode_items(catalog.items), strict=True))
    for i, person in enumerate(persons):
        profile = space.encode_users([person.profile])[0]
        allowed = [item_id for item_id in catalog.ids if item_id not in person.history]
        rankings = {
            "space": sorted(allowed, key=lambda item_id: -float(profile @ items[item_id])),
            "popularity": sorted(allowed, key=lambda item_id: -train.get(item_id, 0)),
        }
        for name, ranking in rankings.items():
            place = ranking.index(person.target)
            expected = 1 / np.log2(place + 2) if place < 10 else 0.0
            assert getattr(quality, name)[i] == pytest.approx(expected)


def test_speed_encodes_every_row_once(space, catalog, monkeypatch):
    seen = []
    monkeypatch.setattr(type(space), "encode_items", lambda self, rows: seen.append(len(rows)))
    monkeypatch.setattr(space_figures, "SPEED_BLOCK", 60)
    assert seconds_per_million(space, catalog, 130) > 0
    assert seen == [60, 60, 10]


# pictures


def test_path_plane_keeps_an_arc():
    flat = path_plane(np.stack([arc(90), arc(90)]))
    assert flat.shape == (2, 21, 2)
    assert np.linalg.norm(flat, axis=2) == pytest.approx(np.ones((2, 21)))  # the circle lies in the plane
    assert (np.diff(flat[0, :, 0]) > 0).all()


def test_pca_lays_a_plane_flat():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(30, 2)) * (3, 1)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0][:2]
    flat = lay_flat(plane @ turn + 7, "pca")
    apart = [np.linalg.norm(x[:, None] - x[None], axis=2) for x in (plane, flat)]
    assert apart[0] == pytest.approx(apart[1])
    assert flat[:, 0].std() > flat[:, 1].std()


def test_laying_flat_names_mistakes():
    with pytest.raises(ValueError, match="vectors must be at least 3 to be laid flat, got 2"):
        lay_flat(np.zeros((2, 4)), "pca")
    with pytest.raises(ValueError, match=r"method must be one of \['pca', 'umap'\], got 'globe'"):
        lay_flat(np.zeros((3, 4)), "globe")


@pytest.mark.slow
def test_umap_keeps_groups_apart_and_is_seeded():
    """UMAP compiles itself: about half a minute."""
    rng = np.random.default_rng(0)
    groups = units(*np.concatenate([rng.normal(c, 0.1, size=(40, 4)) for c in ((3, 0, 0, 0), (0, 3, 0, 0))]))
    flat = lay_flat(groups, "umap", seed=1)
    centres = flat[:40].mean(axis=0), flat[40:].mean(axis=0)
    assert np.linalg.norm(centres[0] - centres[1]) > 2 * max(flat[:40].std(), flat[40:].std())
    assert np.array_equal(flat, lay_flat(groups, "umap", seed=1))


@pytest.mark.parametrize("attribute", ["genre", "year"])
def test_the_space_is_drawn(catalog, attribute, tmp_path):
    rows = np.arange(0, len(catalog), 2)
    draw_space(np.random.default_rng(0).normal(size=(len(rows), 2)), catalog, rows, attribute, tmp_path / "space.png")
    assert (tmp_path / "space.png").read_bytes().startswith(PNG)
    assert [path.name for path in tmp_path.iterdir()] == ["space.png"]


def test_paths_are_drawn(tmp_path):
    draw_paths(np.stack([arc(90), arc(60)]), ["One", "Two"], "year", tmp_path / "path.png")
    assert (tmp_path / "path.png").read_bytes().startswith(PNG)


# reports


def interval(value, low=None):
    return Interval(value, low, None if low is None else value, 5)


FIGURES = {
    "text/trained_wordings/space": interval(0.9, 0.8),
    "axes/year/spearman": interval(0.99, 0.9),
    "axes/rating/spearman": interval(0.5, 0.4),
    "axes/rating/largest step": interval(1.2, 1.1),
    "axes/year/largest step": interval(1.6, 1.5),
    "profile NDCG@10/everybody/difference": interval(0.01, -0.02),
    "profile NDCG@10/unseen people/difference": interval(0.01, 0.0),
    "speed/metadata rows/seconds per million": interval(12.0),
}


def test_goals_take_the_worst_row_and_the_lower_end():
    found = {check.name: check for check in checks(FIGURES)}
    assert set(found) == {
        "text/trained_wordings/space",
        "axes/rating/spearman",
        "axes/year/largest step",
        "speed/metadata rows/seconds per million",
        "profile NDCG@10/everybody/difference, lower end",
    }
    assert [found[n].met for n in sorted(found)] == [False, False, False, True, True]


def test_a_report_is_written_whole(tmp_path):
    report = SpaceReport({"space": "here"}, {"k": 10}, FIGURES, ["path-year.png"], 3.2)
    report.save(tmp_path)
    data = json.loads((tmp_path / "report.json").read_text())
    assert data["figures"]["axes/year/spearman"] == {"value": 0.99, "low": 0.9, "high": 0.99, "units": 5}
    assert {goal["name"]: goal["met"] for goal in data["goals"]}["axes/rating/spearman"] is False
    page = (tmp_path / "report.md").read_text()
    assert "| | spearman | largest step |" in page
    assert "| year | 0.990 [0.900, 0.990] n=5 | 1.600 [1.500, 1.600] n=5 |" in page
    assert "![path-year.png](path-year.png)" in page
    assert "  year: spearman 0.990 [0.900, 0.990] n=5, largest step 1.600" in report.text()


def test_tables_keep_sections_rows_and_columns():
    found = tables(FIGURES)
    assert list(found) == ["text", "axes", "profile NDCG@10", "speed"]
    assert list(found["axes"]["rating"]) == ["spearman", "largest step"]
