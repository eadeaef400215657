"""TalkWalk itself, the engine as people use it, behind the benchmark's protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from talkwalk.engine.recommender import Recommender
from talkwalk.engine.senses import Sense
from talkwalk.engine.session import Session
from talkwalk.engine.turn import Turn
from talkwalk.eval.system import Answer, Dialogue, Said, System, Unsuited
from talkwalk.index.catalog import Catalog

SILENCE = "What do you recommend?"  # stands for a person who has not said anything yet


@dataclass(slots=True)
class _Live:
    """An engine session, the earlier turns that it holds, and its own answer to the last thing said."""

    session: Session
    user: object
    history: tuple[str, ...]
    told: tuple[Said, ...]
    text: str
    shown: tuple[str, ...]


class TalkWalk(System):
    """One engine session, kept for as long as the dialogues continue each other.

    A turn that somebody else answered is told to the engine as such (`Session.tell`); nothing of what the engine would
    have answered remains.

    Args:
        open_recommender: Opens the engine on a catalogue.
        name: As the report prints it.
    """

    offers = True

    def __init__(self, open_recommender: Callable[[Catalog], Recommender], name: str = "talkwalk") -> None:
        self.name, self._open = name, open_recommender
        self._live: _Live | None = None

    def fit(self, catalog: Catalog) -> None:
        try:
            self.recommender = self._open(catalog)
        except ValueError as error:
            raise Unsuited(str(error)) from error
        self.vectors = self.recommender.index.vectors(self.recommender.catalog.ids)
        self._live = None

    def answer(self, dialogue: Dialogue, k: int) -> Answer:
        session = self._session(dialogue)
        if dialogue.named:
            session.react(dialogue.named[-1], liked=True)  # the next turn starts from it
        asked = k if k <= len(self.recommender.catalog) // 2 else 10  # everything: ranked below
        text = self._text([*_unanswered(dialogue.turns), dialogue.text])
        turn = session.say(text, k=asked, diversity=dialogue.diversity, exclude=dialogue.named)
        shown = tuple(item.id for item in turn.items)
        self._live = _Live(session, dialogue.user, dialogue.history, dialogue.turns, dialogue.text, shown)
        return self._answer(turn, dialogue, k)

    def rather(self, dialogue: Dialogue, sense: Sense, k: int) -> Answer:
        live, last = self._live, (dialogue.text, dialogue.user, dialogue.history, dialogue.turns)
        if live is None or (live.text, live.user, live.history, live.told) != last:
            self.answer(dialogue, k)
            live = self._live
        assert live is not None  # there is an answer now
        turn = live.session.rather(sense)
        live.shown = tuple(item.id for item in turn.items)
        return self._answer(turn, dialogue, k)

    def _answer(self, turn: Turn, dialogue: Dialogue, k: int) -> Answer:
        """The turn's items, and where they are too few everything else by nearness."""
        shown = tuple(item.id for item in turn.items)
        if len(shown) < k:
            shown = (*shown, *self._rest(turn, {*dialogue.seen, *shown}, k))[:k]
        return Answer(shown, turn.position, turn.heard, turn.otherwise, turn.sure)

    def _rest(self, turn: Turn, hidden: set[str], k: int) -> list[str]:
        """Everything else by nearness: first what has all that was asked for or is kept to, last what was refused."""
        catalog = self.recommender.catalog
        wanted = [catalog.having_all(turn.held)] if turn.held else []
        wanted += [catalog.in_ranges(turn.within)] if turn.within else []
        refused = catalog.having(turn.without)
        near = self.recommender.index.search(turn.position, k, exclude=hidden).ids
        return sorted(near, key=lambda i: (i in refused, sum(i not in fitting for fitting in wanted)))

    def _session(self, dialogue: Dialogue) -> Session:
        """An engine session that holds the dialogue's earlier turns, each answered as it truly was."""
        live, self._live = self._live, None
        if live is None or not _continues(live, dialogue):
            session, told = self.recommender.session(user=dialogue.user, history=dialogue.history), 0
        else:
            session, told = live.session, len(live.told)
            last = dialogue.turns[told]
            if last.shown == live.shown:
                _react(session, last)
                told += 1
            else:
                session.undo()
        for number in range(told, len(dialogue.turns)):
            turn = dialogue.turns[number]
            if turn.shown:  # words that nothing was shown for belong to those that come after them
                said = self._text([*_unanswered(dialogue.turns[:number]), turn.text])
                session.tell(said, list(turn.shown))
            _react(session, turn)
        return session

    def _text(self, parts: Sequence[str]) -> str:
        """What was said in one go, its end where it is too long."""
        text = " ".join(part for part in parts if part.strip())
        return text[-self.recommender.prompts.limits.characters :].strip() or SILENCE


def _unanswered(turns: Sequence[Said]) -> list[str]:
    """Words of the last turns for which nothing was shown."""
    answered = next((n for n in range(len(turns), 0, -1) if turns[n - 1].shown), 0)
    return [turn.text for turn in turns[answered:]]


def _continues(live: _Live, dialogue: Dialogue) -> bool:
    """Whether the dialogue is the live one with one more turn."""
    told = len(live.told)
    return (
        dialogue.user == live.user
        and dialogue.history == live.history
        and dialogue.turns[:told] == live.told
        and len(dialogue.turns) == told + 1
        and dialogue.turns[told].text == live.text
    )


def _react(session: Session, turn: Said) -> None:
    for item_id in turn.disliked:
        session.react(item_id, liked=False)
    for item_id in turn.liked:
        session.react(item_id, liked=True)
