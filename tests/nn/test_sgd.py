"""Gradient descent against exact arithmetic; groups, states and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from refsim import backends
from tests.exact import Array, same
from tests.nn import oracle
from tests.strategies import arrays, dtypes, moderate
from tests.tile.cases import config

F32 = np.float32
every_backend = pytest.mark.parametrize("backend", backends.available())
options = st.fixed_dictionaries(
    {
        "lr": st.sampled_from([0.1, 1.0, 0.0, 1e-3]),
        "momentum": st.sampled_from([0.0, 0.9, 0.5]),
        "dampening": st.sampled_from([0.0, 0.1, -0.5]),
        "weight_decay": st.sampled_from([0.0, 0.01]),
        "nesterov": st.booleans(),
    }
).filter(lambda o: not o["nesterov"] or (o["momentum"] > 0 and o["dampening"] == 0))


def tile_of(backend: str, T: Any = F32, name: str | None = None) -> Any:
    """A tile with every kind of parameter."""
    mapping = rs.MappingParameter(learn_out_scaling=True, out_scaling_columnwise=True)
    tile = config(T, None, {"init_value": 2.0}, mapping=mapping).create_tile(
        2, 3, bias=True, backend=backend, name=name
    )
    tile.set_weights([[1, 2, 3], [-1, 0.5, 2]], [1, -1])
    return tile


def filled(tile: Any, value: float = 1.0) -> Any:
    """The tile with the same gradient everywhere."""
    for name, array in tile.parameters.items():
        tile.gradients[name] = np.full_like(array, value)
    return tile


@pytest.mark.clause("OP-1")
@every_backend
@given(T=dtypes, option=options, data=st.data())
def test_steps(backend: str, T: Any, option: dict[str, Any], data: st.DataObject) -> None:
    tile = tile_of(backend, T)
    optimizer = rs.SGD([tile], **option)
    expected = {name: (value.copy(), None) for name, value in tile.parameters.items()}
    for _ in range(3):
        for name, array in tile.parameters.items():
            tile.gradients.pop(name, None)
            if data.draw(st.integers(0, 3)):
                tile.gradients[name] = data.draw(arrays(T, array.shape, moderate(T)))
        gradients = dict(tile.gradients)
        try:
            optimizer.step()
        except rs.RangeError:
            return
        for name, g in gradients.items():
            expected[name] = oracle.step(expected[name][0], g, expected[name][1], **option)
        for name, (value, velocity) in expected.items():
            same(tile.parameters[name], value)
            state = optimizer.state_dict()
            assert (f"0.0.{name}" in state) == (velocity is not None)
            if velocity is not None:
                same(state[f"0.0.{name}"], velocity)
    assert optimizer.steps == 3


@every_backend
def test_buffers_take_no_part(backend: str) -> None:
    r = {"learn_input_range": False, "init_value": 2.0}
    tile = config(r=r).create_tile(1, 1, backend=backend)
    tile.forward([[3.0]])
    tile.backward([[1.0]])
    before = {name: value.copy() for name, value in tile.buffers.items()}
    rs.SGD([tile], lr=1.0, weight_decay=1.0).step()
    for name, value in before.items():
        same(tile.buffers[name], value)


@every_backend
def test_the_live_arrays_stay(backend: str) -> None:
    tile = filled(tile_of(backend))
    live = dict(tile.parameters)
    rs.SGD([tile], lr=0.5).step()
    for name, array in tile.parameters.items():
        assert array is live[name]


def test_groups() -> None:
    one, two = filled(tile_of("spec")), filled(tile_of("spec"))
    optimizer = rs.SGD(
        [
            one,
            {"tiles": [two], "parameters": ["input_range"], "lr": 0.5, "momentum": 0.5},
            {"tiles": [two], "parameters": ["weight", "bias"], "weight_decay": 1.0},
        ],
        lr=0.25,
    )
    before = {name: value.copy() for name, value in two.parameters.items()}
    optimizer.step()
    for name, value in one.parameters.items():
        same(value, before[name] - F32(0.25))
    same(two.parameters["input_range"], before["input_range"] - F32(0.5))
    same(two.parameters["weight"], before["weight"] - F32(0.25) * (1 + before["weight"]))
    same(two.parameters["out_scaling_alpha"], before["out_scaling_alpha"])
    assert sorted(optimizer.state_dict()) == ["1.0.input_range", "steps"]
    optimizer.zero_grad()
    assert one.gradients == two.gradients == {}


def test_a_step_without_gradients_still_clips() -> None:
    clip = rs.WeightClipParameter(type=rs.WeightClipType.FIXED_VALUE, fixed_value=0.5)
    tile = config(clip=clip).create_tile(1, 2, backend="spec")
    tile.set_weights([[2.0, 0.25]])
    rs.SGD([{"tiles": [tile], "parameters": []}], lr=1.0).step()
    same(tile.parameters["weight"], F32([[0.5, 0.25]]))


@every_backend
def test_a_state_goes_on_with_the_same_bits(backend: str) -> None:
    option = {"lr": 0.1, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01}

    def run(interrupted: bool) -> Any:
        tile = tile_of(backend)
        optimizer = rs.SGD([tile], **option)
        for value in (1.0, -0.3, 0.7, 2.0):
            filled(tile, value)
            optimizer.step()
            if interrupted:
                state = optimizer.state_dict()
                optimizer = rs.SGD([tile], **option)
                optimizer.load_state_dict(state)
                for array in state.values():
                    array[...] = 0  # the optimiser holds a copy
        return tile

    one, other = run(False), run(True)
    for name, value in one.parameters.items():
        same(other.parameters[name], value)


# --- all or nothing -----------------------------------------------------------------------------


def everything(tiles: list[Any], optimizer: Any) -> list[Array]:
    arrays_ = [value for tile in tiles for value in tile.state_dict().values()]
    gradients = [value for tile in tiles for value in tile.gradients.values()]
    return [*arrays_, *(value.copy() for value in gradients), *optimizer.state_dict().values()]


def overflowing(tile: Any) -> None:
    tile.gradients["bias"][...] = 3e38


def to_zero(tile: Any) -> None:
    tile.gradients["input_range"][...] = tile.parameters["input_range"]


def spread_overflows(tile: Any) -> None:
    tile.config.clip.type = rs.WeightClipType.LAYER_GAUSSIAN
    tile.parameters["weight"][...] = [[1e30, -1e30, 0], [0, 0, 0]]


def remap_overflows(tile: Any) -> None:
    tile.config.clip = rs.WeightClipParameter(type=rs.WeightClipType.FIXED_VALUE, fixed_value=1e30)
    tile.config.remap.type = rs.WeightRemapType.LAYERWISE_SYMMETRIC
    tile.parameters["weight"][...] = 1e38
    tile.set_scales(1e20)


def cannot_clip(tile: Any) -> None:
    tile.config.clip.type = rs.WeightClipType.FIXED_VALUE


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (overflowing, rs.StateError),
        (to_zero, rs.RangeError),
        (spread_overflows, rs.StateError),
        (remap_overflows, rs.StateError),
        (cannot_clip, rs.ConfigError),
    ],
)
@every_backend
def test_a_step_that_fails_changes_nothing(
    backend: str, spoil: Any, error: type[Exception]
) -> None:
    tiles = [tile_of(backend, name="first"), tile_of(backend, name="second")]
    optimizer = rs.SGD(tiles, lr=1.0, momentum=0.5)
    for tile in tiles:
        filled(tile, 0.5)
    optimizer.step()
    spoil(tiles[1])
    lr = 1.25 if spoil is overflowing else 1.0
    optimizer.groups[0].lr = lr
    if spoil is to_zero:
        optimizer.groups[0].momentum = 0.0
    before = everything(tiles, optimizer)
    with pytest.raises(error) as caught:
        optimizer.step()
    assert str(caught.value).endswith(".")
    for actual, expected in zip(everything(tiles, optimizer), before, strict=True):
        same(actual, expected)


@pytest.mark.parametrize(
    "option",
    [
        *({"lr": lr} for lr in (-0.1, np.nan, np.inf, "0.1", True, None, 1j)),
        *({"momentum": value} for value in (-0.1, np.nan, np.inf, "0.1", True)),
        *({"weight_decay": value} for value in (-0.1, np.nan, np.inf, "0.1", True)),
        *({"dampening": value} for value in (np.nan, np.inf, "0.1", True)),
        {"nesterov": True},
        {"nesterov": True, "momentum": 0.9, "dampening": 0.1},
        {"nesterov": "no", "momentum": 0.9},
        {"nesterov": 1, "momentum": 0.9},
    ],
    ids=str,
)
def test_impossible_options(option: dict[str, Any]) -> None:
    with pytest.raises(rs.ConfigError, match=r"SGD\."):
        rs.SGD([tile_of("spec")], **{"lr": 0.1, **option})
    with pytest.raises(rs.ConfigError, match=r"SGD\."):
        rs.SGD([{"tiles": [tile_of("spec")], **option}], lr=0.1)


@pytest.mark.parametrize("lr", [1e-60, 1e60])
def test_a_learning_rate_that_the_data_type_does_not_have(lr: float) -> None:
    tile = filled(tile_of("spec"))
    optimizer = rs.SGD([tile], lr=lr)
    before = everything([tile], optimizer)
    with pytest.raises(rs.ConfigError, match=r"SGD\.lr"):
        optimizer.step()
    for actual, expected in zip(everything([tile], optimizer), before, strict=True):
        same(actual, expected)


@pytest.mark.parametrize(
    "tiles",
    [
        3,
        None,
        "tile",
        [3],
        [{"tiles": []}],
        [{}],
        [{"tiles": [3]}],
        [{"tiles": 3}],
        tile_of("spec"),
        {"tiles": [tile_of("spec")]},
    ],
    ids=lambda tiles: str(tiles)[:20],
)
def test_things_that_are_no_tiles(tiles: Any) -> None:
    with pytest.raises((rs.InputError, rs.ConfigError)):
        rs.SGD(tiles, lr=0.1)


def test_each_parameter_belongs_to_one_group() -> None:
    tile = tile_of("spec")
    for tiles in ([tile, tile], [tile, {"tiles": [tile], "parameters": ["bias"]}]):
        with pytest.raises(rs.InputError, match="twice"):
            rs.SGD(tiles, lr=0.1)


@pytest.mark.parametrize(
    "group",
    [{"learning_rate": 1.0}, {"parameters": ["wieght"]}, {"parameters": "weight"}],
    ids=str,
)
def test_groups_with_unknown_names(group: dict[str, Any]) -> None:
    with pytest.raises(rs.ConfigError):
        rs.SGD([{"tiles": [tile_of("spec")], **group}], lr=0.1)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": None},
        {"steps": 3},
        {"steps": np.array([-1])},
        {"steps": np.array([1.5])},
        {"0.0.weight": np.zeros((3, 2), F32)},
        {"0.0.weight": [1.0]},
        {"0.0.weight": np.full((2, 3), np.nan, F32)},
        {"0.0.weight": np.full((2, 3), 0.1)},
        {"0.0.other": np.zeros((2, 3), F32)},
        {"1.0.weight": np.zeros((2, 3), F32)},
    ],
    ids=str,
)
def test_states_that_do_not_fit(change: dict[str, Any]) -> None:
    tile = filled(tile_of("spec"))
    optimizer = rs.SGD([tile], lr=0.1, momentum=0.9)
    optimizer.step()
    before = everything([tile], optimizer)
    state = {**optimizer.state_dict(), **change}
    state = {name: value for name, value in state.items() if value is not None}
    with pytest.raises(rs.RefsimError):
        optimizer.load_state_dict(state)
    for actual, expected in zip(everything([tile], optimizer), before, strict=True):
        same(actual, expected)
