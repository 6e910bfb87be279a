"""Digital periphery: scales, bias and the mapping of weights to a tile (clauses PP and MS)."""

from __future__ import annotations

from numba import cuda

from ..cpu.arrays import QUIET, Array, Scalar
from .broadcast import one, products, quotients, sums
from .device import computed_on_device, empty, launch, rows
from .management import row_abs_max
from .points import kernel
from .sums import mean


@computed_on_device
def scaled_output(z: Array, scale: Array) -> Array:
    """Output times a scale that is common or one per output. [PP-1]"""
    return products(z, scale)


@computed_on_device
def shifted_output(y: Array, bias: Array) -> Array:
    """Output plus the digital bias. [PP-2]"""
    return sums(y, bias)


@computed_on_device
def merged_scale(r: Array, s: Array) -> Array:
    """Input range and mapping scales as one factor. [PP-3]"""
    return products(r, s)


@computed_on_device
def row_scaled(x: Array, scale: Array) -> Array:
    """Each row times its own factor. [PP-4]"""
    return products(x, scale, by_row=True)


@kernel
def _scales(peak: Array, omega: Scalar, out: Array) -> None:
    for n in range(cuda.grid(1), peak.size, cuda.gridsize(1)):
        scale = peak[n] / omega
        out[n] = scale
        if scale == 0:
            out[n] = 1


@computed_on_device
def mapping_scales(weight: Array, omega: Scalar, columnwise: bool) -> Array:
    """Scales that bring the largest weight to ``omega``. [MS-1]"""
    peak, _ = row_abs_max(weight if columnwise else rows(weight, 1, weight.size))
    scale = empty(peak.shape, peak.dtype)
    launch(_scales, peak.size, peak, omega, scale)
    return scale


@computed_on_device
def stored_weight(weight: Array, scale: Array) -> Array:
    """Weight as the tile stores it. [MS-2]"""
    return quotients(weight, scale, by_row=True)


@computed_on_device
def stored_weight_gradient(gradient: Array, scale: Array) -> Array:
    """Gradient of the stored weight such that a step moves the logical weight as if there were no scale. [MS-3]"""
    return quotients(quotients(gradient, scale, by_row=True), scale, by_row=True)


@computed_on_device
@QUIET
def rate_compensation(scale: Array) -> Scalar:
    """Factor on the learning rate of the manual path with ``weight_scaling_lr_compensation``. [MS-4]"""
    return scale.dtype.type(1) / mean(scale)


@computed_on_device
def unscaled_gradient(g: Array, scale: Array, compensation: Scalar) -> Array:
    """Gradient of the output as the weight gradient of the manual path takes it. [MS-5]"""
    return quotients(g, products(scale, one(compensation)))


__all__ = [
    "mapping_scales",
    "merged_scale",
    "rate_compensation",
    "row_scaled",
    "scaled_output",
    "shifted_output",
    "stored_weight",
    "stored_weight_gradient",
    "unscaled_gradient",
]
