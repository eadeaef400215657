"""Files that appear whole or not at all, and the folder where slow work is kept."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def cache_folder() -> Path:
    """`$TALKWALK_CACHE`, or `talkwalk` in the user's cache folder."""
    if "TALKWALK_CACHE" in os.environ:
        return Path(os.environ["TALKWALK_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "talkwalk"


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `target` that takes its place when the block ends well.

    An exception inside the block leaves `target` as it was and removes the temporary folder. A link stays a link: the
    folder that it leads to is replaced.
    """
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield temporary
        _let_others_read(temporary)
        old = target.with_name(f".{target.name}-old-{os.getpid()}")
        if target.exists():
            target.rename(old)
        try:
            temporary.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_only(folder: Path, ours: Collection[str], what: str) -> None:
    """Raise `ValueError` if a folder that will be replaced whole holds anything else than `ours`.

    Args:
        folder: May be missing or empty.
        ours: Paths inside it, with slashes.
        what: What the folder is for, such as "the bundle".
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file: give a folder for {what}")
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    foreign = next((name for name in found if name not in ours), None)
    if foreign is not None:
        raise ValueError(f"{folder} holds other files, such as {foreign}: give a new folder for {what}")


def _let_others_read(folder: Path) -> None:
    """Make readable what mkdtemp and safetensors write, which only their owner can read."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target` that takes its place when the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(target: Path, data: Any) -> None:
    """Write `data` as indented JSON, whole or not at all."""
    with atomic_file(target) as temporary:
        temporary.write_text(json.dumps(data, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON mapping; a missing or damaged file is named."""
    if not path.is_file():
        raise FileNotFoundError(
            f"no {path.name} in {path.parent}: the folder is not complete, train or download it again"
        )
    try:
        data = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} must hold a mapping, got {type(data).__name__}")
    return data
