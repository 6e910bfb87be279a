"""Laws of the manual path that hold bit for bit: scale, sign, rows, converters that the way back does not see."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import refsim as rs
from tests.exact import same
from tests.strategies import arrays, dtypes
from tests.tile import manual_cases
from tests.tile.cases import BM, NM, Case, cases
from tests.tile.test_laws import positive_zeros, run, scaled_bits, sized

pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")
PASSES = ("forward", "backward")


@st.composite
def tame(draw: st.DrawFn, build: Any = manual_cases.manual) -> Case:
    """Cases of one batch ``(N, I)`` without zeros' signs, subnormals and huge values, and without noise."""
    T = draw(dtypes)
    case = draw(cases(T, count=0, build=build))
    O, I = case.sizes
    N = draw(st.integers(1, 4))
    case.arrays["weight"] = draw(arrays(T, (O, I), sized(T)))
    if "bias" in case.arrays:
        case.arrays["bias"] = draw(arrays(T, (O,), sized(T)))
    case.batches = [(draw(arrays(T, (N, I), sized(T))), draw(arrays(T, (N, O), sized(T))))]
    if "mapping_scales" in case.arrays:  # scales that cancel have no mean to divide by
        case.arrays["mapping_scales"] = np.abs(case.arrays["mapping_scales"])
    quiet = {"inp_noise": 0.0, "out_noise": 0.0, "inp_sto_round": False, "out_sto_round": False}
    for io in (getattr(case.config, way, None) for way in PASSES):
        for name, value in quiet.items():
            if io is not None:
                setattr(io, name, value)
    if hasattr(case.config, "modifier"):
        case.config.modifier.type = rs.WeightModifierType.NONE
    return case


def both_passes(config: Any, **settings: Any) -> None:
    for io in (getattr(config, way, None) for way in PASSES):
        for name, value in settings.items():
            if io is not None:
                setattr(io, name, value)


def management(config: Any) -> list[Any]:
    return [getattr(config, way).noise_management for way in PASSES if hasattr(config, way)]


@pytest.mark.clause("IR-2", "IR-3", "IR-4", "MS-5")
@given(case=tame(), exponent=st.integers(-12, 12))
def test_scaling_input_and_range_by_a_power_of_two(backend: str, case: Case, exponent: int) -> None:
    """The output follows; no gradient moves, that of the weight included."""
    p = case.config.pre_post.input_range
    p.enable, p.gradient_relative, p.decay = True, False, 0.0
    p.manage_output_clipping = False
    case.arrays.pop("bias", None)
    case.config.mapping.learn_out_scaling = False
    factor = case.T(2.0**exponent)
    (x, dy) = case.batches[0]
    y, dx, gradients = run(case.tile(backend), x, dy)
    other = replace(case, arrays=case.arrays | {"input_range": case.arrays["input_range"] * factor})
    y2, dx2, gradients2 = run(other.tile(backend), x * factor, dy)
    same(positive_zeros(y2), scaled_bits(y, factor))
    same(dx2, dx)
    assert gradients.keys() == gradients2.keys()
    for name, value in gradients.items():
        same(gradients2[name], value)


@pytest.mark.clause("IR-4", "NM-6", "NM-8", "BM-3")
@given(case=tame())
def test_sign_symmetry(backend: str, case: Case) -> None:
    both_passes(case.config, inp_asymmetry=0.0, out_asymmetry=0.0, bm_test_negative_bound=True)
    assume(NM.MAX not in management(case.config))
    case.arrays.pop("bias", None)
    (x, dy) = case.batches[0]
    y, dx, gradients = run(case.tile(backend), x, dy)
    y2, dx2, gradients2 = run(case.tile(backend), -x, -dy)
    same(positive_zeros(y2), scaled_bits(y, -1))
    same(positive_zeros(dx2), scaled_bits(dx, -1))
    for name, value in gradients.items():
        same(positive_zeros(gradients2[name]), positive_zeros(value))


@pytest.mark.clause("MV-4", "IR-10")
@given(case=tame(), data=st.data())
def test_order_of_rows(backend: str, case: Case, data: st.DataObject) -> None:
    assume(NM.AVERAGE_ABS_MAX not in management(case.config))
    (x, dy) = case.batches[0]
    order = data.draw(st.permutations(range(len(x))))
    y, dx, gradients = run(case.tile(backend), x, dy)
    y2, dx2, gradients2 = run(case.tile(backend), x[order], dy[order])
    same(y2, y[order])
    same(dx2, dx[order])
    for name, value in gradients.items():
        same(gradients2[name], value)


