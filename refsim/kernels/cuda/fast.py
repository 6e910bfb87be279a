"""Products in plain floating-point arithmetic, for ``matmul="fast"``: the bits depend on the order of the additions.

They have the names and parameters of the clauses MV, as :mod:`refsim.kernels.fast` has them for the CPU.
"""

from __future__ import annotations

from numba import cuda

from ..cpu.arrays import Array
from .device import DeviceArray, computed_on_device, empty, launch
from .plain import product
from .points import P, kernel
from .terms import (
    Layout,
    Terms,
    columns_by_columns,
    rows_by_columns,
    rows_by_own_columns,
    rows_by_own_rows,
    rows_by_rows,
)


@computed_on_device
def matrix_product(a: Array, b: Array) -> Array:
    """Product of the rows of ``a`` with the rows of ``b``."""
    return product(rows_by_rows(a, b), (a.shape[0], b.shape[0]), a.dtype)


@computed_on_device
def transposed_product(g: Array, w: Array) -> Array:
    """Product of the rows of ``g`` with the columns of ``w``."""
    return product(rows_by_columns(g, w), (g.shape[0], w.shape[1]), g.dtype)


@computed_on_device
def outer_product_sum(g: Array, d: Array) -> Array:
    """Sum over the batch of the outer products of two rows."""
    return product(columns_by_columns(g, d), (g.shape[1], d.shape[1]), g.dtype)


@kernel
def _sums(x: Array, y: Array, layout: Layout, length: int, out: Array) -> None:
    per, xa, xb, xk, ya, yb, yk = layout
    for j in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        group, member = j // per, j % per
        p, q = group * xa + member * xb, group * ya + member * yb
        total = out.dtype.type(0)
        for k in range(length):
            total = P.product_sum(x[p + k * xk], y[q + k * yk], total)
        out[j] = total


def _one_by_one(terms: Terms, shape: tuple[int, int]) -> DeviceArray:
    out = empty(shape, terms.x.dtype)
    given = terms.x, terms.y, terms.layout, terms.length
    launch(_sums, terms.sums, *given, out.reshape(terms.sums) if terms.sums else out)
    return out


@computed_on_device
def per_sample_product(a: Array, b: Array) -> Array:
    """Product of each row of ``a`` with a matrix of its own."""
    return _one_by_one(rows_by_own_rows(a, b), (b.shape[0], b.shape[1]))


@computed_on_device
def per_sample_transposed_product(g: Array, w: Array) -> Array:
    """Product of each row of ``g`` with the transpose of a matrix of its own."""
    return _one_by_one(rows_by_own_columns(g, w), (w.shape[0], w.shape[2]))


__all__ = [
    "matrix_product",
    "outer_product_sum",
    "per_sample_product",
    "per_sample_transposed_product",
    "transposed_product",
]
