"""Management of each row by itself, as the compiled core of the manual path does it (clauses NM and BM)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .sums import Array, Scalar, row_product_totals

Mask = NDArray[np.bool_]


def row_sum_peak(v: Array) -> Array:
    r"""Larger of the sum of positive and of the sum of negative values of each row, as a magnitude. [NM-6]

    .. math:: S_n = \max\left(\sum_{v_{ni} > 0} v_{ni},\ -\sum_{v_{ni} < 0} v_{ni}\right)

    Parameters
    ----------
    v
        ``(N, I)``, scaled input.

    Returns
    -------
    ``(N,)``, each sum exact and rounded once; ``+0`` for a row of zeros.

    Examples
    --------
    >>> row_sum_peak(np.array([[1.0, -3.0, 2.5], [-1.0, -2.0, 0.0]]))
    array([3.5, 3. ])
    """
    zero, ones = v.dtype.type(0), np.ones_like(v)
    positive = row_product_totals(np.where(v > 0, v, zero), ones)
    negative = row_product_totals(np.where(v < 0, -v, zero), ones)
    return np.where(negative > positive, negative, positive)


def sum_management_scale(peak: Array, sums: Array, factor: Scalar, limit: Scalar) -> Array:
    r"""The divisor of noise management that also bounds the output in the worst case. [NM-7]

    .. math:: \alpha_n = \max(\hat\alpha_n,\ \min(f S_n,\ \ell\,\hat\alpha_n))

    Parameters
    ----------
    peak
        ``(N,)``, largest magnitudes NM-1.
    sums
        ``(N,)``, sums NM-6.
    factor
        Assumed largest weight 0.6 over the output bound, :math:`f`; 0 without a bound.
    limit
        ``max_bm_res`` over the step of the input converter, :math:`\ell`; infinite where nothing is rounded.

    Returns
    -------
    ``(N,)``; 0 for a row of zeros.

    Examples
    --------
    >>> peak, sums = np.array([1.0, 1.0, 0.0]), np.array([2.0, 40.0, 0.0])
    >>> sum_management_scale(peak, sums, np.float64(0.25), np.float64(8))
    array([1., 8., 0.])
    """
    largest, scaled = limit * peak, factor * sums
    scaled = np.where(scaled > largest, largest, scaled)
    return np.where(scaled > peak, scaled, peak)


def running_peak(peak: Array, start: Scalar, keep: Scalar, weight: Scalar) -> Array:
    r"""Running average of the largest magnitudes, updated row after row. [NM-8]

    .. math:: A_n = k A_{n-1} + w \hat\alpha_n,\qquad A_0 = \hat\alpha_0 \text{ if there is no earlier value}

    Parameters
    ----------
    peak
        ``(N,)``, largest magnitudes NM-1.
    start
        Value before the first row; a negative number if there is none.
    keep, weight
        Shares of the past, 0.999, and of the row, 0.001.

    Returns
    -------
    ``(N,)``, the average after each row, which is the divisor of that row.

    Examples
    --------
    >>> T = np.float64
    >>> running_peak(np.array([4.0, 8.0]), T(-1), T(0.75), T(0.25))
    array([4., 5.])
    """
    result = np.empty_like(peak)
    average = start
    for n in range(len(peak)):
        average = peak[n] if average < 0 else keep * average + weight * peak[n]
        result[n] = average
    return result


def rows_within_bound(t: Array, bound: Scalar, negative: bool) -> Mask:
    r"""Whether no output of a row would be clipped, so that bound management of the row may stop. [BM-3]

    .. math:: \forall o:\ t_{no} \le b \ \text{ and, if the negative bound is tested, }\ t_{no} \ge -b

    Parameters
    ----------
    t
        ``(N, O)``, rounded but not yet clipped outputs of a pass.
    bound
        Output bound, infinite if there is none.
    negative
        ``bm_test_negative_bound``.

    Returns
    -------
    ``(N,)``.

    Examples
    --------
    >>> t = np.array([[2.0, 1.0], [-3.0, 1.0], [2.5, 0.0]])
    >>> rows_within_bound(t, np.float64(2), True), rows_within_bound(t, np.float64(2), False)
    (array([ True, False, False]), array([ True,  True, False]))
    """
    inside = t <= bound
    if negative:
        inside &= t >= -bound
    return np.asarray(inside.all(axis=1))


__all__ = ["row_sum_peak", "rows_within_bound", "running_peak", "sum_management_scale"]
