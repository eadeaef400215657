"""Phase 2: learn the walk. `make train-projection`, or `python -m talkwalk.projection.train_projection`."""

from __future__ import annotations

import dataclasses
import logging
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import hydra
import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor
from tqdm import tqdm

from talkwalk.bundle import Bundle, LanguageModelId, check_target
from talkwalk.checkpoint import load_checkpoint, run_settings, save_checkpoint
from talkwalk.config import CONFIG_DIR, HoldoutConfig, LossWeights, ProjectionConfig, register, to_object
from talkwalk.contrastive.descriptions import Descriptions, load_descriptions
from talkwalk.contrastive.space import Space
from talkwalk.contrastive.validation import axis_vectors
from talkwalk.datasets.resolve import open_for_training
from talkwalk.files import atomic_folder, read_json, write_json
from talkwalk.index.catalog import Catalog
from talkwalk.llm.language_model import HiddenStateBackend, LanguageModel
from talkwalk.llm.models import revision
from talkwalk.modules import SHORT, pick_device, shorten
from talkwalk.projection import losses
from talkwalk.projection.anchor_decoder import AnchorDecoder
from talkwalk.projection.anchor_swap import AnchorSwaps, Swap
from talkwalk.projection.batches import Batch, batches
from talkwalk.projection.certainty import calibrate
from talkwalk.projection.introductions import introductions
from talkwalk.projection.margins import draw_lines
from talkwalk.projection.projection_head import CURRENT, AbsoluteHead, AnchoredHead, build_head
from talkwalk.projection.steering_language import SteeringLanguage, load_steering, with_other_domains
from talkwalk.projection.steering_pairs import RETURNS, other_endings
from talkwalk.projection.steps import grade_amounts
from talkwalk.projection.train_utterances import fit_utterances
from talkwalk.projection.turns import TurnTable, TurnTables
from talkwalk.projection.validation import Answers, as_answers, figures, turn_figures
from talkwalk.projection.walks import Walk, Walker, draw_walks, profiles, training_items, training_walks
from talkwalk.runlog import RunLog, summary
from talkwalk.splits import JUDGED, Split

log = logging.getLogger(__name__)
Head = AbsoluteHead | AnchoredHead
SWEPT = 1000  # items by which the axes of a space are measured
TEST_SEED = 777_001  # the same unseen conversations whatever the training seed

LINES_BY = "validation_unseen_wordings"  # from which odds on something counts as asked for


@dataclass(frozen=True, slots=True)
class Variant:
    """A head to train: the default, or a baseline that is reported beside it."""

    name: str
    head: str
    weights: LossWeights


def variants(config: ProjectionConfig) -> list[Variant]:
    """The configured head, then the baselines."""
    target_only = LossWeights(
        direction=0, reconstruct=0, delta=0, items=0, spread=0, named=0, moves=0, returns=0, within=0
    )
    baselines = [
        Variant("absolute", "absolute", config.weights),
        Variant("target_only", config.head, target_only),
    ]
    return [Variant("head", config.head, config.weights), *(baselines if config.baselines else [])]


def loss_terms(head: Head, decoder: AnchorDecoder, batch: Batch, config: ProjectionConfig) -> dict[str, Tensor]:
    """Every loss of the batch, unweighted; a batch without pairs has none of their terms."""
    read = head(batch.states, batch.anchors)
    z = read.positions
    own, moved, stand = ~batch.swapped, batch.swapped, batch.anchors[:, CURRENT]
    terms = {
        "target": losses.target_similarity(z, batch.wanted),
        "reconstruct": losses.reconstruction(decoder(z[own]), batch.descriptions[own]),
        "items": losses.in_batch_items(z, batch.items, batch.item_keys, temperature=config.temperature),
        **losses.intent_terms(read, head.intent.moves.scale, batch),
    }
    # the base of a steer is its twin, or for a swapped one to have stayed where it stands
    steered = torch.cat([z[batch.last], z[moved]])
    if len(steered):
        base = torch.cat([z[batch.twin], stand[moved]])
        wanted = torch.cat([batch.wanted[batch.last], batch.wanted[moved]])
        terms["direction"] = losses.directional(
            steered, base, wanted, torch.cat([batch.wanted[batch.twin], stand[moved]])
        )
    if len(batch.after):
        terms["delta"] = losses.conversation_delta(
            z[batch.before],
            z[batch.after],
            batch.items[batch.before],
            batch.items[batch.after],
            margin=config.margin,
        )
    return terms


