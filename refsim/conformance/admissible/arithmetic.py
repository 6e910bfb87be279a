"""Element-wise operations on intervals, rounded as a profile says."""

from __future__ import annotations

from typing import Any

import numpy as np

from .interval import Interval, hull, inward, outward, point
from .profile import Format, Profile

__all__ = ["Arithmetic"]


class Arithmetic:
    """The operations of the clauses for sets of operands that are numbers of the format of a profile.

    Rounding to nearest is monotone, so the rounded ends bound the rounded values. For a format of at most 24 bits the
    ends are computed in float64: a sum, product or quotient of two numbers of the format is rounded twice then, which
    is innocuous (Figueroa 1995) but where the result is subnormal; there the ends move outward first.

    Parameters
    ----------
    profile
        What the implementation declares.

    Examples
    --------
    >>> from refsim.conformance.admissible import FLOAT32
    >>> third = Arithmetic(FLOAT32.reciprocals()).quotient(point([5.0]), point([3.0]))
    >>> [float(x) for x in (np.float32(5) / np.float32(3), third.lo[0], third.hi[0])]
    [1.6666666269302368, 1.6666665077209473, 1.666666865348816]
    """

    hidden = 0.0
    """How much of itself a value may have lost when it was stored."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.format: Format = profile.format
        self._small = 4 * 2.0**profile.format.least_exponent

    def _settled(self, lo: Any, hi: Any) -> Interval:
        """Results of one operation on numbers of the format, rounded to it."""
        if self.format.precision == 53:
            return Interval(np.asarray(lo), np.asarray(hi))
        wide = outward(lo, hi)
        lo = np.where(np.abs(lo) < self._small, wide.lo, lo)
        hi = np.where(np.abs(hi) < self._small, wide.hi, hi)
        return self.rounded(Interval(lo, hi))

    def given(self, values: Any) -> Interval:
        """Numbers that an implementation is given, rounded to the format."""
        return self.rounded(point(values))

    def rounded(self, a: Interval) -> Interval:
        """Real numbers between two ends, rounded to the format."""
        return Interval(self.format.rounded(a.lo), self.format.rounded(a.hi))

    def widened(self, a: Interval, ulps: int) -> Interval:
        """Intervals that hold all numbers at most so many units in the last place away."""
        if ulps == 0:
            return a
        u, least = 2 * ulps * self.format.unit, ulps * self.format.least
        lo, hi = (np.nextafter(np.abs(end) * u + least, np.inf) for end in (a.lo, a.hi))
        return outward(a.lo - lo, a.hi + hi)

    def loosened(self, a: Interval, roundings: int, size: Any) -> Interval:
        """Intervals that hold what so many more roundings of terms of this size may change."""
        bound = (2 * roundings * self.format.unit) * size + 2 * roundings * self.format.least
        return self.rounded(outward(a.lo - bound, a.hi + bound)) if roundings else a

    def setting(self, value: Any) -> Interval:
        """A setting combined in float64, rounded to the format."""
        rounded = point(self.format.rounded(np.asarray(value, dtype=np.float64)))
        exact = ~np.isfinite(rounded.lo) | (rounded.lo == 0) | (np.abs(rounded.lo) == 1)
        wide = self.widened(rounded, self.profile.setting)
        return Interval(np.where(exact, rounded.lo, wide.lo), np.where(exact, rounded.hi, wide.hi))

    def product(self, a: Interval, b: Interval) -> Interval:
        """Products, rounded once."""
        return self._settled(*self._exact_product(a, b))

    @staticmethod
    def _exact_product(a: Interval, b: Interval) -> tuple[Any, Any]:
        p, q, r, s = a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi
        lo, hi = np.fmin(np.fmin(p, q), np.fmin(r, s)), np.fmax(np.fmax(p, q), np.fmax(r, s))
        return _guarded(lo, hi, (p, q, r, s), a, b)

    def exact_product(self, a: Interval, b: Interval) -> Interval:
        """Bounds of the products before any rounding."""
        lo, hi = self._exact_product(a, b)
        return outward(lo, hi) if self.format.precision > 24 else Interval(lo, hi)

    def sum(self, a: Interval, b: Interval) -> Interval:
        """Sums, rounded once."""
        lo, hi = a.lo + b.lo, a.hi + b.hi
        return self._settled(*_guarded(lo, hi, (lo, hi), a, b))

    def difference(self, a: Interval, b: Interval) -> Interval:
        """Differences, rounded once."""
        return self.sum(a, Interval(-b.hi, -b.lo))

    def product_sum(self, a: Interval, b: Interval, c: Interval) -> Interval:
        """``a * b + c``: the product rounded, or not if the profile may fuse."""
        result = self.sum(self.product(a, b), c)
        if not self.profile.fused:
            return result
        p = self.exact_product(a, b)
        return hull(result, self.rounded(outward(p.lo + c.lo, p.hi + c.hi)))

    def quotient(self, a: Interval, b: Interval) -> Interval:
        """Quotients, rounded once; or products with a reciprocal if the profile says so."""
        result = self._quotient(a, b)
        if not self.profile.reciprocal:
            return result
        return hull(result, self.product(a, self.inverse(b)))

    def _quotient(self, a: Interval, b: Interval) -> Interval:
        return self._settled(*self._real_quotient(a, b))

    def exact_quotient(self, a: Interval, b: Interval) -> Interval:
        """Bounds of the quotients before any rounding."""
        return outward(*self._real_quotient(a, b))

    @staticmethod
    def _real_quotient(a: Interval, b: Interval) -> tuple[Any, Any]:
        p, q, r, s = a.lo / b.lo, a.lo / b.hi, a.hi / b.lo, a.hi / b.hi
        lo, hi = np.fmin(np.fmin(p, q), np.fmin(r, s)), np.fmax(np.fmax(p, q), np.fmax(r, s))
        lo, hi = _guarded(lo, hi, (p, q, r, s), a, b)
        zero = (b.lo <= 0) & (b.hi >= 0)
        if zero.any():
            lo, hi = np.where(zero, -np.inf, lo), np.where(zero, np.inf, hi)
        return lo, hi

    def inverse(self, b: Interval) -> Interval:
        """Rounded reciprocals and the numbers beside them; a power of two has an exact one."""
        result = self._quotient(point(1.0), b)
        wide = self.widened(result, 1)
        exact = self.powers_of_two(b) | np.isinf(result.lo) | np.isinf(result.hi)
        return Interval(np.where(exact, result.lo, wide.lo), np.where(exact, result.hi, wide.hi))

    @staticmethod
    def powers_of_two(a: Interval) -> Any:
        """Where a number is known and a power of two."""
        return (a.lo == a.hi) & (np.abs(np.frexp(a.lo)[0]) == 0.5)

    @property
    def ratio_of_equals(self) -> Interval:
        """A number over itself: 1, but for a reciprocal."""
        return self.widened(point(1.0), 2) if self.profile.reciprocal else point(1.0)

    @staticmethod
    def clip(a: Interval, bound: Interval) -> Interval:
        """Values limited to plus and minus a bound; what may be NaN stays so."""
        low, high = bound.lo, bound.hi
        lo = np.where(a.lo < 0, np.maximum(a.lo, -high), np.minimum(a.lo, low))
        hi = np.where(a.hi < 0, np.maximum(a.hi, -low), np.minimum(a.hi, high))
        return Interval(np.where(a.unlimited, a.lo, lo), np.where(a.unlimited, a.hi, hi))

    def damped(self, a: Interval, factor: Interval) -> Interval:
        """``a``, times a factor where it is negative; both where the sign is open."""
        if (factor.lo == 1).all() and (factor.hi == 1).all():
            return a
        negative = self.product(inward(a, -np.inf, 0.0), factor)
        positive = inward(a, 0.0, np.inf)
        lo, hi = np.fmin(negative.lo, positive.lo), np.fmax(negative.hi, positive.hi)
        return Interval(lo, hi)


def _guarded(lo: Any, hi: Any, parts: tuple[Any, ...], a: Interval, b: Interval) -> tuple[Any, Any]:
    """The ends, without limit where an operation on infinities gave NaN."""
    bad = np.isnan(parts[0])
    for part in parts[1:]:
        bad = bad | np.isnan(part)
    if not bad.any():
        return lo, hi
    empty = np.isnan(a.lo) | np.isnan(b.lo)
    unlimited = bad & ~empty
    lo = np.where(unlimited, -np.inf, np.where(empty, np.nan, lo))
    return lo, np.where(unlimited, np.inf, np.where(empty, np.nan, hi))
