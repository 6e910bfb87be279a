"""The standard deviation on sets, by whatever formula the profile allows."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arithmetic import Arithmetic
from .interval import Floats, Interval, outward, point
from .profile import Profile
from .sums import own_error

__all__ = ["deviation"]


def deviation(A: Arithmetic, x: Interval) -> Interval:
    """Standard deviations of all elements, with one less than their number in the denominator.

    A constant whose multiples are all numbers of the format has exactly 0. The mean of another one may be rounded, and
    then it is up to the order of the sum whether the deviation is 0.

    >>> from refsim.conformance.admissible import FLOAT32, Arithmetic
    >>> from refsim.conformance.admissible.interval import point
    >>> s = deviation(Arithmetic(FLOAT32), point([1.0, 2.0, 3.0, 4.0, 5.0]))
    >>> bool(s.lo < 1.5811388 < s.hi), bool(s.hi - s.lo < 1e-4)
    (True, True)
    >>> deviation(Arithmetic(FLOAT32), point([0.5, 0.5, 0.5]))
    Interval(lo=array(0.), hi=array(0.))
    >>> s = deviation(Arithmetic(FLOAT32), point(np.full(3, np.float32(0.1))))
    >>> bool(s.lo == 0 < s.hi < 1e-6)
    True
    """
    lo, hi = x.lo.ravel(), x.hi.ravel()
    if (lo == lo[0]).all() and (hi == lo[0]).all() and _summed_exactly(A.profile, lo[0], lo.size):
        return point(0.0)
    middle = lo + (hi - lo) / 2
    radius = np.maximum(hi - middle, middle - lo)
    if radius.any():
        radius = np.nextafter(radius, np.inf)
    squares = _squares(A.profile, middle, radius)
    squares = A.rounded(outward(np.maximum(squares.lo, 0), squares.hi))
    mean_square = A.quotient(squares, point(A.format.rounded(np.float64(lo.size - 1))))
    return A.rounded(Interval(np.sqrt(np.maximum(mean_square.lo, 0)), np.sqrt(mean_square.hi)))


def _summed_exactly(profile: Profile, value: Any, n: int) -> bool:
    """Whether no sum of up to ``n`` times a number, or of its square in one pass, is ever rounded."""
    if not np.isfinite(value):
        return False
    numerator, _ = float(value).as_integer_ratio()
    bits = (numerator // (numerator & -numerator or 1)).bit_length()
    needed = bits * (2 if profile.deviation == "one-pass" else 1) + n.bit_length()
    return needed <= profile.format.precision


def _squares(profile: Profile, middle: Floats, radius: Floats) -> Interval:
    """Sums of the squared distances from the mean."""
    n, size = len(middle), np.abs(middle) + radius
    total = size.sum() * (1 + 2 * own_error(n))
    low, high = _roots(middle, radius, total)
    shift = profile.gamma(n + 2) * total / n + profile.format.unit * size.max()
    spread = profile.gamma(n + 2) * (np.sqrt(n) * high + n * shift) / n
    lower, upper = low * low - n * (shift + spread) ** 2, high * high + n * shift**2
    if profile.deviation != "two-pass":
        error = _updating(profile, n, size.max(), np.ptp(middle) + 2 * radius.max())
        lower, upper = (
            np.minimum(lower, max(low - error, 0.0) ** 2),
            max(upper, (high + error) ** 2),
        )
    if profile.deviation == "one-pass":
        error = (size @ size + total * total / n) * (1 + 2 * own_error(n))
        error = profile.gamma(2 * n + 8) * error
        lower, upper = min(lower, low * low - error), max(upper, high * high + error)
    rounding = profile.gamma(n + 8) + 8 * profile.format.unit
    least = n * profile.format.least
    lower, upper = lower * (1 - rounding) - least, upper * (1 + rounding) + least
    own = 1 + 4 * own_error(8)
    if not (np.isfinite(lower) and np.isfinite(upper)):
        return Interval(np.asarray(0.0), np.asarray(np.inf))
    return Interval(np.asarray(max(lower / own, 0.0)), np.asarray(upper * own))


def _roots(middle: Floats, radius: Floats, total: Any) -> tuple[Any, Any]:
    """Bounds of the roots of the sums of squares, as float64 computes them in two passes."""
    n = len(middle)
    distance = middle - middle.sum() / n
    computed, own = distance @ distance, own_error(n + 4)
    shift = own * total / n
    low = np.sqrt(max(computed / (1 + own) - n * shift**2, 0.0))
    high = np.sqrt(computed / (1 - own) + n * 2.0**-1074)
    reach = np.sqrt(radius @ radius) * (1 + 2 * own) if radius.any() else 0.0
    return max(low * (1 - own) - reach, 0.0), high * (1 + own) + reach


def _updating(profile: Profile, n: int, size: Any, width: Any) -> Any:
    """Bound of what the errors of running means add to the root of the sum of squares."""
    unit = profile.gamma(n + 8) / (n + 8)
    steps = np.log2(n) + 1
    first = unit * size / 2 * np.sqrt(n**3 / 3 + 8.0 * n**2)
    second = 3 * unit * width * steps * np.sqrt(n * steps / 2)
    return (first + second + n * profile.format.least) * (1 + 2 * own_error(8))
