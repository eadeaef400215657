"""Turn by turn equals everything at once: for every family, alone and in company, evicted or not."""

from __future__ import annotations

import copy
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from transformers import AutoModel, GPT2Config, LlamaConfig, MistralConfig, Phi3Config, Qwen2Config, Qwen3Config

from talkwalk.engine.prompt_builder import ContextLimits, PromptBuilder
from talkwalk.engine.recommender import Recommender
from talkwalk.llm import packed, readers, shared_beginnings
from talkwalk.llm.conversation import Conversation, Exchange
from talkwalk.llm.kv_cache import STEP, CacheShape, KeyValues
from talkwalk.llm.language_model import LanguageModel
from talkwalk.llm.layers import words_layer
from talkwalk.llm.prompt_format import CHATML, LLAMA3, PHI3, Prompt, PromptRenderer
from tests.conftest import make_bundle, make_catalog, make_language_model, make_tokenizer

SIZES = {
    "vocab_size": 512, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 4096, "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0,
}  # fmt: skip
WIDE = {**SIZES, "head_dim": 24}  # as with Qwen3, wider than hidden size / heads
CONFIGS = {
    "smollm2": (
        LlamaConfig(**{**SIZES, "num_attention_heads": 6, "num_key_value_heads": 3, "hidden_size": 48}),
        CHATML,
    ),
    "qwen3": (Qwen3Config(**WIDE), CHATML),
    "qwen2": (Qwen2Config(**SIZES), CHATML),
    "llama3": (LlamaConfig(**SIZES), LLAMA3),
    "phi3 with a window": (Phi3Config(**SIZES, sliding_window=60), PHI3),
    "mistral with a window": (MistralConfig(**SIZES, sliding_window=60), CHATML),
}
TALK = Conversation(
    "You recommend a film to the user.\nProfile: age 25.",
    tuple(Exchange(f"something older than {n}, please", f"Film {n}; Comedy") for n in range(7)),
)


def make_model(name: str, **options) -> LanguageModel:
    config, form = CONFIGS[name]
    torch.manual_seed(0)
    model = LanguageModel(AutoModel.from_config(config, dtype=torch.float32), make_tokenizer(), name, **options)
    model.renderer = PromptRenderer(make_tokenizer(), form)
    return model


def upto(model, turns: int, talk: Conversation = TALK) -> Prompt:
    """The prompt that asks for the answer of turn number `turns`."""
    *before, last = talk.exchanges[:turns]
    return model.renderer.render(Conversation(talk.system, (*before, Exchange(last.user, None, last.system))))


def whole(model, prompt: Prompt) -> np.ndarray:
    """State of the last turn from one plain forward pass, as transformers computes it by itself."""
    config = copy.deepcopy(model.model.config)
    plain = AutoModel.from_config(config, dtype=torch.float32, attn_implementation="eager").eval()
    plain.load_state_dict(model.model.state_dict())
    with torch.inference_mode():
        output = plain(input_ids=torch.tensor([prompt.ids]), use_cache=False, output_hidden_states=True)
    middle = output.hidden_states[words_layer(plain)][0]
    return prompt.readouts[-1].of(middle, output.last_hidden_state[0]).numpy()


def other(number: int) -> Conversation:
    return Conversation(TALK.system + " And more." * number, TALK.exchanges[number % 3 :])


@pytest.mark.parametrize("name", CONFIGS)
def test_every_turn_equals_the_full_forward(name):
    model = make_model(name)
    reader = model.reader()
    for turns in range(1, len(TALK.exchanges) + 1):
        prompt = upto(model, turns)
        np.testing.assert_allclose(reader.read(prompt), whole(model, prompt), atol=1e-3)
    assert len(prompt.ids) > STEP  # the buffer has grown
    assert model.reading.store.stats.misses == 1


