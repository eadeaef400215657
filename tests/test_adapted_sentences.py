"""A sentence encoder that is adapted to what people say, on a BERT of two tiny layers."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from talkwalk.config import LossWeights, UtterancesConfig, WalksConfig
from talkwalk.contrastive.adapted_sentences import AdaptedSentences
from talkwalk.contrastive.space import Space
from talkwalk.contrastive.text_encoder import SentenceEncoder
from talkwalk.projection.labels import labels_of
from talkwalk.projection.steps import StepKind
from talkwalk.projection.train_utterances import Reader, batches, draw_utterances, fit_utterances
from talkwalk.projection.walks import Walker
from tests.conftest import make_catalog

TEXTS = ["newer", "an old film", "no horror", "show me a woman"]
CONFIG = UtterancesConfig(rank=4, count=120, epochs=4, batch_size=16, lr=1e-2, reader_lr=1e-2)


@pytest.fixture
def sentences(sentence_folder) -> SentenceEncoder:
    return SentenceEncoder(str(sentence_folder), device="cpu")


@pytest.fixture
def space(sentences) -> Space:
    torch.manual_seed(0)
    shape = {"dim": 8, "hidden": [16, 16], "sentence_dim": 16, "text_hidden": 16, "topics": 4, "text_dropout": 0.0}
    space = Space.build(make_catalog().schema, sentences, shape)
    space.metadata.eval()
    space.text.eval()
    return space


@pytest.fixture
def walker(catalog, descriptions, language) -> Walker:
    return Walker(catalog, descriptions, language, WalksConfig(simulated=1, real=0, test=1))


def fit(space, walker, folder, config=CONFIG):
    return fit_utterances(space, walker, config, LossWeights(), folder, seed=0, device=torch.device("cpu"))


def randomised(base: SentenceEncoder, rank: int = 4) -> AdaptedSentences:
    adapted = AdaptedSentences(base, rank)
    torch.manual_seed(1)
    for parameter in adapted.learn(torch.device("cpu")):
        torch.nn.init.normal_(parameter, std=0.3)
    adapted.freeze()
    return adapted


def test_untrained_additions_change_nothing_and_hold_the_same_weights(sentences):
    adapted = AdaptedSentences(sentences, 4)
    np.testing.assert_allclose(adapted.encode(TEXTS, keep=False), sentences.encode(TEXTS, keep=False), atol=1e-6)
    own = {parameter.data_ptr() for parameter in adapted.model.parameters()}
    assert {parameter.data_ptr() for parameter in sentences.model.parameters()} <= own


def test_additions_leave_the_frozen_encoder_as_it_is(sentences):
    before = sentences.encode(TEXTS, keep=False)
    adapted = randomised(sentences)
    assert not np.allclose(adapted.encode(TEXTS, keep=False), before, atol=1e-2)
    np.testing.assert_array_equal(sentences.encode(TEXTS, keep=False), before)


def test_additions_are_the_product_of_two_thin_layers(sentences):
    adapted = randomised(sentences)
    name = next(n for n in adapted.additions() if n.endswith("query.down.weight")).removesuffix(".down.weight")
    layer = adapted.model.get_submodule(name)
    x = torch.randn(3, layer.layer.in_features)
    slow = x @ (layer.layer.weight + layer.up.weight @ layer.down.weight).T + layer.layer.bias
    torch.testing.assert_close(layer(x), slow)


def test_what_is_saved_is_what_was_measured(sentences, tmp_path):
    adapted = randomised(sentences)
    assert AdaptedSentences.load(tmp_path, sentences) is None
    adapted.save(tmp_path)
    loaded = AdaptedSentences.load(tmp_path, sentences)
    assert loaded is not None and loaded.rank == 4 and loaded.cache_name() == adapted.cache_name()
    np.testing.assert_array_equal(loaded.encode(TEXTS, keep=False), adapted.encode(TEXTS, keep=False))


def test_two_adaptations_have_two_caches(sentences):
    first, second = randomised(sentences), AdaptedSentences(sentences, 4)
    assert len({first.cache_name(), second.cache_name(), sentences.cache_name()}) == 3
    kept = first.encode(TEXTS)
    np.testing.assert_allclose(kept, first.encode(TEXTS, keep=False), atol=2e-3)
    assert not np.allclose(second.encode(TEXTS), kept, atol=1e-2)


def test_additions_of_another_encoder_are_refused(sentences):
    weights = {"some.layer.down.weight": torch.zeros(4, 16), "some.layer.up.weight": torch.zeros(16, 4)}
    with pytest.raises(ValueError, match="belong to another sentence encoder"):
        _ = AdaptedSentences(sentences, 4, weights).model


def test_a_space_hears_with_the_adapted_encoder(space, tmp_path):
    before = space.heard(TEXTS, keep=False)
    space.adapted = randomised(space.sentences)
    heard = space.heard([*TEXTS, TEXTS[0]], keep=False)
    assert heard.shape == (5, space.heard_dim) and before.shape == (4, space.heard_dim)
    np.testing.assert_array_equal(heard[0], heard[4])
    np.testing.assert_allclose(heard[:4, 16:], before[:, 16:], atol=1e-5)  # the place in the space stays
    np.testing.assert_allclose(heard[:4, :16], space.adapted.encode(TEXTS, keep=False), atol=1e-5)
    space.save(tmp_path)
    np.testing.assert_allclose(Space.load(tmp_path).heard(TEXTS, keep=False), heard[:4], atol=2e-3)


def test_utterances_are_drawn_with_what_they_ask_for(walker, space):
    steps = draw_utterances(walker, 300, np.random.default_rng(0))
    assert len(steps) == 300
    kinds = {step.kind for step in steps}
    assert {StepKind.WISH, StepKind.DIRECTION, StepKind.LESS, StepKind.BACK} <= kinds
    labels = labels_of(steps, space, walker.config.step)
    for row, step in enumerate(steps):
        if step.kind is StepKind.DIRECTION:
            assert np.sign(np.nansum(labels.moves[row])) == step.value
        assert labels.without[row].any() == bool(step.without)
        assert labels.returns[row, 0] == (step.kind is StepKind.BACK)


def test_the_first_reading_is_of_nothing_but_directions(walker):
    usual = draw_utterances(walker, 400, np.random.default_rng(0))
    assert 0.2 < np.mean([step.kind is StepKind.DIRECTION for step in usual]) < 0.5
    alone = draw_utterances(walker, 100, np.random.default_rng(0), only_directions=True)
    assert {step.kind for step in alone} == {StepKind.DIRECTION}


def test_batches_hold_every_utterance_once_and_few_lengths():
    words = ["x" * length for length in np.random.default_rng(0).integers(1, 50, size=200)]
    found = list(batches(words, 16, np.random.default_rng(1)))
    assert sorted(np.concatenate(found).tolist()) == list(range(200))
    assert np.mean([np.ptp([len(words[i]) for i in rows]) for rows in found]) < 8


def test_words_of_one_meaning_come_together(space, walker, tmp_path):
    """After training a reader of fresh embeddings has a smaller loss than one of untrained ones."""
    adapted = fit(space, walker, tmp_path, dataclasses.replace(CONFIG, epochs=20))
    steps = draw_utterances(walker, 100, np.random.default_rng(5))
    words, labels = [s.utterance for s in steps], labels_of(steps, space, walker.config.step)
    mentions = torch.as_tensor(space.mentions.find(words))
    tensors = type(labels)(*(torch.as_tensor(column) for column in labels))
    losses = []
    for encoder in (space.sentences, adapted):
        torch.manual_seed(0)
        reader = Reader(16, space, walker.config.step)
        optimizer = torch.optim.Adam(reader.parameters(), lr=1e-2)
        vectors = torch.as_tensor(encoder.encode(words, keep=False))
        for _ in range(30):
            loss = torch.stack(list(reader.terms(vectors, mentions, tensors).values())).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    assert losses[1] < 0.9 * losses[0]


def test_dropout_is_on_while_the_additions_learn_and_off_afterwards(sentences):
    adapted = AdaptedSentences(sentences, 4)
    adapted.learn(torch.device("cpu"))
    assert adapted.model.training
    adapted.freeze()
    assert not adapted.model.training


@pytest.mark.parametrize("epochs", [1, 3])  # only directions are learned; some of all
def test_interrupted_training_goes_on_to_the_same_additions(space, walker, tmp_path, monkeypatch, epochs):
    config = dataclasses.replace(CONFIG, directions=40)
    whole = fit(space, walker, tmp_path / "whole", config)
    monkeypatch.setattr("talkwalk.projection.train_utterances.RunLog.log", stop_after(epochs))
    with pytest.raises(KeyboardInterrupt):
        fit(space, walker, tmp_path / "parts", config)
    monkeypatch.undo()
    again = fit(space, walker, tmp_path / "parts", config)
    for name, tensor in whole.additions().items():
        torch.testing.assert_close(again.additions()[name], tensor)


def stop_after(epochs: int):
    done = []

    def log(self, step: int, **figures: float) -> None:
        done.append(step)
        if len(done) > epochs:
            raise KeyboardInterrupt

    return log


def test_a_language_without_directions_is_learned_without_them(space, catalog, descriptions, language, tmp_path):
    mute = dataclasses.replace(language, directions={})
    walker = Walker(catalog, descriptions, mute, WalksConfig(simulated=1, real=0, test=1))
    fit(space, walker, tmp_path, dataclasses.replace(CONFIG, directions=40, epochs=1))
    assert not (tmp_path / "directions").exists()


@pytest.mark.parametrize("batch_size", [120, 50, 10])  # 1, 3 and 12 steps: as few as one divided by zero
def test_a_handful_of_steps_is_learned_too(space, walker, tmp_path, batch_size):
    adapted = fit(space, walker, tmp_path, UtterancesConfig(rank=2, count=120, epochs=1, batch_size=batch_size))
    learned = [tensor for name, tensor in adapted.additions().items() if ".up." in name]  # which begin as zeros
    assert all(tensor.isfinite().all() for tensor in learned)
    assert any(tensor.any() for tensor in learned)


def test_tokens_are_embedded_as_their_texts_are(sentences):
    texts = ["newer", "an old film, please", "x " * 600]
    torch.testing.assert_close(sentences.embed_tokens(sentences.tokens(texts)), sentences.embed(texts))


def test_another_run_does_not_go_on_where_one_stopped(space, walker, tmp_path):
    fit(space, walker, tmp_path)
    with pytest.raises(ValueError, match="other settings"):
        fit(space, walker, tmp_path, UtterancesConfig(rank=2, count=120, epochs=4, batch_size=16))


def test_damaged_additions_are_named(sentences, tmp_path):
    (tmp_path / "adapted_sentences.safetensors").write_bytes(b"nothing of the sort")
    with pytest.raises(ValueError, match=r"adapted_sentences.safetensors is damaged"):
        AdaptedSentences.load(tmp_path, sentences)


def test_additions_of_another_size_are_refused(sentences):
    weights = {name: torch.zeros(tensor.shape[0], 99) for name, tensor in randomised(sentences).additions().items()}
    with pytest.raises(ValueError, match=r"must have the shape \[4, 16\], got \[4, 99\]"):
        _ = AdaptedSentences(sentences, 4, weights).model


def test_additions_trained_with_other_weights_are_not_taken_for_these(space, walker, tmp_path):
    fit(space, walker, tmp_path)
    with pytest.raises(ValueError, match="other settings"):
        fit_utterances(space, walker, CONFIG, LossWeights(moves=3.0), tmp_path, seed=0, device=torch.device("cpu"))


def started(folder, **settings) -> UtterancesConfig:
    return dataclasses.replace(CONFIG, start=str(folder), **settings)


def save_with(space, adapted, folder):
    """What a bundle holds of a space whose encoder is adapted."""
    folder.mkdir()
    space.adapted = adapted
    space.save(folder)
    space.adapted = None


def test_an_encoder_may_begin_with_the_additions_of_a_bundle(space, walker, tmp_path):
    bundle = tmp_path / "bundle"
    given = randomised(space.sentences)
    save_with(space, given, bundle)
    taken = fit(space, walker, tmp_path / "taken", started(bundle, epochs=0))
    assert taken.cache_name() == given.cache_name()
    learned = fit(space, walker, tmp_path / "learned", started(bundle, epochs=1, lr=1e-6)).additions()
    for name, tensor in given.additions().items():  # a tiny step away from where it began, not from nothing
        torch.testing.assert_close(learned[name].float(), tensor.float(), atol=1e-3, rtol=0)
    assert any(not torch.equal(learned[name], tensor) for name, tensor in given.additions().items())


def test_a_run_that_began_elsewhere_is_not_gone_on_with(space, walker, tmp_path):
    for name, size in (("one", 1.0), ("two", 0.5)):
        weights = {key: size * value for key, value in randomised(space.sentences).additions().items()}
        save_with(space, AdaptedSentences(space.sentences, 4, weights), tmp_path / name)
    fit(space, walker, tmp_path / "run", started(tmp_path / "one", epochs=1))
    with pytest.raises(ValueError, match="other settings"):
        fit(space, walker, tmp_path / "run", started(tmp_path / "two", epochs=1))


def test_what_cannot_be_begun_with_names_itself(space, walker, tmp_path):
    with pytest.raises(ValueError, match=r"utterances.start must be a bundle with adapted sentences, got .*nowhere"):
        fit(space, walker, tmp_path, started(tmp_path / "nowhere"))
    bundle = tmp_path / "bundle"
    save_with(space, randomised(space.sentences, rank=2), bundle)
    with pytest.raises(ValueError, match=r"utterances.rank must be 2 as in .*, got 4"):
        fit(space, walker, tmp_path / "run", started(bundle))
    told = json.loads((bundle / "space.json").read_text())
    (bundle / "space.json").write_text(json.dumps(told | {"text_encoder": "another"}))
    with pytest.raises(ValueError, match=r"must be of the space's sentence encoder, .*, got 'another'"):
        fit(space, walker, tmp_path / "run", started(bundle, rank=2))
    with pytest.raises(ValueError, match="rank must be that of the additions"):
        UtterancesConfig(start="somewhere")


@pytest.mark.parametrize(
    ("field", "value"), [("rank", -1), ("count", 0), ("epochs", 0), ("directions", -1), ("lr", 0.0)]
)
def test_impossible_settings_name_themselves(field, value):
    with pytest.raises(ValueError, match=field):
        UtterancesConfig(**{"rank": 4, field: value})
