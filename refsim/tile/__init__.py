"""Analog tiles: state around the pure functions of a backend."""

from __future__ import annotations

from .array import TileModuleArray
from .custom import CustomTile
from .difference import Difference
from .floating_point import FloatingPointTile
from .inference import InferenceTile
from .quantisation_manager import QuantisationManager, RangeState
from .quantised_array import QuantizedTileModuleArray
from .quantised_torch_inference import QuantizedTorchInferenceTile
from .quantiser import Quantiser
from .torch_inference import TorchInferenceTile
from .trace import Stage, Trace

__all__ = [
    "CustomTile",
    "Difference",
    "FloatingPointTile",
    "InferenceTile",
    "QuantisationManager",
    "Quantiser",
    "QuantizedTileModuleArray",
    "QuantizedTorchInferenceTile",
    "RangeState",
    "Stage",
    "TileModuleArray",
    "TorchInferenceTile",
    "Trace",
]
