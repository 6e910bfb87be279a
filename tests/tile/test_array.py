"""Arrays of tiles: laws, names, errors that change nothing, files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from refsim.random import derived_seed
from refsim.tile import layer
from tests.exact import Type, same
from tests.strategies import arrays, dtypes, moderate, seeds
from tests.tile.cases import QUIET, config, configs, ranged
from tests.tile.test_oracle import unchanged
from tests.tile.test_sequences import traced

pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")


def mapped(inputs: int, outputs: int, **settings: Any) -> rs.MappingParameter:
    return rs.MappingParameter(max_input_size=inputs, max_output_size=outputs, **settings)


def made(backend: str = "spec", T: Type = np.float32, seed: int = 7, **parts: Any) -> Any:
    """An array of 2 x 3 tiles for 5 outputs and 4 inputs, with weights."""
    parts.setdefault("mapping", mapped(2, 2))
    array = rs.TileModuleArray(5, 4, config(T, **parts), bias=True, seed=seed, backend=backend)
    rng = np.random.default_rng(1)
    array.set_weights(rng.normal(size=(5, 4)).astype(T), rng.normal(size=5).astype(T))
    return array


def data(T: Type = np.float32, rows: int = 6) -> Any:
    rng = np.random.default_rng(2)
    return rng.normal(size=(rows, 4)).astype(T), rng.normal(size=(rows, 5)).astype(T)


# --- laws ---------------------------------------------------------------------------------------


@given(drawn=dtypes.flatmap(lambda T: st.tuples(st.just(T), configs(T))), seed=seeds)
def test_an_array_of_one_tile_is_the_tile(drawn: Any, seed: int) -> None:
    T, settings = drawn
    array = rs.TileModuleArray(3, 4, settings, bias=True, seed=seed, backend="spec")
    tile = settings.create_tile(3, 4, bias=True, seed=derived_seed(seed, 0), backend="spec")
    rng = np.random.default_rng(seed % 1000)
    W, b, x, dy = (rng.normal(size=shape).astype(T) for shape in ((3, 4), 3, (5, 4), (5, 3)))
    for either in (array, tile):
        either.set_weights(W, b)
    for training in (True, False):
        same(array.train(training).forward(x), tile.train(training).forward(x))
        same(array.backward(dy), tile.backward(dy))
        unchanged(
            {"t0_0_" * (n != "bias") + n: g for n, g in tile.gradients.items()}, array.gradients
        )


@given(dtypes.flatmap(lambda T: st.tuples(arrays(T, (6, 4), moderate(T)), st.integers(0, 6))))
def test_a_batch_in_two_parts_in_evaluation(drawn: Any) -> None:
    x, cut = drawn
    io = {"inp_res": 14, "out_res": 30, "inp_bound": 1.0, "out_bound": 2.0}
    array = made(T=x.dtype.type, io=io, r={"init_value": 1.5}).eval()
    whole = array.forward(x)
    same(np.concatenate([array.forward(x[:cut]), array.forward(x[cut:])]), whole)


def test_the_tiles_on_their_own_give_the_array(backend: str) -> None:
    """Partial sums are those of tiles with the published seeds, added left to right."""
    array = made(backend, io={"out_noise": 0.1}, r={})
    x, _ = data()
    y = array.forward(x)
    for o, rows in enumerate((slice(0, 2), slice(2, 4), slice(4, 5))):
        total = None
        for i, columns in enumerate((slice(0, 2), slice(2, 4))):
            width = rows.stop - rows.start
            tile = config(io={"out_noise": 0.1}, r={}).create_tile(
                width, 2, seed=derived_seed(7, 3 * i + o), backend=backend
            )
            tile.set_weights(array.get_weights()[0][rows, columns].copy())
            part = tile.forward(x[:, columns].copy())
            total = part if total is None else total + part
        same(y[:, rows], total + array.parameters["bias"][rows])


def test_each_tile_has_numbers_and_ranges_of_its_own() -> None:
    array = made(io={"out_noise": 0.5}, r={"init_from_data": 1}, mapping=mapped(2, 5))
    x, _ = data()
    x[:, 2:] *= 3
    _, trace = array.forward(x, trace=True)
    assert not np.array_equal(trace.noise["t0_0_out_noise"], trace.noise["t1_0_out_noise"])
    ranges = array.input_range()
    assert ranges.shape == (2, 1)
    assert ranges[0, 0] != ranges[1, 0]
    assert [tile.seed for tile in array.named_tiles().values()] == [
        derived_seed(7, 0),
        derived_seed(7, 1),
    ]


# --- names --------------------------------------------------------------------------------------


def test_names_reach_the_live_arrays() -> None:
    array = made(r={})
    names = set(array.parameters)
    assert {"t0_0_weight", "t1_2_weight", "t1_2_input_range", "bias"} <= names
    assert len(array.parameters) == len(names) == 13
    array.parameters["t1_2_weight"][...] = 2
    assert (array.tiles[1][2].parameters["weight"] == 2).all()
    replaced = np.full((2, 2), 3, np.float32)
    array.parameters["t0_0_weight"] = replaced
    assert array.tiles[0][0].parameters["weight"] is replaced
    assert (
        array.value("t0_1_input_range_update_idx") is array.buffers["t0_1_input_range_update_idx"]
    )
    for missing in ("t9_9_weight", "weight", "t0_0_", "nothing"):
        assert missing not in array.parameters
        assert array.value(missing) is None
    x, dy = data()
    array.forward(x)
    array.backward(dy)
    assert set(array.gradients) == names
    array.zero_grad()
    assert not array.gradients
    assert not any(tile.gradients for tile in array.named_tiles().values())


def test_noise_of_a_trace_gives_the_same_output(backend: str) -> None:
    io = {"out_noise": 0.2, "inp_noise": 0.1}
    x, _ = data()
    _, trace = made(backend, io=io).forward(x, trace=True)
    noisy = made(backend, io=io, seed=8)
    assert not np.array_equal(noisy.forward(x), made(backend, io=io).forward(x))
    same(made(backend, io=io, seed=8).forward(x, noise=trace.noise), trace["output"])
    names = [stage.name for stage in trace]
    assert names[0] == "t0_0_input"
    assert names[-3:] == ["partial_sum", "bias", "output"]


# --- weights, scales, ranges --------------------------------------------------------------------


def test_each_tile_scales_its_own_weights() -> None:
    array = made(mapping=mapped(2, 2, weight_scaling_omega=0.5, weight_scaling_columnwise=True))
    W = np.arange(20, dtype=np.float32).reshape(5, 4) - 7
    array.set_weights(W)
    scales = array.get_scales()
    same(scales[0], np.maximum(np.abs(W[:, :2]).max(axis=1), 0) / np.float32(0.5))
    same(scales[1], np.abs(W[:, 2:]).max(axis=1) / np.float32(0.5))
    for tile in array.named_tiles().values():
        assert np.abs(tile.parameters["weight"]).max() == 0.5
    np.testing.assert_array_max_ulp(array.get_weights()[0], W, 1)
    same(array.get_weights(apply_weight_scaling=False)[0][0, :2], W[0, :2] / scales[0, 0])


def test_scales_for_all_for_each_output_and_for_each_split() -> None:
    array = made()
    for given_, expected in (
        (2.0, np.full((2, 5), 2)),
        (np.arange(1, 6, dtype=np.float32), np.stack([np.arange(1, 6)] * 2)),
        (np.arange(1, 11, dtype=np.float32).reshape(2, 5), np.arange(1, 11).reshape(2, 5)),
    ):
        array.set_scales(given_)
        same(array.get_scales(), expected.astype(np.float32))
    array.set_scales(None)
    assert array.get_scales() is None
    for wrong in (np.ones(4), np.ones((5, 2)), np.ones((2, 5, 1))):
        with pytest.raises(rs.ShapeError, match="scales has shape"):
            array.set_scales(wrong)


def test_ranges_of_all_tiles() -> None:
    array = made(r={})
    array.set_input_range(-0.5)
    same(array.input_range(), np.full((2, 3), 0.5, np.float32))
    assert made().input_range() is None
    with pytest.raises(rs.RangeError, match=r"tiles\[0\]\[0\]"):
        array.set_input_range(0)
    same(array.input_range(), np.full((2, 3), 0.5, np.float32))


# --- errors change nothing ----------------------------------------------------------------------


def spoilt(array: Any) -> None:
    """The last tile refuses: its sums overflow."""
    array.tiles[-1][-1].parameters["weight"][...] = np.finfo(np.float32).max


def test_a_forward_pass_that_fails_in_the_last_tile_changes_no_tile(backend: str) -> None:
    array = made(backend, r={"init_from_data": 5})
    x, dy = data()
    before = array.forward(x)
    dx = array.backward(dy)
    array.forward(x)
    spoilt(array)
    state, gradients = array.state_dict(), dict(array.gradients)
    with pytest.raises(rs.StateError, match=re.escape("TileModuleArray(5, 4).tiles[1][2]")):
        array.forward(x * 8)
    unchanged(array.state_dict(), state)
    unchanged(dict(array.gradients), gradients)
    array.tiles[-1][-1].parameters["weight"][...] = 0
    assert array.backward(dy).shape == dx.shape  # the pass before is still the last
    assert before.shape == (6, 5)


def test_a_backward_pass_that_fails_in_the_last_tile_changes_no_gradient(backend: str) -> None:
    array = made(backend, r={})
    x, dy = data()
    array.forward(x)
    array.backward(dy)
    array.forward(x)
    array.gradients["t1_2_weight"] = np.full((1, 2), np.finfo(np.float32).max, np.float32)
    array.tiles[1][2].gradients["weight"][...] *= np.sign(array.tiles[1][2].gradients["weight"])
    gradients = {name: value.copy() for name, value in array.gradients.items()}
    huge = np.full_like(dy, 1e37)
    with pytest.raises(rs.StateError):
        array.backward(huge)
    unchanged(dict(array.gradients), gradients)
    del array.gradients["t1_2_weight"]
    array.backward(dy)


def test_weights_that_a_tile_refuses_leave_all_as_they_were() -> None:
    array = made(mapping=mapped(2, 2, weight_scaling_omega=1e-30))
    state, W = array.state_dict(), np.ones((5, 4), np.float32)
    W[4, 3] = 1e38
    with pytest.raises(rs.InputError):
        array.set_weights(W, np.zeros(5))
    unchanged(array.state_dict(), state)


def test_a_state_that_a_tile_refuses_leaves_all_as_they_were() -> None:
    array, other = made(r={}), made(r={}, seed=9)
    other.set_weights(np.ones((5, 4)))
    state = array.state_dict()
    for change, error in (
        ({"t1_2_input_range": np.zeros(1, np.float32)}, rs.RangeError),
        ({"bias": np.zeros(4, np.float32)}, rs.ShapeError),
        ({"t9_0_weight": np.zeros((1, 1))}, rs.StateError),
        ({"surprise": np.zeros(1)}, rs.StateError),
    ):
        with pytest.raises(error):
            array.load_state_dict(other.state_dict() | change)
        unchanged(array.state_dict(), state)
    partial = other.state_dict()
    del partial["t0_1_weight"]
    with pytest.raises(rs.StateError, match=r"missing \['weight'\]"):
        array.load_state_dict(partial)
    unchanged(array.state_dict(), state)
    array.load_state_dict(partial | {"surprise": np.zeros(1)}, strict=False)
    same(array.parameters["t0_0_weight"], other.parameters["t0_0_weight"])
    same(array.parameters["t0_1_weight"], state["t0_1_weight"])
    array.load_state_dict(other.state_dict())
    unchanged(array.state_dict(), other.state_dict())
    with pytest.raises(rs.StateError, match="needs a forward pass"):
        array.backward(data()[1])


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        ({"out_noise": np.zeros((6, 5))}, "'out_noise'"),
        ({"t5_0_out_noise": np.zeros((6, 2))}, "'t5_0_out_noise'"),
        ({"t0_0_out_nois": np.zeros((6, 2))}, "'out_nois'"),
        ({"t0_0_out_noise": np.zeros((6, 5))}, "shape"),
        ([1.0], "list"),
        ({3: 1.0}, "'3'"),
    ],
)
def test_noise_that_does_not_fit(noise: Any, message: str) -> None:
    array = made(io={"out_noise": 0.1})
    state = array.state_dict()
    with pytest.raises((rs.InputError, rs.ShapeError), match=message):
        array.forward(data()[0], noise=noise)
    unchanged(array.state_dict(), state)


def test_nonsense() -> None:
    array = made()
    x, dy = data()
    for wrong in (x[:, :3], np.full((2, 4), np.nan), "text", x.astype(np.float64) + 1e-12):
        with pytest.raises((rs.InputError, rs.ShapeError)):
            array.forward(wrong)
    with pytest.raises(rs.StateError, match="each is used once"):
        array.backward(dy)
    array.forward(x)
    for wrong in (dy[:3], dy[:, :2], np.full_like(dy, np.inf)):
        with pytest.raises((rs.InputError, rs.ShapeError)):
            array.backward(wrong)
    array.backward(dy)
    with pytest.raises(rs.StateError):
        array.backward(dy)
    with pytest.raises(rs.InputError, match="bias=False"):
        rs.TileModuleArray(1, 1, config(), backend="spec").set_weights([[1.0]], [1.0])
    for arguments, error in (
        ({"out_size": 0}, rs.ShapeError),
        ({"in_size": "4"}, rs.ShapeError),
        ({"bias": 1}, rs.InputError),
        ({"seed": -1}, rs.InputError),
        ({"backend": "gpu"}, rs.BackendError),
        ({"name": 3}, rs.InputError),
        ({"config": None}, rs.ConfigError),
        ({"config": rs.QuantizedTorchInferenceRPUConfig()}, rs.ConfigError),
        ({"config": config(io={"ir_drop": 1.0})}, rs.ConfigError),
    ):
        given_ = {"out_size": 2, "in_size": 2, "config": config(), "backend": "spec", **arguments}
        with pytest.raises(error):
            rs.TileModuleArray(**given_)
    array.parameters["bias"] = np.zeros(5)
    with pytest.raises(rs.StateError, match="bias of"):
        array.forward(x)


def test_an_empty_batch_changes_nothing(backend: str) -> None:
    array = made(backend, r={"init_from_data": 3})
    state = array.state_dict()
    y = array.forward(np.zeros((0, 4), np.float32))
    assert y.shape == (0, 5)
    assert array.backward(np.zeros((0, 5), np.float32)).shape == (0, 4)
    unchanged(array.state_dict(), state)


def test_batches_with_more_axes(backend: str) -> None:
    x, dy = data()
    flat, deep = made(backend, r={}), made(backend, r={})
    same(deep.forward(x.reshape(2, 3, 4)), flat.forward(x).reshape(2, 3, 5))
    same(deep.backward(dy.reshape(2, 3, 5)), flat.backward(dy).reshape(2, 3, 4))
    unchanged(dict(deep.gradients), dict(flat.gradients))
    assert deep.forward(x[0]).shape == (5,)


# --- bias ---------------------------------------------------------------------------------------


def test_the_bias_is_digital_and_of_the_type_of_the_array(backend: str) -> None:
    array = made(backend, np.float64, mapping=mapped(2, 2, digital_bias=False))
    assert array.parameters["bias"].dtype == np.float64
    x, dy = data(np.float64)
    without = made(backend, np.float64)
    without.parameters["bias"][...] = 0
    same(array.forward(x), without.forward(x) + array.parameters["bias"])
    array.backward(dy)
    assert array.gradients["bias"].dtype == np.float64
    assert not any("bias" in tile.parameters for tile in array.named_tiles().values())


# --- files and training -------------------------------------------------------------------------


def test_a_file_goes_on_to_the_same_bits(tmp_path: Path, backend: str) -> None:
    array = made(backend, io={"out_noise": 0.1}, r={"init_from_data": 2})
    array.tiles[1][0].config.forward.out_noise = 0.5
    x, dy = data()
    array.forward(x)
    rs.save(tmp_path / "a", array.eval())
    again = rs.load(tmp_path / "a")
    assert type(again) is rs.TileModuleArray
    assert repr(again) == repr(array)
    assert not again.training
    assert again.tiles[1][0].config.forward.out_noise == 0.5
    for either in (array, again):
        either.train()
    unchanged(again.state_dict(), array.state_dict())
    unchanged(traced(again.forward(x, trace=True)), traced(array.forward(x, trace=True)))
    unchanged(traced(again.backward(dy, trace=True)), traced(array.backward(dy, trace=True)))
    assert rs.load(tmp_path / "a", backend="spec").backend == "spec"


def test_a_file_holds_each_configuration_once(tmp_path: Path) -> None:
    many = rs.TileModuleArray(20, 20, config(mapping=mapped(1, 1)), backend="spec")
    rs.save(tmp_path / "many", many)
    one = rs.TileModuleArray(20, 20, config(), backend="spec")
    rs.save(tmp_path / "one", one)
    assert (tmp_path / "many").stat().st_size < (tmp_path / "one").stat().st_size + 300 * 400


def test_damaged_files(tmp_path: Path) -> None:
    import json

    from safetensors.numpy import load as from_bytes
    from safetensors.numpy import save as to_bytes

    array, path = made(r={}), tmp_path / "a"
    rs.save(path, array)
    state, header = from_bytes(path.read_bytes()), None
    length = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(json.loads(path.read_bytes()[8 : 8 + length])["__metadata__"]["refsim"])
    for change in (
        {"class": "Tile"},
        {"config_of_tile": [0] * 5},
        {"config_of_tile": [1] * 6},
        {"configs": []},
        {"in_size": 5},
        {"seed": True},
        {"format": "refsim-array-2"},
    ):
        path.write_bytes(to_bytes(state, {"refsim": json.dumps(header | change)}))
        with pytest.raises(rs.InputError):
            rs.load(path)
    lacking = {name: value for name, value in state.items() if name != "t1_2_weight"}
    path.write_bytes(to_bytes(lacking, {"refsim": json.dumps(header)}))
    with pytest.raises(rs.InputError, match="not a whole"):
        rs.load(path)
    array.parameters["bias"][0] = np.nan
    with pytest.raises(rs.InputError):
        rs.save(path, array)


def test_an_optimiser_trains_tiles_and_bias_alike(backend: str) -> None:
    settings = {"r": {"init_value": 1.0}, "mapping": mapped(2, 2, weight_scaling_omega=1.0)}
    array = made(
        backend,
        clip=rs.WeightClipParameter(type=rs.WeightClipType.FIXED_VALUE, fixed_value=0.9),
        **settings,
    )
    x, dy = data()
    optimizer = rs.SGD([array], lr=0.25, momentum=0.5)
    for _ in range(2):
        array.zero_grad()
        array.forward(x)
        array.backward(dy)
        before = {name: value.copy() for name, value in array.parameters.items()}
        gradient = {name: value.copy() for name, value in array.gradients.items()}
        velocity = optimizer.state_dict()
        optimizer.step()
    rate, momentum = np.float32(0.25), np.float32(0.5)
    moved = before["bias"] - rate * (momentum * velocity["0.6.bias"] + gradient["bias"])
    same(array.parameters["bias"], moved)
    for name, value in array.parameters.items():
        assert name in gradient
        assert not np.array_equal(value, before[name])
    assert max(
        np.abs(value).max() for n, value in array.parameters.items() if "weight" in n
    ) <= np.float32(0.9)
    ranges = rs.SGD([{"tiles": [array], "parameters": ["input_range"], "lr": 0.5}], lr=0.0)
    state = array.state_dict()
    ranges.step()
    changed = [n for n, v in array.state_dict().items() if not np.array_equal(v, state[n])]
    assert changed
    assert all(name.endswith("input_range") for name in changed)


def test_a_step_that_one_tile_refuses_changes_no_tile() -> None:
    array = made(r={"init_value": 1.0})
    x, dy = data()
    array.forward(x)
    array.backward(dy)
    array.gradients["t1_2_input_range"][...] = 1
    state, optimizer = array.state_dict(), rs.SGD([array], lr=1.0)
    with pytest.raises(rs.RangeError):
        optimizer.step()
    unchanged(array.state_dict(), state)


def test_the_step_after_the_update_is_that_of_each_tile() -> None:
    remap = rs.WeightRemapParameter(type=rs.WeightRemapType.LAYERWISE_SYMMETRIC)
    array = made(remap=remap)
    array.post_update()
    for tile in array.named_tiles().values():
        assert np.abs(tile.parameters["weight"]).max() == 1


# --- layers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((512, 512), False),
        ((4, 5), False),
        ((3, 5), True),
        ((4, 4), True),
        ((0, 0), False),
        ((0, 512), True),
        ((512, 0), True),
        ((-1, 512), True),
        ((-1, -1), True),
        ((-1, 0), True),
    ],
)
def test_when_a_layer_is_an_array(limits: tuple[int, int], expected: bool) -> None:
    settings = config(mapping=mapped(*limits))
    assert layer.needs_array(5, 4, settings.mapping) is expected
    linear = rs.nn.Linear(4, 5, settings, backend="spec")
    assert isinstance(linear.tile, rs.TileModuleArray) is expected


def test_a_layer_starts_with_the_same_weights_on_tiles_of_any_size() -> None:
    whole = rs.nn.Linear(4, 5, config(), seed=3, backend="spec")
    split = rs.nn.Linear(4, 5, config(mapping=mapped(2, 2)), seed=3, backend="spec")
    same(split.tile.get_weights()[0], whole.tile.get_weights()[0])


def test_a_network_with_arrays_is_trained_and_goes_on(tmp_path: Path) -> None:
    from refsim.nn.experiment import Experiment, load_network, run

    settings = rs.TorchInferenceRPUConfig(
        pre_post=ranged(init_from_data=2),
        forward=rs.IOParameters(**{**QUIET, "out_noise": 0.02}),
        mapping=mapped(40, 40),
    )
    plan = Experiment(config=settings, epochs=1, batch_size=256, backend="cpu")
    result = run(plan, tmp_path)
    assert len(result.input_ranges) == 4 + 2
    assert result.epochs[0].input_ranges == result.input_ranges
    again = load_network(tmp_path / "checkpoint.safetensors")
    for tile, other in zip(result.model.tiles(), again.tiles(), strict=True):
        assert isinstance(other, rs.TileModuleArray)
        state = tile.state_dict()
        steps = {name: state[name] for name in state if name.endswith("random_step")}
        unchanged({**other.state_dict(), **steps}, state)
