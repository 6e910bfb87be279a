"""Exponential and logarithm from IEEE operations alone, so that every machine returns the same bits (clauses EF).

The coefficients are those of the Taylor series, rounded to ``T``; nothing is fitted. Both functions work element
by element in the data type of their argument, one rounding for every written operation.
"""

from __future__ import annotations

from functools import reduce

import numpy as np

from .sums import Array

# ln 2 = LN2_HIGH + LN2_LOW; k * LN2_HIGH is exact for every exponent k
LN2_HIGH = {
    np.dtype(np.float32): np.float32(45426 / 2**16),
    np.dtype(np.float64): np.float64(3048493539143 / 2**42),
}
LN2_LOW = {
    np.dtype(np.float32): np.float32(1.4286068203094173e-06),
    np.dtype(np.float64): np.float64(5.497923018708371e-14),
}
LOG2_E = 1.4426950408889634
SQRT_HALF = 0.7071067811865476
LOG_TERMS = {np.dtype(np.float32): 5, np.dtype(np.float64): 11}
EXP_TERMS = {np.dtype(np.float32): 8, np.dtype(np.float64): 14}


def horner(x: Array, coefficients: list[float]) -> Array:
    """``c0 + x*(c1 + x*(c2 + ...))``, each coefficient rounded to the type of ``x``."""
    c = [x.dtype.type(value) for value in coefficients]
    return reduce(lambda tail, head: head + x * tail, reversed(c[:-1]), np.full_like(x, c[-1]))


def power_of_two(k: Array) -> Array:
    """``2**k`` for integral ``k``, exactly."""
    return np.ldexp(k.dtype.type(1), k.astype(np.int32))


def log(x: Array) -> Array:
    r"""Natural logarithm, within 1.1 units in the last place. [EF-1]

    With :math:`x = 2^k (1 + f)`, :math:`\sqrt{1/2} \le 1 + f < \sqrt 2` and :math:`s = f / (2 + f)`,

    .. math:: \ln(1 + f) = 2\,\mathrm{artanh}(s) = f - s\,(f - R),\qquad R = \sum_{i\ge1} \frac{2}{2i+1} s^{2i}

    and :math:`\ln x = k L_h + (f - (s (f - R) - k L_l))`, where :math:`L_h + L_l = \ln 2` and :math:`k L_h` is exact.
    The series has 4 terms in float32 and 10 in float64.

    Parameters
    ----------
    x
        Array of ``T``. ``log(0)`` is ``-inf``, a negative or NaN argument gives NaN, ``log(inf)`` is ``inf``.

    Returns
    -------
    Array of ``T``.

    Examples
    --------
    >>> log(np.array([1.0, 2.0, 10.0]))
    array([0.        , 0.69314718, 2.30258509])
    """
    T = x.dtype
    with np.errstate(all="ignore"):
        m, k = np.frexp(x)
        low = m < T.type(SQRT_HALF)
        m, k = np.where(low, m + m, m), np.where(low, k - 1, k).astype(T)
        f = m - T.type(1)
        s = f / (T.type(2) + f)
        z = s * s
        R = z * horner(z, [2 / (2 * i + 1) for i in range(1, LOG_TERMS[T])])
        result = k * LN2_HIGH[T] + (f - (s * (f - R) - k * LN2_LOW[T]))
        result = np.where(x == 0, T.type(-np.inf), np.where(x > 0, result, T.type(np.nan)))
    return np.where(x == np.inf, x, result)


def exp(x: Array) -> Array:
    r"""Exponential function, within 1.5 units in the last place. [EF-2]

    With :math:`k = \mathrm{rint}(x / \ln 2)` and :math:`t = (x - k L_h) - k L_l`,

    .. math:: e^x = 2^k \left(1 + \left(t + t^2 \sum_{i\ge2} \frac{t^{i-2}}{i!}\right)\right)

    up to :math:`i = 7` in float32 and :math:`i = 13` in float64. The power of two is applied as two exact
    factors, so that only a subnormal result is rounded once more.

    Parameters
    ----------
    x
        Array of ``T``. Overflow gives ``inf``, underflow 0, NaN stays NaN.

    Returns
    -------
    Array of ``T``.

    Examples
    --------
    >>> exp(np.array([0.0, 1.0, -1.0]))
    array([1.        , 2.71828183, 0.36787944])
    """
    T, info = x.dtype, np.finfo(x.dtype)
    edge = T.type(
        info.maxexp - info.minexp + info.nmant
    )  # beyond it the result is 0 or infinite anyway
    y = np.where(np.isnan(x), T.type(0), np.where(x < -edge, -edge, np.where(x > edge, edge, x)))
    k = np.rint(y * T.type(LOG2_E))
    t = (y - k * LN2_HIGH[T]) - k * LN2_LOW[T]
    factorials = np.cumprod(np.arange(1.0, EXP_TERMS[T]))  # 1!, 2!, ...
    p = t + t * t * horner(t, [1 / value for value in factorials[1:]])
    half = np.floor(k / T.type(2))
    with np.errstate(over="ignore", under="ignore"):
        result = (T.type(1) + p) * power_of_two(half) * power_of_two(k - half)
    return np.where(np.isnan(x), x, result)


__all__ = ["exp", "log"]
