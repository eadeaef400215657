"""What a newcomer waits for and pays in memory: `python -m benchmarks.startup`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.report import REPORT, write_section

IMPORT = """
import json, time
start = time.perf_counter()
import talkwalk
print(json.dumps({"import": time.perf_counter() - start}))
"""
LOAD = """
import json, time
start = time.perf_counter()
import torch, transformers, transformers.modeling_utils, faiss, pandas
libraries = time.perf_counter() - start
from talkwalk import Recommender
loads = []
for _ in range(2):
    start = time.perf_counter()
    Recommender.from_pretrained("movielens-100k", device="cpu")
    loads.append(time.perf_counter() - start)
print(json.dumps({"libraries": libraries, "load": loads[0], "again": loads[1]}))
"""
COLD = """
import json, time
start = time.perf_counter()
from talkwalk import Recommender
Recommender.from_pretrained("movielens-100k", device="cpu")
print(json.dumps({"whole": time.perf_counter() - start}))
"""
MEMORY = """
import contextlib, io, json
from benchmarks.flat_memory import peak
from demo import quickstart
with contextlib.redirect_stdout(io.StringIO()):
    quickstart.main()
print(json.dumps({"peak": peak()}))
"""
ROUNDS = 5


def in_new_process(code: str) -> dict[str, float]:
    """What a script printed as JSON, run by a Python of its own."""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def measure(rounds: int) -> str:
    """Import, loading and peak memory, every script in turn."""
    runs: dict[str, list[float]] = {}
    for number in range(-1, rounds):  # the first round warms the disk
        for code in (IMPORT, LOAD, COLD, MEMORY):
            for name, value in in_new_process(code).items():
                if number >= 0:
                    runs.setdefault(name, []).append(value)
    median = {name: float(np.median(values)) for name, values in runs.items()}
    return (
        f"Medians of {rounds} new processes each, files in the system's cache.\n\n| what | measured |\n|---|---|\n"
        f"| `import talkwalk` | {median['import']:.3f} s (asked: under 0.3) |\n"
        f"| `Recommender.from_pretrained` in a process that has its libraries loaded | {median['load']:.2f} s |\n"
        f"| once more in the same process | {median['again']:.2f} s |\n"
        f"| importing those libraries (torch, transformers, faiss, pandas) | {median['libraries']:.2f} s |\n"
        f"| `from_pretrained` in a new process, all imports within | {median['whole']:.2f} s |\n"
        f"| peak memory of `make quickstart` | {max(runs['peak']) / 1e9:.2f} GB, the most of all (asked: under 1.5) |"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the section "Start-up"."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=REPORT)
    options = parser.parse_args(arguments)
    body = measure(ROUNDS)
    print(body)
    write_section("Start-up", "python -m benchmarks.startup", body, path=options.out)


if __name__ == "__main__":
    main()
