"""Files appear whole or not at all."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from talkwalk.files import atomic_file, atomic_folder, cache_folder, check_only, write_json


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "deep" / "target"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_at_the_end(target):
    with atomic_folder(target) as temporary:
        (temporary / "a.txt").write_text("new")
        assert not target.exists() and temporary.parent == target.parent
    assert (target / "a.txt").read_text() == "new"
    assert names(target.parent) == ["target"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o755


def test_others_may_read_what_a_folder_holds(target):
    with atomic_folder(target) as temporary:
        (temporary / "deep").mkdir(mode=0o700)
        save_file({"a": np.zeros(1, np.float32)}, temporary / "deep" / "a.safetensors")
    assert stat.S_IMODE((target / "deep").stat().st_mode) == 0o755
    assert stat.S_IMODE((target / "deep" / "a.safetensors").stat().st_mode) == 0o644


def test_a_folder_is_replaced_whole(target):
    for name in ("old.txt", "new.txt"):
        with atomic_folder(target) as temporary:
            (temporary / name).write_text(name)
    assert names(target) == ["new.txt"] and names(target.parent) == ["target"]


@pytest.mark.parametrize("before", [True, False])
def test_an_exception_leaves_the_old_folder(target, before):
    if before:
        target.mkdir(parents=True)
        (target / "a.txt").write_text("old")
    with pytest.raises(RuntimeError, match="half way"), atomic_folder(target) as temporary:
        (temporary / "a.txt").write_text("new")
        raise RuntimeError("half way")
    assert names(target.parent) == (["target"] if before else [])
    assert not before or (target / "a.txt").read_text() == "old"


def test_a_link_stays_a_link(target):
    real = target.with_name("version-1")
    real.mkdir(parents=True)
    target.symlink_to(real)
    for name in ("old.txt", "new.txt"):
        with atomic_folder(target) as temporary:
            (temporary / name).write_text(name)
    assert target.is_symlink() and names(real) == ["new.txt"]
    assert names(target.parent) == ["target", "version-1"]


def test_what_is_not_ours_is_not_replaced(tmp_path):
    check_only(tmp_path / "new", (), "the report")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "page.md").write_text("ours")
    check_only(tmp_path, ("inner/page.md",), "the report")
    (tmp_path / "thesis.txt").write_text("ten years")
    with pytest.raises(ValueError, match=r"holds other files, such as thesis\.txt: give a new folder for the report"):
        check_only(tmp_path, ("inner/page.md",), "the report")
    with pytest.raises(ValueError, match=r"thesis\.txt is a file: give a folder for the report"):
        check_only(tmp_path / "thesis.txt", (), "the report")


def test_a_failed_move_leaves_the_old_folder(target, monkeypatch):
    target.mkdir(parents=True)
    (target / "a.txt").write_text("old")
    rename = Path.rename

    def fail_at_the_end(self: Path, place: Path) -> Path:
        if Path(place) == target and (self / "new.txt").exists():
            raise OSError("disk on fire")
        return rename(self, place)

    monkeypatch.setattr(Path, "rename", fail_at_the_end)
    with pytest.raises(OSError, match="disk on fire"), atomic_folder(target) as temporary:
        (temporary / "new.txt").write_text("new")
    assert names(target.parent) == ["target"] and names(target) == ["a.txt"]


def test_a_file_appears_at_the_end(target):
    with atomic_file(target) as temporary:
        temporary.write_text("new")
        assert not target.exists() and temporary.parent == target.parent
    assert target.read_text() == "new" and names(target.parent) == ["target"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


@pytest.mark.parametrize("before", [True, False])
def test_an_exception_leaves_the_old_file(target, before):
    if before:
        target.parent.mkdir(parents=True)
        target.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_file(target) as temporary:
        temporary.write_text("new")
        raise KeyboardInterrupt
    assert names(target.parent) == (["target"] if before else [])
    assert not before or target.read_text() == "old"


def test_json_is_sorted_readable_and_round_trips(target):
    data = {"b": [1, 2.5, None], "a": {"é": True}}
    write_json(target, data)
    text = target.read_text(encoding="utf-8")
    assert json.loads(text) == data
    assert text == '{\n  "a": {\n    "é": true\n  },\n  "b": [\n    1,\n    2.5,\n    null\n  ]\n}\n'


def test_unwritable_json_leaves_the_old_file(target):
    write_json(target, [1])
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(target, [object()])
    assert json.loads(target.read_text()) == [1] and names(target.parent) == ["target"]


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("TALKWALK_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("TALKWALK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "talkwalk"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache_folder() == tmp_path / ".cache" / "talkwalk"
