"""Digital periphery: scales, bias and the mapping of weights to a tile (clauses PP and MS).

Each operation is one IEEE operation an element, which NumPy does in one pass.
"""

from __future__ import annotations

from .arrays import QUIET, Array, Scalar
from .management import row_abs_max
from .sums import mean


@QUIET
def scaled_output(z: Array, scale: Array) -> Array:
    """Output times a scale that is common or one per output. [PP-1]"""
    return z * scale


@QUIET
def shifted_output(y: Array, bias: Array) -> Array:
    """Output plus the digital bias. [PP-2]"""
    return y + bias


@QUIET
def merged_scale(r: Array, s: Array) -> Array:
    """Input range and mapping scales as one factor. [PP-3]"""
    return r * s


@QUIET
def row_scaled(x: Array, scale: Array) -> Array:
    """Each row times its own factor. [PP-4]"""
    return x * scale[:, None]


@QUIET
def mapping_scales(weight: Array, omega: Scalar, columnwise: bool) -> Array:
    """Scales that bring the largest weight to ``omega``. [MS-1]"""
    peak, _ = row_abs_max(weight if columnwise else weight.reshape(1, -1))
    scale = peak / omega
    scale[scale == 0] = 1
    return scale


@QUIET
def stored_weight(weight: Array, scale: Array) -> Array:
    """Weight as the tile stores it. [MS-2]"""
    return weight / scale[:, None]


@QUIET
def stored_weight_gradient(gradient: Array, scale: Array) -> Array:
    """Gradient of the stored weight such that a step moves the logical weight as if there were no scale. [MS-3]"""
    return gradient / scale[:, None] / scale[:, None]


@QUIET
def rate_compensation(scale: Array) -> Scalar:
    """Factor on the learning rate of the manual path with ``weight_scaling_lr_compensation``. [MS-4]"""
    return scale.dtype.type(1) / mean(scale)


@QUIET
def unscaled_gradient(g: Array, scale: Array, compensation: Scalar) -> Array:
    """Gradient of the output as the weight gradient of the manual path takes it. [MS-5]"""
    return g / (scale * compensation)


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
