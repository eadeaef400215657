"""Systems by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from talkwalk.bundle import Bundle
from talkwalk.contrastive.text_encoder import SentenceEncoder
from talkwalk.engine.recommender import Recommender
from talkwalk.eval.rivals.baselines import Popularity, Random
from talkwalk.eval.rivals.bm25 import BM25
from talkwalk.eval.rivals.collaborative import Collaborative, CoMention
from talkwalk.eval.rivals.keyword_filter import KeywordFilter
from talkwalk.eval.rivals.reranker import Reranker
from talkwalk.eval.rivals.talkwalk import TalkWalk
from talkwalk.eval.rivals.text_encoder import RawEncoder, Reads
from talkwalk.eval.rivals.text_tower import TextTower
from talkwalk.eval.rivals.utterance_head import UtteranceHead
from talkwalk.eval.system import System
from talkwalk.index.catalog import Catalog
from talkwalk.llm.language_model import LanguageModel
from talkwalk.modules import pick_device
from talkwalk.schema import unknown

OURS = "talkwalk"


@dataclass(eq=False)
class Parts:
    """What several systems are made of; each part is loaded at its first use, once.

    Attributes:
        bundle_name: Name or folder of a bundle.
        device: Torch device of the language model.
        seed: Of whatever a system draws.
    """

    bundle_name: str
    device: str = "auto"
    seed: int = 0

    @cached_property
    def bundle(self) -> Bundle:
        return Bundle.load(self.bundle_name)

    @cached_property
    def backend(self) -> LanguageModel:
        return LanguageModel.load(self.bundle.llm.name, device=pick_device(self.device))

    @cached_property
    def whole_model(self) -> LanguageModel:
        """The language model with all its layers, for what it would say next."""
        return LanguageModel.load(self.bundle.llm.name, device=pick_device(self.device), depth=1.0)

    @property
    def sentences(self) -> SentenceEncoder:
        return self.bundle.space.sentences

    def recommender(self, catalog: Catalog) -> Recommender:
        return Recommender(self.bundle, catalog, self.backend)


SYSTEMS: dict[str, Callable[[Parts], System]] = {
    OURS: lambda parts: TalkWalk(parts.recommender),
    "random": lambda parts: Random(parts.seed),
    "popularity": lambda parts: Popularity(),
    "bm25": lambda parts: BM25(),
    "encoder_utterance": lambda parts: RawEncoder(parts.sentences, Reads.UTTERANCE),
    "encoder_conversation": lambda parts: RawEncoder(parts.sentences, Reads.CONVERSATION),
    "encoder_item_utterance": lambda parts: RawEncoder(parts.sentences, Reads.ITEM_UTTERANCE),
    "text_tower": lambda parts: TextTower(parts.bundle.space),
    "item_plus_text": lambda parts: TextTower(parts.bundle.space, from_item=True),
    "keyword_filter": lambda parts: KeywordFilter(),
    "collaborative": lambda parts: Collaborative(parts.seed),
    "co_mention": lambda parts: CoMention(),
    "llm_reranker": lambda parts: Reranker(TextTower(parts.bundle.space, from_item=True), lambda: parts.whole_model),
}


def open_system(name: str, parts: Parts) -> System:
    """A system by name, by folder of a trained variant, or as "package.module:Class" for a user's own.

    Args:
        name: One of `SYSTEMS`; a folder that `talkwalk.eval.ablation` wrote; or the place of a class without arguments.
        parts: What the systems are made of.

    Raises:
        ValueError: If there is no such system.
    """
    if name in SYSTEMS:
        return SYSTEMS[name](parts)
    if (Path(name) / "head.json").is_file():
        return UtteranceHead(Path(name))
    if (Path(name) / "config.json").is_file():
        bundle = Bundle.load(name)
        return TalkWalk(lambda catalog: Recommender(bundle, catalog, parts.backend), Path(name).parent.name)
    module, colon, made = name.partition(":")
    if not colon:
        raise ValueError(f'{unknown("system", name, SYSTEMS)}; your own is "package.module:Class"')
    system: System = getattr(importlib.import_module(module), made)()
    return system
