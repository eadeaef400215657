"""A turn of a large language model, and the bandwidth that it reaches: `python -m benchmarks.large_model`.

On a CUDA device the shape is Qwen3-8B's, elsewhere a tiny Qwen3 that only shows that the code runs. Weights are random:
speed does not depend on what they say.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.report import REPORT, write_section
from benchmarks.timing import milliseconds
from talkwalk.llm.conversation import Conversation, Exchange
from talkwalk.llm.cores import fit_threads
from talkwalk.llm.language_model import LanguageModel, compute_dtype
from talkwalk.llm.layers import keep_layers
from talkwalk.llm.models import locate
from talkwalk.llm.prompt_format import Prompt
from talkwalk.modules import pick_device

QWEN3_8B = {
    "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36, "num_attention_heads": 32,
    "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936,
}  # fmt: skip
TINY = {
    "hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 32, "vocab_size": 49152,
}  # fmt: skip
WARM_UP = 3  # turns that are not counted
HISTORY = 1000  # tokens that are in the cache before a turn
COPIED = {"cuda": 1 << 32, "cpu": 1 << 28}  # bytes copied to measure the bandwidth, more than any cache holds


def random_model(shape: dict[str, int], device: torch.device) -> LanguageModel:
    """A Qwen3 of some shape with random weights and the installed model's tokenizer."""
    from transformers import AutoModel, AutoTokenizer, Qwen3Config

    torch.manual_seed(0)
    with device:  # weights are made where they stay
        model = AutoModel.from_config(Qwen3Config(**shape), dtype=compute_dtype(device), attn_implementation="sdpa")
    keep_layers(model)
    return LanguageModel(model, AutoTokenizer.from_pretrained(locate("smollm2-135m")), "random")


def prompts(model: LanguageModel, count: int) -> Iterator[Prompt]:
    """The same conversation of `HISTORY` tokens, with another last turn every time."""
    said: list[Exchange] = []
    while True:
        told = Conversation("You recommend a film to the user.", (*said, Exchange("something older, please")))
        if len(model.renderer.render(told).ids) >= HISTORY:
            break
        said.append(Exchange(f"no, something like number {len(said)}", f"Film {len(said)}; Comedy, Drama; 1995"))
    for number in range(count):
        last = Exchange(f"{number} times older than that, please, and funnier")
        yield model.renderer.render(Conversation("You recommend a film to the user.", (*said, last)))


def turn_seconds(model: LanguageModel, rounds: int) -> np.ndarray:
    """Seconds of the last turn after a history that is in the cache, (rounds,)."""
    reader, times = model.reader(), []
    for number, prompt in enumerate(prompts(model, rounds + WARM_UP)):
        start = time.perf_counter()
        reader.read(prompt)  # ends with the state on the host: nothing is still being computed
        if number >= WARM_UP:
            times.append(time.perf_counter() - start)
    return np.array(times)


def bandwidth(device: torch.device) -> float:
    """Bytes a second, read and written together, of the fastest of ten large copies."""
    source = torch.ones(COPIED[device.type] // 4, device=device)
    target, best = torch.empty_like(source), 0.0
    for _ in range(10):
        _wait(device)
        start = time.perf_counter()
        target.copy_(source)
        _wait(device)
        best = max(best, 2 * source.nbytes / (time.perf_counter() - start))
    return best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def weight_bytes(model: Any) -> int:
    """Bytes of what every forward pass reads: all weights but the table of token embeddings."""
    table = model.get_input_embeddings().weight
    return sum(p.nbytes for p in model.parameters() if p is not table)


def measure(device: torch.device, rounds: int) -> str:
    """Time turns and say what share of the bandwidth limit they reach."""
    large = device.type == "cuda"
    model = random_model(QWEN3_8B if large else TINY, device)
    seconds, limit = turn_seconds(model, rounds), weight_bytes(model.model) / bandwidth(device)
    name = torch.cuda.get_device_name(device) if large else "a CPU"
    shape = "Qwen3-8B's shape" if large else "a tiny Qwen3, which only shows that the code runs"
    return (
        f"{shape}, random weights in {str(model.model.dtype).removeprefix('torch.')}, on {name}: a turn after "
        f"{HISTORY:,} tokens of history takes {milliseconds(seconds)} ms{' (asked: p50 under 60)' if large else ''}. "
        f"Reading every weight once takes {1000 * limit:.2f} ms at the bandwidth of a copy: "
        f"**{limit / np.median(seconds):.0%}** of that limit is reached."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the section "Large language models"."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--out", type=Path, default=REPORT)
    options = parser.parse_args(arguments)
    fit_threads()
    body = measure(pick_device("auto"), options.rounds)
    print(body)
    write_section("Large language models", "python -m benchmarks.large_model", body, path=options.out)


if __name__ == "__main__":
    main()
