"""The gradient of the input range."""

from __future__ import annotations

from typing import Any

import numpy as np

from .core import Core
from .periphery import Periphery

Array = Any


class RangeGradient(Core, Periphery):
    """Sections E.1 and E.2 of the description: rule, growth, decay, and residual."""

    def at_upper_edge(self, c: Array) -> Array:
        """Inputs that count for the upper sum."""
        return c >= self.r

    def at_lower_edge(self, c: Array) -> Array:
        """Inputs that count for the lower sum."""
        return c <= -self.r

    def upper_sum(self, c: Array, d: Array) -> Array:
        """Pulls at the upper edge."""
        return self.total(np.minimum(np.where(self.at_upper_edge(c), d, self.T(0)), self.T(0)))

    def lower_sum(self, c: Array, d: Array) -> Array:
        """Pulls at the lower edge."""
        return self.total(np.maximum(np.where(self.at_lower_edge(c), d, self.T(0)), self.T(0)))

    def rule(self, c: Array, d: Array) -> Array:
        """The gradient by the rule, before growth and decay."""
        p = self.config.pre_post.input_range
        upper, lower = self.upper_sum(c, d), self.lower_sum(c, d)
        self.show(range_rule_upper=upper, range_rule_lower=lower)
        result = self.edges(upper, lower)
        result = result * self.r if p.gradient_relative else result
        if self.scales_gradient(p):
            result = result * self.setting(p.gradient_scale)
        self.show(range_rule=result)
        return result

    def edges(self, upper: Array, lower: Array) -> Array:
        """Both edges together."""
        return upper - lower

    def scales_gradient(self, p: Any) -> bool:
        """Whether the gradient scale acts."""
        return self.config.choices.gradient_scale_applies == "always" or p.gradient_relative

    def decayed(self, gradient: Array, c: Array) -> Array:
        """The gradient with the decay term, where nearly nothing is clipped."""
        p = self.config.pre_post.input_range
        if p.decay <= 0:
            return gradient
        share = self.inside_share(c)
        self.show(unclipped_fraction=share)
        if not self.decays(share, p.input_min_percentage):
            return gradient
        return self.muladd(self.setting(p.decay), self.r, gradient)

    def inside_share(self, c: Array) -> Array:
        """Fraction of inputs strictly inside the range, in float32."""
        if c.size == 0:
            return np.float32(np.nan)
        return np.float32(
            np.float32(np.count_nonzero(self.strictly_inside(c))) / np.float32(c.size)
        )

    def strictly_inside(self, c: Array) -> Array:
        """Inputs that are not clipped."""
        return np.abs(c) < self.r

    def decays(self, share: Array, threshold: float) -> bool:
        """Whether the decay acts."""
        return bool(share > np.float32(threshold))

    def grown(self, gradient: Array, clipped: Array | None) -> Array:
        """The gradient with the growth term of clipped outputs, if that is managed."""
        p = self.config.pre_post.input_range
        if not p.manage_output_clipping or clipped is None or not clipped.size:
            return gradient
        count = self.clipped_share_of(clipped)
        share = np.float32(1 - np.count_nonzero(clipped) / count)
        if not share < np.float32(p.output_min_percentage):
            return gradient
        return gradient - (self.T(1) - self.T(share)) * self.r

    def clipped_share_of(self, clipped: Array) -> int:
        """What the clipped outputs are a share of."""
        inputs = self.config.choices.output_percentage_of == "inputs"
        return len(clipped) * self.in_size if inputs else clipped.size

    def residual(self, rest: Array, dv: Array) -> Array:
        """What the chain rule adds: the range as a factor and as a divisor."""
        out, into = self.output_sum(rest), self.total(dv * self.v)
        self.show(range_output_sum=out, range_input_sum=into)
        return out - self.quotient(into, self.r)

    def output_sum(self, rest: Array) -> Array:
        """Derivative of the loss by the range as a factor of the output."""
        s = self.values.get("mapping_scales")
        return self.total((rest if s is None else rest * s) * self.z)

    def range_gradient(self, c: Array, d: Array, rest: Array, dv: Array) -> Array:
        """All terms together, ``(1,)``."""
        if self.empty:
            return np.zeros(1, self.T)
        clipped = None if self.perfect else self.clipped_outputs()
        rule = self.decayed(self.grown(self.rule(c, d), clipped), c)
        residual = self.residual(rest, dv)
        self.show(range_rule_with_decay=rule, range_residual=residual)
        return np.reshape(rule + residual, 1).astype(self.T)

    def clipped_outputs(self) -> Array:
        """Which outputs the converter clips."""
        return self.beyond(self.t, self.io.out_bound)
