"""Noise management and bound management: how inputs are scaled before conversion (clauses NM and BM)."""

from __future__ import annotations

import numpy as np
from numba import cuda

from ..cpu.arrays import Array, Index, Mask, Scalar
from . import extremes
from .device import computed_on_device, empty, first, flat, launch, launch_rows, on_device
from .points import P, kernel


@computed_on_device
def row_abs_max(v: Array) -> tuple[Array, Index]:
    """Largest magnitude of each row and where it stands first. [NM-1]"""
    return extremes.of_rows(v, extremes.LARGEST_SIZE)


@computed_on_device
def row_max(v: Array) -> tuple[Array, Index]:
    """Largest value of each row and where it stands first. [NM-2]"""
    return extremes.of_rows(v, extremes.LARGEST)


@kernel
def _management_scale(peak: Array, cap: Scalar, alpha: Array, differentiable: Mask) -> None:
    for n in range(cuda.grid(1), peak.size, cuda.gridsize(1)):
        alpha[n] = P.management_scale(peak[n], cap)
        differentiable[n] = (peak[n] > 0) & (peak[n] <= cap)


@computed_on_device
def management_scale(peak: Array, cap: Scalar) -> tuple[Array, Mask]:
    """The divisor of noise management, and where it depends on the input. [NM-3]"""
    alpha, differentiable = empty(peak.shape, peak.dtype), empty(peak.shape, np.bool_)
    launch(_management_scale, peak.size, peak, cap, alpha, differentiable)
    return alpha, differentiable


@kernel
def _input_scale(alpha: Array, beta: Scalar, one: Scalar, out: Array) -> None:
    for n in range(cuda.grid(1), alpha.size, cuda.gridsize(1)):
        out[n] = (one / alpha[n]) / beta


@computed_on_device
def input_scale(alpha: Array, beta: Scalar) -> Array:
    """Factor on the input of one bound-management pass. [BM-1]"""
    out = empty(alpha.shape, alpha.dtype)
    launch(_input_scale, alpha.size, alpha, beta, beta.dtype.type(1), out)
    return out


@kernel
def _outside(t: Array, bound: Scalar, found: Index) -> None:
    for i in range(cuda.grid(1), t.size, cuda.gridsize(1)):
        if not abs(t[i]) <= bound:
            found[0] = 1


@computed_on_device
def within_bound(t: Array, bound: Scalar) -> bool:
    """Whether no output of the batch would be clipped, so that bound management may stop. [BM-2]"""
    found = on_device(np.zeros(1, np.int64))
    launch(_outside, t.size, flat(t), bound, found)
    return bool(first(found) == 0)


@kernel
def _management_gradient(
    output_sum: Array, input_sum: Array, sigma: Array, alpha: Array, out_scale: Scalar, out: Array
) -> None:
    for n in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        out[n] = P.management_gradient(output_sum[n], input_sum[n], sigma[n], alpha[n], out_scale)


@computed_on_device
def management_gradient(
    output_sum: Array, input_sum: Array, sigma: Array, alpha: Array, out_scale: Scalar
) -> Array:
    """Derivative of the loss with respect to the divisor of noise management. [NM-4]"""
    out = empty(sigma.shape, sigma.dtype)
    launch(_management_gradient, out.size, output_sum, input_sum, sigma, alpha, out_scale, out)
    return out


@kernel
def _with_peaks(
    dv: Array, gradient: Array, index: Index, differentiable: Mask, sign: Array, out: Array
) -> None:
    i0, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, dv.shape[0], along):
        for i in range(i0, dv.shape[1], across):
            value = dv[n, i]
            if differentiable[n] and index[n] == i:
                value = P.add(value, P.mul(gradient[n], sign[n]))
            out[n, i] = value


@computed_on_device
def add_peak_gradient(
    dv: Array, gradient: Array, index: Index, differentiable: Mask, sign: Array
) -> Array:
    """Gradient of the scaled input with the management term at the peak of each row. [NM-5]"""
    out = empty(dv.shape, dv.dtype)
    launch_rows(_with_peaks, dv.shape, dv, gradient, index, differentiable, sign, out)
    return out


__all__ = [
    "add_peak_gradient",
    "input_scale",
    "management_gradient",
    "management_scale",
    "row_abs_max",
    "row_max",
    "within_bound",
]
