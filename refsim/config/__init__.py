"""What a user asks for: validated parameter classes, named and printed as in aihwkit.

>>> config = TorchInferenceRPUConfig(forward=IOParameters(is_perfect=True))
>>> config == from_toml(to_toml(config))
True
"""

from __future__ import annotations

from refsim.config.base import Parameters
from refsim.config.choices import Choices
from refsim.config.enums import (
    AnalogMVType,
    BoundManagementType,
    InputRangeCalibrationType,
    NoiseManagementType,
    OptMethod,
    RangeEstimators,
    RPUDataType,
    WeightClipType,
    WeightModifierType,
    WeightNoiseType,
    WeightRemapType,
)
from refsim.config.files import (
    from_json,
    from_toml,
    load_config,
    save_config,
    to_json,
    to_toml,
)
from refsim.config.io import IOParameters
from refsim.config.mapping import MappingParameter
from refsim.config.pre_post import (
    InputRangeParameter,
    PeripheryQuantizationParameter,
    PrePostProcessingParameter,
    PrePostProcessingParameterQuant,
)
from refsim.config.quantisation import (
    ActivationQuantConfig,
    CrossEntropyEstimatorParams,
    CurrentMinMaxEstimatorParams,
    MSEEstimatorParams,
    RunningMinMaxEstimatorParams,
)
from refsim.config.rpu import (
    CustomRPUConfig,
    FloatingPointRPUConfig,
    InferenceRPUConfig,
    MappableRPU,
    PrePostProcessingRPU,
    QuantizedTorchInferenceRPUConfig,
    TorchInferenceRPUConfig,
)
from refsim.config.runtime import RuntimeParameter
from refsim.config.support import check_quantised_inference, check_torch_inference
from refsim.config.weights import (
    WeightClipParameter,
    WeightModifierParameter,
    WeightRemapParameter,
)

__all__ = [
    "ActivationQuantConfig",
    "AnalogMVType",
    "BoundManagementType",
    "Choices",
    "CrossEntropyEstimatorParams",
    "CurrentMinMaxEstimatorParams",
    "CustomRPUConfig",
    "FloatingPointRPUConfig",
    "IOParameters",
    "InferenceRPUConfig",
    "InputRangeCalibrationType",
    "InputRangeParameter",
    "MSEEstimatorParams",
    "MappableRPU",
    "MappingParameter",
    "NoiseManagementType",
    "OptMethod",
    "Parameters",
    "PeripheryQuantizationParameter",
    "PrePostProcessingParameter",
    "PrePostProcessingParameterQuant",
    "PrePostProcessingRPU",
    "QuantizedTorchInferenceRPUConfig",
    "RPUDataType",
    "RangeEstimators",
    "RunningMinMaxEstimatorParams",
    "RuntimeParameter",
    "TorchInferenceRPUConfig",
    "WeightClipParameter",
    "WeightClipType",
    "WeightModifierParameter",
    "WeightModifierType",
    "WeightNoiseType",
    "WeightRemapParameter",
    "WeightRemapType",
    "check_quantised_inference",
    "check_torch_inference",
    "from_json",
    "from_toml",
    "load_config",
    "save_config",
    "to_json",
    "to_toml",
]
