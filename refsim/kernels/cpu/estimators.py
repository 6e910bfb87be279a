"""Range of a quantiser from the extremes of data (clauses RE)."""

from __future__ import annotations

import math

import numpy as np

from .arrays import QUIET, Array, Scalar


def value_range(x: Array) -> tuple[Array, Array]:
    """Smallest and largest number of each row. [RE-1]"""
    lo, hi = np.minimum.reduce(x, axis=1), np.maximum.reduce(x, axis=1)
    lo[lo == 0] = 0
    hi[hi == 0] = 0
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
