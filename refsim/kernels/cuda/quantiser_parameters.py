"""Parameters of uniform quantisers, one for each row: range, step, place of zero (clauses QU)."""

from __future__ import annotations

import numpy as np
from numba import cuda

from ..cpu.arrays import Array, Scalar
from ..cpu.quantisers import SMALLEST
from .broadcast import products
from .device import DeviceArray, computed_on_device, empty, flat, launch
from .elementary import exp, log
from .points import P, kernel


@kernel
def _range(lo: Array, hi: Array, smallest: Scalar, below: Array, above: Array) -> None:
    for g in range(cuda.grid(1), lo.size, cuda.gridsize(1)):
        below[g] = P.held(lo[g] < 0, lo[g])
        above[g] = smallest if hi[g] < smallest else hi[g]


@computed_on_device
def quantiser_range(lo: Array, hi: Array) -> tuple[Array, Array]:
    """Range that holds zero and is not empty. [QU-1]"""
    below, above = empty(lo.shape, lo.dtype), empty(lo.shape, lo.dtype)
    smallest = lo.dtype.type(1e-8)
    launch(_range, lo.size, flat(lo), flat(hi), smallest, flat(below), flat(above))
    return below, above


@kernel
def _symmetric_step(lo: Array, hi: Array, int_max: Scalar, out: Array) -> None:
    for g in range(cuda.grid(1), lo.size, cuda.gridsize(1)):
        size = abs(lo[g])
        larger = size if (size > hi[g]) | (size != size) else hi[g]
        out[g] = larger / int_max


@computed_on_device
def symmetric_step(lo: Array, hi: Array, int_max: Scalar) -> Array:
    """Step of a symmetric grid over a range. [QU-3]"""
    out = empty(lo.shape, np.float32)
    launch(_symmetric_step, lo.size, flat(lo), flat(hi), int_max, flat(out))
    return out


@kernel
def _asymmetric_step(lo: Array, hi: Array, int_max: Scalar, step: Array, place: Array) -> None:
    for g in range(cuda.grid(1), lo.size, cuda.gridsize(1)):
        width = P.add(hi[g], -lo[g]) / int_max
        step[g] = width
        place[g] = P.without_sign_of_zero(-lo[g]) / width


@computed_on_device
def asymmetric_step(lo: Array, hi: Array, int_max: Scalar) -> tuple[Array, Array]:
    """Step of a grid from end to end of a range, and the place of zero in it. [QU-4]"""
    step, place = empty(lo.shape, np.float32), empty(lo.shape, np.float32)
    launch(_asymmetric_step, lo.size, flat(lo), flat(hi), int_max, flat(step), flat(place))
    return step, place


@kernel
def _at_least(x: Array, smallest: Scalar, out: Array) -> None:
    for g in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        out[g] = smallest if x[g] < smallest else x[g]


def _limited(x: DeviceArray, smallest: Scalar) -> DeviceArray:
    out = empty(x.shape, x.dtype)
    launch(_at_least, x.size, flat(x), smallest, flat(out))
    return out


@computed_on_device
def stored_step(step: Array, logarithmic: bool) -> Array:
    """Parameter that stands for a step: the step itself, or its logarithm. [QU-5]"""
    return log(step) if logarithmic else _limited(step, step.dtype.type(-np.inf))


@computed_on_device
def quantiser_scale(stored: Array, logarithmic: bool) -> Array:
    """Scale in use, from the stored parameter. [QU-6]"""
    return exp(stored) if logarithmic else _limited(stored, SMALLEST)


@kernel
def _zero_point(zero_float: Array, int_max: Scalar, out: Array) -> None:
    for g in range(cuda.grid(1), zero_float.size, cuda.gridsize(1)):
        whole = P.whole(zero_float[g])
        whole = int_max if whole > int_max else whole
        out[g] = P.held(whole > 0, whole)


@computed_on_device
def zero_point(zero_float: Array, int_max: np.float32) -> Array:
    """Code of zero. [QU-7]"""
    out = empty(zero_float.shape, zero_float.dtype)
    launch(_zero_point, zero_float.size, flat(zero_float), int_max, flat(out))
    return out


@kernel
def _passed_above(gradient: Array, stored: Array, smallest: Scalar, out: Array) -> None:
    for g in range(cuda.grid(1), stored.size, cuda.gridsize(1)):
        out[g] = P.held(stored[g] >= smallest, gradient[g])


@computed_on_device
def stored_step_gradient(gradient: Array, stored: Array, logarithmic: bool) -> Array:
    """Gradient of the stored parameter from that of the scale. [QU-12]"""
    if logarithmic:
        return products(gradient, exp(stored))
    out = empty(gradient.shape, gradient.dtype)
    launch(_passed_above, gradient.size, flat(gradient), flat(stored), SMALLEST, flat(out))
    return out


@kernel
def _passed_codes(gradient: Array, zero_float: Array, int_max: Scalar, out: Array) -> None:
    for g in range(cuda.grid(1), zero_float.size, cuda.gridsize(1)):
        whole = P.whole(zero_float[g])
        out[g] = P.held((whole >= 0) & (whole <= int_max), gradient[g])


@computed_on_device
def zero_float_gradient(gradient: Array, zero_float: Array, int_max: np.float32) -> Array:
    """Gradient of the stored place of zero from that of the zero point. [QU-14]"""
    out = empty(gradient.shape, gradient.dtype)
    launch(_passed_codes, gradient.size, flat(gradient), flat(zero_float), int_max, flat(out))
    return out


__all__ = [
    "asymmetric_step",
    "quantiser_range",
    "quantiser_scale",
    "stored_step",
    "stored_step_gradient",
    "symmetric_step",
    "zero_float_gradient",
    "zero_point",
]
