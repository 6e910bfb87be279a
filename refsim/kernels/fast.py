"""Products in plain floating-point arithmetic, for ``matmul="fast"``: the bits depend on BLAS, threads and machine.

They have the names and parameters of the clauses MV and stand in for them where speed matters more than bits. Each
element is within ``gamma(K) sum |a_k b_k|`` of the exact sum, with the unit roundoff of the data type.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cpu.product import blas_product

Array = NDArray[np.floating[Any]]
QUIET = np.errstate(all="ignore")


def matrix_product(a: Array, b: Array) -> Array:
    """Product of the rows of ``a`` with the rows of ``b``."""
    return blas_product(a, b)


def transposed_product(g: Array, w: Array) -> Array:
    """Product of the rows of ``g`` with the columns of ``w``."""
    return blas_product(g, w.T)


def outer_product_sum(g: Array, d: Array) -> Array:
    """Sum over the batch of the outer products of two rows."""
    return blas_product(g.T, d.T)


@QUIET
def per_sample_product(a: Array, b: Array) -> Array:
    """Product of each row of ``a`` with a matrix of its own."""
    return np.matmul(b, a[:, :, None])[:, :, 0]


@QUIET
def per_sample_transposed_product(g: Array, w: Array) -> Array:
    """Product of each row of ``g`` with the transpose of a matrix of its own."""
    return np.matmul(g[:, None, :], w)[:, 0]


__all__ = [
    "matrix_product",
    "outer_product_sum",
    "per_sample_product",
    "per_sample_transposed_product",
    "transposed_product",
]
