"""Quantised configurations of generated cases."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from refsim.config import (
    ActivationQuantConfig,
    CrossEntropyEstimatorParams,
    CurrentMinMaxEstimatorParams,
    MSEEstimatorParams,
    OptMethod,
    PeripheryQuantizationParameter,
    PrePostProcessingParameterQuant,
    QuantizedTorchInferenceRPUConfig,
    RangeEstimators,
    RunningMinMaxEstimatorParams,
    TorchInferenceRPUConfig,
)

from .draft import Draft

__all__ = ["quantised_config"]


def quantised_config(d: Draft, plain: TorchInferenceRPUConfig) -> QuantizedTorchInferenceRPUConfig:
    """The configuration with quantisers of scales, bias and outputs, each on or off."""
    parts: dict[str, Any] = {f.name: getattr(plain, f.name) for f in fields(plain)}
    del parts["tile_class"]
    parts["pre_post"] = PrePostProcessingParameterQuant(
        input_range=plain.pre_post.input_range, periph_quant=_periphery(d)
    )
    return QuantizedTorchInferenceRPUConfig(**parts, act_quant_config=_output(d))


def _periphery(d: Draft) -> PeripheryQuantizationParameter:
    if not d.may("quantised_periphery", 0.75):
        return PeripheryQuantizationParameter()
    return PeripheryQuantizationParameter(
        n_bits=d.pick.choice((2, 3, 4, 8, 1)),
        symmetric=not d.may("asymmetric_periphery", 0.4),
        learn_quant_params=d.may("learned_quantisers", 0.4),
        init_learning_after=d.pick.choice((1, 2)),
    )


def _output(d: Draft) -> ActivationQuantConfig:
    if not d.may("output_quantiser", 0.6):
        return ActivationQuantConfig()
    kind = d.pick.choice(tuple(RangeEstimators))
    config = ActivationQuantConfig(
        n_bits=d.pick.choice((2, 3, 4, 8)),
        symmetric=not d.pick.chance(0.4),
        range_estimator=kind,
    )
    params = config.range_estimator_params
    if isinstance(params, CurrentMinMaxEstimatorParams):
        params.percentile = d.pick.choice((None, None, 10.0, 50.0, 100.0))
    if isinstance(params, RunningMinMaxEstimatorParams):
        params.momentum = d.of((0.5, 0.0, 1.0), (0.9,))
    if isinstance(params, MSEEstimatorParams | CrossEntropyEstimatorParams):
        params.num_candidates = d.pick.choice((4, 8, 5))
        params.range_opt_method = OptMethod.grid
        params.range_margin = d.of((0.5, 0.0), (0.1,))
    return config
