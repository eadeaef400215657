"""Phase 2: steering language, walks, losses, heads, tables of turns, training."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
import yaml
from torch.nn import functional as F

from talkwalk.config import ContextDropoutConfig, HoldoutConfig, LossWeights, ProjectionConfig, WalksConfig
from talkwalk.llm.prompt_text import Verbosity
from talkwalk.projection import losses, train_projection
from talkwalk.projection.anchor_decoder import AnchorDecoder
from talkwalk.projection.batches import Batch, batches
from talkwalk.projection.projection_head import BACK, CURRENT, FIRST, SLOTS, build_head
from talkwalk.projection.steering_language import load_steering
from talkwalk.projection.steering_pairs import RETURNS, moves_on, other_endings
from talkwalk.projection.steps import Step, StepKind
from talkwalk.projection.train_projection import answers, fit
from talkwalk.projection.turns import NONE, TurnTables, conversation_of
from talkwalk.projection.validation import Answers, blocked_items, figures, movement, top_items, turn_figures
from talkwalk.projection.walks import Walk, Walker, draw_walks, training_items, training_walks
from talkwalk.splits import Split, split_of

WALKS = WalksConfig(simulated=60, real=20, test=10)


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a * b).sum() / (a.norm() * b.norm()))


# losses, written out


@pytest.mark.parametrize(("batch", "dim"), [(1, 3), (5, 8)])
def test_target_similarity(batch, dim):
    z, wanted = unit(batch, dim), unit(batch, dim, seed=1)
    expected = sum(1 - cosine(z[i], wanted[i]) for i in range(batch)) / batch
    assert losses.target_similarity(z, wanted).item() == pytest.approx(expected, abs=1e-6)
    assert losses.target_similarity(wanted, wanted).item() == pytest.approx(0, abs=1e-6)


def test_directional_compares_movements():
    a, b, wa, wb = (unit(4, 6, seed=s) for s in range(4))
    expected = sum(1 - cosine(a[i] - b[i], wa[i] - wb[i]) for i in range(4)) / 4
    assert losses.directional(a, b, wa, wb).item() == pytest.approx(expected, abs=1e-6)
    assert losses.directional(wa, wb, wa, wb).item() == pytest.approx(0, abs=1e-6)
    assert losses.directional(wb, wa, wa, wb).item() == pytest.approx(2, abs=1e-6)


def test_reconstruction_is_one_minus_cosine():
    x, y = torch.randn(3, 7), torch.randn(3, 7)
    expected = sum(1 - cosine(x[i], y[i]) for i in range(3)) / 3
    assert losses.reconstruction(x, y).item() == pytest.approx(expected, abs=1e-6)


def test_conversation_delta_is_a_hinge_on_both_turns():
    before, after, item_before, item_after = (unit(4, 6, seed=s) for s in range(4))
    expected = 0.0
    for i in range(4):
        expected += max(0, 0.2 - cosine(after[i], item_after[i]) + cosine(after[i], item_before[i]))
        expected += max(0, 0.2 - cosine(before[i], item_before[i]) + cosine(before[i], item_after[i]))
    result = losses.conversation_delta(before, after, item_before, item_after, margin=0.2)
    assert result.item() == pytest.approx(expected / 8, abs=1e-6)
    assert losses.conversation_delta(item_before, item_after, item_before, item_after, margin=0.0).item() == 0


def test_in_batch_items_masks_equal_items():
    z, items = unit(4, 6), unit(4, 6, seed=1)
    items[3] = items[0]
    keys = torch.tensor([0, 1, 2, 0])
    expected = 0.0
    for i in range(4):
        logits = [z[i] @ items[j] / 0.1 for j in range(4) if j == i or keys[j] != keys[i]]
        expected -= float(z[i] @ items[i] / 0.1 - torch.logsumexp(torch.stack(logits), 0))
    result = losses.in_batch_items(z, items, keys, temperature=0.1)
    assert result.item() == pytest.approx(expected / 4, abs=1e-5)


def test_context_dropout_keeps_the_last_turn_and_the_last_item():
    config = ContextDropoutConfig(drop_turns=1, shuffle_history=1, vary_verbosity=1)
    drawn = [losses.context_dropout(4, 3, config, np.random.default_rng(s)) for s in range(50)]
    assert {d.first_turn for d in drawn} == {0, 1, 2, 3}
    assert all(sorted(d.history_order) == [0, 1, 2] and d.history_order[-1] == 2 for d in drawn)
    assert {d.verbosity for d in drawn} == set(Verbosity)
    never = ContextDropoutConfig(drop_turns=0, shuffle_history=0, vary_verbosity=0)
    assert losses.context_dropout(4, 2, never, np.random.default_rng(0)) == losses.no_context_drop(["1", "2"])


# heads


@pytest.mark.parametrize("kind", ["anchored", "absolute"])
def test_heads_give_unit_vectors_and_gates(kind):
    head = build_head(kind, 12, 6, hidden=8, dropout=0.0, categories=2)
    positions, gates, *_ = head(torch.randn(5, 12) * 100, torch.zeros(5, SLOTS, 6))
    torch.testing.assert_close(positions.norm(dim=-1), torch.ones(5))
    assert gates.shape == (5, SLOTS)
    assert ((gates >= 0) & (gates <= 1)).all()


@pytest.mark.parametrize("training", [True, False])
def test_the_anchored_head_is_its_formula(training):
    torch.manual_seed(3)
    head = build_head("anchored", 12, 6, hidden=8, dropout=0.0, categories=2, axes=3).train(training)
    head.fit_axes(torch.randn(3, 6))
    with torch.no_grad():
        head.intent.moves.sides.weight.normal_()
        head.intent.moves.scale.copy_(torch.tensor([0.1, 0.2, 0.3, 0.5, 0.7]))
        head.reach.copy_(torch.tensor([1.0, 2.0, 0.5]))
        head.intent.returns.weight.normal_(std=20)
        head.intent.returns.bias.zero_()
    states, anchors = torch.randn(30, 12), unit(30, SLOTS, 6)
    result = head(states, anchors)
    went = set()
    for i in range(30):
        read = head.trunk(head.norm(states[i]))
        gates = torch.sigmoid(head.gates(read))
        delta = head.delta(torch.cat([read, anchors[i, CURRENT]]))
        moves = head.intent.moves(read[None])
        torch.testing.assert_close(result.moves.amounts[i], moves.amounts[0])
        along = sum(moves.amounts[0, axis] * head.reach[axis] * head.axes[axis] for axis in range(3))
        held = torch.linalg.lstsq(head.axes.T, delta).solution  # how much of every axis the delta holds
        delta = delta - sum(moves.moving[0, axis] * held[axis] * head.axes[axis] for axis in range(3))
        walked = sum(gates[slot] * anchors[i, slot] for slot in (CURRENT, BACK, FIRST)) + along + delta
        logits = head.intent.returns(read).tolist()
        back, first = (1 / (1 + math.exp(-logit)) for logit in logits)
        if not training:  # all or nothing
            back, first = float(logits[0] > max(0, logits[1])), float(logits[1] > max(0, logits[0]))
            went.add((back, first))
        z = max(1 - back - first, 0) * walked / walked.norm() + back * anchors[i, BACK] + first * anchors[i, FIRST]
        torch.testing.assert_close(result.positions[i], z / z.norm())
    assert training or went == {(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)}


def test_the_absolute_head_ignores_anchors():
    head = build_head("absolute", 12, 6, hidden=8, dropout=0.0, categories=2).eval()
    states = torch.randn(3, 12)
    first, second = (head(states, unit(3, SLOTS, 6, seed=s)).positions for s in (0, 1))
    torch.testing.assert_close(first, second)


def test_an_unknown_head_is_named():
    with pytest.raises(ValueError, match=r"head must be one of .*, got 'magic'"):
        build_head("magic", 1, 1, hidden=1, dropout=0)


# language


def test_the_repositorys_steering_language_is_large_and_split(repository):
    from talkwalk.datasets.movielens import SCHEMA
    from talkwalk.schema import Schema

    language = load_steering(repository / "data" / "descriptions", Schema.load(SCHEMA))
    parts = {split: language.part(split, test=0.2).all_wordings() for split in (Split.TRAIN, Split.TEST)}
    assert not parts[Split.TRAIN] & parts[Split.TEST]
    assert parts[Split.TRAIN] | parts[Split.TEST] == language.all_wordings()
    for direction in language.directions.values():
        assert min(len(direction.up), len(direction.down)) >= 150
        assert not set(map(str.lower, direction.up)) & set(map(str.lower, direction.down))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"directions": {"yaer": {"up": ["a"], "down": ["b"]}}}, r"did you mean 'year'"),
        ({"wish": ["give me"]}, r"wish must contain \{wish\}, got 'give me'"),
        ({"stay": []}, r"stay must be a list of wordings"),
    ],
)
def test_mistakes_in_steering_files_are_named(catalog, tmp_path, change, message):
    good = {
        "domain": "movies",
        "directions": {"year": {"up": ["a"], "down": ["b"]}},
        "stay": ["c"], "back": ["d"], "next": ["e"], "wish": ["f {wish}"],
    }  # fmt: skip
    (tmp_path / "steering.yaml").write_text(yaml.safe_dump({**good, **change}, sort_keys=False))
    with pytest.raises(ValueError, match=message) as error:
        load_steering(tmp_path, catalog.schema)
    assert "steering.yaml" in str(error.value)


# walks


@pytest.fixture
def walker(catalog, descriptions, language) -> Walker:
    return Walker(catalog, descriptions, language, WALKS)


def test_walks_recommend_the_nearest_unseen_item_to_what_was_wanted(walker, catalog):
    rng = np.random.default_rng(0)
    for walk in draw_walks(walker, ["1"], 30, rng):
        seen = set(walk.history)
        for step in walk.steps:
            returning = step.kind in (StepKind.BACK, StepKind.FIRST)
            if not returning and step.kind is not StepKind.WISH:
                assert step.target == walker.nearest(step.wanted, seen | walker.hidden(step, seen))
            assert returning or step.target not in seen
            seen.add(step.target)


def test_directions_move_one_attribute_by_a_step(walker, catalog):
    rng = np.random.default_rng(1)
    found = 0
    for walk in draw_walks(walker, [], 60, rng):
        starts = [walk.history[-1] if walk.history else None, *(s.target for s in walk.steps)]
        for start, step in zip(starts, walk.steps, strict=False):
            if step.kind is StepKind.DIRECTION:
                found += 1
                row = catalog.row(str(start))
                assert {n for n in row if row[n] != step.wanted[n]} == {step.subject}
                assert (step.wanted[step.subject] - row[step.subject]) * step.value > 0
    assert found > 20


def test_categories_switch_join_and_leave(walker):
    rng = np.random.default_rng(2)
    row = {"genre": ["Comedy", "Drama"], "year": 1990.0}
    for kind, check in (
        (StepKind.SWITCH, lambda g, v: g == [v]),
        (StepKind.MORE, lambda g, v: set(g) == {"Comedy", "Drama", v}),
        (StepKind.LESS, lambda g, v: set(g) == {"Comedy", "Drama"} - {v}),
    ):
        step = next(
            s for _ in range(50) if (s := walker.asking.category(kind, row, rng)) is not None and s.wanted != row
        )
        assert check(step.wanted["genre"], step.value)
        assert str(step.value).lower() in step.utterance


def test_going_back_wants_what_was_wanted_before(walker):
    walks = draw_walks(walker, [], 200, np.random.default_rng(3))
    backs = [(w, i) for w in walks for i, s in enumerate(w.steps) if s.kind is StepKind.BACK]
    assert backs
    for walk, turn in backs:
        assert turn >= 2
        assert walk.steps[turn].target == walk.steps[turn - 2].target


def test_real_histories_lead_to_the_next_liked_item(walker, catalog):
    liked = ["3", "7", "1", "9"]
    for seed in range(20):
        walk = walker.real_walk({"age": 20.0}, liked, np.random.default_rng(seed))
        target = walk.steps[0].target
        assert target in liked[1:]
        if walk.history:
            assert liked[liked.index(target) - 1] == walk.history[-1]
    assert walker.real_walk(None, ["3"], np.random.default_rng(0)) is None


def test_histories_are_told_with_the_words_that_there_are(catalog, descriptions, language):
    one_sided = {name: sides._replace(up=()) for name, sides in language.directions.items()}
    poor = dataclasses.replace(language, directions=one_sided, next=())
    walker = Walker(catalog, descriptions, poor, WALKS)
    walks = [walker.real_walk(None, ["3", "7", "1"], np.random.default_rng(seed)) for seed in range(40)]
    assert {s.kind for w in walks if w is not None for s in w.steps} == {StepKind.WISH}
    assert None in walks


def test_training_walks_hold_nothing_that_is_held_out(catalog, descriptions, language):
    holdout = HoldoutConfig(wordings=0.4, items=0.3, users=0.3)
    words, steering = (part.part(Split.TRAIN, test=0.4) for part in (descriptions, language))
    # the small language has lists that the hash may empty; fill them with training wordings
    steering = dataclasses.replace(steering, stay=("s",), back=("b",), next=("n",), wish=("w {wish}",), categories={})
    steering = dataclasses.replace(
        steering, directions={n: d for n, d in steering.directions.items() if d.up and d.down}
    )
    allowed = training_items(catalog, holdout)
    walker = Walker(catalog, words, steering, WALKS, allowed)
    walks = training_walks(walker, holdout, np.random.default_rng(0))
    used = {i for w in walks for i in (*w.history, *(s.target for s in w.steps))}
    assert used <= set(allowed)
    assert all(split_of(f"item:{i}", test=0.3) is Split.TRAIN for i in used)
    held_out = {w for w in descriptions.all_wordings() if split_of(w, test=0.4) is Split.TEST}
    held_out |= {w for w in language.all_wordings() if split_of(w, test=0.4) is Split.TEST and "{" not in w}
    texts = [s.utterance for w in walks for s in w.steps]
    assert texts
    assert not [t for t in texts if any(part in held_out for part in (t, *t.split(", ")))]


def plain_drops(walks) -> list[losses.ContextDrop]:
    return [losses.no_context_drop(w.history) for w in walks]


def test_another_ending_differs_in_one_utterance_only(walker):
    rng = np.random.default_rng(4)
    walks = draw_walks(walker, [], 40, rng)
    endings = other_endings(walks, plain_drops(walks), walker, 3, rng)
    assert sum(map(len, endings)) > len(walks)
    turns = set()
    for walk, some in zip(walks, endings, strict=True):
        assert len(some) <= 3
        for other in some:
            *before, last = other.steps
            assert tuple(before) == walk.steps[: len(before)]
            assert other.history == walk.history
            assert other.history or before, "an ending begins where nothing was before"
            assert last.meaning != walk.steps[len(before)].meaning
            turns.add(len(before))
    assert len(turns) > 1


def test_endings_keep_to_the_turns_that_are_told(walker):
    rng = np.random.default_rng(4)
    walks = [w for w in draw_walks(walker, [], 60, rng) if len(w.steps) > 2]
    drops = [losses.ContextDrop(2, tuple(range(len(w.history))), Verbosity.NORMAL) for w in walks]
    endings = [ending for some in other_endings(walks, drops, walker, 4, rng) for ending in some]
    assert endings and all(len(ending.steps) > 2 for ending in endings)
    real = [dataclasses.replace(w, real=True) for w in walks]
    assert not any(other_endings(real, drops, walker, 4, rng))


def test_endings_that_look_back_have_something_to_look_back_to(walker):
    rng = np.random.default_rng(4)
    walks = draw_walks(walker, [], 60, rng)
    found = other_endings(walks, plain_drops(walks), walker, 3, rng, RETURNS, earliest=2)
    lasts = [(ending.steps[-1], ending.steps[:-1]) for some in found for ending in some]
    assert {StepKind.BACK, StepKind.FIRST} <= {step.kind for step, _ in lasts} <= set(RETURNS)
    assert lasts and all(len(before) >= 2 for _, before in lasts)
    for step, before in lasts:
        if step.kind is StepKind.BACK:
            assert step.target == before[-2].target
        elif step.kind is StepKind.FIRST:
            assert step.target == before[0].target


def test_staying_is_no_delta_pair(walker):
    stay, older = Step(StepKind.STAY, "more", {}, "1"), Step(StepKind.DIRECTION, "older", {}, "2", "year", -1)
    walk = Walk(None, (), (older, stay, older))
    assert [moves_on(walk, t) for t in range(3)] == [False, False, True]


# tables


@pytest.fixture
def tables(space, catalog, descriptions, backend, tmp_path, monkeypatch) -> TurnTables:
    monkeypatch.setenv("TALKWALK_CACHE", str(tmp_path))
    return TurnTables(space, catalog, descriptions, backend)


def test_a_conversation_tells_words_and_no_ids(catalog):
    walk = Walk(
        {"age": 20.0},
        ("3", "5"),
        (Step(StepKind.STAY, "more", {}, "7"), Step(StepKind.STAY, "again", {}, "8")),
    )
    told = conversation_of(walk, catalog, losses.no_context_drop(walk.history))
    assert told.exchanges[0].answer.startswith("Film 7; ")
    assert told.exchanges[1].answer is None
    assert "Film 3" in told.system
    shuffled = losses.ContextDrop(1, (1, 0), Verbosity.BRIEF)
    dropped = conversation_of(walk, catalog, shuffled)
    assert [e.user for e in dropped.exchanges] == ["again"]
    assert dropped.system.endswith("Before: Film 5 | Film 3.")


def test_tables_line_up_states_anchors_and_targets(tables, walker, catalog, space):
    rng = np.random.default_rng(5)
    walks = draw_walks(walker, ["1", "2"], 30, rng)
    table = tables.build(walks, [losses.no_context_drop(w.history) for w in walks], rng)
    assert len(table) == sum(len(w.steps) for w in walks)
    vectors = dict(zip(catalog.ids, space.encode_items(catalog.items), strict=True))
    row = 0
    for walk in walks:
        for turn, step in enumerate(walk.steps):
            last = walk.steps[turn - 1].target if turn else (walk.history[-1] if walk.history else None)
            if last is not None:
                np.testing.assert_allclose(table.anchors[row, CURRENT], vectors[last], atol=1e-6)
            elif walk.user is not None:
                np.testing.assert_allclose(table.anchors[row, CURRENT], space.encode_users([walk.user])[0], atol=1e-6)
            else:
                assert not table.anchors[row, CURRENT].any()
            if turn >= 2:
                wanted_before = space.encode_items([walk.steps[turn - 2].wanted])[0]
                np.testing.assert_allclose(table.anchors[row, BACK], wanted_before, atol=1e-6)
            np.testing.assert_allclose(table.wanted[row], space.encode_items([step.wanted])[0], atol=1e-6)
            np.testing.assert_allclose(table.items[row], vectors[step.target], atol=1e-6)
            assert table.seen[row] == {*walk.history, *(s.target for s in walk.steps[:turn])}
            row += 1


def test_endings_and_dropped_turns_keep_their_places(tables, walker, backend):
    rng = np.random.default_rng(6)
    walks = [w for w in draw_walks(walker, [], 30, rng) if len(w.steps) >= 2]
    drops = [losses.ContextDrop(1, tuple(range(len(w.history))), Verbosity.NORMAL) for w in walks]
    endings = other_endings(walks, drops, walker, 2, rng)
    table = tables.build(walks, drops, rng, endings)
    assert len(table) == sum(len(w.steps) - 1 for w in walks) + sum(map(len, endings))
    assert (table.twin != NONE).sum() == sum(map(len, endings))
    for row in np.flatnonzero(table.twin != NONE):
        assert table.walk[row] == table.walk[table.twin[row]]
        np.testing.assert_array_equal(table.anchors[row], table.anchors[table.twin[row]])
        assert table.steps[row] != table.steps[table.twin[row]]
    row = 0
    for walk, drop, some in zip(walks, drops, endings, strict=True):
        told = [(walk, turn) for turn in range(1, len(walk.steps))] + [(other, len(other.steps) - 1) for other in some]
        for which, turn in told:
            prompt = backend.renderer.render(conversation_of(which, tables.catalog, drop))
            assert table.steps[row] == which.steps[turn]
            read = table.states[row, : backend.dim]
            np.testing.assert_allclose(read, backend.states([prompt])[0][turn - 1], atol=3e-3)  # float16 in the cache
            row += 1
    assert row == len(table)
    heard = tables.space.heard([table.steps[0].utterance])[0]
    np.testing.assert_allclose(table.states[0, backend.dim :], heard, atol=1e-6)


# validation


def test_top_items_against_a_slow_search():
    z, items = unit(6, 4).numpy(), unit(12, 4, seed=1).numpy()
    blocked = np.random.default_rng(0).random((6, 12)) < 0.3
    for row, found in enumerate(top_items(z, items, blocked, 3)):
        allowed = [i for i in range(12) if not blocked[row, i]]
        assert list(found) == sorted(allowed, key=lambda i: -float(z[row] @ items[i]))[:3]


def test_movement_in_closed_form():
    ranks = np.array([[0.1, 0.5], [0.3, 0.5], [0.5, 0.9], [0.9, np.nan]])
    moved = movement(np.array([[1, 2], [0, 1]]), np.array([0, 2]), np.array([0, 0]), np.array([1, -1]), ranks)
    np.testing.assert_allclose(moved.on_axis, [0.3, 0.3])
    np.testing.assert_allclose(moved.off_axis, [0.2, 0.4])
    np.testing.assert_allclose(moved.direction, [1, 1])
    assert moved.precision == pytest.approx(0.3 / (0.3 + 0.3))


def test_a_perfect_system_is_perfect_and_one_that_ignores_steering_is_not(tables, walker, catalog, space):
    rng = np.random.default_rng(7)
    walks = draw_walks(walker, [], 80, rng)
    table = tables.build(walks, [losses.no_context_drop(w.history) for w in walks], rng)
    items = space.encode_items(catalog.items)
    meant = Answers(table.items, table.spread, table.asked > 0, table.without > 0)
    perfect = figures(turn_figures(meant, table, catalog, items), len(catalog))
    deaf = Answers.at(table.anchors[:, CURRENT], table.asked.shape[1])
    stubborn = figures(turn_figures(deaf, table, catalog, items), len(catalog))
    assert perfect["top1"] == perfect["back_r10"] == 1.0
    assert perfect["refused_share"] == 0.0 < stubborn["refused_share"]
    assert stubborn["top1"] < 0.5
    assert blocked_items([{"2"}], ["1", "2"]).tolist() == [[False, True]]


# training


@pytest.fixture
def small(tmp_path) -> ProjectionConfig:
    return ProjectionConfig(
        space="",
        catalog="",
        descriptions="",
        out=str(tmp_path),
        walks=WALKS,
        epochs=4,
        batch_size=16,
        lr=6e-3,
        hidden=16,
    )


def fresh(backend, space):
    torch.manual_seed(0)
    head = build_head(
        "anchored", backend.dim + space.heard_dim, space.dim, hidden=16, dropout=0.1,
        categories=len(space.schema.category_values), axes=len(space.schema.ordered), ranges=len(space.ranges),
    )  # fmt: skip
    return head, AnchorDecoder(space.dim, 24)


@pytest.fixture
def table(tables, walker):
    rng = np.random.default_rng(8)
    walks = draw_walks(walker, [], 60, rng)
    drops = [losses.no_context_drop(w.history) for w in walks]
    return tables.build(walks, drops, rng, other_endings(walks, drops, walker, 1, rng))


def test_batches_keep_pairs_together(table):
    device = torch.device("cpu")
    rows = 0
    for batch in batches(table, 8, np.random.default_rng(0), device):
        rows += len(batch.states)
        assert len(batch.last) == len(batch.twin)
        torch.testing.assert_close(batch.anchors[batch.last], batch.anchors[batch.twin])
    assert rows == len(table)
    whole = Batch(table, np.arange(len(table)), device)
    assert len(whole.after) == (table.before != NONE).sum()
    assert whole.before.tolist() == table.before[table.before != NONE].tolist()


def test_training_learns_and_resumes_to_the_same_head(table, small, backend, space, tmp_path, monkeypatch):
    head, decoder = fresh(backend, space)
    before = losses.target_similarity(
        torch.tensor(answers(head.eval(), table).positions), torch.tensor(table.wanted)
    ).item()
    fit(head, decoder, table, small, LossWeights(), 0, tmp_path / "straight")
    straight = answers(head, table).positions
    assert losses.target_similarity(torch.tensor(straight), torch.tensor(table.wanted)).item() < 0.8 * before
    head, decoder = fresh(backend, space)
    stop = itertools.count()

    original = train_projection.save_checkpoint

    def interrupted(*args):
        original(*args)
        if next(stop) == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train_projection, "save_checkpoint", interrupted)
        fit(head, decoder, table, small, LossWeights(), 0, tmp_path / "resumed")
    head, decoder = fresh(backend, space)
    fit(head, decoder, table, small, LossWeights(), 0, tmp_path / "resumed")
    np.testing.assert_allclose(answers(head, table).positions, straight, atol=1e-6)
    assert not [p for p in (tmp_path / "resumed").iterdir() if p.name.startswith(".")]
