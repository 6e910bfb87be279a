"""Arrays of quantised tiles: the array's own quantisers in exact arithmetic, their schedule, files, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from refsim.random import derived_seed
from refsim.tile import RangeState
from tests.clauses import quantiser_oracle as exact
from tests.clauses.oracle import column_totals
from tests.exact import Array, Type, each, same
from tests.strategies import arrays, dtypes, moderate
from tests.tile.cases import QUIET, ranged, runtime
from tests.tile.test_oracle import unchanged
from tests.tile.test_sequences import traced

RE = rs.RangeEstimators


def settings(
    T: Type = np.float32, symmetric: bool = True, estimator: Any = RE.current_minmax, **given_: Any
) -> Any:
    """Tiles of at most 2 inputs and 2 outputs, scales and bias of 4 bits, outputs of 5."""
    periphery = rs.PeripheryQuantizationParameter(
        **{"n_bits": 4, "symmetric": symmetric, **given_.pop("periphery", {})}
    )
    output = rs.ActivationQuantConfig(n_bits=5, symmetric=symmetric, range_estimator=estimator)
    p = rs.PrePostProcessingParameterQuant(input_range=ranged().input_range, periph_quant=periphery)
    return rs.QuantizedTorchInferenceRPUConfig(
        runtime=runtime(T),
        pre_post=p,
        forward=rs.IOParameters(**QUIET),
        mapping=rs.MappingParameter(
            **{
                "max_input_size": 2,
                "max_output_size": 2,
                "weight_scaling_omega": 1.0,
                "weight_scaling_columnwise": True,
                **given_.pop("mapping", {}),
            }
        ),
        act_quant_config=given_.pop("output", output),
        **given_,
    )


def made(backend: str = "spec", bias: bool = True, **given_: Any) -> Any:
    config = settings(**given_)
    array = rs.QuantizedTileModuleArray(3, 4, config, bias=bias, seed=7, backend=backend)
    rng, T = np.random.default_rng(1), array.dtype
    array.set_weights(
        rng.normal(size=(3, 4)).astype(T), rng.normal(size=3).astype(T) if bias else None
    )
    return array


def data(T: Type = np.float32, factor: float = 1.0) -> Any:
    rng = np.random.default_rng(2)
    return (rng.normal(size=(6, 4)) * factor).astype(T), rng.normal(size=(6, 3)).astype(T)


def exact_grid(lo: Any, hi: Any, n_bits: int, symmetric: bool) -> tuple[Any, ...]:
    """Scale, zero point and code range over a range, in the type of the range."""
    lo, hi = exact.quantiser_range(np.array([lo]), np.array([hi]))
    codes = exact.code_range(lo, n_bits, symmetric)
    if symmetric:
        step, zero = exact.symmetric_step(lo, hi, codes[1]), np.zeros(1, np.float32)
    else:
        step, zero_float = exact.asymmetric_step(lo, hi, codes[1])
        zero = exact.zero_point(zero_float, np.float32(codes[1]))
    scale = exact.quantiser_scale(step, False)
    return scale.astype(lo.dtype), zero.astype(lo.dtype), *codes


def over(x: Array, n_bits: int, symmetric: bool) -> tuple[Any, ...]:
    return exact_grid(x.min(), x.max(), n_bits, symmetric)


def on(grid: tuple[Any, ...], x: Array) -> Array:
    return exact.quantised(x.reshape(1, -1), *grid).reshape(x.shape)


def through(grid: tuple[Any, ...], g: Array, x: Array) -> Array:
    return exact.quantised_gradient(g.reshape(1, -1), x.reshape(1, -1), *grid).reshape(x.shape)


def added(parts: list[Array]) -> Array:
    total = parts[0]
    for part in parts[1:]:
        total = each(lambda a, b: a + b, total, part)
    return total


@pytest.mark.clause("TA-2", "QU-9", "QU-10")
@given(
    drawn=dtypes.flatmap(
        lambda T: st.tuples(arrays(T, (3, 4), moderate(T)), arrays(T, (3, 3), moderate(T)))
    ),
    symmetric=st.booleans(),
    bias=st.sampled_from([None, [0.5, -1.25, 3.0], [0.1, 0.2, 0.0]]),
)
def test_tiles_sum_bias_and_output_in_exact_arithmetic(
    backend: str, drawn: Any, symmetric: bool, bias: Any
) -> None:
    x, dy = drawn
    T = x.dtype.type
    array = made(backend, bias=bias is not None, T=T, symmetric=symmetric)
    config = settings(T, symmetric)
    if bias is not None:
        array.parameters["bias"][...] = T(bias)
    W = array.get_weights(apply_weight_scaling=False)[0]
    columns, rows = [slice(0, 2), slice(2, 4)], [slice(0, 2), slice(2, 3)]
    tiles = {}
    partial = [np.empty((3, 3), T), np.empty((3, 3), T)]
    for i in range(2):
        for o in range(2):
            tile = config.create_tile(2 - o, 2, seed=derived_seed(7, 2 * i + o), backend=backend)
            tile.load_state_dict(array.tiles[i][o].state_dict())
            same(tile.parameters["weight"], W[rows[o], columns[i]].copy())
            partial[i][:, rows[o]] = tile.forward(np.ascontiguousarray(x[:, columns[i]]))
            tiles[i, o] = tile
    y = added(partial)
    if bias is not None:
        b = T(bias)
        bias_grid = over(b, 4, symmetric)
        y = each(lambda v, c: v + c, y, on(bias_grid, b))
    output_grid = over(y, 5, symmetric)
    same(array.train().forward(x), on(output_grid, y))
    g = through(output_grid, dy, y)
    dx = np.empty_like(x)
    for i in range(2):
        parts = [tiles[i, o].backward(np.ascontiguousarray(g[:, rows[o]])) for o in range(2)]
        dx[:, columns[i]] = added(parts)
    same(array.backward(dy), dx)
    for (i, o), tile in tiles.items():
        unchanged(array.tiles[i][o].gradients, tile.gradients)
    if bias is not None:
        same(array.gradients["bias"], through(bias_grid, column_totals(g), b))


def test_one_tile_has_an_output_quantiser_of_the_array_too(backend: str) -> None:
    """aihwkit has no such array (erratum E-15)."""
    whole = {"mapping": {"max_input_size": 512, "max_output_size": 512}}
    array = made(backend, **whole)
    tile = settings(**whole).create_tile(3, 4, seed=derived_seed(7, 0), backend=backend)
    tile.load_state_dict(array.tiles[0][0].state_dict())
    x, dy = data()
    y, b = tile.forward(x), array.parameters["bias"]
    y = y + on(over(b, 4, True), b)
    same(array.forward(x), on(over(y, 5, True), y))
    assert array.backward(dy).shape == x.shape


# --- schedule -----------------------------------------------------------------------------------


def test_a_bias_that_evaluation_has_fixed_stays_fixed_in_training(backend: str) -> None:
    """Unlike the quantisers of a tile."""
    array = made(backend, output=None)
    x, _ = data()
    array.eval().forward(x)
    assert array.bias_quantizer.state is RangeState.FIX
    before = array.buffers["bias_quantizer.delta"].copy()
    array.parameters["bias"][...] *= 4
    array.train().forward(x)
    assert array.bias_quantizer.state is RangeState.FIX
    same(array.buffers["bias_quantizer.delta"], before)
    assert array.tiles[0][0].scale_quantizer.state is RangeState.ESTIMATE_TRAIN
    fresh = made(backend, output=None)
    fresh.train().forward(x)
    assert fresh.bias_quantizer.state is RangeState.ESTIMATE_TRAIN
    fresh.parameters["bias"][...] *= 4
    fresh.forward(x)
    assert fresh.buffers["bias_quantizer.delta"] != before


@pytest.mark.parametrize("evaluated_first", [False, True])
def test_a_learned_bias_quantiser(backend: str, evaluated_first: bool) -> None:
    """aihwkit cannot make such an array (erratum E-15)."""
    learned = {"learn_quant_params": True, "init_learning_after": 2}
    array = made(backend, periphery=learned, symmetric=False)
    x, dy = data()
    if evaluated_first:
        for part in array.parts().values():
            for manager in part.quantizers.values():
                manager.estimate_ranges()
        array.eval().forward(x)
    optimizer = rs.SGD([array], lr=0.01)
    states = []
    for _ in range(4):
        array.train().zero_grad()
        array.forward(x)
        array.backward(dy)
        states.append(array.bias_quantizer.state)
        steps = [float(array.parameters["bias_quantizer.delta"])]
        optimizer.step()
        steps.append(float(array.parameters["bias_quantizer.delta"]))
        learns = states[-1] is RangeState.LEARN
        assert (steps[0] != steps[1]) is learns
        assert ("bias_quantizer.zero_float" in array.gradients) is learns
    assert states[2:] == [RangeState.LEARN] * 2
    assert RangeState.LEARN not in states[:2]
    assert array.buffers["bias_quant_update_idx"] == 3


def test_an_output_quantiser_without_a_range_is_refused_in_evaluation() -> None:
    array = made()
    state = array.state_dict()
    with pytest.raises(rs.StateError, match="no range yet"):
        array.eval().forward(data()[0])
    unchanged(array.state_dict(), state)


def test_without_quantisers_the_array_is_the_plain_one() -> None:
    config = settings(output=None, periphery={"n_bits": 0})
    plain = rs.TorchInferenceRPUConfig(
        pre_post=ranged(), forward=config.forward, mapping=config.mapping
    )
    x, dy = data()
    results = []
    for cls, chosen in ((rs.QuantizedTileModuleArray, config), (rs.TileModuleArray, plain)):
        array = cls(3, 4, chosen, bias=True, seed=7, backend="spec")
        array.set_weights(np.ones((3, 4)), np.arange(3))
        results.append((array.forward(x), array.backward(dy)))
    same(results[0], results[1])


# --- state, files, errors -----------------------------------------------------------------------


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_file_goes_on_to_the_same_bits(tmp_path: Path, backend: str, symmetric: bool) -> None:
    learned = {"learn_quant_params": True, "init_learning_after": 2}
    array = made(backend, symmetric=symmetric, estimator=RE.running_minmax, periphery=learned)
    x, dy = data()
    for step in range(4):
        rs.save(tmp_path / "a", array)
        again = rs.load(tmp_path / "a")
        assert type(again) is rs.QuantizedTileModuleArray
        unchanged(again.state_dict(), array.state_dict())
        factor = np.float32(step + 1)
        for either in (array, again):
            either.zero_grad()
        unchanged(
            traced(again.forward(x * factor, trace=True)),
            traced(array.forward(x * factor, trace=True)),
        )
        unchanged(traced(again.backward(dy, trace=True)), traced(array.backward(dy, trace=True)))
        for either in (array, again):
            rs.SGD([either], lr=0.01).step()
        unchanged(again.state_dict(), array.state_dict())
    assert array.bias_quantizer.state is RangeState.LEARN


def test_a_failing_pass_leaves_all_quantisers_as_they_were(backend: str) -> None:
    array = made(backend, estimator=RE.allminmax)
    x, dy = data()
    array.forward(x)
    array.backward(dy)
    array.forward(x)
    state, gradients = array.state_dict(), {n: g.copy() for n, g in array.gradients.items()}
    array.parameters["bias"][2] = np.finfo(np.float32).max
    state["bias"] = array.parameters["bias"].copy()
    array.tiles[1][1].parameters["weight"][...] = np.finfo(np.float32).max / 4
    state["t1_1_weight"] = array.tiles[1][1].parameters["weight"].copy()
    with pytest.raises(rs.StateError):
        array.forward(x * 100)
    unchanged(array.state_dict(), state)
    with pytest.raises(rs.StateError):
        array.backward(dy * np.float32(1e38))
    unchanged(dict(array.gradients), gradients)


def test_an_empty_batch_changes_nothing(backend: str) -> None:
    array = made(backend)
    state = array.state_dict()
    assert array.forward(np.zeros((0, 4), np.float32)).shape == (0, 3)
    unchanged(array.state_dict(), state)
    assert array.backward(np.zeros((0, 3), np.float32)).shape == (0, 4)


def test_nonsense() -> None:
    plain = rs.TorchInferenceRPUConfig()
    for config in (plain, None, settings(periphery={"n_bits": 25})):
        with pytest.raises(rs.ConfigError):
            rs.QuantizedTileModuleArray(2, 2, config, backend="spec")
    array, x = made(), data()[0]
    for name, wrong, error in (
        ("bias_quantizer.delta", np.zeros(2, np.float32), rs.ShapeError),
        ("bias_quantizer.state", np.array([9]), rs.InputError),
        ("out_quantizer.signed", np.array([2]), rs.InputError),
    ):
        state = array.state_dict()
        with pytest.raises(error):
            array.load_state_dict(state | {name: wrong})
        unchanged(array.state_dict(), state)
    lacking = array.state_dict()
    del lacking["out_quantizer.state"]
    with pytest.raises(rs.StateError, match="missing"):
        array.load_state_dict(lacking)
    array.buffers["out_quantizer.delta"] = np.zeros(1, np.float32)
    with pytest.raises(rs.StateError, match=r"out_quantizer\.delta"):
        array.forward(x)


def test_a_layer_of_a_quantised_configuration() -> None:
    layer = rs.nn.Linear(4, 3, settings(), backend="spec")
    assert type(layer.tile) is rs.QuantizedTileModuleArray
    assert layer.forward(data()[0]).shape == (6, 3)