def fit(
    head: Head, decoder: AnchorDecoder, table: TurnTable, config: ProjectionConfig, weights: LossWeights, seed: int,
    folder: Path, swaps: Sequence[Swap] = (),
) -> None:  # fmt: skip
    """Train head and decoder in place; an interrupted run continues after its last whole epoch."""
    device = pick_device(config.device)
    modules = torch.nn.ModuleList([head, decoder]).to(device)
    optimizer = torch.optim.AdamW(modules.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=config.epochs)
    parts = {"modules": modules, "optimizer": optimizer, "scheduler": scheduler}
    weight = {"target": 1.0, **asdict(weights)}
    settings = run_settings(asdict(config), table.fingerprint())
    start = load_checkpoint(folder, parts, settings) if config.resume else 0
    with RunLog(folder) as run:
        for epoch in tqdm(range(start, config.epochs), folder.name, unit="epoch", leave=False):
            torch.manual_seed(seed * 100_003 + epoch)  # dropout; per epoch, so that a resumed run draws the same
            modules.train()
            history: dict[str, list[float]] = {}
            rng = np.random.default_rng([seed, epoch])
            for batch in batches(table, config.batch_size, rng, device, swaps, config.context):
                terms = loss_terms(head, decoder, batch, config)
                loss = torch.stack([weight[name] * term for name, term in terms.items()]).sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                for name, term in terms.items():
                    history.setdefault(name, []).append(term.item())
            scheduler.step()
            run.log(epoch, **{name: float(np.mean(values)) for name, values in history.items()})
            save_checkpoint(folder, parts, epoch + 1, settings)
    shorten(modules.cpu().eval(), SHORT)


def settle(head: Head, material: Material) -> None:
    """Draw the lines from which on a trained head hears a request, by what validation wordings ask for."""
    log.info("%s", draw_lines(head, material.tests[LINES_BY]))
    shorten(head, SHORT)


@dataclass
class Material:
    """What all heads of a run share: the training turns, and unseen conversations in both kinds of wordings."""

    catalog: Catalog
    space: Space
    backend: HiddenStateBackend
    train: TurnTable
    tests: dict[str, TurnTable]
    swaps: Sequence[Swap]

    @property
    def input_dim(self) -> int:
        """Width of what a head reads."""
        return int(self.train.states.shape[1])


def prepare(config: ProjectionConfig, backend: HiddenStateBackend) -> Material:
    """Draw the conversations and read them with the language model."""
    space, catalog = Space.load(Path(config.space)), open_for_training(config.catalog)
    shorten(space.metadata, SHORT)  # which spaces of before hold in full
    if space.schema.fingerprint() != catalog.schema.fingerprint():
        raise ValueError(
            f"the space {config.space} was trained on another schema than {config.catalog} has: train it again"
        )
    holdout = space_holdout(Path(config.space))
    if config.utterances.start:
        check_start(Path(config.utterances.start), holdout)
    descriptions = load_descriptions(config.descriptions, catalog.schema)
    language = load_steering(config.descriptions, catalog.schema)
    space.learn_names({name: category.names for name, category in language.categories.items()})
    space.learn_ranges(descriptions.items)
    rng = np.random.default_rng(config.seeds[0])
    words = descriptions.part(Split.TRAIN, test=holdout.wordings, valid=holdout.valid)
    walker = Walker(
        catalog,
        words,
        language.part(Split.TRAIN, test=holdout.wordings, valid=holdout.valid),
        config.walks,
        training_items(catalog, holdout),
    )
    walks = training_walks(walker, holdout, rng)
    walks += introductions(walker, config.walks.introductions, rng)
    drops = [losses.context_dropout(len(w.steps), len(w.history), config.context, rng) for w in walks]
    if config.utterances.rank:
        widened = with_other_domains(language, config.descriptions)
        said = widened.part(Split.TRAIN, test=holdout.wordings, valid=holdout.valid)
        space.adapted = fit_utterances(
            space, dataclasses.replace(walker, language=said), config.utterances, config.weights,
            Path(config.out) / "utterances", seed=config.seeds[0], device=pick_device(config.device),
            resume=config.resume,
        )  # fmt: skip
    tables = TurnTables(space, catalog, words, backend, step=config.walks.step)
    log.info("%d training conversations", len(walks))
    endings = other_endings(walks, drops, walker, config.walks.endings, rng)
    # drawn last and from a stream of their own, so that their number changes no other draw
    back = other_endings(walks, drops, walker, config.walks.returns, rng.spawn(1)[0], RETURNS, earliest=2)
    endings = [some + others for some, others in zip(endings, back, strict=True)]
    train = tables.build(walks, drops, rng, endings)
    swaps = AnchorSwaps(walker, space, rng)
    train.swap = np.array([swaps.number(step) for step in train.steps])
    tests = {
        name: test_table(tables, config, holdout, descriptions, language, wordings, users)
        for name, wordings, users in JUDGED
    }
    log.info("%d training turns, %d test turns", len(train), sum(map(len, tests.values())))
    return Material(catalog, space, backend, train, tests, swaps.swaps)


