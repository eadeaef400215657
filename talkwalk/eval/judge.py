"""Answers to simulated turns, judged as docs/metrics.md says; one value per turn, by the turn's key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from talkwalk.eval.controllability import steering_aim, steering_precision
from talkwalk.eval.efficiency import first_turn_relevance
from talkwalk.eval.ruler import Ruler
from talkwalk.eval.sanity import nearest_neighbour_accuracy
from talkwalk.eval.unseen import Case
from talkwalk.index.catalog import Catalog
from talkwalk.projection.steps import StepKind
from talkwalk.projection.validation import CHANGES, Movement

Values = dict[str, float]
"""One value per unit, by the unit's key; the same keys for every system, so that systems can be compared in pairs."""
NOTHING_SHOWN = -1


class Judge:
    """Judges answers on one catalogue.

    Args:
        catalog: What is recommended.
        step: Ranks that a plain steer asks for.
        k: Length of the answers.
    """

    def __init__(self, catalog: Catalog, *, step: float, k: int) -> None:
        self.catalog, self.step, self.k = catalog, step, k
        self.ruler = Ruler(catalog)
        self.row = self.ruler.row

    def values(self, cases: Sequence[Case], answers: Sequence[Sequence[str]]) -> dict[str, Values]:
        """Every figure of the answers, by name.

        Args:
            cases: What was asked.
            answers: Ids, the best first, one answer per case.
        """
        turns = list(zip(cases, answers, strict=True))
        figures: dict[str, Values] = {}

        def hits(name: str, kinds: Sequence[StepKind], places: int) -> None:
            figures[name] = {
                c.key: float(c.step.target in ids[:places]) for c, ids in zip(cases, answers, strict=True)
                if c.step.kind in kinds
            }  # fmt: skip

        hits(f"r{self.k}", CHANGES, self.k)
        hits(f"wish_r{self.k}", [StepKind.WISH], self.k)
        hits(f"back_r{self.k}", [StepKind.BACK], self.k)
        figures["nearest_neighbour_accuracy"] = self._accuracy(cases, answers)
        figures["switch_share"] = {
            c.key: self.ruler.share(ids, str(c.step.subject), str(c.step.value))
            for c, ids in turns
            if c.step.kind is StepKind.SWITCH
        }
        shown = {i for ids in answers for i in ids}
        figures["coverage"] = {"run": len(shown) / len(self.catalog)}
        return figures | self._steers(turns) | self._first(turns)

    def _accuracy(self, cases: Sequence[Case], answers: Sequence[Sequence[str]]) -> Values:
        asked = [(c, ids) for c, ids in zip(cases, answers, strict=True) if c.step.kind in CHANGES]
        if not asked:
            return {}
        first = np.array([[self.row[ids[0]] if ids else NOTHING_SHOWN] for _, ids in asked])
        wanted = np.array([self.row[c.step.target] for c, _ in asked])
        return dict(zip((c.key for c, _ in asked), nearest_neighbour_accuracy(first, wanted).tolist(), strict=True))

    def _steers(self, turns: Sequence[tuple[Case, Sequence[str]]]) -> dict[str, Values]:
        """Figures of the turns along an ordered attribute; who shows nothing has moved nothing."""
        keys, moves, asked = [], [], []
        for case, ids in turns:
            if case.step.kind is not StepKind.DIRECTION or case.start is None:
                continue
            axis, sign = str(case.step.subject), int(case.step.value or 0)
            if not np.isfinite(self.ruler.room(case.start, axis, sign)):
                continue
            keys.append(case.key)
            asked.append(self.ruler.asked_ranks(case.start, axis, sign, case.step.grade, step=self.step))
            moves.append(self.ruler.movement(case.start, ids, axis, sign))
        if not keys:
            return {}
        moved = Movement(*(np.concatenate([m[side] for m in moves]) for side in range(2)))
        named = {
            "direction": moved.direction,
            "on_axis": moved.on_axis,
            "off_axis": moved.off_axis,
            "steering_precision": steering_precision(moved),
            "steering_aim": steering_aim(moved, asked=np.array(asked)),
        }
        return {name: dict(zip(keys, array.tolist(), strict=True)) for name, array in named.items()}

    def _first(self, turns: Sequence[tuple[Case, Sequence[str]]]) -> dict[str, Values]:
        """First turns of people without history."""
        first = [(c, ids) for c, ids in turns if c.step.kind is StepKind.WISH and not c.seen]
        values = {
            case.key: float(
                first_turn_relevance(
                    np.array([[self.row[i] for i in ids]]), self.ruler.table.distances(case.step.wanted)[None]
                )[0]
            )
            if ids
            else 0.0
            for case, ids in first
        }
        return {"first_turn_relevance": values} if values else {}
