"""Matrix products with one rounding per element (clauses MV).

Let ``g = gamma(K)`` bound the relative error of ``K`` float64 operations (Higham, Accuracy and Stability, section 3),
``p >= sum |a_k b_k|`` be the product of the norms, and ``q`` a power of two that divides all ``a_k b_k``.

float32: products are exact in float64, so a float64 product ``s`` (any order, with or without FMA) is within ``g p`` of
the sum, and exact if ``p < 2**53 q``, for then every partial sum is a multiple of ``q`` below ``2**53 q``.

float64: Dot2 (Ogita, Rump, Oishi 2005) gives ``s + c``, where ``c`` is a sum of rounding errors, together at most
``g p``. So ``c`` is within ``g g p``, and exact if ``g p < 2**53 q``. No error underflows while ``q > 0``, and nothing
overflows while ``p < 2**1000``.

``SLACK`` more operations in ``gamma`` pay for the roundings of the norms, of ``p`` and of the ends of the interval.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np

from .._jit import compiled
from . import blas, threads
from .arrays import QUIET, Array, Float64, Mask, plain
from .exact import settle
from .points import P
from .sums import row_products, running_rows, settled, zeros

SLACK = 16
BLAS_IS_SERIAL = 200_000  # multiply-adds up to which no BLAS starts threads
LANES = 32
BLOCK = 512  # columns, and BLOCK // 8 terms, of a float64 product that stay in the cache


class Operand(NamedTuple):
    """One side of a product in float64, and what the bounds need of each of its rows of K terms."""

    wide: Float64
    """``(rows, K)``, in any memory order."""
    size: Float64
    """Upper bound of the 2-norm."""
    unit: Float64
    """Power of two that divides every term; infinite if all are 0."""


def gamma(terms: int) -> float:
    """Bound of the relative error of ``terms + SLACK`` operations."""
    u = (terms + SLACK) * 2.0**-53
    return u / (1 - u)


@compiled
def _measured_rows(
    begin: int, end: int, x: Array, growth: float, wide: Float64, size: Float64, unit: Float64
) -> None:
    """The fields of an operand from the rows of ``x``."""
    K = x.shape[1]
    squares, low = np.empty(LANES), np.empty(LANES)
    for n in range(begin, end):
        xn, wn = x[n], wide[n]
        squares[:] = K * 2.0**-1060  # no less than what underflows
        low[:] = np.inf
        for k in range(0, K, LANES):
            xk, wk = xn[k:], wn[k:]
            for j in range(min(LANES, K - k)):
                value, bit = np.float64(xk[j]), np.float64(P.low_bit(xk[j]))
                wk[j] = value
                squares[j] += value * value
                low[j] = bit if (bit > 0) & (bit < low[j]) else low[j]
        size[n], unit[n] = np.sqrt(squares.sum()) * growth, low.min()


@compiled
def _measured_columns(
    begin: int, end: int, x: Array, growth: float, wide: Float64, size: Float64, unit: Float64
) -> None:
    """The fields of an operand from the columns of ``x``."""
    squares, low = size[begin:end], unit[begin:end]
    squares[:] = x.shape[0] * 2.0**-1060
    low[:] = np.inf
    for n in range(x.shape[0]):
        xn, wn = x[n, begin:end], wide[n, begin:end]
        for j in range(end - begin):
            value, bit = np.float64(xn[j]), np.float64(P.low_bit(xn[j]))
            wn[j] = value
            squares[j] += value * value
            low[j] = bit if (bit > 0) & (bit < low[j]) else low[j]
    for j in range(end - begin):
        squares[j] = np.sqrt(squares[j]) * growth


def rows(x: Array) -> Operand:
    """The rows of ``x`` as an operand."""
    x, (N, K) = plain(x), x.shape
    operand = Operand(np.empty((N, K)), np.empty(N), np.empty(N))
    threads.run(_measured_rows, N, x.size > threads.ELEMENTS, x, 1 + gamma(K), *operand)
    return operand


def columns(x: Array) -> Operand:
    """The columns of ``x`` as an operand."""
    x, (K, N) = plain(x), x.shape
    wide, size, unit = np.empty((K, N)), np.empty(N), np.empty(N)
    worthwhile = x.size > threads.ELEMENTS
    threads.run(_measured_columns, N, worthwhile, x, 1 + gamma(K), wide, size, unit)
    return Operand(wide.T, size, unit)


@compiled
def _filtered_single(
    begin: int,
    end: int,
    s: Float64,
    left: tuple[Float64, Float64],
    right: tuple[Float64, Float64],
    bound: float,
    out: Array,
    undecided: Mask,
) -> None:
    """float64 products rounded to float32, and where the bound leaves that open."""
    for n in range(begin, end):
        sn, on, un = s[n], out[n], undecided[n]
        for o in range(sn.size):
            p = left[0][n] * right[0][o]
            exact = p < left[1][n] * right[1][o] * 2.0**53
            error = 0.0 if exact else bound * p
            sum_ = sn[o] + 0.0  # no -0
            lower, upper = np.float32(sum_ - error), np.float32(sum_ + error)
            on[o] = lower
            un[o] = not P.same(lower, upper)


@compiled
def _filtered_double(
    begin: int,
    end: int,
    s: Float64,
    c: Float64,
    left: tuple[Float64, Float64],
    right: tuple[Float64, Float64],
    bound: float,
    out: Array,
    undecided: Mask,
) -> None:
    """Compensated products rounded to float64, and where the bound leaves that open."""
    for n in range(begin, end):
        sn, cn, on, un = s[n], c[n], out[n], undecided[n]
        for o in range(sn.size):
            q = left[1][n] * right[1][o]
            p = left[0][n] * right[0][o]
            errors = bound * p
            error = 0.0 if errors < q * 2.0**53 else bound * errors
            safe = (q > 0.0) & (p < 2.0**1000)
            lower, upper = sn[o] + (cn[o] - error), sn[o] + (cn[o] + error)
            on[o] = lower
            un[o] = not (safe & P.same(lower, upper))


@compiled
def _upper_halves(begin: int, end: int, b: Float64, high: Float64) -> None:
    for k in range(begin, end):
        bk, hk = b[k], high[k]
        for o in range(bk.size):
            hk[o], _ = P.split(bk[o])


@compiled
def _dot2(
    begin: int, end: int, a: Float64, b: Float64, b_high: Float64, s: Float64, c: Float64
) -> None:
    """Compensated products of the rows of ``a`` ``(N, K)`` with the columns of ``b`` ``(K, O)``."""
    K, O = b.shape
    for o in range(0, O, BLOCK):
        stop = min(O, o + BLOCK)
        for block in range(0, K, BLOCK // 8):
            for n in range(begin, end):
                sn, cn = s[n, o:stop], c[n, o:stop]
                for k in range(block, min(K, block + BLOCK // 8)):
                    x, y, y_high = a[n, k], b[k, o:stop], b_high[k, o:stop]
                    x_high, x_low = P.split(x)
                    for j in range(stop - o):
                        h, y_low = x * y[j], y[j] - y_high[j]
                        sn[j], e = P.two_sum(sn[j], h)
                        cn[j] += e + P.product_error(h, x_high, x_low, y_high[j], y_low)


@QUIET
def blas_product(a: Array, b: Array) -> Array:
    """Products of the rows of ``a`` with the rows of ``b``, each somewhere within the bound of its type."""
    (N, K), O = a.shape, len(b)
    out, work = np.empty((N, O), a.dtype), N * K * O
    multiply = np.multiply if K == 1 else np.matmul  # much faster for one term

    def rows_of_a(begin: int, end: int) -> None:
        multiply(a[begin:end], b.T, out=out[begin:end])

    def rows_of_b(begin: int, end: int) -> None:
        multiply(a, b[begin:end].T, out=out[:, begin:end])

    alone = work > BLAS_IS_SERIAL and threads.alone()
    with blas.one_thread.held() if alone else nullcontext():
        threads.run(*((rows_of_a, N) if N >= O else (rows_of_b, O)), threads.worth(work))
    return out


def _single(left: Operand, right: Operand) -> tuple[Array, Mask]:
    """float32 products and where they are undecided."""
    s = blas_product(left.wide, right.wide)
    out, undecided = np.empty(s.shape, np.float32), np.empty(s.shape, np.bool_)
    arguments = s, left[1:], right[1:], gamma(left.wide.shape[1]), out, undecided
    threads.run(_filtered_single, len(s), s.size > threads.ELEMENTS, *arguments)
    return out, undecided


def _double(left: Operand, right: Operand) -> tuple[Array, Mask]:
    """float64 products and where they are undecided."""
    a, b = np.ascontiguousarray(left.wide), np.ascontiguousarray(right.wide.T)
    b_high = np.empty_like(b)
    worthwhile = 20 * a.size * b.shape[1] > threads.MULTIPLY_ADDS
    threads.run(_upper_halves, len(b), worthwhile, b, b_high)
    s, c = np.zeros((len(a), b.shape[1])), np.zeros((len(a), b.shape[1]))
    threads.run(_dot2, len(a), worthwhile, a, b, b_high, s, c)
    out, undecided = np.empty_like(s), np.empty(s.shape, np.bool_)
    arguments = s, c, left[1:], right[1:], gamma(len(b)), out, undecided
    threads.run(_filtered_double, len(a), s.size > threads.ELEMENTS, *arguments)
    return out, undecided


def _product(left: Operand, right: Operand, T: np.dtype[Any]) -> Array:
    """All products of a row of ``left`` with a row of ``right``."""
    single = T.itemsize == 4
    out, undecided = (_single if single else _double)(left, right)
    O = len(right.wide)
    settle(
        out,
        undecided,
        lambda i: (left.wide[i // O], right.wide[i % O]),
        lambda x, y: row_products(x, y, T),
    )
    return out


def matrix_product(a: Array, b: Array) -> Array:
    """Matrix product of the rows of ``a`` with the rows of ``b``, each element rounded once. [MV-1]"""
    return _product(rows(a), rows(b), a.dtype)


def transposed_product(g: Array, w: Array) -> Array:
    """Product of the rows of ``g`` with the columns of ``w``, each element rounded once. [MV-3]"""
    return _product(rows(g), columns(w), g.dtype)


def outer_product_sum(g: Array, d: Array) -> Array:
    """Sum over the batch of the outer products of two rows, each element rounded once. [MV-4]"""
    return _product(columns(g), columns(d), g.dtype)


def per_sample_product(a: Array, b: Array) -> Array:
    """Product of each row of ``a`` with a matrix of its own, each element rounded once. [MV-2]"""
    a, b, (N, O, K) = plain(a), plain(b), b.shape
    running = zeros(N * O)
    worthwhile = b.size > threads.ELEMENTS
    arguments = a.reshape(-1), b.reshape(-1), K, O, *running
    threads.run(running_rows, N * O, worthwhile, *arguments)
    return settled(running, a.dtype, lambda i: (a[i // O], b[i // O, i % O])).reshape(N, O)


@compiled
def _weighted_rows(
    begin: int, end: int, g: Array, w: Array, s: Float64, c: Float64, d: Float64
) -> None:
    """Running sums of the rows of each matrix of ``w`` with the weights in ``g``."""
    for n in range(begin, end):
        sn, cn, dn = s[n], c[n], d[n]
        for o in range(g.shape[1]):
            x, y = np.float64(g[n, o]), w[n, o]
            for i in range(y.size):
                sn[i], cn[i], dn[i] = P.add_product(sn[i], cn[i], dn[i], x, np.float64(y[i]))


def per_sample_transposed_product(g: Array, w: Array) -> Array:
    """Product of each row of ``g`` with the transpose of a matrix of its own, each element rounded once. [MV-5]"""
    g, w, (N, _, I) = plain(g), plain(w), w.shape
    running = zeros(N * I)
    s, c, d = (part.reshape(N, I) for part in running)
    threads.run(_weighted_rows, N, w.size > threads.ELEMENTS, g, w, s, c, d)
    return settled(running, g.dtype, lambda i: (g[i // I], w[i // I, :, i % I])).reshape(N, I)


__all__ = [
    "matrix_product",
    "outer_product_sum",
    "per_sample_product",
    "per_sample_transposed_product",
    "transposed_product",
]
