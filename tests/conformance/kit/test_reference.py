"""refsim's tile in the state of an implementation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.conformance.adapters import Own
from refsim.conformance.cases import Case, Step
from refsim.conformance.kit import judge, play

F = np.float32


class Forgetful(Own):
    """Shows nothing of what estimators remember."""

    def state(self, handle: Any) -> Mapping[str, Any]:
        """The state without it."""
        return {k: v for k, v in super().state(handle).items() if ".estimator." not in k}


@pytest.mark.parametrize("target", [Own(), Forgetful()], ids=["shown", "not shown"])
def test_estimators_remember_what_the_implementation_saw(target: Own) -> None:
    config = rs.QuantizedTorchInferenceRPUConfig(
        forward=rs.IOParameters(is_perfect=True),
        act_quant_config=rs.ActivationQuantConfig(n_bits=3),
    )
    steps = tuple(Step(x=np.full((1, 1), x, dtype=F)) for x in (0.0, 1.0, 4.0))
    recording = play(target, Case(config, np.ones((1, 1), dtype=F), None, steps))
    assert recording.observations[1].output == F(0.1)
    verdict = judge(recording)
    assert (verdict.judged, verdict.findings) == (3, [])
