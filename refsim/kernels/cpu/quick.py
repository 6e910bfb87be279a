"""Sums of float32 terms, or of products of two, by float64 addition with a bound of its error.

The terms are exact in float64. A sum ``s`` of them, added so that none takes part in more than ``D`` additions, is
within ``gamma(D) a`` of the exact one, where ``a`` is the sum of the magnitudes. Where both ends of the interval round
to the same float32 number, as they mostly do, that is the correctly rounded sum.
"""

from __future__ import annotations

import numpy as np

from .._jit import compiled
from . import threads
from .arrays import Array, Float32, Float64, Mask
from .points import P

LANES = 32
SEGMENT = 4096  # terms of a long sum that share their lanes
SLACK = 16  # more additions, which pay for the roundings of the magnitudes and of the ends


def gamma(additions: int) -> float:
    """Bound of the relative error of ``additions + SLACK`` float64 operations."""
    u = (additions + SLACK) * 2.0**-53
    return u / (1 - u)


@compiled
def terms(x: Array, lanes: Float64) -> tuple[float, float]:
    """Sum of a row, and sum of the magnitudes."""
    lanes[:] = 0.0
    s, a = lanes[0], lanes[1]
    for k in range(0, x.size, LANES):
        xk = x[k:]
        for j in range(min(LANES, x.size - k)):
            value = np.float64(xk[j])
            s[j] += value
            a[j] += abs(value)
    return s.sum(), a.sum()


@compiled
def products(x: Array, y: Array, lanes: Float64) -> tuple[float, float]:
    """Sum of the products of two rows, and sum of the magnitudes."""
    lanes[:] = 0.0
    s, a = lanes[0], lanes[1]
    for k in range(0, x.size, LANES):
        xk, yk = x[k:], y[k:]
        for j in range(min(LANES, x.size - k)):
            value = np.float64(xk[j]) * np.float64(yk[j])
            s[j] += value
            a[j] += abs(value)
    return s.sum(), a.sum()


@compiled
def _segments(begin: int, end: int, x: Array, y: Array | None, s: Float64, a: Float64) -> None:
    lanes = np.empty((2, LANES))
    for n in range(begin, end):
        xn = x[n * SEGMENT : (n + 1) * SEGMENT]
        if y is None:
            s[n], a[n] = terms(xn, lanes)
        else:
            s[n], a[n] = products(xn, y[n * SEGMENT : (n + 1) * SEGMENT], lanes)


@compiled
def _columns(begin: int, end: int, x: Array, y: Array | None, s: Float64, a: Float64) -> None:
    sj, aj = s[begin:end], a[begin:end]
    for n in range(x.shape[0]):
        xn = x[n, begin:end]
        if y is None:
            for j in range(end - begin):
                value = np.float64(xn[j])
                sj[j] += value
                aj[j] += abs(value)
        else:
            yn = y[n, begin:end]
            for j in range(end - begin):
                value = np.float64(xn[j]) * np.float64(yn[j])
                sj[j] += value
                aj[j] += abs(value)


@compiled
def _rounded(
    s: Float64, a: Float64, bound: float, divisor: float, out: Float32, open_: Mask
) -> None:
    """Sums over the divisor rounded to float32, and whether the bound leaves that open."""
    for n in range(s.size):
        error, sum_ = bound * a[n], s[n] + 0.0  # no -0
        lower, upper = np.float32((sum_ - error) / divisor), np.float32((sum_ + error) / divisor)
        out[n], open_[n] = lower, not P.same(lower, upper)


def rounded(s: Float64, a: Float64, additions: int, divisor: int = 1) -> tuple[Float32, Mask]:
    """The sums over the divisor rounded to float32, and which of them are not decided."""
    out, undecided = np.empty(s.size, np.float32), np.empty(s.size, np.bool_)
    _rounded(s, a, gamma(additions), float(divisor), out, undecided)
    return out, undecided


def joined(s: Float64, a: Float64, row: int, divisor: int = 1) -> np.float32 | None:
    """The float32 sum of the sums of rows of at most ``row`` terms, over the divisor; None if not decided."""
    if s.size == 0:
        return np.float32(0) / np.float32(divisor)
    additions = -(-row // LANES) + LANES + s.size
    out, undecided = rounded(np.cumsum(s)[-1:], np.cumsum(a)[-1:], additions, divisor)
    return None if undecided[0] else out[0]


def total(x: Array, y: Array | None, divisor: int = 1) -> np.float32 | None:
    """Sum of all terms or products of flat arrays over the divisor; None if not decided."""
    count = -(-x.size // SEGMENT)
    s, a = np.empty(count), np.empty(count)
    threads.run(_segments, count, x.size > threads.ELEMENTS, x, y, s, a)
    return joined(s, a, SEGMENT, divisor)


def column_totals(x: Array, y: Array | None) -> tuple[Float32, Mask]:
    """Sums of the columns of terms or products, and which of them are not decided."""
    s, a = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    threads.run(_columns, x.shape[1], x.size > threads.ELEMENTS, x, y, s, a)
    return rounded(s, a, len(x))
