"""Speed of turns: `python -m benchmarks.turns`, with `--quick` for a look.

Measures a turn with and without its cache, every stage, long conversations, many at once, and extraction for training.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.report import REPORT, write_section
from benchmarks.timing import interleaved, milliseconds
from talkwalk import Recommender, Session, Turn
from talkwalk.eval.intervals import Interval, bootstrap
from talkwalk.llm.conversation import Conversation, Exchange
from talkwalk.llm.hidden_states import TOKENS_PER_BATCH, Keyed, hidden_states, length_batches, padding_share
from talkwalk.llm.hidden_states import readout_keys as keys_of
from talkwalk.llm.language_model import LanguageModel
from talkwalk.llm.layers import keep_layers
from talkwalk.llm.models import locate

SAYINGS = (
    "I'm in the mood for a gentle comedy", "something older", "more like that", "no, funnier", "a bit more recent",
    "ok now something to wake me up", "less violent please, it is for the whole family", "go back",
    "a really scary horror film", "what would my parents like?", "better rated", "not so well known",
)  # fmt: skip
USER = {"age": 25, "gender": "F", "occupation": "student"}
HISTORY = ("50", "181", "258")
FIRST, LAST = 5, 50  # turns between which the time must not grow


@dataclass(frozen=True)
class Amounts:
    """How much is measured."""

    rounds: int
    long_sessions: int
    sessions: int
    turns: int
    conversations: int


FULL = Amounts(rounds=9, long_sessions=4, sessions=16, turns=8, conversations=240)
QUICK = Amounts(rounds=2, long_sessions=1, sessions=16, turns=2, conversations=24)


def said(offset: int) -> Iterator[str]:
    """Sayings without end, from another one on for each conversation."""
    return itertools.islice(itertools.cycle(SAYINGS), offset % len(SAYINGS), None)


def start(rec: Recommender) -> Session:
    """A session with a profile and a history."""
    return rec.session(user=USER, history=HISTORY)


@contextmanager
def forward_clock(rec: Recommender) -> Iterator[list[float]]:
    """Seconds of every forward pass of the bare model while the block lasts."""
    seconds: list[float] = []
    began: list[float] = []
    model = rec.backend.model  # type: ignore[attr-defined]
    hooks = [
        model.register_forward_pre_hook(lambda *_: began.append(time.perf_counter())),
        model.register_forward_hook(lambda *_: seconds.append(time.perf_counter() - began.pop())),
    ]
    try:
        yield seconds
    finally:
        for hook in hooks:
            hook.remove()


def turn_ten(rec: Recommender, rounds: int) -> str:
    """Turn 10 with its cache, and the same prompt read from its first token."""
    session, words = start(rec), said(0)
    for _ in range(9):
        session.say(next(words))
    text = next(words)

    def cached() -> None:
        session.say(text)

    def whole() -> None:
        rec.backend.states([prompt])

    session.say(text)
    prompt = session.prompt
    session.undo()
    session.say("something else altogether")  # so that nothing of turn 10 but its beginning is in the cache
    session.undo()
    times: dict[str, list[float]] = {"cached": [], "whole": []}
    for _ in range(rounds):
        for name, seconds in interleaved({"cached": cached, "whole": whole}, rounds=1, warm_up=0).items():
            times[name].append(float(seconds[0]))
        session.undo()
        session.say("something else altogether")
        session.undo()
    cached_s, whole_s = np.array(times["cached"]), np.array(times["whole"])
    ratio = np.median(whole_s) / np.median(cached_s)
    return (
        f"Turn 10, {len(prompt.ids)} tokens: the whole turn with its cache {milliseconds(cached_s)} ms, only reading "
        f"its whole prompt again {milliseconds(whole_s)} ms: **{ratio:.1f} times** as fast (asked: 5)."
    )


def stages(rec: Recommender, rounds: int) -> str:
    """Every stage of the first ten turns, and what is not the model's own forward pass."""
    rows: dict[str, list[float]] = {}
    forward: list[float] = []
    total: list[float] = []
    for number in range(rounds):
        session, words = start(rec), said(number)
        for _ in range(10):
            with forward_clock(rec) as passes:
                began = time.perf_counter()
                turn = session.say(next(words))
                total.append(time.perf_counter() - began)
            forward.append(sum(passes))
            for stage, seconds in turn.timings.items():
                rows.setdefault(stage, []).append(seconds)
            rows.setdefault("trace and the rest", []).append(total[-1] - sum(turn.timings.values()))
    rows = {"**turn**": total, **rows, "of llm: the model's own forward pass": forward}
    table = "\n".join(
        f"| {name} | {1000 * np.median(s):.1f} | {1000 * np.quantile(s, 0.95):.1f} |" for name, s in rows.items()
    )
    rest = float(np.median(1 - np.array(forward) / np.array(total)))
    return (
        f"| stage, {len(total)} turns | p50 ms | p95 ms |\n|---|---|---|\n{table}\n\n"
        f"Everything but the model's own forward pass: **{rest:.1%}** of a turn in the median (asked: at most 10 %)."
    )


def slope(seconds: np.ndarray) -> Interval:
    """Milliseconds that a turn takes more than the one before it; bootstrap over positions.

    Args:
        seconds: Mean over sessions per position, (positions,).
    """

    def fitted(chosen: np.ndarray) -> float:
        return float(np.polyfit(chosen, 1000 * seconds[chosen], 1)[0])

    return bootstrap(fitted, len(seconds))


