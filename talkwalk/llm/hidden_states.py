"""Hidden states of many conversations: batched by length or common beginning, kept on disk, resumable."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from tqdm import tqdm

from talkwalk.files import cache_folder
from talkwalk.llm.conversation import Conversation
from talkwalk.llm.language_model import HiddenStateBackend
from talkwalk.llm.prompt_format import Prompt
from talkwalk.llm.shared_beginnings import new_tokens, trees
from talkwalk.llm.state_shards import KEY, StateShards

TOKENS_PER_BATCH = 4096


def hidden_states(
    backend: HiddenStateBackend,
    conversations: Sequence[Conversation],
    *,
    cache: Path | None = None,
    tokens_per_batch: int = TOKENS_PER_BATCH,
) -> list[np.ndarray]:
    """States at every turn of every conversation, float32 (turns, dim) each, rounded to float16.

    A state depends on the tokens before it (and, in the last bits of bf16, on what shares their beginning), so its key
    is those tokens; the folder is named by the backend's fingerprint. What was computed before an interruption is not
    computed again.

    Args:
        backend: Computes the states.
        conversations: What to read.
        cache: Folder of the cache, or None for the user's cache folder.
        tokens_per_batch: Tokens in one forward pass, padding included.
    """
    prompts = [backend.renderer.render(conversation) for conversation in conversations]
    keys = [readout_keys(prompt) for prompt in prompts]
    with closing(StateShards((cache or cache_folder() / "states") / backend.fingerprint, backend.dim)) as shards:
        missing = {
            tuple(group): prompt
            for group, prompt in zip(keys, prompts, strict=True)
            if not all(key in shards for key in group)
        }
        with tqdm(total=sum(len(p.ids) for p in missing.values()), unit="tok", unit_scale=True, desc="hidden states",
                  disable=not missing) as bar:  # fmt: skip
            kept = {key for group in keys for key in group if key in shards}
            batches = tree_batches if backend.shares_beginnings else length_batches
            for batch in batches(list(missing.items()), tokens_per_batch):
                states = np.concatenate(backend.states([prompt for _, prompt in batch]))
                rows = {key: row for row, key in enumerate(key for group, _ in batch for key in group)}
                new = {key: row for key, row in rows.items() if key not in kept}  # beginnings come more than once
                shards.put(list(new), states[list(new.values())])
                kept.update(new)
                bar.update(sum(len(prompt.ids) for _, prompt in batch))
        if missing:
            shards.refresh()
        return [shards.get(group) for group in keys]


def readout_keys(prompt: Prompt) -> list[bytes]:
    """Per turn, a hash of the tokens up to the end of its readout."""
    ids, digest, done, keys = np.array(prompt.ids, dtype=np.int32), hashlib.blake2b(digest_size=KEY), 0, []
    for readout in prompt.readouts:
        digest.update(ids[done : readout.answer + 1].tobytes())
        done = readout.answer + 1
        keys.append(digest.copy().digest())
    return keys


Keyed = tuple[tuple[bytes, ...], Prompt]


def length_batches(prompts: Sequence[Keyed], tokens_per_batch: int) -> Iterator[list[Keyed]]:
    """Prompts of similar length together, so that little is padded where the backend pads."""
    batch: list[Keyed] = []
    for keyed in sorted(prompts, key=lambda k: len(k[1].ids)):
        if batch and (len(batch) + 1) * len(keyed[1].ids) > tokens_per_batch:
            yield batch
            batch = []
        batch.append(keyed)
    if batch:
        yield batch


def tree_batches(prompts: Sequence[Keyed], tokens_per_batch: int) -> Iterator[list[Keyed]]:
    """Prompts with a common beginning together, and those of similar length; the beginning counts once."""
    texts = [prompt for _, prompt in prompts]
    batch: list[Keyed] = []
    size = 0
    for tree in sorted(trees(texts), key=lambda members: len(texts[members[0].number].ids)):
        new = new_tokens(tree, texts)
        if batch and size + new > tokens_per_batch:
            yield batch
            batch, size = [], 0
        batch += [prompts[branch.number] for branch in tree]
        size += new
    if batch:
        yield batch


def padding_share(batches: Sequence[Sequence[Keyed]]) -> float:
    """Share of the computed tokens that is padding, where every batch is padded to its longest prompt."""
    lengths = [[len(prompt.ids) for _, prompt in batch] for batch in batches]
    computed = sum(len(batch) * max(batch) for batch in lengths)
    return 1 - sum(map(sum, lengths)) / computed
