"""refsim's own answers are in every set, whatever arithmetic is declared."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import Any

import pytest

from refsim.conformance.adapters import Capabilities, Own
from refsim.conformance.adapters.guard import guarded
from refsim.conformance.admissible import FLOAT32, FLOAT64, float32_in_order
from refsim.conformance.cases import FEATURES
from refsim.conformance.cases.generate import generated_cases
from refsim.conformance.cases.methods import method_cases
from refsim.conformance.kit import Recording, Session, judge, play
from refsim.errors import Unsupported

pytestmark = pytest.mark.filterwarnings("ignore::refsim.RangeWarning")
ALL = frozenset(FEATURES)
PROFILES = {
    "float64": (FLOAT64, 1),
    "float32": (FLOAT32, 1),
    "in order": (float32_in_order(1), 1),
    "reciprocals": (FLOAT32.reciprocals(), 1),
    "in 8 lanes": (float32_in_order(8), 4),
    "float64 with reciprocals": (FLOAT64.reciprocals(), 4),
    "TF32 products": (replace(FLOAT32, operand=2.0**-11), 4),
}
"""Profiles, and of how many cases one is judged."""
LARGE = 32


@pytest.fixture(scope="module")
def played() -> list[Recording]:
    """What refsim does in some hundred cases, half of which show the intermediates."""
    found: list[Any] = []
    made = chain(generated_cases(11, 220, ALL), method_cases(11, 20, ALL))
    for number, case in enumerate(made):
        if case.weight.size > LARGE:
            continue
        try:
            found.append(play(guarded(Own(traced=number % 2 == 0)), case))
        except Unsupported:
            continue
    assert len(found) >= 200
    return found


@pytest.mark.parametrize("name", PROFILES)
def test_refsim_is_in_every_set(played: list[Recording], name: str) -> None:
    profile, every = PROFILES[name]
    session = Session(Own(), Capabilities(profile=profile))
    judged = 0
    for recording in played[::every]:
        verdict = judge(recording, session.profile(recording.case))
        assert [str(finding) for finding in verdict.findings] == [], recording.case.name
        judged += verdict.judged
    assert judged > 300 / every


def test_a_pass_without_deviates_is_not_the_fault_of_the_target() -> None:
    """The profile makes a pass possible in which refsim itself takes the shortcut, for which a case has no deviates."""
    case = list(generated_cases(0, 126, ALL - {"noise_spread"}))[-1]
    assert [bool(step.noise) for step in case.steps] == [True, True, False]
    session = Session(Own(), Capabilities(profile=FLOAT64.reciprocals()))
    recording = play(guarded(Own(traced=False)), case)
    assert judge(recording, session.profile(case)).findings == []
