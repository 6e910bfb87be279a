"""DAC and ADC: grids, clips, asymmetries, noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from refsim.config import BoundManagementType

from .arithmetic import Arithmetic
from .state import State

Array = Any


class Converters(Arithmetic, State):
    """Steps 3 and 5 of section C of the description."""

    def resolution(self, res: float) -> float:
        """Step as a fraction of the full range."""
        return 1 / res if res > 1 else res

    def step_size(self, res: float, bound: float) -> Array:
        """Distance of two levels."""
        return self.setting(self.resolution(res) * 2 * abs(bound))

    def rounded(self, levels: Array) -> Array:
        """Levels to whole numbers."""
        return np.rint(levels)

    def on_grid(self, x: Array, step: Array, shift: Array | None) -> Array:
        """Values on a grid, stochastically if there is a shift."""
        levels = self.quotient(x, step)
        levels = levels if shift is None else levels + shift
        return self.rounded(levels) * step

    def within(self, x: Array, bound: float) -> Array:
        """Values clipped to a bound, if there is one."""
        return np.clip(x, -self.setting(bound), self.setting(bound)) if bound > 0 else x

    def damped(self, x: Array, asymmetry: float) -> Array:
        """Values with the negative ones made smaller."""
        return np.where(self.is_negative(x), x * self.setting(1 - asymmetry), x)

    def is_negative(self, x: Array) -> Array:
        """Where an asymmetry acts."""
        return x < 0

    def beyond(self, x: Array, bound: float) -> Array:
        """Where a clip blocks gradients."""
        if bound <= 0:
            return np.zeros(x.shape, bool)
        return np.abs(x) > self.setting(bound)

    def digital_to_analog(self, a: Array, io: Any, noise: Mapping[str, Array], turn: int) -> Array:
        """Scaled inputs to signals; ``turn`` counts the passes of bound management."""
        q = self.quantised_input(a, io, noise, turn)
        d = self.limited_input(q, io)
        if io.inp_noise > 0:
            xi = self.deviates(noise, "inp_noise", a, turn)
            d = self.muladd(self.setting(io.inp_noise), xi, d)
        negative = self.is_negative(d)
        self.show(rounded_input=q, negative_mask=negative)
        return self.damped(d, io.inp_asymmetry)

    def quantised_input(self, a: Array, io: Any, noise: Mapping[str, Array], turn: int) -> Array:
        """Scaled inputs on the grid of the DAC, if it has one."""
        if io.inp_res <= 0:
            return a
        shift = self.deviates(noise, "inp_sto_round", a, turn) if io.inp_sto_round else None
        return self.on_grid(a, self.step_size(io.inp_res, io.inp_bound), shift)

    def limited_input(self, q: Array, io: Any) -> Array:
        """What the DAC can put out."""
        return self.within(q, io.inp_bound)

    def limited_output(self, t: Array, io: Any) -> Array:
        """What the ADC can return."""
        return self.within(t, io.out_bound)

    def analog_to_digital(self, m: Array, io: Any, noise: Mapping[str, Array], turn: int) -> Array:
        """Products to rounded outputs, not yet clipped."""
        t = self.damped(m, io.out_asymmetry)
        if io.out_noise > 0 or io.out_noise_std > 0:
            t = self.muladd(self.noise_strength(io), self.deviates(noise, "out_noise", m, turn), t)
        if io.out_res > 0:
            shift = self.deviates(noise, "out_sto_round", m, turn) if io.out_sto_round else None
            t = self.on_grid(t, self.step_size(io.out_res, io.out_bound), shift)
        return t

    def noise_strength(self, io: Any) -> Array:
        """Magnitude of the output noise: one, or one for each output."""
        if io.out_noise_std <= 0:
            return self.setting(io.out_noise)
        if "out_noise_values" not in self.values:
            spread = 1 + io.out_noise_std * self.rng.standard_normal(self.out_size)
            self.values["out_noise_values"] = np.abs(io.out_noise * spread).astype(self.T)
        return self.values["out_noise_values"]

    def deviates(self, noise: Mapping[str, Array], name: str, like: Array, turn: int) -> Array:
        """The deviates of one pass: given ones, or drawn where none are given."""
        given = noise.get(name)
        if given is not None:
            given = np.asarray(given, self.T)
            if self.io.bound_management != BoundManagementType.NONE:
                given = given[turn] if turn < len(given) else None
        if given is not None:
            return given.reshape(like.shape)
        if name.endswith("sto_round"):
            return self.rng.uniform(-0.5, 0.5, like.shape).astype(self.T)
        return self.rng.standard_normal(like.shape).astype(self.T)
