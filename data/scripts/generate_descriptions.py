"""Paraphrases of the wordings of item or user attributes, by a language model.

python data/scripts/generate_descriptions.py out=FILE.yaml [entity=user] [model=NAME] [endpoint=URL] [limit=N]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import hydra
from omegaconf import DictConfig
from paraphrase import (
    SHOTS,
    Judge,
    Paraphraser,
    Record,
    Source,
    ValueKey,
    generate,
    is_training,
    open_generator,
    report,
)

from talkwalk.config import CONFIG_DIR, GenerateConfig, register, to_object
from talkwalk.contrastive.descriptions import ByValue, load_descriptions
from talkwalk.contrastive.text_encoder import SentenceEncoder
from talkwalk.datasets.resolve import open_catalog
from talkwalk.splits import Split

TASK = (
    "You say phrases about a {noun} in other words. Keep exactly the same meaning, add nothing, and answer with one "
    "short phrase."
)


def sources_of(wordings: ByValue) -> list[Source]:
    """One per wording, with other wordings of the same value as examples; a part of the list serves all values."""
    lists = [(ValueKey(a, v), words) for a, values in wordings.items() for v, words in values.items()]
    longest = max((len(words) for _, words in lists), default=0)
    return [
        Source((key,), words[i], _shots(words, i)) for i in range(longest) for key, words in lists if i < len(words)
    ]


def _shots(words: Sequence[str], index: int) -> tuple[tuple[str, str], ...]:
    """Pairs of the wordings that follow the one at `index`, around the end."""
    others = [*words[index + 1 :], *words[:index]]
    pairs = zip(others[::2], others[1::2], strict=False)
    return tuple(pairs)[:SHOTS]


def file_body(domain: str, entity: str, records: Sequence[Record]) -> dict[str, Any]:
    """The description file of everything that was accepted."""
    attributes: dict[str, dict[str, list[str]]] = {}
    for record in records:
        if record.accepted:
            (key,) = record.values
            attributes.setdefault(key.attribute, {}).setdefault(key.value, []).extend(record.accepted)
    return {"domain": domain, "entity": entity, "attributes": attributes}


def run(config: GenerateConfig) -> list[Record]:
    """Generate, or go on generating, `config.out`."""
    schema = open_catalog(config.catalog).schema
    descriptions = load_descriptions(config.descriptions, schema)
    training = descriptions.part(Split.TRAIN, test=config.holdout_wordings, valid=config.holdout_valid)
    item = config.entity == "item"
    wordings, attributes = (training.items, schema.items) if item else (training.users, schema.users)

    def make(before: Sequence[Record]) -> Paraphraser:
        judge = Judge(wordings, attributes, SentenceEncoder(config.text_encoder), margin=config.margin)
        taken = [*descriptions.all_wordings(), *(w for r in before for w in r.accepted)]
        return Paraphraser(open_generator(config), judge, config, taken)

    sources = [s for s in sources_of(wordings) if is_training(s.wording, config)]
    task = TASK.format(noun=schema.noun if item else f"person who is looking for a {schema.noun}")
    return generate(
        sources, config, task=task, make=make, body=lambda done: file_body(schema.domain, config.entity, done)
    )


@hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name="generate")
def main(cfg: DictConfig) -> None:
    """Generate as the config says."""
    config: GenerateConfig = to_object(cfg)
    print(report(run(config), config))


register()
if __name__ == "__main__":
    main()
