"""Looking inside a tile: the chain of one element with its numbers."""

from __future__ import annotations

from .explain import Explanation, Step, explain

__all__ = ["Explanation", "Step", "explain"]
