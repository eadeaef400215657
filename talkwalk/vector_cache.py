"""Vectors that are slow to compute, kept on disk by key."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

CHUNK = 500  # SQLite's portable limit of parameters in one statement is 999


class VectorCache:
    """float16 vectors in one SQLite file; every `put` is whole or absent, so an interrupted run resumes.

    Args:
        path: The file. Its name should carry the fingerprint of whatever makes the vectors.
        dim: Length of every vector.
    """

    def __init__(self, path: Path, dim: int) -> None:
        self.path, self.dim = path, dim
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as database, database:
            database.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=60)

    def get(self, keys: Sequence[str]) -> dict[str, np.ndarray]:
        """The known ones among `keys`, float32 (dim,)."""
        digests = {_digest(key): key for key in keys}
        known: dict[str, np.ndarray] = {}
        wanted = list(digests)
        with closing(self._connect()) as database:
            for start in range(0, len(wanted), CHUNK):
                chunk = wanted[start : start + CHUNK]
                marks = ",".join("?" * len(chunk))
                rows = database.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", chunk)
                for digest, blob in rows:
                    known[digests[digest]] = np.frombuffer(blob, dtype=np.float16).astype(np.float32)
        return known

    def put(self, keys: Sequence[str], vectors: np.ndarray) -> None:
        """Store vectors (n, dim) under their keys."""
        if vectors.shape != (len(keys), self.dim):
            raise ValueError(f"vectors must have shape ({len(keys)}, {self.dim}), got {vectors.shape}")
        rows = [(_digest(k), v.astype(np.float16).tobytes()) for k, v in zip(keys, vectors, strict=True)]
        with closing(self._connect()) as database, database:
            database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=16).digest()
