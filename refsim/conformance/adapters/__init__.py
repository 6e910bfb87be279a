"""How an implementation is plugged in."""

from __future__ import annotations

from .capabilities import Capabilities, Waiver
from .protocol import Adapter, TargetFailure, Unsupported

__all__ = ["Adapter", "Capabilities", "TargetFailure", "Unsupported", "Waiver"]
