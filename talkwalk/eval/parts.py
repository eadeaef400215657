"""The parts of the benchmark by name."""

from __future__ import annotations

from collections.abc import Callable

from talkwalk.eval.asked import measure_asked
from talkwalk.eval.human_dialogues import measure_cpcd, measure_redial
from talkwalk.eval.live import measure_live
from talkwalk.eval.people import measure_people, people
from talkwalk.eval.simulated import measure_simulated
from talkwalk.eval.space import measure_space
from talkwalk.eval.steereval import measure_steereval
from talkwalk.eval.system import System
from talkwalk.eval.world import Measured, World
from talkwalk.schema import unknown

Part = Callable[[System, World], Measured]
SIMULATED, ASKED, STEEREVAL = "simulated", "asked", "steereval"
PARTS: dict[str, Part] = {
    SIMULATED: measure_simulated,
    "live": measure_live,
    ASKED: measure_asked,
    "people": measure_people,
    "space": measure_space,
    STEEREVAL: measure_steereval,
    "redial": measure_redial,
    "cpcd": measure_cpcd,
}
HUMAN = ("redial", "cpcd")  # catalogues that are nothing but a part


def parts_for(catalog: str, world: World, chosen: list[str], *, quick: bool) -> list[str]:
    """Names of the parts to measure.

    Args:
        catalog: Name of the catalogue.
        world: What is measured on.
        chosen: What was asked for; empty for all that is possible.
        quick: Leave out the slow part.

    Raises:
        ValueError: On a part that does not exist.
    """
    for name in chosen:
        if name not in PARTS:
            raise ValueError(unknown("part", name, PARTS))
    if chosen:
        return chosen
    if catalog in HUMAN:
        return [catalog]
    found = [SIMULATED, "live", ASKED, "space"]
    if people(world.catalog):
        found += ["people"] if quick else ["people", STEEREVAL]
    return found
