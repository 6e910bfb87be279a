"""How an implementation is plugged in."""

from __future__ import annotations

from .capabilities import Capabilities, Waiver
from .guard import guarded
from .own import Own
from .protocol import Adapter, TargetFailure, Unsupported

__all__ = [
    "Adapter",
    "Capabilities",
    "Own",
    "TargetFailure",
    "Unsupported",
    "Waiver",
    "guarded",
]
