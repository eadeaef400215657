"""Ratings become pairs and a contrast, of training people, items and interactions only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from talkwalk.config import HoldoutConfig
from talkwalk.contrastive.descriptions import Verdicts
from talkwalk.contrastive.holdout import item_split, user_split
from talkwalk.contrastive.tastes import rating_pairs, taste_batch, taste_loss, tastes_of, training_ratings
from talkwalk.index.catalog import Catalog
from talkwalk.splits import Split

HOLDOUT = HoldoutConfig(wordings=0.2, items=0.2, users=0.2, valid=0.1)
VERDICTS = Verdicts(("<loves it>",), ("<hates it>",))


@pytest.fixture
def ratings(catalog):
    return training_ratings(catalog, HOLDOUT)


def test_only_clear_training_ratings_count(catalog, ratings):
    inter = catalog.interactions
    expected = {
        (r.user_id, r.item_id): r.rating >= 4
        for r in inter.itertuples()
        if r.split == "train"
        and (r.rating >= 4 or r.rating <= 2)
        and item_split(r.item_id, HOLDOUT) is Split.TRAIN
        and user_split(r.user_id, HOLDOUT) is Split.TRAIN
    }
    assert {(r.user_id, r.item_id): r.liked for r in ratings.itertuples()} == expected
    assert {True, False} == set(expected.values())


def test_without_ratings_every_interaction_is_a_like(catalog):
    plain = Catalog(catalog.schema, catalog.items, catalog.users, catalog.interactions.drop(columns="rating"))
    assert training_ratings(plain, HOLDOUT)["liked"].all()
    nobody = Catalog(catalog.schema, catalog.items)
    assert training_ratings(nobody, HOLDOUT).empty
    assert tastes_of(training_ratings(nobody, HOLDOUT), nobody, np.random.default_rng(0)) is None


def test_rating_pairs_tell_the_verdict(catalog, descriptions, ratings):
    words = replace(descriptions, verdicts=VERDICTS)
    pairs = rating_pairs(ratings, catalog, words, 200, np.random.default_rng(0))
    assert len(pairs) == 200
    for pair in pairs:
        assert pair.user and ("<loves it>" in pair.text) != ("<hates it>" in pair.text)
        assert pair.item or "<loves it>" in pair.text, "of a bad match, both sides are told"
    assert {p.item is None for p in pairs if "<loves it>" in p.text} == {True, False}
    assert rating_pairs(ratings, catalog, descriptions, 5, np.random.default_rng(0)) == []  # no verdicts, no words


def test_batches_hold_what_people_liked_and_disliked(catalog, ratings):
    tastes = tastes_of(ratings, catalog, np.random.default_rng(0))
    assert tastes is not None
    likes = {(u, i) for u, i, liked in ratings.itertuples(index=False) if liked}
    assert len(tastes.liked) == len(likes) and sum(map(len, tastes.disliked)) == (~ratings["liked"]).sum()
    batch = taste_batch(tastes, 50, 7, np.random.default_rng(1))
    assert [len(rows) for rows in batch] == [50, 50, 7, 50]
    users, items = sorted(set(ratings["user_id"])), sorted(set(ratings["item_id"]))
    item_row = {tuple(row.tolist()): i for row, i in zip(tastes.items, items, strict=True)}
    profiles = {tuple(v.tolist()): u for versions, u in zip(tastes.users, users, strict=True) for v in versions[:1]}
    known = [(profiles.get(tuple(u.tolist())), item_row[tuple(i.tolist())]) for u, i in zip(*batch[:2], strict=True)]
    assert any(u for u, _ in known) and all((u, i) in likes for u, i in known if u)
    liked_now = {tuple(row.tolist()) for row in batch.liked}
    assert not liked_now & {tuple(row.tolist()) for row in batch.others}, "nobody's favourite is drawn against them"


def test_taste_loss_written_out(catalog, ratings):
    pytest.importorskip("info_nce", reason="needs the extra `train`, which `make setup` installs")
    tastes = tastes_of(ratings, catalog, np.random.default_rng(0))
    batch = taste_batch(tastes, 6, 4, np.random.default_rng(0))
    torch.manual_seed(0)
    layer = torch.nn.Linear(batch.users.shape[1], 5)

    def encoder(rows):
        return F.normalize(layer(rows), dim=-1)

    users, liked, others, disliked = (encoder(rows) for rows in batch)
    expected = []
    for user, item, bad in zip(users, liked, disliked, strict=True):
        logits = torch.stack([user @ v for v in (item, *others, bad)]) / 0.1
        expected.append((torch.logsumexp(logits, 0) - logits[0]).item())
    assert taste_loss(encoder, batch, temperature=0.1).item() == pytest.approx(np.mean(expected), abs=1e-4)
