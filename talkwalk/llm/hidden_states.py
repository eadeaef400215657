"""Hidden states of many conversations: batched by length, kept on disk, resumable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from talkwalk.files import cache_folder
from talkwalk.llm.conversation import Conversation
from talkwalk.llm.language_model import HiddenStateBackend
from talkwalk.llm.prompt_format import Prompt
from talkwalk.vector_cache import VectorCache

TOKENS_PER_BATCH = 4096


def hidden_states(
    backend: HiddenStateBackend,
    conversations: Sequence[Conversation],
    *,
    cache: Path | None = None,
    tokens_per_batch: int = TOKENS_PER_BATCH,
) -> list[np.ndarray]:
    """States at every turn of every conversation, float32 (turns, dim) each.

    A state depends on the tokens before it and on nothing else, so its key is those tokens; the file is named by the
    backend's fingerprint. What was computed before an interruption is not computed again.

    Args:
        backend: Computes the states.
        conversations: What to read.
        cache: Folder of the cache, or None for the user's cache folder.
        tokens_per_batch: Padded tokens in one forward pass.
    """
    store = VectorCache((cache or cache_folder() / "states") / f"{backend.fingerprint}.sqlite", backend.dim)
    prompts = [backend.renderer.render(conversation) for conversation in conversations]
    keys = [readout_keys(prompt) for prompt in prompts]
    known = store.get([key for group in keys for key in group])
    missing = {
        tuple(group): prompt for group, prompt in zip(keys, prompts, strict=True) if not known.keys() >= set(group)
    }
    with tqdm(total=sum(len(p.ids) for p in missing.values()), unit="tok", unit_scale=True, desc="hidden states",
              disable=not missing) as bar:  # fmt: skip
        for batch in length_batches(list(missing.items()), tokens_per_batch):
            states = np.concatenate(backend.states([prompt for _, prompt in batch]))
            new = [key for group, _ in batch for key in group]
            store.put(new, states)
            # float16 as the cache has it, so that the first run equals every later one
            known.update(zip(new, states.astype(np.float16).astype(np.float32), strict=True))
            bar.update(sum(len(prompt.ids) for _, prompt in batch))
    return [np.stack([known[key] for key in group]) for group in keys]


def readout_keys(prompt: Prompt) -> list[str]:
    """Per turn, the tokens up to the end of its readout as a string."""
    return [np.array(prompt.ids[: readout.answer + 1], dtype=np.int32).tobytes().hex() for readout in prompt.readouts]


Keyed = tuple[tuple[str, ...], Prompt]


def length_batches(prompts: Sequence[Keyed], tokens_per_batch: int) -> Iterator[list[Keyed]]:
    """Prompts of similar length together, so that little is padded."""
    batch: list[Keyed] = []
    for keyed in sorted(prompts, key=lambda k: len(k[1].ids)):
        if batch and (len(batch) + 1) * len(keyed[1].ids) > tokens_per_batch:
            yield batch
            batch = []
        batch.append(keyed)
    if batch:
        yield batch
