"""Noise management and bound management: how inputs are scaled before conversion (clauses NM and BM)."""

from __future__ import annotations

import numpy as np

from .._jit import compiled
from . import threads
from .arrays import QUIET, Array, Index, Mask, Scalar, plain
from .points import P


@compiled
def _peaks(begin: int, end: int, v: Array, peak: Array, index: Index) -> None:
    """Largest value of each row, and where it stands first."""
    for n in range(begin, end):
        vn = v[n]
        if vn.size == 0:
            continue
        largest = P.order(vn[0])
        for i in range(vn.size):
            key = P.order(vn[i])
            largest = key if key > largest else largest
        first = 0
        while P.order(vn[first]) != largest:
            first += 1
        index[n], peak[n] = first, P.without_sign_of_zero(vn[first])


def row_abs_max(v: Array) -> tuple[Array, Index]:
    """Largest magnitude of each row and where it stands first. [NM-1]"""
    return row_max(np.abs(v))


def row_max(v: Array) -> tuple[Array, Index]:
    """Largest value of each row and where it stands first. [NM-2]"""
    v = plain(v)
    peak, index = np.zeros(len(v), v.dtype), np.zeros(len(v), np.int64)
    threads.run(_peaks, len(v), v.size > threads.ELEMENTS, v, peak, index)
    return peak, index


@compiled
def _management_scale(peak: Array, cap: Scalar, alpha: Array, differentiable: Mask) -> None:
    for n in range(peak.size):
        alpha[n] = P.management_scale(peak[n], cap)
        differentiable[n] = (peak[n] > 0) & (peak[n] <= cap)


def management_scale(peak: Array, cap: Scalar) -> tuple[Array, Mask]:
    """The divisor of noise management, and where it depends on the input. [NM-3]"""
    alpha, differentiable = np.empty(peak.shape, peak.dtype), np.empty(peak.shape, np.bool_)
    _management_scale(plain(peak), cap, alpha, differentiable)
    return alpha, differentiable


@QUIET
def input_scale(alpha: Array, beta: Scalar) -> Array:
    """Factor on the input of one bound-management pass. [BM-1]"""
    return (beta.dtype.type(1) / alpha) / beta


@compiled
def _outside(t: Array, bound: Scalar) -> int:
    count = 0
    for i in range(t.size):
        count += not abs(t[i]) <= bound
    return count


def within_bound(t: Array, bound: Scalar) -> bool:
    """Whether no output of the batch would be clipped, so that bound management may stop. [BM-2]"""
    return _outside(plain(t).reshape(-1), bound) == 0


@compiled
def _management_gradient(
    output_sum: Array, input_sum: Array, sigma: Array, alpha: Array, out_scale: Scalar, out: Array
) -> None:
    for n in range(out.size):
        out[n] = P.management_gradient(output_sum[n], input_sum[n], sigma[n], alpha[n], out_scale)


def management_gradient(
    output_sum: Array, input_sum: Array, sigma: Array, alpha: Array, out_scale: Scalar
) -> Array:
    """Derivative of the loss with respect to the divisor of noise management. [NM-4]"""
    out = np.empty(sigma.shape, sigma.dtype)
    given = plain(output_sum), plain(input_sum), plain(sigma), plain(alpha)
    _management_gradient(*given, out_scale, out)
    return out


@QUIET
def add_peak_gradient(
    dv: Array, gradient: Array, index: Index, differentiable: Mask, sign: Array
) -> Array:
    """Gradient of the scaled input with the management term at the peak of each row. [NM-5]"""
    result = np.array(dv, order="C")
    (rows,) = np.nonzero(differentiable)
    result[rows, index[rows]] += gradient[rows] * sign[rows]
    return result


__all__ = [
    "add_peak_gradient",
    "input_scale",
    "management_gradient",
    "management_scale",
    "row_abs_max",
    "row_max",
    "within_bound",
]
