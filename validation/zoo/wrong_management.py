"""Mistakes about noise and bound management."""

from __future__ import annotations

from typing import Any

import numpy as np

from .registry import mistake

Array = Any
NOISE, BOUND = ("noise_management",), ("bound_management",)


@mistake("NM-1", "NM-2", "NM-3", needs=NOISE)
class OneDivisorForAll:
    """All rows are divided by the largest peak of the batch."""

    def peaks(self, v: Array, io: Any) -> tuple[Array, Array]:
        peak, place = super().peaks(v, io)
        return np.full_like(peak, peak.max(initial=0)), place


@mistake("NM-1", needs=NOISE)
class SignedPeak:
    """The largest value of a row is taken where the largest magnitude is meant."""

    def peaks(self, v: Array, io: Any) -> tuple[Array, Array]:
        return v.max(axis=1), v.argmax(axis=1)


@mistake("NM-3", needs=NOISE)
class CapForgotten:
    """The threshold does not limit the divisor."""

    def capped(self, peak: Array, io: Any) -> Array:
        return peak


@mistake("NM-3", needs=NOISE)
class ZeroRowDivided:
    """A row of zeros among others is divided by its peak, 0."""

    def usable(self, alpha: Array) -> Array:
        return alpha


@mistake("NM-3", "DC-5", "IR-8", "IR-7", "MV-4", needs=[*NOISE, "backward"])
class ZeroBatchGoesThrough:
    """A batch of zeros goes through the converters like any other, so the range decays."""

    def shortcut(self, io: Any) -> bool:
        return False


@mistake("NM-4", "NM-5", needs=[*NOISE, "backward"])
class DivisorIsConstant:
    """The divisor counts as a constant on the way back."""

    def divisor_gradient(self, gz: Array, ga: Array, io: Any) -> Array:
        return 0 * super().divisor_gradient(gz, ga, io)


@mistake("NM-4", needs=[*NOISE, "backward"])
class DivisorOfInputsOnly:
    """The derivative of the divisor leaves out that it also multiplies the outputs."""

    def divisor_gradient(self, gz: Array, ga: Array, io: Any) -> Array:
        return super().divisor_gradient(0 * gz, ga, io)


@mistake("NM-5", needs=[*NOISE, "backward"])
class PeakSignForgotten:
    """The derivative of the divisor is added without the sign of the peak."""

    def peak_signs(self, peaks: Array, io: Any) -> Array:
        return np.ones_like(peaks)


@mistake("NM-5", "NM-1", "NM-2", needs=[*NOISE, "backward"])
class LastPeak:
    """Of several equal peaks of a row the last one takes the derivative."""

    def peaks(self, v: Array, io: Any) -> tuple[Array, Array]:
        peak, place = super().peaks(v[:, ::-1], io)
        return peak, v.shape[1] - 1 - place


@mistake("NM-5", "NM-3", needs=[*NOISE, "backward"])
class CappedDivisorLearns:
    """A divisor at its threshold has a derivative all the same."""

    def differentiable(self, peak: Array, alpha: Array) -> Array:
        return peak > 0


@mistake("BM-1", "BM-2", needs=BOUND)
class InputScaledUp:
    """Bound management multiplies the input by its factor."""

    def input_factor(self, alpha: Array, beta: float) -> Array:
        return (self.setting(beta) / alpha)[:, None]


@mistake("BM-2", "BM-1", needs=BOUND)
class RowsManagedApart:
    """Rows that fit keep the result of their own last pass."""

    def core(self, v: Array, weight: Array, noise: Any) -> Array:
        whole = super().core(v, weight, noise)
        if self.perfect or self.empty or not self.iterates(self.io) or len(v) < 2:
            return whole
        kept, parts = dict(vars(self)), []
        for n in range(len(v)):
            parts.append(super().core(v[n : n + 1], weight, self.row_noise(noise, len(v), n)))
        vars(self).update(kept)
        self.z = np.concatenate(parts)
        return self.z

    def row_noise(self, noise: Any, count: int, n: int) -> dict[str, Array]:
        rows = {}
        for name, given in noise.items():
            if not name.startswith("weight"):
                array = np.asarray(given, self.T)
                rows[name] = array.reshape(len(array), count, -1)[:, n : n + 1]
        return rows


@mistake("BM-2", needs=BOUND)
class BoundTestStrict:
    """An output exactly at the bound asks for another pass."""

    def fits(self, t: Array, io: Any) -> bool:
        return io.out_bound <= 0 or bool((np.abs(t) < self.setting(io.out_bound)).all())


@mistake("BM-2", needs=BOUND)
class BoundTestAfterClip:
    """The test looks at the clipped outputs, which always fit."""

    def fits(self, t: Array, io: Any) -> bool:
        return super().fits(self.within(t, io.out_bound), io)


@mistake("BM-2", needs=BOUND)
class NegativeOutputsIgnored:
    """The test looks at the largest output, not at the largest magnitude."""

    def fits(self, t: Array, io: Any) -> bool:
        return io.out_bound <= 0 or bool((t <= self.setting(io.out_bound)).all())


@mistake("BM-2", needs=BOUND)
class LimitOfFactorForgotten:
    """Passes go on beyond the largest factor."""

    def gives_up(self, beta: float, io: Any) -> bool:
        return beta > 2.0**12
