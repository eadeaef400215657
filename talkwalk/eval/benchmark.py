"""Compare steerable recommenders. `make benchmark`, or `python -m talkwalk.eval.benchmark quick=true`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig

from talkwalk.config import CONFIG_DIR, EvalConfig, register, to_object
from talkwalk.datasets.cpcd import cpcd_catalog
from talkwalk.datasets.movielens_tags import tagged_items
from talkwalk.datasets.redial import redial_catalog
from talkwalk.datasets.resolve import open_catalog
from talkwalk.eval.parts import ASKED, HUMAN, PARTS, SIMULATED, STEEREVAL, parts_for
from talkwalk.eval.report import ORACLE, Report, build_report
from talkwalk.eval.results import Result, rounded
from talkwalk.eval.rivals.registry import OURS, SYSTEMS, Parts, open_system
from talkwalk.eval.simulated import measure_oracle
from talkwalk.eval.system import System, Unsuited
from talkwalk.eval.unseen import unseen_by
from talkwalk.eval.world import Amounts, World
from talkwalk.files import read_json
from talkwalk.index.catalog import Catalog

log = logging.getLogger(__name__)
# Of a bundle, read by TalkWalk alone; rivals may use its space
OURS_ALONE = ("projection_head.safetensors", "anchor_decoder.safetensors", "adapted_sentences.safetensors")
WHOLE = (OURS, "llm_reranker")  # systems that use more of a bundle than its space
OWN_AMOUNTS = {ASKED: ("starts", "long_sessions")}  # of one part: what is kept of the others does not depend on them


def amounts_of(config: EvalConfig) -> Amounts:
    """How much is measured, by whether it must be quick."""
    if config.quick:
        sizes = (config.quick_conversations, config.quick_sessions, config.quick_users)
        starts, long_sessions = config.quick_starts, config.quick_long_sessions
    else:
        sizes = (config.conversations, config.sessions, config.users)
        starts, long_sessions = config.starts, config.long_sessions
    return Amounts(
        *sizes,
        clusters=config.clusters,
        temperaments=not config.quick,
        genre_users=config.genre_users,
        dialogues=config.dialogues,
        starts=starts,
        long_sessions=long_sessions,
    )


def world_of(config: EvalConfig, parts: Parts) -> World:
    """The catalogue and the words that all systems are measured on."""
    catalog = _catalog(config, parts)
    unseen = None if config.catalog in HUMAN else unseen_by(parts.bundle, catalog, config.descriptions)
    data = Path(config.data) if config.data else None
    tags = tagged_items(config.tags, catalog) if config.tags else None
    return World(catalog, unseen, amounts_of(config), config.k, config.seed, data, tags)


def _catalog(config: EvalConfig, parts: Parts) -> Catalog:
    if config.artists and config.catalog != "cpcd":
        raise ValueError(f"artists belongs to catalog=cpcd, got catalog={config.catalog or parts.bundle.catalog}")
    if config.catalog not in HUMAN:
        return open_catalog(config.catalog or parts.bundle.catalog)
    if not config.data:
        raise ValueError(f"catalog={config.catalog} needs the folder of its files: data=FOLDER")
    if config.catalog == "redial":
        return redial_catalog(config.data)
    return cpcd_catalog(config.data, artists=open_catalog(config.artists) if config.artists else None)


def fingerprint(world: World, parts: Parts) -> dict[str, Any]:
    """What a kept result must agree with: items, people, words, amounts, draws, and the bundle with its space apart."""
    words = sorted(
        f"{name} {wording}"
        for name, part in (world.unseen.words.items() if world.unseen else ())
        for wording in {*part.descriptions.all_wordings(), *part.language.all_wordings(), *part.language.shared()}
    )
    own = {name for names in OWN_AMOUNTS.values() for name in names}
    folder = parts.bundle.folder
    bundle = read_json(folder / "config.json") if folder else {"files": {}, "configs": {}}
    files = {name: digest for name, digest in bundle["files"].items() if name not in OURS_ALONE}
    return {
        "catalogue": world.catalog.fingerprint(),
        "people": _people(world.catalog),
        "walks": asdict(world.unseen.walks) if world.unseen else {},
        "words": _hash("\n".join(words)),
        "space": _hash(json.dumps([files, bundle["configs"].get("contrastive")], sort_keys=True)),
        "bundle": _hash(json.dumps(bundle, sort_keys=True)),
        "amounts": {name: n for name, n in asdict(world.amounts).items() if name not in own},
        "k": world.k,
        "seed": world.seed,
    }


def _people(catalog: Catalog) -> str:
    """Hash of who uses a catalogue and of what they did."""
    tables = [catalog.users] if catalog.interactions is None else [catalog.users, catalog.interactions]
    return _hash("\n".join(table.to_csv() for table in tables))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def told_of(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What all kept results of one system must agree with: a rival's do not depend on the head."""
    ours = name in WHOLE
    return {**{key: value for key, value in settings.items() if ours or key != "bundle"}, "system": made_of(name)}


