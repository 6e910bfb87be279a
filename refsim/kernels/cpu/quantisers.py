"""Uniform quantisers (clauses QU): values stand in rows that share a scale and a zero point."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._jit import compiled
from . import threads
from .arrays import QUIET, Array, Scalar, plain
from .elementary import exp, log
from .points import P
from .sums import row_products

SINGLE = np.dtype(np.float32)
SMALLEST = np.float32(1e-8)
Codes = tuple[Scalar, Scalar]


@QUIET
def quantiser_range(lo: Array, hi: Array) -> tuple[Array, Array]:
    """Range that holds zero and is not empty. [QU-1]"""
    below, above = lo.copy(), hi.copy()
    below[~(lo < 0)] = 0
    above[hi < lo.dtype.type(1e-8)] = 1e-8
    return below, above


def code_range(lo: Array, n_bits: int, symmetric: bool) -> tuple[Scalar, Scalar]:
    """Smallest and largest code. [QU-2]"""
    half, T = 1 << (n_bits - 1), lo.dtype.type
    below = half if symmetric and bool(np.less(lo, 0).any()) else 0
    return T(-below), T(2 * half - 1 - below)


@QUIET
def symmetric_step(lo: Array, hi: Array, int_max: Scalar) -> Array:
    """Step of a symmetric grid over a range. [QU-3]"""
    return (np.maximum(np.abs(lo), hi) / int_max).astype(SINGLE)


@QUIET
def asymmetric_step(lo: Array, hi: Array, int_max: Scalar) -> tuple[Array, Array]:
    """Step of a grid from end to end of a range, and the place of zero in it. [QU-4]"""
    step = (hi - lo) / int_max
    return step.astype(SINGLE), ((lo.dtype.type(0) - lo) / step).astype(SINGLE)


def stored_step(step: Array, logarithmic: bool) -> Array:
    """Parameter that stands for a step: the step itself, or its logarithm. [QU-5]"""
    return log(step) if logarithmic else step.copy()


def quantiser_scale(stored: Array, logarithmic: bool) -> Array:
    """Scale in use, from the stored parameter. [QU-6]"""
    if logarithmic:
        return exp(stored)
    scale = stored.copy()
    scale[stored < SMALLEST] = SMALLEST
    return scale


def zero_point(zero_float: Array, int_max: np.float32) -> Array:
    """Code of zero. [QU-7]"""
    whole = np.rint(zero_float)
    whole[whole > int_max] = int_max
    whole[~(whole > 0)] = 0
    return whole


@compiled
def _codes(
    begin: int, end: int, width: int, x: Array, scale: Array, zero: Array, codes: Codes, out: Array
) -> None:
    """Codes of the elements ``begin ... end - 1`` of flat rows."""
    for row in range(begin // width, -(-end // width)):
        s, z = scale[row], zero[row]
        for i in range(max(begin, row * width), min(end, row * width + width)):
            out[i] = P.code(x[i], s, z, codes[0], codes[1])


@compiled
def _quantised(
    begin: int, end: int, width: int, x: Array, scale: Array, zero: Array, codes: Codes, out: Array
) -> None:
    for row in range(begin // width, -(-end // width)):
        s, z = scale[row], zero[row]
        for i in range(max(begin, row * width), min(end, row * width + width)):
            out[i] = P.quantised(x[i], s, z, codes[0], codes[1])


@compiled
def _step_errors(
    begin: int, end: int, width: int, x: Array, scale: Array, zero: Array, codes: Codes, out: Array
) -> None:
    for row in range(begin // width, -(-end // width)):
        s, z = scale[row], zero[row]
        for i in range(max(begin, row * width), min(end, row * width + width)):
            out[i] = P.step_error(x[i], s, z, codes[0], codes[1])


@compiled
def _passed(
    begin: int,
    end: int,
    width: int,
    x: Array,
    scale: Array,
    zero: Array,
    codes: Codes,
    g: Array,
    through: bool,
    out: Array,
) -> None:
    """The gradient of what the clip lets through, or that of what it blocks; +0 for the others."""
    for row in range(begin // width, -(-end // width)):
        s, z = scale[row], zero[row]
        for i in range(max(begin, row * width), min(end, row * width + width)):
            chosen = P.inside(x[i], s, z, codes[0], codes[1]) == through
            out[i] = g[i] if chosen else type(g[i])(0)


def _run(kernel: Any, x: Array, scale: Array, zero: Array, codes: Codes, *more: object) -> Array:
    out = np.empty(x.shape, x.dtype)
    if x.size:
        given = plain(x).reshape(-1), plain(scale), plain(zero), codes, *more, out.reshape(-1)
        threads.run(kernel, x.size, x.size > threads.ELEMENTS, x.shape[1], *given)
    return out


def quantised_codes(x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar) -> Array:
    """Integer codes. [QU-8]"""
    return _run(_codes, x, scale, zero, (int_min, int_max))


def quantised(x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar) -> Array:
    """Values on the grid. [QU-9]"""
    return _run(_quantised, x, scale, zero, (int_min, int_max))


def quantised_gradient(
    g: Array, x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar
) -> Array:
    """Gradient of the values, straight through the rounding and blocked by the clip. [QU-10]"""
    return _run(_passed, x, scale, zero, (int_min, int_max), plain(g).reshape(-1), True)


def scale_gradient(
    g: Array, x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar
) -> Array:
    """Gradient of the scale of each row. [QU-11]"""
    return row_products(g, _run(_step_errors, x, scale, zero, (int_min, int_max)), SINGLE)


@QUIET
def stored_step_gradient(gradient: Array, stored: Array, logarithmic: bool) -> Array:
    """Gradient of the stored parameter from that of the scale. [QU-12]"""
    if logarithmic:
        return gradient * exp(stored)
    result = gradient.copy()
    result[~(stored >= SMALLEST)] = 0
    return result


def zero_point_gradient(
    g: Array, x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar
) -> Array:
    """Gradient of the zero point of each row: what the clip blocks. [QU-13]"""
    blocked = _run(_passed, x, scale, zero, (int_min, int_max), plain(g).reshape(-1), False)
    return row_products(blocked, np.repeat(-scale, x.shape[1]).reshape(x.shape), SINGLE)


def zero_float_gradient(gradient: Array, zero_float: Array, int_max: np.float32) -> Array:
    """Gradient of the stored place of zero from that of the zero point. [QU-14]"""
    whole, result = np.rint(zero_float), gradient.copy()
    result[~((whole >= 0) & (whole <= int_max))] = 0
    return result


__all__ = [
    "asymmetric_step",
    "code_range",
    "quantised",
    "quantised_codes",
    "quantised_gradient",
    "quantiser_range",
    "quantiser_scale",
    "scale_gradient",
    "stored_step",
    "stored_step_gradient",
    "symmetric_step",
    "zero_float_gradient",
    "zero_point",
    "zero_point_gradient",
]
