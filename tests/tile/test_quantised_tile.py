"""The quantised tile: what it computes in exact arithmetic, its parameters, schedules and refusals."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.tile import RangeState
from tests.clauses import oracle
from tests.clauses import quantiser_oracle as exact
from tests.exact import Array, Type, same
from tests.tile.quantised import MINMAX, SCALED, config, data, step, tile

F32 = np.float32
SMALLER = F32(0.625)
"""What training makes of a step in a test, so that the ends of the range are clipped."""


class Quantiser:
    """A quantiser over the range of some values, or one of smaller steps, in exact arithmetic."""

    def __init__(self, x: Array, n_bits: int, symmetric: bool, shrunk: bool = False) -> None:
        T = x.dtype.type
        lo, hi = exact.quantiser_range(x.min().reshape(1), x.max().reshape(1))
        self.codes = exact.code_range(lo, n_bits, symmetric)
        self.zero_float = F32([0])
        if symmetric:
            self.delta = exact.symmetric_step(lo, hi, self.codes[1])
        else:
            self.delta, self.zero_float = exact.asymmetric_step(lo, hi, self.codes[1])
        self.delta = self.delta * SMALLER if shrunk else self.delta
        scale = exact.quantiser_scale(self.delta, False)
        zero = exact.zero_point(self.zero_float, F32(self.codes[1]))
        self.grid = scale.astype(T), zero.astype(T), *self.codes

    def values(self, x: Array) -> Array:
        return exact.quantised(x.reshape(1, -1), *self.grid).reshape(x.shape)

    def gradients(self, g: Array, x: Array) -> tuple[Array, Array, Array]:
        rows = g.reshape(1, -1), x.reshape(1, -1)
        ds, dz = (f(*rows, *self.grid) for f in (exact.scale_gradient, exact.zero_point_gradient))
        return (
            exact.quantised_gradient(*rows, *self.grid).reshape(x.shape),
            exact.stored_step_gradient(ds, self.delta, False)[0],
            exact.zero_float_gradient(dz, self.zero_float, F32(self.codes[1]))[0],
        )


def learning(T: Type, symmetric: bool, columnwise: bool) -> Any:
    """A tile with everything that learns its steps from the next pass on."""
    mapping = {**SCALED, "out_scaling_columnwise": columnwise}
    settings = {"symmetric": symmetric, "learn_quant_params": True, "init_learning_after": 1}
    made = tile(
        config(T, 3, 3, r={"init_value": 1.5}, mapping=mapping, out_symmetric=symmetric, **settings)
    )
    made.forward(data(T, 0, 2, 4))  # the estimate
    for name in ("scale_quantizer", "bias_quantizer"):
        made.parameters[f"{name}.delta"][...] *= SMALLER
    return made


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("columnwise", [True, False])
def test_the_periphery_in_exact_arithmetic(T: Type, symmetric: bool, columnwise: bool) -> None:
    made = learning(T, symmetric, columnwise)
    x, g = data(T, 0, 5, 4), data(T, 2, 5, 3)
    y, forward = made.forward(x, trace=True)
    made.zero_grad()
    _, backward = made.backward(g, trace=True)
    z, r = forward["product"], forward["input_range"]
    s, a, b = (made.value(n) for n in ("mapping_scales", "out_scaling_alpha", "bias"))
    kappa = oracle.merged_scale(r.reshape(1), s)
    k = oracle.merged_scale(kappa, a)
    scale, bias = Quantiser(k, 3, symmetric, True), Quantiser(b, 3, symmetric, True)
    plain = oracle.shifted_output(oracle.scaled_output(z, scale.values(k)), bias.values(b))
    out = Quantiser(plain, 3, symmetric)
    same(y, out.values(plain))
    g1 = out.gradients(g, plain)[0]
    db, bias_delta, bias_zero = bias.gradients(oracle.column_totals(g1), b)
    dk, delta, zero = scale.gradients(oracle.column_product_totals(g1, z), k)
    gradients = made.gradients
    same(gradients["bias"], db)
    same(gradients["bias_quantizer.delta"], bias_delta.reshape(()))
    same(gradients["scale_quantizer.delta"], delta.reshape(()))
    if not symmetric:
        same(gradients["bias_quantizer.zero_float"], bias_zero.reshape(()))
        same(gradients["scale_quantizer.zero_float"], zero.reshape(()))
    da = oracle.merged_scale(dk, kappa)
    same(
        gradients["out_scaling_alpha"],
        da if columnwise else oracle.product_total(dk, kappa).reshape(1),
    )
    same(backward["core_output_gradient"], oracle.scaled_output(g1, scale.values(k)))
    same(backward["range_output_sum"], oracle.product_total(dk, oracle.merged_scale(s, a)))


@pytest.mark.parametrize(
    ("mapping", "ranged"),
    [({}, True), ({"learn_out_scaling": True}, False), ({"weight_scaling_omega": 1.0}, True)],
)
def test_one_common_factor_is_fifteen_steps(T: Type, mapping: dict[str, Any], ranged: bool) -> None:
    """Of the float32 number next to a fifteenth of it, so that it comes back but for that rounding."""
    settings = {"r": {"init_value": 1.5}} if ranged else {}
    made = tile(config(T, 4, mapping=mapping, **settings), bias=False)
    y, trace = made.forward(data(T, 0, 2, 4), trace=True)
    names = ("input_range", "mapping_scales", "out_scaling_alpha")
    present = [value for value in map(made.value, names) if value is not None]
    factor = reduce(oracle.merged_scale, present)
    delta = (factor / T(15)).astype(F32)
    same(y, trace["core_output"] * (T(15) * delta.astype(T)))
    assert made.scale_quantizer is not None
    assert not made.scale_quantizer.quantiser.signed


def test_without_bits_the_tile_multiplies_and_adds(T: Type) -> None:
    made = tile(config(T, 0, mapping=SCALED, r={"init_value": 1.5}))
    x = data(T, 0, 5, 4)
    y, trace = made.forward(x, trace=True)
    assert (made.scale_quantizer, made.bias_quantizer, made.out_quantizer) == (None, None, None)
    factor = (T(1.5) * made.value("mapping_scales")) * made.value("out_scaling_alpha")
    same(y, trace["product"] * factor + made.value("bias"))


def test_without_a_factor_the_scale_quantiser_stays_without_a_range(T: Type) -> None:
    made = tile(config(T, 4, learn_quant_params=True, init_learning_after=1))
    for k in range(3):
        step(made, k)
    assert not made.scale_quantizer.initialised
    assert made.scale_quantizer.state is RangeState.ESTIMATE_TRAIN
    assert made.bias_quantizer.state is RangeState.LEARN
    assert float(made.buffers["scale_quant_update_idx"][0]) == 0
    assert "scale_quantizer.delta" not in made.gradients


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("learned", [True, False])
def test_names_shapes_and_types_of_parameters(T: Type, symmetric: bool, learned: bool) -> None:
    made = tile(
        config(T, 4, 4, symmetric=symmetric, learn_quant_params=learned, out_symmetric=symmetric)
    )
    holder = made.parameters if learned else made.buffers
    for name in ("scale_quantizer", "bias_quantizer"):
        assert (f"{name}.zero_float" in holder) is not symmetric
        for part in ("delta", "zero_float")[: 1 if symmetric else 2]:
            array = holder[f"{name}.{part}"]
            assert (array.shape, array.dtype) == ((), F32)
            assert np.isnan(array)
    assert (made.buffers["out_quantizer.delta"].shape, made.bias_quantizer.initialised) == (
        (),
        False,
    )
    counters = [key for key in made.buffers if key.endswith("quant_update_idx")]
    assert len(counters) == (2 if learned else 0)
    assert tile(config(T, 4), bias=False).bias_quantizer is None


def test_gradients_of_quantisers_exist_only_while_they_learn(T: Type) -> None:
    made = tile(config(T, 4, learn_quant_params=True, init_learning_after=2, mapping=SCALED))
    learned = []
    for k in range(4):
        step(made, k)
        learned.append("scale_quantizer.delta" in made.gradients)
    assert learned == [False, False, True, True]
    assert made.gradients["scale_quantizer.delta"].dtype == F32
    made.eval()
    step(made, 5)
    assert "bias_quantizer.delta" in made.gradients


def test_gradients_of_quantisers_accumulate(T: Type) -> None:
    made = tile(config(T, 4, learn_quant_params=True, init_learning_after=1, mapping=SCALED))
    step(made, 0)
    step(made, 1)
    once = made.gradients["scale_quantizer.delta"].copy()
    made.forward(data(T, 1, 5, 4))
    made.backward(data(T, 2, 5, 3))
    same(made.gradients["scale_quantizer.delta"], once + once)
    assert isinstance(made.gradients["scale_quantizer.delta"], np.ndarray)


@pytest.mark.parametrize("symmetric", [True, False])
def test_gradient_descent_trains_learned_steps(T: Type, symmetric: bool) -> None:
    made = tile(
        config(
            T,
            3,
            symmetric=symmetric,
            learn_quant_params=True,
            init_learning_after=1,
            mapping=SCALED,
        )
    )
    optimizer = rs.SGD([made], lr=0.01, momentum=0.5, weight_decay=0.01)
    step(made, 0, optimizer)
    for k in range(1, 4):
        before = made.parameters["scale_quantizer.delta"].copy()
        step(made, k, optimizer)
        assert made.parameters["scale_quantizer.delta"] != before
        assert made.parameters["scale_quantizer.delta"].dtype == F32
    velocities = [key for key in optimizer.state_dict() if "quantizer" in key]
    assert len(velocities) == (2 if symmetric else 4)


def test_evaluation_first_fixes_the_periphery_and_training_takes_over(T: Type) -> None:
    made = tile(config(T, 4, mapping=SCALED)).eval()
    step(made, 0)
    first = made.buffers["bias_quantizer.delta"].copy()
    assert made.bias_quantizer.state is RangeState.FIX
    made.parameters["bias"][...] *= T(2)
    step(made, 0)
    assert made.buffers["bias_quantizer.delta"] == first
    step(made.train(), 0)
    assert made.bias_quantizer.state is RangeState.ESTIMATE_TRAIN
    assert made.buffers["bias_quantizer.delta"] == 2 * first


def test_learned_ranges_do_not_follow_the_bias(T: Type) -> None:
    made = tile(config(T, 4, learn_quant_params=True, init_learning_after=1))
    step(made, 0)
    before = made.parameters["bias_quantizer.delta"].copy()
    made.parameters["bias"][...] *= T(2)
    step(made, 0)
    assert made.parameters["bias_quantizer.delta"] == before


def test_evaluation_with_an_output_quantiser_without_a_range_says_what_to_do(T: Type) -> None:
    made = tile(config(T, 0, 4)).eval()
    state = made.state_dict()
    with pytest.raises(
        rs.StateError, match=r"out_quantizer .* training pass or .* set_quant_range"
    ):
        made.forward(data(T, 0, 5, 4))
    unchanged(made, state)
    made.out_quantizer.set_quant_range(-3.0, 3.0)
    made.forward(data(T, 0, 5, 4))


def test_the_output_quantiser_can_be_estimated_in_evaluation_and_fixed(T: Type) -> None:
    made = tile(config(T, 0, 4, estimator=rs.RangeEstimators.allminmax)).eval()
    made.out_quantizer.estimate_ranges()
    for k in range(3):
        made.forward(data(T, k, 5, 4))
    made.out_quantizer.fix_ranges()
    before = made.buffers["out_quantizer.delta"].copy()
    made.train().forward(data(T, 9, 5, 4))
    assert made.buffers["out_quantizer.delta"] == before


def test_a_learned_output_quantiser_has_gradients_and_returns_to_estimating(T: Type) -> None:
    made = tile(config(T, 0, 3))
    step(made, 0)
    made.out_quantizer.learn_ranges()
    step(made, 1)
    once = made.gradients["out_quantizer.delta"].copy()
    made.forward(data(T, 1, 5, 4))
    made.backward(data(T, 2, 5, 3))
    same(made.gradients["out_quantizer.delta"], once + once)
    before = made.parameters["out_quantizer.delta"].copy()
    rs.SGD([made], lr=0.125).step()
    same(made.parameters["out_quantizer.delta"], np.array(before - F32(0.125) * (once + once)))
    other = tile(made.config)
    other.load_state_dict(made.state_dict())
    assert "out_quantizer.delta" in other.parameters
    made.out_quantizer.estimate_ranges_train()
    step(made, 2)
    assert "out_quantizer.delta" in made.buffers
    assert "out_quantizer.delta" not in made.gradients


def unchanged(made: Any, state: dict[str, Any]) -> None:
    after = made.state_dict()
    assert after.keys() == state.keys()
    for key, value in state.items():
        assert after[key].tobytes() == value.tobytes(), key


@pytest.mark.parametrize("learned", [True, False])
def test_a_pass_that_raises_changes_nothing(T: Type, learned: bool) -> None:
    settings = {"learn_quant_params": learned, "init_learning_after": 1}
    made = tile(
        config(T, 4, 4, mapping=SCALED, estimator=rs.RangeEstimators.running_minmax, **settings)
    )
    for k in range(3):
        state = made.state_dict()
        made.parameters["bias"][0] = np.finfo(T).max
        made.parameters["weight"][0] = np.finfo(T).max
        state["bias"][0] = state["weight"][0] = np.finfo(T).max
        with pytest.raises(rs.StateError):
            made.forward(np.full((2, 4), np.finfo(T).max))
        unchanged(made, state)
        fresh = tile(made.config)
        made.parameters["bias"][...] = fresh.parameters["bias"]
        made.parameters["weight"][...] = fresh.parameters["weight"]
        step(made, k)


def test_a_backward_pass_that_raises_changes_no_gradient(T: Type) -> None:
    made = tile(config(T, 4, 4, mapping=SCALED, learn_quant_params=True, init_learning_after=1))
    step(made, 0)
    step(made, 1)
    before = {key: value.copy() for key, value in made.gradients.items()}
    made.forward(data(T, 1, 5, 4))
    with pytest.raises(rs.StateError, match="overflow"):
        made.backward(np.full((5, 3), np.finfo(T).max))
    assert {key: value.tobytes() for key, value in made.gradients.items()} == {
        key: value.tobytes() for key, value in before.items()
    }


def test_an_empty_batch_is_valid_and_changes_nothing(T: Type) -> None:
    made = tile(config(T, 4, 4, mapping=SCALED, learn_quant_params=True, init_learning_after=1))
    for mode in (made.train, made.eval):
        mode()
        state = made.state_dict()
        assert made.forward(np.zeros((0, 4), T)).shape == (0, 3)
        assert made.backward(np.zeros((0, 3), T)).shape == (0, 4)
        unchanged(made, state)
        step(made.train(), 0)


def test_inputs_of_any_number_of_axes(T: Type) -> None:
    flat, deep = tile(config(T, 4, 4, mapping=SCALED)), tile(config(T, 4, 4, mapping=SCALED))
    x = data(T, 0, 6, 4)
    same(deep.forward(x.reshape(2, 3, 4)), flat.forward(x).reshape(2, 3, 3))
    one = tile(config(T, 4, 4, mapping=SCALED))
    assert one.forward(x[0]).shape == (3,)


def test_both_backends_make_the_same_bits(T: Type) -> None:
    settings = {"symmetric": False, "learn_quant_params": True, "init_learning_after": 1}
    io = {"inp_res": 254, "out_res": 126, "out_bound": 6.0, "out_noise": 0.05}
    tiles = [
        tile(config(T, 5, 3, r={}, io=io, mapping=SCALED, **settings), backend=backend)
        for backend in ("spec", "cpu")
    ]
    optimizers = [rs.SGD([each], lr=0.01) for each in tiles]
    for k in range(4):
        one, other = (
            step(each, k, optimizer) for each, optimizer in zip(tiles, optimizers, strict=True)
        )
        same(other, one)
    unchanged(tiles[1], tiles[0].state_dict())


@pytest.mark.parametrize("backend", ["spec", "cpu"])
def test_fast_products_leave_quantisers_exact(T: Type, backend: str) -> None:
    settings = config(T, 4, 4, mapping=SCALED, estimator=rs.RangeEstimators.MSE)
    settings.runtime.matmul = "fast"
    made = tile(settings, backend=backend)
    y, trace = made.forward(data(T, 1, 5, 4), trace=True)
    made.backward(data(T, 2, 5, 3))
    assert not trace.golden
    same(made.out_quantizer.quantiser.quantised(trace["shifted_output"]), y)


def test_the_trace_shows_every_quantiser(T: Type) -> None:
    made = tile(config(T, 4, 4, mapping=SCALED, learn_quant_params=True, init_learning_after=1))
    step(made, 0)
    y, forward = made.forward(data(T, 1, 5, 4), trace=True)
    _, backward = made.backward(data(T, 2, 5, 3), trace=True)
    stages = [(stage.clause, stage.name) for stage in forward]
    for name in ("scale_quantizer", "bias_quantizer", "out_quantizer"):
        for clause, part in (
            ("QU-6", "step"),
            ("QU-7", "zero_point"),
            ("QU-8", "codes"),
            ("QU-9", "quantised"),
        ):
            assert (clause, f"{name}_{part}") in stages
    assert ("QU-1", "out_quantizer_lo") in stages
    assert ("QU-1", "scale_quantizer_lo") not in stages  # it is learned
    same(forward["out_quantizer_quantised"], y)
    same(forward["output"], y)
    names = [stage.name for stage in backward]
    assert names.index("out_quantizer_gradient") < names.index("bias_quantizer_gradient")
    same(backward["scale_quantizer_delta_gradient"], made.gradients["scale_quantizer.delta"])
    plain = tile(config(T, 0))
    _, trace = plain.forward(data(T, 1, 5, 4), trace=True)
    assert not [stage for stage in trace if stage.clause.startswith("QU")]


def test_arrays_put_in_place_of_live_ones_are_taken_over(T: Type) -> None:
    made = tile(config(T, 4, 4)).eval()
    made.buffers["out_quantizer.delta"] = np.array(F32(0.5))
    made.buffers["bias_quantizer.delta"] = np.array(F32(0.25))
    y = made.forward(data(T, 0, 5, 4))
    same(y / T(0.5), np.rint(y / T(0.5)))
    assert float(made.buffers["bias_quantizer.delta"]) == 0.25
    made.buffers["out_quantizer.delta"] = np.zeros(2, F32)
    with pytest.raises(rs.StateError, match=r"out_quantizer\.delta"):
        made.forward(data(T, 0, 5, 4))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda c: setattr(c.pre_post.periph_quant, "n_bits", 5), "n_bits"),
        (lambda c: setattr(c.pre_post.periph_quant, "symmetric", False), "symmetric"),
        (
            lambda c: setattr(c.pre_post.periph_quant, "learn_quant_params", True),
            "learn_quant_params",
        ),
        (lambda c: setattr(c.act_quant_config, "n_bits", 5), "act_quant_config"),
        (lambda c: setattr(c, "act_quant_config", None), "act_quant_config"),
    ],
)
def test_what_shapes_the_state_cannot_be_changed(change: Any, name: str) -> None:
    made = tile(config(bits=4, out_bits=4))
    change(made.config)
    with pytest.raises(rs.ConfigError, match=name):
        made.forward(data(F32, 0, 5, 4))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"bits": 25}, "periph_quant.n_bits is 25"),
        ({"out_bits": 32}, "act_quant_config.n_bits is 32"),
        (
            {"bits": 4, "learn_quant_params": True, "init_learning_after": 0},
            "init_learning_after is 0",
        ),
        ({"io": {"ir_drop": 1.0}}, "QuantizedTorchInferenceTile supports only 0"),
    ],
)
def test_impossible_configurations_are_refused(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(rs.ConfigError, match=name):
        config(**settings).create_tile(3, 4, backend="spec")


def test_a_plain_configuration_is_refused() -> None:
    with pytest.raises(rs.ConfigError, match="QuantizedTorchInferenceRPUConfig"):
        rs.QuantizedTorchInferenceTile(3, 4, rs.TorchInferenceRPUConfig(), backend="spec")


@pytest.mark.parametrize("name", ["bias", "out_scaling_alpha"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_named(name: str, value: float) -> None:
    made = tile(config(bits=4, mapping=SCALED))
    made.parameters[name][1] = value
    what = {"bias": "bias", "out_scaling_alpha": "scale"}[name]
    with pytest.raises(rs.StateError, match=f"the {what} of QuantizedTorchInferenceTile"):
        made.forward(data(F32, 0, 5, 4))


def test_data_below_zero_need_two_bits() -> None:
    made = tile(config(bits=0, out_bits=1, estimator=MINMAX))
    with pytest.raises(rs.StateError, match="1 bit"):
        made.forward(data(F32, 1, 5, 4))


def test_the_plain_tile_refuses_quantisers() -> None:
    with pytest.raises(rs.ConfigError, match="only QuantizedTorchInferenceTile quantises"):
        rs.TorchInferenceTile(3, 4, config(bits=4), backend="spec")
