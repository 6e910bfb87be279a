"""Bad input: one sentence, and nothing is changed; good input of every kind: the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import refsim as rs
from tests.exact import Array, same
from tests.tile.cases import BM, NM, config

F32, X = np.float32, np.float32([[1, -2, 0.5], [4, 0, 3]])


def made(backend: str, io: Any = None, r: Any = None, **parts: Any) -> Any:
    """A tile in the middle of its training."""
    r = {"init_from_data": 5, "init_value": 2.0} if r is None else r
    tile = config(io={"out_noise": 0.1, **(io or {})}, r=r, **parts).create_tile(
        2, 3, bias=True, backend=backend
    )
    tile.set_weights([[1, 2, 3], [-1, 0.5, 2]], [1, -1])
    tile.forward(X)
    tile.backward(np.ones((2, 2), F32))
    tile.forward(X)
    return tile


def everything(tile: Any) -> dict[str, Any]:
    gradients = {f"gradient of {name}": value.copy() for name, value in tile.gradients.items()}
    return {**tile.state_dict(), **gradients}


@contextmanager
def refused(tile: Any, error: type[Exception], match: str | None = None) -> Iterator[None]:
    """One sentence of the class, and nothing is changed, not even the pending backward pass."""
    before = everything(tile)
    with pytest.raises(error, match=match) as caught:
        yield
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    after = everything(tile)
    assert after.keys() == before.keys()
    for name, value in before.items():
        same(after[name], value)


class BrokenExport:
    """An object whose DLPack export fails."""

    def __dlpack__(self, **_: Any) -> Any:
        raise BufferError("no export.")

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


WRONG_VALUES: list[Any] = [
    [[np.nan, 0, 0]],
    [[np.inf, 0, 0]],
    np.array([[-np.inf, 0, 0]]),
    X + 1j,
    X.astype(object),
    "text",
    [["1", "2", "3"]],
    b"abc",
    None,
    {},
    {1.0, 2.0, 3.0},
    (v for v in X),
    [[1, 2, 3], [4]],
    np.ma.masked_array(X),
    np.zeros((1, 3), dtype="M8[D]"),
    np.zeros((1, 3), dtype=[("a", F32)]),
    BrokenExport(),
    np.float64([[0.1, 0, 0]]),
    np.float64([[1e39, 0, 0]]),
    np.float64([[1e-60, 0, 0]]),
    np.int64([[2**24 + 1, 0, 0]]),
    np.uint64([[2**64 - 1, 0, 0]]),
    [[1e39, 0, 0]],
    [[10**400, 0, 0]],
]
WRONG_SHAPES: list[Any] = [
    1.0,
    np.float32(1),
    [],
    [[]],
    np.zeros((3, 2), F32),
    np.zeros((2, 4), F32),
    np.zeros((0, 2), F32),
    np.zeros((3, 0), F32),
]


@pytest.mark.parametrize("x", WRONG_VALUES, ids=lambda x: f"{type(x).__name__}")
def test_wrong_values(backend: str, x: Any) -> None:
    tile = made(backend)
    with refused(tile, rs.InputError, "x "):
        tile.forward(x)
    tile.backward(np.ones((2, 2), F32))  # the pass before is still there


@pytest.mark.parametrize("x", WRONG_SHAPES, ids=lambda x: f"{np.shape(x)}")
def test_wrong_shapes(backend: str, x: Any) -> None:
    tile = made(backend)
    with refused(tile, rs.ShapeError, "x has shape"):
        tile.forward(x)


@pytest.mark.parametrize("dy", WRONG_VALUES, ids=lambda x: f"{type(x).__name__}")
def test_wrong_gradients(backend: str, dy: Any) -> None:
    tile = made(backend)
    with refused(tile, rs.InputError, "dy "):
        tile.backward(dy)
    tile.backward(np.ones((2, 2), F32))


@pytest.mark.parametrize("shape", [(), (2,), (2, 3), (1, 2), (2, 1, 2), (1, 2, 2), (4,), (0, 2)])
def test_gradients_of_another_shape(backend: str, shape: tuple[int, ...]) -> None:
    tile = made(backend)
    with refused(tile, rs.ShapeError, "dy has shape"):
        tile.backward(np.ones(shape, F32))
    tile.backward(np.ones((2, 2), F32))


def byte_swapped(x: Array) -> Array:
    return x.astype(x.dtype.newbyteorder())


def read_only(x: Array) -> Array:
    x = x.copy()
    x.flags.writeable = False
    return x


def unaligned(x: Array) -> Array:
    table = np.zeros(x.shape, dtype=[("pad", "i1"), ("x", x.dtype)])
    table["x"] = x
    return table["x"]  # type: ignore[no-any-return]


class Exported:
    """Anything with ``__dlpack__``."""

    def __init__(self, x: Array) -> None:
        self.x = x

    def __dlpack__(self, **options: Any) -> Any:
        return self.x.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.x.__dlpack_device__()


GOOD: list[Any] = [
    lambda x: x.tolist(),
    lambda x: tuple(map(tuple, x.tolist())),
    lambda x: x.astype(np.float64),
    lambda x: x.astype(np.float16),
    lambda x: x.astype(np.longdouble),
    lambda x: x.astype(object).tolist(),
    np.asfortranarray,
    lambda x: x.repeat(2, axis=0)[::2],
    lambda x: x[:, ::-1].copy()[:, ::-1],
    lambda x: np.concatenate([x, x], axis=1)[:, :3],
    lambda x: list(x),
    read_only,
    byte_swapped,
    unaligned,
    Exported,
]


@pytest.mark.parametrize("form", GOOD)
def test_every_form_of_the_same_numbers(backend: str, form: Any) -> None:
    tile, other = made(backend), made(backend)
    same(np.asarray(other.forward(form(X))), tile.forward(X))
    dy = np.float32([[1, 0], [2, -0.5]])
    wide = np.concatenate([dy, dy], axis=1)
    same(other.backward(wide[:, :2]), tile.backward(dy))
    for name, gradient in tile.gradients.items():
        same(other.gradients[name], gradient)


@pytest.mark.parametrize("kind", [bool, np.int8, np.uint64, np.int64, int])
def test_integers_that_fit(backend: str, kind: Any) -> None:
    x = np.float32([[1, 0, 1]])
    same(made(backend).forward(x.astype(kind)), made(backend).forward(x))
    tile = made(backend)
    same(
        tile.forward([[2**24, -(2**24), 2**30]]),
        made(backend).forward([[2.0**24, -(2.0**24), 2.0**30]]),
    )


def test_python_numbers_are_rounded_once(backend: str) -> None:
    same(made(backend).forward([[0.1, 0.2, 0.3]]), made(backend).forward(F32([[0.1, 0.2, 0.3]])))


@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3), (0, 0, 3)])
@pytest.mark.parametrize("kind", [NM.NONE, NM.ABS_MAX])
@pytest.mark.parametrize("bound", [BM.NONE, BM.ITERATIVE])
def test_an_empty_batch_changes_no_state(
    backend: str, shape: tuple[int, ...], kind: Any, bound: Any
) -> None:
    tile = made(backend, {"noise_management": kind, "bound_management": bound, "out_bound": 1.0})
    tile.zero_grad()
    before = tile.state_dict()
    y = tile.forward(np.zeros(shape, F32))
    assert y.shape == (*shape[:-1], 2)
    assert y.dtype == F32
    dx = tile.backward(y)
    assert dx.shape == shape
    after = tile.state_dict()
    assert all(np.array_equal(after[name], value) for name, value in before.items())
    assert not any(gradient.any() for gradient in tile.gradients.values())


def test_backward_uses_each_forward_pass_once(backend: str) -> None:
    fresh = config().create_tile(2, 3, backend=backend)
    with refused(fresh, rs.StateError, "needs a forward pass"):
        fresh.backward(np.ones((2, 2), F32))
    tile = made(backend)
    tile.backward(np.ones((2, 2), F32))
    with refused(tile, rs.StateError, "needs a forward pass"):
        tile.backward(np.ones((2, 2), F32))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("perfect", [True, False])
@pytest.mark.parametrize("ranged", [True, False])
def test_changes_in_place_do_not_reach_the_gradients(
    backend: str, training: bool, perfect: bool, ranged: bool
) -> None:
    def gradients(disturb: bool) -> dict[str, Array]:
        made_ = config(io={"is_perfect": perfect}, r={"init_value": 2.0} if ranged else None)
        tile = made_.create_tile(2, 3, backend=backend).train(training)
        tile.set_weights([[1, 2, 3], [-1, 0.5, 2]])
        x, dy = X.copy(), np.ones((2, 2), F32)
        y, trace = tile.forward(x, trace=True)
        if disturb:
            x[...], y[...], tile.parameters["weight"][...] = 9, 9, 9
            for stage in trace:
                if isinstance(stage.value, np.ndarray) and stage.value.flags.writeable:
                    stage.value[...] = 9
        dx = tile.backward(dy)
        dy[...] = 9
        return {**tile.gradients, "x": dx}

    undisturbed = gradients(False)
    for name, value in gradients(True).items():
        same(value, undisturbed[name])


def test_changing_the_result_does_not_reach_the_gradients(backend: str) -> None:
    tile = config().create_tile(1, 1, bias=True, backend=backend)
    tile.forward([[1.0]])
    tile.backward([[2.0]])[...] = 9
    same(tile.gradients["bias"], F32([2]))


@pytest.mark.parametrize(
    ("noise", "error"),
    [
        ({"noise": np.zeros((2, 2))}, rs.InputError),
        ({3: np.zeros((2, 2))}, rs.InputError),
        ([1.0], rs.InputError),
        ({"out_noise": np.zeros((2, 3))}, rs.ShapeError),
        ({"out_noise": np.zeros(2)}, rs.ShapeError),
        ({"out_noise": np.zeros((1, 2, 2))}, rs.ShapeError),
        ({"out_noise": 0.0}, rs.ShapeError),
        ({"out_noise": [[np.nan, 0], [0, 0]]}, rs.InputError),
        ({"out_noise": np.full((2, 2), 0.1)}, rs.InputError),
        ({"out_noise": np.zeros((2, 2), complex)}, rs.InputError),
        ({"out_sto_round": np.full((2, 2), 0.5)}, rs.InputError),
        ({"out_sto_round": np.full((2, 2), -0.75)}, rs.InputError),
    ],
)
def test_wrong_noise(backend: str, noise: Any, error: type[Exception]) -> None:
    tile = made(backend)
    with refused(tile, error, "noise"):
        tile.forward(X, noise=noise)


def test_too_few_passes_of_noise(backend: str) -> None:
    tile = made(backend, {"bound_management": BM.ITERATIVE, "out_bound": 1.0})
    with refused(tile, rs.ShapeError, "passes"):
        tile.forward(X, noise={"out_noise": np.zeros((1, 2, 2), F32)})
    with refused(tile, rs.ShapeError, "passes"):
        tile.forward(X, noise={"out_noise": np.zeros((2, 2), F32)})
    tile.forward(X, noise={"out_noise": np.zeros((20, 2, 2), F32)})


@pytest.mark.parametrize("shape", [(2,), (2, 3, 1), (1, 2, 3), (2, 2, 3), (3, 2)])
def test_weight_noise_of_another_shape(backend: str, shape: tuple[int, ...]) -> None:
    modifier = rs.WeightModifierParameter(type=rs.WeightModifierType.MULT_NORMAL, std_dev=0.1)
    tile = made(backend, modifier=modifier)
    with refused(tile, rs.ShapeError, "weight_noise"):
        tile.forward(X, noise={"weight_noise": np.zeros(shape, F32)})


def test_a_stage_that_a_trace_does_not_have(backend: str) -> None:
    _, trace = made(backend).forward(X, trace=True)
    with pytest.raises(KeyError):
        trace["nothing"]


HUGE = np.float32(3e38)


@pytest.mark.parametrize(
    "x",
    [
        np.float32([[HUGE, -HUGE, 0]]),  # the squares of the standard deviation
        np.float32([[1e20, -1e20, 0]]),
    ],
)
def test_an_overflow_in_the_initialisation(backend: str, x: Array) -> None:
    tile = made(backend)
    with refused(tile, rs.StateError, "standard deviation"):
        tile.forward(x)


@pytest.mark.parametrize("perfect", [True, False])
def test_an_overflow_in_a_sum(backend: str, perfect: bool) -> None:
    tile = made(backend, {"is_perfect": perfect}, {"init_value": 4.0})
    tile.parameters["weight"][...] = HUGE
    with refused(tile, rs.StateError, "overflows"):
        tile.forward(X)
    tile.backward(np.ones((2, 2), F32))  # with the weights of the pass before
    tile.parameters["weight"][...] = 1
    tile.forward(X)
    with refused(tile, rs.StateError, "overflows|not a number"):
        tile.backward(np.full((2, 2), HUGE))
    tile.backward(np.ones((2, 2), F32))


def test_an_overflow_of_accumulated_gradients(backend: str) -> None:
    tile = config().create_tile(1, 1, bias=True, backend=backend)
    for attempt in range(2):
        tile.forward([[0.5]])
        if attempt:
            with refused(tile, rs.StateError, "gradient of bias"):
                tile.backward([[HUGE]])
        else:
            tile.backward([[HUGE]])


@pytest.mark.clause("IR-9")
def test_an_overflow_of_the_input_gradient(backend: str) -> None:
    r = {"learn_input_range": False, "init_value": 1e-30}
    tile = config(r=r).create_tile(1, 1, backend=backend)
    tile.parameters["weight"][...] = 1e20
    tile.forward(F32([[1e-31]]))
    with refused(tile, rs.StateError, "input gradient"):
        tile.backward(F32([[1e20]]))
