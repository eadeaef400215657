"""Tables of turns tell what was named and how far apart; their figures are right for who hears and who does not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from talkwalk.bands import Band
from talkwalk.config import WalksConfig
from talkwalk.index.catalog import Catalog
from talkwalk.projection import losses
from talkwalk.projection.labels import GOING_BACK
from talkwalk.projection.projection_head import FIRST, SLOTS
from talkwalk.projection.steps import SPREADS, Step, StepKind
from talkwalk.projection.turns import NONE, TurnTable, TurnTables
from talkwalk.projection.validation import (
    Answers,
    figures,
    members,
    named_share,
    ranges_of,
    ruled_out,
    turn_figures,
)
from talkwalk.projection.walks import Walk, Walker, draw_walks
from talkwalk.schema import Schema
from tests.conftest import GENRES


@pytest.fixture
def tables(space, catalog, descriptions, backend) -> TurnTables:
    return TurnTables(space, catalog, descriptions, backend)


@pytest.fixture
def walks(catalog, descriptions, language) -> list[Walk]:
    walker = Walker(catalog, descriptions, language, WalksConfig(simulated=1, real=0, test=1))
    return draw_walks(walker, ["1", "2"], 120, np.random.default_rng(0))


def build(tables: TurnTables, walks) -> TurnTable:
    return tables.build(walks, [losses.no_context_drop(w.history) for w in walks], np.random.default_rng(0))


# columns


def test_columns_say_what_the_steps_say(tables, walks, catalog):
    table, names = build(tables, walks), catalog.schema.category_values
    assert table.spread.shape == (len(table),)
    assert table.asked.shape == table.without.shape == (len(table), len(names))
    for row, step in enumerate(table.steps):
        assert table.spread[row] == step.spread
        for column, name in enumerate(names):
            assert table.asked[row, column] == (name in step.asked)
            assert table.without[row, column] == (name in step.without)
        assert table.returns[row].tolist() == [step.kind is StepKind.BACK, step.kind is StepKind.FIRST]
    assert table.asked.any() and table.without.any() and table.returns.any(axis=0).all()
    assert set(SPREADS.values()) <= set(table.spread.tolist())


def test_a_category_that_the_schema_has_not_is_passed_over(tables):
    step = Step(StepKind.LESS, "no musicals", {}, "2", "genre", "Musical", without=(("genre", "Musical"),))
    table = build(tables, [Walk(None, ("1",), (step,))])
    assert not table.without.any()


def test_the_first_anchor_is_the_first_recommended_item(tables, walks, catalog, space):
    table, vectors = build(tables, walks), dict(zip(catalog.ids, space.encode_items(catalog.items), strict=True))
    row = 0
    for walk in walks:
        for turn in range(len(walk.steps)):
            if turn == 0:
                assert not table.anchors[row, FIRST].any()
            else:
                np.testing.assert_allclose(table.anchors[row, FIRST], vectors[walk.steps[0].target], atol=1e-6)
            row += 1
    assert row == len(table)


def test_it_stays_the_first_when_earlier_turns_are_not_told(tables, catalog, space):
    steps = tuple(Step(StepKind.STAY, "more", {"year": 1950.0}, target) for target in ("4", "5", "6"))
    drop = losses.ContextDrop(2, (), losses.no_context_drop([]).verbosity)
    table = tables.build([Walk(None, (), steps)], [drop], np.random.default_rng(0))
    assert len(table) == 1
    np.testing.assert_allclose(table.anchors[0, FIRST], space.encode_items([catalog.row("4")])[0], atol=1e-6)


def test_a_table_of_other_wishes_has_another_fingerprint(tables, walks):
    table = build(tables, walks)
    for column in ("spread", "asked", "without", "within", "moves", "returns"):
        changed = getattr(table, column).copy()
        changed[0] = 7
        assert dataclasses.replace(table, **{column: changed}).fingerprint() != table.fingerprint()
    assert dataclasses.replace(table).fingerprint() == table.fingerprint()


# categories


@pytest.fixture
def mixed() -> Catalog:
    """Two category attributes, one of them single."""
    items = {
        "tags": {"kind": "multi", "values": ["a", "b", "c"]},
        "price": {"kind": "ordered", "range": [0, 9]},
        "color": {"kind": "category", "values": ["red", "blue"]},
    }
    rows = pd.DataFrame(
        {"tags": [["a", "b"], [], ["c"], ["b"]], "color": ["red", "blue", None, "blue"]}, index=list("1234")
    )
    return Catalog(Schema.from_dict({"domain": "things", "items": items}), rows)


def test_members_against_a_loop(catalog, mixed):
    for items in (catalog, mixed):
        has, names = members(items), items.schema.category_values
        assert has.shape == (len(items), len(names))
        for row, item_id in enumerate(items.ids):
            for column, (attribute, value) in enumerate(names):
                cell = items.row(item_id).get(attribute, [])
                assert has[row, column] == (value in ([cell] if isinstance(cell, str) else cell))
    assert mixed.schema.category_values[-2:] == (("color", "red"), ("color", "blue"))


def test_members_without_categories():
    schema = Schema.from_dict({"domain": "d", "items": {"price": {"kind": "ordered", "range": [0, 9]}}})
    assert members(Catalog(schema, pd.DataFrame({"price": [1.0, 2.0]}))).shape == (2, 0)


def test_named_share_against_a_loop(catalog):
    rng = np.random.default_rng(0)
    shown = np.stack([rng.choice(len(catalog), 5, replace=False) for _ in range(6)])
    named = np.zeros((6, len(GENRES)), dtype=np.float32)
    for turn in range(1, 6):  # the first names nothing
        named[turn, rng.choice(len(GENRES), size=1 + turn % 2, replace=False)] = 1
    shares = named_share(shown, named, catalog)
    for turn in range(6):
        wanted = {GENRES[i] for i in np.flatnonzero(named[turn])}
        rows = [catalog.row(catalog.ids[i]) for i in shown[turn]]
        assert shares[turn] == pytest.approx(np.mean([bool(wanted & set(row["genre"])) for row in rows]))
    assert named_share(shown[:0], named[:0], catalog).shape == (0,)


def fits_by_hand(row, genres, bands, schema, *, every, ranged) -> bool:
    """Whether an item has the asked genres and lies in the asked ranges; `every` None for giving the genres up."""
    own = [genre in row["genre"] for genre in genres]
    named = True if every is None or not own else all(own) if every else any(own)
    held = {name: [] for name, _ in bands}
    for name, key in bands:
        held[name].append(Band.parse(key).holds(float(row[name]), schema.items[name]))
    return named and (not ranged or all(any(each) for each in held.values()))


@pytest.mark.parametrize("k", [1, 4, 12])
def test_ruled_out_with_ranges_against_a_loop(catalog, k):
    rng, has = np.random.default_rng(k), members(catalog)
    named = [("year", "1900-1970"), ("year", "1960-1980"), ("rating", "50%-100%")]
    asked, without = (rng.random((60, len(GENRES))) < share for share in (0.2, 0.1))
    within = rng.random((60, len(named))) < 0.4
    out = ruled_out(Answers(np.zeros((60, 2)), np.zeros(60), asked, without, within), has, k, ranges_of(catalog, named))
    ways = [(True, True), (True, False), (False, True), (False, False), (None, True), (None, False)]
    taken = set()
    for turn in range(60):
        genres = [GENRES[i] for i in np.flatnonzero(asked[turn])]
        bands = [named[i] for i in np.flatnonzero(within[turn])]
        rows = {i: catalog.row(item) for i, item in enumerate(catalog.ids) if not (has[i] * without[turn]).any()}
        for every, ranged in ways:
            fitting = {"every": every, "ranged": ranged}
            left = [i for i, row in rows.items() if fits_by_hand(row, genres, bands, catalog.schema, **fitting)]
            if len(left) >= k:
                break
        taken.add((every, ranged))
        assert np.flatnonzero(~out[turn]).tolist() == left
    assert len(taken) > 1 or k == 1


def test_ruled_out_against_a_loop(catalog):
    has, k, rng = members(catalog), 3, np.random.default_rng(1)
    asked, without = (rng.random((40, len(GENRES))) < 0.3 for _ in range(2))
    out = ruled_out(Answers(np.zeros((40, 2)), np.zeros(40), asked, without), has, k)
    ways = set()
    for turn in range(40):
        allowed = [i for i in range(len(catalog)) if not (has[i] * without[turn]).any()]
        every, some = ([i for i in allowed if test(has[i][asked[turn]] > 0)] for test in (np.all, np.any))
        way = "all" if len(every) >= k else "some" if len(some) >= k else "none"
        ways.add(way)
        kept = {"all": every, "some": some, "none": allowed}[way]
        assert np.flatnonzero(~out[turn]).tolist() == kept
    assert ways == {"all", "some", "none"}


# figures of who hears everything and who hears nothing


def line() -> tuple[Catalog, np.ndarray]:
    """21 things in a row, with a vector each that is far from all others."""
    schema = Schema.from_dict(
        {
            "domain": "things",
            "items": {
                "price": {"kind": "ordered", "range": [0, 20]},
                "tags": {"kind": "multi", "values": ["a", "b"]},
            },
        }
    )
    rows = pd.DataFrame({"price": np.arange(21.0), "tags": [["a"] if i % 2 else ["b"] for i in range(21)]})
    return Catalog(schema, rows), np.eye(21, dtype=np.float32)


def hand_made(steps: list[Step], catalog: Catalog, vectors: np.ndarray, start: int) -> TurnTable:
    """Turns that all start from one item."""
    rows = np.array([catalog.ids.index(step.target) for step in steps])
    count, none = len(steps), np.full(len(steps), NONE)
    anchors = np.zeros((count, SLOTS, vectors.shape[1]), dtype=np.float32)
    named = {name: i for i, name in enumerate(catalog.schema.category_values)}
    asked, without = np.zeros((2, count, len(named)), dtype=np.float32)
    for turn, step in enumerate(steps):
        asked[turn, [named[name] for name in step.asked]] = 1
        without[turn, [named[name] for name in step.without]] = 1
    return TurnTable(
        states=np.zeros((count, 2)),
        anchors=anchors,
        wanted=vectors[rows],
        items=vectors[rows],
        item_keys=rows,
        descriptions=np.zeros((count, 2)),
        walk=np.arange(count),
        before=none,
        twin=none,
        steps=steps,
        seen=[{catalog.ids[start]} for _ in steps],
        starts=[catalog.ids[start]] * count,
        swap=none,
        spread=np.array([step.spread for step in steps]),
        asked=asked,
        without=without,
        within=np.array([[float((a, r) in step.within) for a, r in RANGES] for step in steps]),
        ranges=RANGES,
        moves=np.zeros((count, 1)),
        returns=np.zeros((count, len(GOING_BACK))),
    )


RANGES = (("price", "0%-50%"), ("price", "75%-90%"))


@pytest.fixture
def judged():
    """Figures of a reading of turns that ask for every grade up and down, every spread, and one refusal."""
    catalog, vectors = line()
    steps = [
        Step(StepKind.DIRECTION, "x", {}, str(10 + sign * move), "price", sign, grade)
        for sign in (1, -1)
        for grade, move in {"touch": 1, "bit": 2, None: 4, "much": 7, "most": 10}.items()
    ]
    steps += [Step(StepKind.VARIETY, "x", {}, "11", None, name, spread=spread) for name, spread in SPREADS.items()]
    named = (("tags", "a"),)
    steps += [Step(StepKind.LESS, "x", {}, "12", "tags", "a", without=named)]
    steps += [Step(StepKind.SWITCH, "x", {}, "13", "tags", "a", asked=named)]
    steps += [Step(StepKind.SEVERAL, "x", {}, "15"), Step(StepKind.FIRST, "x", {}, "10")]
    steps += [
        Step(StepKind.BETWEEN, "x", {}, "16"),
        Step(StepKind.BACK, "x", {}, "10"),
        Step(StepKind.WISH, "x", {}, "3"),
        Step(StepKind.KEEP, "x", {}, "17", *RANGES[1], within=(RANGES[1],)),
    ]
    table = hand_made(steps, catalog, vectors, 10)

    def judge(read: Answers, k: int = 1) -> dict[str, float]:
        return figures(turn_figures(read, table, catalog, vectors, k), len(catalog))

    return judge, table, vectors


def test_a_perfect_reader_is_perfect(judged):
    judge, table, _ = judged
    found = judge(Answers(table.items, table.spread, table.asked > 0, table.without > 0, table.within > 0))
    for name in ("grade_spearman", "spread_spearman", "direction", "r10", "top1", "wish_r10", "several_r10",
                 "back_r10", "first_r10", "between_r10", "switch_share", "precision", "placed_share"):  # fmt: skip
        assert found[name] == pytest.approx(1, abs=0.01), name  # two movements of one length may differ in the last bit
    assert found["refused_share"] == found["off_axis"] == 0
    assert found["on_axis"] == pytest.approx(4 / 21)  # of the plain turns alone, in ranks


def test_a_deaf_reader_has_no_grades_and_no_spread(judged):
    judge, table, vectors = judged
    found = judge(Answers.at(np.repeat(vectors[[10]] + 0.1 * vectors[[7]], len(table), axis=0), 2))
    assert "spread_spearman" not in found  # it reads the same from all of them: a correlation has no meaning
    assert found["direction"] == 0.5  # always down
    assert abs(found["grade_spearman"]) < 0.2
    assert found["top1"] == found["several_r10"] == found["between_r10"] == found["wish_r10"] == 0
    assert found["first_r10"] == found["back_r10"] == 1  # it never left
    assert found["refused_share"] == 1.0  # what is shown has it
    assert found["placed_share"] == 0.0


def test_a_reader_that_mixes_up_the_grades_is_found_out(judged):
    judge, table, _ = judged
    turned = table.items.copy()
    turned[:10] = table.items[:10].reshape(2, 5, -1)[:, ::-1].reshape(10, -1)
    read = Answers(turned, -table.spread, table.asked > 0, table.without > 0)
    found = judge(read)
    assert found["grade_spearman"] == pytest.approx(-1, abs=0.01)
    assert found["spread_spearman"] == pytest.approx(-1)
    assert found["direction"] == 1


def test_refusing_by_name_keeps_out_what_the_place_does_not(judged):
    judge, table, vectors = judged
    near = np.repeat(vectors[[9]] + 0.9 * vectors[[11]] + 0.8 * vectors[[12]], len(table), axis=0)
    deaf = Answers.at(near, 2)
    assert judge(deaf, k=2)["refused_share"] == 1.0
    assert judge(deaf._replace(without=table.without > 0), k=2)["refused_share"] == 0.0
    assert judge(deaf, k=3)["switch_share"] == pytest.approx(2 / 3)
    assert judge(deaf._replace(asked=table.asked > 0), k=3)["switch_share"] == 1.0
