"""The index on a million of this project's own vectors: `OMP_NUM_THREADS=1 python -m benchmarks.index`."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import hydra
import numpy as np
import torch
from omegaconf import DictConfig
from tqdm import tqdm

from benchmarks.flat_memory import ids_of
from benchmarks.perturbed import CHUNK, perturbed_vectors, query_vectors
from benchmarks.report import write_section
from benchmarks.timing import Times, in_turn, stopwatch
from talkwalk.config import CONFIG_DIR, IndexBenchmarkConfig, register, to_object
from talkwalk.contrastive.space import Space
from talkwalk.datasets.resolve import open_catalog
from talkwalk.files import write_json
from talkwalk.index.catalog import Catalog
from talkwalk.index.contract import Hits, Selection
from talkwalk.index.factory import build_index, open_index
from talkwalk.index.lookup import FlatIndex
from talkwalk.index.storage import write_rows
from talkwalk.index.vectors import faiss

KINDS = ("exact", "lists")  # folders
K, EXCLUDED = 10, 1000
COMMAND = (
    'make train-contrastive ARGS="dim=512 epochs=8 seeds=[0] out=runs/index_space pairs.items=20000 pairs.users=2000 '
    'pairs.both=2000 pairs.composites=1000 pairs.affinities=1000"\nOMP_NUM_THREADS=1 python -m benchmarks.index'
)


class Data(NamedTuple):
    """What is searched: a file of vectors (items, dim), queries (n, dim), and filters, each a mask of items."""

    vectors: Path
    queries: np.ndarray
    filters: dict[str, np.ndarray]


def folder_of(config: IndexBenchmarkConfig) -> Path:
    """Where this run's vectors and indexes are kept; those of another space or other settings lie elsewhere."""
    settings = {name: value for name, value in asdict(config).items() if name not in ("folder", "report")}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in sorted(Path(config.space).glob("*.safetensors")):
        digest.update(path.read_bytes())
    return Path(config.folder) / digest.hexdigest()[:16]


def make_data(config: IndexBenchmarkConfig, folder: Path) -> Data:
    """Items, queries and filters, made once per folder."""
    kept = folder / "data.npz"
    if not kept.is_file():
        space = Space.load(Path(config.space))
        catalog = Catalog(space.schema, open_catalog(config.catalog).items)
        made: dict[str, Any] = dict(write_items(config, space, catalog, folder / "vectors.npy"))
        made["queries"] = query_vectors(space, catalog, config.queries, np.random.default_rng([config.seed, 1]))
        np.savez(kept, **made)
    arrays = dict(np.load(kept))
    return Data(folder / "vectors.npy", arrays.pop("queries"), arrays)


