"""Random quantisers of the periphery for the generated runs of whole tiles."""

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
    TorchInferenceRPUConfig,
)

from .draws import Draw

__all__ = ["quantised_config"]


def quantised_config(d: Draw, plain: TorchInferenceRPUConfig) -> QuantizedTorchInferenceRPUConfig:
    """The configuration with quantisers of scales, bias and outputs, each switched on or off at random."""
    parts: dict[str, Any] = {f.name: getattr(plain, f.name) for f in fields(plain)}
    del parts["tile_class"]
    parts["pre_post"] = PrePostProcessingParameterQuant(
        input_range=plain.pre_post.input_range,
        periph_quant=PeripheryQuantizationParameter(
            n_bits=int(d.of(2, 3, 5, 8, 0)),
            symmetric=d.chance(),
            learn_quant_params=d.chance(),
            init_learning_after=int(d.of(1, 2)),
        ),
    )
    return QuantizedTorchInferenceRPUConfig(**parts, act_quant_config=_output(d))


def _output(d: Draw) -> ActivationQuantConfig:
    names = ("current_minmax", "allminmax", "running_minmax", "MSE", "cross_entropy")
    kind = RangeEstimators[names[int(d.rng.integers(len(names)))]]
    config = ActivationQuantConfig(
        n_bits=int(d.of(2, 4, 8, 0)), symmetric=d.chance(), range_estimator=kind
    )
    params = config.range_estimator_params
    if isinstance(params, CurrentMinMaxEstimatorParams) and d.chance():
        params.percentile = 10.0
    if isinstance(params, MSEEstimatorParams | CrossEntropyEstimatorParams):
        params.num_candidates = 5
        params.range_opt_method = OptMethod.grid if d.chance(0.7) else OptMethod.golden_section
    return config
