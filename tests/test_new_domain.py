"""docs/new-domain.md does what it says: its commands and its Python are what runs here."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from talkwalk.config import CONFIG_DIR, register, to_object
from talkwalk.contrastive import space as space_module
from talkwalk.contrastive import train_contrastive
from talkwalk.contrastive.descriptions import Band, load_descriptions
from talkwalk.contrastive.space import Space
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Kind, Schema
from tests.conftest import HashedSentences


@pytest.fixture
def page(repository):
    return (repository / "docs" / "new-domain.md").read_text()


@pytest.fixture
def workplace(repository, tmp_path, monkeypatch):
    """An empty folder in which the page's paths are those of the repository, and what it makes is apart."""
    for name in ("docs", "data"):
        (tmp_path / name).symlink_to(repository / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(repository / "data" / "scripts"))
    return tmp_path


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def commands(page):
    """The two shell commands, as lists of words."""
    return [shlex.split(line) for block in blocks(page, "sh") for line in block.splitlines()]


def config(name, overrides):
    register()
    with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
        return to_object(compose(name, overrides=overrides))


def check_answers(output):
    """What the page's Python prints: per query the three games that were found."""
    lines = [line.split(": ", 1) for line in output.strip().splitlines()]
    assert [query for query, _ in lines] == [
        "a simple and quick game about animals",
        "a long horror game in which we all play together",
    ]
    games = Catalog.load("catalogs/boardgames")
    for _, titles in lines:
        assert sum(title in titles for title in games.items["title"]) >= 3
    return games, Space.load(Path("runs/boardgames/space"))


def nearest(games, space, query, k=5):
    scores = space.encode_items(games.items) @ space.encode_text([query])[0]
    return games.items.iloc[np.argsort(-scores)[:k]]


def test_the_files_are_as_the_page_says(repository):
    folder = repository / "docs" / "new-domain"
    schema = Schema.load(folder / "schema.yaml")
    assert len((folder / "schema.yaml").read_text().splitlines()) <= 20
    items = load_descriptions(folder / "descriptions", schema).items
    described = {name for name, attribute in schema.items.items() if attribute.kind is not Kind.TEXT} - {"year"}
    assert set(items) == described
    assert all(len(wordings) >= 8 for values in items.values() for wordings in values.values())
    for name in ("theme", "mechanic"):
        assert set(items[name]) == set(schema.items[name].values)
    for name in ("players", "minutes", "weight"):
        assert len([Band.parse(key) for key in items[name]]) == 3


def test_the_page_without_a_model(page, workplace, monkeypatch, capsys):
    """Catalogue, space and question, with sentences that are sums of word vectors, and fewer epochs."""
    monkeypatch.setattr(train_contrastive, "SentenceEncoder", lambda name, **_: HashedSentences())
    monkeypatch.setattr(space_module, "SentenceEncoder", lambda name, **_: HashedSentences())
    prepare, train = commands(page)
    assert prepare[:2] == ["python", "data/scripts/prepare_catalog.py"]
    importlib.import_module("prepare_catalog").prepare(config("catalog", prepare[2:]))
    games = Catalog.load("catalogs/boardgames")
    assert len(games) >= 60
    assert games.row("azul") == {
        "title": "Azul", "theme": "art", "mechanic": ["tile laying"], "players": 2, "minutes": 40, "weight": 1.8,
        "year": 2017,
    }  # fmt: skip
    assert train[:3] == ["python", "-m", "talkwalk.contrastive.train_contrastive"]
    small = ["epochs=4", "pairs.items=2000", "dim=16", "hidden=[64,64]", "text_hidden=64", "lr=5e-3", "device=cpu"]
    figures = train_contrastive.train(config("contrastive", [*train[3:], *small]))
    assert figures["text_to_metadata_r1_trained_wordings"]["value"] > 10 / 200  # a guess finds 1 of 200
    for code in blocks(page, "python"):
        exec(compile(code, "docs/new-domain.md", "exec"), {})
    check_answers(capsys.readouterr().out)


@pytest.mark.slow
def test_the_page_as_it_stands(page, workplace, repository):
    """In processes of their own, with the real sentence encoder: what a query describes is what is found."""
    environment = os.environ | {"PYTHONPATH": str(repository)}
    for words in commands(page):
        assert words[0] == "python"
        subprocess.run([sys.executable, *words[1:]], env=environment, check=True, capture_output=True, timeout=900)
    code = "\n".join(blocks(page, "python"))
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    games, space = check_answers(done.stdout)
    animals = nearest(games, space, "a game about animals")
    assert (animals["theme"] == "animals").mean() >= 0.6  # one in six games is about animals
    quick, long = (
        nearest(games, space, q)["minutes"].mean() for q in ("a quick game", "an epic that takes all evening")
    )
    assert quick < games.items["minutes"].median() < long
    easy, hard = (
        nearest(games, space, q)["weight"].mean() for q in ("simple, for beginners", "a challenge for experts")
    )
    assert easy < games.items["weight"].median() < hard
    together = nearest(games, space, "a long horror game in which we all play together")
    assert (together["theme"] == "horror").mean() >= 0.6
    assert together["mechanic"].map(lambda names: "cooperation" in names).mean() >= 0.6
