"""The way back of the autograd path."""

from __future__ import annotations

from typing import Any

import numpy as np

from .management import ABS_MAX
from .range_gradient import RangeGradient

Array = Any


class Backward(RangeGradient):
    """Section E.2 of the description."""

    def backward_rows(self, g: Array) -> Array:
        """Input gradients ``(N, in)``; those of parameters are accumulated."""
        found, rest = self.periphery_gradients(g)
        gz = rest if self.factor is None else rest * self.factor
        self.show(core_output_gradient=gz)
        dw, dv = self.core_gradients(gz)
        if dw is not None:
            found["weight"] = self.stored_weight_gradient(dw)
        dx = dv
        if self.ranged:
            d = self.quotient(dv, self.r)
            dx = self.gated_input_gradient(d)
            self.show(clipped_input_gradient=d)
            if "input_range" in self.learned:
                found["input_range"] = self.range_gradient(self.c, d, rest, dv)
        for name, gradient in found.items():
            self.accumulate(name, gradient)
        return dx

    def gated_input_gradient(self, d: Array) -> Array:
        """Gradients of the inputs, 0 for clipped ones."""
        return np.where(self.passes_range(self.x), d, self.T(0))

    def stored_weight_gradient(self, dw: Array) -> Array:
        """Weight gradient as if there were no scales."""
        s = self.values.get("mapping_scales")
        if s is None:
            return dw
        return self.quotient(self.quotient(dw, s[:, None]), s[:, None])

    def core_gradients(self, gz: Array) -> tuple[Array | None, Array]:
        """Gradients of weight and scaled input."""
        if self.empty:
            return None, np.zeros_like(self.v)
        if self.perfect:
            return self.outer(gz, self.v), self.through_weight(gz)
        io = self.io
        gm = self.through_adc(gz, io)
        dw = self.outer(gm, self.d)
        gd = self.through_weight(gm)
        ga = self.through_dac(gd, io)
        dv = ga * self.sigma
        self.show(
            product_gradient=gm,
            core_weight_gradient=dw,
            converted_input_gradient=gd,
            scaled_gradient=ga,
            unmanaged_gradient=dv,
        )
        return dw, dv if self.place is None else self.with_management(dv, gz, ga, io)

    def outer(self, g: Array, d: Array) -> Array:
        """Weight gradient: the sum of outer products over the batch."""
        return self.product(g.T, d.T)

    def through_weight(self, g: Array) -> Array:
        """Gradient on the other side of the weights."""
        return self.product(g, np.swapaxes(self.used_weight, -1, -2))

    def through_adc(self, gz: Array, io: Any) -> Array:
        """Gradient of the product."""
        g = gz * self.quotient(self.setting(io.out_scale), self.sigma)
        g = np.where(self.adc_blocks(io), self.T(0), g)
        return np.where(self.is_negative(self.m), g * self.setting(1 - io.out_asymmetry), g)

    def adc_blocks(self, io: Any) -> Array:
        """Where the ADC lets no gradient through."""
        return self.beyond(self.t, io.out_bound)

    def through_dac(self, gd: Array, io: Any) -> Array:
        """Gradient before the conversion of the input."""
        g = np.where(self.negative, gd * self.setting(1 - io.inp_asymmetry), gd)
        return np.where(self.dac_blocks(io), self.T(0), g)

    def dac_blocks(self, io: Any) -> Array:
        """Where the DAC lets no gradient through."""
        return self.beyond(self.q, io.inp_bound)

    def with_management(self, dv: Array, gz: Array, ga: Array, io: Any) -> Array:
        """The derivative of the divisor, added at the first peak of each row."""
        slope = self.divisor_gradient(gz, ga, io)
        self.show(management_gradient=slope)
        rows = np.arange(len(dv))
        sign = self.peak_signs(self.v[rows, self.place], io)
        result = dv.copy()
        result[rows, self.place] += np.where(self.managed, slope * sign, self.T(0))
        self.show(scaled_input_gradient=result)
        return result

    def peak_signs(self, peaks: Array, io: Any) -> Array:
        """Derivative of the divisor by the input at the peak."""
        return np.sign(peaks) if io.noise_management == ABS_MAX else np.ones_like(peaks)

    def divisor_gradient(self, gz: Array, ga: Array, io: Any) -> Array:
        """Derivative of the loss by the divisor of each row."""
        sigma, o = self.sigma[:, 0], self.setting(io.out_scale)
        out, into = self.total(gz * self.code, axis=1), self.total(ga * self.v, axis=1)
        back = self.quotient(out * self.quotient(o, sigma), sigma)
        return -(into - back) * self.quotient(sigma, self.alpha)
