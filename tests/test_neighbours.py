"""The order of neighbours: distances of metadata as tensors, and the loss that copies them into the space."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from talkwalk.contrastive.metadata_encoder import MetadataEncoder
from talkwalk.contrastive.neighbours import Neighbours, draw_neighbours, metadata_distances, neighbour_loss
from talkwalk.index.metadata_distance import MetadataTable
from tests.conftest import make_catalog


@pytest.fixture
def catalog():
    return make_catalog()


@pytest.fixture
def rows(catalog):
    return torch.from_numpy(catalog.features())


def drawn(catalog, rows, seed=0, wanted=30, items=20):
    return draw_neighbours(
        rows, catalog.schema, wanted=wanted, items=items, generator=torch.Generator().manual_seed(seed)
    )


def test_distances_are_those_of_the_metadata_table(catalog):
    wanted = [catalog.row("3"), {"year": 1950.0}, {"genre": ["Drama"], "rating": 4.0}, {"genre": ["Comedy", "Horror"]}]
    features = torch.from_numpy(catalog.schema.featurize(items=wanted).joined())
    items = catalog.items.copy()
    items.loc["7", "year"] = np.nan
    table = MetadataTable(catalog.schema, items)
    expected = np.stack([table.distances(row) for row in wanted])
    found = metadata_distances(
        features, torch.from_numpy(catalog.schema.featurize(items=items).joined()), catalog.schema
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_wanted_rows_are_items_changed_or_told_in_part(catalog, rows):
    asked = drawn(catalog, rows, wanted=400)
    assert asked.wanted.shape == (400, rows.shape[1]) and asked.items.shape == (20, rows.shape[1])
    whole = {tuple(row) for row in rows.tolist()}
    assert {tuple(row) for row in asked.items.tolist()} <= whole
    same = np.mean([tuple(row) in whole for row in asked.wanted.tolist()])
    assert 0.15 < same < 0.45  # neither changed nor told in part, or told in part and yet whole
    distances = metadata_distances(asked.wanted, rows, catalog.schema)
    assert torch.isfinite(distances).all() and (asked.wanted != 0).any(dim=1).all()  # something is always told
    masks = asked.wanted[:, -len(catalog.schema.items) - len(catalog.schema.users) + 1 :]
    assert set(masks.unique().tolist()) <= {0.0, 1.0}


def test_the_same_generator_draws_the_same(catalog, rows):
    first, again, other = drawn(catalog, rows, 1), drawn(catalog, rows, 1), drawn(catalog, rows, 2)
    assert torch.equal(first.wanted, again.wanted) and torch.equal(first.items, again.items)
    assert not torch.equal(first.wanted, other.wanted)


class Given(nn.Module):
    """Vectors given beforehand, whatever the features are."""

    def __init__(self, vectors):
        super().__init__()
        self.vectors = vectors

    def forward(self, features):
        return self.vectors


def loss_of(catalog, asked: Neighbours, vectors, temperature=0.1) -> float:
    return neighbour_loss(Given(vectors), asked, catalog.schema, nearness=0.1, temperature=temperature).item()


def test_loss_against_a_slow_loop(catalog, rows):
    asked = drawn(catalog, rows, wanted=5, items=6)
    vectors = nn.functional.normalize(torch.randn((11, 4), generator=torch.Generator().manual_seed(3)), dim=1)
    distances = metadata_distances(asked.wanted, asked.items, catalog.schema).double().numpy()
    total = 0.0
    for i in range(5):
        near = np.exp(-distances[i] / 0.1) / np.exp(-distances[i] / 0.1).sum()
        scores = np.exp((vectors[i] @ vectors[5:].T).double().numpy() / 0.1)
        total += (near * np.log(near / (scores / scores.sum()))).sum() / 5
    assert loss_of(catalog, asked, vectors) == pytest.approx(total, rel=1e-4)


def test_loss_is_zero_where_the_space_has_the_distances_of_metadata(catalog, rows):
    asked = drawn(catalog, rows, wanted=1, items=6)
    distances = metadata_distances(asked.wanted, asked.items, catalog.schema)[0]
    cosines = 1 - distances  # softmax(cosine / 0.1) is then softmax(-distance / 0.1)
    items = torch.stack([cosines, (1 - cosines**2).clamp(min=0).sqrt()], dim=1)
    right = torch.cat([torch.tensor([[1.0, 0.0]]), items])
    assert loss_of(catalog, asked, right) == pytest.approx(0, abs=1e-5)
    assert loss_of(catalog, asked, torch.cat([right[:1], right[1:].flip(0)])) > 1e-3


def test_training_on_it_brings_the_order_of_neighbours_nearer(catalog, rows):
    torch.manual_seed(0)
    encoder = MetadataEncoder(rows.shape[1], 16, (32, 32))
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-2)
    judged = drawn(catalog, rows, seed=99, wanted=200, items=40)

    def judge() -> float:
        return neighbour_loss(encoder, judged, catalog.schema, nearness=0.05, temperature=0.1).item()

    before = judge()
    for step in range(60):
        optimizer.zero_grad()
        asked = drawn(catalog, rows, seed=step, wanted=64, items=40)
        neighbour_loss(encoder, asked, catalog.schema, nearness=0.05, temperature=0.1).backward()
        optimizer.step()
    assert judge() < before / 2
