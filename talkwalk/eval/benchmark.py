"""Measure a bundle. `make benchmark`, or `python -m talkwalk.eval.benchmark quick=true`."""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig

from talkwalk.config import CONFIG_DIR, EvalConfig, HoldoutConfig, WalksConfig, register, to_object
from talkwalk.contrastive.descriptions import load_descriptions
from talkwalk.engine.recommender import Recommender
from talkwalk.eval.measure import Amounts, measure
from talkwalk.eval.report import Report
from talkwalk.eval.unseen import Unseen, split_words
from talkwalk.projection.steering_language import load_steering

log = logging.getLogger(__name__)


def amounts_of(config: EvalConfig) -> Amounts:
    """How much is measured, by whether it must be quick."""
    if config.quick:
        sizes = (config.quick_conversations, config.quick_sessions, config.quick_users)
    else:
        sizes = (config.conversations, config.sessions, config.users)
    conversations, sessions, users = sizes
    return Amounts(conversations, sessions, users, config.clusters, config.k, config.seed)


def unseen_by(recommender: Recommender, descriptions: str | Path) -> Unseen:
    """What the bundle's training kept for testing.

    Args:
        recommender: Whose bundle says what was held out.
        descriptions: Folder of description files; empty for the bundle's own copy.

    Raises:
        ValueError: If the bundle does not say, or has no descriptions when they are asked of it.
    """
    bundle = recommender.bundle
    folder = Path(descriptions) if str(descriptions) else bundle.folder and bundle.folder / "descriptions"
    if not folder:
        raise ValueError("descriptions must be a folder: this bundle was not opened from one, it has no copy")
    holdout = HoldoutConfig(**_setting(bundle.configs, "contrastive", "holdout"))
    walks = WalksConfig(**_setting(bundle.configs, "projection", "walks"))
    schema = recommender.catalog.schema
    words = split_words(load_descriptions(folder, schema), load_steering(folder, schema), holdout)
    return Unseen(holdout, walks, words)


def _setting(configs: dict[str, Any], phase: str, name: str) -> dict[str, Any]:
    try:
        return dict(configs[phase][name])
    except KeyError:
        raise ValueError(
            f"the bundle does not hold {phase}.{name} of its training: what it has not seen is unknown"
        ) from None


def run(recommender: Recommender, unseen: Unseen, config: EvalConfig) -> Report:
    """Measure everything."""
    started = time.perf_counter()
    figures = measure(recommender, unseen, amounts_of(config))
    bundle = recommender.bundle
    subject = {"bundle": config.bundle, "llm": bundle.llm.name, "catalogue": config.catalog or bundle.catalog}
    return Report(subject, asdict(config), figures, time.perf_counter() - started)


@hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name="eval")
def main(cfg: DictConfig) -> None:
    """Measure, print the table, write report.json and report.md."""
    config: EvalConfig = to_object(cfg)
    recommender = Recommender.from_pretrained(config.bundle, catalog=config.catalog or None)
    report = run(recommender, unseen_by(recommender, config.descriptions), config)
    report.save(Path(config.out))
    sys.stdout.write(report.text())
    log.info("written to %s", config.out)


register()
if __name__ == "__main__":
    main()
