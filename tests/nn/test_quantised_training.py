"""Networks of quantised tiles: learned steps are trained, and a run goes on from a checkpoint to the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.nn import Linear, ReLU, Sequential, softmax_cross_entropy
from refsim.nn.checkpoint import load_training, restore, save_training
from tests.exact import Type
from tests.tile.quantised import SCALED, config


def network(T: Type) -> Any:
    made = config(
        T,
        bits=6,
        out_bits=6,
        r={"init_from_data": 2},
        io={"inp_res": 254, "out_noise": 0.02},
        mapping=SCALED,
        estimator=rs.RangeEstimators.running_minmax,
        learn_quant_params=True,
        init_learning_after=2,
    )
    layers = [
        Linear(5, 4, made, seed=1, backend="spec"),
        ReLU(),
        Linear(4, 3, made, seed=2, backend="spec"),
    ]
    return Sequential(*layers)


def trained(model: Any, optimizer: Any, steps: range, T: Type) -> list[bytes]:
    losses = []
    for k in steps:
        rng = np.random.default_rng(k)
        x, label = rng.standard_normal((8, 5)).astype(T), rng.integers(0, 3, 8)
        model.train()
        loss, gradient = softmax_cross_entropy(model.forward(x), label, backend="spec")
        optimizer.zero_grad()
        model.backward(gradient)
        optimizer.step()
        losses.append(np.asarray(loss).tobytes())
    return losses


@pytest.mark.parametrize("after", [1, 2, 4])
def test_a_run_goes_on_to_the_same_bits(T: Type, after: int, tmp_path: Path) -> None:
    whole, part, again = (network(T) for _ in range(3))
    optimizers = [rs.SGD(each.tiles(), lr=0.05, momentum=0.5) for each in (whole, part, again)]
    expected = trained(whole, optimizers[0], range(7), T)
    trained(part, optimizers[1], range(after), T)
    save_training(tmp_path / "run.safetensors", part, optimizers[1], {})
    restore(load_training(tmp_path / "run.safetensors")[0], again, optimizers[2])
    assert trained(again, optimizers[2], range(after, 7), T) == expected[after:]
    for one, other in zip(whole.tiles(), again.tiles(), strict=True):
        state = other.state_dict()
        assert {k: v.tobytes() for k, v in one.state_dict().items()} == {
            k: v.tobytes() for k, v in state.items()
        }
        assert "scale_quantizer.delta" in one.gradients
