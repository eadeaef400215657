"""Hidden states on disk: float16, memory-mapped, resumable."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

KEY = 16  # bytes of a key


class StateShards:
    """float16 states by key in one folder; several processes may add to it at once.

    Every run that adds anything appends to a shard of its own, a pair of files: NAME.f16 with the states and NAME.keys
    with their keys in the same order. A state counts once both files have it whole, so an interrupted run loses at most
    what it was writing.

    Args:
        folder: Of the shards. Its name should carry the fingerprint of whatever makes the states.
        dim: Length of every state.
    """

    def __init__(self, folder: Path, dim: int) -> None:
        self.folder, self.dim = folder, dim
        self._maps: list[np.ndarray] = []  # (states, dim) per shard
        self._where: dict[bytes, tuple[int, int]] = {}  # key to shard and row
        self._files: tuple[IO[bytes], IO[bytes]] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.refresh()

    def __len__(self) -> int:
        return len(self._where)

    def __contains__(self, key: object) -> bool:
        return key in self._where

    def refresh(self) -> None:
        """Map what is in the folder now."""
        self._maps, self._where = [], {}
        for path in sorted(self.folder.glob("*.keys")):
            keys, states = path.read_bytes(), path.with_suffix(".f16")
            rows = min(len(keys) // KEY, states.stat().st_size // (2 * self.dim)) if states.is_file() else 0
            if rows:
                shard = len(self._maps)
                self._maps.append(np.memmap(states, dtype=np.float16, mode="r", shape=(rows, self.dim)))
                self._where.update((keys[i * KEY : (i + 1) * KEY], (shard, i)) for i in range(rows))

    def get(self, keys: Sequence[bytes]) -> np.ndarray:
        """States, float32 (keys, dim).

        Raises:
            KeyError: If one is not there.
        """
        states = np.empty((len(keys), self.dim), dtype=np.float32)
        for row, key in enumerate(keys):
            shard, place = self._where[key]
            states[row] = self._maps[shard][place]
        return states

    def put(self, keys: Sequence[bytes], states: np.ndarray) -> None:
        """Append states (n, dim) under their keys; `get` finds them after `refresh`."""
        if states.shape != (len(keys), self.dim):
            raise ValueError(f"states must have shape ({len(keys)}, {self.dim}), got {states.shape}")
        for key in keys:
            if len(key) != KEY:
                raise ValueError(f"keys must have {KEY} bytes, got {key!r}")
        with np.errstate(over="ignore"):  # refused below
            short = states.astype(np.float16)
        if not np.isfinite(short).all():
            raise ValueError(
                f"states must fit float16 (within 65504), got up to {np.abs(states).max():.0f}: "
                "this language model's middle layers are too loud to keep"
            )
        if self._files is None:
            self._files = self._new_shard()
        for file, data in zip(self._files, (short.tobytes(), b"".join(keys)), strict=True):
            file.write(data)
            file.flush()

    def close(self) -> None:
        """Close the shard that `put` writes to; the next `put` begins another."""
        for file in self._files or ():
            file.close()
        self._files = None

    def _new_shard(self) -> tuple[IO[bytes], IO[bytes]]:
        name = f"{os.getpid()}-{os.urandom(4).hex()}"
        return (self.folder / f"{name}.f16").open("xb"), (self.folder / f"{name}.keys").open("xb")
