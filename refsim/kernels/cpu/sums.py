"""Sums, each rounded once (clauses SU).

Sums of float32 terms are mostly decided by :mod:`.quick`. Else a sum is carried as ``s + c``, within ``d`` of the exact
one: ``s`` is the running float64 sum, ``c`` collects the rounding errors of ``s``, and ``d`` the magnitudes of those of
``c``. Where both ends of the interval round to the same number, that is the answer; ``d == 0`` proves ``s + c`` exact.
The rest goes to the superaccumulator.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._jit import compiled
from . import quick, threads
from .arrays import QUIET, Array, Float64, Mask, Scalar, plain
from .exact import Gather, row_sums, settle
from .points import P

LANES = 64  # running sums side by side in a row
SEGMENT = 4096  # terms of a long sum that share their lanes
Running = tuple[Float64, Float64, Float64]


@compiled
def running_rows(
    begin: int,
    end: int,
    x: Array,
    y: Array | None,
    width: int,
    repeat: int,
    s: Float64,
    c: Float64,
    d: Float64,
) -> None:
    """Running sums of rows of ``width`` terms of flat arrays; each row of ``x`` serves ``repeat`` rows of ``y``."""
    lanes = np.empty((3, LANES))
    sl, cl, dl = lanes[0], lanes[1], lanes[2]
    for n in range(begin, end):
        lanes[:] = 0
        offset = width * (n // repeat)
        count = min(width, x.size - offset)
        for k in range(0, count, LANES):
            xk = x[offset + k : offset + count]
            if y is None:
                for j in range(min(LANES, count - k)):
                    sl[j], cl[j], dl[j] = P.add_term(sl[j], cl[j], dl[j], np.float64(xk[j]))
            else:
                yk = y[width * n + k : width * n + count]
                for j in range(min(LANES, count - k)):
                    sl[j], cl[j], dl[j] = P.add_product(
                        sl[j], cl[j], dl[j], np.float64(xk[j]), np.float64(yk[j])
                    )
        P.fold(sl, cl, dl)
        s[n], c[n], d[n] = sl[0], cl[0], dl[0]


@compiled
def running_columns(
    begin: int, end: int, x: Array, y: Array | None, s: Float64, c: Float64, d: Float64
) -> None:
    """Running sums of the columns of matrices."""
    sj, cj, dj = s[begin:end], c[begin:end], d[begin:end]
    for n in range(x.shape[0]):
        xn = x[n, begin:end]
        if y is None:
            for j in range(end - begin):
                sj[j], cj[j], dj[j] = P.add_term(sj[j], cj[j], dj[j], np.float64(xn[j]))
        else:
            yn = y[n, begin:end]
            for j in range(end - begin):
                sj[j], cj[j], dj[j] = P.add_product(
                    sj[j], cj[j], dj[j], np.float64(xn[j]), np.float64(yn[j])
                )


@compiled
def _rounded(
    begin: int, end: int, s: Float64, c: Float64, d: Float64, single: bool, out: Array, open_: Mask
) -> None:
    """Running sums rounded to the type of ``out``, and whether their intervals leave that open."""
    for n in range(begin, end):
        lower, upper = P.ends(s[n], c[n], d[n], single)
        out[n] = upper
        rounded_up = out[n]
        out[n] = lower
        open_[n] = not P.same(out[n], rounded_up)


@compiled
def _folded(s: Float64, c: Float64, d: Float64, divisor: int) -> None:
    """Joins all running sums in the first element, and divides it."""
    P.fold(s, c, d)
    if divisor > 1:
        s[0], c[0], d[0] = P.quotient(s[0], c[0], d[0], np.float64(divisor))


def zeros(count: int) -> Running:
    """Running sums before their first term."""
    return np.zeros(count), np.zeros(count), np.zeros(count)


def decided(running: Running, T: np.dtype[Any]) -> tuple[Array, Mask]:
    """Running sums rounded once to ``T``, and where their intervals leave that open."""
    count = running[0].size
    out, undecided = np.empty(count, T), np.empty(count, np.bool_)
    _rounded(0, count, *running, T.itemsize == 4, out, undecided)
    return out, undecided


def settled(running: Running, T: np.dtype[Any], gather: Gather, divisor: int = 1) -> Array:
    """Running sums rounded once to ``T``; ``gather`` lays out the factors of some of them in rows."""
    out, undecided = decided(running, T)
    settle(out, undecided, gather, lambda x, y: row_sums(x, y, T, divisor))
    return out


def _sum(x: Array, y: Array | None, divisor: int = 1) -> Scalar:
    """Correctly rounded sum of all elements or of all products, over the divisor."""
    x = plain(x).reshape(-1)
    y = None if y is None else plain(y).reshape(-1)
    if x.dtype.itemsize == 4 and (found := quick.total(x, y, divisor)) is not None:
        return found
    segments = -(-x.size // SEGMENT)
    s, c, d = zeros(max(1, segments))
    threads.run(running_rows, segments, x.size > threads.ELEMENTS, x, y, SEGMENT, 1, s, c, d)
    _folded(s, c, d, divisor)
    whole = x.reshape(1, -1), (np.ones_like(x) if y is None else y).reshape(1, -1)
    return settled((s[:1], c[:1], d[:1]), x.dtype, lambda _: whole, divisor)[0]


def _column_sums(x: Array, y: Array | None) -> Array:
    """Correctly rounded sum of each column of terms or of products."""
    x, y = plain(x), None if y is None else plain(y)
    if x.dtype.itemsize == 4:
        out, undecided = quick.column_totals(x, y)
        where = np.flatnonzero(undecided)
        if where.size:
            out[where] = _running_column_sums(x[:, where], None if y is None else y[:, where])
        return out
    return _running_column_sums(x, y)


def _running_column_sums(x: Array, y: Array | None) -> Array:
    x, y = plain(x), None if y is None else plain(y)
    running = zeros(x.shape[1])
    threads.run(running_columns, x.shape[1], x.size > threads.ELEMENTS, x, y, *running)
    return settled(
        running, x.dtype, lambda j: (x[:, j].T, np.ones_like(x[:, j].T) if y is None else y[:, j].T)
    )


def total(x: Array) -> Scalar:
    """Correctly rounded sum of all elements. [SU-1]"""
    return _sum(x, None)


def product_total(x: Array, y: Array) -> Scalar:
    """Correctly rounded sum of all element-wise products. [SU-2]"""
    return _sum(x, y)


def column_totals(x: Array) -> Array:
    """Correctly rounded sum of each column. [SU-3]"""
    return _column_sums(x, None)


def column_product_totals(x: Array, y: Array) -> Array:
    """Correctly rounded sum of the products in each column. [SU-4]"""
    return _column_sums(x, y)


def row_products(x: Array, y: Array, T: np.dtype[Any]) -> Array:
    """Sum of the products in each row, rounded once to ``T``."""
    x, y = plain(x), plain(y)
    running = zeros(len(x))
    flat, width = (x.reshape(-1), y.reshape(-1)), x.shape[1]
    worthwhile = x.size > threads.ELEMENTS
    threads.run(running_rows, len(x), worthwhile, *flat, width, 1, *running)
    return settled(running, T, lambda n: (x[n], y[n]))


def row_product_totals(x: Array, y: Array) -> Array:
    """Correctly rounded sum of the products in each row. [SU-5]"""
    return row_products(x, y, x.dtype)


def mean(x: Array) -> Scalar:
    """Mean of all elements: exact sum, exact division, one rounding. [SU-6]"""
    return _sum(x, None, max(1, x.size))


@QUIET
def standard_deviation(x: Array) -> Scalar:
    """Standard deviation of all elements with ``n - 1`` in the denominator. [SU-7]"""
    deviation = x - mean(x)
    squares = product_total(deviation, deviation)
    return np.sqrt(squares / x.dtype.type(x.size - 1))


__all__ = [
    "column_product_totals",
    "column_totals",
    "mean",
    "product_total",
    "row_product_totals",
    "standard_deviation",
    "total",
]
