"""The folder of an index: arrays, and a meta.json that knows their sizes and hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from talkwalk.index.ids import FILES as ID_FILES

FORMAT = 1
META_FILE, VECTORS_FILE, ORDER_FILE = "meta.json", "vectors.npy", "order.npy"
LISTS_FILE, CODES_FILE = "lists.npy", "codes.faiss"
LARGE = (VECTORS_FILE, CODES_FILE)  # what is mapped and not read where an index is opened read-only
ALL_FILES = {META_FILE, VECTORS_FILE, ORDER_FILE, LISTS_FILE, CODES_FILE, *ID_FILES}


def write_meta(folder: Path, settings: dict[str, Any]) -> None:
    """Describe the files that lie in the folder."""
    files = {f.name: {"bytes": f.stat().st_size, "sha256": _digest(f)} for f in sorted(folder.iterdir())}
    meta = {"format": FORMAT, **settings, "files": files}
    (folder / META_FILE).write_text(json.dumps(meta, indent=2) + "\n", encoding="ascii")


def read_meta(folder: Path, *, verify: bool) -> dict[str, Any]:
    """The settings of an index whose files are all there and undamaged.

    Args:
        folder: What `FlatIndex.save` wrote.
        verify: Also hash the large files, at about 2 GB a second.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is damaged, or of another index.
    """
    meta = _meta(folder)
    try:
        files = {name: (file["bytes"], file["sha256"]) for name, file in meta["files"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder / META_FILE} is damaged: {error!r}") from error
    for name, (size, digest) in files.items():
        if not (folder / name).is_file():
            raise FileNotFoundError(f"no {name} in {folder}: copy or save the index again")
        damaged = (folder / name).stat().st_size != size
        # Before anything parses the bytes, because FAISS trusts the sizes that it finds in them.
        if damaged or ((verify or name not in LARGE) and _digest(folder / name) != digest):
            raise ValueError(f"{folder} is damaged: {name} and {META_FILE} do not belong together")
    return meta


def read_kind(folder: Path) -> str:
    """The kind of an index, its files unchecked; errors as for `read_meta`."""
    return str(_meta(folder)["kind"])


def write_rows(path: Path, shape: tuple[int, int], chunks: Iterable[np.ndarray]) -> None:
    """A float32 .npy file from chunks of its rows."""
    with path.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for chunk in chunks:
            chunk.tofile(file)


def _meta(folder: Path) -> dict[str, Any]:
    path = folder / META_FILE
    if not path.is_file():
        raise FileNotFoundError(f"no {META_FILE} in {folder}: it holds no index")
    try:
        meta: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
        if meta["format"] != FORMAT:
            raise ValueError(f"it has format {meta['format']!r}, this TalkWalk reads {FORMAT}")
        missing = {"kind", "dim", "count", "files"} - set(meta)
        if missing:
            raise ValueError(f"it has no {min(missing)!r}")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error!r}") from error
    return meta


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
