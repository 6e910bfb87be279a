"""Training on tiles."""

from __future__ import annotations

from .sgd import SGD

__all__ = ["SGD"]
