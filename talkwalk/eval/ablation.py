"""Trained rivals: our head without the language model, without the anchor, and without each loss and idea in turn.

`python -m talkwalk.eval.ablation` takes the settings of Phase 2 and the sentence encoder that they name: a bundle's, or
what `make train-projection` left in its run folder. It writes the heads beside it, and prints which folders the
benchmark then reads:
`python -m talkwalk.eval.benchmark 'systems=[talkwalk,runs/projection/ablation/utterance_head/head,...]'`.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import hydra
import torch
from omegaconf import DictConfig

from talkwalk.config import CONFIG_DIR, LossWeights, ProjectionConfig, register, to_object
from talkwalk.eval.rivals.utterance_head import save_utterance_head
from talkwalk.files import write_json
from talkwalk.llm.language_model import HiddenStateBackend, LanguageModel
from talkwalk.modules import pick_device
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


class Reads(StrEnum):
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
        without: What is left out: names of `LOSSES`, of `IDEAS`, or "mentions".
        reads: What it is told.
    """

    name: str
    head: str = ""
    without: tuple[str, ...] = ()
    reads: Reads = Reads.CONVERSATION


ALL_BUT_TARGET = tuple(f.name for f in dataclasses.fields(LossWeights))
LOSSES = ("target", *ALL_BUT_TARGET)
MENTIONS = "mentions"  # which categories the words name, letter by letter


def _context(**values: float) -> Callable[[ProjectionConfig], ProjectionConfig]:
    return lambda config: dataclasses.replace(config, context=dataclasses.replace(config.context, **values))


# What the settings are without an idea that is no loss; context dropout among them.
IDEAS: dict[str, Callable[[ProjectionConfig], ProjectionConfig]] = {
    "context": _context(drop_turns=0, shuffle_history=0, vary_verbosity=0),
    "swap_anchor": _context(swap_anchor=0),
    "retell": _context(retell=0),
    "unheard": _context(unheard=0),
    "adapted": lambda config: dataclasses.replace(
        config, utterances=dataclasses.replace(config.utterances, rank=0, start="")
    ),
    "endings": lambda config: dataclasses.replace(
        config, walks=dataclasses.replace(config.walks, endings=1, returns=0)
    ),
}  # fmt: skip
BESIDE = ("direction", "reconstruct", "delta", "items", "moves")  # also tried beside the target's loss alone
REMOVABLE = (*LOSSES, *IDEAS, MENTIONS)


def _all_but(*kept: str) -> tuple[str, ...]:
    """The losses that are left out so that the target's and these are kept; contexts are altered all the same."""
    return tuple(name for name in ALL_BUT_TARGET if name not in kept)


VARIANTS = [
    Variant("default"),
    Variant("utterance_head", "anchored", reads=Reads.UTTERANCE),
    Variant("state_head", "anchored", reads=Reads.STATE),
    Variant("absolute", "absolute"),
    Variant("absolute_target_only", "absolute", _all_but()),
    Variant("target_only", without=_all_but()),
    *(Variant(f"only_{name}", without=_all_but(name)) for name in BESIDE),
    *(Variant(f"without_{name}", without=(name,)) for name in REMOVABLE),
]


@dataclass(slots=True)
class Workshop:
    """Trains variants; the conversations are drawn and read once for all that share a context.

    Attributes:
        config: Phase 2's settings.
        backend: The language model.
        materials: What was prepared so far, by the settings that it depends on.
    """

    config: ProjectionConfig
    backend: HiddenStateBackend
    materials: dict[str, Material] = field(default_factory=dict)

    def material(self, variant: Variant) -> Material:
        """Training and test turns as the variant reads them."""
        settings = settings_of(variant, self.config)
        context = settings.context
        told = repr((settings.walks, settings.utterances, context.drop_turns, context.shuffle_history,
                     context.vary_verbosity))  # fmt: skip
        if told not in self.materials:
            self.materials = {told: prepare(settings, self.backend)}  # the one before is needed no more
        found = self.materials[told]
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
        if MENTIONS in variant.without:
            head.norm.spread[head.norm.named :] = torch.inf
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
    for name in variant.without:
        if name in IDEAS:
            config = IDEAS[name](config)
    if variant.reads is not Reads.CONVERSATION:  # who reads one thing only cannot do without it
        config = _context(unheard=0.0)(config)
    return dataclasses.replace(config, head=variant.head or config.head)


def weights_of(variant: Variant, config: ProjectionConfig) -> LossWeights:
    """The losses' weights for one variant.

    Raises:
        ValueError: If it leaves out what does not exist.
    """
    for name in variant.without:
        if name not in REMOVABLE:
            raise ValueError(unknown("loss or idea", name, REMOVABLE))
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
    workshop, out = Workshop(config, backend), folder_of(config)
    figures = {}
    for variant in variants:
        runs = []
        for seed in config.seeds:
            folder = out / (variant.name if seed == config.seeds[0] else f"{variant.name}_seed{seed}")
            runs.append(workshop.train(variant, seed, folder))
        figures[variant.name] = summary(runs)
        write_json(out / "ablation.json", figures)
    return figures


def folder_of(config: ProjectionConfig) -> Path:
    """Where the variants are written: beside the run whose adapted sentence encoder they hear."""
    return Path(config.out) / "ablation"


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
    shown = ("direction", "precision", "r10", "wish_r10")
    rows = [f"{'variant':24}{'wordings':28}" + "".join(f"{name:>26}" for name in shown)]
    for variant, found in figures.items():
        for wordings in ("trained_wordings", "unseen_wordings", "validation_unseen_wordings"):
            cells = [found.get(f"{wordings}/{variant}/{name}") for name in shown]
            told = [f"{c['value']:.3f} ({c['low']:.3f} to {c['high']:.3f})" if c else "n/a" for c in cells]
            rows.append(f"{variant:24}{wordings:28}" + "".join(f"{cell:>26}" for cell in told))
    folders = [out / name / ("head" if (out / name / "head").is_dir() else "bundle") for name in figures]
    return [*rows, "", f"systems=[talkwalk,{','.join(map(str, folders))}]"]


@hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name="projection")
def main(cfg: DictConfig) -> None:
    """Train every variant with the settings of Phase 2."""
    config: ProjectionConfig = to_object(cfg)
    backend = LanguageModel.load(config.llm, device=pick_device(config.device))
    figures = ablate(config, backend, chosen(config.variants))
    sys.stdout.write("\n".join([*lines(figures, folder_of(config)), ""]))


register()
if __name__ == "__main__":
    main()
