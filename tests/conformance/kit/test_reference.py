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


class Collecting(Own):
    """Returns a gradient of a range that is not learned."""

    def backward(self, handle: Any, dy: Any) -> Mapping[str, Any]:
        """Gradients, and one too many."""
        return {**super().backward(handle, dy), "input_range": np.ones(1, dtype=F)}


def test_a_gradient_of_what_is_not_learned_is_a_finding() -> None:
    ranged = rs.InputRangeParameter(enable=True, learn_input_range=False, init_from_data=0)
    config = rs.TorchInferenceRPUConfig(
        forward=rs.IOParameters(is_perfect=True),
        pre_post=rs.PrePostProcessingParameter(input_range=ranged),
    )
    one = np.ones((1, 1), dtype=F)
    steps = (Step(x=one, dy=one), Step(x=one, dy=one))
    verdict = judge(play(Collecting(), Case(config, one, None, steps)))
    assert verdict.judged == 2
    assert {finding.clause for finding in verdict.findings} == {"IR-8"}
