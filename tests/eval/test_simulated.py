"""Simulated turns as a system answers them, and as it answers once it was corrected."""

from __future__ import annotations

import pytest

from talkwalk.engine.senses import SURE, Sense
from talkwalk.eval.simulated import OFFERED, corrected_ids, sure_figures
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


def test_a_system_that_says_how_sure_it_is_is_held_to_it():
    cases = [case_of()._replace(key=str(i)) for i in range(4)] + [case_of(StepKind.SWITCH, "genre", "Horror")]
    right, wrong = Answer(("1",), None, (NEWER,), (), 0.9), Answer(("1",), None, (OLDER,), (NEWER,), 0.9)
    unsure = [answer._replace(sure=SURE - 0.1) for answer in (right, wrong)]
    figures = sure_figures(cases, [right, wrong, *unsure, wrong])
    assert figures["sureness/too_sure"] == pytest.approx({"0": -0.1, "1": 0.9, "2": -0.3, "3": 0.7})
    assert figures["sureness/unsure"] == {"0": 0.0, "1": 0.0, "2": 1.0, "3": 1.0}
    assert figures["sureness/misheard_unsure"] == {"1": 0.0, "3": 1.0}


def test_a_system_that_does_not_say_how_sure_it_is_has_no_such_figures():
    assert sure_figures([case_of()], [Answer(("1",), None, (NEWER,))]) == {}
