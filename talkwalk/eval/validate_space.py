"""What the space of Phase 1 is like. `make validate-space`, or `python -m talkwalk.eval.validate_space`."""

from __future__ import annotations

import dataclasses
import logging
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import hydra
import numpy as np
from omegaconf import DictConfig

from talkwalk.config import CONFIG_DIR, HoldoutConfig, ValidateSpaceConfig, register, to_object
from talkwalk.contrastive.dataset import Pair
from talkwalk.contrastive.descriptions import Descriptions, load_descriptions
from talkwalk.contrastive.holdout import item_split, user_split
from talkwalk.contrastive.mixture import heldout_pairs
from talkwalk.contrastive.smoothing import ordered_columns
from talkwalk.contrastive.space import Space
from talkwalk.contrastive.text_encoder import SentenceEncoder
from talkwalk.contrastive.validation import axis_paths, axis_rows
from talkwalk.datasets.resolve import open_catalog
from talkwalk.eval.intervals import Interval, bootstrap_mean, point
from talkwalk.eval.people import people
from talkwalk.eval.space_figures import (
    Compared,
    category_agreement,
    found_by_raw_text,
    found_by_text,
    mean_compared,
    names_table,
    neighbours,
    profile_quality,
    rank_difference,
    ratio,
    seconds_per_million,
)
from talkwalk.eval.space_pictures import draw_paths, draw_space, lay_flat
from talkwalk.eval.space_report import SpaceReport
from talkwalk.files import read_json
from talkwalk.index.catalog import Catalog
from talkwalk.splits import Split

log = logging.getLogger(__name__)

Figures = dict[str, Interval]  # "section/row/column" to its figure
WORDINGS = (("trained_wordings", Split.TRAIN), ("unseen_wordings", Split.TEST))


class Subject(NamedTuple):
    """What is looked at.

    Attributes:
        space: The finished space.
        catalog: Items and people, under the space's schema.
        descriptions: All wordings.
        holdout: What training kept for testing.
        trained_on: Name or folder of the catalogue that the space was trained on.
        raw: The sentence encoder as it was published; the space's own may have learned.
        own: Whether the catalogue is the one that the space was trained on.
    """

    space: Space
    catalog: Catalog
    descriptions: Descriptions
    holdout: HoldoutConfig
    trained_on: str
    raw: SentenceEncoder
    own: bool

    def unseen(self) -> np.ndarray:
        """Rows of the items that training did not see: the test part, or of another catalogue all."""
        ids = self.catalog.ids
        test = [i for i, item_id in enumerate(ids) if item_split(item_id, self.holdout) is Split.TEST]
        return np.array(test) if self.own and test else np.arange(len(ids))


def open_subject(config: ValidateSpaceConfig) -> Subject:
    """Read the space, its catalogue and its words.

    Raises:
        FileNotFoundError: If one of them is missing.
        ValueError: If the catalogue's attributes are not the space's.
    """
    folder = Path(config.space)
    space, trained = Space.load(folder), training_settings(folder)
    name = config.catalog or str(trained["catalog"])
    catalog = open_catalog(name)
    ours, theirs = ({a.name: a.kind.value for a in s.items.values()} for s in (space.schema, catalog.schema))
    if ours != theirs:
        raise ValueError(f"the catalogue must have the space's item attributes {ours}, {name} has {theirs}")
    users = catalog.users if set(catalog.users) <= set(space.schema.users) else None
    words = load_descriptions(config.descriptions or folder / "descriptions", space.schema)
    under = Catalog(space.schema, catalog.items, users, catalog.interactions)
    raw = space.sentences
    if raw.name != trained["text_encoder"]:
        raw = SentenceEncoder(trained["text_encoder"])
    own = name == str(trained["catalog"])
    return Subject(space, under, words, HoldoutConfig(**trained["holdout"]), str(trained["catalog"]), raw, own)


def training_settings(folder: Path) -> dict[str, Any]:
    """Phase 1's settings, from a space's folder or a bundle's."""
    if (folder / "contrastive_config.json").is_file() or not (folder / "config.json").is_file():
        return read_json(folder / "contrastive_config.json")
    return dict(read_json(folder / "config.json")["configs"]["contrastive"])