@pytest.mark.parametrize("name", CONFIGS)
def test_states_of_many_conversations_equal_the_full_forward(name):
    model = make_model(name)
    prompts = [upto(model, turns, other(turns)) for turns in (3, 1, 4)]
    for prompt, states in zip(prompts, model.states(prompts), strict=True):
        assert states.shape == (len(prompt.readouts), model.dim)
        np.testing.assert_allclose(states[-1], whole(model, prompt), atol=1e-3)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_common_beginning_is_read_once(name, monkeypatch):
    model = make_model(name)
    talks = [
        Conversation(TALK.system, (*TALK.exchanges[:turns], Exchange(said)))
        for turns in (5, 2)
        for said in ("something newer", "something older than 9, please", "hm")
    ]
    prompts = [model.renderer.render(talk) for talk in (TALK, *talks, other(1))]
    monkeypatch.setattr(shared_beginnings, "TREE", 10_000)  # letters are tokens here
    counted = CountTokens(monkeypatch)
    for prompt, states in zip(prompts, model.states(prompts), strict=True):
        assert states.shape == (len(prompt.readouts), model.dim)
        for turns in range(1, len(prompt.readouts) + 1):
            before = Prompt(prompt.ids[: prompt.readouts[turns - 1].answer + 1], prompt.readouts[:turns])
            np.testing.assert_allclose(states[turns - 1], whole(model, before), atol=1e-3)
    assert sum(map(sum, counted.passes)) < 0.6 * sum(len(prompt.ids) for prompt in prompts)


def test_plain_use_of_the_model_is_as_before():
    model = make_model("smollm2")
    prompts = [upto(model, turns) for turns in (1, 3)]
    for padded, states in zip(model._padded_states(prompts), model.states(prompts), strict=True):
        np.testing.assert_allclose(padded, states, atol=1e-5)


class CountTokens:
    """Counts the tokens of every forward pass."""

    def __init__(self, monkeypatch) -> None:
        self.passes: list[list[int]] = []
        forward = packed.forward
        monkeypatch.setattr(packed, "forward", lambda model, pieces: self._count(forward, model, pieces))

    def _count(self, forward, model, pieces):
        self.passes.append([len(piece.ids) for piece in pieces])
        return forward(model, pieces)


def test_a_turn_and_a_turn_after_undo_feed_only_what_is_new(backend, monkeypatch):
    counted, reader = CountTokens(monkeypatch), backend.reading.reader()
    for turns in (1, 2, 3, 2):  # then the third turn is taken back, and another one said
        reader.read(upto(backend, turns))
    fed = [sum(sizes) for sizes in counted.passes]
    second, third = (upto(backend, n) for n in (2, 3))
    assert fed[2] == len(third.ids) - len(second.ids)
    assert fed[3] == len(second.ids) - second.readouts[-1].first  # what is read again
    reader.read(third)
    assert sum(counted.passes[-1]) == len(third.ids) - len(second.ids)


def test_new_conversations_compute_only_what_they_do_not_share(monkeypatch):
    model = make_model("smollm2")
    counted = CountTokens(monkeypatch)
    for number in (0, 1):
        prompt = upto(model, 1, other(number))
        np.testing.assert_allclose(model.reader().read(prompt), whole(model, prompt), atol=1e-3)
    assert counted.passes[0] == [len(upto(model, 1, other(0)).ids)]
    assert sum(counted.passes[1]) < len(prompt.ids) - 20


def test_an_evicted_conversation_is_computed_again():
    model = make_model("smollm2", cache_bytes=0)
    reader = model.reader()
    for turns in (1, 2, 3):
        prompt = upto(model, turns)
        np.testing.assert_allclose(reader.read(prompt), whole(model, prompt), atol=1e-3)
    assert model.reading.store.stats.hits == 0


def test_conversations_in_turns_within_room_for_two():
    config = CONFIGS["smollm2"][0]
    one = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * STEP * 4
    model = make_model("smollm2", cache_bytes=2 * one)
    talkers = [model.reader() for _ in range(3)]
    for turns in (1, 2, 3):
        for number, reader in enumerate(talkers):
            prompt = upto(model, turns, other(number))
            np.testing.assert_allclose(reader.read(prompt), whole(model, prompt), atol=1e-3)
    assert model.reading.store.stats.evictions > 0
    assert model.reading.store.stats.caches <= 2


def test_a_cache_goes_with_its_session(backend):
    reader = backend.reading.reader()
    reader.read(upto(backend, 1))
    held, gone = backend.reading.store.stats.caches, weakref.ref(reader)
    del reader
    gc.collect()
    assert gone() is None
    assert backend.reading.store.stats.caches == held - 1


