"""Logical weights, and how they are stored."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arithmetic import Arithmetic
from .state import State

Array = Any


class Mapping(Arithmetic, State):
    """The mapping of section D of the description."""

    def set_weights(self, weight: Array, bias: Array | None) -> None:
        """Store logical weights, scaled as configured."""
        weight, m = np.array(weight, self.T), self.config.mapping
        if m.weight_scaling_omega > 0:
            s = self.scales_for(weight, m.weight_scaling_omega, m.weight_scaling_columnwise)
            weight = self.quotient(weight, s[:, None])
            self.values["mapping_scales"] = s
            if "out_scaling_alpha" in self.values:
                self.values["out_scaling_alpha"] = np.ones_like(self.values["out_scaling_alpha"])
        self.values["weight"] = weight
        if bias is not None:
            self.values["bias"] = np.array(bias, self.T)

    def scales_for(self, weight: Array, omega: float, rows: bool) -> Array:
        """Scales that bring the largest weight to ``omega``, of the tile or of each row."""
        largest = np.abs(weight).max(axis=1) if rows else np.abs(weight).max().reshape(1)
        return self.nonzero(self.quotient(largest, self.setting(omega)))

    def nonzero(self, s: Array) -> Array:
        """Scales, 1 in place of 0."""
        return np.where(s == 0, self.T(1), s)

    def logical_weight(self) -> Array:
        """Stored weight times its scales."""
        w = self.values["weight"]
        for name in ("mapping_scales", "out_scaling_alpha"):
            if name in self.values:
                w = w * self.values[name][:, None]
        return w
