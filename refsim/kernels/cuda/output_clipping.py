"""Clipped outputs: their mask, and the fraction of those that are not (clauses BP and IR)."""

from __future__ import annotations

import numpy as np
from numba import cuda

from ..cpu.arrays import Array, Mask, Scalar
from ..cpu.input_range import rounded_ratio
from .device import computed_on_device, empty, flat, launch
from .input_range import how_many
from .points import P, kernel


@kernel
def _output_clip_mask(value: Array, bound: Scalar, inclusive: bool, mask: Mask) -> None:
    for i in range(cuda.grid(1), value.size, cuda.gridsize(1)):
        size = abs(value[i])
        mask[i] = size >= bound if inclusive else size > bound


@computed_on_device
def output_clip_mask(value: Array, bound: Scalar, inclusive: bool) -> Mask:
    """Which outputs count as clipped. [BP-3]"""
    mask: Mask = empty(value.shape, np.bool_)
    launch(_output_clip_mask, value.size, flat(value), bound, bool(inclusive), flat(mask))
    return mask


@kernel
def _masked_gradient(g: Array, mask: Mask, out: Array) -> None:
    for i in range(cuda.grid(1), g.size, cuda.gridsize(1)):
        out[i] = P.left_out(g[i], mask[i])


@computed_on_device
def masked_gradient(g: Array, mask: Mask) -> Array:
    """Gradient with the clipped outputs left out. [BP-4]"""
    out = empty(g.shape, g.dtype)
    launch(_masked_gradient, g.size, flat(g), flat(mask), flat(out))
    return out


@computed_on_device
def unclipped_output_fraction(mask: Mask, count: int) -> np.float32:
    """Fraction of outputs that are not clipped, in float32 for every data type. [IR-10]"""
    return np.float32(np.nan) if count == 0 else rounded_ratio(count - how_many(mask), count)


__all__ = ["masked_gradient", "output_clip_mask", "unclipped_output_fraction"]
