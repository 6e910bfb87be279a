"""The chain of one element: its values are those of a trace, its formulas name the numbers that make them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import refsim as rs
from refsim.inspection import Explanation, explain
from tests.tile.cases import BM, NM, WM, config, configs

X = np.array([[0.5, -2.0, 0.25], [0.0, 0.0, 0.0]], np.float32)
W = np.array([[0.5, -1.0, 0.75], [2.0, 0.25, -0.5]], np.float32)


def numbers(found: Explanation) -> dict[str, str]:
    return {step.name: step.numbers for step in (*found.forward, *found.backward)}


def values(found: Explanation) -> dict[str, Any]:
    return {step.name: step.value.item() for step in (*found.forward, *found.backward)}


def test_a_chain_by_hand() -> None:
    """Powers of two, so that every number can be followed in the head."""
    io = {"inp_res": 4, "inp_bound": 1.0, "out_res": 16, "out_bound": 4.0, "out_scale": 2.0}
    found = explain(config(np.float32, io, {"init_value": 2.0}), X, W, 0, 0, 1, backend="spec")
    assert numbers(found) | {
        "clipped_input": "clip(−2, |2|)",
        "scaled_input": "−2 / 2",
        "rounded_input": "rint(−1·1 / 0.5)·0.5",
        "product": "0·0.5 + (−1)·(−1) + 0·0.75",
        "rounded_output": "rint(1 / 0.5)·0.5",
        "core_output": "1·(2 / 1)",
        "scaled_output": "2·2",
        "product_gradient": "2·(2 / 1)",
        "core_weight_gradient": "4·(−1)",
        "converted_input_gradient": "4·(−1)",
        "clipped_input_gradient": "−4 / 2",
        "range_input_sum": "2·0.25 + (−4)·(−1) + 3·0.125",
        "range_residual": "2 − 4.875 / 2",
        "range_gradient": "0 + (−0.4375)",
    } == numbers(found)
    assert values(found)["output"] == 4.0
    assert values(found)["input_gradient"] == -2.0
    assert values(found)["range_gradient"] == -0.4375


@pytest.mark.parametrize(
    ("io", "modifier", "stage", "formula"),
    [
        ({"inp_res": 4, "inp_sto_round": True}, {}, "rounded_input", "rint(v·σ / Δ + u)·Δ"),
        ({"inp_noise": 0.5}, {}, "converted_input", "(clip(q, b) + η·ξ)·f"),
        ({"inp_noise": 1e-9, "inp_asymmetry": 0.5}, {}, "converted_input", "clip(q, b) + η·ξ"),
        ({"out_noise": 0.5}, {}, "rounded_output", "m + ηₒ·ξₒ"),
        ({"out_res": 16, "out_noise": 0.5}, {}, "rounded_output", "rint((m + ηₒ·ξₒ) / Δₒ)·Δₒ"),
        ({"noise_management": NM.ABS_MAX}, {}, "noise_management_scale", "min(α̂, θ)"),
        ({"noise_management": NM.ABS_MAX}, {}, "scaled_input_gradient", "Gv"),
        ({"noise_management": NM.CONSTANT, "nm_thres": 2.0}, {}, "noise_management_scale", "θ"),
        ({}, {"type": WM.ADD_NORMAL, "std_dev": 0.1}, "effective_weight", "w₀ + ηw·ξw"),
        ({}, {"type": WM.MULT_NORMAL, "std_dev": 0.1}, "effective_weight", "w₀·(1 + ηw·ξw)"),
        ({}, {"type": WM.DISCRETIZE, "res": 4}, "effective_weight", "rint(w₀ / Δw)·Δw"),
        ({"is_perfect": True}, {}, "core_weight_gradient", "Gz·v"),
    ],
)
def test_the_form_of_a_formula_follows_the_configuration(
    io: Any, modifier: Any, stage: str, formula: str
) -> None:
    made = config(np.float32, io, {}, modifier=rs.WeightModifierParameter(**modifier))
    found = explain(made, X, W, backend="spec")
    shown = {step.name: step.formula for step in (*found.forward, *found.backward)}
    assert shown[stage] == formula


def test_blocked_gradients_and_the_peak() -> None:
    io = {"out_bound": 0.25, "inp_bound": 0.5, "noise_management": NM.ABS_MAX}
    found = explain(config(np.float32, io, {"init_value": 1.0}), X, W, 0, 0, 1, backend="spec")
    shown = numbers(found)
    assert shown["product_gradient"] == shown["scaled_gradient"] == "0: blocked"
    assert shown["input_gradient"] == "0: blocked"
    assert "·(−1)" in shown["scaled_input_gradient"]


def test_a_row_of_zeros_alone_and_beside_others() -> None:
    made = config(np.float32, {"noise_management": NM.ABS_MAX}, {})
    assert numbers(explain(made, X[1], W, backend="spec"))["core_output"] == "0: all inputs are 0"
    found = explain(made, X, W, row=1, backend="spec")
    assert {step.name: step.formula for step in found.forward}["noise_management_scale"] == "1"


def test_passes_of_bound_management_are_all_shown() -> None:
    io = {"out_bound": 0.25, "bound_management": BM.ITERATIVE}
    found = explain(config(np.float32, io), X, W, backend="spec")
    factors = [s.value for s in found.forward if s.name == "bound_management_factor"]
    assert factors == [1, 2, 4, 8, 16]


@pytest.mark.filterwarnings("ignore::refsim.RangeWarning")
@settings(max_examples=60)
@given(data=st.data(), T=st.sampled_from([np.float32, np.float64]))
def test_every_configuration_can_be_explained(data: st.DataObject, T: Any) -> None:
    made = data.draw(configs(T))
    row, output, i = data.draw(st.tuples(*(st.integers(0, n - 1) for n in (2, 2, 3))))
    found = explain(made, X, W, row, output, i, seed=5, backend="spec")
    tile = made.create_tile(2, 3, seed=5, backend="spec")
    tile.set_weights(W)
    y, forward = tile.forward(X, trace=True)
    dy = np.zeros_like(y)
    dy[row, output] = 1
    dx, backward = tile.backward(dy, trace=True)
    for steps, trace in ((found.forward, forward), (found.backward, backward)):
        assert [(s.clause, s.name) for s in steps] == [(s.clause, s.name) for s in trace]
    assert found.forward[-1].value == y[row, output]
    got = values(found)
    assert got.get("input_gradient", got.get("scaled_input_gradient", dx[row, i])) == dx[row, i]
    assert (
        got.get("weight_gradient", 0) == tile.gradients.get("weight", np.zeros((2, 3)))[output, i]
    )
    assert not any("{" in step.numbers + step.formula for step in found.forward + found.backward)


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"row": 2}, rs.InputError, "row is 2, allowed are integers from 0 to 1"),
        ({"output": -1}, rs.InputError, "output is -1, allowed are integers from 0 to 1"),
        ({"input_index": 3}, rs.InputError, "input_index is 3, allowed are integers from 0 to 2"),
        ({"x": np.zeros((2, 4))}, rs.ShapeError, r"input has shape \(2, 4\) and weight \(2, 3\)"),
        ({"x": np.zeros((0, 3))}, rs.ShapeError, "not empty"),
        ({"x": [["a"]]}, rs.InputError, "input has dtype"),
        ({"config": rs.FloatingPointRPUConfig()}, rs.ConfigError, "FloatingPointRPUConfig"),
    ],
)
def test_bad_input(change: dict[str, Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        explain(**{"config": config(), "x": X, "weight": W, "backend": "spec", **change})
