"""The grids over ranges, on sets: code range, stored step and place of zero, scale and zero point (clauses QU)."""

from __future__ import annotations

import numpy as np

from refsim.spec.quantisers import SMALLEST_STEP

from .arithmetic import Arithmetic
from .interval import Interval, point
from .profile import BINARY32, FLOAT32
from .rounding import integers

__all__ = [
    "ELEMENTARY",
    "LEAST",
    "code_ends",
    "held_zero",
    "parameters",
    "scale",
    "single",
    "zero_points",
]

LEAST = float(BINARY32.rounded(SMALLEST_STEP))
ELEMENTARY = 2
"""Units in the last place by which a library may miss a logarithm or an exponential."""
SINGLE = Arithmetic(FLOAT32)


def single(a: Interval) -> Interval:
    """The sets rounded to float32, the type of the parameters of quantisers."""
    return Interval(BINARY32.rounded(a.lo), BINARY32.rounded(a.hi))


def held_zero(A: Arithmetic, lo: Interval, hi: Interval) -> tuple[Interval, Interval]:
    """Ranges that hold zero and are not empty, QU-1."""
    least = A.setting(SMALLEST_STEP)
    below = Interval(np.minimum(lo.lo, 0), np.minimum(lo.hi, 0))
    return below, Interval(np.maximum(hi.lo, least.lo), np.maximum(hi.hi, least.hi))


def code_ends(n_bits: int, signed: bool) -> tuple[float, float]:
    """Smallest and largest code, QU-2.

    >>> code_ends(3, True), code_ends(3, False)
    ((-4.0, 3.0), (0.0, 7.0))
    """
    half = 2.0 ** (n_bits - 1)
    return (-half, half - 1) if signed else (0.0, 2 * half - 1)


def parameters(
    A: Arithmetic, lo: Interval, hi: Interval, n_bits: int, symmetric: bool, signed: bool
) -> tuple[Interval, Interval | None]:
    """Step and place of zero, float32, over ranges that hold zero, QU-3 and QU-4.

    >>> from refsim.conformance.admissible import FLOAT32
    >>> step, zero = parameters(Arithmetic(FLOAT32), point([-0.5]), point([3.0]), 3, False, False)
    >>> float(step.lo[0]), float(zero.hi[0])
    (0.5, 1.0)
    """
    most = point(code_ends(n_bits, signed)[1])
    if symmetric:
        lower = lo if signed else point(0.0)
        least, greatest = np.fmax(lower.least_magnitude, hi.lo), np.fmax(lower.magnitude, hi.hi)
        return single(A.quotient(Interval(least, greatest), most)), None
    step = A.quotient(A.difference(hi, lo), most)
    return single(step), single(A.quotient(A.difference(point(0.0), lo), step))


def scale(stored: Interval, logarithmic: bool) -> Interval:
    """Scale in use, from the stored parameter, QU-6."""
    if logarithmic:
        return single(SINGLE.widened(Interval(np.exp(stored.lo), np.exp(stored.hi)), ELEMENTARY))
    return Interval(np.maximum(stored.lo, LEAST), np.maximum(stored.hi, LEAST))


def zero_points(zero_float: Interval, most: float) -> Interval:
    """Codes of zero, QU-7, one piece more in front of the other axes for each that is possible."""
    whole = integers(zero_float)
    return Interval(np.clip(whole.lo, 0, most), np.clip(whole.hi, 0, most))
