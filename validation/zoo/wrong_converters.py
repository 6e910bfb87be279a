"""Mistakes about converters and their noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from .registry import mistake
from .sources import PER_COLUMN, RESOLUTION, ZERO_BOUND

Array = Any
GRIDS = ("DC-3", "DC-4", "DC-1")


@mistake(*GRIDS, needs=["dac"])
class RoundHalfUp:
    """One half is added and the floor taken, so ties always go up."""

    def rounded(self, levels: Array) -> Array:
        return np.floor(levels + self.T(0.5))


@mistake(*GRIDS, needs=["dac"])
class RoundTowardsZero:
    """Levels are truncated by a conversion to integers."""

    def rounded(self, levels: Array) -> Array:
        return np.trunc(levels)


@mistake(*GRIDS, source=RESOLUTION, needs=["dac"])
class ResolutionOneSided:
    """The resolution is taken as a fraction of the bound, and not of the range from minus to plus the bound."""

    def step_size(self, res: float, bound: float) -> Array:
        return self.setting(self.resolution(res) * abs(bound))


@mistake(*GRIDS, source=RESOLUTION, needs=["dac"])
class ResolutionAsStates:
    """The resolution is taken as a number of states, with one step less than states."""

    def resolution(self, res: float) -> float:
        states = res if res > 1 else round(1 / res)
        return 1 / max(1, states - 1)


@mistake("DC-3", needs=["dac"])
class ClipBeforeRound:
    """Inputs are clipped to the bound first and rounded then, so a bound off the grid is exceeded."""

    def quantised_input(self, a: Array, io: Any, noise: Any, turn: int) -> Array:
        return super().quantised_input(self.within(a, io.inp_bound), io, noise, turn)

    def limited_input(self, q: Array, io: Any) -> Array:
        return q


@mistake("DC-3", needs=["dac"])
class TwosComplement:
    """The DAC has one level more below zero than above."""

    def limited_input(self, q: Array, io: Any) -> Array:
        if io.inp_res <= 0 or io.inp_bound <= 0:
            return super().limited_input(q, io)
        step, bound = self.step_size(io.inp_res, io.inp_bound), self.setting(io.inp_bound)
        return np.minimum(np.maximum(q, -bound), bound - step)


@mistake("DC-3", "DC-4", needs=["asymmetry"])
class AsymmetryOfPositive:
    """The asymmetry acts on positive values."""

    def is_negative(self, x: Array) -> Array:
        return x > 0


@mistake("DC-3", "DC-4", needs=["asymmetry"])
class AsymmetryGrows:
    """Negative values grow by the asymmetry instead of shrinking."""

    def damped(self, x: Array, asymmetry: float) -> Array:
        return super().damped(x, -asymmetry)


@mistake("DC-4", source=PER_COLUMN, needs=["noise"])
class NoiseOfFirstColumn:
    """All outputs of a row have the noise of the first one."""

    def deviates(self, noise: Any, name: str, like: Array, turn: int) -> Array:
        xi = super().deviates(noise, name, like, turn)
        return np.broadcast_to(xi[:, :1], xi.shape) if name == "out_noise" else xi


@mistake("DC-4", "DC-3", needs=["noise"])
class NoiseDrawnOnce:
    """The noise of the first pass is kept for all later ones."""

    def deviates(self, noise: Any, name: str, like: Array, turn: int) -> Array:
        kept = vars(self).setdefault("kept_noise", {})
        if name not in kept or kept[name].shape != like.shape:
            kept[name] = super().deviates(noise, name, like, turn)
        return kept[name]


@mistake("DC-4", needs=["noise", "adc"])
class NoiseAfterRounding:
    """Noise is added to the rounded outputs, which then are no codes any more."""

    def analog_to_digital(self, m: Array, io: Any, noise: Any, turn: int) -> Array:
        added = 0
        if io.out_noise > 0 or io.out_noise_std > 0:
            added = self.noise_strength(io) * self.deviates(noise, "out_noise", m, turn)
        t = self.damped(m, io.out_asymmetry)
        if io.out_res > 0:
            shift = self.deviates(noise, "out_sto_round", m, turn) if io.out_sto_round else None
            t = self.on_grid(t, self.step_size(io.out_res, io.out_bound), shift)
        return t + added


@mistake("DC-4", needs=["noise", "eval"])
class NoiseInTrainingOnly:
    """Evaluation has no output noise."""

    def noise_strength(self, io: Any) -> Array:
        return super().noise_strength(io) * self.T(self.training)


@mistake("DC-4", needs=["noise"])
class VarianceForDeviation:
    """The noise setting is taken as a variance."""

    def noise_strength(self, io: Any) -> Array:
        return np.sqrt(super().noise_strength(io))


@mistake("DC-3", "DC-4", "DC-1", "WM-4", needs=["noise", "dac"])
class StochasticRoundingShifted:
    """The uniforms of stochastic rounding are taken to begin at 0, so values are rounded up too often."""

    def on_grid(self, x: Array, step: Array, shift: Array | None) -> Array:
        return super().on_grid(x, step, None if shift is None else shift + self.T(0.5))


@mistake("DC-4", source=ZERO_BOUND)
class ZeroBoundClips:
    """An output bound that is not positive clips all outputs to 0 instead of none."""

    def limited_output(self, t: Array, io: Any) -> Array:
        return super().limited_output(t, io) if io.out_bound > 0 else 0 * t


@mistake("DC-5")
class OutScaleForgotten:
    """The output scale has no effect."""

    def rescaled(self, code: Array, io: Any) -> Array:
        return code / self.sigma
