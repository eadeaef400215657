"""What may be asked for in one turn: the words, and what they want, in closed form."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from talkwalk.contrastive.descriptions import Band
from talkwalk.projection.steering_language import CategoryLanguage, Direction
from talkwalk.projection.steps import (
    ADDING,
    AMOUNTS,
    END_ROOM,
    MIN_ROOM,
    SPREADS,
    Asking,
    Step,
    StepKind,
    bare,
    between,
    names_in,
)
from talkwalk.projection.walks import Walk, told_by_system
from talkwalk.schema import Schema
from tests.conftest import GENRES

STEP = 0.3
ROW = {"title": "A film", "genre": ["Comedy", "Drama"], "year": 1965.0, "rating": 3.0}
GRADES = ("touch", "bit", None, "much")


@pytest.fixture
def asking(catalog, descriptions, language) -> Asking:
    return Asking(catalog.schema, descriptions, language, STEP)


def changed(asking: Asking, **lists) -> Asking:
    """The same with other wordings."""
    return Asking(asking.schema, asking.descriptions, dataclasses.replace(asking.language, **lists), STEP)


def drawn(ask, count: int = 300) -> list[Step]:
    """What `ask(rng)` gives in `count` draws, None left out."""
    rng = np.random.default_rng(0)
    return [step for step in (ask(rng) for _ in range(count)) if step is not None]


def unit(schema: Schema, axis: str, row) -> float:
    return float(schema.items[axis].to_unit(np.array(float(row[axis]))))


# how far


def test_a_grade_is_its_share_of_a_step(asking, catalog):
    year = catalog.schema.items["year"]
    start = float(year.from_unit(np.array(0.25)))
    expected = {"touch": 0.25 + 0.3 / 3, "bit": 0.25 + 0.3 * 0.6, None: 0.25 + 0.3, "much": 0.25 + 0.3 * 5 / 3}
    for grade, place in expected.items():
        moved = asking.moved({"year": start, "rating": 2.0}, "year", 1, grade)
        assert moved == {"year": pytest.approx(float(year.from_unit(np.array(place)))), "rating": 2.0}
    back = asking.moved({"rating": 3.0}, "rating", -1, "bit")  # linear from 1 to 5
    assert back == {"rating": pytest.approx(3.0 - 4 * 0.3 * 0.6)}


def test_amounts_grow(asking):
    for sign, start in ((1, 1.5), (-1, 4.5)):
        rows = [asking.moved({"rating": start}, "rating", sign, grade) for grade in (*GRADES, "most")]
        moves = [sign * (row["rating"] - start) for row in rows]
        assert moves[0] > 0
        assert moves == sorted(set(moves))


def test_most_goes_to_the_end(asking, catalog):
    year = catalog.schema.items["year"]
    for start in (1940.0, 1965.0, 1980.0):
        assert asking.moved({"year": start}, "year", 1, "most") == {"year": float(year.from_unit(np.array(1.0)))}
    assert asking.moved({"rating": 4.0}, "rating", -1, "most") == {"rating": 1.0}


@pytest.mark.parametrize(
    ("rating", "grade", "room"),
    [(4.95, "touch", False), (4.75, "touch", True), (4.5, None, False), (4.35, None, True), (4.5, "most", False),
     (4.35, "most", True), (4.5, "much", False), (3.9, "much", True)],
)  # fmt: skip
def test_there_must_be_room(asking, rating, grade, room):
    amount = STEP * AMOUNTS.get(grade or "", 1.0)
    assert ((5 - rating) / 4 >= (END_ROOM if grade == "most" else MIN_ROOM * amount)) is room  # of the test itself
    moved = asking.moved({"rating": rating}, "rating", 1, grade)
    assert (moved is not None) is room
    assert moved is None or moved["rating"] <= 5
    assert asking.moved({"year": 1960.0}, "rating", 1, grade) is None  # without a value


# the words of a direction


def contains_one(words: str, parts) -> bool:
    return any(bare(part) in words for part in parts)


def test_graded_words_hold_what_they_grade(asking):
    language, seen = asking.language, set()
    for step in drawn(lambda rng: asking.direction(ROW, rng), 600):
        side = "up" if step.value == 1 else "down"
        plain = getattr(language.directions[step.subject], side)
        seen.add((step.subject, step.grade))
        if step.grade is None:
            assert step.utterance in plain
            continue
        comparatives, ends = (
            getattr(field[step.subject], side) if step.subject in field else ()
            for field in (language.comparatives, language.superlatives)
        )
        assert contains_one(step.utterance, (*plain, *comparatives, *ends))
        assert "{" not in step.utterance
        if step.utterance in ends:
            assert step.grade == "most"
        else:
            frames = [f.replace("{steer}", "|").replace("{more}", "|").split("|") for f in language.grades[step.grade]]
            assert any(step.utterance.startswith(a) and step.utterance.endswith(b) for a, b in frames)
    assert {("year", grade) for grade in (*GRADES, "most")} <= seen
    assert ("rating", "bit") not in seen  # its only frame needs a comparative, which ratings have none of
    assert ("rating", "touch") in seen


def test_a_direction_wants_what_its_grade_moves(asking):
    for step in drawn(lambda rng: asking.direction(ROW, rng)):
        assert step.kind is StepKind.DIRECTION
        assert step.wanted == asking.moved(ROW, step.subject, step.value, step.grade)
        assert step.wanted == asking.steered(ROW, step)


def test_superlatives_are_half_of_most(asking):
    rng = np.random.default_rng(0)
    said = [asking.words("year", 1, "most", rng) for _ in range(400)]
    assert said.count("the newest there is") == pytest.approx(200, abs=40)


def test_a_sentence_goes_on_without_the_mark_that_ended_it(asking):
    asking = changed(asking, directions={"year": Direction(("got a newer one?",), ("older!",))}, comparatives={})
    rng = np.random.default_rng(0)
    assert asking.words("year", 1, "much", rng) == "got a newer one, by a lot"
    assert asking.words("year", -1, "touch", rng) == "older, just a touch"
    assert (bare("a. b. "), bare("why?!"), bare("so")) == ("a. b", "why", "so")


# somewhere else on one attribute


def test_keep_places_one_attribute_in_the_middle_of_a_band(asking, catalog, descriptions):
    steps, seen = drawn(lambda rng: asking.keep(ROW, rng)), set()
    for step in steps:
        attribute, band = catalog.schema.items[step.subject], Band.parse(step.value)
        seen.add((step.subject, step.value))
        middle = np.mean(band.units(attribute))
        assert step.wanted[step.subject] == pytest.approx(float(attribute.from_unit(np.array(middle))))
        assert band.holds(step.wanted[step.subject], attribute)
        assert not band.holds(ROW[step.subject], attribute)
        assert {n: v for n, v in step.wanted.items() if n != step.subject} == {
            n: v for n, v in ROW.items() if n != step.subject
        }
        wordings = descriptions.items[step.subject][step.value]
        assert step.utterance in [f"the same but {w}" for w in wordings]
        assert asking.steered(ROW, step) == step.wanted
    assert seen == {("year", "1930-1959"), ("rating", "0%-50%")}  # ROW lies in the other two
    assert asking.placed({"rating": 1.0}, "rating", "50%-100%") == {"rating": pytest.approx(4.0)}
    assert asking.placed(ROW, "year", "1960-1999") is None
    assert asking.placed({"rating": 1.0}, "year", "1930-1959") is None


# categories


def test_refusing_what_is_not_there_changes_nothing_but_keeps_it_out(asking):
    steps = drawn(lambda rng: asking.category(StepKind.LESS, ROW, rng))
    absent = [s for s in steps if s.value not in ROW["genre"]]
    assert {s.value for s in absent} == {"Horror", "Western"}
    assert len(absent) / len(steps) == pytest.approx(0.3, abs=0.08)
    for step in steps:
        assert step.without == (("genre", step.value),)
        assert step.asked == ()
        assert step.utterance == f"no {step.value.lower()}"
        assert step.wanted == {**ROW, "genre": [g for g in ROW["genre"] if g != step.value]}


def test_asking_for_a_category_marks_it(asking):
    for kind, wanted in ((StepKind.SWITCH, []), (StepKind.MORE, ["Comedy", "Drama"])):
        steps = drawn(lambda rng, kind=kind: asking.category(kind, ROW, rng), 100)
        assert {s.value for s in steps} == {"Horror", "Western"}
        for step in steps:
            assert (step.asked, step.without) == ((("genre", step.value),), ())
            assert step.wanted == {**ROW, "genre": [*wanted, step.value]} == asking.steered(ROW, step)


def test_refusing_the_only_category_leaves_none(asking):
    assert asking.recategorised({"genre": ["Horror"], "year": 1.0}, StepKind.LESS, "genre", "Horror") == {"year": 1.0}


def test_a_wish_asks_for_the_categories_that_it_names(asking):
    steps = drawn(lambda rng: asking.wish(ROW, "5", rng))
    assert all(s.target == "5" for s in steps)
    for step in steps:
        assert set(step.asked) <= {("genre", g) for g in step.wanted.get("genre", ())}
        assert all(g.lower() in step.utterance for _, g in step.asked)
        assert set(step.wanted) <= set(ROW)
    framed = [s for s in steps if "show me " in s.utterance]
    assert len(framed) / len(steps) == pytest.approx(0.6, abs=0.1)
    assert {len(s.asked) for s in steps} == {0, 1, 2}


def test_some_wishes_add_a_category_to_keep_to_or_to_keep_out_of(asking):
    steps = drawn(lambda rng: asking.wish(ROW, "5", rng), 400)
    refusing = [s for s in steps if s.without]
    asking_too = [s for s in steps if any(f"more {g.lower()}" in s.utterance for g in ROW["genre"])]
    assert len(refusing) / len(steps) == pytest.approx(ADDING / 2, abs=0.06)
    assert len(asking_too) / len(steps) == pytest.approx(ADDING / 2, abs=0.06)
    for step in refusing:
        ((name, value),) = step.without
        assert value not in ROW[name] and value.lower() in step.utterance and (name, value) not in step.asked
    for step in asking_too:
        assert any(value in ROW[name] and value.lower() in step.utterance for name, value in step.asked)
    assert any(". " in s.utterance for s in refusing) and any(", and " in s.utterance for s in refusing)


def test_a_wish_adds_nothing_that_speaks_of_something_else(asking):
    genre = asking.language.categories["genre"]
    frames = dataclasses.replace(genre, less=("the same without {value}",), more=("this with more {value}",))
    other = changed(asking, categories={"genre": frames})
    assert not any(s.without or "same" in s.utterance for s in drawn(lambda rng: other.wish(ROW, "5", rng), 50))
    silent = changed(asking, categories={})
    assert not any(s.without for s in drawn(lambda rng: silent.wish(ROW, "5", rng), 50))


# several at once


def by_hand(asking: Asking, row, part: Step):
    """What a part of several wants from where the one before leads."""
    if part.kind is StepKind.LESS and part.value not in row["genre"]:
        return row
    return asking.steered(row, part)


def test_several_apply_in_order(asking):
    steps, kinds = drawn(lambda rng: asking.several(ROW, rng), 600), set()
    assert {len(s.parts) for s in steps} == {2, 3}
    for step in steps:
        row = ROW
        for part in step.parts:
            kinds.add(part.kind)
            row = by_hand(asking, row, part)
            assert row == part.wanted
        assert step.wanted == row
        assert step.spread == sum(part.spread for part in step.parts)
        assert step.asked == tuple(itertools.chain.from_iterable(part.asked for part in step.parts))
        assert step.without == tuple(itertools.chain.from_iterable(part.without for part in step.parts))
        subjects = [part.subject for part in step.parts]
        assert len(set(subjects)) == len(subjects)
        assert step.utterance == ", and ".join(bare(part.utterance) for part in step.parts)
    assert kinds == {StepKind.DIRECTION, StepKind.SWITCH, StepKind.LESS, StepKind.KEEP, StepKind.VARIETY}


def test_the_spread_of_several_is_that_of_its_variety(asking):
    steps = [s for s in drawn(lambda rng: asking.several(ROW, rng), 600) if s.spread]
    assert {s.spread for s in steps} == set(SPREADS.values())
    for step in steps:
        assert [p.spread for p in step.parts if p.kind is StepKind.VARIETY] == [step.spread]


def test_several_steers_are_taken_to_another_item(asking):
    other = {"genre": ["Western"], "year": 1950.0, "rating": 2.0}
    older = Step(StepKind.DIRECTION, "older", {}, "", "year", -1, "touch")
    horror = Step(StepKind.SWITCH, "horror", {}, "", "genre", "Horror")
    both = Step(StepKind.SEVERAL, "both", {}, "", parts=(older, horror))
    assert asking.steered(other, both) == {**asking.moved(other, "year", -1, "touch"), "genre": ["Horror"]}
    assert asking.steered({**other, "genre": ["Horror"]}, both) is None  # one part means nothing there
    assert asking.steered({"genre": ["Western"]}, both) is None


# how alike


def test_variety_wants_the_same_with_another_spread(asking):
    steps = drawn(lambda rng: asking.variety(ROW, rng), 100)
    assert {(s.value, s.spread) for s in steps} == set(SPREADS.items())
    for step in steps:
        assert step.wanted == ROW == asking.steered(ROW, step)
        assert step.utterance in asking.language.variety[step.value]
    assert [SPREADS[name] for name in ("closest", "close", "wide", "widest")] == [-1, -0.5, 0.5, 1]


def test_only_steers_have_a_meaning_elsewhere(asking):
    for kind in (StepKind.WISH, StepKind.STAY, StepKind.BACK, StepKind.FIRST, StepKind.BETWEEN, StepKind.NEXT):
        assert asking.steered(ROW, Step(kind, "x", dict(ROW), "1")) is None


# between two


def test_between_is_the_middle_on_every_scale(catalog):
    one = {"title": "A", "genre": ["Comedy", "Drama"], "year": 1940.0, "rating": 2.0}
    other = {"title": "B", "genre": ["Drama", "Horror"], "year": 1990.0, "rating": 3.0}
    middle = between(one, other, catalog.schema)
    year = catalog.schema.items["year"]
    ranks = [float(year.to_unit(np.array(v))) for v in (1940.0, 1990.0)]
    assert middle["year"] == pytest.approx(float(year.from_unit(np.array(sum(ranks) / 2))))
    assert middle["rating"] == pytest.approx(2.5)
    assert (middle["title"], middle["genre"]) == ("A", ["Comedy", "Drama", "Horror"])
    assert one["genre"] == ["Comedy", "Drama"]
    assert between(one, {}, catalog.schema) == one


def test_between_leaves_a_single_category_as_it_is():
    items = {"kind": {"kind": "category", "values": ["a", "b"]}, "size": {"kind": "ordered", "range": [0, 4]}}
    schema = Schema.from_dict({"domain": "d", "items": items})
    assert between({"kind": "a", "size": 1}, {"kind": "b", "size": 4}, schema) == {"kind": "a", "size": 2.5}
    assert between({"kind": "a"}, {"size": 4}, schema) == {"kind": "a"}


# words in general


@pytest.mark.parametrize("count", [1, 2, 7])
def test_every_wording_comes_before_one_comes_again(asking, count):
    wordings = [f"w{i}" for i in range(count)]
    rng = np.random.default_rng(0)
    rounds = [[asking.pick(wordings, rng) for _ in range(count)] for _ in range(4)]
    assert all(sorted(said) == wordings for said in rounds)
    assert count < 7 or len({tuple(said) for said in rounds}) > 1


def test_decks_of_different_lists_are_apart(asking):
    rng = np.random.default_rng(0)
    mixed = [(asking.pick(["a", "b"], rng), asking.pick(("a", "c"), rng)) for _ in range(2)]
    assert sorted(one for one, _ in mixed) == ["a", "b"]
    assert sorted(other for _, other in mixed) == ["a", "c"]


def test_the_same_seed_says_the_same(catalog, descriptions, language):
    said = []
    for _ in range(2):
        asking, rng = Asking(catalog.schema, descriptions, language, STEP), np.random.default_rng(3)
        said.append([asking.ask(kind, ROW, rng) for kind in ASKED for _ in range(5)])
    assert said[0] == said[1]


ASKED = (
    StepKind.DIRECTION, StepKind.KEEP, StepKind.SWITCH, StepKind.MORE, StepKind.LESS, StepKind.SEVERAL,
    StepKind.VARIETY, StepKind.STAY, StepKind.NEXT,
)  # fmt: skip


def test_every_kind_can_be_asked(asking):
    for kind in ASKED:
        steps = drawn(lambda rng, kind=kind: asking.ask(kind, ROW, rng), 40)
        assert steps
        assert {s.kind for s in steps} == {kind}
        assert {s.target for s in steps} == {""}
        assert all(s.utterance and "{" not in s.utterance for s in steps)


EMPTY_SIDES = {"year": Direction((), ("older",)), "rating": Direction(("better",), ())}
EMPTY_FRAMES = CategoryLanguage({g: (g.lower(),) for g in GENRES}, (), (), ())


@pytest.mark.parametrize(
    ("kind", "lists"),
    [
        (StepKind.DIRECTION, {"directions": EMPTY_SIDES}),
        (StepKind.DIRECTION, {"directions": {}}),
        (StepKind.KEEP, {"keep": ()}),
        (StepKind.SWITCH, {"categories": {}}),
        (StepKind.SWITCH, {"categories": {"genre": EMPTY_FRAMES}}),
        (StepKind.MORE, {"categories": {"genre": EMPTY_FRAMES}}),
        (StepKind.LESS, {"categories": {"genre": EMPTY_FRAMES}}),
        (StepKind.SEVERAL, {"joins": ()}),
        (StepKind.VARIETY, {"variety": {}}),
        (StepKind.VARIETY, {"variety": {name: () for name in SPREADS}}),
        (StepKind.STAY, {"stay": ()}),
        (StepKind.NEXT, {"next": ()}),
    ],
)
def test_what_has_no_words_is_not_asked_for(asking, kind, lists):
    assert drawn(lambda rng: changed(asking, **lists).ask(kind, ROW, rng), 50) == []


def test_grades_without_frames_are_not_asked_for(asking):
    some = changed(asking, grades={"much": ("{steer}, by a lot",), "touch": ()}, superlatives={})
    assert {s.grade for s in drawn(lambda rng: some.direction(ROW, rng))} == {None, "much"}
    only = changed(asking, variety={"wide": ("mix it up",), "close": ()})
    assert {s.value for s in drawn(lambda rng: only.variety(ROW, rng), 50)} == {"wide"}


def test_a_wish_without_frames_is_said_as_it_is(asking):
    steps = drawn(lambda rng: changed(asking, wish=()).wish(ROW, "5", rng), 50)
    assert len(steps) == 50
    assert not [s for s in steps if s.utterance.startswith("show me")]


def test_a_description_without_bands_is_not_kept(asking):
    without = dataclasses.replace(asking.descriptions, items={"genre": asking.descriptions.items["genre"]})
    silent = Asking(asking.schema, without, asking.language, STEP)
    assert drawn(lambda rng: silent.keep(ROW, rng), 50) == []


# the meaning


def test_the_meaning_is_what_is_asked_and_not_how(asking):
    step = Step(StepKind.DIRECTION, "older", {"year": 1.0}, "1", "year", -1, "much")
    other = dataclasses.replace(step, utterance="from long before", wanted={}, target="9", system="older")
    assert step.meaning == other.meaning
    for change in ({"kind": StepKind.KEEP}, {"subject": "rating"}, {"value": 1}, {"grade": None}, {"spread": 0.5}):
        assert dataclasses.replace(step, **change).meaning != step.meaning
    several = Step(StepKind.SEVERAL, "a, and b", {}, "1", parts=(step,))
    assert several.meaning == Step(StepKind.SEVERAL, "c", {}, "2", parts=(other,)).meaning
    assert several.meaning != dataclasses.replace(several, parts=(step, step)).meaning
    assert len({step.meaning, other.meaning, several.meaning}) == 2  # may be keys


# said by the application


def test_some_movements_are_told_by_the_application(language):
    older = Step(StepKind.DIRECTION, "older", {"year": 1.0}, "1", "year", -1, "much")
    stay = Step(StepKind.STAY, "more like that", {}, "2")
    walk = Walk({"age": 3.0}, ("7",), (older, stay, older))
    told = told_by_system(walk, language, 1.0, np.random.default_rng(0))
    assert [(s.utterance, s.system) for s in told.steps] == [
        ("what next", "older"), ("more like that", None), ("what next", "older"),
    ]  # fmt: skip
    assert (told.user, told.history, told.steps[1]) == (walk.user, walk.history, stay)
    assert [s.meaning for s in told.steps] == [s.meaning for s in walk.steps]
    assert [(s.wanted, s.target) for s in told.steps] == [(s.wanted, s.target) for s in walk.steps]
    assert told_by_system(walk, language, 0.0, np.random.default_rng(0)) == walk
    assert told_by_system(walk, dataclasses.replace(language, next=()), 1.0, np.random.default_rng(0)) == walk


def test_that_share_of_the_movements(language):
    older = Step(StepKind.DIRECTION, "older", {}, "1", "year", -1)
    told = told_by_system(Walk(None, (), (older,) * 1000), language, 0.2, np.random.default_rng(0))
    assert sum(s.system is not None for s in told.steps) == pytest.approx(200, abs=40)


@pytest.mark.parametrize(("cell", "names"), [(None, []), ([], []), ("a", ["a"]), (["a", "b"], ["a", "b"])])
def test_names_in_a_cell(cell, names):
    assert names_in(cell) == names
