"""What training kept for testing: wordings, people, and simulated conversations as every system is told them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from talkwalk.bundle import Bundle
from talkwalk.config import HoldoutConfig, WalksConfig
from talkwalk.contrastive.descriptions import Descriptions, load_descriptions
from talkwalk.eval.system import Dialogue, Said
from talkwalk.index.catalog import Catalog
from talkwalk.projection.steering_language import SteeringLanguage, load_steering
from talkwalk.projection.steps import Step
from talkwalk.projection.walks import Walk, Walker, draw_walks, profiles
from talkwalk.splits import Split

TRAINED, UNSEEN = "trained_wordings", "unseen_wordings"


class Words(NamedTuple):
    """What people say: wordings of one split."""

    descriptions: Descriptions
    language: SteeringLanguage


@dataclass(frozen=True, slots=True)
class Unseen:
    """What training kept for testing, and how conversations are drawn.

    Attributes:
        holdout: The bundle's shares.
        walks: The bundle's walks.
        words: Wordings by name: "trained_wordings", "unseen_wordings".
    """

    holdout: HoldoutConfig
    walks: WalksConfig
    words: Mapping[str, Words]


def split_words(descriptions: Descriptions, language: SteeringLanguage, holdout: HoldoutConfig) -> dict[str, Words]:
    """Trained and unseen wordings, split by the bundle's own hash."""
    test, valid = holdout.wordings, holdout.valid
    return {
        name: Words(descriptions.part(split, test=test, valid=valid), language.part(split, test=test, valid=valid))
        for name, split in ((TRAINED, Split.TRAIN), (UNSEEN, Split.TEST))
    }


def unseen_by(bundle: Bundle, catalog: Catalog, descriptions: str | Path) -> Unseen:
    """What a bundle's training kept for testing.

    Args:
        bundle: Says what was held out.
        catalog: Whose attributes the words are about.
        descriptions: Folder of description files; empty for the bundle's own copy.

    Raises:
        ValueError: If the bundle does not say, or has no descriptions when they are asked of it.
    """
    folder = Path(descriptions) if str(descriptions) else bundle.folder and bundle.folder / "descriptions"
    if not folder:
        raise ValueError("descriptions must be a folder: this bundle was not opened from one, it has no copy")
    holdout = HoldoutConfig(**_setting(bundle.configs, "contrastive", "holdout"))
    walks = WalksConfig(**_setting(bundle.configs, "projection", "walks"))
    schema = catalog.schema
    words = split_words(load_descriptions(folder, schema), load_steering(folder, schema), holdout)
    return Unseen(holdout, walks, words)


def _setting(configs: Mapping[str, Any], phase: str, name: str) -> dict[str, Any]:
    try:
        return dict(configs[phase][name])
    except KeyError:
        raise ValueError(
            f"the bundle does not hold {phase}.{name} of its training: what it has not seen is unknown"
        ) from None


def unseen_walks(
    catalog: Catalog, words: Words, unseen: Unseen, count: int, rng: np.random.Generator, *, wish: bool = False
) -> list[Walk]:
    """Conversations of people that training did not see, over all items; with `wish` they are one wish long."""
    walker = Walker(catalog, words.descriptions, words.language, unseen.walks)
    return draw_walks(walker, profiles(catalog, unseen.holdout, Split.TEST), count, rng, wish=wish)


class Case(NamedTuple):
    """One turn of a simulated conversation as a system is told it.

    Attributes:
        key: Names it, the same for every system.
        dialogue: The turns before, each answered by the item that the walk recommends, and what is said now.
        step: What is meant.
        seen: Ids had or shown before.
        start: The item that the turn starts from; None at a beginning without history.
    """

    key: str
    dialogue: Dialogue
    step: Step
    seen: frozenset[str]
    start: str | None


def cases(walks: Sequence[Walk]) -> list[Case]:
    """Every turn of every walk; what was recommended before is given, so that all systems stand at the same item."""
    found = []
    for number, walk in enumerate(walks):
        for turn, step in enumerate(walk.steps):
            told = tuple(Said(s.utterance, (s.target,)) for s in walk.steps[:turn])
            dialogue = Dialogue(step.utterance, walk.user, walk.history, told)
            found.append(Case(f"{number}:{turn}", dialogue, step, dialogue.seen, dialogue.stand))
    return found
