"""The input range: initialisation from data, clip, and division."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arithmetic import Arithmetic
from .state import State

Array = Any


class InputRange(Arithmetic, State):
    """Section B of the description."""

    @property
    def ranged(self) -> bool:
        """Whether there is an input range."""
        return bool(self.config.pre_post.input_range.enable)

    @property
    def r(self) -> Array:
        """The range, a scalar."""
        return self.values["input_range"][0]

    def initialise_range(self, x: Array) -> None:
        """One step of the schedule, in training."""
        p, r, k = (
            self.config.pre_post.input_range,
            self.values["input_range"],
            self.values["input_range_update_idx"],
        )
        if not self.initialises(k[0], p.init_from_data):
            return
        s = self.deviation(x)
        if self.counts(s):
            r[0] = self.averaged(r[0], k[0], self.suggested(s))
            k[0] = self.counted(k[0])
        r[0] = self.positive(r[0])

    def initialises(self, k: Array, batches: int) -> bool:
        """Whether the schedule is active."""
        return bool(k < batches)

    def counts(self, s: Array) -> bool:
        """Whether a batch with this standard deviation counts."""
        return bool(s > 0)

    def suggested(self, s: Array) -> Array:
        """The range that one batch suggests."""
        return self.setting(self.config.pre_post.input_range.init_std_alpha) * s

    def averaged(self, r: Array, k: Array, value: Array) -> Array:
        """Mean of ``k`` values and one more."""
        return self.quotient(self.muladd(r, self.T(k), value), self.T(k) + self.T(1))

    def counted(self, k: Array) -> Array:
        """The counter after a batch."""
        return k + np.float32(1)

    def positive(self, r: Array) -> Array:
        """The range at the end of a step of the schedule."""
        return np.abs(r)

    def clipped_input(self, x: Array) -> Array:
        """Inputs clipped to the range."""
        bound = np.abs(self.r)
        return np.clip(x, -bound, bound)

    def scaled_input(self, c: Array) -> Array:
        """Clipped inputs in units of the range."""
        return self.quotient(c, self.r)

    def passes_range(self, x: Array) -> Array:
        """Where the gradient of an input passes the clip."""
        return np.abs(x) <= np.abs(self.r)