def measure(subject: Subject, config: ValidateSpaceConfig) -> Figures:
    """Every figure that the catalogue and the words allow."""
    figures = text_figures(subject, config) | axis_figures(subject, config) | neighbour_figures(subject, config)
    figures |= cold_start_figures(subject, config) | profile_figures(subject, config)
    if config.speed_rows:
        seconds = seconds_per_million(subject.space, subject.catalog, config.speed_rows)
        figures["speed/metadata rows/seconds per million"] = point(seconds, config.speed_rows)
    return figures


def text_figures(subject: Subject, config: ValidateSpaceConfig) -> Figures:
    """R@1 of held-out pairs in the space, and of the bare sentence encoder on the same pairs."""
    figures: Figures = {}
    for name, split in WORDINGS:
        pairs = drawn_pairs(subject, subject.catalog, config, wordings=split, rows=Split.TEST)
        ours = found_by_text(subject.space, pairs)
        raw = found_by_raw_text(subject.raw, subject.space.schema, pairs)
        figures[f"text/{name}/space"] = bootstrap_mean(ours, seed=config.seed)
        figures[f"text/{name}/raw sentences"] = bootstrap_mean(raw, seed=config.seed)
        figures[f"text/{name}/times raw"] = ratio(ours, raw, seed=config.seed)
    return figures


def drawn_pairs(
    subject: Subject, catalog: Catalog, config: ValidateSpaceConfig, *, wordings: Split, rows: Split
) -> list[Pair]:
    """Pairs of the items and people of one split, as Phase 1's own test draws them."""
    rng = np.random.default_rng([config.seed, 1])
    return heldout_pairs(
        catalog, subject.descriptions, subject.holdout, rng, wordings=wordings, rows=rows, count=config.pairs
    )


def axis_figures(subject: Subject, config: ValidateSpaceConfig) -> Figures:
    """How every ordered attribute runs through the space."""
    figures: Figures = {}
    spaces = {"axes": subject.space}
    if config.without_smoothing:
        spaces["axes without smoothing"] = same_schema(Space.load(Path(config.without_smoothing)), subject.space)
    for section, space in spaces.items():
        for axis, paths in swept(subject._replace(space=space), config.rows, config.seed).items():
            for name, values in axis_rows(paths)._asdict().items():
                figures[f"{section}/{axis}/{name.replace('_', ' ')}"] = bootstrap_mean(values, seed=config.seed)
    return figures


def same_schema(space: Space, other: Space) -> Space:
    """`space`, if it was trained for the attributes of the other one.

    Raises:
        ValueError: If it was not.
    """
    if space.schema.fingerprint() != other.schema.fingerprint():
        raise ValueError("without_smoothing must be a space of the same catalogue, got one of another schema")
    return space


def swept(subject: Subject, count: int, seed: int) -> dict[str, np.ndarray]:
    """Per ordered attribute, paths of some items with it swept from 0 to 1, (items, 21, dim)."""
    schema = subject.space.schema
    rows = some(subject.unseen(), count, seed)
    features = schema.featurize(items=subject.catalog.items.iloc[rows]).joined()
    columns = ordered_columns(schema)[: len(schema.ordered)]  # item attributes come first
    encode = subject.space.metadata.encode
    return {a.name: axis_paths(encode, features, c) for a, c in zip(schema.ordered, columns, strict=True)}


