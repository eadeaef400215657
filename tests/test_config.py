"""Every YAML composes into its dataclass, and mistakes name themselves before anything runs."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException, HydraException
from omegaconf import MISSING, MissingMandatoryValue, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from talkwalk import config
from talkwalk.config import CONFIG_DIR, SCHEMAS, register, to_object

CONFIGS = Path(CONFIG_DIR)
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
EXPERIMENTS = sorted(path.stem for path in (CONFIGS / "experiment").glob("*.yaml"))
REQUIRED = {  # what only the command line can say
    "catalog": ["dataset=generic", "out=x"],
    "generate": ["out=x.yaml"],
    "music_catalog": ["out=x"],
    "user_profiles": ["catalog=x", "path=x.csv", "out=x"],
}

register()


def composed(name: str, *overrides: str, folder: Path = CONFIGS):
    with initialize_config_dir(str(folder), version_base="1.3"):
        return compose(name, overrides=list(overrides))


def chain(error: BaseException | None) -> str:
    """The messages of an error and its causes."""
    return "" if error is None else f"{error}\n{chain(error.__cause__)}"


@pytest.mark.parametrize("name", NAMES)
def test_every_config_composes(name):
    config = to_object(composed(name, *REQUIRED.get(name, [])))
    assert type(config) is SCHEMAS[name]
    saved = OmegaConf.create(OmegaConf.to_yaml(composed(name, *REQUIRED.get(name, []))))
    assert saved == OmegaConf.create(dataclasses.asdict(config))  # plain YAML, no Python tags


def test_every_schema_has_a_config():
    assert set(NAMES) == set(SCHEMAS)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_composes(name):
    fitting = []
    for base in ("contrastive", "projection", "eval"):
        try:
            fitting.append(to_object(composed(base, f"experiment={name}")))
        except HydraException:  # of another phase
            continue
    assert fitting, f"experiment {name} composes with no config"


@pytest.mark.parametrize("name", NAMES)
def test_a_misspelt_key_names_itself(name, tmp_path):
    with pytest.raises(ConfigCompositionException) as error:
        composed(name, "learning_rat=1")
    assert "learning_rat" in chain(error.value)
    (tmp_path / "mine.yaml").write_text(f"defaults: [{name}_schema, _self_]\nlearning_rat: 1\n")
    with pytest.raises((HydraException, OmegaConfBaseException), match=r"(?s)Key 'learning_rat' not in"):
        composed("mine", folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "override"),
    [
        ("contrastive", "lr=fast"),
        ("contrastive", "epochs=1.5"),
        ("contrastive", "hidden=wide"),
        ("contrastive", "pairs.items=many"),
        ("contrastive", "resume=perhaps"),
        ("projection", "walks.turns=few"),
        ("projection", "weights.delta=[1]"),
        ("projection", "seeds=[a]"),
    ],
)
def test_a_wrong_type_names_itself(name, override):
    with pytest.raises(ConfigCompositionException) as error:
        composed(name, override)
    key = override.split("=")[0]
    assert f"full_key: {key}" in chain(error.value)


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("contrastive", "dim=0", "dim must be positive, got 0"),
        ("contrastive", "lr=-1", "lr must be positive, got -1"),
        ("contrastive", "lr=nan", "lr must be positive, got nan"),
        ("contrastive", "epochs=0", "epochs must be positive, got 0"),
        ("contrastive", "test_pairs=0", "test_pairs must be positive"),
        ("contrastive", "smoothing=-0.5", "smoothing must not be negative, got -0.5"),
        ("contrastive", "text_dropout=2", "text_dropout must be between 0 and 1, got 2"),
        ("contrastive", "hidden=[8]", r"hidden must be two widths, got \[8\]"),
        ("contrastive", "hidden=[0,8]", "hidden must be"),
        ("contrastive", "batch_size=1", "batch_size must be at least 2, got 1"),
        ("contrastive", "seeds=[]", "seeds must name at least one seed"),
        ("contrastive", "seeds=[-1]", "seeds must"),
        ("contrastive", "pairs.users=-1", "users must not be negative, got -1"),
        ("contrastive", "holdout.items=1.5", "items must be between 0 and 1, got 1.5"),
        ("contrastive", "holdout.wordings=-0.1", "wordings must be between 0 and 1, got -0.1"),
        ("projection", "head=round", "head must be 'anchored' or 'absolute', got 'round'"),
        ("projection", "temperature=0", "temperature must be positive, got 0"),
        ("projection", "margin=-1", "margin must not be negative, got -1"),
        ("projection", "dropout=-0.1", "dropout must be between 0 and 1, got -0.1"),
        ("projection", "walks.turns=0", "turns must be positive, got 0"),
        ("projection", "walks.step=1.5", "step must be between 0 and 1, got 1.5"),
        ("projection", "walks.endings=-1", "endings must not be negative, got -1"),
        ("projection", "weights.delta=-1", "delta must not be negative, got -1"),
        ("projection", "context.drop_turns=3", "drop_turns must be between 0 and 1, got 3"),
        ("projection", "seeds=[]", "seeds must name at least one seed"),
        ("eval", "k=0", "k must be positive, got 0"),
        ("eval", "users=-1", "users must not be negative, got -1"),
        ("validate_space", "plane=globe", "plane must be 'umap' or 'pca', got 'globe'"),
        ("validate_space", "pairs=0", "pairs must be positive, got 0"),
        ("validate_space", "speed_rows=-1", "speed_rows must not be negative, got -1"),
        ("music_catalog", "tracks=0", "tracks must be positive, got 0"),
        ("music_catalog", "listeners=-1", "listeners must not be negative, got -1"),
        ("generate", "entity=film", "entity must be 'item' or 'user', got 'film'"),
        ("generate", "out=words.txt", "out must be a .yaml file, got 'words.txt'"),
        ("generate", "candidates=0", "candidates must be positive, got 0"),
        ("index", "items=0", "items must be positive, got 0"),
        ("index", "index.probes=0", "probes must be positive, got 0"),
        ("index", "index.exact_below=-1", "exact_below must not be negative, got -1"),
        ("index", "index.codes=zip", "codes must be 'SQ8', 'SQ6', 'SQ4', or 'PQ' and a number of bytes, got 'zip'"),
    ],
)
def test_an_impossible_value_names_itself(name, override, message):
    with pytest.raises(ValueError, match=message):
        to_object(composed(name, *REQUIRED.get(name, []), override))


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_missing_value_names_itself(name, tmp_path):
    required = [f.name for f in dataclasses.fields(SCHEMAS[name]) if f.default is MISSING]
    (tmp_path / "mine.yaml").write_text(f"defaults: [{name}_schema]\n")
    with pytest.raises(MissingMandatoryValue, match=f"(?:{'|'.join(required)})"):
        to_object(composed("mine", folder=tmp_path))


@pytest.mark.parametrize("name", ["contrastive", "projection"])
def test_overrides_change_only_what_they_say(name):
    before, after = (dataclasses.asdict(to_object(composed(name, *o))) for o in ((), ("seeds=[7]", "lr=0.5")))
    assert after == {**before, "seeds": [7], "lr": 0.5}


DOCUMENTED = [c for c in vars(config).values() if dataclasses.is_dataclass(c) and c.__module__ == config.__name__]


@pytest.mark.parametrize("schema", DOCUMENTED, ids=lambda schema: schema.__name__)
def test_every_setting_says_what_it_means(schema):
    documented = re.findall(r"^ +(\w+): \S", schema.__doc__.partition("Attributes:")[2], flags=re.MULTILINE)
    assert {field.name for field in dataclasses.fields(schema)} <= set(documented)