def long_conversations(rec: Recommender, sessions: int) -> str:
    """Does a turn take longer late in a conversation?"""
    times = np.zeros((sessions, LAST))
    for number in range(sessions):
        session, words = start(rec), said(number)
        for turn in range(LAST):
            began = time.perf_counter()
            session.say(next(words))
            times[number, turn] = time.perf_counter() - began
    late = times[:, FIRST - 1 :]
    grown = slope(late.mean(axis=0))
    return (
        f"Turns {FIRST} to {LAST} of {sessions} conversations, truncated by the default limits: "
        f"{milliseconds(late.ravel())} ms; slope **{grown.value:+.2f} ms a turn** ({grown.low:+.2f} to "
        f"{grown.high:+.2f}, bootstrap over the {late.shape[1]} positions; asked: contains zero). "
        f"Turns {FIRST} to 12, which drop nothing: {milliseconds(times[:, FIRST - 1 : 12].ravel())} ms."
    )


def many_sessions(rec: Recommender, amounts: Amounts) -> str:
    """Sessions from threads at once against one after the other; are the answers the same?"""
    kept: dict[str, list[list[Turn]]] = {}

    def talk(number: int) -> list[Turn]:
        session, words = start(rec), said(number)
        return [session.say(next(words)) for _ in range(amounts.turns)]

    def one_by_one() -> None:
        kept["alone"] = [talk(number) for number in range(amounts.sessions)]

    def at_once() -> None:
        with ThreadPoolExecutor(amounts.sessions) as pool:
            kept["together"] = list(pool.map(talk, range(amounts.sessions)))

    seconds = interleaved({"alone": one_by_one, "together": at_once}, rounds=max(amounts.rounds // 3, 1))
    pairs = [
        (a, b) for ours, theirs in zip(kept["alone"], kept["together"], strict=True)
        for a, b in zip(ours, theirs, strict=True)
    ]  # fmt: skip
    same = sum([i.id for i in a.items] == [i.id for i in b.items] for a, b in pairs)
    exact = sum(np.array_equal(a.position, b.position) for a, b in pairs)
    rate = {name: len(pairs) / np.median(s) for name, s in seconds.items()}
    return (
        f"{amounts.sessions} sessions of {amounts.turns} turns: one after the other {rate['alone']:.1f} turns/s, from "
        f"{amounts.sessions} threads {rate['together']:.1f} turns/s: **{rate['together'] / rate['alone']:.2f} times** "
        f"(asked: 2). Same items in the same order in {same} of {len(pairs)} turns, positions equal to the last bit "
        f"in {exact}."
    )


def conversations(count: int) -> list[Conversation]:
    """Conversations of one to eight turns, as long as simulated ones."""
    rng = np.random.default_rng(0)
    films = ("Clueless; Comedy, Romance; 1995", "Alien; Action, Horror, Sci-Fi, Thriller; 1979", "Fargo; Crime; 1996")
    talks = []
    for number in range(count):
        exchanges = tuple(
            Exchange(f"{rng.choice(SAYINGS)}, {rng.choice(SAYINGS)}", str(rng.choice(films)))
            for _ in range(rng.integers(1, 9))
        )
        talks.append(Conversation(f"You recommend a film to the user.\nProfile: age {20 + number}.", exchanges))
    return talks


def extraction(backend: LanguageModel, count: int, rounds: int) -> str:
    """Hidden states for training, cache and all, against the same layers of the bare model on the same tokens."""
    from transformers import AutoModel

    talks = conversations(count)
    prompts = [backend.renderer.render(talk) for talk in talks]
    keyed: list[Keyed] = [(tuple(keys_of(prompt)), prompt) for prompt in prompts]
    batches = list(length_batches(keyed, TOKENS_PER_BATCH))
    bare = AutoModel.from_pretrained(locate("smollm2-135m"), dtype=backend.model.dtype, attn_implementation="sdpa")
    keep_layers(bare)
    bare.eval()

    @torch.inference_mode()
    def forward_only() -> None:
        for batch in batches:
            rows = [prompt.ids for _, prompt in batch]
            width = max(map(len, rows))
            ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
            mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
            bare(input_ids=ids, attention_mask=mask, use_cache=False)

    def extract() -> None:
        with tempfile.TemporaryDirectory() as folder:
            hidden_states(backend, talks, cache=Path(folder))

    seconds = interleaved({"bare": forward_only, "extraction": extract}, rounds=rounds, warm_up=0)
    tokens = sum(len(prompt.ids) for prompt in prompts)
    rate = {name: tokens / np.median(s) for name, s in seconds.items()}
    return (
        f"{count} conversations, {tokens} tokens: extraction with its cache on disk {rate['extraction']:.0f} tokens/s, "
        f"the padded forward pass of the bare model's same layers {rate['bare']:.0f} tokens/s: "
        f"**{rate['extraction'] / rate['bare']:.2f}** (asked: 0.85). A padded batch holds {padding_share(batches):.1%} "
        "padding (asked: under 10 %), a packed row none."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the section "Turns"."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions, a minute or two on an idle machine")
    parser.add_argument("--bundle", default="movielens-100k")
    parser.add_argument("--out", type=Path, default=REPORT)
    options = parser.parse_args(arguments)
    amounts = QUICK if options.quick else FULL
    rec = Recommender.from_pretrained(options.bundle, device="cpu")
    rec.recommend("a comedy", user=USER, history=HISTORY)
    parts = []
    for measured in (
        lambda: turn_ten(rec, amounts.rounds),
        lambda: stages(rec, amounts.rounds),
        lambda: long_conversations(rec, amounts.long_sessions),
        lambda: many_sessions(rec, amounts),
        lambda: extraction(rec.backend, amounts.conversations, max(amounts.rounds // 3, 1)),  # type: ignore[arg-type]
    ):
        parts.append(measured())
        print(parts[-1], flush=True)
    command = "python -m benchmarks.turns" + (" --quick" if options.quick else "")
    write_section("Turns", command, "\n\n".join(parts), path=options.out)


if __name__ == "__main__":
    main()
