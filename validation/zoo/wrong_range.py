"""Mistakes about the input range."""

from __future__ import annotations

from typing import Any

import numpy as np

from .registry import mistake

Array = Any


@mistake("IR-4", needs=["learned_range", "backward"])
class ThresholdStrict:
    """Inputs exactly at the range do not count: after the clip no saturated input is beyond it, so the rule is 0."""

    def at_upper_edge(self, c: Array) -> Array:
        return c > self.r

    def at_lower_edge(self, c: Array) -> Array:
        return c < -self.r


@mistake("IR-4", needs=["learned_range", "backward"])
class RuleIsMean:
    """The rule is divided by the number of inputs, as a loss would be."""

    def upper_sum(self, c: Array, d: Array) -> Array:
        return super().upper_sum(c, d) / self.T(c.size)

    def lower_sum(self, c: Array, d: Array) -> Array:
        return super().lower_sum(c, d) / self.T(c.size)


@mistake("IR-1", needs=["data_init"])
class BiasedDeviation:
    """The standard deviation of the initialisation has n in its denominator."""

    def suggested(self, s: Array) -> Array:
        n = self.x.size
        return super().suggested(s * np.sqrt(self.T(n - 1) / self.T(n)))


@mistake("IR-1", needs=["data_init"])
class CounterFromOne:
    """The first batch counts as the second, so the initial value is not forgotten."""

    def averaged(self, r: Array, k: Array, value: Array) -> Array:
        return super().averaged(r, k + 1, value)


@mistake("IR-7", needs=["decay", "backward"])
class DecayGrows:
    """The decay has the wrong sign."""

    def decayed(self, gradient: Array, c: Array) -> Array:
        return 2 * gradient - super().decayed(gradient, c)


@mistake("IR-8", needs=["learned_range", "backward"])
class NoResidual:
    """The gradient of the range is the rule alone; that the range also divides inputs and multiplies outputs is
    forgotten."""

    def residual(self, rest: Array, dv: Array) -> Array:
        return 0 * super().residual(rest, dv)


@mistake("IR-9", needs=["input_range", "backward"])
class ClippedInputsLearn:
    """Inputs beyond the range receive their gradient as if nothing had been clipped."""

    def gated_input_gradient(self, d: Array) -> Array:
        return d
