"""The digital-to-analog and analog-to-digital converters (clauses DC)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from ..cpu.arrays import Array, Mask, Scalar
from .broadcast import per_column
from .device import DeviceArray, computed_on_device, empty, flat, launch, launch_rows, rows
from .points import P, kernel


@kernel
def _on_grid(a: Array, step: Scalar, rounding: Array, stochastic: bool, out: Array) -> None:
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, out.shape[0], along):
        for i in range(first, out.shape[1], across):
            value = a[i]
            if step != 0:
                value = P.rounded(value, step, rounding[n, i], stochastic)
            out[n, i] = value


@computed_on_device
def on_grid(a: Array, step: Scalar, rounding: Array | None = None) -> Array:
    """Values rounded to a grid, without a bound. [DC-1]"""
    out = empty(a.shape if rounding is None else rounding.shape, a.dtype)
    shape = (out.size // a.size if a.size else 0), a.size
    uniforms = rows(a if rounding is None else rounding, *shape)
    given = flat(a), step, uniforms, rounding is not None
    launch_rows(_on_grid, shape, *given, rows(out, *shape))
    return out


@kernel
def _clip(a: Array, bound: Scalar, out: Array) -> None:
    for i in range(cuda.grid(1), a.size, cuda.gridsize(1)):
        out[i] = P.clip(a[i], bound)


@computed_on_device
def clip(a: Array, bound: Scalar) -> Array:
    """Values limited to a bound. [DC-2]"""
    out = empty(a.shape, a.dtype)
    launch(_clip, a.size, flat(a), bound, flat(out))
    return out


@kernel
def _digital_to_analog(
    v: Array,
    sigma: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array,
    stochastic: bool,
    noise: Array,
    noisy: bool,
    noise_scale: Scalar,
    negative_factor: Scalar,
    q: Array,
    d: Array,
    negative: Mask,
) -> None:
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, v.shape[0], along):
        for i in range(first, v.shape[1], across):
            value = P.mul(v[n, i], sigma[n])
            if step != 0:
                value = P.rounded(value, step, rounding[n, i], stochastic)
            q[n, i] = value
            value = P.clip(value, bound)
            if noisy:
                value = P.noisy(value, noise_scale, noise[n, i])
            negative[n, i] = value < 0
            d[n, i] = P.unequal(value, negative_factor)


def optional(x: DeviceArray | None, like: DeviceArray) -> tuple[DeviceArray, bool]:
    """The array or one in its place, and whether it is there."""
    return (like, False) if x is None else (x, True)


@computed_on_device
def digital_to_analog(
    v: Array,
    sigma: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array | None,
    noise: Array | None,
    noise_scale: Scalar,
    negative_factor: Scalar,
) -> tuple[Array, Array, Mask]:
    """Input conversion: scale, round, clip, noise, asymmetry - in this order. [DC-3]"""
    q, d, negative = (empty(v.shape, T) for T in (v.dtype, v.dtype, np.bool_))
    given: Any = v, sigma, step, bound, *optional(rounding, v), *optional(noise, v)
    given += noise_scale, negative_factor
    launch_rows(_digital_to_analog, v.shape, *given, q, d, negative)
    return q, d, negative


@kernel
def _analog_to_digital(
    m: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array,
    stochastic: bool,
    noise: Array,
    noisy: bool,
    noise_scale: Array,
    each: int,
    negative_factor: Scalar,
    t: Array,
    z: Array,
) -> None:
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, m.shape[0], along):
        for o in range(first, m.shape[1], across):
            value = P.output_level(
                m[n, o],
                negative_factor,
                noisy,
                noise_scale[o * each],
                noise[n, o],
                step,
                rounding[n, o],
                stochastic,
            )
            t[n, o], z[n, o] = value, P.clip(value, bound)


@computed_on_device
def analog_to_digital(
    m: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array | None,
    noise: Array | None,
    noise_scale: Array,
    negative_factor: Scalar,
) -> tuple[Array, Array]:
    """Output conversion: asymmetry, noise, round, clip - in this order. [DC-4]"""
    t, z = empty(m.shape, m.dtype), empty(m.shape, m.dtype)
    given: Any = m, step, bound, *optional(rounding, m), *optional(noise, m)
    given += *per_column(noise_scale, m.dtype), negative_factor
    launch_rows(_analog_to_digital, m.shape, *given, t, z)
    return t, z


@kernel
def _rescaled(z: Array, sigma: Array, out_scale: Scalar, out: Array) -> None:
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, z.shape[0], along):
        factor = out_scale / sigma[n]
        for o in range(first, z.shape[1], across):
            out[n, o] = P.mul(z[n, o], factor)


@computed_on_device
def rescaled_output(z: Array, sigma: Array, out_scale: Scalar) -> Array:
    """Core output with the input scale taken back. [DC-5]"""
    out = empty(z.shape, z.dtype)
    launch_rows(_rescaled, z.shape, z, sigma, out_scale, out)
    return out


__all__ = ["analog_to_digital", "clip", "digital_to_analog", "on_grid", "rescaled_output"]
