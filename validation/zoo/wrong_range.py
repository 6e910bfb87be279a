"""Mistakes about the value of the input range, and about what it does to inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from .registry import mistake
from .sources import HALF_RANGE, IN_PLACE_CLAMP

Array = Any


@mistake("SU-7", "IR-1", needs=["data_init"])
class BiasedDeviation:
    """Standard deviations have n in their denominator."""

    def deviation(self, x: Array) -> Array:
        return np.std(x) if x.size else super().deviation(x)


@mistake("IR-1", "CA-2", needs=["data_init"])
class CounterFromOne:
    """The first batch counts as the second, so the initial value is not forgotten."""

    def averaged(self, r: Array, k: Array, value: Array) -> Array:
        return super().averaged(r, k + 1, value)


@mistake("IR-1", needs=["data_init"])
class OneBatchTooMany:
    """The schedule ends after one batch more than was asked for."""

    def initialises(self, k: Array, batches: int) -> bool:
        return bool(batches > 0 and k <= batches)


@mistake("IR-1", needs=["data_init"])
class ConstantBatchCounts:
    """A batch whose standard deviation is 0 is counted and pulls the range towards 0."""

    def counts(self, s: Array) -> bool:
        return bool(s >= 0)


@mistake("IR-1", needs=["data_init"])
class MagnitudeForgotten:
    """A negative range stays negative while it is initialised from data."""

    def positive(self, r: Array) -> Array:
        return r


@mistake("IR-1", needs=["data_init"])
class AlphaForgotten:
    """The range is the standard deviation itself, without its multiplier."""

    def suggested(self, s: Array) -> Array:
        return s


@mistake("IR-1", source=HALF_RANGE, needs=["data_init"])
class RunningRangeInHalf:
    """The product of range and counter is formed in half precision."""

    def averaged(self, r: Array, k: Array, value: Array) -> Array:
        product = self.T(np.float16(r) * np.float16(k))
        return (product + value) / self.T(k + 1)


@mistake("IR-1", "state", needs=["data_init", "eval"])
class EvaluationInitialises:
    """Evaluation batches take part in the initialisation from data."""

    def forward(self, x: Array, training: bool, noise: Any) -> Array:
        rows = np.asarray(x, self.T).reshape(-1, self.in_size)
        if self.ranged and not training and len(rows):
            self.x = rows
            self.initialise_range(rows)
        return super().forward(x, training, noise)


@mistake("IR-2", needs=["input_range"])
class SignedClip:
    """The clip takes the range with its sign, so a negative range turns every input into the range."""

    def clipped_input(self, x: Array) -> Array:
        return np.minimum(np.maximum(x, -self.r), self.r)


@mistake("IR-3", needs=["input_range"])
class DivisionByMagnitude:
    """Inputs are divided by the magnitude of the range, outputs are multiplied by the range."""

    def scaled_input(self, c: Array) -> Array:
        return c / np.abs(self.r)


@mistake("IR-2", needs=["input_range", "eval"])
class EvaluationDoesNotClip:
    """Inputs are clipped in training only."""

    def clipped_input(self, x: Array) -> Array:
        return super().clipped_input(x) if self.training else x


@mistake("IR-9", source=IN_PLACE_CLAMP, needs=["input_range", "backward"])
class ClampInPlace:
    """The input is clamped in place, so the way back takes no input for clipped and lets all gradients pass."""

    def passes_range(self, x: Array) -> Array:
        return np.abs(self.c) <= np.abs(self.r)


@mistake("IR-9", needs=["input_range", "backward"])
class InputGateStrict:
    """An input that is exactly at the range receives no gradient."""

    def passes_range(self, x: Array) -> Array:
        return np.abs(x) < np.abs(self.r)


@mistake("IR-9", "IR-3", needs=["input_range", "backward"])
class DivisionForgottenOnTheWayBack:
    """The gradient of the input is not divided by the range."""

    def gated_input_gradient(self, d: Array) -> Array:
        return super().gated_input_gradient(d * self.r)
