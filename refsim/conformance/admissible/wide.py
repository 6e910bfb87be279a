"""Operations whose results may keep more digits than the format: computed in float64, rounded when they are stored."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arithmetic import Arithmetic
from .interval import Interval, hull, outward, point
from .profile import BINARY32, Profile

__all__ = ["arithmetic_of"]

ROOM = 2.0**-49


def arithmetic_of(profile: Profile) -> Arithmetic:
    """The operations of a profile.

    >>> from refsim.conformance.admissible import FLOAT32
    >>> third = arithmetic_of(FLOAT32.wider()).quotient(point([1.0]), point([3.0]))
    >>> [float(x) for x in (third.lo[0], third.hi[0])]
    [0.33333333333333265, 0.3333333432674408]
    """
    wide = profile.wide and profile.format.precision < 53
    return WideArithmetic(profile) if wide else Arithmetic(profile)


class WideArithmetic(Arithmetic):
    """Each operation rounds to the format, or to float64, or to something in between.

    The ends move outward by sixteen roundings of float64, so that factors may be associated anyhow, unless the
    operation is exact. Parameters as for :class:`Arithmetic`.
    """

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        self.hidden = profile.format.unit

    def rounded(self, a: Interval) -> Interval:
        """Real numbers, as they are and rounded to the format; to float32 too, where that is not shorter."""
        found = hull(super().rounded(a), a)
        if self.format.precision >= BINARY32.precision:
            return found
        return hull(found, Interval(BINARY32.rounded(a.lo), BINARY32.rounded(a.hi)))

    def setting(self, value: Any) -> Interval:
        """A setting, as it is and rounded to the format."""
        return hull(super().setting(value), self.rounded(point(value)))

    def exact_product(self, a: Interval, b: Interval) -> Interval:
        """Bounds of the products before any rounding."""
        return _spread(*self._exact_product(a, b), self._short(a) & self._short(b))

    def product(self, a: Interval, b: Interval) -> Interval:
        """Products."""
        return self.rounded(self.exact_product(a, b))

    def sum(self, a: Interval, b: Interval) -> Interval:
        """Sums."""
        found = super().sum(a, b)
        lo, hi = a.lo + b.lo, a.hi + b.hi
        exact = (
            (lo - a.lo == b.lo) & (lo - b.lo == a.lo) & (hi - a.hi == b.hi) & (hi - b.hi == a.hi)
        )
        return hull(found, _spread(np.minimum(lo, found.lo), np.maximum(hi, found.hi), exact))

    def _quotient(self, a: Interval, b: Interval) -> Interval:
        lo, hi = self._real_quotient(a, b)
        exact = (lo * b.hi == a.lo) & (hi * b.lo == a.hi) & (lo == hi) & self._short(b)
        exact = self.powers_of_two(b) | exact & self._short(Interval(lo, hi))
        return self.rounded(_spread(lo, hi, exact))

    def _short(self, a: Interval) -> Any:
        """Where the ends are numbers of the format, whose products float64 does not round."""
        return (self.format.rounded(a.lo) == a.lo) & (self.format.rounded(a.hi) == a.hi)


def _spread(lo: Any, hi: Any, exact: Any) -> Interval:
    """Ends moved outward where they are not exact."""
    wide = outward(lo - np.abs(lo) * ROOM, hi + np.abs(hi) * ROOM)
    return Interval(np.where(exact, lo, wide.lo), np.where(exact, hi, wide.hi))
