"""Uniform quantisers: step, place of zero, codes, gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from .estimators import Estimators

Array = Any
SMALLEST = 1e-8


class Quantisers(Estimators):
    """Section F.1 of the description. A quantiser is a name; its state stands among the values of the tile."""

    def bits(self, name: str) -> int:
        """Number of bits of a quantiser."""
        if name == "out_quantizer":
            return self.config.act_quant_config.n_bits
        return self.config.pre_post.periph_quant.n_bits

    def symmetric(self, name: str) -> bool:
        """Whether its grid is around zero."""
        if name == "out_quantizer":
            return self.config.act_quant_config.symmetric
        return self.config.pre_post.periph_quant.symmetric

    def initialised(self, name: str) -> bool:
        """Whether it has a range."""
        return not np.isnan(self.values[f"{name}.delta"])

    def set_range(self, name: str, lo: Array, hi: Array) -> None:
        """Step, place of zero and kind of codes from a range."""
        lo, hi = self.widened(lo, hi)
        signed = self.has_signs(name, lo)
        self.values[f"{name}.signed"] = np.full(1, signed, np.uint8)
        largest = self.setting(self.code_range(name)[1])
        if self.symmetric(name):
            step = self.symmetric_step(lo, hi, largest)
        else:
            step = self.quotient(hi - lo, largest)
            place = self.quotient(-lo, step)
            self.values[f"{name}.zero_float"] = np.array(place, np.float32)
        self.values[f"{name}.delta"] = np.array(step, np.float32)

    def widened(self, lo: Array, hi: Array) -> tuple[Array, Array]:
        """A range that holds zero."""
        return np.minimum(lo, self.T(0)), np.maximum(hi, self.T(SMALLEST))

    def has_signs(self, name: str, lo: Array) -> bool:
        """Whether the codes are signed."""
        return bool(self.symmetric(name) and lo < 0)

    def symmetric_step(self, lo: Array, hi: Array, largest: Array) -> Array:
        """Step of a grid around zero."""
        return self.quotient(np.maximum(np.abs(lo), hi), largest)

    def code_range(self, name: str) -> tuple[int, int]:
        """Smallest and largest code."""
        n = self.bits(name)
        if self.symmetric(name) and self.values[f"{name}.signed"][0]:
            return -(2 ** (n - 1)), 2 ** (n - 1) - 1
        return 0, 2**n - 1

    def scale(self, name: str) -> Array:
        """The step in use."""
        return self.T(np.maximum(self.values[f"{name}.delta"], np.float32(SMALLEST)))

    def zero_point(self, name: str) -> Array:
        """The code of zero."""
        if self.symmetric(name):
            return self.T(0)
        whole = self.whole_place(self.values[f"{name}.zero_float"])
        return self.T(np.clip(whole, 0, self.code_range(name)[1]))

    def whole_place(self, place: Array) -> Array:
        """The place of zero as a whole number."""
        return np.rint(place)

    def unclipped_codes(self, name: str, x: Array) -> Array:
        """Codes before the clip."""
        return np.rint(self.quotient(x, self.scale(name))) + self.zero_point(name)

    def codes(self, name: str, x: Array) -> Array:
        """Codes."""
        lowest, highest = self.code_range(name)
        return np.clip(self.unclipped_codes(name, x), self.T(lowest), self.T(highest))

    def on_quantiser_grid(self, name: str, x: Array) -> Array:
        """Values on the grid."""
        scale, zero, codes = self.scale(name), self.zero_point(name), self.codes(name, x)
        values = scale * (codes - zero)
        stages = {"step": scale, "zero_point": zero, "codes": codes, "quantised": values}
        self.show(**{f"{name}_{part}": value for part, value in stages.items()})
        return values

    def keeps(self, name: str, x: Array) -> Array:
        """Where a value is not clipped."""
        lowest, highest = self.code_range(name)
        m = self.unclipped_codes(name, x)
        return (m >= lowest) & (m <= highest)

    def quantiser_gradient(self, name: str, x: Array, g: Array) -> tuple[Array, dict[str, Array]]:
        """Gradients of values before the quantiser, and of its parameters if they are being learned."""
        inside, found = self.keeps(name, x), {}
        if self.learning(name):
            found[f"{name}.delta"] = self.step_gradient(name, x, g, inside)
            if not self.symmetric(name):
                found[f"{name}.zero_float"] = self.place_gradient(name, g, inside)
        return np.where(inside, g, self.T(0)), found

    def learning(self, name: str) -> bool:
        """Whether its parameters are trained."""
        return bool(self.values[f"{name}.state"][0] == LEARN)

    def step_gradient(self, name: str, x: Array, g: Array, inside: Array) -> Array:
        """Gradient of the stored step."""
        if not self.values[f"{name}.delta"] >= np.float32(SMALLEST):
            return np.zeros((), np.float32)
        levels = self.codes(name, x) - self.zero_point(name)
        error = levels - np.where(inside, self.quotient(x, self.scale(name)), self.T(0))
        return np.array(self.total(g * error), np.float32)

    def place_gradient(self, name: str, g: Array, inside: Array) -> Array:
        """Gradient of the stored place of zero."""
        whole = np.rint(self.values[f"{name}.zero_float"])
        if not 0 <= whole <= self.code_range(name)[1]:
            return np.zeros((), np.float32)
        blocked = np.where(inside, self.T(0), g * self.scale(name))
        return np.array(-self.total(blocked), np.float32)


ESTIMATE, ESTIMATE_TRAIN, FIX, LEARN = range(4)
"""States of a quantiser, as in a checkpoint."""
