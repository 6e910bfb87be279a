"""Sums, each rounded once (clauses SU)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from ..cpu.arrays import QUIET, Array, Scalar
from .device import computed_on_device, empty, first, flat, launch
from .points import P, kernel
from .settle import settled
from .terms import all_elements, of_columns, of_rows


@computed_on_device
def total(x: Array) -> Scalar:
    """Correctly rounded sum of all elements. [SU-1]"""
    return first(settled(all_elements(x, None), x.dtype))


@computed_on_device
def product_total(x: Array, y: Array) -> Scalar:
    """Correctly rounded sum of all element-wise products. [SU-2]"""
    return first(settled(all_elements(x, y), x.dtype))


@computed_on_device
def column_totals(x: Array) -> Array:
    """Correctly rounded sum of each column. [SU-3]"""
    return settled(of_columns(x, None), x.dtype)


@computed_on_device
def column_product_totals(x: Array, y: Array) -> Array:
    """Correctly rounded sum of the products in each column. [SU-4]"""
    return settled(of_columns(x, y), x.dtype)


@computed_on_device
def row_product_totals(x: Array, y: Array) -> Array:
    """Correctly rounded sum of the products in each row. [SU-5]"""
    return settled(of_rows(x, y), x.dtype)


def row_totals(x: Array) -> Array:
    """Correctly rounded sum of each row of a device array."""
    return settled(of_rows(x, None), x.dtype)


@computed_on_device
def mean(x: Array) -> Scalar:
    """Mean of all elements: exact sum, exact division, one rounding. [SU-6]"""
    return first(settled(all_elements(x, None), x.dtype, max(1, x.size)))


@kernel
def _deviations(x: Array, average: Scalar, out: Array) -> None:
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        out[i] = P.add(x[i], -average)


@computed_on_device
@QUIET
def standard_deviation(x: Array) -> Scalar:
    """Standard deviation of all elements with ``n - 1`` in the denominator. [SU-7]"""
    deviation: Any = empty(x.size, x.dtype)
    launch(_deviations, x.size, flat(x), mean(x), deviation)
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
