"""Uniform quantisers (clauses QU): values stand in rows that share a scale and a zero point."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from ..cpu.arrays import Array, Scalar
from .device import DeviceArray, computed_on_device, empty, launch, launch_rows
from .points import P, kernel
from .settle import settled
from .terms import of_rows

SINGLE = np.dtype(np.float32)


@kernel
def _codes(x: Array, scale: Array, zero: Array, low: Scalar, high: Scalar, out: Array) -> None:
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for g in range(line, x.shape[0], along):
        for i in range(first, x.shape[1], across):
            out[g, i] = P.code(x[g, i], scale[g], zero[g], low, high)


@kernel
def _quantised(x: Array, scale: Array, zero: Array, low: Scalar, high: Scalar, out: Array) -> None:
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for g in range(line, x.shape[0], along):
        for i in range(first, x.shape[1], across):
            out[g, i] = P.quantised(x[g, i], scale[g], zero[g], low, high)


@kernel
def _step_errors(
    x: Array, scale: Array, zero: Array, low: Scalar, high: Scalar, out: Array
) -> None:
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for g in range(line, x.shape[0], along):
        for i in range(first, x.shape[1], across):
            out[g, i] = P.step_error(x[g, i], scale[g], zero[g], low, high)


@kernel
def _passed(
    x: Array,
    scale: Array,
    zero: Array,
    low: Scalar,
    high: Scalar,
    gradient: Array,
    through: bool,
    out: Array,
) -> None:
    """The gradient of what the clip lets through, or that of what it blocks; +0 for the others."""
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for g in range(line, x.shape[0], along):
        for i in range(first, x.shape[1], across):
            chosen = P.inside(x[g, i], scale[g], zero[g], low, high) == through
            out[g, i] = P.held(chosen, gradient[g, i])


def _run(kernel_: Any, x: DeviceArray, *given: Any) -> DeviceArray:
    out = empty(x.shape, x.dtype)
    launch_rows(kernel_, x.shape, x, *given, out)
    return out


@computed_on_device
def quantised_codes(x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar) -> Array:
    """Integer codes. [QU-8]"""
    return _run(_codes, x, scale, zero, int_min, int_max)


@computed_on_device
def quantised(x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar) -> Array:
    """Values on the grid. [QU-9]"""
    return _run(_quantised, x, scale, zero, int_min, int_max)


@computed_on_device
def quantised_gradient(
    g: Array, x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar
) -> Array:
    """Gradient of the values, straight through the rounding and blocked by the clip. [QU-10]"""
    return _run(_passed, x, scale, zero, int_min, int_max, g, True)


@computed_on_device
def scale_gradient(
    g: Array, x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar
) -> Array:
    """Gradient of the scale of each row. [QU-11]"""
    return settled(of_rows(g, _run(_step_errors, x, scale, zero, int_min, int_max)), SINGLE)


@kernel
def _negated(x: Array, out: Array) -> None:
    for g in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        out[g] = -x[g]


@computed_on_device
def zero_point_gradient(
    g: Array, x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar
) -> Array:
    """Gradient of the zero point of each row: what the clip blocks. [QU-13]"""
    blocked = _run(_passed, x, scale, zero, int_min, int_max, g, False)
    negative = empty(scale.shape, scale.dtype)
    launch(_negated, scale.size, scale, negative)
    return settled(of_rows(blocked, negative), SINGLE)


__all__ = [
    "quantised",
    "quantised_codes",
    "quantised_gradient",
    "scale_gradient",
    "zero_point_gradient",
]
