"""The training loop: order, metrics, and the same bits whatever the backend and the number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim import nn
from refsim.kernels.cpu import threads
from refsim.nn.experiment import Experiment, default_config
from refsim.nn.training import order, step
from tests.clauses import random_oracle
from tests.exact import same

STREAM_SHUFFLE = 9


def small(count: int = 20) -> tuple[Any, Any]:
    data = nn.digits()
    return data.train_x[:count], data.train_y[:count]


def trained(
    backend: str = "cpu", seed: int = 3, epochs: int = 2, hidden: int = 5
) -> tuple[nn.Sequential, nn.SGD, list[nn.Epoch]]:
    model = Experiment(default_config(), (hidden,), seed=seed, backend=backend).network()
    optimizer = nn.SGD(list(model.tiles()), 0.05, 0.9)
    return model, optimizer, nn.train(model, small(), epochs, 6, optimizer, seed)


def equal(one: Any, other: Any) -> None:
    """The same bits in all tiles, velocities and metrics."""
    for a, b in zip(one[0].tiles(), other[0].tiles(), strict=True):
        for name, value in a.state_dict().items():
            same(value, b.state_dict()[name])
    for name, value in one[1].state_dict().items():
        same(value, other[1].state_dict()[name])
    assert one[2] == other[2]


@pytest.mark.parametrize(("seed", "epoch", "samples"), [(0, 0, 7), (5, 3, 100), (2**63, 9, 33)])
def test_the_order_is_by_address(seed: int, epoch: int, samples: int) -> None:
    u = random_oracle.uniform(seed, STREAM_SHUFFLE, epoch, 0, samples)
    assert order(seed, epoch, samples).tolist() == sorted(range(samples), key=lambda i: (u[i], i))


def test_an_epoch_visits_each_sample_once() -> None:
    assert sorted(order(1, 2, 500)) == list(range(500))
    assert order(1, 2, 500).tolist() != order(1, 3, 500).tolist() != order(2, 3, 500).tolist()


def test_backends_train_to_the_same_bits() -> None:
    equal(trained("spec"), trained("cpu"))


def test_the_same_seed_gives_the_same_bits_and_another_one_does_not() -> None:
    one, other = trained(), trained(seed=4)
    equal(one, trained())
    assert not np.array_equal(
        next(one[0].tiles()).parameters["weight"], next(other[0].tiles()).parameters["weight"]
    )


def test_the_number_of_threads_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "ELEMENTS", 10)
    monkeypatch.setattr(threads, "MULTIPLY_ADDS", 10)
    before = threads.get_num_threads()
    try:
        threads.set_num_threads(1)
        one = trained()
        threads.set_num_threads(2)
        equal(one, trained())
    finally:
        threads.set_num_threads(before)


def test_the_metrics_of_an_epoch() -> None:
    """Loss and accuracy of the batches, each before its step."""
    model, optimizer, (first, second) = trained(epochs=2)
    again = Experiment(default_config(), (5,), seed=3).network()
    descent = nn.SGD(list(again.tiles()), 0.05, 0.9)
    x, y = small()
    losses, right = [], 0
    rows = order(3, 0, 20)
    for begin in (0, 6, 12, 18):
        batch = rows[begin : begin + 6]
        loss, hits = step(again, x[batch], y[batch], descent)
        losses += loss.tolist()
        right += hits
    assert first.loss == np.float32(np.mean(np.float64(losses)))
    assert (first.epoch, first.steps, first.accuracy) == (0, 4, right / 20)
    assert first.input_ranges == [float(tile.input_range()) for tile in again.tiles()]
    assert (second.epoch, second.steps) == (1, 8)
    assert second.input_ranges == [float(tile.input_range()) for tile in model.tiles()]
    assert optimizer.steps == 8


def test_accuracy_counts_the_first_of_equal_logits() -> None:
    config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True))
    layer = nn.Linear(2, 3, config)
    layer.tile.set_weights([[1, 0], [1, 0], [0, 1]])
    x = [[1, 0], [0, 1], [1, 0], [0, 0]]
    assert nn.accuracy(nn.Sequential(layer), x, [0, 2, 1, 0]) == 0.75
    assert nn.accuracy(nn.Sequential(layer), x, [0, 2, 1, 0], batch_size=3) == 0.75


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"epochs": -1}, "epochs is -1"),
        ({"data": (np.ones((0, 64)), np.ones(0, int))}, "the number of samples is 0"),
        ({"data": (np.ones((2, 64)), [0, 1, 2])}, r"labels has shape \(3,\)"),
    ],
)
def test_training_refuses(changed: dict[str, Any], message: str) -> None:
    model = Experiment(default_config(), (5,)).network()
    given = {"data": small(), "epochs": 1, "batch_size": 4, "optimizer": None}
    with pytest.raises(ValueError, match=message):
        nn.train(model, **{**given, **changed})


def test_a_network_without_tiles_is_refused() -> None:
    with pytest.raises(rs.InputError, match="model has no tile"):
        nn.train(nn.Sequential(nn.ReLU()), small(), 1, 4, trained(epochs=0)[1])