def test_table(
    tables: TurnTables, config: ProjectionConfig, holdout: HoldoutConfig, descriptions: Descriptions,
    language: SteeringLanguage, wordings: Split, users: Split,
) -> TurnTable:  # fmt: skip
    """Unseen conversations of unseen users over all items, in wordings of one split."""
    walks = unseen_walks(tables, config, holdout, descriptions, language, wordings, users)
    drops = [losses.no_context_drop(walk.history) for walk in walks]
    return tables.build(walks, drops, np.random.default_rng(TEST_SEED))


def unseen_walks(
    tables: TurnTables, config: ProjectionConfig, holdout: HoldoutConfig, descriptions: Descriptions,
    language: SteeringLanguage, wordings: Split, users: Split,
) -> list[Walk]:  # fmt: skip
    """Simulated conversations that training has not seen."""
    words = descriptions.part(wordings, test=holdout.wordings, valid=holdout.valid)
    steering = language.part(wordings, test=holdout.wordings, valid=holdout.valid)
    walker = Walker(tables.catalog, words, steering, config.walks)
    people = profiles(tables.catalog, holdout, users)
    return draw_walks(walker, people, config.walks.test, np.random.default_rng([TEST_SEED, users is Split.VALID]))


def check_start(bundle: Path, holdout: HoldoutConfig) -> None:
    """Raise `ValueError` where a bundle's encoder was trained on wordings that this run keeps for judging."""
    told = HoldoutConfig(**read_json(bundle / "config.json")["configs"]["contrastive"]["holdout"])
    theirs, ours = ((h.wordings, h.valid) for h in (told, holdout))
    if theirs != ours:
        raise ValueError(
            f"utterances.start must hold out the same wordings as the space, got {theirs} in {bundle} (test and "
            f"validation shares) and {ours} in the space: its encoder has learned what would be judged by"
        )


def space_holdout(folder: Path) -> HoldoutConfig:
    """What Phase 1 kept from training; Phase 2 keeps the same."""
    return HoldoutConfig(**read_json(folder / "contrastive_config.json")["holdout"])


@torch.inference_mode()
def answers(head: Head, table: TurnTable) -> Answers:
    """What the head makes of every turn."""
    return as_answers(head(torch.as_tensor(table.states), torch.as_tensor(table.anchors)))


def oracle(table: TurnTable) -> Answers:
    """The encoded metadata of what was meant by every turn, searched by place alone (docs/metrics.md)."""
    return Answers.at(table.wanted, table.asked.shape[1])._replace(spread=table.spread)


def evaluate(read: Answers, table: TurnTable, material: Material) -> dict[str, float]:
    """Figures of a test table's turns."""
    items = material.space.encode_items(material.catalog.items)
    return figures(turn_figures(read, table, material.catalog, items), len(material.catalog))


def evaluate_all(material: Material, heads: dict[str, Head]) -> dict[str, float]:
    """Figures of every head and of the oracle, and the first head's as shares of the oracle's."""
    result: dict[str, float] = {}
    for wordings, table in material.tests.items():
        best = evaluate(oracle(table), table, material)
        by_head = {name: evaluate(answers(head, table), table, material) for name, head in heads.items()}
        for name, values in {"oracle": best, **by_head}.items():
            result |= {f"{wordings}/{name}/{figure}": value for figure, value in values.items()}
        first = next(iter(by_head.values()))
        for figure in ("direction", "precision", "r10", "wish_r10"):
            if figure in first:
                result[f"{wordings}/share_of_oracle/{figure}"] = first[figure] / best[figure]
    return result


