"""refsim: a golden model of analog in-memory-computing tiles.

One answer, bit for bit, on every machine and thread count. Public names are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "refsim.calibration": ("calibrate_input_ranges", "calibrate_quantization_ranges"),
    "refsim.config": (
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
        "from_json",
        "from_toml",
        "load_config",
        "save_config",
        "to_json",
        "to_toml",
    ),
    "refsim.errors": (
        "BackendError",
        "ConfigError",
        "InputError",
        "RangeError",
        "RangeWarning",
        "RefsimError",
        "ShapeError",
        "StateError",
        "VectorError",
    ),
    "refsim.nn": ("SGD",),
    "refsim.tile": (
        "CustomTile",
        "FloatingPointTile",
        "InferenceTile",
        "QuantizedTileModuleArray",
        "QuantizedTorchInferenceTile",
        "TileModuleArray",
        "TorchInferenceTile",
        "Trace",
    ),
    "refsim.tile.checkpoint": ("load", "save"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
_MODULES = (
    "backends",
    "calibration",
    "config",
    "conformance",
    "errors",
    "nn",
    "random",
    "spec",
    "tile",
)

__all__ = ["__version__", *_MODULES, *_HOME]

if TYPE_CHECKING:
    from refsim import backends as backends
    from refsim import calibration as calibration
    from refsim import config as config
    from refsim import conformance as conformance
    from refsim import errors as errors
    from refsim import nn as nn
    from refsim import random as random
    from refsim import spec as spec
    from refsim import tile as tile
    from refsim.calibration import calibrate_input_ranges as calibrate_input_ranges
    from refsim.calibration import calibrate_quantization_ranges as calibrate_quantization_ranges
    from refsim.config import *  # noqa: F403
    from refsim.errors import *  # noqa: F403
    from refsim.nn import SGD as SGD
    from refsim.tile import CustomTile as CustomTile
    from refsim.tile import FloatingPointTile as FloatingPointTile
    from refsim.tile import InferenceTile as InferenceTile
    from refsim.tile import QuantizedTileModuleArray as QuantizedTileModuleArray
    from refsim.tile import QuantizedTorchInferenceTile as QuantizedTorchInferenceTile
    from refsim.tile import TileModuleArray as TileModuleArray
    from refsim.tile import TorchInferenceTile as TorchInferenceTile
    from refsim.tile import Trace as Trace
    from refsim.tile.checkpoint import load as load
    from refsim.tile.checkpoint import save as save


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    elif name in _MODULES:
        value = import_module(f"refsim.{name}")
    else:
        raise AttributeError(f"module 'refsim' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
