"""Small real components, made on the spot: a random two-layer language model, a trained tokenizer, forty films."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from talkwalk.bundle import Bundle, LanguageModelId
from talkwalk.contrastive.descriptions import Descriptions
from talkwalk.contrastive.space import Space
from talkwalk.contrastive.text_encoder import SentenceEncoder
from talkwalk.engine.recommender import Recommender
from talkwalk.index.catalog import Catalog
from talkwalk.llm.language_model import LanguageModel
from talkwalk.modules import SHORT, shorten
from talkwalk.projection.anchor_decoder import AnchorDecoder
from talkwalk.projection.projection_head import build_head
from talkwalk.projection.steering_language import CategoryLanguage, Direction, SteeringLanguage
from talkwalk.schema import Schema

torch.set_num_threads(1)  # tiny tensors: a second thread only waits, for seconds where other work is going on
GENRES = ("Comedy", "Drama", "Horror", "Western")
DIM = 16


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory, monkeypatch):
    """Nothing that a test caches outlives it or reaches the user's cache folder."""
    monkeypatch.setenv("TALKWALK_CACHE", str(tmp_path_factory.mktemp("cache")))


class HashedSentences(SentenceEncoder):
    """A sentence encoder without a model: every word has its own random vector."""

    def __init__(self) -> None:
        super().__init__("hashed-sentences")

    @property
    def dim(self) -> int:
        return 24

    def encode(
        self, texts: Sequence[str], *, batch_size: int = 128, show_progress: bool = False, keep: bool = True
    ) -> np.ndarray:
        return np.stack([self._sentence(text) for text in texts]) if texts else np.zeros((0, self.dim), np.float32)

    def _sentence(self, text: str) -> np.ndarray:
        words = [np.random.default_rng(zlib.crc32(w.encode())).normal(size=self.dim) for w in text.lower().split()]
        mean = np.mean(words, axis=0) if words else np.zeros(self.dim)
        return (mean / max(np.linalg.norm(mean), 1e-9)).astype(np.float32)


def movie_schema() -> Schema:
    return Schema.from_dict(
        {
            "domain": "movies",
            "noun": "film",
            "title": "title",
            "items": {
                "title": {"kind": "text"},
                "genre": {"kind": "multi", "values": list(GENRES)},
                "year": {"kind": "ordered", "scale": "rank", "words": ["older", "newer"]},
                "rating": {"kind": "ordered", "scale": "linear", "range": [1, 5], "show": "level"},
            },
            "users": {
                "age": {"kind": "ordered", "range": [5, 80]},
                "age_range": {"kind": "category", "values": ["under-18", "18-24", "25-34", "35-49", "50+"]},
                "gender": {"kind": "category", "values": ["F", "M"]},
            },
        }
    )


def make_catalog(count: int = 40) -> Catalog:
    """Films "1" to `count`, ten users with six interactions each."""
    rng = np.random.default_rng(0)
    items = pd.DataFrame(
        {
            "title": [f"Film {i}" for i in range(1, count + 1)],
            "genre": [list(rng.choice(GENRES, size=rng.integers(1, 3), replace=False)) for _ in range(count)],
            "year": rng.integers(1930, 2000, count).astype(float),
            "rating": np.round(rng.uniform(1, 5, count), 2),
        },
        index=[str(i) for i in range(1, count + 1)],
    )
    users = pd.DataFrame(
        {
            "age": [20.0 + i for i in range(10)],
            "age_range": ["18-24"] * 5 + ["25-34"] * 5,
            "gender": ["F", "M"] * 5,
        },
        index=[str(i) for i in range(1, 11)],
    )
    seen = [(u, i, t, r) for u in users.index for t, (i, r) in enumerate(zip(rng.choice(items.index, 6, replace=False),
            rng.integers(1, 6, 6), strict=True))]  # fmt: skip
    interactions = pd.DataFrame(seen, columns=["user_id", "item_id", "timestamp", "rating"])
    interactions["split"] = [("train", "train", "train", "train", "valid", "test")[i % 6] for i in range(60)]
    return Catalog(movie_schema().fit(items, users), items, users, interactions)


@pytest.fixture
def catalog() -> Catalog:
    return make_catalog()


@pytest.fixture
def descriptions() -> Descriptions:
    return make_descriptions()


def make_descriptions() -> Descriptions:
    """Wordings of the forty films and ten people."""
    genres = {g: tuple(f"{word} {g.lower()}" for word in ("a", "some", "one", "any", "such a", "that")) for g in GENRES}
    years = {"1930-1959": ("an old film", "from long ago"), "1960-1999": ("a modern film", "quite recent")}
    ratings = {"0%-50%": ("a weak film", "not good"), "50%-100%": ("a fine film", "really good")}
    users = {
        "age_range": {"18-24": ("young adult", "in their twenties"), "25-34": ("around thirty", "settled")},
        "gender": {"F": ("a woman", "female viewer"), "M": ("a man", "male viewer")},
    }
    return Descriptions({"genre": genres, "year": years, "rating": ratings}, users)


