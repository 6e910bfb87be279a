"""Arrays of quantised tiles: exact for refsim's own, and wrong ones rejected at the place of the mistake."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.conformance.admissible import (
    FLOAT32,
    FLOAT64,
    Report,
    judge_backward,
    judge_forward,
    judge_state,
)
from refsim.tile.quantised_array_periphery import ArrayBiasManager
from tests.tile.test_quantised_array import made

RE = rs.RangeEstimators


def passes(
    array: Any, draw: np.random.Generator
) -> tuple[Any, Any, Any, dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A batch, an upstream gradient, the output, the gradients, all stages, and the state."""
    x, g = (draw.normal(0, 1, (5, size)).astype(array.dtype) for size in (4, 3))
    array.zero_grad()
    y, ahead = array.forward(x, trace=True)
    dx, back = array.backward(g, trace=True)
    stages = {stage.name: stage.value for stage in [*ahead, *back]}
    return x, g, y, {"input": dx, **array.gradients}, stages, array.state_dict()


def reports(before: Any, found: Any, profile: Any, with_stages: bool) -> list[Report]:
    x, g, y, gradients, stages, state = found
    given = stages if with_stages else {}
    return [
        judge_forward(before, x, y, profile, stages=given),
        judge_state(before, x, state, profile, stages=given),
        judge_backward(before, x, g, gradients, profile, stages=given),
    ]


@pytest.mark.parametrize("T", [np.float32, np.float64])
@pytest.mark.parametrize("learned", [True, False], ids=["learned", "estimated"])
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
def test_the_own_array_is_exact(T: Any, learned: bool, symmetric: bool) -> None:
    periphery = {"learn_quant_params": learned, "init_learning_after": 1}
    array = made(T=T, symmetric=symmetric, estimator=RE.running_minmax, periphery=periphery)
    draw, profile = np.random.default_rng(0), FLOAT32 if T is np.float32 else FLOAT64
    for k in range(3):
        before = copy.deepcopy(array)
        found = passes(array, draw)
        before.zero_grad()
        for report in reports(before, found, profile, with_stages=True):
            assert report.passed, str(report)
            assert all(stage.exact == stage.total for stage in report.stages), str(report)
        for report in reports(before, found, profile.reciprocals(), with_stages=False):
            assert report.passed, str(report)
        if k == 1:
            array.eval()


def test_a_wrong_place_is_named() -> None:
    array = made(symmetric=True)
    before = copy.deepcopy(array)
    x, g, y, gradients, stages, state = passes(array, np.random.default_rng(0))
    step = state["t1_0_out_quantizer.delta"] * np.float32(1.01)
    wrong = state | {"t1_0_out_quantizer.delta": step}
    first = judge_state(before, x, wrong).first
    assert first is not None
    assert (first.clause, first.name) == ("QU-3", "t1_0_out_quantizer.delta")
    codes = np.array(stages["out_quantizer_codes"])
    codes[0, 0] += 1
    first = judge_forward(before, x, y, stages=stages | {"out_quantizer_codes": codes}).first
    assert first is not None
    assert (first.clause, first.name) == ("QU-8", "out_quantizer_codes")
    bias = {"bias": gradients["bias"] / np.float32(5)}
    first = judge_backward(before, x, g, bias).first
    assert first is not None
    assert (first.clause, first.name) == ("QU-10", "bias_gradient")


def test_a_bias_that_evaluation_fixed_stays_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    array = made(symmetric=True)
    draw = np.random.default_rng(0)
    for quantiser in (array, *array.named_tiles().values()):
        quantiser.out_quantizer.set_quant_range(-2.0, 2.0)
    array.eval()
    array.forward(draw.normal(0, 1, (2, 4)).astype(np.float32))
    array.train()
    before = copy.deepcopy(array)
    with monkeypatch.context() as patched:
        patched.delattr(ArrayBiasManager, "coming")
        x, _, _, _, _, state = passes(array, draw)
    first = judge_state(before, x, state).first
    assert first is not None
    assert (first.clause, first.name) == ("QU-1", "bias_quantizer.state")
