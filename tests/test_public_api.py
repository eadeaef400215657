"""What a user starts with, and what importing it costs."""

from __future__ import annotations

import ast
import inspect
import json
import os
import subprocess
import sys

import pytest

import talkwalk

HEAVY = {"torch", "faiss", "pandas", "numpy", "transformers", "sentence_transformers", "hydra", "yaml", "gradio"}
MEASURE = """
import json, sys, time
start = time.perf_counter()
import talkwalk
seconds = time.perf_counter() - start
print(json.dumps([seconds, sorted({name.split(".")[0] for name in sys.modules}), dir(talkwalk)]))
"""


def test_all_is_sorted_and_importable():
    assert talkwalk.__all__ == sorted(set(talkwalk.__all__))
    for name in talkwalk.__all__:
        thing = getattr(talkwalk, name)
        assert inspect.isclass(thing) and thing.__name__ == name and thing.__doc__
        assert thing.__module__ == talkwalk._HOMES[name]
    assert set(talkwalk._HOMES) == set(talkwalk.__all__)


def test_type_checkers_see_the_same_names():
    tree = ast.parse(inspect.getsource(talkwalk))
    imported = {
        f"{node.module}.{alias.name}"
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == {f"{home}.{name}" for name, home in talkwalk._HOMES.items()}


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="module 'talkwalk' has no attribute 'Recomender'"):
        talkwalk.Recomender  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'Recomender'"):
        from talkwalk import Recomender  # noqa: F401


def test_importing_is_light(repository):
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    command = [sys.executable, "-c", MEASURE]
    outputs = [subprocess.run(command, env=environment, capture_output=True, check=True).stdout for _ in range(3)]
    runs = [json.loads(output) for output in outputs]
    _, modules, names = runs[0]
    assert not HEAVY & set(modules)
    assert set(talkwalk.__all__) <= set(names)
    assert min(seconds for seconds, *_ in runs) < 0.3


def test_the_version_is_the_packages(repository):
    assert f'version = "{talkwalk.__version__}"' in (repository / "pyproject.toml").read_text()


def test_every_module_says_what_it_is(repository):
    modules = sorted((repository / "talkwalk").rglob("*.py"))
    silent = [str(m.relative_to(repository)) for m in modules if not ast.get_docstring(ast.parse(m.read_text()))]
    assert len(modules) > 40 and silent == []
