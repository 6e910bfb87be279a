"""Clipped outputs: their mask, and the growth of the input range that it brings (clauses BP and IR)."""

from __future__ import annotations

import numpy as np

from .. import manual_points
from .._jit import compiled
from . import threads
from .arrays import QUIET, Array, Mask, Scalar, plain
from .input_range import rounded_ratio
from .points import P


@compiled
def _output_clip_mask(value: Array, mask: Mask, bound: Scalar, inclusive: bool) -> None:
    for i in range(value.size):
        size = abs(value[i])
        mask[i] = size >= bound if inclusive else size > bound


def output_clip_mask(value: Array, bound: Scalar, inclusive: bool) -> Mask:
    """Which outputs count as clipped. [BP-3]"""
    value = plain(value)
    mask = np.empty(value.shape, np.bool_)
    flat = value.reshape(-1), mask.reshape(-1)
    threads.run_elements(_output_clip_mask, flat, bound, inclusive)
    return mask


@compiled
def _masked_gradient(g: Array, mask: Mask, out: Array) -> None:
    for i in range(g.size):
        out[i] = P.left_out(g[i], mask[i])


def masked_gradient(g: Array, mask: Mask) -> Array:
    """Gradient with the clipped outputs left out. [BP-4]"""
    g, mask = plain(g), plain(mask)
    out = np.empty_like(g)
    threads.run_elements(_masked_gradient, (g.reshape(-1), mask.reshape(-1), out.reshape(-1)))
    return out


def unclipped_output_fraction(mask: Mask, count: int) -> np.float32:
    """Fraction of outputs that are not clipped, in float32 for every data type. [IR-10]"""
    if count == 0:
        return np.float32(np.nan)
    return rounded_ratio(count - int(plain(mask).sum()), count)


@QUIET
def range_growth(
    gradient: Scalar, r: Scalar, fraction: np.float32, threshold: np.float32
) -> Scalar:
    """Gradient of the range with the growth term of output clipping. [IR-11]"""
    return manual_points.range_growth(gradient, r, fraction, threshold)


__all__ = ["masked_gradient", "output_clip_mask", "range_growth", "unclipped_output_fraction"]
