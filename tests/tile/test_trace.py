"""Traces: every intermediate under its clause, copies of it, and the first difference of two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import traceability

import refsim as rs
from refsim.tile.trace import Trace
from tests.tile.cases import BM, NM, WM, config

X = np.array([[0.5, -2.0, 0.25], [1.5, 0.125, -0.75]], np.float32)
DY = np.array([[1.0, -0.5], [0.25, 2.0]], np.float32)
PASS = [
    "bound_management_factor",
    "input_scale",
    "inp_sto_round",
    "rounded_input",
    "input_level",
    "dac_clip_mask",
    "inp_noise",
    "negative_mask",
    "converted_input",
    "product",
    "out_noise",
    "out_sto_round",
    "rounded_output",
    "output_level",
    "adc_clip_mask",
    "output_code",
    "core_output",
    "within_bound",
]
BEFORE = [
    "input",
    "stored_range",
    "range_counter",
    "deviation",
    "input_range",
    "clip_mask",
    "clipped_input",
    "scaled_input",
    "weight_noise",
    "effective_weight",
    "management_peak",
    "management_index",
    "management_mask",
    "noise_management_scale",
]
AFTER = ["output_factor", "scaled_output", "out_scaling_alpha", "bias", "output"]
BACKWARD = [
    "output_gradient",
    "bias_gradient",
    "out_scaling_gradient",
    "scaled_output_gradient",
    "core_output_gradient",
    "adc_pass_mask",
    "product_gradient",
    "core_weight_gradient",
    "converted_input_gradient",
    "dac_pass_mask",
    "scaled_gradient",
    "unmanaged_gradient",
    "management_output_sum",
    "management_input_sum",
    "management_gradient",
    "scaled_input_gradient",
    "weight_gradient",
    "clipped_input_gradient",
    "clip_pass_mask",
    "input_gradient",
    "range_rule_upper",
    "range_rule_lower",
    "range_rule",
    "unclipped_fraction",
    "range_rule_with_decay",
    "range_output_sum",
    "range_input_sum",
    "range_residual",
    "range_gradient",
]


def everything(backend: str, seed: int = 3) -> Any:
    """A tile with every step of the chain switched on."""
    io = {
        "inp_res": 14,
        "inp_bound": 1.0,
        "inp_noise": 0.1,
        "inp_sto_round": True,
        "inp_asymmetry": 0.25,
        "out_res": 30,
        "out_bound": 0.5,
        "out_noise": 0.04,
        "out_sto_round": True,
        "out_asymmetry": 0.125,
        "noise_management": NM.ABS_MAX,
        "bound_management": BM.ITERATIVE,
        "max_bm_factor": 4,
    }
    made = config(
        np.float32,
        io,
        {"init_from_data": 2, "init_std_alpha": 1.0},
        mapping=rs.MappingParameter(weight_scaling_omega=1.0, learn_out_scaling=True),
        modifier=rs.WeightModifierParameter(type=WM.ADD_NORMAL, std_dev=0.1),
    )
    tile = made.create_tile(2, 3, bias=True, seed=seed, backend=backend)
    tile.set_weights([[0.5, -1.0, 0.75], [2.0, 0.25, -0.5]], [0.5, -0.25])
    return tile


def traces(backend: str, seed: int = 3) -> tuple[Trace, Trace]:
    tile = everything(backend, seed)
    _, forward = tile.forward(X, trace=True)
    _, backward = tile.backward(DY, trace=True)
    return forward, backward


def test_every_intermediate_in_order(backend: str) -> None:
    forward, backward = traces(backend)
    names = [stage.name for stage in forward]
    passes = names.count("within_bound")
    assert passes > 1
    assert names == [*BEFORE, *PASS * passes, *AFTER]
    assert [stage.name for stage in backward] == BACKWARD


@pytest.mark.parametrize("which", [0, 1])
def test_every_stage_names_a_clause(which: int) -> None:
    assert {stage.clause for stage in traces("spec")[which]} <= traceability.documented().keys()


def test_masks_levels_and_noise(backend: str) -> None:
    tile = everything(backend)
    _, trace = tile.forward(X, trace=True)
    r = trace["input_range"]
    assert np.array_equal(trace["clip_mask"], np.abs(X) > r)
    assert trace["clip_mask"].any()
    step = np.float32(1 / 7)
    assert np.array_equal(trace["input_level"] * step, trace["rounded_input"])
    assert np.array_equal(trace["adc_clip_mask"], trace["rounded_output"] != trace["output_code"])
    assert np.array_equal(trace["inp_noise"], trace.noise["inp_noise"][-1])
    assert np.array_equal(trace["out_noise"], trace.noise["out_noise"][-1])
    factors = [stage.value for stage in trace if stage.name == "bound_management_factor"]
    assert factors == [2**i for i in range(len(factors))]


def test_the_terms_of_the_gradients_are_the_gradients(backend: str) -> None:
    tile = everything(backend)
    tile.forward(X)
    dx, trace = tile.backward(DY, trace=True)
    assert np.array_equal(trace["input_gradient"], dx)
    for name, stage in (
        ("weight", "weight_gradient"),
        ("bias", "bias_gradient"),
        ("out_scaling_alpha", "out_scaling_gradient"),
        ("input_range", "range_gradient"),
    ):
        assert np.array_equal(trace[stage], tile.gradients[name].reshape(np.shape(trace[stage])))
    assert trace["range_gradient"] == trace["range_rule_with_decay"] + trace["range_residual"]


def test_a_perfect_product_and_weights_for_each_row(backend: str) -> None:
    modifier = rs.WeightModifierParameter(type=WM.MULT_NORMAL, std_dev=0.1, per_batch_sample=True)
    tile = config(np.float32, {"is_perfect": True}, modifier=modifier).create_tile(
        2, 3, backend=backend
    )
    _, forward = tile.forward(X, trace=True)
    _, backward = tile.backward(DY, trace=True)
    assert [stage.clause for stage in forward][-3:] == ["MV-2", "PP-1", "PP-2"]
    assert {stage.name: stage.clause for stage in forward}["effective_weight"] == "WM-3"
    clauses = {stage.name: stage.clause for stage in backward}
    assert clauses["core_weight_gradient"] == clauses["weight_gradient"] == "MV-4"
    assert clauses["scaled_input_gradient"] == "MV-5"


def test_a_trace_keeps_copies(backend: str) -> None:
    tile = everything(backend)
    x, dy = X.copy(), DY.copy()
    given = {"weight_noise": np.zeros((2, 3), np.float32)}
    _, forward = tile.forward(x, noise=given, trace=True)
    _, backward = tile.backward(dy, trace=True)
    x[...], dy[...], given["weight_noise"][...] = 9, 9, 9
    tile.parameters["bias"][...] = 9
    assert np.array_equal(forward["input"], X)
    assert np.array_equal(backward["output_gradient"], DY)
    assert not forward["weight_noise"].any()
    assert not forward.noise["weight_noise"].any()
    assert forward["bias"].tolist() == [0.5, -0.25]
    assert not forward["bias"].flags.writeable


@pytest.mark.parametrize("name", rs.backends.available())
def test_equal_traces_have_no_difference(name: str) -> None:
    for one, other in zip(traces("spec"), traces(name), strict=True):
        assert one.diff(other) is None


def altered(value: Any) -> Any:
    """The value with its last element changed as little as can be."""
    array = np.array(value)
    last = array.reshape(-1)
    if array.dtype.kind == "f":
        last[-1] = np.nextafter(last[-1], array.dtype.type(np.inf))
    else:
        last[-1] = not last[-1]
    return array if np.ndim(value) else array[()]


@pytest.mark.parametrize("which", [0, 1])
def test_a_difference_planted_at_each_stage(which: int) -> None:
    trace = traces("spec")[which]
    for position, stage in enumerate(trace):
        other = Trace()
        for i, same in enumerate(trace):
            later = i >= position
            other.add(same.clause, same.name, altered(same.value) if later else same.value)
        found = trace.diff(other)
        assert found is not None
        assert (found.position, found.clause, found.name) == (position, stage.clause, stage.name)
        shape = np.shape(stage.value)
        assert found.index == tuple(n - 1 for n in shape)
        a, b = stage.value[found.index] if shape else stage.value, altered(stage.value)
        assert found.values == (a, b[found.index] if shape else b)
        assert found.ulps == (1 if np.asarray(stage.value).dtype.kind == "f" else None)


def trace_of(*values: Any, name: str = "output") -> Trace:
    trace = Trace()
    for value in values:
        trace.add("PP-2", name, value)
    return trace


@pytest.mark.parametrize("T", [np.float32, np.float64])
def test_zeros_and_numbers_across_zero(T: Any) -> None:
    tiny = np.finfo(T).smallest_subnormal
    for a, b, ulps in ((T(-0.0), T(0), 0), (-tiny, tiny, 2), (T(np.inf), T(1), None)):
        found = trace_of(np.array([T(1), a])).diff(trace_of(np.array([T(1), b])))
        assert found is not None
        assert (found.index, found.ulps) == ((1,), ulps)
    nan = np.array([T(np.nan)])
    assert trace_of(nan).diff(trace_of(nan.copy())) is None


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        (trace_of(np.zeros(2)), trace_of(np.zeros(3)), "PP-2 output float64 (2,) and PP-2 output"),
        (trace_of(np.zeros(2)), trace_of(np.zeros(2, np.float32)), "float32 (2,)"),
        (trace_of(True), trace_of(), "PP-2 output bool () and no stage"),
        (trace_of(), trace_of(True), "no stage and PP-2 output bool ()"),
        (trace_of(True), trace_of(True, name="x"), "stage 0: PP-2 output bool () and PP-2 x"),
        (trace_of(np.float32(1)), trace_of(np.float32(2)), "PP-2 output: 1.0 and 2.0, 8388608 ulp"),
        (trace_of(np.eye(2)), trace_of(np.ones((2, 2))), "PP-2 output[0, 1]: 0.0 and 1.0"),
    ],
)
def test_a_difference_in_words(one: Trace, other: Trace, text: str) -> None:
    assert text in str(one.diff(other))


def test_the_first_noise_that_differs_is_found() -> None:
    found = traces("spec", 3)[0].diff(traces("spec", 4)[0])
    assert found is not None
    assert (found.clause, found.name, found.index) == ("WM-2", "weight_noise", (0, 0))


def test_each_pass_of_bound_management_keeps_its_values(backend: str) -> None:
    """Where rows repeat on their own, the next pass changes the record of the last."""
    for kind in (rs.TorchInferenceRPUConfig, rs.InferenceRPUConfig):
        io = rs.IOParameters(inp_res=62, out_res=254, out_noise=0.0, out_bound=1.0)
        tile = kind(forward=io).create_tile(1, 2, backend=backend)
        tile.set_weights([[1.0, 1.0]])
        _, trace = tile.forward([[1.0, 1.0], [1.0, -0.5]], trace=True)
        passes = [stage.value for stage in trace if stage.name == "rounded_output"]
        assert len(passes) > 1
        assert passes[0][0, 0] == 2
        assert passes[1][0, 0] < 1.1
        assert not np.shares_memory(*passes[:2])


def test_a_trace_does_not_follow_what_a_caller_does_to_the_results(backend: str) -> None:
    io = rs.IOParameters(inp_res=-1, out_res=-1, out_noise=0.0)
    tile = rs.TorchInferenceRPUConfig(forward=io).create_tile(1, 1, bias=False, backend=backend)
    tile.set_weights([[1.0]])
    x = np.ones((1, 1), np.float32)
    noise = {"out_noise": np.zeros((1, 1), np.float32)}
    tile.config.forward.bound_management = rs.BoundManagementType.NONE
    tile.config.forward.out_noise = 0.5
    y, forward = tile.forward(x, noise=noise, trace=True)
    dx, back = tile.backward(x, trace=True)
    before = [np.array(stage.value) for trace in (forward, back) for stage in trace]
    for array in (
        x,
        y,
        dx,
        noise["out_noise"],
        *tile.gradients.values(),
        *tile.parameters.values(),
    ):
        array[...] = 7
    after = [stage.value for trace in (forward, back) for stage in trace]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
