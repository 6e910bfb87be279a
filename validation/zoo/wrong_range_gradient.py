"""Mistakes about the gradient of the input range."""

from __future__ import annotations

from typing import Any

import numpy as np

from .registry import mistake
from .sources import NO_GRAD, RANGE_BACKWARD, RANGE_BACKWARD_UNITS

Array = Any
LEARNED = ("learned_range", "backward")


@mistake("IR-4", needs=LEARNED)
class ThresholdStrict:
    """Inputs exactly at the range do not count: after the clip no saturated input is beyond it, so the rule is 0."""

    def at_upper_edge(self, c: Array) -> Array:
        return c > self.r

    def at_lower_edge(self, c: Array) -> Array:
        return c < -self.r


@mistake("IR-4", needs=LEARNED)
class RuleIsMean:
    """The rule is divided by the number of inputs, as a loss would be."""

    def upper_sum(self, c: Array, d: Array) -> Array:
        return super().upper_sum(c, d) / self.T(max(1, c.size))

    def lower_sum(self, c: Array, d: Array) -> Array:
        return super().lower_sum(c, d) / self.T(max(1, c.size))


@mistake("IR-4", needs=LEARNED)
class PlainDerivative:
    """Saturated inputs that ask for less count as well: the derivative of the clip instead of the rule."""

    def upper_sum(self, c: Array, d: Array) -> Array:
        return self.total(np.where(self.at_upper_edge(c), d, self.T(0)))

    def lower_sum(self, c: Array, d: Array) -> Array:
        return self.total(np.where(self.at_lower_edge(c), d, self.T(0)))


@mistake("IR-4", needs=LEARNED)
class UpperEdgeOnly:
    """Inputs at the lower edge are forgotten, as if there were a rectifier in front."""

    def lower_sum(self, c: Array, d: Array) -> Array:
        return self.T(0)


@mistake("IR-4", source=RANGE_BACKWARD, needs=LEARNED)
class StoredInput:
    """The rule takes the inputs that were stored in the forward pass before."""

    def forward(self, x: Array, training: bool, noise: Any) -> Array:
        self.stored = getattr(self, "c", None)
        return super().forward(x, training, noise)

    def rule(self, c: Array, d: Array) -> Array:
        known = self.stored is not None and self.stored.shape == c.shape
        return super().rule(self.stored if known else c, d)


@mistake("IR-4", "IR-5", source=RANGE_BACKWARD_UNITS, needs=LEARNED)
class RuleInOtherUnits:
    """The rule takes the gradient of the divided input with the thresholds of the input itself."""

    def rule(self, c: Array, d: Array) -> Array:
        return super().rule(c, d * self.r)


@mistake("IR-5", needs=LEARNED)
class GradientScaleIgnored:
    """The gradient scale has no effect."""

    def scales_gradient(self, p: Any) -> bool:
        return False


@mistake("IR-5", needs=LEARNED)
class LowerEdgeAdded:
    """The sum at the lower edge is added instead of subtracted."""

    def edges(self, upper: Array, lower: Array) -> Array:
        return upper + lower


@mistake("IR-5", needs=LEARNED)
class RelativeForgotten:
    """The gradient is not relative to the range."""

    def rule(self, c: Array, d: Array) -> Array:
        relative = self.config.pre_post.input_range.gradient_relative
        result = super().rule(c, d)
        result = result / self.r if relative else result
        self.show(range_rule=result)
        return result


@mistake("IR-5", "IR-8", "IR-4", source=NO_GRAD, needs=LEARNED)
class RangeUnderNoGrad:
    """The range receives no gradient at all."""

    def range_gradient(self, c: Array, d: Array, rest: Array, dv: Array) -> Array:
        return 0 * super().range_gradient(c, d, rest, dv)


@mistake("IR-6", "IR-7", needs=["decay", "backward"])
class FractionWithTheEdge:
    """Inputs exactly at the range count as not clipped."""

    def strictly_inside(self, c: Array) -> Array:
        return np.abs(c) <= np.abs(self.r)


@mistake("IR-7", needs=["decay", "backward"])
class DecayGrows:
    """The decay has the wrong sign."""

    def decayed(self, gradient: Array, c: Array) -> Array:
        return 2 * gradient - super().decayed(gradient, c)


@mistake("IR-7", needs=["decay", "backward"])
class DecayAlways:
    """The range decays whatever share of the inputs is clipped."""

    def decays(self, share: Array, threshold: float) -> bool:
        return bool(share == share)


@mistake("IR-7", "IR-6", needs=["decay", "backward"])
class DecayAtThreshold:
    """The range decays also where the share is exactly at its threshold."""

    def decays(self, share: Array, threshold: float) -> bool:
        return bool(share >= np.float32(threshold))


@mistake("IR-7", needs=["decay", "backward"])
class DecayNotRelative:
    """The decay coefficient itself is added, without the range."""

    def decayed(self, gradient: Array, c: Array) -> Array:
        added = super().decayed(gradient, c) - gradient
        return gradient + added / self.r


@mistake("IR-8", needs=LEARNED)
class NoResidual:
    """The gradient is the rule alone; that the range also divides inputs and multiplies outputs is forgotten."""

    def residual(self, rest: Array, dv: Array) -> Array:
        return 0 * super().residual(rest, dv)


@mistake("IR-8", needs=LEARNED)
class ResidualOfOutputsOnly:
    """The range counts as a factor of the outputs, but not as the divisor of the inputs."""

    def residual(self, rest: Array, dv: Array) -> Array:
        return super().residual(rest, 0 * dv)


@mistake("IR-10", "IR-11", needs=["output_clipping", "backward"])
class ShareOfInputs:
    """The share of clipped outputs is taken of the number of inputs."""

    def clipped_share_of(self, clipped: Array) -> int:
        return len(clipped) * self.in_size


@mistake("IR-11", needs=["output_clipping", "backward"])
class GrowthForgotten:
    """Clipped outputs do not make the range grow."""

    def grown(self, gradient: Array, clipped: Array | None) -> Array:
        return gradient
