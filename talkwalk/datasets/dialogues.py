"""Conversations between people about items, whatever file they came from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HumanTurn:
    """What one person asked and another one answered.

    Attributes:
        text: Words of the person who looks for something; ids are replaced by titles.
        named: Ids of items that they name, in their order.
        reply: Words of the person who recommends.
        suggested: Ids of items that the reply suggests, in their order.
        liked: Those of them that the first person liked.
        disliked: Those of them that the first person did not like.
    """

    text: str
    named: tuple[str, ...] = ()
    reply: str = ""
    suggested: tuple[str, ...] = ()
    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HumanDialogue:
    """A whole conversation, the oldest turn first."""

    id: str
    turns: tuple[HumanTurn, ...]
