"""Noise management of rows and bound management of batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim.config import BoundManagementType, NoiseManagementType

from .converters import Converters

Array = Any
NONE, CONSTANT = NoiseManagementType.NONE, NoiseManagementType.CONSTANT
ABS_MAX, MAX = NoiseManagementType.ABS_MAX, NoiseManagementType.MAX


class Management(Converters):
    """Steps 1 and 2 of section C of the description."""

    def peaks(self, v: Array, io: Any) -> tuple[Array, Array]:
        """Largest magnitude or value of each row, and where it stands first."""
        size = np.abs(v) if io.noise_management == ABS_MAX else v
        return size.max(axis=1), size.argmax(axis=1)

    def divisors(self, v: Array, io: Any) -> Array:
        """Divisor of each row."""
        self.peak, self.place, self.managed = None, None, None
        if io.noise_management not in (ABS_MAX, MAX):
            fixed = io.noise_management == CONSTANT and io.nm_thres > 0
            return np.full(len(v), io.nm_thres if fixed else 1, self.T)
        self.peak, self.place = self.peaks(v, io)
        self.show(management_peak=self.peak)
        alpha = self.capped(self.peak, io)
        self.managed = self.differentiable(self.peak, alpha)
        return self.usable(alpha)

    def capped(self, peak: Array, io: Any) -> Array:
        """Peaks limited by the threshold, if there is one."""
        return np.minimum(peak, self.setting(io.nm_thres)) if io.nm_thres > 0 else peak

    def usable(self, alpha: Array) -> Array:
        """Divisors, 1 for rows without a positive peak."""
        return np.where(alpha > 0, alpha, self.T(1))

    def differentiable(self, peak: Array, alpha: Array) -> Array:
        """Where the divisor follows the input."""
        return (peak > 0) & (peak == alpha)

    def shortcut(self, io: Any) -> bool:
        """Whether the batch is left out because there is nothing in it."""
        if self.peak is None or io.inp_noise > 0:
            return False
        return bool(len(self.peak)) and not self.peak.any()

    def iterates(self, io: Any) -> bool:
        """Whether bound management is on."""
        return bool(io.bound_management != BoundManagementType.NONE)

    def fits(self, t: Array, io: Any) -> bool:
        """Whether no output of the batch would be clipped."""
        return io.out_bound <= 0 or bool((np.abs(t) <= self.setting(io.out_bound)).all())

    def gives_up(self, beta: float, io: Any) -> bool:
        """Whether the factor is beyond its limits."""
        if beta > io.max_bm_factor:
            return True
        if io.inp_res <= 0 or io.inp_bound <= 0:
            return False
        return bool(beta > io.max_bm_res / (2 * io.inp_bound * self.resolution(io.inp_res)))

    def input_factor(self, alpha: Array, beta: float) -> Array:
        """Factor on the input of each row, ``(N, 1)``."""
        inverse = self.quotient(self.T(1), alpha)
        return self.quotient(inverse, self.setting(beta))[:, None]