def some(rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """At most `count` of the rows, increasing."""
    return np.sort(np.random.default_rng([seed, 2]).permutation(rows)[:count])


def neighbour_figures(subject: Subject, config: ValidateSpaceConfig) -> Figures:
    """What an item shares with its neighbours, beside what it shares with all items."""
    catalog, schema = subject.catalog, subject.space.schema
    asked = some(subject.unseen(), config.asked, config.seed)
    near = neighbours(subject.space.encode_items(catalog.items), asked, config.k)
    same = {a.name: category_agreement(names_table(catalog, a.name), asked, near) for a in schema.categorical}
    apart = {a.name: rank_difference(catalog.ranks(a.name).to_numpy(), asked, near) for a in schema.ordered}
    figures: Figures = {}
    for section, by_name in (("agreement with neighbours", same), ("rank difference to neighbours", apart)):
        if by_name:
            by_name = {**by_name, "all": mean_compared(list(by_name.values()))}
        for name, compared in by_name.items():
            figures |= {f"{section}/{name}/{c}": i for c, i in _against_random(compared, config.seed).items()}
    return figures


def _against_random(compared: Compared, seed: int) -> Figures:
    known = compared.known()
    if not len(known.near):
        return {}
    means = {name: bootstrap_mean(values, seed=seed) for name, values in known._asdict().items()}
    return {**means, "times random": ratio(known.near, known.random, seed=seed)}


def cold_start_figures(subject: Subject, config: ValidateSpaceConfig) -> Figures:
    """R@1 of items that training never saw, and of as many that it saw, in trained wordings.

    Of another catalogue than the one that was trained on all items are new: there is nothing to set them against.
    """
    if not subject.own:
        return {}
    things = Catalog(subject.space.schema, subject.catalog.items)  # without people: pairs of items only
    drawn = [
        drawn_pairs(subject, things, config, wordings=Split.TRAIN, rows=rows) for rows in (Split.TEST, Split.TRAIN)
    ]
    count = min(map(len, drawn))
    if not count:
        return {}
    found = [found_by_text(subject.space, pairs[:count]) for pairs in drawn]
    columns = dict(zip(("unseen items", "trained items"), found, strict=True))
    figures = {f"cold start/R@1/{name}": bootstrap_mean(values, seed=config.seed) for name, values in columns.items()}
    return {**figures, "cold start/R@1/ratio": ratio(*found, seed=config.seed)}


def profile_figures(subject: Subject, config: ValidateSpaceConfig) -> Figures:
    """What a profile alone says about the next item, beside popularity."""
    everybody = [person for person in people(subject.catalog) if person.profile]
    unseen = [person for person in everybody if user_split(person.user_id, subject.holdout) is Split.TEST]
    figures: Figures = {}
    for name, persons in (("everybody", everybody), ("unseen people", unseen)):
        if persons:
            quality = profile_quality(subject.space, subject.catalog, persons, k=config.k)
            columns = {**quality._asdict(), "difference": quality.space - quality.popularity}
            for column, values in columns.items():
                figures[f"profile NDCG@{config.k}/{name}/{column}"] = bootstrap_mean(values, seed=config.seed)
    return figures


def draw_pictures(subject: Subject, config: ValidateSpaceConfig, out: Path) -> list[str]:
    """Write every picture; returns their file names."""
    catalog, schema, names = subject.catalog, subject.space.schema, []
    rows = some(np.arange(len(catalog)), config.shown, config.seed)
    flat = lay_flat(subject.space.encode_items(catalog.items.iloc[rows]), config.plane, seed=config.seed)
    for attribute in (*schema.categorical, *schema.ordered):
        names.append(f"space-{_file_name(attribute.name)}.png")
        draw_space(flat, catalog, rows, attribute.name, out / names[-1])
    titles = _titles(catalog, some(subject.unseen(), config.paths, config.seed))
    for axis, paths in swept(subject, config.paths, config.seed).items():
        names.append(f"path-{_file_name(axis)}.png")
        draw_paths(paths, titles, axis, out / names[-1])
    return names


def _titles(catalog: Catalog, rows: np.ndarray) -> list[str]:
    title = catalog.schema.title
    return [str(catalog.items[title].iloc[i] if title else catalog.ids[i])[:30] for i in rows]


def _file_name(attribute: str) -> str:
    return re.sub(r"\W+", "-", attribute)


def run(config: ValidateSpaceConfig) -> SpaceReport:
    """Measure and draw, and write everything into `config.out`."""
    started, out = time.perf_counter(), Path(config.out)
    subject = open_subject(config)
    told: Mapping[str, str] = {
        "space": config.space,
        "trained on": subject.trained_on,
        "catalogue": config.catalog or subject.trained_on,
    }
    figures = measure(subject, config)
    report = SpaceReport(told, dataclasses.asdict(config), figures, [], time.perf_counter() - started)
    report.save(out)  # a picture that cannot be drawn must not cost the figures
    pictures = draw_pictures(subject, config, out)
    report = dataclasses.replace(report, pictures=pictures, seconds=time.perf_counter() - started)
    report.save(out)
    return report


@hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name="validate_space")
def main(cfg: DictConfig) -> None:
    """Measure, print the tables, write report.json, report.md and the pictures."""
    config: ValidateSpaceConfig = to_object(cfg)
    sys.stdout.write(run(config).text())
    log.info("written to %s", config.out)


register()
if __name__ == "__main__":
    main()
