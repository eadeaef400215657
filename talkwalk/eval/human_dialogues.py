"""Dialogues between people: what a system would have suggested in the place of the one who recommends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from talkwalk.datasets.cpcd import cpcd_dialogues
from talkwalk.datasets.dialogues import HumanDialogue, HumanTurn
from talkwalk.datasets.redial import redial_dialogues
from talkwalk.eval.judge import Values
from talkwalk.eval.ranking import hit_at, place_of, reciprocal
from talkwalk.eval.system import Dialogue, Said, System
from talkwalk.eval.world import Measured, World

CUTS = (1, 10, 50)


class Moment(NamedTuple):
    """A place in a dialogue where somebody recommends.

    Attributes:
        key: Names it.
        dialogue: What a system is told.
        turn: What the person answered.
    """

    key: str
    dialogue: Dialogue
    turn: HumanTurn


def moments(dialogues: Sequence[HumanDialogue], *, reactions: bool) -> list[Moment]:
    """Every turn of every dialogue, with the dialogue before it.

    Args:
        dialogues: The conversations.
        reactions: Whether a system is told what was liked in the turns before.
    """
    found = []
    for conversation in dialogues:
        told: list[Said] = []
        for number, turn in enumerate(conversation.turns):
            dialogue = Dialogue(turn.text, turns=tuple(told), named=turn.named)
            found.append(Moment(f"{conversation.id}:{number}", dialogue, turn))
            judged = (turn.liked, turn.disliked) if reactions else ((), ())
            told.append(Said(turn.text, turn.suggested, turn.named, *judged, turn.reply))
    return found


def measure_redial(system: System, world: World) -> Measured:
    """Recall and MRR on ReDial.

    Protocol: at every turn of the validation dialogues in which the recommender suggests a film, the system is told the
    dialogue so far (all words with titles in the place of ids, the films that were named, the films that were
    suggested; no like or dislike, because the forms are filled in afterwards) and ranks the whole catalogue of 6,583
    films without those already mentioned. Every film that is suggested there for the first time is one case: R@1, R@10,
    R@50 and the mean reciprocal rank. `redial/r10` counts the suggestions that the seeker's form says they liked;
    `redial/all/r10` every suggestion, which is what published systems report as Recall@k (Li et al. 2018, arXiv
    1812.07617; Chen et al. 2019, arXiv 1908.05391; Wang et al. 2022, arXiv 2206.09363). Two differences remain from
    most of them: films mentioned before are no cases (He et al. 2023, arXiv 2308.10053, show that counting them rewards
    repetition), and the validation part is used, with a training part of 1,000 dialogues.
    """
    if world.data is None:
        raise ValueError("redial needs the folder of its files: data=FOLDER")
    dialogues = redial_dialogues(world.data)[: world.amounts.dialogues or None]
    asked = [m for m in moments(dialogues, reactions=False) if m.turn.suggested]
    places: dict[str, int] = {}
    liked: set[str] = set()
    for moment in asked:
        new = [i for i in moment.turn.suggested if i not in moment.dialogue.seen]
        if new:
            ranked = system.answer(moment.dialogue, len(world.catalog)).ids
            size = len(world.catalog) - len(moment.dialogue.seen)
            places |= {f"{moment.key}:{i}": place_of(i, ranked, size=size) for i in new}
            liked |= {f"{moment.key}:{i}" for i in new if i in moment.turn.liked}
    return Measured(recalls("redial", {k: p for k, p in places.items() if k in liked}) | recalls("redial/all", places))


def measure_cpcd(system: System, world: World) -> Measured:
    """Recall, MRR and movement on CPCD.

    Protocol: at every turn in which the wizard shows tracks, the system is told the dialogue so far (all words, the
    tracks shown and which of them were liked or disliked: the person says so at once) and ranks all tracks of the
    development file without those shown before. Every track that is liked there is one case: R@1, R@10, R@50, MRR
    (Chaganty et al. 2023, arXiv 2303.06791, report Hits@k over the dataset's whole corpus of tracks: a larger haystack,
    so these figures are higher). Movement: the mean place of the tracks liked at the turn, as a share of the ranking (1
    is the top), after the turn's words minus before them (`towards_liked`), and the same before minus after for the
    tracks disliked (`away_from_disliked`); above 0 is the right way, 0 a system that ignores the words.
    """
    if world.data is None:
        raise ValueError("cpcd needs the folder of its files: data=FOLDER")
    dialogues = cpcd_dialogues(world.data)[: world.amounts.dialogues or None]
    places: dict[str, int] = {}
    towards: Values = {}
    away: Values = {}
    before: tuple[str, ...] = ()
    for moment in moments(dialogues, reactions=True):
        if not moment.dialogue.turns:
            before = ()
        ranked = system.answer(moment.dialogue, len(world.catalog)).ids
        seen = moment.dialogue.seen
        for item_id in (i for i in moment.turn.liked if i not in seen):
            places[f"{moment.key}:{item_id}"] = place_of(item_id, ranked, size=len(world.catalog) - len(seen))
        for values, side, sign in ((towards, moment.turn.liked, 1), (away, moment.turn.disliked, -1)):
            new = [i for i in side if i not in seen]
            if before and new:
                values[moment.key] = sign * (_height(new, ranked) - _height(new, [i for i in before if i not in seen]))
        before = ranked
    return Measured(recalls("cpcd", places) | {"cpcd/towards_liked": towards, "cpcd/away_from_disliked": away})


def _height(ids: Sequence[str], ranked: Sequence[str]) -> float:
    """Mean place as a share of the ranking, 1 the top, 0 the bottom."""
    place = {item_id: i for i, item_id in enumerate(ranked)}
    last = max(len(ranked) - 1, 1)
    return float(np.mean([1 - place.get(i, last) / last for i in ids]))


def recalls(name: str, places: dict[str, int]) -> dict[str, Values]:
    """R@1, R@10, R@50 and reciprocal rank of every case."""
    keys, array = list(places), np.array(list(places.values()), dtype=int)
    figures = {f"{name}/r{k}": hit_at(array, k) for k in CUTS} | {f"{name}/mrr": reciprocal(array)}
    return {figure: dict(zip(keys, values.tolist(), strict=True)) for figure, values in figures.items()}
