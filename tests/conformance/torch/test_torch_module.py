"""The worked example in PyTorch is right, and what PyTorch tiles have in common."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import refsim as rs
from refsim.conformance.adapters import found
from refsim.conformance.adapters.torch_module import TorchAdapter
from refsim.conformance.cases import Case, SGDSettings, Step
from refsim.conformance.kit import play, verify_target
from refsim.errors import Unsupported

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "pytorch_tile.py"
F = np.float32


def example() -> TorchAdapter:
    torch.set_num_threads(1)
    adapter = found.found_object(f"{EXAMPLE}:adapter")
    assert isinstance(adapter, TorchAdapter)
    return adapter


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_example_is_right(seed: int) -> None:
    outcome = verify_target(example(), seed=seed, max_examples=300)
    assert outcome.passed, outcome.sentence()
    assert outcome.cases["generated"] == 300


def test_a_checkpoint_carries_the_velocities() -> None:
    config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True))
    one = np.ones((1, 1), dtype=F)
    steps = tuple(Step(x=one, dy=one, update=True, reload=k == 1) for k in range(2))
    case = Case(config, one, None, steps, sgd=SGDSettings(lr=0.25, momentum=0.5))
    recording = play(example(), case)
    assert recording.failure is None
    last = recording.observations[-1].after
    assert last is not None
    assert last["weight"] == 1 - 0.25 - 0.25 * 1.5


def test_noise_and_unknown_state_are_refused() -> None:
    adapter, one = example(), np.ones((1, 1), dtype=F)
    config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True))
    with pytest.raises(Unsupported, match="the state has mapping_scales"):
        adapter.create(config, one, None, {"mapping_scales": one[0]})
    handle = adapter.create(config, one, None, {})
    with pytest.raises(Unsupported, match="draws its own noise"):
        adapter.forward(handle, one, training=True, noise={"out_noise": one})
    with pytest.raises(Unsupported, match="has no noise"):
        adapter.create(rs.TorchInferenceRPUConfig(), one, None, {})
