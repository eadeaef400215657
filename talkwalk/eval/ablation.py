"""Trained rivals: our head without the language model, without the anchor, and without each loss in turn.

`python -m talkwalk.eval.ablation space=FOLDER out=runs/ablation` takes the settings of Phase 2 and prints which folders
the benchmark then reads: `python -m talkwalk.eval.benchmark 'systems=[talkwalk,runs/ablation/utterance_head,...]'`.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import hydra
import torch
from omegaconf import DictConfig

from talkwalk.config import CONFIG_DIR, ContextDropoutConfig, LossWeights, ProjectionConfig, register, to_object
from talkwalk.contrastive.space import pick_device
from talkwalk.eval.rivals.utterance_head import save_utterance_head
from talkwalk.files import write_json
from talkwalk.llm.language_model import HiddenStateBackend, LanguageModel
from talkwalk.projection.anchor_decoder import AnchorDecoder
from talkwalk.projection.projection_head import AbsoluteHead, AnchoredHead
from talkwalk.projection.train_projection import (
    Material,
    evaluate_all,
    fit,
    fresh_head,
    prepare,
    settle,
    write_bundle,
)
from talkwalk.projection.turns import TurnTable
from talkwalk.runlog import summary
from talkwalk.schema import unknown

Head = AbsoluteHead | AnchoredHead


class Reads(str, Enum):
    """What a head is told of a turn."""

    CONVERSATION = "conversation"  # both
    UTTERANCE = "utterance"  # what the text side of the space makes of what is said now
    STATE = "state"  # the language model's state alone


@dataclass(kw_only=True, slots=True)
class NoTarget(LossWeights):
    """Weights that also leave the target similarity out, whose weight is otherwise 1."""

    target: float = 0.0


@dataclass(frozen=True, slots=True)
class Variant:
    """One head to train.

    Attributes:
        name: Of its folder, and of the system in the benchmark.
        head: "anchored" or "absolute"; empty for the configured one.
        without: Losses that are left out, by their names in `LossWeights`, "target" or "context".
        reads: What it is told.
    """

    name: str
    head: str = ""
    without: tuple[str, ...] = ()
    reads: Reads = Reads.CONVERSATION


ALL_BUT_TARGET = tuple(f.name for f in dataclasses.fields(LossWeights))
LOSSES = ("target", *ALL_BUT_TARGET, "context")
VARIANTS = [
    Variant("utterance_head", "anchored", reads=Reads.UTTERANCE),
    Variant("state_head", "anchored", reads=Reads.STATE),
    Variant("absolute_target_only", "absolute", (*ALL_BUT_TARGET, "context")),
    *(Variant(f"without_{loss}", without=(loss,)) for loss in LOSSES),
]


@dataclass(slots=True)
class Workshop:
    """Trains variants; the conversations are drawn and read once for all that share a context.

    Attributes:
        config: Phase 2's settings.
        backend: The language model.
        materials: What was prepared so far, by whether the context is altered.
    """

    config: ProjectionConfig
    backend: HiddenStateBackend
    materials: dict[bool, Material] = field(default_factory=dict)

    def material(self, variant: Variant) -> Material:
        """Training and test turns as the variant reads them."""
        altered = "context" not in variant.without
        if altered not in self.materials:
            self.materials[altered] = prepare(settings_of(variant, self.config), self.backend)
        found = self.materials[altered]
        if variant.reads is not Reads.UTTERANCE:
            return found
        tests = {name: self._as_utterances(table) for name, table in found.tests.items()}
        return dataclasses.replace(found, train=self._as_utterances(found.train), tests=tests)

    def _as_utterances(self, table: TurnTable) -> TurnTable:
        """The same turns, of which a head is told what the text side makes of the bare words."""
        width = table.sentence.stop - table.sentence.start
        return dataclasses.replace(table, states=table.states[:, self.backend.dim :], sentence=slice(0, width))

    def train(self, variant: Variant, seed: int, folder: Path) -> dict[str, float]:
        """Train one head and write it into `folder`; figures on unseen conversations."""
        config, material = settings_of(variant, self.config), self.material(variant)
        torch.manual_seed(seed)
        head = fresh_head(config.head, material, config)
        decoder = AnchorDecoder(material.space.dim, material.space.shape["sentence_dim"])
        if variant.reads is Reads.STATE:
            head.norm.spread[self.backend.dim :] = torch.inf  # what is divided by it is not read
        swaps = material.swaps if config.head == "anchored" else ()
        fit(head, decoder, material.train, config, weights_of(variant, config), seed, folder / "run", swaps)
        settle(head, material)
        found = evaluate_all(material, {variant.name: head})
        if variant.reads is Reads.UTTERANCE:
            save_utterance_head(
                head, material.space, folder / "head", name=variant.name, kind=config.head, hidden=config.hidden,
                dropout=config.dropout,
            )  # fmt: skip
        else:
            here = dataclasses.replace(config, out=str(folder), ship="")
            write_bundle(head, decoder, material, here, summary([found]))
        return found


def settings_of(variant: Variant, config: ProjectionConfig) -> ProjectionConfig:
    """Phase 2's settings for one variant."""
    context = config.context
    if "context" in variant.without:
        context = ContextDropoutConfig(
            drop_turns=0, shuffle_history=0, vary_verbosity=0, swap_anchor=context.swap_anchor
        )
    if variant.reads is not Reads.CONVERSATION:  # who reads one thing only cannot do without it
        context = dataclasses.replace(context, unheard=0.0)
    return dataclasses.replace(config, head=variant.head or config.head, context=context)


