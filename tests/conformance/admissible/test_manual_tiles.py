"""Tiles of the manual path are admissible, in every stage, in every profile of their data type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings

import refsim as rs
from refsim.conformance.admissible import (
    FLOAT32,
    FLOAT64,
    Profile,
    SGDSettings,
    float32_in_order,
    judge_backward,
    judge_forward,
    judge_state,
    judge_update,
)
from tests.strategies import dtypes
from tests.tile.cases import Case, cases
from tests.tile.manual_cases import manual

pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")
PROFILES: dict[Any, list[Profile]] = {
    np.float32: [FLOAT32, FLOAT32.reciprocals(), float32_in_order(2)],
    np.float64: [FLOAT64, FLOAT64.reciprocals()],
}
MOST = settings(max_examples=max(25, settings().max_examples * 2 // 3))
some = dtypes.flatmap(lambda T: cases(T, count=1, build=manual))


def passes(case: Case) -> dict[str, Any]:
    """What a tile makes of a batch, an upstream gradient and an optimiser step."""
    x, g = case.batches[0]
    tile = case.tile("spec")
    try:
        with np.errstate(all="ignore"):
            y, ahead = tile.forward(x, trace=True)
            state = dict(tile.state_dict())
            dx, back = tile.backward(g, trace=True)
            both = dict(tile.state_dict())
            pending = case.tile("spec")
            pending.load_state_dict(tile.state_dict())
            if hasattr(tile, "pending"):
                pending.pending.extend(tile.pending)
            gradients = {name: value.copy() for name, value in tile.gradients.items()}
            rs.SGD([tile], lr=0.1).step()
    except (rs.StateError, rs.ConfigError):
        assume(False)
    stages = {stage.name: stage.value for stage in [*back, *ahead]}
    return {
        "y": y,
        "state": state,
        "both": both,
        "noise": ahead.noise,
        "backward_noise": back.noise,
        "stages": stages,
        "gradients": {"input": dx, **gradients},
        "pending": pending,
        "after": tile.state_dict(),
    }


def own(report: Any) -> None:
    assert report.passed or not report.stages, report
    assert all(stage.exact == stage.total for stage in report.stages), report


@MOST
@given(case=some)
def test_every_stage_of_the_own_tile_is_exact(case: Case) -> None:
    (x, g), found = case.batches[0], passes(case)
    before, stages = case.tile("spec"), found["stages"]
    for profile in PROFILES[case.T]:
        options = {"profile": profile, "noise": found["noise"]}
        own(judge_state(before, x, found["state"], **options))
        own(judge_state(before, x, found["both"], dy=g, stages=stages, **options))
        own(judge_forward(before, x, found["y"], stages=stages, **options))
        options |= {"backward_noise": found["backward_noise"], "stages": stages}
        own(judge_backward(before, x, g, found["gradients"], **options))
        given = {name: value for name, value in found["gradients"].items() if name != "input"}
        options = {"settings": SGDSettings(0.1)}
        own(judge_update(found["pending"], given, found["after"], profile, **options)[0])


@MOST
@given(case=some)
def test_the_results_of_the_own_tile_are_admissible_without_its_stages(case: Case) -> None:
    (x, g), found = case.batches[0], passes(case)
    before = case.tile("spec")
    for profile in PROFILES[case.T]:
        options = {"profile": profile, "noise": found["noise"]}
        report = judge_forward(before, x, found["y"], **options)
        assert report.passed, report
        report = judge_state(before, x, found["both"], dy=g, **options)
        assert report.passed, report
        options |= {"backward_noise": found["backward_noise"]}
        report = judge_backward(before, x, g, found["gradients"], **options)
        assert report.passed, report
