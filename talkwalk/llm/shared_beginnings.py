"""Conversations that begin alike, so that their beginning is read once."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import NamedTuple

from talkwalk.llm.kv_cache import common
from talkwalk.llm.prompt_format import Prompt

TREE = 1024  # tokens; a tree that has more is split, so that every core has work


class Branch(NamedTuple):
    """One conversation of a tree.

    Attributes:
        number: Of the conversation among all of them.
        held: Tokens of its beginning that the tree's first conversation has read; 0 for the first one itself.
        turns: Turns whose readouts lie within those.
    """

    number: int
    held: int
    turns: int


Tree = list[Branch]
"""Conversations that share half of their tokens or more with the first of them."""


def trees(prompts: Sequence[Prompt]) -> list[Tree]:
    """All prompts in trees; none is empty, and every prompt is in one.

    The longest come first, and whatever shares enough with one of them joins the one that it shares most with: of all
    that are sorted by their tokens, that is one of the two beside it.
    """
    found: dict[int, Tree] = {}  # by the number of its first
    sizes: dict[int, int] = {}
    firsts: list[tuple[list[int], int]] = []  # tokens and number of each tree's first, sorted
    for number in sorted(range(len(prompts)), key=lambda n: -len(prompts[n].ids)):
        ids = prompts[number].ids
        place = bisect.bisect(firsts, (ids, number))
        beside = [first for _, first in firsts[max(place - 1, 0) : place + 1]]
        branches = {first: _branch(prompts[first], prompts[number], number) for first in beside}
        roomy = {
            first: branch
            for first, branch in branches.items()
            if 2 * branch.held >= len(ids) and sizes[first] + len(ids) - branch.held <= TREE
        }
        if not roomy:
            found[number], sizes[number] = [Branch(number, 0, 0)], len(ids)
            firsts.insert(place, (ids, number))
            continue
        best = max(roomy, key=lambda first: roomy[first].held)
        found[best].append(roomy[best])
        sizes[best] += len(ids) - roomy[best].held
    return list(found.values())


def _branch(first: Prompt, prompt: Prompt, number: int) -> Branch:
    """How much of `prompt` the first of a tree has read; its last turn is read anew in any case."""
    same = common(first.ids, prompt.ids)
    turns = sum(readout.answer < same for readout in prompt.readouts[:-1])
    return Branch(number, min(same, prompt.readouts[turns].first), turns)


def new_tokens(tree: Tree, prompts: Sequence[Prompt]) -> int:
    """Tokens that are read of a tree."""
    return sum(len(prompts[branch.number].ids) - branch.held for branch in tree)
