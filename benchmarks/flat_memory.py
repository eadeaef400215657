"""What an exact index takes in memory: `python -m benchmarks.flat_memory vectors.npy folder`, a process of its own."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from talkwalk.index.lookup import FlatIndex


def ids_of(start: int, count: int) -> list[str]:
    """Ids of items `start` to `start + count`."""
    return [f"item {n}" for n in range(start, start + count)]


def read_chunks(path: Path, size: int = 2000) -> Iterator[np.ndarray]:
    """Rows of a float32 .npy file, read and not mapped: mapped pages would count as memory in use."""
    shape, offset = (lambda mapped: (mapped.shape, mapped.offset))(np.load(path, mmap_mode="r"))
    with path.open("rb") as file:
        file.seek(offset)
        for start in range(0, shape[0], size):
            count = min(size, shape[0] - start)
            yield np.fromfile(file, np.float32, count * shape[1]).reshape(count, shape[1])


def peak() -> int:
    """Bytes that this process had in memory at most."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux counts the parent in a child's ru_maxrss
        high = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(high.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(vectors: Path, folder: Path) -> None:
    """Build an index from the vectors, print its peak above an empty one's, and save it."""
    chunks = read_chunks(vectors)
    first = next(chunks)
    index = FlatIndex(first.shape[1])
    index.search(first[0], 1)  # loads whatever the first search loads
    before = peak()
    index.add(ids_of(0, len(first)), first)
    for chunk in chunks:
        index.add(ids_of(len(index), len(chunk)), chunk)
    print(json.dumps({"peak": peak() - before, "vectors": len(index) * index.dim * 4}))
    index.save(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
