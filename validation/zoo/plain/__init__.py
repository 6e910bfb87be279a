"""A tile as an engineer writes it from the description: plain NumPy, nothing of refsim but its configurations."""

from __future__ import annotations

from .inference_tile import InferenceTile
from .manual_tile import CustomTile, FloatingPointTile
from .quantised_tile import QuantisedTile
from .tile import TorchTile

__all__ = ["CustomTile", "FloatingPointTile", "InferenceTile", "QuantisedTile", "TorchTile"]