def fresh_head(kind: str, material: Material, config: ProjectionConfig) -> Head:
    """An untrained head that knows the spread of the states, what the grades stand for and the axes of the space."""
    space = material.space
    head = build_head(
        kind, material.input_dim, space.dim, hidden=config.hidden, dropout=config.dropout,
        categories=len(space.schema.category_values), axes=len(space.schema.ordered), ranges=len(space.ranges),
    )  # fmt: skip
    head.norm.fit(torch.as_tensor(material.train.states))
    head.intent.moves.scale.copy_(torch.tensor(grade_amounts(config.walks.step)))
    if isinstance(head, AnchoredHead) and space.schema.ordered:
        features = space.schema.featurize(items=material.catalog.items.iloc[:SWEPT]).joined()
        head.fit_axes(torch.as_tensor(axis_vectors(space.metadata.encode, features, space.schema)))
    return head


def train(config: ProjectionConfig) -> dict[str, dict[str, float]]:
    """Train the head once per seed and the baselines with the first one, whose default head becomes `out/bundle`."""
    if config.ship:
        check_target(Path(config.ship))
    backend = LanguageModel.load(config.llm, device=pick_device(config.device))
    material = prepare(config, backend)
    out, runs = Path(config.out), []
    kept: tuple[Head, AnchorDecoder] | None = None
    for seed in config.seeds:
        heads: dict[str, Head] = {}
        for variant in variants(config) if seed == config.seeds[0] else variants(config)[:1]:
            torch.manual_seed(seed)
            head = fresh_head(variant.head, material, config)
            decoder = AnchorDecoder(material.space.dim, material.space.shape["sentence_dim"])
            fit(
                head,
                decoder,
                material.train,
                config,
                variant.weights,
                seed,
                out / f"seed-{seed}-{variant.name}",
                material.swaps if variant.head == "anchored" else (),
            )
            settle(head, material)
            heads[variant.name] = head
            kept = kept or (head, decoder)
        runs.append(evaluate_all(material, heads))
        log.info("seed %d: %s", seed, {n: round(v, 3) for n, v in runs[-1].items() if "share" in n})
    result = summary(runs)
    write_json(out / "metrics.json", result)
    assert kept is not None  # config.seeds has at least one seed
    write_bundle(kept[0], kept[1], material, config, result)
    return result


def write_bundle(
    head: Head,
    decoder: AnchorDecoder,
    material: Material,
    config: ProjectionConfig,
    result: dict[str, dict[str, float]],
) -> None:
    """Save `out/bundle`, and its copy if the config ships it."""
    space_folder = Path(config.space)
    # where a run lies on this machine is nobody's business
    settings = dataclasses.replace(config, space="", out="", ship="")
    bundle = Bundle(
        space=material.space,
        head=head,
        decoder=decoder,
        head_shape={
            "kind": config.head,
            "input_dim": material.input_dim,
            "dim": material.space.dim,
            "hidden": config.hidden,
            "dropout": config.dropout,
        },
        llm=LanguageModelId(config.llm, revision(config.llm), material.backend.fingerprint),
        catalog=config.catalog,
        configs={
            "contrastive": read_json(space_folder / "contrastive_config.json"),
            "projection": asdict(settings),
        },
        metrics={"contrastive": read_json(space_folder / "contrastive_metrics.json"), "projection": result},
        certainty=calibrate(head, material.tests[LINES_BY]),
    )
    bundle.save(
        Path(config.out) / "bundle",
        descriptions=Path(config.descriptions),
        license=config.license,
        name=Path(config.ship).name,
    )
    if config.ship:
        with atomic_folder(Path(config.ship)) as temporary:
            shutil.copytree(Path(config.out) / "bundle", temporary, dirs_exist_ok=True)


@hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name="projection")
def main(cfg: DictConfig) -> None:
    """Train with the composed config and print the figures."""
    config: ProjectionConfig = to_object(cfg)
    for name, figure in train(config).items():
        sys.stdout.write(f"{name:48} {figure['value']:8.3f}   ({figure['low']:.3f} to {figure['high']:.3f})\n")


register()
if __name__ == "__main__":
    main()
