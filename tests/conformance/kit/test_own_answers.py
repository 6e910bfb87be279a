"""refsim's own answers are in every set, whatever arithmetic is declared."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.conformance.adapters import Capabilities, Own
from refsim.conformance.adapters.guard import guarded
from refsim.conformance.admissible import (
    BINARY32,
    FLOAT32,
    FLOAT64,
    Format,
    Profile,
    float32_in_order,
)
from refsim.conformance.cases import FEATURES, Case, Step
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
    "half": (Profile("float16 with float32 sums", Format("float16", 11, -14), BINARY32), 1),
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
    """A pass that is only possible, or that a case says nothing about, has no deviates to be judged with."""
    io = rs.IOParameters(inp_res=-1, out_res=-1, out_noise=0.25)
    one = np.ones((1, 1), np.float32)
    config = rs.TorchInferenceRPUConfig(forward=io)
    case = Case(config, weight=one, bias=None, steps=(Step(x=one, training=False),))
    assert judge(play(guarded(Own(traced=False)), case)).findings == []
