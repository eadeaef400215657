"""Simulated turns as a system answers them, and as it answers once it was corrected."""

from __future__ import annotations

import pytest

from talkwalk.engine.senses import Sense
from talkwalk.eval.simulated import OFFERED, corrected_ids
from talkwalk.eval.system import Answer, Dialogue, System
from talkwalk.eval.unseen import Case
from talkwalk.projection.steps import Step, StepKind

OLDER, NEWER, BETTER = Sense("year", -1), Sense("year", 1), Sense("rating", 1)


class Offering(System):
    """Answers "1", or "2" once it was corrected."""

    name, offers = "offering", True

    def __init__(self, heard, otherwise):
        self.heard, self.otherwise, self.corrections = heard, otherwise, []

    def fit(self, catalog):
        pass

    def answer(self, dialogue, k):
        return Answer(("1",), None, self.heard, self.otherwise)

    def rather(self, dialogue, sense, k):
        self.corrections.append(sense)
        return Answer(("2",), None, (sense,), ())


def case_of(kind=StepKind.DIRECTION, subject="year", value=1):
    step = Step(kind, "the Coke one", {}, "3", subject, value)
    return Case("0:0", Dialogue(step.utterance, history=("4",)), step, frozenset("4"), "4")


@pytest.mark.parametrize(
    ("heard", "otherwise", "ids"),
    [
        ((NEWER,), (OLDER,), ("1",)),  # heard right
        ((OLDER,), (NEWER,), ("2",)),
        ((OLDER,), (BETTER, NEWER), ("2",)),
        ((), (NEWER,), ("2",)),
        ((OLDER,), (BETTER, Sense("rating", -1), NEWER), ("1",)),  # too far down to be looked at
        ((OLDER,), (BETTER,), ("1",)),  # not offered
        ((BETTER, NEWER), (OLDER,), ("1",)),
    ],
)
def test_who_was_misunderstood_takes_what_they_meant_if_it_is_offered(heard, otherwise, ids):
    system = Offering(heard, otherwise)
    case = case_of()
    assert corrected_ids(system, case, system.answer(case.dialogue, 1), 1) == ids
    assert system.corrections == ([NEWER] if ids == ("2",) else [])


def test_only_steers_along_an_attribute_are_corrected():
    system = Offering((), (Sense("genre", "Horror"),))
    case = case_of(StepKind.SWITCH, "genre", "Horror")
    assert corrected_ids(system, case, system.answer(case.dialogue, 1), 1) == ("1",)
    assert OFFERED == 2
