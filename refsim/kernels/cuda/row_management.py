"""Management of each row by itself, as the compiled core of the manual path does it (clauses NM and BM)."""

from __future__ import annotations

import numpy as np
from numba import cuda

from ..cpu.arrays import Array, Mask, Scalar
from .device import computed_on_device, empty, flat, launch, launch_rows, on_device
from .points import P, kernel
from .sums import row_totals


@kernel
def _signed_parts(v: Array, positive: Array, negative: Array) -> None:
    for i in range(cuda.grid(1), v.size, cuda.gridsize(1)):
        positive[i], negative[i] = P.positive_part(v[i]), P.positive_part(-v[i])


@kernel
def _larger(above: Array, below: Array, out: Array) -> None:
    for n in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        out[n] = below[n] if below[n] > above[n] else above[n]


@computed_on_device
def row_sum_peak(v: Array) -> Array:
    """Larger of the sum of positive and of the sum of negative values of each row, as a magnitude. [NM-6]"""
    positive, negative = empty(v.shape, v.dtype), empty(v.shape, v.dtype)
    launch(_signed_parts, v.size, flat(v), flat(positive), flat(negative))
    out = empty(v.shape[0], v.dtype)
    launch(_larger, out.size, row_totals(positive), row_totals(negative), out)
    return out


@kernel
def _sum_management_scale(
    peak: Array, sums: Array, factor: Scalar, limit: Scalar, alpha: Array
) -> None:
    for n in range(cuda.grid(1), peak.size, cuda.gridsize(1)):
        alpha[n] = P.sum_management_scale(peak[n], sums[n], factor, limit)


@computed_on_device
def sum_management_scale(peak: Array, sums: Array, factor: Scalar, limit: Scalar) -> Array:
    """The divisor of noise management that also bounds the output in the worst case. [NM-7]"""
    alpha = empty(peak.shape, peak.dtype)
    launch(_sum_management_scale, peak.size, peak, sums, factor, limit, alpha)
    return alpha


@kernel
def _running_peak(peak: Array, begin: Scalar, keep: Scalar, weight: Scalar, average: Array) -> None:
    """One row after the other, so one thread."""
    if cuda.grid(1) == 0:
        value = begin
        for n in range(peak.size):
            value = P.running_peak(value, peak[n], keep, weight)
            average[n] = value


@computed_on_device
def running_peak(peak: Array, start: Scalar, keep: Scalar, weight: Scalar) -> Array:
    """Running average of the largest magnitudes, updated row after row. [NM-8]"""
    average = empty(peak.shape, peak.dtype)
    launch(_running_peak, min(1, peak.size), peak, start, keep, weight, average)
    return average


@kernel
def _rows_within_bound(t: Array, bound: Scalar, negative: bool, within: Mask) -> None:
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, t.shape[0], along):
        for o in range(first, t.shape[1], across):
            above, below = t[n, o] <= bound, t[n, o] >= -bound
            if not (above and (below or not negative)):
                within[n] = False


@computed_on_device
def rows_within_bound(t: Array, bound: Scalar, negative: bool) -> Mask:
    """Whether no output of a row would be clipped, so that bound management of the row may stop. [BM-3]"""
    within = on_device(np.ones(t.shape[0], np.bool_))
    launch_rows(_rows_within_bound, t.shape, t, bound, bool(negative), within)
    return within


__all__ = ["row_sum_peak", "rows_within_bound", "running_peak", "sum_management_scale"]
