"""Gradients through the converters on the autograd path (clauses BP)."""

from __future__ import annotations

from numba import cuda

from ..cpu.arrays import Array, Mask, Scalar
from .device import computed_on_device, empty, launch_rows
from .points import P, kernel


@kernel
def _adc_gradient(
    g: Array,
    sigma: Array,
    out_scale: Scalar,
    t: Array,
    bound: Scalar,
    m: Array,
    negative_factor: Scalar,
    out: Array,
) -> None:
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, g.shape[0], along):
        factor = out_scale / sigma[n]
        for o in range(first, g.shape[1], across):
            gradient = P.mul(g[n, o], factor)
            steeper = P.mul(gradient, negative_factor)
            out[n, o] = P.passed(steeper if m[n, o] < 0 else gradient, t[n, o], bound)


@computed_on_device
def adc_gradient(
    g: Array,
    sigma: Array,
    out_scale: Scalar,
    t: Array,
    bound: Scalar,
    m: Array,
    negative_factor: Scalar,
) -> Array:
    """Gradient of the analog product from the gradient of the core output. [BP-1]"""
    out = empty(g.shape, g.dtype)
    launch_rows(_adc_gradient, g.shape, g, sigma, out_scale, t, bound, m, negative_factor, out)
    return out


@kernel
def _dac_gradient(
    g: Array, q: Array, bound: Scalar, negative: Mask, negative_factor: Scalar, out: Array
) -> None:
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, g.shape[0], along):
        for i in range(first, g.shape[1], across):
            steeper = P.mul(g[n, i], negative_factor)
            out[n, i] = P.passed(steeper if negative[n, i] else g[n, i], q[n, i], bound)


@computed_on_device
def dac_gradient(
    g: Array, q: Array, bound: Scalar, negative: Mask, negative_factor: Scalar
) -> Array:
    """Gradient before the input conversion from the gradient of the converted input. [BP-2]"""
    out = empty(g.shape, g.dtype)
    launch_rows(_dac_gradient, g.shape, g, q, bound, negative, negative_factor, out)
    return out


__all__ = ["adc_gradient", "dac_gradient"]
