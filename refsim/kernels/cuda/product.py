"""Matrix products with one rounding per element (clauses MV).

float32: a product in float64, the bounds of the CPU kernels, and :mod:`.settle` for what these leave open.
float64: each element is a sum of :mod:`.settle`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import cuda

from ..cpu.arrays import Array, Float64, Index, Mask
from ..cpu.product import gamma
from .device import DeviceArray, computed_on_device, empty, flat, launch, launch_rows, on_device
from .plain import product
from .points import SIMULATED, P, kernel
from .settle import LANE, listed, settle, settled
from .terms import (
    Terms,
    columns_by_columns,
    rows_by_columns,
    rows_by_own_columns,
    rows_by_own_rows,
    rows_by_rows,
)

FEW_TERMS = 0 if SIMULATED else 2**21
"""Up to them, a running sum for each element takes less time than the launches of product, bounds and filter."""


class Bounds(NamedTuple):
    """Upper bounds of the norms of the rows of a matrix, and powers of two that divide all their elements."""

    size: DeviceArray
    unit: DeviceArray


@kernel
def _measure(
    x: Array, step: int, depth: int, length: int, count: int, squares: Float64, low: Float64
) -> None:
    """Sum of squares and lowest bit of each lane of each row; lane ``l`` of row ``n`` is element ``l * count + n``."""
    lanes = squares.size // count
    smallest = np.float64(length) * np.float64(2.0**-1060)  # no less than what underflows
    for i in range(cuda.grid(1), squares.size, cuda.gridsize(1)):
        s, bit = smallest, np.float64(np.inf)
        for k in range(i // count, length, lanes):
            element = x[i % count * step + k * depth]
            value, place = np.float64(element), np.float64(P.low_bit(element))
            s = P.add(s, P.mul(value, value))
            bit = place if (place > np.float64(0)) & (place < bit) else bit
        squares[i], low[i] = s, bit


@kernel
def _join_measures(
    squares: Float64, low: Float64, growth: float, size: Float64, unit: Float64
) -> None:
    count = size.size
    for n in range(cuda.grid(1), count, cuda.gridsize(1)):
        s, bit = np.float64(0), np.float64(np.inf)
        for i in range(n, squares.size, count):
            s = P.add(s, squares[i])
            bit = low[i] if low[i] < bit else bit
        size[n], unit[n] = P.mul(P.root(s), growth), bit


def _bounds(x: DeviceArray, count: int, step: int, depth: int, length: int) -> Bounds:
    lanes = max(1, min(-(-length // LANE), LANE))
    squares, low = (empty(count * lanes, np.float64) for _ in range(2))
    launch(_measure, count * lanes, x, step, depth, length, count, squares, low)
    found = Bounds(*(empty(count, np.float64) for _ in range(2)))
    launch(_join_measures, count, squares, low, np.float64(1 + gamma(length)), *found)
    return found


@kernel
def _filter(
    s: Float64,
    left_size: Float64,
    left_unit: Float64,
    right_size: Float64,
    right_unit: Float64,
    bound: float,
    out: Array,
    open_: Mask,
    count: Index,
) -> None:
    """float64 products rounded to float32, and where and how often the bound leaves that open."""
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    zero, digits = np.float64(0), np.float64(2.0**53)
    for n in range(line, s.shape[0], along):
        for o in range(first, s.shape[1], across):
            p = P.mul(left_size[n], right_size[o])
            exact = p < P.mul(P.mul(left_unit[n], right_unit[o]), digits)
            error = zero if exact else P.mul(bound, p)
            sum_ = P.without_sign_of_zero(s[n, o])
            lower = np.float32(P.add(sum_, -error))
            undecided = not P.same(lower, np.float32(P.add(sum_, error)))
            out[n, o], open_[n, o] = lower, undecided
            if undecided:
                cuda.atomic.add(count, 0, 1)


def _single(terms: Terms, shape: tuple[int, int]) -> DeviceArray:
    """float32 products."""
    layout, (N, O), K = terms.layout, shape, terms.length
    s, out, open_ = (
        product(terms, shape, np.float64),
        empty(shape, np.float32),
        empty(shape, np.bool_),
    )
    left = _bounds(terms.x, N, layout.xa, layout.xk, K)
    right = _bounds(terms.y, O, layout.yb, layout.yk, K)
    count = on_device(np.zeros(1, np.int64))
    given = s, *left, *right, np.float64(gamma(K)), out, open_, count
    launch_rows(_filter, shape, *given)
    if terms.sums:
        settle(terms, listed(flat(open_), count, None), flat(out))
    return out


def _product(terms: Terms, shape: tuple[int, int]) -> DeviceArray:
    """All products of a row of one matrix with a row of the other, each rounded once."""
    T = np.dtype(terms.x.dtype)
    if T.itemsize == 4 and terms.sums * terms.length > FEW_TERMS:
        return _single(terms, shape)
    return settled(terms, T).reshape(*shape) if terms.sums else empty(shape, T)


@computed_on_device
def matrix_product(a: Array, b: Array) -> Array:
    """Matrix product of the rows of ``a`` with the rows of ``b``, each element rounded once. [MV-1]"""
    return _product(rows_by_rows(a, b), (a.shape[0], b.shape[0]))


@computed_on_device
def transposed_product(g: Array, w: Array) -> Array:
    """Product of the rows of ``g`` with the columns of ``w``, each element rounded once. [MV-3]"""
    return _product(rows_by_columns(g, w), (g.shape[0], w.shape[1]))


@computed_on_device
def outer_product_sum(g: Array, d: Array) -> Array:
    """Sum over the batch of the outer products of two rows, each element rounded once. [MV-4]"""
    return _product(columns_by_columns(g, d), (g.shape[1], d.shape[1]))


def _by_sample(terms: Terms, shape: tuple[int, int]) -> DeviceArray:
    T = terms.x.dtype
    return settled(terms, T).reshape(*shape) if terms.sums else empty(shape, T)


@computed_on_device
def per_sample_product(a: Array, b: Array) -> Array:
    """Product of each row of ``a`` with a matrix of its own, each element rounded once. [MV-2]"""
    return _by_sample(rows_by_own_rows(a, b), (b.shape[0], b.shape[1]))


@computed_on_device
def per_sample_transposed_product(g: Array, w: Array) -> Array:
    """Product of each row of ``g`` with the transpose of a matrix of its own, each element rounded once. [MV-5]"""
    return _by_sample(rows_by_own_columns(g, w), (w.shape[0], w.shape[2]))


__all__ = [
    "matrix_product",
    "outer_product_sum",
    "per_sample_product",
    "per_sample_transposed_product",
    "transposed_product",
]