def write_items(config: IndexBenchmarkConfig, space: Space, catalog: Catalog, path: Path) -> dict[str, np.ndarray]:
    """Perturb items and write their vectors, chunk by chunk; returns which of them three filters admit."""
    common, rare = _genres(catalog)
    admitted: list[np.ndarray] = []

    def chunks() -> Iterator[np.ndarray]:
        made = perturbed_vectors(space, catalog, config.items, np.random.default_rng([config.seed, 0]))
        for rows, vectors in tqdm(made, "vectors", total=-(-config.items // CHUNK), leave=False):
            genres = [set(names) for names in rows["genre"]]
            admitted.append(
                np.array([[common in g, rare in g, y >= 1990] for g, y in zip(genres, rows["year"], strict=True)])
            )
            yield vectors

    write_rows(path, (config.items, space.dim), chunks())
    names = (f"genre {common}", f"genre {rare}", "year from 1990")
    return dict(zip(names, np.concatenate(admitted).T, strict=True))


def _genres(catalog: Catalog) -> tuple[str, str]:
    """The commonest genre, and the rarest that still one item in fifty has."""
    counts = catalog.items["genre"].explode().value_counts()
    return str(counts.index[0]), str(counts[counts >= len(catalog) / 50].index[-1])


def build(config: IndexBenchmarkConfig, data: Data, folder: Path) -> dict[str, float]:
    """Save the exact and the approximate index once per folder; returns memory in bytes and time in seconds.

    The exact index is built in a process of its own, for its memory.
    """
    kept = folder / "facts.json"
    if kept.is_file():
        return json.loads(kept.read_text())
    command = [sys.executable, "-m", "benchmarks.flat_memory", str(data.vectors), str(folder / "exact")]
    facts = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    vectors = np.load(data.vectors, mmap_mode="r")
    with stopwatch(facts, "build"):
        index = build_index(ids_of(0, len(vectors)), vectors, config.index)
    if index.kind == "flat":
        raise ValueError(f"{config.items} items are searched exactly under index.exact_megabytes: ask for more items")
    index.save(folder / "lists")
    write_json(kept, facts)
    return facts


def search_tasks(exact: FlatIndex, lists: FlatIndex, data: Data, seed: int) -> dict[str, Callable[[int], Hits]]:
    """Every sort of search with either index; exclusions are other ids in every round."""
    rng = np.random.default_rng([seed, 2])
    rounds = len(data.queries)
    anywhere = [[f"item {n}" for n in rng.choice(len(exact), EXCLUDED, replace=False)] for _ in range(rounds)]
    nearest = [exact.search(query, EXCLUDED).ids for query in tqdm(data.queries, "nearest", leave=False)]
    everything = ids_of(0, len(exact))
    chosen = {name: Selection(np.array(everything)[mask].tolist()) for name, mask in data.filters.items()}

    def search(index: FlatIndex, exclude: list[list[str]] | None, among: Selection | None, number: int) -> Hits:
        excluded = exclude[number] if exclude else ()
        return index.search(data.queries[number], K, exclude=excluded, among=among)

    tasks: dict[str, Callable[[int], Hits]] = {}
    for name, index in (("exact", exact), ("lists", lists)):
        tasks[f"{name}: plain"] = partial(search, index, None, None)
        for filtered, selection in chosen.items():
            # Its own, because a selection remembers one index.
            tasks[f"{name}: {filtered}"] = partial(search, index, None, Selection(selection))
        tasks[f"{name}: without {EXCLUDED} anywhere"] = partial(search, index, anywhere, None)
        tasks[f"{name}: without the {EXCLUDED} nearest"] = partial(search, index, nearest, None)
    return tasks


def recall(found: Times, truth: Times) -> float:
    """Share of the exact search's items that were found."""
    shares = [len({*a.ids} & {*b.ids}) / len(b.ids) for a, b in zip(found.results, truth.results, strict=True)]
    return float(np.mean(shares))


def measure(config: IndexBenchmarkConfig, data: Data, folder: Path, facts: dict[str, float]) -> dict[str, Times]:
    """Opening, searching, and changing."""
    opening = {name: partial(lambda name, _: open_index(folder / name, read_only=True), name) for name in KINDS}
    for name, opened in in_turn(opening, 5).items():
        facts[f"open {name}"] = opened.wall_p50() / 1e3
    exact, lists = (open_index(folder / name, read_only=True) for name in KINDS)
    times = in_turn(search_tasks(exact, lists, data, config.seed), len(data.queries))
    with stopwatch(facts, "load"):
        changing = open_index(folder / "lists")
    changes: dict[str, Callable[[int], None]] = {
        "add": lambda n: changing.add([f"new {n}"], data.queries[[n]]),
        "replace": lambda n: changing.add([f"item {n + 1}"], data.queries[[n]]),
        "remove": lambda n: changing.remove([f"item {len(exact) - 2 - n}"]),
    }
    return times | in_turn(changes, len(data.queries))


def report(
    config: IndexBenchmarkConfig, data: Data, folder: Path, facts: dict[str, float], times: dict[str, Times]
) -> str:
    """The section of reports/performance.md."""
    count, dim = np.load(data.vectors, mmap_mode="r").shape
    changes = ", ".join(f"{times[change].p50():.2f}" for change in ("add", "replace", "remove"))
    wall = [times[f"{name}: plain"].wall_p50() for name in KINDS]
    measured = {
        "peak memory of building the exact index, as a share of its vectors": f"{facts['peak'] / facts['vectors']:.3f}",
        "opening read-only, exact and lists": f"{facts['open exact']:.3f} and {facts['open lists']:.3f} s",
        "loading the lists for changes, every byte checked": _seconds(facts, "load"),
        "building the lists": _seconds(facts, "build"),
        "adding, replacing and removing one item": f"{changes} ms",
        **{f"bytes per item on disk, {name}": _bytes(folder / name, count) for name in KINDS},
    }
    return "\n".join(
        [
            f"The {K} best of {count:,} items in {dim} dimensions: items of {config.catalog} with perturbed attributes",
            "(an ordered value moved by a tenth of its range, a genre added, dropped or swapped), queries between an",
            f"item and a wish in words, {len(data.queries)} of every sort, interleaved, one thread. Milliseconds are",
            "processor time, because the machine is shared.",
            f"\n```sh\n{COMMAND}\n```\n",
            f"{_processor()}; faiss {faiss.__version__}, numpy {np.__version__}, Python {platform.python_version()}.\n",
            *_search_table(data, times),
            f"\nOn the clock a plain search took {wall[0]:.1f} and {wall[1]:.2f} ms (medians).\n",
            "| what | measured |",
            "|---|---|",
            *(f"| {what} | {value} |" for what, value in measured.items()),
        ]
    )


def _search_table(data: Data, times: dict[str, Times]) -> list[str]:
    rows = [
        "| search | admits | exact p50 ms | lists p50 ms | p95 | times faster | of plain lists | recall@10 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    plain = times["lists: plain"].p50()
    for case in [name.removeprefix("exact: ") for name in times if name.startswith("exact: ")]:
        exact, lists = times[f"exact: {case}"], times[f"lists: {case}"]
        share = data.filters[case].mean() if case in data.filters else 1.0
        rows.append(
            f"| {case} | {share:.0%} | {exact.p50():.1f} | {lists.p50():.2f} | {lists.p95():.2f} "
            f"| {exact.p50() / lists.p50():.0f} | {lists.p50() / plain:.2f} | {recall(lists, exact):.3f} |"
        )
    return rows


def _seconds(facts: dict[str, float], name: str) -> str:
    return f"{facts[name]:.1f} s, {facts[f'{name} cpu']:.1f} s of processor time"


def _bytes(folder: Path, count: int) -> str:
    sizes = {"vectors": 0.0, "codes": 0.0, "ids": 0.0, "order and lists": 0.0}
    for file in folder.iterdir():
        stem = "ids" if file.stem.startswith("id_") else file.stem
        sizes[stem if stem in sizes else "order and lists"] += file.stat().st_size / count
    return f"{sum(sizes.values()):.0f}: " + ", ".join(f"{name} {size:.0f}" for name, size in sizes.items() if size)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        if info.is_file()
        else []
    )
    return f"{len(names)} x {names[0]}" if names else platform.processor()


@hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name="index")
def main(cfg: DictConfig) -> None:
    """Make data, build, measure, report."""
    config: IndexBenchmarkConfig = to_object(cfg)
    faiss.omp_set_num_threads(1)
    torch.set_num_threads(1)
    folder = folder_of(config)
    folder.mkdir(parents=True, exist_ok=True)
    data = make_data(config, folder)
    facts = build(config, data, folder)
    body = report(config, data, folder, facts, measure(config, data, folder, facts))
    write_section("Index", "python -m benchmarks.index", body, path=Path(config.report))
    print(body)


if __name__ == "__main__":
    register()
    main()