def test_an_interrupted_turn_leaves_a_reader_that_works(monkeypatch):
    model = make_model("smollm2")
    reader = model.reader()
    reader.read(upto(model, 1))
    forward = packed.forward

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(packed, "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        reader.read(upto(model, 2))
    monkeypatch.setattr(packed, "forward", forward)
    prompt = upto(model, 3)
    np.testing.assert_allclose(reader.read(prompt), whole(model, prompt), atol=1e-3)


def test_large_batches_go_in_passes(monkeypatch):
    model = make_model("smollm2")
    monkeypatch.setattr(readers, "TOKENS_PER_PASS", 300)
    counted = CountTokens(monkeypatch)
    prompts = [upto(model, 1, other(n)) for n in (1, 2, 4, 5)]
    requests = [readers.Request(model.reading.store.new_key(), prompt) for prompt in prompts]
    for prompt, state in zip(prompts, model.reading._run(requests), strict=True):
        np.testing.assert_allclose(state, whole(model, prompt), atol=1e-3)
    assert len(counted.passes) > 1 and all(sum(sizes) <= 300 for sizes in counted.passes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_company_does_not_change_a_state(dtype):
    """In the same row or alone, with one core or two: the same items, states equal within rounding."""
    model = make_model("smollm2")
    model.model.to(dtype)
    shape = CacheShape.of(model.model)

    def read(company: int) -> np.ndarray:
        caches = [KeyValues(shape) for _ in range(company)]
        for turns in (1, 2):
            prompts = [upto(model, turns, other(n)) for n in range(company)]
            pieces = [
                packed.Piece(p.ids[len(c.ids) :], [p.readouts[-1].after(len(c.ids))], c)
                for p, c in zip(prompts, caches, strict=True)
            ]
            states = packed.forward(model.model, pieces)
        return states[0].numpy()

    np.testing.assert_allclose(read(1), read(5), atol=1e-5 if dtype is torch.float32 else 3e-2)


def test_threads_get_the_answers_that_they_get_alone(catalog, space, backend):
    rec = Recommender(make_bundle(space, backend), catalog, backend)
    scripts = [
        ["a comedy", "older", "newer"],
        ["a drama", "worse", "better"],
        ["older", "a horror film", "go back"],
    ] * 3

    def talk(script):
        session = rec.session(history=["3"])
        return [session.say(text, k=5) for text in script]

    alone = [talk(script) for script in scripts]
    with ThreadPoolExecutor(len(scripts)) as pool:
        together = list(pool.map(talk, scripts))
    for ours, theirs in zip(alone, together, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert [i.id for i in a.items] == [i.id for i in b.items]
            np.testing.assert_allclose(a.position, b.position, atol=1e-5)


def test_truncation_rebuilds_rarely_and_changes_nothing(monkeypatch):
    model, catalog = make_language_model(), make_catalog()
    builder = PromptBuilder(catalog.schema, model.renderer, ContextLimits(turns=100, tokens=400))
    reader, counted, first, exchanges, long = model.reader(), CountTokens(monkeypatch), 0, [], []
    for turn in range(40):
        exchanges.append(Exchange(f"turn number {turn}"))
        built = builder.build("You recommend a film.", exchanges, first=first)
        first = built.first
        assert len(built.prompt.ids) <= 400
        np.testing.assert_allclose(reader.read(built.prompt), whole(model, built.prompt), atol=1e-3)
        long.append(sum(counted.passes[-1]) > 100)
        exchanges[-1] = Exchange(f"turn number {turn}", "Film 3; Comedy")
    assert first > 0
    assert 1 <= sum(long) <= 40 // 3


def test_other_families_are_read_with_their_own_caches():
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=512, n_embd=32, n_layer=2, n_head=4, n_positions=1024)
    model = LanguageModel(AutoModel.from_config(config, dtype=torch.float32), make_tokenizer(), "gpt2")
    assert model.reading is None
    reader = model.reader()
    for turns in (1, 2, 5, 3, 1):
        prompt = upto(model, turns)
        np.testing.assert_allclose(reader.read(prompt), whole(model, prompt), atol=1e-3)
        np.testing.assert_allclose(model.states([prompt])[0][-1], whole(model, prompt), atol=1e-3)


def test_a_model_whose_attention_was_changed_is_refused():
    model = make_model("smollm2")
    model.model.set_attn_implementation("sdpa")
    with pytest.raises(RuntimeError, match="attention must be 'talkwalk_packed', got 'sdpa'"):
        model.states([upto(model, 1)])


def test_windows_that_have_forgotten_are_computed_again():
    config, _ = CONFIGS["mistral with a window"]
    model = make_model("mistral with a window")
    reader = readers.PlainReader(model.model)
    assert config.sliding_window < len(upto(model, 5).ids)
    for turns in (4, 5, 2, 3):
        prompt = upto(model, turns)
        np.testing.assert_allclose(reader.read(prompt), whole(model, prompt), atol=1e-3)
