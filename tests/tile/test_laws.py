"""Laws that hold bit for bit: scale, sign, order of rows, splitting, shape, accumulation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from tests.exact import Array, Type, same
from tests.strategies import arrays, dtypes
from tests.tile.cases import BM, NM, Case, cases, config

pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")


def sized(T: Type) -> st.SearchStrategy[Any]:
    """Zeros, and numbers whose products neither overflow nor vanish."""
    width = np.finfo(T).bits
    digits = st.floats(0.0625, 8, width=width).map(T)
    return st.just(T(0)) | digits | digits.map(lambda v: -v)


def quiet_io(made: Any, **settings: Any) -> None:
    """Turns off what draws random numbers."""
    settings = {"inp_noise": 0.0, "out_noise": 0.0, "inp_sto_round": False, **settings}
    for name, value in {**settings, "out_sto_round": False}.items():
        setattr(made.forward, name, value)
    made.modifier.type = rs.WeightModifierType.NONE


@st.composite
def tame(draw: st.DrawFn) -> Case:
    """Cases of one batch ``(N, I)`` without zeros' signs, subnormals and huge values."""
    T = draw(dtypes)
    case = draw(cases(T, count=0))
    O, I = case.sizes
    N = draw(st.integers(1, 4))
    case.arrays["weight"] = draw(arrays(T, (O, I), sized(T)))
    if "bias" in case.arrays:
        case.arrays["bias"] = draw(arrays(T, (O,), sized(T)))
    case.batches = [(draw(arrays(T, (N, I), sized(T))), draw(arrays(T, (N, O), sized(T))))]
    return case


def run(tile: Any, x: Array, dy: Array) -> tuple[Array, Array, dict[str, Array]]:
    """Output, input gradient, and all other gradients."""
    tile.zero_grad()
    y = tile.forward(x)
    return y, tile.backward(dy), dict(tile.gradients)


def positive_zeros(x: Any) -> Any:
    """The array with every -0 as +0."""
    return x + x.dtype.type(0)


def scaled_bits(x: Array, factor: Any) -> Array:
    return positive_zeros(x * x.dtype.type(factor))


@pytest.mark.clause("IR-1", "IR-2", "IR-3", "IR-4", "IR-9")
@given(case=tame(), exponent=st.integers(-12, 12))
def test_scaling_input_and_range_by_a_power_of_two(backend: str, case: Case, exponent: int) -> None:
    p = case.config.pre_post.input_range
    p.enable, p.gradient_relative, p.decay = True, False, 0.0
    p.manage_output_clipping = False  # its growth is relative to the range
    case.arrays.pop("bias", None)
    factor = 2.0**exponent
    (x, dy) = case.batches[0]
    y, dx, gradients = run(case.tile(backend), x, dy)
    r = case.arrays["input_range"] * case.T(factor)
    other = replace(case, arrays=case.arrays | {"input_range": r})
    y2, dx2, gradients2 = run(other.tile(backend), x * case.T(factor), dy)
    same(positive_zeros(y2), scaled_bits(y, factor))
    same(positive_zeros(dx2), positive_zeros(dx))
    assert gradients.keys() == gradients2.keys()
    for name, value in gradients.items():
        power = 1 if name == "input_range" else factor
        same(positive_zeros(gradients2[name]), scaled_bits(value, power))


@pytest.mark.clause("DC-2", "IR-4", "NM-5")
@given(case=tame())
def test_sign_symmetry(backend: str, case: Case) -> None:
    quiet_io(case.config, inp_asymmetry=0.0, out_asymmetry=0.0)
    if case.config.forward.noise_management is NM.MAX:
        case.config.forward.noise_management = NM.ABS_MAX
    case.arrays.pop("bias", None)
    (x, dy) = case.batches[0]
    y, dx, gradients = run(case.tile(backend), x, dy)
    y2, dx2, gradients2 = run(case.tile(backend), -x, -dy)
    same(positive_zeros(y2), scaled_bits(y, -1))
    same(positive_zeros(dx2), scaled_bits(dx, -1))
    for name, value in gradients.items():
        same(positive_zeros(gradients2[name]), positive_zeros(value))


