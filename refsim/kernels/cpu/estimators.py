"""Range of a quantiser from the extremes of data (clauses RE)."""

from __future__ import annotations

import math

import numpy as np

from .._jit import compiled
from . import threads
from .arrays import QUIET, Array, Scalar, plain
from .points import P


@compiled
def _extremes(begin: int, end: int, x: Array, lo: Array, hi: Array) -> None:
    for g in range(begin, end):
        low = high = x[g, 0]
        for j in range(1, x.shape[1]):
            value = x[g, j]
            low = value if (value < low) | (value != value) else low
            high = value if (value > high) | (value != value) else high
        lo[g], hi[g] = P.without_sign_of_zero(low), P.without_sign_of_zero(high)


def value_range(x: Array) -> tuple[Array, Array]:
    """Smallest and largest number of each row. [RE-1]"""
    lo, hi = np.empty(len(x), x.dtype), np.empty(len(x), x.dtype)
    threads.run(_extremes, len(x), x.size > threads.ELEMENTS, plain(x), lo, hi)
    return lo, hi


@QUIET
def percentile_range(x: Array, percentile: np.float64, two_sided: bool) -> tuple[Array, Array]:
    """Percentiles of each row in place of its extremes. [RE-2]"""
    shares = [float(percentile), 100.0 - float(percentile) if two_sided else 100.0]
    last = x.shape[1] - 1
    lower, upper = (_at(x, share / 100.0 * last, last) for share in shares)
    return lower, upper


def _at(x: Array, place: float, last: int) -> Array:
    """Numbers at a place, perhaps between two, in the order of each row."""
    below = math.floor(place)
    above = min(below + 1, last)
    part = np.partition(x, (below, above), axis=1)
    share, start = x.dtype.type(place - below), part[:, below]
    if share == 0:
        return start + x.dtype.type(0)
    rise = np.multiply(share, np.subtract(part[:, above], start))
    return np.add(start, rise) + x.dtype.type(0)


@QUIET
def widest_range(lo: Array, hi: Array, old_lo: Array, old_hi: Array) -> tuple[Array, Array]:
    """Range that holds all data so far. [RE-3]"""
    below, above = old_lo.copy(), old_hi.copy()
    np.copyto(below, lo, where=lo < old_lo)
    np.copyto(above, hi, where=hi > old_hi)
    return below, above


@QUIET
def moving_range(
    lo: Array, hi: Array, old_lo: Array, old_hi: Array, fresh: Scalar, kept: Scalar
) -> tuple[Array, Array]:
    """Moving average of ranges. [RE-4]"""
    below, above = (np.multiply(kept, old) for old in (old_lo, old_hi))
    below += np.multiply(fresh, lo)
    above += np.multiply(fresh, hi)
    return below, above


__all__ = ["moving_range", "percentile_range", "value_range", "widest_range"]