def weights_of(variant: Variant, config: ProjectionConfig) -> LossWeights:
    """The losses' weights for one variant.

    Raises:
        ValueError: If it leaves out a loss that does not exist.
    """
    for name in variant.without:
        if name not in LOSSES:
            raise ValueError(unknown("loss", name, LOSSES))
    kept = {
        name: 0.0 if name in variant.without else value for name, value in dataclasses.asdict(config.weights).items()
    }
    return NoTarget(**kept) if "target" in variant.without else LossWeights(**kept)


def ablate(
    config: ProjectionConfig, backend: HiddenStateBackend, variants: Sequence[Variant] = tuple(VARIANTS)
) -> dict[str, dict[str, dict[str, float]]]:
    """Train every variant with every seed.

    Returns:
        Per variant its figures with the spread over the seeds, see `train_contrastive.summary`.
    """
    workshop, out = Workshop(config, backend), Path(config.out)
    figures = {}
    for variant in variants:
        runs = []
        for seed in config.seeds:
            folder = out / (variant.name if seed == config.seeds[0] else f"{variant.name}_seed{seed}")
            runs.append(workshop.train(variant, seed, folder))
        figures[variant.name] = summary(runs)
        write_json(out / "ablation.json", figures)
    return figures


def chosen(names: Sequence[str]) -> list[Variant]:
    """Variants by name; all for no names.

    Raises:
        ValueError: If one does not exist.
    """
    by_name = {variant.name: variant for variant in VARIANTS}
    for name in names:
        if name not in by_name:
            raise ValueError(unknown("variant", name, by_name))
    return [by_name[name] for name in names] or list(VARIANTS)


def lines(figures: dict[str, dict[str, dict[str, float]]], out: Path) -> list[str]:
    """The table of the figures, and where the systems are."""
    shown = ("direction", "precision", "r10")
    rows = [f"{'variant':24}{'wordings':20}" + "".join(f"{name:>26}" for name in shown)]
    for variant, found in figures.items():
        for wordings in ("trained_wordings", "unseen_wordings"):
            cells = [found.get(f"{wordings}/{variant}/{name}") for name in shown]
            told = [f"{c['value']:.3f} ({c['low']:.3f} to {c['high']:.3f})" if c else "n/a" for c in cells]
            rows.append(f"{variant:24}{wordings:20}" + "".join(f"{cell:>26}" for cell in told))
    folders = [out / name / ("head" if (out / name / "head").is_dir() else "bundle") for name in figures]
    return [*rows, "", f"systems=[talkwalk,{','.join(map(str, folders))}]"]


@hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name="projection")
def main(cfg: DictConfig) -> None:
    """Train every variant with the settings of Phase 2."""
    config: ProjectionConfig = to_object(cfg)
    backend = LanguageModel.load(config.llm, device=pick_device(config.device))
    figures = ablate(config, backend, chosen(config.variants))
    sys.stdout.write("\n".join([*lines(figures, Path(config.out)), ""]))


register()
if __name__ == "__main__":
    main()
