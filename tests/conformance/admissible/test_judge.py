"""Reports that can be read, and errors that say what is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.conformance.admissible import (
    BINARY32,
    FLOAT32,
    FLOAT64,
    Format,
    Profile,
    Report,
    judge_backward,
    judge_forward,
)
from tests.tile.cases import config

X, Y = [[0.6, 0.2], [-1.0, 0.3]], [[1.0], [-2.5]]
BM, NM = rs.BoundManagementType, rs.NoiseManagementType


def made(**parts: Any) -> Any:
    """A tile that returns ``Y`` for ``X``."""
    io = {"inp_res": 4, "inp_bound": 1.0, **parts.pop("io", {})}
    tile = config(io=io, **parts).create_tile(1, 2)
    tile.set_weights([[2.0, -1.0]])
    return tile


def test_a_verdict_says_where_and_what() -> None:
    report = judge_forward(made(), X, [[1.0], [-3.0]])
    assert not report.passed
    assert str(report).splitlines() == [
        "VIOLATION PP-2 output[1, 0]: got -3.0, admissible -2.5, refsim returns -2.5 (1 of 2 elements)",
        "NOT admissible (float32, sums in any order, FMA or not)",
        "rounded_input: 0 of 4 codes ambiguous (0.00 %), the others at least 0.1 steps from a boundary, "
        "values known to 0 steps",
    ]
    assert report["output"].total == 2
    with pytest.raises(KeyError, match="'product' was not judged, but output"):
        report["product"]


def test_the_right_output_is_exact() -> None:
    report = judge_forward(made(), X, Y)
    assert str(report).startswith("admissible (float32")
    assert (report["output"].exact, report["output"].violations) == (2, 0)


def test_the_worst_element_is_the_example() -> None:
    first = judge_forward(made(), X, [[1.5], [-9.0]]).first
    assert first is not None
    assert first.example is not None
    assert first.example.index == (1, 0)
    nan = judge_forward(made(), X, [[np.nan], [-9.0]]).first
    assert nan is not None
    assert nan.example is not None
    assert nan.example.index == (0, 0)


def test_nothing_judged_is_no_pass() -> None:
    assert not Report("", []).passed
    assert not judge_backward(made(), X, Y, {}).passed


def test_a_boundary_has_two_codes() -> None:
    tile = made(io={"out_res": 8, "out_bound": 4.0})
    tile.set_weights([[1.1, 1.4]])
    x = [[0.5, 1.0]]
    product = np.float32(1.1) * np.float32(0.5) + np.float32(1.4)
    tile.config.forward.out_bound = float(np.float32(product)) * 8 / 3
    report = judge_forward(tile, x, tile.forward(x))
    [_, adc] = report.margins
    assert adc.ambiguous == 1
    step = np.float32(tile.config.forward.out_bound / 4)
    verdicts = [judge_forward(tile, x, [[n * step]]).passed for n in (0, 1, 2, 3)]
    assert verdicts == [False, True, True, False]
    between = judge_forward(tile, x, [[1.5 * step]]).first
    assert f"admissible {step!s} or {2 * step!s}" in str(between)


def test_the_tile_is_not_changed() -> None:
    tile = made(r={"init_value": 2.0, "init_from_data": 0})
    before = {name: value.tobytes() for name, value in tile.state_dict().items()}
    y = [[2.0], [-2.0]]
    judge_forward(tile, X, y)
    judge_backward(tile, X, y, {"input": X})
    assert {name: value.tobytes() for name, value in tile.state_dict().items()} == before
    assert not tile.gradients


def test_bound_management_may_stop_at_the_bound_or_go_on() -> None:
    io = {"bound_management": BM.ITERATIVE, "out_bound": 2.0, "inp_res": -1, "inp_bound": 1.0}
    tile = made(io=io)
    tile.set_weights([[0.7, 1.3]])
    x = [[1.0, 1.0]]
    nearly = judge_forward(tile, x, [[2.0]], stages={"bound_management_factor": 1.0})
    other = judge_forward(tile, x, [[2.0]], stages={"bound_management_factor": 2.0})
    assert nearly.passed
    assert other.passed
    broken = judge_forward(tile, x, [[2.0]], stages={"bound_management_factor": 4.0}).first
    assert broken is not None
    assert str(broken).startswith(
        "VIOLATION BM-2 bound_management_factor: got 4.0, admissible 1.0 or 2.0"
    )


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"x": [[1.0]]}, rs.ShapeError, r"the batch has shape \(1, 1\), allowed is \(\.\.\., 2\)"),
        ({"x": [["a", "b"]]}, rs.InputError, "the batch has dtype <U1"),
        ({"x": [[np.nan, 1.0]]}, rs.InputError, "the batch contains NaN"),
        ({"output": [[1.0]]}, rs.ShapeError, r"output has shape \(1, 1\), allowed is \(2, 1\)"),
        ({"output": [["a"], ["b"]]}, rs.InputError, r"stages\['output'\] has dtype"),
        (
            {"stages": {"product": [1.0]}},
            rs.ShapeError,
            r"the stage product has shape \(1,\), allowed is \(2, 1\)",
        ),
        (
            {"stages": {"effective_weight": [1.0]}},
            rs.ShapeError,
            r"stages\['effective_weight'\] has shape \(1,\)",
        ),
        ({"noise": {"out_noise": [[1.0]]}}, rs.ShapeError, r"noise\['out_noise'\] has shape"),
    ],
)
def test_what_does_not_fit_is_named(changes: Any, error: Any, message: str) -> None:
    given = {"x": X, "output": Y, **changes}
    tile = made(io={"out_noise": 0.1} if "noise" in changes else {})
    with pytest.raises(error, match=message):
        judge_forward(tile, given.pop("x"), given.pop("output"), **given)


def test_what_only_the_implementation_knows_is_asked_for() -> None:
    with pytest.raises(rs.InputError, match="out_noise is switched on; give the deviates"):
        judge_forward(made(io={"out_noise": 0.1}), X, Y)
    modifier = rs.WeightModifierParameter(type=rs.WeightModifierType.ADD_NORMAL, std_dev=0.1)
    with pytest.raises(
        rs.StateError, match=r"give its deviates as noise\['weight_noise'\] or the weight"
    ):
        judge_forward(made(modifier=modifier), X, Y)
    assert judge_forward(made(modifier=modifier).eval(), X, Y).passed
    used = {"effective_weight": [[2.0, -1.0]]}
    assert judge_forward(made(modifier=modifier), X, Y, stages=used).passed


def test_other_tiles_and_gradients_are_refused() -> None:
    with pytest.raises(rs.InputError, match="tile is a int, allowed are tiles of the classes"):
        judge_forward(3, X, Y)  # type: ignore[arg-type]
    with pytest.raises(rs.InputError, match="gradients has the key 'x', allowed are input, weight"):
        judge_backward(made(), X, Y, {"x": X})
    with pytest.raises(rs.ShapeError, match=r"dy has shape \(1, 1\), allowed is \(2, 1\)"):
        judge_backward(made(), X, [[1.0]], {"input": X})


def test_an_impossible_profile_is_refused() -> None:
    with pytest.raises(rs.ConfigError, match="lanes is 0, allowed are positive integers and None"):
        Profile("", BINARY32, BINARY32, lanes=0)
    with pytest.raises(rs.ConfigError, match="format has 30 bits, allowed are at most 24, and 53"):
        Profile("", Format("", 30, -126), BINARY32)
    with pytest.raises(rs.ConfigError, match="operand, setting and spare are 2, 0 and 4"):
        Profile("", BINARY32, BINARY32, operand=2)
    with pytest.raises(rs.ConfigError, match="a sum of 9000000 terms has no bound in float32"):
        FLOAT32.gamma(9_000_000)
    assert FLOAT64.gamma(9_000_000) < 1e-9


@pytest.mark.parametrize("profile", [FLOAT32, FLOAT64], ids=["float32", "float64"])
@pytest.mark.parametrize("res", [1 / 126, 1 / 14, 1 / 30, 255.0])
def test_half_way_values_fall_as_the_profile_rounds_them(profile: Profile, res: float) -> None:
    T = np.float32 if profile is FLOAT32 else np.float64
    io = {"inp_res": res, "noise_management": NM.CONSTANT, "nm_thres": 2.0}
    tile = made(io=io)
    tile.set_weights([[1.0, 0.0]])
    x = np.array([[1.0, 0.0], [-1.0, 0.0]])
    step = T((1 / res if res > 1 else res) * 2)
    own = np.rint(T(0.5) * x[:, :1].astype(T) / step) * step * T(2)
    assert judge_forward(tile, x, own, profile).passed
    code = np.rint(0.5 / float(step))
    wrong = judge_forward(tile, x, [[(code + 1.0) * float(step) * 2], own[1]], profile)
    assert not wrong.passed
