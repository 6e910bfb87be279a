"""The crossbar with its converters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .management import Management

Array = Any


class Core(Management):
    """Section C of the description."""

    def core(self, v: Array, weight: Array, noise: Mapping[str, Array]) -> Array:
        """Core output ``(N, out)`` of scaled inputs ``(N, in)``."""
        io = self.io
        self.v, self.used_weight, self.empty = v, weight, False
        if self.perfect:
            self.m = self.z = self.product(v, weight)
            self.show(product=self.m)
            return self.z
        alpha = self.divisors(v, io)
        self.show(noise_management_scale=alpha)
        if self.shortcut(io):
            self.empty, self.z = True, np.zeros((len(v), weight.shape[-2]), self.T)
            return self.z
        beta, turn = 1.0, 0
        while True:
            self.one_pass(v, weight, alpha, beta, noise, turn)
            if not self.iterates(io) or self.fits(self.t, io) or self.gives_up(beta, io):
                break
            beta, turn = beta * 2, turn + 1
        self.show(bound_management_factor=self.T(beta))
        self.alpha = alpha
        self.z = self.rescaled(self.code, io)
        self.show(core_output=self.z)
        return self.z

    def one_pass(
        self,
        v: Array,
        weight: Array,
        alpha: Array,
        beta: float,
        noise: Mapping[str, Array],
        turn: int,
    ) -> None:
        """One pass of bound management."""
        io = self.io
        self.sigma = self.input_factor(alpha, beta)
        self.d = self.digital_to_analog(v * self.sigma, io, noise, turn)
        self.q, self.negative = self.shown["rounded_input"], self.shown["negative_mask"]
        self.m = self.product(self.d, weight)
        self.t = self.analog_to_digital(self.m, io, noise, turn)
        self.code = self.limited_output(self.t, io)
        self.show(
            input_scale=self.sigma[:, 0],
            converted_input=self.d,
            product=self.m,
            rounded_output=self.t,
            output_code=self.code,
        )

    def rescaled(self, code: Array, io: Any) -> Array:
        """Codes with the input factor taken back."""
        return code * self.quotient(self.setting(io.out_scale), self.sigma)
