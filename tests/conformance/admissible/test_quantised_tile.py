"""refsim's own quantised tile is exact in every stage and profile, and admissible without its stages."""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import refsim as rs
from refsim.conformance.admissible import (
    FLOAT32,
    FLOAT64,
    SGDSettings,
    judge_backward,
    judge_forward,
    judge_state,
    judge_update,
)
from tests.conformance.admissible.test_quantised_soundness import config
from tests.strategies import dtypes, seeds
from tests.tile.quantised import SCALED, data
from tests.tile.quantised import config as quantised_config
from tests.tile.quantised import tile as quantised_tile

PROFILES = {np.float32: FLOAT32, np.float64: FLOAT64}
N, I, O = 4, 3, 3


def made(seed: int, T: Any, search: bool) -> Any:
    """A tile of any kind, with weights that use all their digits."""
    draw = np.random.default_rng(seed)
    settings_ = config(draw, search)
    kind = rs.RPUDataType.DOUBLE if T is np.float64 else rs.RPUDataType.FLOAT
    settings_.runtime = rs.RuntimeParameter(data_type=kind)
    tile = settings_.create_tile(O, I, bias=bool(draw.choice([False, True])), backend="spec")
    for name in ("weight", "bias", "out_scaling_alpha"):
        if name in tile.parameters:
            tile.parameters[name][...] = draw.normal(0.3, 1, tile.parameters[name].shape)
    tile.set_input_range(1.5)
    return tile


def passes(tile: Any, seed: int) -> tuple[Any, Any, Any, dict[str, Any], dict[str, Any]]:
    """A batch, an upstream gradient, the output, the gradients, and all stages and the state."""
    draw = np.random.default_rng(seed)
    x, g = (draw.integers(-8, 9, (N, size)).astype(tile.dtype) / 4 for size in (I, O))
    y, ahead = tile.forward(x, trace=True)
    dx, back = tile.backward(g, trace=True)
    stages = {stage.name: stage.value for stage in [*ahead, *back]}
    entries = {name: value for name, value in tile.state_dict().items() if "quant" in name}
    return x, g, y, {"input": dx, **tile.gradients}, stages | entries


@settings(max_examples=max(15, settings().max_examples // 5))
@given(seed=seeds, T=dtypes, search=st.booleans(), reciprocal=st.booleans())
def test_every_stage_is_exact(seed: int, T: Any, search: bool, reciprocal: bool) -> None:
    profile = PROFILES[T].reciprocals() if reciprocal else PROFILES[T]
    tile = made(seed, T, search)
    for k in range(3):
        before = copy.deepcopy(tile)
        tile.zero_grad()
        x, g, y, gradients, stages = passes(tile, seed + k)
        reports = [
            judge_forward(before, x, y, profile, stages=stages),
            judge_state(before, x, tile.state_dict(), profile),
            judge_backward(before, x, g, gradients, profile, stages=stages),
        ]
        for report in reports:
            assert report.passed, str(report)
            assert all(stage.exact == stage.total for stage in report.stages), report
        known = {name: value for name, value in stages.items() if search and "delta" in name}
        known |= {name: value for name, value in stages.items() if search and "zero_float" in name}
        assert judge_forward(before, x, y, profile, stages=known).passed
        assert judge_backward(before, x, g, gradients, profile, stages=known).passed
        if k == 1:
            tile.eval()


def test_learned_steps_are_updated_as_parameters() -> None:
    tile = quantised_tile(
        quantised_config(learn_quant_params=True, init_learning_after=1, symmetric=False)
    )
    sgd = rs.SGD([tile], lr=0.1)
    for k in range(2):
        tile.zero_grad()
        tile.forward(data(np.float32, k, 5, 4))
        tile.backward(data(np.float32, k + 1, 5, 3))
        before, gradients = copy.deepcopy(tile), dict(tile.gradients)
        sgd.step()
    after = {name: value.copy() for name, value in tile.parameters.items()}
    report, _ = judge_update(before, gradients, after, settings=SGDSettings(0.1))
    assert report.passed, str(report)
    assert "scale_quantizer.zero_float" in {stage.name for stage in report.stages}
    wrong = after | {"bias_quantizer.delta": after["bias_quantizer.delta"] * np.float32(1.01)}
    report, _ = judge_update(before, gradients, wrong, settings=SGDSettings(0.1))
    assert not report.passed


def test_a_golden_section_asks_for_what_was_found() -> None:
    tile = quantised_tile(quantised_config(out_bits=3, estimator=rs.RangeEstimators.MSE))
    x = data(np.float32, 0, 5, 4)
    y = copy.deepcopy(tile).forward(x)
    with pytest.raises(rs.StateError, match="give what was found as stages"):
        judge_forward(tile, x, y)


def test_one_bit_below_zero_is_refused() -> None:
    tile = quantised_tile(quantised_config(out_bits=1))
    with pytest.raises(rs.StateError, match="1 bit and a range below zero"):
        judge_forward(tile, [[1.0, -1.0, 1.0, 2.0]], [[1.0, 2.0, 3.0]])


def test_a_quantiser_without_range_is_refused_in_evaluation() -> None:
    tile = quantised_tile(quantised_config(out_bits=3)).eval()
    with pytest.raises(rs.StateError, match="has no range yet"):
        judge_forward(tile, data(np.float32, 0, 5, 4), np.zeros((5, 3)))


def test_the_tile_is_not_changed() -> None:
    tile = quantised_tile(quantised_config(out_bits=3, mapping=SCALED))
    before = {name: value.tobytes() for name, value in tile.state_dict().items()}
    x = data(np.float32, 0, 5, 4)
    y = copy.deepcopy(tile).forward(x)
    judge_forward(tile, x, y)
    judge_backward(tile, x, y, {"input": x})
    judge_state(tile, x, {"out_quantizer.delta": 1.0})
    assert {name: value.tobytes() for name, value in tile.state_dict().items()} == before
    assert not tile.gradients


def test_a_verdict_is_quick() -> None:
    draw = np.random.default_rng(0)
    made = quantised_config(bits=8, out_bits=8, r={"init_value": 2.0}, io={"inp_res": 254})
    tile = made.create_tile(64, 64, bias=True)
    tile.parameters["weight"][...] = draw.normal(0, 0.2, (64, 64))
    x = draw.normal(0, 1, (16, 64)).astype(np.float32)
    y = copy.deepcopy(tile).forward(x)
    elapsed = []
    for _ in range(7):
        start = time.perf_counter()
        assert judge_forward(tile, x, y).passed
        elapsed.append(time.perf_counter() - start)
    assert min(elapsed) < 0.05
