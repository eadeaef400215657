"""The finished space: schema and both encoders, saved together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from talkwalk.contrastive.adapted_sentences import AdaptedSentences
from talkwalk.contrastive.mentions import PLACES, Mentions, names_by_value
from talkwalk.contrastive.metadata_encoder import MetadataEncoder
from talkwalk.contrastive.text_encoder import SentenceEncoder, TextEncoder, clause_table
from talkwalk.files import read_json
from talkwalk.modules import SHORT, load_module, save_module
from talkwalk.schema import Row, Schema

LEARNED = "sentence_encoder"  # subfolder of a sentence encoder that was trained with the space


@dataclass
class Space:
    """Where items, users and language live together.

    Attributes:
        schema: Fitted schema.
        metadata: Encoder of items, users and pairs of both.
        text: Learned projection of sentence embeddings.
        sentences: The frozen sentence encoder; loads itself at first use.
        shape: Constructor arguments of both networks.
        mentions: Finds the category values that words name; at first by the names that the schema has for them.
        ranges: Ranges of ordered item attributes that can be asked for, as (attribute, range); none before Phase 2.
        adapted: The sentence encoder, adapted to what people say when they steer; None before Phase 2.
    """

    schema: Schema
    metadata: MetadataEncoder
    text: TextEncoder
    sentences: SentenceEncoder
    shape: dict[str, Any]
    mentions: Mentions = field(init=False)
    ranges: tuple[tuple[str, str], ...] = field(init=False, default=())
    adapted: AdaptedSentences | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.learn_names({})

    def learn_names(self, names: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        """Take how people call the category values, per attribute and value, beside the schema's own names."""
        self.mentions = Mentions(names_by_value(self.schema.category_values, names))

    def learn_ranges(self, wordings: Mapping[str, Iterable[str]]) -> None:
        """Take the ranges that have words, per ordered item attribute."""
        self.ranges = tuple((a.name, key) for a in self.schema.ordered for key in wordings.get(a.name, ()))

    @classmethod
    def build(cls, schema: Schema, sentences: SentenceEncoder, shape: dict[str, Any]) -> Space:
        """Fresh networks; `shape` has dim, hidden, sentence_dim, text_hidden, topics and text_dropout."""
        metadata = MetadataEncoder(schema.input_width, shape["dim"], shape["hidden"])
        text = TextEncoder(
            shape["sentence_dim"], shape["dim"], shape["text_hidden"], shape["topics"], shape["text_dropout"]
        )
        return cls(schema, metadata, text, sentences, shape)

    @property
    def dim(self) -> int:
        return int(self.shape["dim"])

    def encode_items(self, rows: pd.DataFrame | Sequence[Row]) -> np.ndarray:
        """Item rows to unit vectors (rows, dim)."""
        return self.metadata.encode(self.schema.featurize(items=rows).joined())

    def encode_users(self, rows: pd.DataFrame | Sequence[Row]) -> np.ndarray:
        """User rows to unit vectors (rows, dim)."""
        return self.metadata.encode(self.schema.featurize(users=rows).joined())

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """Words to unit vectors (texts, dim)."""
        return self.text.encode(clause_table(texts, self.sentences))

    @property
    def heard_dim(self) -> int:
        """Width of `heard`."""
        return int(self.shape["sentence_dim"]) + self.dim + PLACES * len(self.mentions)

    def heard(self, texts: Sequence[str], *, keep: bool = True) -> np.ndarray:
        """What the text side makes of something said, (texts, heard dim).

        Side by side: the sentence embedding, of the adapted encoder if there is one, the vector in the space, and which
        category values are named.

        Args:
            texts: The words.
            keep: Use the cache of sentence embeddings, see `SentenceEncoder.encode`.
        """
        table = clause_table(texts, self.sentences, keep=keep)
        # a text of one clause is embedded already
        whole = {} if self.adapted else dict(zip(table.words, table.vectors[1:], strict=True))
        missing = [text for text in dict.fromkeys(texts) if text not in whole]
        whole.update(zip(missing, (self.adapted or self.sentences).encode(missing, keep=keep), strict=True))
        sentences = np.stack([whole[text] for text in texts])
        return np.concatenate([sentences, self.text.encode(table), self.mentions.find(texts)], axis=1)

    def save(self, folder: Path) -> None:
        """Write schema.yaml, space.json and two safetensors files into an existing folder.

        Both networks are written in half precision; after training their weights are no longer than that.
        """
        self.schema.save(folder / "schema.yaml")
        if self.sentences.learned:
            self.sentences.save(folder / LEARNED)
        settings = {
            "shape": self.shape,
            "text_encoder": LEARNED if self.sentences.learned else self.sentences.name,
            "names": self.mentions.names,
            "ranges": self.ranges,
        }
        (folder / "space.json").write_text(json.dumps(settings, indent=2) + "\n")
        save_module(self.metadata, folder / "metadata_encoder.safetensors", SHORT)
        save_module(self.text, folder / "text_encoder.safetensors", SHORT)
        if self.adapted is not None:
            self.adapted.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Space:
        """Read what `save` wrote; both networks are in eval mode.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If a file is damaged or does not fit the others.
        """
        settings = read_json(folder / "space.json")
        for key in ("shape", "text_encoder", "names"):
            if key not in settings:
                raise ValueError(f"{folder / 'space.json'} is damaged: it has no {key!r}")
        schema = Schema.load(folder / "schema.yaml")
        name = settings["text_encoder"]
        learned = name == LEARNED
        sentences = SentenceEncoder(str(folder / LEARNED) if learned else name, learned=learned)
        try:
            space = cls.build(schema, sentences, settings["shape"])
        except KeyError as missing:
            raise ValueError(
                f"{folder} was made by an older TalkWalk: its shape has no {missing}; train it again"
            ) from missing
        load_module(space.metadata, folder / "metadata_encoder.safetensors")
        load_module(space.text, folder / "text_encoder.safetensors")
        if len(settings["names"]) != len(space.mentions):
            values, got = len(space.mentions), len(settings["names"])
            raise ValueError(f"{folder / 'space.json'} must have names for {values} category values, got {got}")
        space.mentions = Mentions(settings["names"])
        space.ranges = tuple((str(name), str(key)) for name, key in settings.get("ranges", ()))
        space.adapted = AdaptedSentences.load(folder, sentences)
        return space
