"""Mistakes about converters and their management."""

from __future__ import annotations

from typing import Any

import numpy as np

from .registry import mistake

Array = Any


@mistake("DC-3", "DC-1", "DC-4", needs=["dac"])
class RoundHalfUp:
    """One half is added and the floor taken, so ties always go up."""

    def rounded(self, levels: Array) -> Array:
        return np.floor(levels + self.T(0.5))


@mistake("DC-3", needs=["dac"])
class ClipBeforeRound:
    """Inputs are clipped to the bound first and rounded then, so a bound off the grid is exceeded."""

    def quantised_input(self, a: Array, io: Any, noise: Any, turn: int) -> Array:
        return super().quantised_input(self.within(a, io.inp_bound), io, noise, turn)

    def limited_input(self, q: Array, io: Any) -> Array:
        return q


@mistake("PP-3", "MS-3", needs=["mapping_scales"])
class ScaleTwice:
    """The output is multiplied by the mapping scale twice."""

    def output_factor(self) -> Array:
        factor = super().output_factor()
        s = self.values.get("mapping_scales")
        return factor if s is None else factor * s


@mistake("MV-4", needs=["backward"])
class WeightGradientIsMean:
    """The weight gradient is divided by the number of rows."""

    def outer(self, g: Array, d: Array) -> Array:
        return super().outer(g, d) / self.T(max(1, len(g)))


@mistake("PP-2", needs=["bias", "out_scaling"])
class BiasBeforeScale:
    """The bias is added before the learned output scale and multiplied by it."""

    def biased(self, y: Array, b: Array) -> Array:
        a = self.values.get("out_scaling_alpha")
        return super().biased(y, b if a is None else b * a)
