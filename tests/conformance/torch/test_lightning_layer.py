"""The adapter of aihwkit-lightning: random layers agree with the reference within the bounds of their sums."""

from __future__ import annotations

import pytest

import refsim as rs
from refsim.conformance.adapters.lightning import adapter
from refsim.errors import Unsupported
from validation.live.lightning_worker import main


def test_random_layers_agree() -> None:
    found = main(seed=0, count=40)
    assert found["findings"] == []
    assert found["rows"]["output"][0] > 500


def test_another_configuration_is_refused() -> None:
    with pytest.raises(Unsupported, match="TorchInferenceRPUConfig is no LightningSettings"):
        adapter.module(rs.TorchInferenceRPUConfig(), 1, 1, False)
