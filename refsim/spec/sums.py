"""Sums: the exact real sum of the terms, rounded once (clauses SU).

Every float is an integer times a power of two, so a set of floats is a set of Python integers on one common
grid ``2**e``. Integers add and multiply exactly; one rounding to nearest, ties to even, ends each sum. The order of
the terms cannot matter.

A sum with a NaN or infinite term is NaN, a sum beyond the largest number of the data type is infinite, and an
exactly zero sum is ``+0``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]  # an array of T
Scalar = Any  # a NumPy scalar of T


def grid_integers(x: Array) -> tuple[NDArray[np.object_], int]:
    """Python integers ``n`` and an exponent ``e`` with ``x == n * 2**e`` exactly; NaN and infinities count as 0."""
    bits = np.finfo(x.dtype).nmant + 1
    fraction, exponent = np.frexp(np.where(np.isfinite(x), x, 0).astype(np.float64))
    exponent = exponent.astype(np.int64) - bits
    lowest = int(exponent[fraction != 0].min(initial=2**20))
    n = np.ldexp(fraction, bits).astype(np.int64).astype(object)
    return n << np.maximum(exponent - lowest, 0).astype(object), lowest


def nearest(n: int, e: int, T: np.dtype[Any], divisor: int = 1) -> Scalar:
    """The number of type ``T`` nearest to ``n * 2**e / divisor``, ties to even."""
    info = np.finfo(T)
    size, sign = abs(n), -1.0 if n < 0 else 1.0
    if size == 0:
        return T.type(0)
    top = size.bit_length() - divisor.bit_length()
    top -= (size << max(-top, 0)) < (
        divisor << max(top, 0)
    )  # 2**top <= size / divisor < 2**(top + 1)
    quantum = max(top + e, int(info.minexp)) - info.nmant  # exponent of one unit in the last place
    shift = e - quantum
    denominator = divisor << max(-shift, 0)
    digits, rest = divmod(size << max(shift, 0), denominator)
    digits += 2 * rest > denominator or (2 * rest == denominator and digits % 2)
    if digits.bit_length() + quantum > info.maxexp:
        return T.type(sign * np.inf)
    return T.type(sign * np.ldexp(float(digits), quantum))


def rounded(n: NDArray[np.object_], e: int, T: np.dtype[Any], finite: Any) -> Array:
    """The array ``n * 2**e``, each element rounded once to ``T``; NaN where a term was not finite."""
    values = np.array([nearest(int(k), e, T) for k in n.ravel()], dtype=T).reshape(n.shape)
    return np.where(finite, values, T.type(np.nan))


def total(x: Array) -> Scalar:
    r"""Correctly rounded sum of all elements. [SU-1]

    .. math:: \mathrm{RN}_T\left(\sum_i x_i\right)

    Parameters
    ----------
    x
        Array of any shape, data type ``T``.

    Returns
    -------
    Scalar of ``T``; ``+0`` for an exactly zero or empty sum.

    Examples
    --------
    >>> print(total(np.array([1e8, 1.0, -1e8], dtype=np.float32)))
    1.0
    """
    n, e = grid_integers(x.ravel())
    return rounded(np.array(sum(n.tolist()), dtype=object), e, x.dtype, np.isfinite(x).all())[()]


def product_total(x: Array, y: Array) -> Scalar:
    r"""Correctly rounded sum of all element-wise products. [SU-2]

    .. math:: \mathrm{RN}_T\left(\sum_i x_i y_i\right)

    Parameters
    ----------
    x, y
        Arrays of one shape, data type ``T``; every product enters the sum exactly.

    Returns
    -------
    Scalar of ``T``.

    Examples
    --------
    >>> x = np.array([3.0, 1e-30], dtype=np.float32)
    >>> print(product_total(x, np.array([0.5, 1e-30], dtype=np.float32)))
    1.5
    """
    return column_product_totals(x.reshape(-1, 1), y.reshape(-1, 1))[0]


def column_totals(x: Array) -> Array:
    r"""Correctly rounded sum of each column. [SU-3]

    .. math:: t_j = \mathrm{RN}_T\left(\sum_n x_{nj}\right)

    Parameters
    ----------
    x
        ``(N, C)``.

    Returns
    -------
    ``(C,)``; zeros for ``N = 0``.

    Examples
    --------
    >>> column_totals(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([4., 6.])
    """
    return column_product_totals(x, np.ones_like(x))


def column_product_totals(x: Array, y: Array) -> Array:
    r"""Correctly rounded sum of the products in each column. [SU-4]

    .. math:: t_j = \mathrm{RN}_T\left(\sum_n x_{nj} y_{nj}\right)

    Parameters
    ----------
    x, y
        ``(N, C)``.

    Returns
    -------
    ``(C,)``.

    Examples
    --------
    >>> column_product_totals(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 1.0], [2.0, 0.5]]))
    array([7., 4.])
    """
    (n, e), (m, f) = grid_integers(x), grid_integers(y)
    sums = np.array(
        [sum(column) for column in zip(*(n * m).tolist(), strict=True)] or [0] * x.shape[1],
        dtype=object,
    )
    return rounded(sums, e + f, x.dtype, (np.isfinite(x) & np.isfinite(y)).all(axis=0))


def row_product_totals(x: Array, y: Array) -> Array:
    r"""Correctly rounded sum of the products in each row. [SU-5]

    .. math:: t_n = \mathrm{RN}_T\left(\sum_j x_{nj} y_{nj}\right)

    Parameters
    ----------
    x, y
        ``(N, C)``.

    Returns
    -------
    ``(N,)``.

    Examples
    --------
    >>> row_product_totals(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 1.0], [2.0, 0.5]]))
    array([3., 8.])
    """
    return column_product_totals(np.ascontiguousarray(x.T), np.ascontiguousarray(y.T))


def mean(x: Array) -> Scalar:
    r"""Mean of all elements: exact sum, exact division, one rounding. [SU-6]

    .. math:: \mathrm{RN}_T\left(\frac{1}{n}\sum_i x_i\right)

    Parameters
    ----------
    x
        Array of any shape with at least one element.

    Returns
    -------
    Scalar of ``T``.

    Examples
    --------
    >>> print(mean(np.array([1.0, 2.0, 4.0])))
    2.3333333333333335
    """
    if not np.isfinite(x).all():
        return x.dtype.type(np.nan)
    n, e = grid_integers(x.ravel())
    return nearest(sum(n.tolist()), e, x.dtype, divisor=x.size)


def standard_deviation(x: Array) -> Scalar:
    r"""Standard deviation of all elements with ``n - 1`` in the denominator. [SU-7]

    .. math:: e_i = \mathrm{RN}_T(x_i - \mathrm{mean}(x)),\qquad
        \sigma = \sqrt{\mathrm{RN}_T\left(\sum_i e_i^2\right) / (n - 1)}

    The sum of squares is exact and rounded once; subtraction, division and square root are one rounding each.
    A constant array gives exactly 0.

    Parameters
    ----------
    x
        Array of any shape with at least two elements.

    Returns
    -------
    Scalar of ``T``.

    Examples
    --------
    >>> print(standard_deviation(np.array([1.0, 2.0, 3.0, 4.0, 5.0])))
    1.5811388300841898
    """
    deviation = (x - mean(x)).ravel()
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
