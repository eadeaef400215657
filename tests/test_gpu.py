"""What runs on a CUDA device is what runs on a CPU: the same test on both, the first only with `make test-gpu`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoModel, Qwen3Config

from talkwalk.contrastive.adapted_sentences import AdaptedSentences
from talkwalk.contrastive.text_encoder import SentenceEncoder
from talkwalk.llm.language_model import LanguageModel
from tests.conftest import make_tokenizer
from tests.test_readers import CONFIGS, TALK, upto, whole

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def make_qwen3(device: str) -> LanguageModel:
    config = CONFIGS["qwen3"][0]
    assert isinstance(config, Qwen3Config)
    torch.manual_seed(0)
    model = AutoModel.from_config(config, dtype=torch.float32)
    return LanguageModel(model.to(device), make_tokenizer(), "tiny-qwen3")


@pytest.mark.parametrize("device", DEVICES)
def test_turn_by_turn_a_qwen3_equals_its_full_forward_on_the_cpu(device):
    model, reference = make_qwen3(device), make_qwen3("cpu")
    reader = model.reader()
    for turns in range(1, len(TALK.exchanges) + 1):
        prompt = upto(model, turns)
        np.testing.assert_allclose(reader.read(prompt), whole(reference, prompt), atol=1e-3)


@pytest.mark.parametrize("device", DEVICES)
def test_states_for_training_are_the_same_on_every_device(device):
    model, reference = make_qwen3(device), make_qwen3("cpu")
    prompts = [upto(model, turns) for turns in (3, 1, 4)]
    for states, prompt in zip(model.states(prompts), prompts, strict=True):
        np.testing.assert_allclose(states[-1], whole(reference, prompt), atol=1e-3)


@pytest.mark.parametrize("device", DEVICES)
def test_an_adapted_encoder_hears_the_same_on_every_device(device, sentence_folder, tmp_path):
    base, texts = SentenceEncoder(str(sentence_folder), device=device), ["an old film", "newer"]
    adapted = AdaptedSentences(base, 4)
    torch.manual_seed(0)
    for parameter in adapted.learn(torch.device(device)):
        torch.nn.init.normal_(parameter, std=0.3)
    adapted.freeze()
    adapted.save(tmp_path)
    reference = AdaptedSentences.load(tmp_path, SentenceEncoder(str(sentence_folder), device="cpu"))
    assert reference is not None
    for encoder, slow in ((adapted, reference), (base, SentenceEncoder(str(sentence_folder), device="cpu"))):
        for keep in (False, True):  # with and without the cache
            vectors = encoder.encode(texts, keep=keep)
            np.testing.assert_allclose(vectors, slow.encode(texts, keep=False), atol=2e-3)
