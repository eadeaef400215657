"""The whole validation on forty films, and what it says when things do not belong together."""

from __future__ import annotations

import dataclasses
import json

import pytest
import yaml
from hydra import compose, initialize_config_dir

from talkwalk.config import CONFIG_DIR, ValidateSpaceConfig, register, to_object
from talkwalk.contrastive import space as space_module
from talkwalk.eval.validate_space import open_subject, run, training_settings
from tests.conftest import make_space

HOLDOUT = {"wordings": 0.4, "items": 0.4, "users": 0.4}
register()


@pytest.fixture
def trained(space, catalog, descriptions, tmp_path, monkeypatch):
    """Settings for a space, its catalogue and its words in folders."""
    monkeypatch.setattr(space_module, "SentenceEncoder", lambda name, **_: space.sentences)
    for name in ("space", "words"):
        (tmp_path / name).mkdir()
    catalog.save(tmp_path / "catalog")
    space.save(tmp_path / "space")
    settings = {"catalog": str(tmp_path / "catalog"), "holdout": HOLDOUT, "text_encoder": space.sentences.name}
    (tmp_path / "space" / "contrastive_config.json").write_text(json.dumps(settings))
    for entity, block in (("item", descriptions.items), ("user", descriptions.users)):
        attributes = {a: {k: list(w) for k, w in values.items()} for a, values in block.items()}
        content = {"domain": "movies", "entity": entity, "attributes": attributes}
        (tmp_path / "words" / f"{entity}.yaml").write_text(yaml.safe_dump(content))
    return ValidateSpaceConfig(
        space=str(tmp_path / "space"), descriptions=str(tmp_path / "words"), out=str(tmp_path / "out"),
        pairs=30, rows=10, asked=20, k=5, speed_rows=80, plane="pca", shown=30, paths=3,
    )  # fmt: skip


def test_everything_is_measured_and_drawn(trained, tmp_path):
    report = run(trained)
    rows = {tuple(name.split("/")[:2]) for name in report.figures}
    assert rows == {
        ("text", "trained_wordings"), ("text", "unseen_wordings"), ("axes", "year"), ("axes", "rating"),
        ("agreement with neighbours", "genre"), ("agreement with neighbours", "all"),
        ("rank difference to neighbours", "year"), ("rank difference to neighbours", "rating"),
        ("rank difference to neighbours", "all"), ("cold start", "R@1"), ("profile NDCG@5", "everybody"),
        ("profile NDCG@5", "unseen people"), ("speed", "metadata rows"),
    }  # fmt: skip
    assert all(i.low is None or i.low <= i.value <= i.high for i in report.figures.values())
    pictures = {"space-genre.png", "space-year.png", "space-rating.png", "path-year.png", "path-rating.png"}
    assert set(report.pictures) == pictures
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*pictures, "report.json", "report.md"}


def test_equal_seeds_give_equal_figures(trained):
    one, same, other = (run(dataclasses.replace(trained, speed_rows=0, seed=seed)).figures for seed in (1, 1, 2))
    assert one == same and one != other
    assert not any(name.startswith("speed") for name in one)


def test_a_bundle_is_validated_too(trained, tmp_path):
    settings = json.loads((tmp_path / "space" / "contrastive_config.json").read_text())
    (tmp_path / "space" / "contrastive_config.json").unlink()
    (tmp_path / "space" / "config.json").write_text(json.dumps({"configs": {"contrastive": settings}}))
    assert training_settings(tmp_path / "space") == settings
    assert open_subject(trained).holdout.items == 0.4


def test_words_are_compared_by_the_published_encoder(trained, space, tmp_path):
    assert open_subject(trained).raw is space.sentences
    path = tmp_path / "space" / "contrastive_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "text_encoder": "all-minilm-l6-v2"}))
    assert open_subject(trained).raw.name == "all-minilm-l6-v2"


def test_another_catalogue_keeps_the_spaces_ranks(trained, catalog, tmp_path):
    newer = catalog.items.assign(year=catalog.items["year"] + 30)
    type(catalog)(catalog.schema.fit(newer), newer).save(tmp_path / "newer")
    subject = open_subject(dataclasses.replace(trained, catalog=str(tmp_path / "newer")))
    assert subject.catalog.schema.fingerprint() == catalog.schema.fingerprint()
    assert subject.catalog.items["year"].tolist() == newer["year"].tolist()
    assert subject.catalog.interactions is None


def test_a_catalogue_with_other_attributes_is_named(trained, catalog, tmp_path):
    schema = dataclasses.replace(catalog.schema, items={n: catalog.schema.items[n] for n in ("title", "genre")})
    type(catalog)(schema, catalog.items[["title", "genre"]]).save(tmp_path / "poor")
    with pytest.raises(ValueError, match="the catalogue must have the space's item attributes"):
        open_subject(dataclasses.replace(trained, catalog=str(tmp_path / "poor")))


def test_a_space_without_its_settings_is_named(trained, tmp_path):
    (tmp_path / "space" / "contrastive_config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no contrastive_config\.json"):
        open_subject(trained)


def test_the_config_is_the_commands():
    with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
        config = to_object(compose("validate_space"))
    assert (config.pairs, config.speed_rows, config.plane) == (3000, 1_000_000, "umap")


def test_a_space_without_smoothing_is_told_beside(trained, catalog, tmp_path):
    told = run(dataclasses.replace(trained, speed_rows=0, without_smoothing=trained.space)).figures
    for name in [name for name in told if name.startswith("axes/")]:
        assert told[name.replace("axes/", "axes without smoothing/")] == told[name]
    other = tmp_path / "other"
    other.mkdir()
    make_space(
        type(catalog)(catalog.schema.fit(catalog.items.assign(year=catalog.items["year"] + 9)), catalog.items)
    ).save(other)
    with pytest.raises(ValueError, match="without_smoothing must be a space of the same catalogue"):
        run(dataclasses.replace(trained, speed_rows=0, without_smoothing=str(other)))