def settings_of(part: str, world: World, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a kept result of one part must agree with: the common settings, and what is its own."""
    own: dict[str, Any] = {name: getattr(world.amounts, name) for name in OWN_AMOUNTS.get(part, ())}
    if part == STEEREVAL and world.tags:
        said = json.dumps({tag: sorted(ids) for tag, ids in world.tags.items()}, sort_keys=True)
        own["tags"] = _hash(said)
    return {**settings, **own}


def made_of(name: str) -> str:
    """A system's name, and for a folder the hash of its files: one that was trained again is measured again."""
    if name in SYSTEMS or not Path(name).is_dir():
        return name
    files = sorted(p for p in Path(name).rglob("*") if p.is_file())
    digest = hashlib.sha256(b"".join(hashlib.sha256(p.read_bytes()).digest() for p in files))
    return f"{name} {digest.hexdigest()[:16]}"


def measure_all(
    systems: Sequence[str],
    world: World,
    names: Sequence[str],
    open_one: Callable[[str], System],
    *,
    kept: Path | None = None,
    settings: dict[str, Any] | None = None,
    resume: bool = True,
) -> list[Result]:
    """Every system in every part.

    Args:
        systems: Names.
        world: What they are measured on.
        names: Parts.
        open_one: From a name to a system that is not fitted.
        kept: Folder in which results are kept, and found again.
        settings: What a kept result must have been measured under.
        resume: Whether to take what was kept.
    """
    results = []
    for name in systems:
        paths = {part: kept / _safe(name) / f"{part}.json" if kept else None for part in names}
        made = told_of(name, settings or {})
        told = {part: settings_of(part, world, made) for part in names}
        found = {part: Result.load(path, told[part]) if path and resume else None for part, path in paths.items()}
        system: System | None = None
        unsuited = ""
        for part in names:
            result = found[part]
            if result is None:
                if system is None and not unsuited:
                    system, unsuited = _fitted(open_one(name), world)
                log.info("%s: %s", name, part)
                result = _measured(system, unsuited, name, part, world)
                path = paths[part]
                if path is not None:
                    result.save(path, told[part])
            results.append(result)
    return results


def _fitted(system: System, world: World) -> tuple[System, str]:
    """The system, and why it is not suited if it is not."""
    try:
        system.fit(world.catalog)
    except Unsuited as error:
        return system, str(error)
    return system, ""


def _measured(system: System | None, unsuited: str, name: str, part: str, world: World) -> Result:
    if unsuited or system is None:
        return Result(name, part, unsuited=unsuited)
    measured = PARTS[part](system, world)
    return Result(system.name, part, rounded(measured.figures), measured.seconds, measured.paths)


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)


def run(config: EvalConfig, world: World, parts: Parts, open_one: Callable[[str], System]) -> Report:
    """Measure everything and put it side by side."""
    names = parts_for(config.catalog, world, list(config.parts), quick=config.quick)
    kept = Path(config.out) / "parts" if config.out else None
    settings = fingerprint(world, parts)
    systems = list(config.quick_systems if config.quick else config.systems)
    results = measure_all(systems, world, names, open_one, kept=kept, settings=settings, resume=config.resume)
    if SIMULATED in names:
        results.append(_oracle(parts, world))
    subject = {
        "bundle": config.bundle,
        "bundle_hash": settings["bundle"],
        "llm": parts.bundle.llm.name,
        "catalogue": config.catalog or parts.bundle.catalog,
        "catalogue_hash": world.catalog.fingerprint(),
        "items": str(len(world.catalog)),
    }
    # where it was run and written says nothing about what was measured
    asked = dataclasses.replace(config, out="", data="", systems=systems, quick_systems=systems, parts=names)
    return build_report(results, subject, json.loads(json.dumps(asdict(asked))), k=config.k, seed=config.seed)


def _oracle(parts: Parts, world: World) -> Result:
    """What the bundle's space allows at best, where it is a space for this catalogue."""
    try:
        figures = rounded(measure_oracle(parts.bundle.space, world).figures)
    except Unsuited as error:
        return Result(ORACLE, SIMULATED, unsuited=str(error))
    return Result(ORACLE, SIMULATED, figures)


@hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name="eval")
def main(cfg: DictConfig) -> None:
    """Measure, print the thirteen metrics, write report.json, report.md and the pictures."""
    config: EvalConfig = to_object(cfg)
    parts = Parts(config.bundle, config.device, config.seed)
    report = run(config, world_of(config, parts), parts, lambda name: open_system(name, parts))
    report.save(Path(config.out))
    sys.stdout.write(report.text())
    log.info("written to %s", config.out)


register()
if __name__ == "__main__":
    main()
