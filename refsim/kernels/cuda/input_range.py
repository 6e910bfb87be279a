"""The learned input range: clip and scale, and its gradient rule (clauses IR)."""

from __future__ import annotations

import numpy as np
from numba import cuda

from ..cpu.arrays import Array, Index, Mask, Scalar
from ..cpu.input_range import rounded_ratio
from .broadcast import one, quotients
from .converters import clip
from .device import COUNTING_BLOCKS, computed_on_device, empty, first, flat, launch, on_device
from .points import P, kernel
from .sums import total


def clipped_input(x: Array, r: Scalar) -> Array:
    """Input clipped to the range, the bound taken as a constant. [IR-2]"""
    return clip(x, np.abs(r))


@computed_on_device
def scaled_input(c: Array, r: Scalar) -> Array:
    """Clipped input in units of the signed range. [IR-3]"""
    return quotients(c, one(r))


@kernel
def _pulls(c: Array, d: Array, r: Scalar, upper: Array, lower: Array) -> None:
    for i in range(cuda.grid(1), c.size, cuda.gridsize(1)):
        upper[i], lower[i] = P.upper_pull(c[i], d[i], r), P.lower_pull(c[i], d[i], r)


@computed_on_device
def range_rule_sums(c: Array, d: Array, r: Scalar) -> tuple[Scalar, Scalar]:
    """The two sums of the range rule: pulls at the upper and at the lower edge. [IR-4]"""
    upper, lower = empty(d.size, d.dtype), empty(d.size, d.dtype)
    launch(_pulls, c.size, flat(c), flat(d), r, upper, lower)
    return total(upper), total(lower)


@kernel
def _inside(c: Array, r: Scalar, count: Index) -> None:
    own = 0
    for i in range(cuda.grid(1), c.size, cuda.gridsize(1)):
        own += abs(c[i]) < r
    cuda.atomic.add(count, 0, own)


@computed_on_device
def unclipped_fraction(c: Array, r: Scalar) -> np.float32:
    """Fraction of inputs strictly inside the range, in float32 for every data type. [IR-6]"""
    if c.size == 0:
        return np.float32(np.nan)
    count = on_device(np.zeros(1, np.int64))
    launch(_inside, c.size, flat(c), r, count, most=COUNTING_BLOCKS)
    return rounded_ratio(int(first(count)), c.size)


@kernel
def _set(mask: Mask, count: Index) -> None:
    own = 0
    for i in range(cuda.grid(1), mask.size, cuda.gridsize(1)):
        own += mask[i]
    cuda.atomic.add(count, 0, own)


def how_many(mask: Mask) -> int:
    """How many elements of a mask on the device are set."""
    count = on_device(np.zeros(1, np.int64))
    launch(_set, mask.size, flat(mask), count, most=COUNTING_BLOCKS)
    return int(first(count))


@kernel
def _range_input_gradient(dv: Array, x: Array, r: Scalar, d: Array, dx: Array) -> None:
    bound = abs(r)
    for i in range(cuda.grid(1), dv.size, cuda.gridsize(1)):
        gradient = dv[i] / r
        d[i], dx[i] = gradient, P.passed(gradient, x[i], bound)


@computed_on_device
def range_input_gradient(dv: Array, x: Array, r: Scalar) -> tuple[Array, Array]:
    """Gradients at the clipped input and at the input. [IR-9]"""
    d, dx = empty(dv.shape, dv.dtype), empty(dv.shape, dv.dtype)
    launch(_range_input_gradient, dv.size, flat(dv), flat(x), r, flat(d), flat(dx))
    return d, dx


__all__ = [
    "clipped_input",
    "range_input_gradient",
    "range_rule_sums",
    "scaled_input",
    "unclipped_fraction",
]
