"""A sentence encoder that learns with the space, on a BERT of two tiny layers."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from talkwalk.contrastive.space import LEARNED, Space
from talkwalk.contrastive.text_encoder import SentenceEncoder
from talkwalk.contrastive.train_contrastive import fit, prepare
from tests.conftest import make_catalog, make_descriptions
from tests.test_processes import config


@pytest.fixture(scope="module")
def folder(sentence_folder):
    return sentence_folder


def make_space(folder) -> Space:
    torch.manual_seed(0)
    shape = {"dim": 8, "hidden": [16, 16], "sentence_dim": 16, "text_hidden": 16, "topics": 4, "text_dropout": 0.0}
    return Space.build(make_catalog().schema, SentenceEncoder(str(folder), device="cpu"), shape)


@pytest.mark.parametrize("unfreeze", [False, True])
def test_the_sentence_encoder_learns_only_when_asked(folder, tmp_path, unfreeze):
    pytest.importorskip("open_clip", reason="needs the extra `train`, which `make setup` installs")
    space = make_space(folder)
    before = [p.clone() for p in space.sentences.model.parameters()]
    settings = config(unfreeze=unfreeze, unfreeze_lr=1e-2, epochs=1)
    fit(space, prepare(make_catalog(), make_descriptions(), space, settings, 0), settings, 0, tmp_path)
    same = [torch.equal(a, b) for a, b in zip(before, space.sentences.model.parameters(), strict=True)]
    assert all(same) is not unfreeze


def test_a_learned_encoder_travels_with_the_space(folder, tmp_path):
    pytest.importorskip("open_clip", reason="needs the extra `train`, which `make setup` installs")
    space = make_space(folder)
    settings = config(unfreeze=True, unfreeze_lr=1e-2, epochs=1)
    fit(space, prepare(make_catalog(), make_descriptions(), space, settings, 0), settings, 0, tmp_path / "run")
    (tmp_path / "space").mkdir()
    space.save(tmp_path / "space")
    assert (tmp_path / "space" / LEARNED).is_dir()
    loaded, texts = Space.load(tmp_path / "space"), ["an old film, a woman", "really good"]
    np.testing.assert_allclose(loaded.encode_text(texts), space.encode_text(texts), atol=2e-3)  # float16 in the cache
    (tmp_path / "copy").mkdir()
    loaded.save(tmp_path / "copy")
    shutil.rmtree(tmp_path / "space")  # a copy needs nothing of what it was made from
    np.testing.assert_allclose(Space.load(tmp_path / "copy").encode_text(texts), loaded.encode_text(texts), atol=2e-3)
    assert not np.allclose(loaded.encode_text(texts), make_space(folder).encode_text(texts), atol=2e-2)
