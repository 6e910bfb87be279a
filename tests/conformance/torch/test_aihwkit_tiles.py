"""The adapter of aihwkit: its tiles start in the given state, and differ from refsim where the errata say so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import refsim as rs
from refsim.conformance.adapters.aihwkit import adapter
from refsim.conformance.cases import Case, SGDSettings, Step
from refsim.conformance.kit import judge, play

F = np.float32
DRAW = np.random.default_rng(0)


def drawn(*shape: int) -> Any:
    return DRAW.normal(0, 1, shape).astype(F)


def quantised(n_bits: int) -> Any:
    return rs.QuantizedTorchInferenceRPUConfig(
        pre_post=rs.PrePostProcessingParameterQuant(
            input_range=rs.InputRangeParameter(enable=True, init_value=1.5, init_from_data=0),
            periph_quant=rs.PeripheryQuantizationParameter(
                n_bits=8, symmetric=False, learn_quant_params=True, init_learning_after=1
            ),
        ),
        forward=rs.IOParameters(out_noise=0.0),
        mapping=rs.MappingParameter(learn_out_scaling=True, out_scaling_columnwise=True),
        act_quant_config=rs.ActivationQuantConfig(n_bits=n_bits) if n_bits else None,
    )


def plain() -> Any:
    return rs.TorchInferenceRPUConfig(
        pre_post=rs.PrePostProcessingParameter(
            input_range=rs.InputRangeParameter(enable=True, init_from_data=2)
        ),
        forward=rs.IOParameters(out_noise=0.0),
        mapping=rs.MappingParameter(weight_scaling_omega=1.0),
    )


@pytest.mark.parametrize("config", [plain(), quantised(0), quantised(8)], ids=range(3))
def test_training_is_admissible(config: Any) -> None:
    torch.set_num_threads(1)
    steps = tuple(Step(x=drawn(5, 4), dy=drawn(5, 3), update=True) for _ in range(4))
    config.choices = rs.Choices.aihwkit()
    case = Case(config, drawn(3, 4), drawn(3), steps, sgd=SGDSettings(momentum=0.5))
    recording = play(adapter, case)
    verdict = judge(recording, adapter.capabilities.profile)
    assert recording.failure is None
    assert (verdict.judged, [str(f) for f in verdict.findings]) == (4, [])


def test_a_given_state_is_taken_over() -> None:
    state = {
        "mapping_scales": F([2.0, 3.0, 4.0]),
        "out_scaling_alpha": F([0.5, 1.0, 2.0]),
        "input_range": F([0.75]),
        "input_range_update_idx": F([3.0]),
        "scale_quantizer.delta": F(0.25),
        "scale_quantizer.zero_float": F(1.0),
        "out_quantizer.delta": F(0.5),
        "out_quantizer.signed": np.array([1], dtype=np.uint8),
        "out_quantizer.state": np.array([2], dtype=np.uint8),
    }
    handle = adapter.create(quantised(8), drawn(3, 4), drawn(3), state)
    found = adapter.state(handle)
    for name, value in state.items():
        assert np.array_equal(found[name], value), name


def test_scales_are_forgotten_by_the_gradient_after_loading() -> None:
    """Erratum E-6."""
    steps = (Step(x=drawn(2, 4), dy=drawn(2, 3), reload=True),)
    case = Case(plain(), drawn(3, 4), None, steps, state={"mapping_scales": F([2.0])})
    verdict = judge(play(adapter, case), adapter.capabilities.profile)
    assert {finding.clause for finding in verdict.findings} == {"MS-3"}
