"""Management of each row by itself, as the compiled core of the manual path does it (clauses NM and BM)."""

from __future__ import annotations

import numpy as np

from .._jit import compiled
from . import threads
from .arrays import Array, Mask, Scalar, plain
from .points import P
from .sums import row_product_totals


@compiled
def _signed_parts(v: Array, positive: Array, negative: Array) -> None:
    for i in range(v.size):
        positive[i], negative[i] = P.positive_part(v[i]), P.positive_part(-v[i])


def row_sum_peak(v: Array) -> Array:
    """Larger of the sum of positive and of the sum of negative values of each row, as a magnitude. [NM-6]"""
    v = plain(v)
    positive, negative, ones = np.empty_like(v), np.empty_like(v), np.ones_like(v)
    flat = v.reshape(-1), positive.reshape(-1), negative.reshape(-1)
    threads.run_elements(_signed_parts, flat)
    above, below = row_product_totals(positive, ones), row_product_totals(negative, ones)
    return np.where(below > above, below, above)


@compiled
def _sum_management_scale(
    peak: Array, sums: Array, factor: Scalar, limit: Scalar, alpha: Array
) -> None:
    for n in range(peak.size):
        alpha[n] = P.sum_management_scale(peak[n], sums[n], factor, limit)


def sum_management_scale(peak: Array, sums: Array, factor: Scalar, limit: Scalar) -> Array:
    """The divisor of noise management that also bounds the output in the worst case. [NM-7]"""
    alpha = np.empty(peak.shape, peak.dtype)
    _sum_management_scale(plain(peak), plain(sums), factor, limit, alpha)
    return alpha


@compiled
def _running_peak(peak: Array, start: Scalar, keep: Scalar, weight: Scalar, average: Array) -> None:
    value = start
    for n in range(peak.size):
        value = P.running_peak(value, peak[n], keep, weight)
        average[n] = value


def running_peak(peak: Array, start: Scalar, keep: Scalar, weight: Scalar) -> Array:
    """Running average of the largest magnitudes, updated row after row. [NM-8]"""
    average = np.empty(peak.shape, peak.dtype)
    _running_peak(plain(peak), start, keep, weight, average)
    return average


@compiled
def _rows_within_bound(
    begin: int, end: int, t: Array, bound: Scalar, negative: bool, within: Mask
) -> None:
    for n in range(begin, end):
        tn, outside = t[n], 0
        for o in range(tn.size):
            above, below = tn[o] <= bound, tn[o] >= -bound
            outside += not (above and (below or not negative))
        within[n] = outside == 0


def rows_within_bound(t: Array, bound: Scalar, negative: bool) -> Mask:
    """Whether no output of a row would be clipped, so that bound management of the row may stop. [BM-3]"""
    t = plain(t)
    within = np.empty(len(t), np.bool_)
    threads.run(_rows_within_bound, len(t), t.size > threads.ELEMENTS, t, bound, negative, within)
    return within


__all__ = ["row_sum_peak", "rows_within_bound", "running_peak", "sum_management_scale"]
