"""Cases: what an implementation is asked to do, as plain data."""

from __future__ import annotations

from .features import FEATURES, features
from .model import Case, SGDSettings, Step

__all__ = ["FEATURES", "Case", "SGDSettings", "Step", "features"]