@pytest.fixture(scope="session")
def sentence_folder(tmp_path_factory) -> Path:
    """A sentence-transformers model on disk: a BERT of two tiny layers, 16 wide."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    path = tmp_path_factory.mktemp("bert")
    words = sorted({w for text in make_descriptions().all_wordings() for w in text.replace("'", " ").split()})
    (path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=5 + len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    BertModel(shape).save_pretrained(path)
    BertTokenizer(str(path / "vocab.txt")).save_pretrained(path)
    target = tmp_path_factory.mktemp("sentences")
    SentenceTransformer(modules=[Transformer(str(path)), Pooling(16)], device="cpu").save_pretrained(str(target))
    return target


@pytest.fixture
def language() -> SteeringLanguage:
    directions = {
        "year": Direction(("newer", "more recent", "later"), ("older", "earlier", "from before")),
        "rating": Direction(("better", "higher rated"), ("worse", "lower rated")),
    }
    names = {g: (g.lower(),) for g in GENRES}
    genre = CategoryLanguage(names, ("switch to {value}",), ("more {value}",), ("no {value}",))
    return SteeringLanguage(
        directions,
        {"genre": genre},
        ("more like that",),
        ("go back",),
        ("what next",),
        ("show me {wish}",),
        comparatives={"year": Direction(("newer",), ("older",))},
        superlatives={"year": Direction(("the newest there is",), ("the oldest there is",))},
        grades={
            "touch": ("{steer}, just a touch", "a touch {more}"),
            "bit": ("a bit {more}",),
            "much": ("{steer}, by a lot",),
            "most": ("{steer}, all the way",),
        },
        keep=("the same but {wish}",),
        first=("like the first one",),
        between=("between those two",),
        variety={
            "closest": ("all alike",),
            "close": ("stay close",),
            "wide": ("mix it up",),
            "widest": ("surprise me",),
        },
        joins=("{first}, and {second}",),
    )


def make_tokenizer():
    """A byte-level BPE tokenizer with ChatML's special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        ["You recommend a film to the user. Recommended: newer older comedy drama"] * 5, trainer
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<|endoftext|>")


def make_language_model(seed: int = 0) -> LanguageModel:
    """A random two-layer Llama in float32."""
    from transformers import AutoModel, LlamaConfig

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=512, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=4096,
    )  # fmt: skip
    return LanguageModel(AutoModel.from_config(config, dtype=torch.float32), make_tokenizer(), f"tiny-{seed}")


@pytest.fixture(scope="session")
def backend() -> LanguageModel:
    return make_language_model()


def make_space(catalog: Catalog) -> Space:
    torch.manual_seed(0)
    shape = {"dim": DIM, "hidden": [32, 32], "sentence_dim": 24, "text_hidden": 32, "topics": 4, "text_dropout": 0.0}
    space = Space.build(catalog.schema, HashedSentences(), shape)
    space.metadata.eval()
    space.text.eval()
    for network in (space.metadata, space.text):
        shorten(network, SHORT)
    space.learn_ranges({"year": ("1930-1959", "1960-1999"), "rating": ("0%-40%", "60%-100%")})
    return space


@pytest.fixture
def space(catalog) -> Space:
    return make_space(catalog)


def make_bundle(space: Space, backend: LanguageModel) -> Bundle:
    torch.manual_seed(0)
    width = backend.dim + space.heard_dim
    shape = {"kind": "anchored", "input_dim": width, "dim": DIM, "hidden": 32, "dropout": 0.0}
    head = build_head(
        "anchored", backend.dim + space.heard_dim, DIM, hidden=32, dropout=0.0,
        categories=len(space.schema.category_values), axes=len(space.schema.ordered), ranges=len(space.ranges),
    ).eval()  # fmt: skip
    decoder = AnchorDecoder(DIM, 24).eval()
    for network in (head, decoder):
        shorten(network, SHORT)
    llm = LanguageModelId("tiny", "local", backend.fingerprint)
    figures = {"projection": {"r10": {"value": 0.5, "low": 0.4, "high": 0.6}}}
    return Bundle(space, head, decoder, shape, llm, "tiny", {}, figures)


@pytest.fixture
def bundle(space, backend) -> Bundle:
    return make_bundle(space, backend)


@pytest.fixture
def recommender(bundle, catalog, backend) -> Recommender:
    return Recommender(bundle, catalog, backend)


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).parent.parent
