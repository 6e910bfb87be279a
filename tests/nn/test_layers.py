"""Layers, loss and data: what a network is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim import nn
from tests.clauses import network_oracle, random_oracle
from tests.exact import Type, round_to, same

EXACT = rs.IOParameters(is_perfect=True)
STREAM_WEIGHT_INIT = 8


def perfect(T: Type = np.float32) -> rs.TorchInferenceRPUConfig:
    kind = rs.RPUDataType.DOUBLE if T is np.float64 else rs.RPUDataType.FLOAT
    return rs.TorchInferenceRPUConfig(runtime=rs.RuntimeParameter(data_type=kind), forward=EXACT)


@pytest.fixture(params=["spec", "cpu"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_first_weight_has_its_address(T: Type, backend: str) -> None:
    layer = nn.Linear(3, 2, perfect(T), seed=2**40 + 7, backend=backend)
    u = random_oracle.uniform(2**40 + 7, STREAM_WEIGHT_INIT, 0, 0, 6).astype(T).reshape(2, 3)
    same(layer.tile.parameters["weight"], (2 * u - 1) * T(np.sqrt(2.0)))
    same(layer.tile.parameters["bias"], np.zeros(2, T))
    assert "bias" not in nn.Linear(3, 2, perfect(T), bias=False).tile.parameters


def test_a_network_by_hand(T: Type, backend: str) -> None:
    first, last = (nn.Linear(2, 2, perfect(T), backend=backend) for _ in range(2))
    first.tile.set_weights(T([[1, -1], [0.5, 2]]), T([0, -3]))
    last.tile.set_weights(T([[2, 1], [0, 4]]), T([0.5, 0]))
    model = nn.Sequential(first, nn.ReLU(backend), last)
    x = T([[3, 1], [1, 2], [0, -1]])
    hidden, right = T([[2, 0.5], [0, 1.5], [1, 0]]), T([[1, 1], [0, 1], [1, 0]])
    same(model(x), T([[5, 2], [2, 6], [2.5, 0]]))
    dy = T([[1, 0], [0, -1], [2, 1]])
    dh = (dy @ T([[2, 1], [0, 4]])) * right
    same(model.backward(dy), dh @ T([[1, -1], [0.5, 2]]))
    same(last.tile.gradients["weight"], dy.T @ hidden)
    same(first.tile.gradients["weight"], dh.T @ x)
    same(first.tile.gradients["bias"], dh.sum(axis=0))
    assert list(model.tiles()) == [first.tile, last.tile]


def test_modes_reach_every_tile() -> None:
    model = nn.Sequential(nn.Linear(2, 3, perfect()), nn.ReLU(), nn.Linear(3, 1, perfect()))
    assert model.eval() is model
    assert [tile.training for tile in model.tiles()] == [False, False]
    assert model.train() is model
    assert [tile.training for tile in model.tiles()] == [True, True]
    layer = nn.Linear(2, 3, perfect())
    assert layer.eval() is layer
    assert not layer.tile.training
    assert nn.ReLU().eval().train().backend == "cpu"


def test_the_rectifier_goes_back_once() -> None:
    layer = nn.ReLU("spec")
    layer.forward(np.ones((2, 3)))
    with pytest.raises(rs.ShapeError, match="allowed is one like x"):
        layer.backward(np.ones((2, 4)))
    layer.backward(np.ones((2, 3)))
    with pytest.raises(rs.StateError, match="needs a forward pass"):
        layer.backward(np.ones((2, 3)))
    with pytest.raises(rs.InputError, match="x has dtype int64"):
        layer.forward(np.ones(3, dtype=np.int64))
    with pytest.raises(rs.InputError, match="layers is empty"):
        nn.Sequential()
    with pytest.raises(rs.BackendError):
        nn.ReLU("abacus")


def test_the_loss_is_that_of_the_clauses(T: Type, backend: str) -> None:
    logits, labels = T([[1, 2, 4], [0, -1, 3]]), np.array([2, 0], dtype=np.uint8)
    losses, gradient = nn.softmax_cross_entropy(logits, labels, backend)
    same(losses, network_oracle.cross_entropy(logits, labels))
    same(gradient, network_oracle.cross_entropy_gradient(logits, labels))


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (np.ones((2, 3)), [0, 3], "allowed are integers from 0 to 2"),
        (np.ones((2, 3)), [0, -1], "allowed are integers from 0 to 2"),
        (np.ones((2, 3)), [0.0, 1.0], "labels has dtype float64"),
        (np.ones((2, 3)), [0], r"labels has shape \(1,\)"),
        (np.ones(3), [0], r"logits has shape \(3,\)"),
        (np.ones((0, 3)), [], r"logits has shape \(0, 3\)"),
        (np.ones((2, 3), dtype=int), [0, 1], "logits has dtype int64"),
        (np.full((1, 2), np.nan), [0], "a loss overflows float64"),
        (np.float32([[3e38, -3e38]]), [1], "a loss overflows float32"),
    ],
)
def test_the_loss_refuses(logits: Any, labels: Any, message: str) -> None:
    error = rs.StateError if "overflows" in message else ValueError
    with pytest.raises(error, match=message):
        nn.softmax_cross_entropy(logits, labels)


def test_the_digits() -> None:
    data = nn.digits()
    assert data.train_x.shape == (1437, 64)
    assert data.test_x.shape == (360, 64)
    for x, y in ((data.train_x, data.train_y), (data.test_x, data.test_y)):
        assert (x.dtype, y.dtype) == (np.float32, np.int64)
        assert np.array_equal(x * 16, np.rint(x * 16))
        assert (x.min(), x.max()) == (0, 1)
        assert set(y.tolist()) == set(range(10))
    images = np.concatenate([data.train_x, data.test_x])
    assert int((images * 16).sum()) == 561718  # as in the source
    assert nn.digits().train_x is not data.train_x


def test_the_split_is_by_address() -> None:
    u = random_oracle.uniform(0, 10, 0, 0, 1797)
    chosen = sorted(sorted(range(1797), key=lambda i: (u[i], i))[:360])
    from importlib.resources import files

    with (files("refsim.nn") / "data" / "digits.npz").open("rb") as file:
        source = dict(np.load(file))
    data = nn.digits()
    same(data.test_x, source["images"][chosen].astype(np.float32) / np.float32(16))
    same(data.test_y, source["labels"][chosen].astype(np.int64))


def test_a_width_rounds_once() -> None:
    """The bound of the first weight, for a size whose root is far from a float32 number."""
    layer = nn.Linear(7, 1, perfect(), seed=1)
    u = random_oracle.uniform(1, STREAM_WEIGHT_INIT, 0, 0, 7).reshape(1, 7)
    width = round_to(np.float32, random_oracle.fraction(float(np.sqrt(6 / 7))))
    same(layer.tile.parameters["weight"], (2 * u - np.float32(1)) * width)
