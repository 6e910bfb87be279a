"""A state or configuration that a tile cannot work with: one sentence, nothing changed."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import refsim as rs
from tests.exact import same
from tests.tile.cases import config
from tests.tile.test_bad_input import F32, X, made, refused

# --- creation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, -1, True, 1.0, None, "3", 2**70])
@pytest.mark.parametrize("place", ["out_size", "in_size"])
def test_sizes(place: str, size: Any) -> None:
    sizes = {"out_size": 2, "in_size": 2, place: size}
    with pytest.raises(rs.ShapeError, match=place):
        config().create_tile(**sizes)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, True, None, "7", [7]])
def test_seeds(seed: Any) -> None:
    with pytest.raises(rs.InputError, match="seed"):
        config().create_tile(1, 1, seed=seed)


@pytest.mark.parametrize("seed", [0, 2**64 - 1, np.int8(3), np.uint64(2**63)])
def test_good_seeds(backend: str, seed: Any) -> None:
    tile = config(io={"out_noise": 1.0}).create_tile(1, 1, seed=seed, backend=backend)
    _, trace = tile.forward([[0.0]], trace=True)
    same(trace.noise["out_noise"], rs.random.normal(int(seed), "out_noise", 0, [[0]]))


@pytest.mark.parametrize("backend", ["CPU", "gpu", "", None, 3])
def test_unknown_backends(backend: Any) -> None:
    with pytest.raises(rs.BackendError):
        config().create_tile(1, 1, backend=backend)


@pytest.mark.parametrize("value", [0.0, 1e-60, 1e60])
def test_an_impossible_initial_range(backend: str, value: float) -> None:
    with pytest.raises((rs.ConfigError, rs.RangeError)):
        config(r={"init_value": value}).create_tile(1, 1, backend=backend).forward([[1.0]])


def test_numbers_that_vanish_in_the_data_type(backend: str) -> None:
    io = {"out_noise": 1e-60}
    with pytest.raises(rs.ConfigError, match="out_noise"):
        config(np.float32, io).create_tile(1, 1, backend=backend)
    config(np.float64, io).create_tile(1, 1, backend=backend).forward([[1.0]])


@pytest.mark.parametrize("io", [{"inp_res": 1e-5, "inp_bound": 1e-320}, {"out_res": 1e308}])
def test_a_grid_step_that_vanishes(backend: str, io: dict[str, Any]) -> None:
    for T in (np.float32, np.float64):
        bounds = {"inp_bound": 1.0, "out_bound": 1e-300, **io}
        with pytest.raises(rs.ConfigError, match="res"):
            config(T, bounds).create_tile(1, 1, backend=backend)


def test_the_tile_keeps_a_copy_of_the_configuration(backend: str) -> None:
    original = config()
    tile = original.create_tile(1, 1, backend=backend)
    original.forward.inp_bound = 0.5
    assert tile.config.forward.inp_bound == -1
    tile.set_weights([[1.0]])
    tile.config.forward.inp_bound = 0.25  # acts from the next forward pass
    same(tile.forward([[1.0]]), F32([[0.25]]))


# --- configurations edited later ----------------------------------------------------------------


def edits() -> list[tuple[str, Any]]:
    return [
        ("forward.noise_management", rs.NoiseManagementType.AVERAGE_ABS_MAX),
        ("forward.bound_management", rs.BoundManagementType.SHIFT),
        ("forward.ir_drop", 1.0),
        ("forward.inp_noise", 1e-60),
        ("forward.out_noise_std", 0.5),
        ("modifier.type", rs.WeightModifierType.DOREFA),
        ("modifier.pdrop", 0.5),
        ("clip.type", rs.WeightClipType.AVERAGE_CHANNEL_MAX),
        ("clip.type", rs.WeightClipType.FIXED_VALUE),  # with the default value -1
        ("remap.remapped_wmax", 0.5),
        ("mapping.digital_bias", False),
        ("mapping.learn_out_scaling", True),
        ("runtime.data_type", rs.RPUDataType.DOUBLE),
        ("pre_post.input_range.enable", False),
        ("pre_post.input_range.learn_input_range", False),
        ("pre_post.input_range.manage_output_clipping", True),
    ]


def edit(tile: Any, path: str, value: Any) -> None:
    *parents, name = path.split(".")
    part = tile.config
    for parent in parents:
        part = getattr(part, parent)
    setattr(part, name, value)


@pytest.mark.parametrize(("path", "value"), edits())
def test_an_edit_that_the_tile_cannot_honour(backend: str, path: str, value: Any) -> None:
    tile = made(backend)
    edit(tile, path, value)
    with refused(tile, rs.ConfigError):
        tile.forward(X)


@pytest.mark.parametrize(
    ("path", "value"), [item for item in edits() if item[0].split(".")[0] in ("clip", "remap")]
)
def test_an_edit_that_the_step_cannot_honour(backend: str, path: str, value: Any) -> None:
    tile = made(backend)
    optimizer = rs.SGD([tile], lr=0.1)
    edit(tile, path, value)
    with refused(tile, rs.ConfigError):
        optimizer.step()
    assert optimizer.steps == 0


# --- live arrays --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["weight", "bias", "input_range", "input_range_update_idx"])
@pytest.mark.parametrize("how", ["wider", "list", "shape", "gone"])
def test_a_live_array_that_was_replaced(backend: str, name: str, how: str) -> None:
    tile = made(backend)
    holder = tile.parameters if name in tile.parameters else tile.buffers
    value = holder[name]
    if how == "gone":
        del holder[name]
    else:
        replaced = {"list": value.tolist(), "shape": np.stack([value, value])}
        holder[name] = replaced.get(how, value.astype(np.float64))
    with pytest.raises(rs.RefsimError) as caught:
        tile.forward(X)
    assert name in str(caught.value)
    assert tile.step == 2


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["weight", "bias", "input_range"])
def test_a_live_array_that_is_not_finite(backend: str, name: str, value: float) -> None:
    tile = made(backend)
    tile.parameters[name].flat[-1] = value
    with refused(tile, rs.StateError):
        tile.forward(X)


def test_a_live_array_of_another_order_is_the_same_array(backend: str) -> None:
    tile, other = made(backend), made(backend)
    tile.parameters["weight"] = np.asfortranarray(tile.parameters["weight"])
    same(tile.forward(X), other.forward(X))


# --- the input range ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 0.0, -0.0, np.float32(0), [0.0]])
def test_a_range_of_zero(backend: str, value: Any) -> None:
    tile = made(backend)
    with refused(tile, rs.RangeError, "input range"):
        tile.set_input_range(value)


@pytest.mark.parametrize("value", [np.nan, np.inf, 10**400, 1e39, 1j, "2", None, True, [], [[]]])
def test_a_range_that_is_no_number(backend: str, value: Any) -> None:
    tile = made(backend)
    with refused(tile, rs.InputError):
        tile.set_input_range(value)


@pytest.mark.parametrize("value", [2, -2.0, np.float64(-2), np.array(2.0), np.array([2.0]), [-2]])
def test_the_magnitude_of_a_range_is_stored(backend: str, value: Any) -> None:
    tile = made(backend)
    tile.set_input_range(value)
    same(tile.parameters["input_range"], F32([2]))


def test_a_tile_without_a_range(backend: str) -> None:
    tile = config().create_tile(1, 1, backend=backend)
    assert tile.value("input_range") is None
    assert tile.input_range() is None
    with refused(tile, rs.ConfigError, "no input range"):
        tile.set_input_range(1.0)


@pytest.mark.clause("OP-1")
def test_a_range_that_the_optimiser_drives_to_zero(backend: str) -> None:
    r = {"init_value": 2.0, "gradient_relative": False, "decay": 1.0, "input_min_percentage": 0.0}
    tile = made(backend, {"out_noise": 0.0}, {**r, "init_from_data": 0})
    tile.zero_grad()
    tile.gradients["input_range"] = F32([4.0])
    tile.gradients["weight"] = np.ones((2, 3), F32)
    optimizer = rs.SGD([tile], lr=0.5, momentum=0.5)
    with refused(tile, rs.RangeError, "input range"):
        optimizer.step()
    assert optimizer.steps == 0
    assert list(optimizer.state_dict()) == ["steps"]


@pytest.mark.clause("IR-3")
def test_a_negative_range_warns_once(backend: str) -> None:
    tile = config(r={"init_value": -2.0}).create_tile(1, 1, backend=backend)
    with pytest.warns(rs.RangeWarning, match="negative"):
        tile.forward([[1.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tile.forward([[1.0]])
        tile.eval().forward([[1.0]])


# --- weights and scales -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (([[1, 2, 3]],), rs.ShapeError),
        ((np.zeros((3, 2)),), rs.ShapeError),
        ((np.full((2, 3), np.nan),), rs.InputError),
        ((np.full((2, 3), 0.1),), rs.InputError),
        ((np.zeros((2, 3)), [1.0]), rs.ShapeError),
        ((np.zeros((2, 3)), [np.inf, 0]), rs.InputError),
        ((np.ones((2, 3)), None, np.nan), rs.InputError),
        ((np.ones((2, 3)), None, "1"), rs.InputError),
        ((np.ones((2, 3)), None, 1e-39), rs.InputError),  # the scale overflows
    ],
)
def test_wrong_weights(backend: str, arguments: Any, error: type[Exception]) -> None:
    tile = made(backend)
    with refused(tile, error):
        tile.set_weights(*arguments)


def test_a_bias_for_a_tile_without_one(backend: str) -> None:
    tile = config().create_tile(2, 3, backend=backend)
    with refused(tile, rs.InputError, "bias"):
        tile.set_weights(np.ones((2, 3), F32), [1, 2])


@pytest.mark.parametrize("value", [0, np.nan, [1, 2, 3], [1, 0], "1", 1j, [np.inf, 1], 1e39])
def test_wrong_scales(backend: str, value: Any) -> None:
    tile = made(backend)
    with refused(tile, (rs.InputError, rs.ShapeError)):
        tile.set_scales(value)


@pytest.mark.parametrize(
    "replacement", [np.zeros((3, 3), np.float32), np.zeros((2, 3)), [[0.0] * 3] * 2, None, "x"]
)
def test_a_replaced_gradient_is_refused_by_step_and_backward(
    backend: str, replacement: object
) -> None:
    tile = rs.TorchInferenceRPUConfig().create_tile(2, 3, backend=backend)
    tile.forward(np.ones((1, 3), np.float32))
    tile.gradients["weight"] = replacement
    before = tile.state_dict()
    with pytest.raises(rs.StateError, match="gradient of weight"):
        rs.SGD([tile], lr=1.0).step()
    with pytest.raises(rs.StateError, match="gradient of weight"):
        tile.backward(np.ones((1, 2), np.float32))
    assert all(np.array_equal(tile.state_dict()[name], value) for name, value in before.items())


def test_a_weight_that_is_not_finite_is_named(backend: str) -> None:
    tile = rs.TorchInferenceRPUConfig().create_tile(2, 3, backend=backend)
    tile.parameters["weight"][0, 0] = np.inf
    with pytest.raises(rs.StateError, match=r"the weight of .* contains NaN or infinity"):
        tile.forward(np.ones((1, 3), np.float32))
