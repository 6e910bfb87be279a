"""refsim's own tile is admissible, in every stage, in every profile of its data type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given

import refsim as rs
from refsim.conformance.admissible import (
    FLOAT32,
    FLOAT64,
    Profile,
    float32_in_order,
    judge_backward,
    judge_forward,
    judge_state,
)
from tests.strategies import dtypes
from tests.tile.cases import Case, cases

pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")
PROFILES: dict[Any, list[Profile]] = {
    np.float32: [
        FLOAT32,
        FLOAT32.reciprocals(),
        float32_in_order(1),
        float32_in_order(2),
        float32_in_order(8),
    ],
    np.float64: [FLOAT64, FLOAT64.reciprocals()],
}


def last(trace: Any) -> dict[str, Any]:
    """The last value of each stage."""
    return {stage.name: stage.value for stage in trace}


def passes(
    case: Case,
) -> tuple[Any, dict[str, Any], Any, Any, dict[str, Any], Any, dict[str, Any]]:
    """A tile before its pass, its state after it, the trace of both passes, and all gradients."""
    tile = case.tile("spec")
    x, g = case.batches[0]
    try:
        with np.errstate(all="ignore"):
            y, ahead = tile.forward(x, trace=True)
            dx, back = tile.backward(g, trace=True)
    except (rs.StateError, rs.ConfigError):
        assume(False)
    before, after = case.tile("spec"), dict(tile.state_dict())
    stages = last(ahead)
    gradients = {"input": dx, **tile.gradients}
    return before, after, y, ahead, stages, last(back), gradients


@given(case=dtypes.flatmap(lambda T: cases(T, count=1)))
def test_every_stage_of_the_own_tile_is_exact(case: Case) -> None:
    x, g = case.batches[0]
    tile, after, y, ahead, stages, back, gradients = passes(case)
    for profile in PROFILES[case.T]:
        options = {"profile": profile, "noise": ahead.noise}
        report = judge_state(tile, x, after, **options)
        assert report.passed, report
        assert all(stage.exact == stage.total for stage in report.stages), report
        report = judge_forward(tile, x, y, stages=stages, **options)
        assert report.passed, report
        assert all(stage.exact == stage.total for stage in report.stages), report
        report = judge_backward(tile, x, g, gradients, stages=stages | back, **options)
        assert report.passed, report
        assert all(stage.exact == stage.total for stage in report.stages), report


@given(case=dtypes.flatmap(lambda T: cases(T, count=1)))
def test_the_results_of_the_own_tile_are_admissible_without_its_stages(case: Case) -> None:
    x, g = case.batches[0]
    tile, after, y, ahead, _, _, gradients = passes(case)
    for profile in PROFILES[case.T]:
        options = {"profile": profile, "noise": ahead.noise}
        assert judge_state(tile, x, after, **options).passed
        report = judge_forward(tile, x, y, **options)
        assert report.passed, report
        report = judge_backward(tile, x, g, gradients, **options)
        assert report.passed, report
