"""Arrays of intervals, and arrays of unions of intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Interval",
    "booleans",
    "hull",
    "inward",
    "near",
    "open_interval",
    "outward",
    "point",
    "where",
]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Interval:
    """An interval for each element of an array, with ends in float64.

    With three axes the first one counts the pieces of a union; both ends NaN stand for no interval.

    Examples
    --------
    >>> codes = Interval(np.array([[[1.0]], [[2.0]]]), np.array([[[1.0]], [[2.0]]]))
    >>> codes.contains(np.array([[2.0]])), codes.contains(np.array([[1.5]]))
    (array([[ True]]), array([[False]]))
    """

    lo: Floats
    hi: Floats

    @property
    def T(self) -> Interval:
        """Transposed."""
        return Interval(self.lo.T, self.hi.T)

    @property
    def magnitude(self) -> Floats:
        """Largest magnitude of each element."""
        result: Floats = np.maximum(np.abs(self.lo), np.abs(self.hi))
        return result

    @property
    def least_magnitude(self) -> Floats:
        """Smallest magnitude of each element."""
        inside = (self.lo <= 0) & (self.hi >= 0)
        result: Floats = np.where(inside, 0.0, np.minimum(np.abs(self.lo), np.abs(self.hi)))
        return result

    @property
    def unlimited(self) -> Mask:
        """Where everything is open, so NaN is, too: infinities met, or a divisor that may be 0."""
        result: Mask = np.isneginf(self.lo) & np.isposinf(self.hi)
        return result

    @property
    def flat(self) -> Interval:
        """The smallest intervals that hold the pieces."""
        if self.lo.ndim < 3:
            return self
        return Interval(np.fmin.reduce(self.lo, axis=0), np.fmax.reduce(self.hi, axis=0))

    def contains(self, value: Floats) -> Mask:
        """Whether each value lies in one of the pieces; NaN lies only where an end is infinite."""
        infinite = np.isinf(self.lo) | np.isinf(self.hi)
        inside: Mask = np.logical_and(self.lo <= value, value <= self.hi) | (
            infinite & np.isnan(value)
        )
        return np.logical_or.reduce(inside, axis=0) if inside.ndim == 3 else inside

    def __getitem__(self, key: Any) -> Interval:
        return Interval(self.lo[key], self.hi[key])


def point(value: Any) -> Interval:
    """Single values."""
    array = np.asarray(value, dtype=np.float64)
    return Interval(array, array)


def open_interval(shape: tuple[int, ...]) -> Interval:
    """All numbers, and NaN."""
    return Interval(np.full(shape, -np.inf), np.full(shape, np.inf))


def near(shown: Floats, sets: Interval, room: float) -> Interval:
    """What stands behind a value that is shown: itself, and what of the sets rounds to it by so much of itself.

    >>> near(np.array([1.0]), Interval(np.array([0.99]), np.array([1.01])), 2.0**-8)
    Interval(lo=array([0.99609375]), hi=array([1.00390625]))
    """
    if room == 0:
        return point(shown)
    lo = np.maximum(sets.lo, shown - np.abs(shown) * room)
    hi = np.minimum(sets.hi, shown + np.abs(shown) * room)
    met = lo <= hi
    lo, hi = (
        np.where(met, np.minimum(lo, shown), shown),
        np.where(met, np.maximum(hi, shown), shown),
    )
    return Interval(lo, hi)


def hull(*intervals: Interval) -> Interval:
    """The smallest intervals that hold all the given ones."""
    lo, hi = intervals[0].lo, intervals[0].hi
    for other in intervals[1:]:
        lo, hi = np.fmin(lo, other.lo), np.fmax(hi, other.hi)
    return Interval(lo, hi)


def where(sure: Any, possible: Any, a: Interval, b: Interval) -> Interval:
    """``a`` where it is sure, ``b`` where ``a`` is not even possible, and the hull of both in between.

    >>> where(np.array([True, False]), np.array([True, True]), point([1.0, 1.0]), point([0.0, 0.0]))
    Interval(lo=array([1., 0.]), hi=array([1., 1.]))
    """
    both = hull(a, b)
    return Interval(
        np.where(sure, a.lo, np.where(possible, both.lo, b.lo)),
        np.where(sure, a.hi, np.where(possible, both.hi, b.hi)),
    )


def booleans(sure: Mask, possible: Mask) -> Interval:
    """Conditions as numbers: 1 where one surely holds, 0 where it cannot, both in between."""
    return Interval(sure.astype(np.float64), possible.astype(np.float64))


def outward(lo: Any, hi: Any) -> Interval:
    """Ends moved outward by one number of float64, which covers one rounding to nearest."""
    return Interval(np.nextafter(lo, -np.inf), np.nextafter(hi, np.inf))


def inward(value: Interval, lo: float, hi: float) -> Interval:
    """The part between two numbers; no interval where there is none."""
    low, high = np.maximum(value.lo, lo), np.minimum(value.hi, hi)
    empty = ~(low <= high)
    return Interval(np.where(empty, np.nan, low), np.where(empty, np.nan, high))
