"""The ways in which words may have been meant: what the head heard, and what it would have heard second.

People say things in more ways than any training knows, and then the likeliest reading may be wrong while the next one
is right. A person who is offered it needs one touch instead of another sentence (clarification, Aliannejadi et al.
2019, arXiv 1907.06554).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from talkwalk.projection.certainty import AS_IS, Certainty
from talkwalk.projection.projection_head import Projected
from talkwalk.projection.steps import Named
from talkwalk.schema import Schema, unknown

LIKELY = 0.02  # odds from which on words may have been meant so
SURE = 0.8  # sureness from which on nobody need be asked what they meant


@dataclass(frozen=True, slots=True)
class Sense:
    """One thing that words may ask for: more or less of an ordered attribute, a category, or none of a category.

    Two senses are equal when they ask for the same, however likely each is.

    Attributes:
        attribute: Name of the attribute.
        value: 1 for more and -1 for less of an ordered attribute; otherwise the name of a category.
        wanted: False for a category that is to be kept out.
        odds: How often words that sound so mean it, 0 to 1: the head's odds, calibrated on wordings that it never saw
            (`Certainty`).
        words: A name for people, such as "older", "Horror" or "no Horror".
    """

    attribute: str
    value: int | str
    wanted: bool = True
    odds: float = field(default=1.0, compare=False)
    words: str = field(default="", compare=False)

    def check(self, schema: Schema) -> None:
        """Raise a ValueError, naming what is wrong, unless items of `schema` can be moved so."""
        ordered = [a.name for a in schema.ordered]
        if self.attribute in ordered:
            if not isinstance(self.value, int) or self.value not in (-1, 1) or not self.wanted:
                raise ValueError(
                    f"a sense of {self.attribute} must have the value 1 (more) or -1 (less) and be wanted, "
                    f"got {self.value!r} and wanted={self.wanted}"
                )
        elif (self.attribute, self.value) not in schema.category_values:
            names = [*ordered, *(f"{name}={value}" for name, value in schema.category_values)]
            raise ValueError(unknown("sense", f"{self.attribute}={self.value}", names))


def senses_of(projected: Projected, schema: Schema, certainty: Certainty = AS_IS, *, ways: bool = True) -> list[Sense]:
    """Everything that words could ask for, the likeliest first.

    Args:
        projected: What a head makes of one turn, a batch of one.
        schema: Fitted schema that the head was trained for.
        certainty: How the head's logits become odds.
        ways: Whether the head knows ways along ordered attributes; without, only categories can be asked for.
    """
    senses: list[Sense] = []
    sides, asked, without = (each[0].tolist() for each in certainty.odds(projected))
    for attribute, (less, _, more) in zip(schema.ordered, sides, strict=True) if ways else ():
        for side, odds, words in zip((-1, 1), (less, more), attribute.sides, strict=True):
            senses.append(Sense(attribute.name, side, odds=odds, words=words))
    for (name, value), wanted, refused in zip(schema.category_values, asked, without, strict=True):
        senses.append(Sense(name, value, odds=wanted, words=value))
        senses.append(Sense(name, value, wanted=False, odds=refused, words=f"no {value}"))
    return sorted(senses, key=lambda sense: -sense.odds)


def followed(
    senses: Sequence[Sense], moves: dict[str, float], asked: Collection[Named], without: Collection[Named]
) -> tuple[list[Sense], list[Sense]]:
    """The senses that an answer followed, and those of the others that are likely, both in their order.

    Args:
        senses: All that the words could ask for.
        moves: Movement along every ordered attribute that the answer made.
        asked: Categories that it kept to.
        without: Categories that it kept out because of these words.
    """

    def heard(sense: Sense) -> bool:
        if isinstance(sense.value, int):
            return moves.get(sense.attribute, 0.0) * sense.value > 0
        return (sense.attribute, sense.value) in (asked if sense.wanted else without)

    found = [(sense, heard(sense)) for sense in senses]
    others = [sense for sense, yes in found if not yes and sense.odds >= LIKELY]
    return [sense for sense, yes in found if yes], others


def sureness(heard: Sequence[Sense], otherwise: Sequence[Sense]) -> float:
    """How likely words were taken as they were meant, 0 to 1.

    The odds of the least sure thing that was heard; where nothing was, the odds that nothing else was meant either.
    """
    if heard:
        return min(sense.odds for sense in heard)
    return math.prod(1.0 - sense.odds for sense in otherwise)