@pytest.mark.clause("BM-3", "NM-7")
@given(case=tame(manual_cases.inference), data=st.data())
def test_splitting_a_batch(backend: str, case: Case, data: st.DataObject) -> None:
    """Whatever the management: each row is a row by itself, and the running peak goes from row to row."""
    case.config.pre_post.input_range.init_from_data = 0
    x = case.batches[0][0]
    cut = data.draw(st.integers(0, len(x)))
    whole, parts = case.tile(backend).train(), case.tile(backend).train()
    y = whole.forward(x)
    same(np.concatenate([parts.forward(x[:cut]), parts.forward(x[cut:])]), y)
    if "average_abs_max" in whole.buffers:
        same(parts.buffers["average_abs_max"], whole.buffers["average_abs_max"])


@pytest.mark.clause("IR-4", "IR-5", "MS-5", "MV-3", "MV-4")
@given(case=tame(), data=st.data())
def test_converters_of_the_forward_pass_are_invisible(
    backend: str, case: Case, data: st.DataObject
) -> None:
    """Without a bound of the outputs, no gradient of input, weight and range depends on them."""
    case.config.pre_post.input_range.manage_output_clipping = False
    other = replace(case, config=copy.deepcopy(case.config))
    for config in (case.config, other.config):
        if hasattr(config, "forward"):
            config.forward = rs.IOParameters(
                inp_res=data.draw(st.sampled_from([-1, 6, 0.1])),
                inp_asymmetry=data.draw(st.sampled_from([0.0, 0.25])),
                inp_noise=data.draw(st.sampled_from([0.0, 0.3])),
                out_res=-1,
                out_bound=-1.0,
                out_noise=data.draw(st.sampled_from([0.0, 0.3])),
                noise_management=data.draw(st.sampled_from([NM.NONE, NM.ABS_MAX])),
                bound_management=BM.NONE,
            )
            config.mapping.learn_out_scaling = False
    (x, dy) = case.batches[0]
    results = []
    for tile in (case.tile(backend), other.tile(backend)):
        _, dx, gradients = run(tile, x, dy)
        updates = [part for u in getattr(tile, "pending", []) for part in (u.x, u.h)]
        results.append((dx, gradients, updates))
    same(results[0][0], results[1][0])
    assert results[0][1].keys() == results[1][1].keys()
    for name, value in results[0][1].items():
        same(results[1][1][name], value)
    for one, other_one in zip(results[0][2], results[1][2], strict=True):
        same(one, other_one)


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
    assume(NM.AVERAGE_ABS_MAX not in management(case.config))
    tile, (x, dy) = case.tile(backend).eval(), case.batches[0]
    _, _, first = run(tile, x, dy)
    _, _, second = run(tile, x, dy + dy)
    tile.zero_grad()
    for g in (dy, dy + dy):
        tile.forward(x)
        tile.backward(g)
    for name, value in first.items():
        same(tile.gradients[name], value + second[name])


@pytest.mark.clause("MS-4")
@given(case=tame(manual_cases.custom), data=st.data())
def test_the_compensation_cancels_where_it_is_exact(
    backend: str, case: Case, data: st.DataObject
) -> None:
    """With scales that are powers of two the update is the same with and without it."""
    case.config.mapping.weight_scaling_omega = 1.0
    case.config.backward.is_perfect = True
    scale = data.draw(st.sampled_from([0.25, 0.5, 2.0, 8.0]))
    O = case.sizes[0]
    case.arrays["mapping_scales"] = np.full(O, case.T(scale))
    weights = []
    for compensated in (False, True):
        made = replace(case, config=copy.deepcopy(case.config))
        made.config.mapping.weight_scaling_lr_compensation = compensated
        tile, (x, dy) = made.tile(backend), case.batches[0]
        run(tile, x, dy)
        try:
            rs.SGD([tile], lr=0.0625).step()
        except rs.StateError:
            return
        weights.append(tile.parameters["weight"].copy())
    same(weights[0], weights[1])


def test_a_product_of_its_own_on_the_way_back(backend: str) -> None:
    """A DAC with steps of 1/2 and an ADC with the bound 1: 0.6 -> 0.5, 0.5 * 4 = 2 -> 1."""
    back = rs.IOParameters(
        inp_res=4,
        out_res=-1,
        out_bound=1.0,
        out_noise=0.0,
        noise_management=NM.NONE,
        bound_management=BM.NONE,
    )
    perfect = rs.IOParameters(is_perfect=True)
    for kind in (rs.InferenceRPUConfig, rs.CustomRPUConfig):
        tile = kind(forward=perfect, backward=back).create_tile(1, 2, backend=backend)
        tile.set_weights([[4.0, 0.5]])
        tile.forward([[1.0, 1.0]])
        same(tile.backward([[0.6]]), np.float32([[1.0, 0.25]]))
