"""Wordings for combinations of user attributes, by a language model: more for known ones, first ones for new ones.

python data/scripts/generate_composites.py out=FILE.yaml [combinations=N] [model=NAME] [endpoint=URL] [limit=N]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

import hydra
import numpy as np
from omegaconf import DictConfig
from paraphrase import SHOTS, Judge, Paraphraser, Record, Source, ValueKey, generate, open_generator, report

from talkwalk.config import CONFIG_DIR, GenerateConfig, register, to_object
from talkwalk.contrastive.descriptions import ByValue, Composite, Descriptions, load_descriptions
from talkwalk.contrastive.text_encoder import SentenceEncoder
from talkwalk.datasets.resolve import open_catalog
from talkwalk.index.catalog import Catalog
from talkwalk.llm.prompt_text import user_text
from talkwalk.schema import Kind, Schema
from talkwalk.splits import Split

TASK = "You describe a person who is looking for a {noun}, from facts, in one short phrase. Use every fact, add none."


def values_of(when: Mapping[str, Any], wordings: ByValue) -> tuple[ValueKey, ...]:
    """The parts of a combination; empty if one has no wordings to be compared with."""
    keys = tuple(ValueKey(name, str(value)) for name, value in when.items())
    return keys if all(wordings.get(key.attribute, {}).get(key.value) for key in keys) else ()


def known_sources(words: Descriptions, schema: Schema) -> list[Source]:
    """One per wording of a known combination: to be said in other words."""
    return [
        Source(values, wording, _shots(words.composites, schema, position))
        for position, composite in enumerate(words.composites)
        if (values := values_of(composite.when, words.users))
        for wording in composite.wordings
    ]


def new_sources(words: Descriptions, catalog: Catalog, count: int, seed: int) -> list[Source]:
    """`count` pairs of described values that no composite has and that the catalogue's users do not rule out."""
    known = {frozenset(values_of(c.when, words.users)) for c in words.composites}
    pairs = [pair for pair in _pairs(words.users, catalog.schema) if frozenset(pair) not in known]
    rng = np.random.default_rng(seed)
    drawn = [pairs[i] for i in rng.permutation(len(pairs))]
    possible = [pair for pair in drawn if not _ruled_out(pair, catalog)][:count]
    return [
        Source(pair, user_text(dict(pair), catalog.schema), _shots(words.composites, catalog.schema, position))
        for position, pair in enumerate(possible)
    ]


def _pairs(wordings: ByValue, schema: Schema) -> list[tuple[ValueKey, ValueKey]]:
    """All pairs of values of two attributes with names; in a stable order."""
    named = [
        [ValueKey(a, v) for v in values] for a, values in wordings.items() if schema.users[a].kind is Kind.CATEGORY
    ]
    return [pair for first, second in combinations(named, 2) for pair in product(first, second)]


def _ruled_out(pair: tuple[ValueKey, ValueKey], catalog: Catalog) -> bool:
    """Whether the table of users knows both attributes and nobody has both values, such as a retired teenager."""
    columns = [catalog.users[key.attribute] for key in pair]
    if not len(catalog.users) or any(column.isna().all() for column in columns):
        return False
    return not ((columns[0] == pair[0].value) & (columns[1] == pair[1].value)).any()


def _shots(composites: Sequence[Composite], schema: Schema, start: int) -> tuple[tuple[str, str], ...]:
    """Facts and wordings of the composites behind `start`, around the end, which is not one of them."""
    around = [composites[(start + i) % len(composites)] for i in range(1, min(SHOTS, len(composites) - 1) + 1)]
    return tuple((user_text(c.when, schema), c.wordings[start % len(c.wordings)]) for c in around)


def file_body(domain: str, records: Sequence[Record]) -> dict[str, Any]:
    """The description file of everything that was accepted."""
    by_values: dict[tuple[ValueKey, ...], list[str]] = {}
    for record in records:
        if record.accepted:
            by_values.setdefault(record.values, []).extend(record.accepted)
    return {"domain": domain, "composites": [{"when": dict(v), "wordings": w} for v, w in by_values.items()]}


def run(config: GenerateConfig) -> list[Record]:
    """Generate, or go on generating, `config.out`."""
    catalog = open_catalog(config.catalog)
    schema = catalog.schema
    descriptions = load_descriptions(config.descriptions, schema)
    words = descriptions.part(Split.TRAIN, test=config.holdout_wordings, valid=config.holdout_valid)

    def make(before: Sequence[Record]) -> Paraphraser:
        judge = Judge(words.users, schema.users, SentenceEncoder(config.text_encoder), margin=config.margin)
        taken = [*descriptions.all_wordings(), *(w for r in before for w in r.accepted)]
        return Paraphraser(open_generator(config), judge, config, taken)

    sources = [*new_sources(words, catalog, config.combinations, config.seed), *known_sources(words, schema)]
    task = TASK.format(noun=schema.noun)
    return generate(sources, config, task=task, make=make, body=lambda done: file_body(schema.domain, done))


@hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name="generate")
def main(cfg: DictConfig) -> None:
    """Generate as the config says."""
    config: GenerateConfig = to_object(cfg)
    print(report(run(config), config))


register()
if __name__ == "__main__":
    main()