@pytest.mark.clause("SU-1", "MV-4", "SU-7")
@given(case=tame(), data=st.data())
def test_order_of_rows(backend: str, case: Case, data: st.DataObject) -> None:
    quiet_io(case.config)
    (x, dy) = case.batches[0]
    order = data.draw(st.permutations(range(len(x))))
    y, dx, gradients = run(case.tile(backend), x, dy)
    y2, dx2, gradients2 = run(case.tile(backend), x[order], dy[order])
    same(y2, y[order])
    same(dx2, dx[order])
    assert gradients.keys() == gradients2.keys()
    for name, value in gradients.items():
        same(gradients2[name], value)


@pytest.mark.clause("MV-1")
@given(case=tame(), data=st.data())
def test_splitting_a_batch_in_eval(backend: str, case: Case, data: st.DataObject) -> None:
    quiet_io(case.config, bound_management=BM.NONE)
    x = np.abs(case.batches[0][0]) + case.T(1)  # not all zero
    cut = data.draw(st.integers(0, len(x)))
    tile = case.tile(backend).eval()
    parts = [tile.forward(x[:cut]), tile.forward(x[cut:])]
    same(np.concatenate(parts), tile.forward(x))


@given(case=tame())
def test_leading_axes_are_rows(backend: str, case: Case) -> None:
    x, dy = case.batches[0]
    flat, deep = case.tile(backend), case.tile(backend)
    y, dx, gradients = run(flat, x, dy)
    y2, dx2, gradients2 = run(deep, x[:, None, None], dy[:, None, None])
    same(y2, y[:, None, None])
    same(dx2, dx[:, None, None])
    for name, value in gradients.items():
        same(gradients2[name], value)
    one, row = case.tile(backend), case.tile(backend)
    same(one.forward(x[0]), row.forward(x[:1])[0])
    same(one.backward(dy[0]), row.backward(dy[:1])[0])


@pytest.mark.clause("IR-1")
@given(case=tame())
def test_eval_changes_only_the_random_step(backend: str, case: Case) -> None:
    tile = case.tile(backend).eval()
    before = tile.state_dict()
    x, dy = case.batches[0]
    tile.forward(x)
    tile.backward(dy)
    after = tile.state_dict()
    assert after.pop("random_step")[0] == before.pop("random_step")[0] + 1
    assert after.keys() == before.keys()
    for name, value in before.items():
        same(after[name], value)


@given(case=tame())
def test_gradients_accumulate_with_one_rounding(backend: str, case: Case) -> None:
    quiet_io(case.config)
    tile, (x, dy) = case.tile(backend).eval(), case.batches[0]
    _, _, first = run(tile, x, dy)
    _, _, second = run(tile, x, dy + dy)
    tile.zero_grad()
    for g in (dy, dy + dy):
        tile.forward(x)
        tile.backward(g)
    for name, value in first.items():
        same(tile.gradients[name], value + second[name])


def test_zero_grad_removes_the_keys(backend: str) -> None:
    tile = config(r={}).create_tile(2, 3, bias=True, backend=backend)
    tile.forward(np.ones(3, np.float32))
    tile.backward(np.ones(2, np.float32))
    assert tile.gradients.keys() == {"weight", "bias", "input_range"}
    tile.zero_grad()
    assert tile.gradients == {}


def test_a_range_that_is_not_learned_has_no_gradient(backend: str) -> None:
    tile = config(r={"learn_input_range": False}).create_tile(1, 1, backend=backend)
    tile.forward(np.float32([[5.0]]))
    same(tile.backward(np.float32([[1.0]])), np.float32([[0.0]]))
    assert tile.gradients.keys() == {"weight"}


