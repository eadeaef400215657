"""Walks as tables of turns: what each turn reads, where it starts, and where it should lead."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from talkwalk.contrastive.descriptions import Descriptions, keys_of
from talkwalk.contrastive.space import Space
from talkwalk.contrastive.text_encoder import clause_table
from talkwalk.index.catalog import Catalog
from talkwalk.llm.conversation import Conversation, Exchange
from talkwalk.llm.hidden_states import hidden_states
from talkwalk.llm.language_model import HiddenStateBackend
from talkwalk.llm.prompt_text import all_said, item_text, system_text
from talkwalk.projection.labels import labels_of
from talkwalk.projection.losses import ContextDrop, drop_turns
from talkwalk.projection.projection_head import BACK, CURRENT, FIRST, SLOTS
from talkwalk.projection.steering_pairs import moves_on
from talkwalk.projection.steps import Named, Step
from talkwalk.projection.walks import Walk
from talkwalk.schema import Row

NONE = -1


@dataclass
class TurnTable:
    """One row per turn; unit vectors unless said otherwise.

    Attributes:
        states: What a head reads of a turn, (turns, llm dim + heard dim), not normalised: the hidden states of the
            readout, and what the text side of the space makes of the words that were said last (`Space.heard`).
        anchors: Where the conversation stands, stood before, and first stood, (turns, slots, dim); zero for none.
        wanted: Encoded wanted metadata, (turns, dim).
        items: Encoded target item, (turns, dim).
        item_keys: Equal numbers mark equal target items, (turns,).
        descriptions: Sentence embedding of a description of the wanted metadata, (turns, sentence dim).
        walk: Index of the walk, (turns,).
        before: Row of the turn before, if this turn moves away from it, else -1, (turns,).
        twin: On the last turn of another ending, the row of the turn that it could have been; else -1, (turns,).
        steps: The steps themselves.
        seen: Ids that must not be recommended: history and what earlier turns recommended, per turn.
        starts: The item that each turn starts from; None at a beginning without history.
        swap: Number of the turn's steer in `AnchorSwaps.swaps`, else -1, (turns,).
        spread: As in `labels.Labels`, like the next five.
        asked: See `Labels`.
        without: See `Labels`.
        within: See `Labels`.
        moves: See `Labels`.
        returns: See `Labels`.
        ranges: What the columns of `within` are.
        sentence: Columns of `states` that hold the sentence embedding of the words said last.
    """

    states: np.ndarray
    anchors: np.ndarray
    wanted: np.ndarray
    items: np.ndarray
    item_keys: np.ndarray
    descriptions: np.ndarray
    walk: np.ndarray
    before: np.ndarray
    twin: np.ndarray
    steps: list[Step]
    seen: list[set[str]]
    starts: list[str | None]
    swap: np.ndarray
    spread: np.ndarray
    asked: np.ndarray
    without: np.ndarray
    within: np.ndarray
    moves: np.ndarray
    returns: np.ndarray
    ranges: tuple[Named, ...] = ()
    sentence: slice = field(default_factory=lambda: slice(0))

    def __len__(self) -> int:
        return len(self.steps)

    def fingerprint(self) -> str:
        """Hash of what the turns say, where they stand and what is wanted of them, in this space."""
        parts = (
            self.states,
            self.anchors,
            self.wanted,
            self.items,
            self.spread,
            self.asked,
            self.without,
            self.within,
            self.moves,
            self.returns,
        )
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:16]


def conversation_of(walk: Walk, catalog: Catalog, drop: ContextDrop) -> Conversation:
    """The walk as the language model reads it."""
    schema = catalog.schema
    rows = dict(zip(walk.history, catalog.rows(walk.history), strict=True))
    history = [item_text(rows[walk.history[i]], schema, drop.verbosity) for i in drop.history_order]
    answers = [item_text(catalog.row(s.target), schema, drop.verbosity) for s in walk.steps]
    last = len(walk.steps) - 1
    exchanges = tuple(
        Exchange(step.utterance, answer if turn < last else None, step.system)
        for turn, (step, answer) in enumerate(zip(walk.steps, answers, strict=True))
    )
    return drop_turns(Conversation(system_text(schema, walk.user, history), exchanges), drop.first_turn)


def said_last(step: Step) -> str:
    """The words of one turn, the application's before the person's."""
    return all_said(step.utterance, step.system)


class TurnTables:
    """Builds tables of turns for one space, catalogue and language model.

    Args:
        space: Encodes wanted metadata, items and profiles.
        catalog: Where the items of the walks come from.
        descriptions: Wordings that describe wanted metadata for reconstruction.
        backend: Reads the conversations.
        step: How far a plain "more" or "less" moves, see `WalksConfig`.
    """

    def __init__(
        self,
        space: Space,
        catalog: Catalog,
        descriptions: Descriptions,
        backend: HiddenStateBackend,
        *,
        step: float = 0.3,
    ) -> None:
        self.step = step
        self.space, self.catalog, self.descriptions, self.backend = space, catalog, descriptions, backend
        self._row = {item_id: i for i, item_id in enumerate(catalog.ids)}
        self._item_vectors = space.encode_items(catalog.items)

    def build(
        self,
        walks: Sequence[Walk],
        drops: Sequence[ContextDrop],
        rng: np.random.Generator,
        endings: Sequence[Sequence[Walk]] = (),
    ) -> TurnTable:
        """Read every conversation and line up its turns; another ending adds its last turn only.

        Args:
            walks: Conversations.
            drops: How each one's context is altered; that of its other endings is altered alike.
            rng: Chooses the wordings that describe what was wanted.
            endings: Per walk its other endings, see `steering_pairs.other_endings`; none when empty.
        """
        others = list(endings) or [[] for _ in walks]
        told = [*zip(walks, drops, strict=True)]
        told += [(ending, drop) for drop, some in zip(drops, others, strict=True) for ending in some]
        read = hidden_states(self.backend, [conversation_of(walk, self.catalog, drop) for walk, drop in told])
        endings_read = iter(read[len(walks) :])
        rows: list[dict[str, Any]] = []
        for index, (walk, drop, states, some) in enumerate(zip(walks, drops, read, others, strict=False)):
            first = len(rows)
            for turn in range(drop.first_turn, len(walk.steps)):
                before = len(rows) - 1 if len(rows) > first and moves_on(walk, turn) else NONE
                rows.append(self._turn(walk, turn, index, states[turn - drop.first_turn], before))
            for ending in some:
                turn = len(ending.steps) - 1
                rows.append(self._turn(ending, turn, index, next(endings_read)[-1], NONE))
                rows[-1]["twin"] = first + turn - drop.first_turn
        return self._table(rows, rng)

    def _turn(self, walk: Walk, turn: int, index: int, state: np.ndarray, before: int) -> dict[str, Any]:
        step = walk.steps[turn]
        shown = [s.target for s in walk.steps[:turn]]
        return {
            "state": state,
            "current": shown[-1] if shown else (walk.history[-1] if walk.history else None),
            "back": walk.steps[turn - 2].wanted if turn >= 2 else None,
            "first": shown[0] if shown else None,
            "start": walk if turn == 1 else None,  # one turn in, "before" is where the walk began
            "user": walk.user if turn == 0 and not walk.history else None,
            "step": step,
            "seen": {*walk.history, *shown},
            "walk": index,
            "before": before,
            "twin": NONE,
        }

    def _table(self, rows: list[dict[str, Any]], rng: np.random.Generator) -> TurnTable:
        steps: list[Step] = [row["step"] for row in rows]
        return TurnTable(
            states=np.concatenate(
                [np.stack([row["state"] for row in rows]), self.space.heard([said_last(s) for s in steps])], axis=1
            ),
            anchors=self._anchors(rows),
            wanted=self.space.encode_items([s.wanted for s in steps]),
            items=self._item_vectors[[self._row[s.target] for s in steps]],
            item_keys=np.array([self._row[s.target] for s in steps]),
            descriptions=self._described([s.wanted for s in steps], rng),
            walk=np.array([row["walk"] for row in rows]),
            before=np.array([row["before"] for row in rows]),
            twin=np.array([row["twin"] for row in rows]),
            steps=steps,
            seen=[row["seen"] for row in rows],
            starts=[row["current"] for row in rows],
            swap=np.full(len(rows), NONE),
            ranges=self.space.ranges,
            sentence=slice(self.backend.dim, self.backend.dim + int(self.space.shape["sentence_dim"])),
            **labels_of(steps, self.space, self.step)._asdict(),
        )

    def _anchors(self, rows: Sequence[dict[str, Any]]) -> np.ndarray:
        anchors = np.zeros((len(rows), SLOTS, self.space.dim), dtype=np.float32)
        for i, row in enumerate(rows):
            if row["current"] is not None:
                anchors[i, CURRENT] = self._item_vectors[self._row[row["current"]]]
            if row["first"] is not None:
                anchors[i, FIRST] = self._item_vectors[self._row[row["first"]]]
            if row["start"] is not None and row["start"].history:
                anchors[i, BACK] = self._item_vectors[self._row[row["start"].history[-1]]]
        self._fill(anchors, CURRENT, [row["user"] for row in rows], users=True)
        self._fill(anchors, BACK, [row["back"] for row in rows], users=False)
        beginners = [r["start"].user if r["start"] is not None and not r["start"].history else None for r in rows]
        self._fill(anchors, BACK, beginners, users=True)
        return anchors

    def _fill(self, anchors: np.ndarray, slot: int, given: Sequence[Row | None], *, users: bool) -> None:
        """Put the encoded rows that are not None into their slot."""
        places = [i for i, row in enumerate(given) if row is not None]
        chosen = [row for row in given if row is not None]
        if chosen:
            encode = self.space.encode_users if users else self.space.encode_items
            anchors[places, slot] = encode(chosen)

    def _described(self, wanted: Sequence[Row], rng: np.random.Generator) -> np.ndarray:
        """Mean embedding of one wording per value, (rows, sentence dim); zero where nothing has words."""
        table = clause_table([self._describe(row, rng) for row in wanted], self.space.sentences)
        count = np.maximum((table.rows > 0).sum(axis=1, keepdims=True), 1)
        return (table.vectors[table.rows].sum(axis=1) / count).astype(np.float32)

    def _describe(self, row: Row, rng: np.random.Generator) -> str:
        sayings = [
            str(rng.choice(values[key]))
            for name, values in self.descriptions.items.items()
            for key in keys_of(self.catalog.schema.items[name], row.get(name), values)
            if values[key]
        ]
        return ", ".join(sayings) or "anything"
