"""Mistakes about scales, bias, products and the way back through them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .registry import mistake
from .sources import RATE_OF_SCALES

Array = Any


@mistake("PP-3", "PP-1", "PP-2", needs=["mapping_scales"])
class ScaleTwice:
    """The output is multiplied by the mapping scale twice."""

    def output_factor(self) -> Array:
        factor, s = super().output_factor(), self.values.get("mapping_scales")
        return factor if s is None else factor * s


@mistake("PP-1", "PP-2", "PP-3", needs=["input_range"])
class RangeNotTakenBack:
    """The output is not multiplied by the range."""

    def output_factor(self) -> Array:
        return self.values.get("mapping_scales")


@mistake("PP-2", needs=["bias", "out_scaling"])
class BiasBeforeScale:
    """The bias is added before the learned output scale and multiplied by it."""

    def biased(self, y: Array, b: Array) -> Array:
        a = self.values.get("out_scaling_alpha")
        return super().biased(y, b if a is None else b * a)


@mistake("PP-2", needs=["bias", "eval"])
class BiasInTrainingOnly:
    """The bias is left out in evaluation."""

    def biased(self, y: Array, b: Array) -> Array:
        return y + b if self.training else y


@mistake("SU-3", needs=["bias", "backward"])
class BiasGradientIsMean:
    """The gradient of the bias is divided by the number of rows."""

    def bias_gradient(self, g: Array) -> Array:
        return super().bias_gradient(g) / self.T(max(1, len(g)))


@mistake("SU-4", "SU-2", needs=["out_scaling", "backward"])
class ScaleGradientOfCoreOutput:
    """The gradient of the learned scale takes the core output, without range and mapping scale."""

    def out_scaling_gradient(self, g: Array, a: Array) -> Array:
        self.scaled = self.z
        return super().out_scaling_gradient(g, a)


@mistake("MS-3", source=RATE_OF_SCALES, needs=["mapping_scales", "backward"])
class RateOfScales:
    """The weight gradient is that of the stored weight, so the mapping scales act on the learning rate."""

    def stored_weight_gradient(self, dw: Array) -> Array:
        return dw


@mistake("MS-3", needs=["mapping_scales", "backward"])
class DividedOnce:
    """The weight gradient is divided by the mapping scale once."""

    def stored_weight_gradient(self, dw: Array) -> Array:
        s = self.values.get("mapping_scales")
        return dw if s is None else dw / s[:, None]


@mistake("MV-1")
class HalfAccumulation:
    """Products are summed in half precision."""

    def dots(self, a: Array, b: Array) -> Array:
        terms = (a[:, None, :] * b[None, :, :]).astype(np.float16)
        s = np.zeros(terms.shape[:2], np.float16)
        for k in range(terms.shape[2]):
            s = s + terms[:, :, k]
        return s.astype(self.T)


@mistake("MV-4", "MS-3", needs=["backward"])
class WeightGradientIsMean:
    """The weight gradient is divided by the number of rows."""

    def outer(self, g: Array, d: Array) -> Array:
        return super().outer(g, d) / self.T(max(1, len(g)))


@mistake("MV-4", "MS-3", needs=["backward", "dac"])
class WeightGradientOfUnconverted:
    """The weight gradient takes the inputs before the DAC."""

    def outer(self, g: Array, d: Array) -> Array:
        return super().outer(g, d if self.perfect else self.v * self.sigma)


@mistake("MV-3", "IR-9", needs=["backward", "weight_modifier"])
class BackThroughStoredWeight:
    """The gradient of the input goes back through the stored weight, not through the modified one."""

    def through_weight(self, g: Array) -> Array:
        return self.product(g, self.values["weight"].T)


@mistake("BP-1", needs=["backward"])
class AdcGateStrict:
    """An output exactly at the bound receives no gradient."""

    def adc_blocks(self, io: Any) -> Array:
        if io.out_bound <= 0:
            return super().adc_blocks(io)
        return np.abs(self.t) >= self.setting(io.out_bound)


@mistake("BP-1", needs=["backward"])
class AdcGateMissing:
    """Clipped outputs send their gradient on."""

    def adc_blocks(self, io: Any) -> Array:
        return np.zeros(self.t.shape, bool)


@mistake("BP-1", "BP-2", needs=["backward", "asymmetry"])
class AsymmetryForgottenOnTheWayBack:
    """The way back does not know of asymmetries."""

    def through_adc(self, gz: Array, io: Any) -> Array:
        g = gz * (self.setting(io.out_scale) / self.sigma)
        return np.where(self.adc_blocks(io), self.T(0), g)

    def through_dac(self, gd: Array, io: Any) -> Array:
        return np.where(self.dac_blocks(io), self.T(0), gd)


@mistake("BP-2", needs=["backward", "dac"])
class DacGateStrict:
    """A saturated input receives no gradient, and the rule of the range none either."""

    def dac_blocks(self, io: Any) -> Array:
        if io.inp_bound <= 0:
            return super().dac_blocks(io)
        return np.abs(self.q) >= self.setting(io.inp_bound)


@mistake("BP-2", needs=["backward", "dac"])
class DacGateBeforeRounding:
    """The gate of the DAC looks at the input before it is rounded."""

    def dac_blocks(self, io: Any) -> Array:
        return self.beyond(self.v * self.sigma, io.inp_bound)


@mistake("BP-2", "BP-1", "DC-1", "MV-3", needs=["backward", "dac"])
class NoStraightThrough:
    """Rounding has the derivative of a staircase, 0."""

    def through_dac(self, gd: Array, io: Any) -> Array:
        return super().through_dac(gd, io) * self.T(io.inp_res <= 0)