@pytest.mark.clause("IR-8")
@given(T=dtypes, data=st.data())
def test_the_residual_of_a_linear_core_is_zero(backend: str, T: Type, data: st.DataObject) -> None:
    powers = st.integers(-6, 6).map(lambda k: T(2.0**k)) | st.just(T(0))
    signed = powers.flatmap(lambda v: st.sampled_from([v, -v]))
    r = data.draw(st.sampled_from([0.25, 1.0, 8.0, -2.0]))
    kind = data.draw(st.sampled_from([NM.NONE, NM.ABS_MAX, NM.MAX, NM.CONSTANT]))
    made = config(T, {"noise_management": kind, "nm_thres": 0.5}, {"init_value": r})
    tile = made.create_tile(2, 3, backend=backend)
    tile.parameters["weight"][...] = data.draw(arrays(T, (2, 3), signed))
    tile.forward(data.draw(arrays(T, (2, 3), signed)))
    _, trace = tile.backward(data.draw(arrays(T, (2, 2), signed)), trace=True)
    residuals = [stage.value for stage in trace if stage.name == "range_residual"]
    assert all(value == 0 for value in residuals)


@pytest.mark.clause("NM-3")
@pytest.mark.parametrize("kind", [NM.ABS_MAX, NM.MAX])
def test_an_all_zero_batch_takes_the_shortcut(backend: str, kind: Any) -> None:
    io = {"noise_management": kind, "out_noise": 0.5, "out_sto_round": True, "out_res": 0.1}
    made = config(io={**io, "out_bound": 1.0}, r={"decay": 0.5, "input_min_percentage": 0.0})
    tile = made.create_tile(2, 3, bias=True, backend=backend)
    tile.parameters["weight"][...] = 1
    tile.parameters["bias"][...] = [1, 2]
    zeros = np.zeros((2, 3), np.float32)
    y, trace = tile.forward(zeros, trace=True)
    same(y, np.float32([[1, 2], [1, 2]]))
    assert trace.noise == {}
    same(tile.backward(np.ones((2, 2), np.float32)), zeros)
    assert tile.gradients.keys() == {"bias", "input_range"}
    same(tile.gradients["input_range"], np.float32([0]))
    tile.forward(np.float32([[0, 0, 0], [0, 0, 2]]))  # one row is enough to leave it
    tile.backward(np.ones((2, 2), np.float32))
    assert "weight" in tile.gradients


@pytest.mark.clause("BM-1", "BM-2")
@pytest.mark.parametrize(
    ("x", "settings", "passes"),
    [
        (1.0, {}, 1),  # |y| equals the bound
        (1.5, {}, 2),
        (8.0, {}, 4),
        (9.0, {}, 5),
        (-9.0, {}, 5),
        (9.0, {"bm_test_negative_bound": False}, 5),
        (-9.0, {"bm_test_negative_bound": False}, 5),
        (9.0, {"max_bm_factor": 1}, 2),  # goes on until beta is above the factor
        (9.0, {"max_bm_factor": 2}, 3),
        (9.0, {"max_bm_factor": 3}, 3),
        (100.0, {"inp_res": 0.125, "inp_bound": 1.0, "max_bm_res": 0.25}, 1),  # x is clipped to 1
    ],
)
def test_passes_of_bound_management(
    backend: str, x: float, settings: dict[str, Any], passes: int
) -> None:
    io = {"bound_management": BM.ITERATIVE, "out_bound": 1.0, **settings}
    tile = config(io=io).create_tile(1, 1, backend=backend)
    tile.parameters["weight"][...] = 1
    y, trace = tile.forward([[x]], trace=True)
    scales = [stage.value[0] for stage in trace if stage.name == "input_scale"]
    assert scales == [2.0**-k for k in range(passes)]
    clipped = min(abs(x) * scales[-1], 1.0) if "inp_res" not in settings else 1.0
    assert y[0, 0] == np.copysign(clipped / scales[-1], x)


@pytest.mark.clause("BM-2")
def test_the_input_resolution_limits_bound_management(backend: str) -> None:
    io = {"bound_management": BM.ITERATIVE, "out_bound": 1.0, "inp_bound": 1.0, "inp_res": 0.03125}
    tile = config(io={**io, "max_bm_res": 0.25}).create_tile(1, 2, backend=backend)
    tile.parameters["weight"][...] = 16
    _, trace = tile.forward([[1.0, 1.0]], trace=True)
    scales = [stage.value[0] for stage in trace if stage.name == "input_scale"]
    assert scales == [1.0, 0.5, 0.25, 0.125]  # the first beta above 0.25 / (2 * 0.03125) = 4
