"""A conversation: what was said, what was shown, and where it stands."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from talkwalk.engine.diversity import STRENGTH
from talkwalk.engine.named_items import Named as NamedItem
from talkwalk.engine.pointed_items import OPENING, PREVIOUS, pointed_at
from talkwalk.engine.said import Ask, Said
from talkwalk.engine.senses import Sense, followed, sureness
from talkwalk.engine.trace import movement_trace
from talkwalk.engine.turn import Item, Turn
from talkwalk.llm.conversation import Exchange
from talkwalk.llm.prompt_format import Prompt
from talkwalk.llm.prompt_text import all_said
from talkwalk.projection.projection_head import BACK, CURRENT, FIRST, SLOTS
from talkwalk.projection.steps import Named
from talkwalk.schema import Row

if TYPE_CHECKING:
    from talkwalk.engine.recommender import Reading, Recommender


class _Allowed(NamedTuple):
    """What may answer a turn.

    Attributes:
        read: The reading, with what earlier turns make of it.
        hidden: Ids that must not be shown.
        among: Ids that may be; None for all.
        kept: Categories that were asked for before and still hold.
        without: Categories that must not be shown.
        unwanted: Items of makers that must not be.
        titles: Items that the words compare with.
        by: Items of the makers that the words keep to.
    """

    read: Reading
    hidden: set[str]
    among: Collection[str] | None
    kept: tuple[Named, ...]
    without: frozenset[Named]
    unwanted: frozenset[str]
    titles: frozenset[str]
    by: frozenset[str]


class Session:
    """A person's conversation with a `Recommender`; made by `Recommender.session`.

    Args:
        recommender: Answers the turns.
        user: Profile, if any.
        history: Ids of consumed items, the last one most recent.
    """

    def __init__(self, recommender: Recommender, user: Row | None, history: Sequence[str]) -> None:
        self._recommender = recommender
        self.user = dict(user) if user else None
        self.history = list(history)
        self._opening = recommender.prompts.opening(self.user, recommender.catalog.rows(self.history))
        self._reader = recommender.backend.reader()
        self._said: list[Said] = []
        self._liked: dict[str, bool] = {}
        self._anchor: str | None = None  # item that a reaction put in the place of the last answer

    def __repr__(self) -> str:
        return f"Session({len(self._said)} turns, {len(self.history)} items of history)"

    @property
    def prompt(self) -> Prompt:
        """What the language model would read now, the answers so far included."""
        exchanges = [said.exchange for said in self._said]
        first = self._said[-1].first_shown if self._said else 0
        return self._recommender.prompts.build(self._opening, exchanges, first=first).prompt

    @property
    def turns(self) -> list[Turn]:
        """The answers so far, the oldest first."""
        return [said.turn for said in self._said]

    def say(
        self,
        text: str,
        *,
        k: int = 10,
        system: str | None = None,
        exclude: Collection[str] = (),
        where: Mapping[str, Any] | None = None,
        diversity: float = 0.0,
    ) -> Turn:
        """Answer one turn.

        A category that was asked for is kept to while other things change, where enough items have it; whoever asks for
        more of the same again is led twice as far. Words may name items of the catalogue: "like X" starts from X, which
        is not shown; "by Y" shows only what Y made, as long as something of it is left to show; "nothing by Y" keeps
        that out until it is asked for again. Or they may point at what was shown: "like the second one, but older".

        Args:
            text: What the person says, at most 2,000 characters.
            k: Number of items; fewer come back where fewer are allowed.
            system: Words of the application for this turn.
            exclude: Ids that must not be recommended.
            where: Attribute filter, see `Catalog.matching`.
            diversity: Spread of the answer, 0 (nearest items, or what the words say) to 1.

        Raises:
            ValueError: On a bad argument; the session stays as it was.
        """
        rec = self._recommender
        text = rec.prompts.check_text(text)
        system = rec.prompts.check_text(system, name="system") if system is not None else None
        admitted = rec.check_search(k, exclude, where, diversity)
        # plain numbers, whatever sort they came as
        filters = dict(where) if where else None
        ask = Ask(text, int(k), system, frozenset(exclude), filters, float(diversity), *self._pointed(text))
        clock = _Clock()
        first = self._said[-1].first_shown if self._said else 0
        exchanges = [*(s.exchange for s in self._said), Exchange(ask.told, system=system)]
        built = rec.prompts.build(self._opening, exchanges, first=first)
        clock.lap("prompt")
        hearing = rec.hear(all_said(ask.told, system))  # beside the language model
        state = self._reader.read(built.prompt)
        clock.lap("llm")
        heard = hearing.result()
        clock.lap("words")
        with rec.reading():  # items come and go between turns, and while the language model reads
            anchors, named = self._start(ask)
            read = rec.project(np.concatenate([state, heard]), anchors)
            clock.lap("projection")
            return self._answer(ask, read, read, anchors[CURRENT], named, admitted, built.first, clock)

    def rather(self, sense: Sense) -> Turn:
        """Answer the last words anew, as if they had asked for just one thing; the turn so far is forgotten.

        Whoever was misunderstood picks what was meant from `Turn.otherwise`, or says it as `Sense("year", -1)`.

        Args:
            sense: What the words were meant to ask for.

        Raises:
            ValueError: If there is no turn, if it was answered elsewhere, if items have no such attribute or category,
                or if the bundle's head knows no way along it; the session stays as it was.
        """
        rec = self._recommender
        if not isinstance(sense, Sense):
            raise ValueError(f"sense must be a Sense, such as one of Turn.otherwise, got {type(sense).__name__}")
        sense.check(rec.catalog.schema)
        if not self._said:
            raise ValueError("there is no turn that could be meant otherwise")
        last, ask, read = self._said[-1], self._said[-1].ask, self._said[-1].read
        if ask is None or read is None:
            raise ValueError("the last turn was told, not answered here: say something first")
        clock, liked, before = _Clock(), self._anchor, len(self._said) - 1
        admitted = rec.check_search(ask.k, (), ask.where, ask.diversity)
        self._said.pop()
        self._anchor = last.reacted
        try:
            with rec.reading():
                anchors, named = self._start(ask)
                meant = rec.meant(read, sense, anchors[CURRENT])
                clock.lap("projection")
                return self._answer(ask, meant, read, anchors[CURRENT], named, admitted, last.first_shown, clock)
        except BaseException:  # an interruption too must leave the session as it was
            self._said[before:], self._anchor = [last], liked
            raise

    def _start(self, ask: Ask) -> tuple[np.ndarray, list[NamedItem]]:
        """Where words are said, (slots, dim), and the items that they name or point at, from which the turn starts."""
        rec, anchors = self._recommender, self._anchors()
        pointed = [NamedItem(ask.text, made_by=False, attribute="", ids=[i]) for i in ask.pointed if i in rec.index]
        named = [*pointed, *rec.named(ask.text)]
        if named:
            anchors[CURRENT] = rec.middle([name.ids for name in named])
        return anchors, named

    def _pointed(self, text: str) -> tuple[str, tuple[str, ...], int | None]:
        """The words as they are read, ids of the items shown that they point at, and the turn that they go back to."""
        rec, turns, shown = self._recommender, self.turns, self._last_shown()
        found = pointed_at(text, len(shown), rec.catalog.schema.noun)
        earlier = {OPENING: self._first_turn(), PREVIOUS: self._before() if len(turns) > 1 else None}
        answers = {place: [] if turn is None else turns[turn].items[:1] for place, turn in earlier.items()}
        ids = [item.id for place in found.places for item in answers.get(place, shown[place : place + 1])]
        if len(ids) < len(found.places) or not all(i in rec.index for i in ids):  # never there, or removed since
            return text, (), None
        return found.text, tuple(ids), earlier.get(found.places[0]) if len(found.places) == 1 else None

    def _answer(
        self, ask: Ask, meant: Reading, read: Reading, start: np.ndarray, named: Sequence[NamedItem],
        among: Collection[str] | None, first_shown: int, clock: _Clock,
    ) -> Turn:  # fmt: skip
        """Find the answer to what was meant, and remember it with what was read."""
        rec = self._recommender
        allowed = self._allowed(meant, ask, named, among)
        found = allowed.read
        spread = ask.diversity or STRENGTH * found.spread
        items = rec.search(found.position, ask.k, allowed.hidden, allowed.among, spread)
        clock.lap("search")
        trace = movement_trace(rec.catalog, self._last_answer(), [item.id for item in items])
        earlier = self._returns_to(found)
        moves = dict(zip((a.name for a in rec.catalog.schema.ordered), meant.moves, strict=False))
        asked = [category for category in meant.asked if category not in allowed.without]  # not what was gone back to
        heard, otherwise = followed(read.senses, moves if earlier is None else {}, asked, meant.without)
        turn = Turn(
            ask.text, items, found.position, trace, clock.laps, rec.catalog.schema,
            found.spread, tuple(found.asked), tuple(sorted(allowed.without)), tuple(found.within),
            tuple(i for name in named for i in name.ids), allowed.kept, tuple(heard), tuple(otherwise),
            sureness(heard, otherwise) if meant is read else 1.0,
        )  # fmt: skip
        answer = rec.prompts.answer(items[0].metadata) if items else "nothing fits"
        said = Said(
            exchange=Exchange(ask.told, answer, ask.system), turn=turn, start=start,
            first_shown=first_shown,
            stands=len(self._said) if earlier is None else self._said[earlier].stands, reacted=self._anchor,
            without=allowed.without, unwanted=allowed.unwanted, titles=allowed.titles, by=allowed.by,
            moves=found.moves, ask=ask, read=read,
        )  # fmt: skip
        self._said.append(said)
        self._anchor = None
        return turn

    def _allowed(self, read: Reading, ask: Ask, named: Sequence[NamedItem], among: Collection[str] | None) -> _Allowed:
        """What may answer a turn: of what the words ask for, and of what was asked for and refused before."""
        rec, k = self._recommender, ask.k
        then = self._under(read, ask)
        without, read = self._refused(read, then), self._as_before(read)
        read = read._replace(asked=[category for category in read.asked if category not in without])
        unwanted = self._unwanted(ask.text, named, then)
        titles = frozenset(i for name in named if name.attribute == rec.catalog.schema.title for i in name.ids)
        hidden = {*ask.exclude, *self._seen(read), *rec.catalog.having(without), *titles, *unwanted}
        by = self._made_by(named, then)
        made = by - hidden if among is None else (by - hidden).intersection(among)
        enough = min(k, len(made)) if made else k
        fitting = rec.among_asked(read.asked, read.within, sorted(made) or among, hidden, enough)
        kept = self._held(read, without, then)
        if self._returns_to(read) is None:
            # whoever asked for jazz and now says "faster" walks on from there; what else is said may lead away from it
            if any(read.moves) and not named and self._anchor is None:
                read = rec.further(read, self._said[-1].moves if self._said else ())
            else:
                kept = rec.at_home(kept, read.position, k, hidden, among)
        fitting = rec.among_asked(kept, (), fitting, hidden, enough)
        return _Allowed(read, hidden, fitting, kept, without, unwanted, titles, by)

    def tell(self, text: str, shown: Sequence[str]) -> None:
        """Record a turn that was answered elsewhere: a session taken up again, or a dialogue between people.

        Nothing is read until the next `say`, which starts from the first item shown.

        Args:
            text: What the person said.
            shown: Ids that answered it, the best first; at least one.

        Raises:
            ValueError: On a bad text, an unknown id or no id; the session stays as it was.
        """
        rec = self._recommender
        text = rec.prompts.check_text(text)
        with rec.reading():
            rec.catalog.check_ids(shown, name="shown")
            if not len(shown):
                raise ValueError("shown must be a list of at least one item id, got none")
            vectors = rec.index.vectors(list(shown))
            items = [
                Item(i, float(np.clip(vector @ vectors[0], -1, 1)), rec.catalog.row(i))
                for i, vector in zip(shown, vectors, strict=True)
            ]
            trace = movement_trace(rec.catalog, self._last_answer(), list(shown))
            start = self._anchors()[CURRENT]
        last = self._said[-1] if self._said else None
        turn = Turn(text, items, vectors[0], trace, {}, rec.catalog.schema, kept=last.turn.held if last else ())
        said = Said(
            exchange=Exchange(text, rec.prompts.answer(items[0].metadata)), turn=turn, start=start,
            first_shown=last.first_shown if last else 0, stands=len(self._said), reacted=self._anchor,
            without=last.without if last else frozenset(), unwanted=last.unwanted if last else frozenset(),
        )  # fmt: skip
        self._said.append(said)
        self._anchor = None

    def undo(self) -> Turn | None:
        """Take the last turn back, as if it had not been said; returns the turn that is now last.

        Raises:
            ValueError: If there is no turn.
        """
        if not self._said:
            raise ValueError("there is no turn to undo")
        self._anchor = self._said.pop().reacted
        return self._said[-1].turn if self._said else None

    def react(self, item_id: str, *, liked: bool) -> None:
        """Tell what the person thought of an item.

        The next turn starts from a liked one; a disliked one is never shown again.

        Raises:
            ValueError: If the catalogue has no such item.
        """
        self._recommender.catalog.check_ids([item_id])
        self._liked[item_id] = liked
        if liked:
            self._anchor = item_id
        elif self._anchor == item_id:
            self._anchor = None

    def _last_shown(self) -> list[Item]:
        """The last answer that had items which are still there: an empty one is passed over."""
        index = self._recommender.index
        answers = (turn.items for turn in reversed(self.turns))
        return next((items for items in answers if any(item.id in index for item in items)), [])

    def _last_answer(self) -> list[str]:
        """Ids that the next answer is compared with."""
        return [item.id for item in self._last_shown()] or self.history[-1:]

    def _first_turn(self) -> int | None:
        """The first turn that showed something, if its first item is still there to go back to."""
        turns = self.turns
        opening = next((place for place, turn in enumerate(turns) if turn.items), None)
        return None if opening is None or turns[opening].items[0].id not in self._recommender.index else opening

    def _returns_to(self, read: Reading) -> int | None:
        """The earlier turn that is gone back to: the one before the last, or the first; None for going on."""
        if read.returns is None or len(self._said) < 2:
            return None
        return self._first_turn() if read.returns == FIRST else self._before()

    def _under(self, read: Reading, ask: Ask) -> Said | None:
        """The turn whose refusals, makers and categories hold on: the last, or the one that is gone back to.

        "Go back, but newer" goes on from where it stood before, with what held there.
        """
        earlier = self._returns_to(read)
        earlier = ask.earlier if earlier is None else earlier
        return self._said[-1 if earlier is None else earlier] if self._said else None

    def _before(self) -> int:
        """The turn before the one at which the conversation stands: after "go back", that of the turn gone back to."""
        return max(self._said[-1].stands - 1, 0)

    def _as_before(self, read: Reading) -> Reading:
        """The reading; on the way back with the categories, ranges and spread of the earlier turn, or else its own."""
        if read.returns != BACK or len(self._said) < 2:
            return read
        earlier = self._said[self._before()].turn
        return read._replace(
            asked=read.asked or list(earlier.asked), within=read.within or list(earlier.within), spread=earlier.spread
        )

    def _refused(self, read: Reading, then: Said | None) -> frozenset[Named]:
        """Categories that must not be shown: refused now or before, and not asked for since."""
        before = then.without if then else frozenset()
        return (before - set(read.asked)) | set(read.without)

    def _unwanted(self, text: str, named: Sequence[NamedItem], then: Said | None) -> frozenset[str]:
        """Items that must not be shown because of who made them: refused now or before, and not asked for since."""
        before = then.unwanted if then else frozenset()
        refused = (i for name in self._recommender.named(text, refused=True) for i in name.ids)
        return (before - {i for name in named for i in name.ids}).union(refused)

    def _made_by(self, named: Sequence[NamedItem], then: Said | None) -> frozenset[str]:
        """Items of the makers that the words keep to; on the way back, of those that the earlier turn kept to."""
        by = frozenset(i for name in named if name.made_by for i in name.ids)
        return by if by or then is None or then is self._said[-1] else then.by

    def _held(self, read: Reading, without: Collection[Named], then: Said | None) -> tuple[Named, ...]:
        """Categories asked for before that still hold: until others are asked for, or they are refused."""
        if read.asked or then is None:
            return ()
        return tuple(category for category in then.turn.held if category not in without)

    def _seen(self, read: Reading) -> set[str]:
        """Ids that must not be shown; going back allows what the earlier turn showed."""
        turns = [{item.id for item in turn.items} for turn in self.turns]
        earlier = self._returns_to(read)
        back = turns[earlier] if earlier is not None else set()
        disliked = {i for i, liked in self._liked.items() if not liked}
        compared = {i for said in self._said for i in said.titles}
        return (set(self.history).union(*turns) - back) | disliked | compared

    def _anchors(self) -> np.ndarray:
        """Where the conversation stands, where it stood before the last turn, and its first item, (slots, dim)."""
        rec = self._recommender
        anchors = np.zeros((SLOTS, rec.dim), dtype=np.float32)
        current = self._current()
        if current is not None:
            anchors[CURRENT] = rec.item_vector(current)
        elif self.user:
            anchors[CURRENT] = rec.encode_users([self.user])[0]
        first = self._first_turn()
        if first is not None:
            anchors[FIRST] = rec.item_vector(self.turns[first].items[0].id)
        if len(self._said) >= 2:
            anchors[BACK] = self._said[self._before()].turn.position
        elif self._said:
            anchors[BACK] = self._said[0].start
        return anchors

    def _current(self) -> str | None:
        """Where the conversation stands: the item liked last, else the first left of the last answer.

        What was disliked or removed is passed over, and so is an answer without items: before it come the answers
        before, and the history.
        """
        index = self._recommender.index
        if self._anchor is not None and self._liked.get(self._anchor, True) and self._anchor in index:
            return self._anchor
        answers = (item.id for turn in reversed(self.turns) for item in turn.items)
        stood = chain(answers, reversed(self.history))
        return next((i for i in stood if self._liked.get(i, True) and i in index), None)


class _Clock:
    """Seconds between laps, by name."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = now - self._last
        self._last = now


def as_batch(array: np.ndarray) -> torch.Tensor:
    """A batch of one."""
    return torch.as_tensor(array, dtype=torch.float32)[None]
