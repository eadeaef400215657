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


def model_card(settings: dict[str, Any], schema: Schema, license: str) -> str:
    """Markdown with a YAML head, as the Hub reads it."""
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
        f"# TalkWalk bundle: {settings['catalog']}",
        "",
        USE.format(name=settings["catalog"], wish=f"recommend a {schema.noun}"),
        "",
        f"- Items: {schema.domain}, by {', '.join(schema.items)}. People: by {', '.join(schema.users) or 'nothing'}.",
        f"- Language model: {llm['name']} ({llm['revision']}), frozen; fingerprint `{llm['fingerprint']}`.",
        f"- Head: {head['kind']}, {head['input_dim']} to {head['dim']} dimensions.",
        "- Made by `make train-contrastive` and `make train-projection` with the configs in `config.json`.",
        "",
    ]
    for phase, figures in settings["metrics"].items():
        lines += [
            f"## Figures: {phase}",
            "",
            "| figure | value | lowest seed | highest seed |",
            "|---|---|---|---|",
        ]
        lines += [f"| {n} | {f['value']:.3f} | {f['low']:.3f} | {f['high']:.3f} |" for n, f in figures.items()]
        lines.append("")
    lines += [
        "## Limits",
        "",
        "Understands English. Steers along the attributes above and knows nothing else about an item. Trained on "
        "simulated conversations and on histories told as conversations: language far from both may be misread.",
        "",
    ]
    return "\n".join(lines)
