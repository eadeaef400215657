"""Trained rivals: each leaves out what its name says, and what is written is a system that the benchmark reads."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from talkwalk.config import ContextDropoutConfig, LossWeights, ProjectionConfig, UtterancesConfig, WalksConfig
from talkwalk.eval import ablation
from talkwalk.eval.ablation import (
    BESIDE,
    IDEAS,
    REMOVABLE,
    VARIANTS,
    Reads,
    Variant,
    chosen,
    folder_of,
    lines,
    settings_of,
    weights_of,
)


@pytest.fixture
def config(tmp_path):
    return ProjectionConfig(
        space="", catalog="", descriptions="", out=str(tmp_path), epochs=1, batch_size=8, lr=1e-3, seeds=[0, 1],
        hidden=16, walks=WalksConfig(simulated=1, real=0, test=1),
    )  # fmt: skip


def test_every_loss_and_idea_is_left_out_once(config):
    assert [v.without for v in VARIANTS if v.name.startswith("without_")] == [(name,) for name in REMOVABLE]
    for name in (f.name for f in dataclasses.fields(LossWeights)):
        weights = dataclasses.asdict(weights_of(Variant("x", without=(name,)), config))
        assert weights == {**dataclasses.asdict(config.weights), name: 0.0}


def test_alone_means_beside_the_target_only(config):
    for name in BESIDE:
        variant = next(v for v in VARIANTS if v.name == f"only_{name}")
        assert [n for n, weight in dataclasses.asdict(weights_of(variant, config)).items() if weight] == [name]
        assert settings_of(variant, config) == config


@pytest.mark.parametrize("name", IDEAS)
def test_an_idea_that_is_left_out_changes_the_settings(name):
    used = ProjectionConfig(
        space="", catalog="", descriptions="", out="", epochs=1, batch_size=8, lr=1e-3,
        context=ContextDropoutConfig(retell=0.7, unheard=0.5), walks=WalksConfig(endings=12, returns=3),
        utterances=UtterancesConfig(rank=16, start="a/bundle", epochs=0),
    )  # fmt: skip
    assert settings_of(Variant("x", without=(name,)), used) != used


def test_the_target_can_be_left_out_too(config):
    assert {"target": 1.0, **dataclasses.asdict(weights_of(Variant("x", without=("target",)), config))}["target"] == 0
    assert "target" not in dataclasses.asdict(weights_of(Variant("x"), config))


def test_the_context_stays_as_it_is_without_its_loss(config):
    context = settings_of(Variant("x", without=("context",)), config).context
    assert (context.drop_turns, context.shuffle_history, context.vary_verbosity) == (0, 0, 0)
    for other in ("swap_anchor", "retell", "unheard"):
        assert getattr(context, other) == getattr(config.context, other)
    assert settings_of(Variant("x"), config) == config


def test_the_founding_head_has_one_loss_and_no_anchor(config):
    variant = next(v for v in VARIANTS if v.name == "absolute_target_only")
    assert settings_of(variant, config).head == "absolute"
    assert set(dataclasses.asdict(weights_of(variant, config)).values()) == {0.0}


def test_a_loss_that_does_not_exist_is_refused(config):
    with pytest.raises(ValueError, match="unknown loss or idea 'directions'"):
        weights_of(Variant("x", without=("directions",)), config)


def test_variants_are_trained_and_written(
    config, monkeypatch, space, catalog, descriptions, language, backend, tmp_path
):
    from talkwalk.eval.rivals.registry import Parts, open_system
    from talkwalk.eval.system import Dialogue
    from talkwalk.projection.losses import no_context_drop
    from talkwalk.projection.train_projection import Material
    from talkwalk.projection.turns import TurnTables
    from talkwalk.projection.walks import Walker, draw_walks
    from tests.conftest import HashedSentences

    walks = draw_walks(Walker(catalog, descriptions, language, config.walks), [], 20, np.random.default_rng(0))
    drops = [no_context_drop(walk.history) for walk in walks]
    table = TurnTables(space, catalog, descriptions, backend).build(walks, drops, np.random.default_rng(0))
    prepared, written = [], []

    def prepare(settings, backend):
        prepared.append(settings)
        tests = {"unseen_wordings": table, "validation_unseen_wordings": table}
        return Material(catalog, space, backend, table, tests, ())

    def write(head, decoder, material, settings, result):
        written.append((settings.out, settings.head, result))

    monkeypatch.setattr(ablation, "prepare", prepare)
    monkeypatch.setattr(ablation, "write_bundle", write)
    chosen = [
        Variant("said", reads=Reads.UTTERANCE),
        Variant("plain", without=("delta", "mentions")),
        Variant("far", "absolute"),
    ]
    figures = ablation.ablate(config, backend, chosen)
    assert len(prepared) == 1  # the conversations are read once
    assert [head for _, head, _ in written] == ["anchored", "anchored", "absolute", "absolute"]
    assert {place.rpartition("/")[2] for place, _, _ in written} == {"plain", "plain_seed1", "far", "far_seed1"}
    assert set(figures) == {"said", "plain", "far"}
    assert 0 <= figures["said"]["unseen_wordings/said/direction"]["value"] <= 1
    system = open_system(str(folder_of(config) / "said" / "head"), Parts("tiny"))
    system.space.sentences = HashedSentences()
    system.fit(catalog)
    assert system.name == "said"
    assert len(system.answer(Dialogue("newer", history=("3",)), 4).ids) == 4
    said = lines(figures, folder_of(config))
    assert said[-1].startswith("systems=[talkwalk,") and "said/head" in said[-1] and "far/bundle" in said[-1]


def test_variants_are_chosen_by_name():
    assert [v.name for v in chosen(["without_items", "utterance_head"])] == ["without_items", "utterance_head"]
    assert chosen([]) == VARIANTS
    with pytest.raises(ValueError, match="unknown variant 'magic'"):
        chosen(["magic"])
