"""The README.md of a bundle, written from the run's own numbers."""

from __future__ import annotations

from typing import Any

from talkwalk.llm.models import KNOWN
from talkwalk.schema import Schema

USE = """```python
from talkwalk import Recommender

rec = Recommender.from_pretrained("{name}")
session = rec.session()
turn = session.say("{wish}")
print(turn.items[0].metadata, turn.explain())
```"""


LEGEND = (
    "*Direction*: share of the steers along an attribute that moved it the way that was asked. *Precision*: movement "
    "of that attribute as a share of all movement. *R@10*: the wanted item is among the first ten. *Oracle*: the "
    "metadata of what was meant, encoded and searched by place alone. *Trained* and *unseen* are the wordings; "
    "conversations are always new."
)


def model_card(settings: dict[str, Any], schema: Schema, license: str, name: str) -> str:
    """Markdown with a YAML head, as the Hub reads it.

    Args:
        settings: What the bundle's config.json holds.
        schema: Of the items and people.
        license: SPDX name.
        name: What `Recommender.from_pretrained` is given to open the bundle.
    """
    llm, head = settings["llm"], settings["head"]
    lines = [
        "---",
        "library_name: talkwalk",
        f"license: {license}",
        f"base_model: {KNOWN[llm['name']].hub if llm['name'] in KNOWN else llm['name']}",
        f"datasets: [{settings['catalog']}]",
        "tags: [recommendation, steering, talkwalk]",
        "---",
        "",
        f"# TalkWalk bundle: {name}",
        "",
        USE.format(name=name, wish=f"recommend a {schema.noun}"),
        "",
        f"- Items: {schema.domain}, by {', '.join(schema.items)}. People: by {', '.join(schema.users) or 'nothing'}.",
        f"- Language model: {llm['name']} ({llm['revision']}), frozen; fingerprint `{llm['fingerprint']}`.",
        f"- Head: {head['kind']}, {head['input_dim']} to {head['dim']} dimensions.",
        "- Made by `make train-contrastive` and `make train-projection` with the configs in `config.json`.",
        "",
    ]
    lines += ["## Figures", "", LEGEND, ""]
    for phase, figures in settings["metrics"].items():
        lines += [
            f"<details><summary>{phase}: {len(figures)} figures</summary>",
            "",
            "| figure | value | lowest seed | highest seed |",
            "|---|---|---|---|",
        ]
        lines += [f"| {n} | {f['value']:.3f} | {f['low']:.3f} | {f['high']:.3f} |" for n, f in figures.items()]
        lines += ["", "</details>", ""]
    lines += [
        "## Limits",
        "",
        "Understands English. Steers along the attributes above; an item may be named by its title or its maker, and "
        "nothing else is known about it. Trained on simulated conversations and on histories told as conversations: "
        "language far from both may be misread.",
        "",
    ]
    return "\n".join(lines)
