"""Configurations for aihwkit, translated without aihwkit: refsim's classes stand for its classes of the same names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import refsim as rs
from refsim.conformance.adapters import aihwkit_config as translation
from refsim.conformance.adapters.aihwkit_config import aihwkit_config
from refsim.errors import BackendError, Unsupported

QUIET = rs.IOParameters(
    inp_res=254,
    out_noise=0.0,
    noise_management=rs.NoiseManagementType.MAX,
    bound_management=rs.BoundManagementType.NONE,
)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = SimpleNamespace(**{name: getattr(rs, name) for name in rs.__all__})
    monkeypatch.setattr(translation, "library", lambda name: stand_in)


def ranged() -> Any:
    return rs.InputRangeParameter(enable=True, init_value=0.5, decay=0.25, gradient_relative=False)


CONFIGS = [
    rs.TorchInferenceRPUConfig(
        forward=QUIET,
        pre_post=rs.PrePostProcessingParameter(input_range=ranged()),
        mapping=rs.MappingParameter(weight_scaling_omega=0.75, max_input_size=0, max_output_size=0),
        clip=rs.WeightClipParameter(type=rs.WeightClipType.LAYER_GAUSSIAN, sigma=2.0),
        remap=rs.WeightRemapParameter(type=rs.WeightRemapType.CHANNELWISE_SYMMETRIC),
        modifier=rs.WeightModifierParameter(type=rs.WeightModifierType.DISCRETIZE, res=0.125),
    ),
    rs.QuantizedTorchInferenceRPUConfig(
        forward=QUIET,
        mapping=rs.MappingParameter(max_input_size=0, max_output_size=0),
        pre_post=rs.PrePostProcessingParameterQuant(
            input_range=ranged(),
            periph_quant=rs.PeripheryQuantizationParameter(n_bits=5, symmetric=False),
        ),
        act_quant_config=rs.ActivationQuantConfig(
            n_bits=6,
            symmetric=False,
            range_estimator=rs.RangeEstimators.MSE,
            range_estimator_params=rs.MSEEstimatorParams(num_candidates=7),
        ),
    ),
    rs.CustomRPUConfig(
        forward=QUIET,
        backward=rs.IOParameters(is_perfect=True),
        mapping=rs.MappingParameter(max_input_size=0, max_output_size=0),
    ),
]


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_every_field_is_carried_over(config: Any) -> None:
    made = aihwkit_config(config)
    assert made is not config
    assert made == config


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (rs.TorchInferenceRPUConfig(), "draws noise"),
        (
            rs.TorchInferenceRPUConfig(
                forward=QUIET,
                modifier=rs.WeightModifierParameter(
                    type=rs.WeightModifierType.ADD_NORMAL, std_dev=0.1
                ),
            ),
            "draws noise",
        ),
        (rs.InferenceRPUConfig(forward=QUIET), "InferenceRPUConfig needs the compiled tiles"),
        (rs.FloatingPointRPUConfig(), "FloatingPointRPUConfig needs the compiled tiles"),
    ],
)
def test_what_is_unsupported(config: Any, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        aihwkit_config(config)


def test_a_library_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(translation._CLASSES, "CustomRPUConfig", "no_such_library.tiles")
    with pytest.raises(BackendError, match=r"no_such_library\.tiles cannot be imported"):
        aihwkit_config(CONFIGS[-1])
