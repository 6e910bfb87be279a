"""What a state dict holds, and what a tile accepts of it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import refsim as rs
from tests.exact import Array, same
from tests.strategies import dtypes
from tests.tile.cases import Case, cases, config
from tests.tile.test_bad_input import F32, X, made, refused

pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")


def goes_on(tile: Any, batches: list[tuple[Array, Array]]) -> list[Any]:
    """Everything that a tile computes from here."""
    results: list[Any] = []
    for x, dy in batches:
        try:
            y, trace = tile.forward(x, trace=True)
            results += [y, *trace.noise.values(), tile.backward(dy)]
        except rs.StateError as error:
            results.append(str(error))
        results += [*tile.state_dict().values(), *tile.gradients.values()]
    return results


@given(case=dtypes.flatmap(lambda T: cases(T, count=3)))
def test_a_loaded_tile_goes_on_with_the_same_bits(backend: str, case: Case) -> None:
    tile = case.tile(backend)
    goes_on(tile, case.batches[:1])
    other = case.config.create_tile(
        *case.sizes, bias="bias" in case.arrays, seed=1, backend=backend, name=tile.name
    )
    other.train(case.training).load_state_dict(tile.state_dict())
    tile.zero_grad()
    results = goes_on(other, case.batches[1:])
    for actual, expected in zip(results, goes_on(tile, case.batches[1:]), strict=True):
        same(actual, expected)


def test_a_deep_copy_goes_on_with_the_same_bits(backend: str) -> None:
    tile = made(backend)
    other = copy.deepcopy(tile)
    dy = np.ones((2, 2), F32)
    same(other.backward(dy), tile.backward(dy))
    for actual, expected in zip(goes_on(other, [(X, dy)]), goes_on(tile, [(X, dy)]), strict=True):
        same(actual, expected)
    other.parameters["weight"][...] = 9
    assert not (tile.parameters["weight"] == 9).any()


def test_a_state_dict_is_a_copy(backend: str) -> None:
    tile = made(backend)
    state = tile.state_dict()
    state["weight"][...] = 9
    assert not (tile.parameters["weight"] == 9).any()
    tile.load_state_dict(state)
    state["weight"][...] = 8
    assert (tile.parameters["weight"] == 9).all()


def test_names_and_types(backend: str) -> None:
    mapping = rs.MappingParameter(weight_scaling_omega=0.6, learn_out_scaling=True)
    tile = config(
        np.float64, {"out_noise": 0.1, "out_noise_std": 0.5}, {}, mapping=mapping
    ).create_tile(2, 3, bias=True, seed=2**63 + 1, backend=backend)
    tile.forward(np.ones(3))
    state = tile.state_dict()
    assert {name: (value.shape, value.dtype.name) for name, value in state.items()} == {
        "weight": ((2, 3), "float64"),
        "bias": ((2,), "float64"),
        "out_scaling_alpha": ((1,), "float64"),
        "input_range": ((1,), "float64"),
        "mapping_scales": ((1,), "float64"),
        "input_range_update_idx": ((1,), "float32"),
        "out_noise_values": ((2,), "float64"),
        "random_seed": ((1,), "uint64"),
        "random_step": ((1,), "uint64"),
    }
    assert state["random_seed"][0] == 2**63 + 1
    assert state["random_step"][0] == 1


def test_loading_drops_gradients_and_the_pending_pass(backend: str) -> None:
    tile = made(backend)
    tile.load_state_dict(tile.state_dict())
    assert tile.gradients == {}
    with pytest.raises(rs.StateError, match="needs a forward pass"):
        tile.backward(np.ones((2, 2), F32))


def test_loading_keeps_the_live_arrays(backend: str) -> None:
    tile = made(backend)
    weight, r = tile.parameters["weight"], tile.parameters["input_range"]
    other = made(backend)
    other.set_input_range(7)
    tile.load_state_dict(other.state_dict())
    assert tile.parameters["weight"] is weight
    assert tile.parameters["input_range"] is r
    same(r, F32([7]))


BAD: list[tuple[str, Any, type[Exception]]] = [
    ("weight", np.zeros((3, 2)), rs.ShapeError),
    ("weight", np.zeros((2, 3, 1)), rs.ShapeError),
    ("weight", np.full((2, 3), np.nan), rs.InputError),
    ("weight", np.full((2, 3), 0.1), rs.InputError),
    ("weight", "text", rs.InputError),
    ("bias", np.zeros(1), rs.ShapeError),
    ("input_range", np.zeros(1), rs.RangeError),
    ("input_range", np.full(1, np.inf), rs.InputError),
    ("input_range", np.float32(1), rs.ShapeError),
    ("input_range_update_idx", np.full(1, -1.0), rs.InputError),
    ("input_range_update_idx", np.full(1, 0.5), rs.InputError),
    ("mapping_scales", np.ones(3), rs.ShapeError),
    ("mapping_scales", np.zeros(2), rs.InputError),
    ("random_seed", np.array([-1]), rs.InputError),
    ("random_seed", np.array([1.0]), rs.InputError),
    ("random_seed", 3, rs.InputError),
    ("random_seed", "x", rs.InputError),
    ("random_step", np.array([2**32 + 1]), rs.InputError),
    ("random_step", np.array([1, 2]), rs.InputError),
    ("extra", np.zeros(1), rs.StateError),
    (3, np.zeros(1), rs.StateError),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("name", "value", "error"), BAD)
def test_a_state_that_does_not_fit(
    backend: str, name: str, value: Any, error: type[Exception]
) -> None:
    tile = made(backend)
    state = tile.state_dict()
    state["weight"] += 1  # must not arrive
    state[name] = value
    with refused(tile, error):
        tile.load_state_dict(state)
    tile.backward(np.ones((2, 2), F32))  # still pending


@pytest.mark.parametrize("name", ["weight", "bias", "input_range", "random_step"])
def test_a_state_that_lacks_something(backend: str, name: str) -> None:
    tile, other = made(backend), made(backend)
    other.set_weights(np.full((2, 3), 5.0), [5, 5])
    other.set_input_range(5)
    other.forward(X)
    state = other.state_dict()
    kept = tile.state_dict()[name]
    del state[name]
    with refused(tile, rs.StateError, name):
        tile.load_state_dict(state)
    tile.load_state_dict({**state, "extra": 1}, strict=False)
    for key, value in tile.state_dict().items():
        same(value, kept if key == name else other.state_dict()[key])


@pytest.mark.parametrize("state", [None, 3, [1, 2], "weight"])
def test_a_state_that_is_none(backend: str, state: Any) -> None:
    tile = made(backend)
    with refused(tile, rs.RefsimError):
        tile.load_state_dict(state)


def test_a_learned_range_into_a_buffer_and_into_a_tile_without_one(backend: str) -> None:
    tile = made(backend)
    fixed = config(r={"learn_input_range": False}).create_tile(2, 3, bias=True, backend=backend)
    fixed.load_state_dict(tile.state_dict())
    same(fixed.buffers["input_range"], tile.parameters["input_range"])
    none = config().create_tile(2, 3, bias=True, backend=backend)
    with pytest.raises(rs.StateError, match="input_range"):
        none.load_state_dict(tile.state_dict())


def test_scales_come_and_go_with_the_state(backend: str) -> None:
    scaled = config().create_tile(2, 2, backend=backend)
    scaled.set_weights([[1, 2], [3, 4]], weight_scaling_omega=1.0)
    plain = config().create_tile(2, 2, backend=backend)
    state = plain.state_dict()
    plain.load_state_dict(scaled.state_dict())
    same(plain.get_scales(), F32([4]))
    same(plain.get_weights()[0], F32([[1, 2], [3, 4]]))
    plain.load_state_dict(state)
    assert plain.get_scales() is None


def test_no_pass_beyond_the_last_address(backend: str) -> None:
    tile = made(backend, {"out_noise": 0.1})
    state = tile.state_dict()
    state["random_step"][0] = 2**32 - 1
    tile.load_state_dict(state)
    tile.forward(X)
    with refused(tile, rs.StateError):
        tile.forward(X)
    same(tile.state_dict()["random_step"], np.array([2**32], np.uint64))
    tile.load_state_dict(tile.state_dict())
