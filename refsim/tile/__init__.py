"""Analog tiles: state around the pure functions of a backend."""

from __future__ import annotations

from .array import TileModuleArray
from .difference import Difference
from .torch_inference import TorchInferenceTile
from .trace import Stage, Trace

__all__ = ["Difference", "Stage", "TileModuleArray", "TorchInferenceTile", "Trace"]
