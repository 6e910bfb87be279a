"""A tile as an engineer writes it from the description: plain NumPy, nothing of refsim but its configurations."""

from __future__ import annotations

from .tile import TorchTile

__all__ = ["TorchTile"]
