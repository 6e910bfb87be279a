"""Weight modifiers of the training forward pass and the post-update step (clauses WM and WP)."""

from __future__ import annotations

from numba import cuda

from ..cpu.arrays import Array, Scalar
from . import extremes
from .converters import on_grid
from .device import computed_on_device, empty, first, flat, launch, launch_rows, rows
from .points import P, kernel


@computed_on_device
def abs_max(weight: Array) -> Scalar:
    """Largest magnitude of all elements. [WM-1]"""
    return first(extremes.of_rows(rows(weight, 1, weight.size), extremes.LARGEST_SIZE)[0])


@kernel
def _noisy(weight: Array, noise: Array, scale: Scalar, out: Array) -> None:
    i0, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, noise.shape[0], along):
        for i in range(i0, weight.size, across):
            out[n, i] = P.noisy(weight[i], scale, noise[n, i])


@kernel
def _multiplied(weight: Array, noise: Array, scale: Scalar, out: Array) -> None:
    i0, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, noise.shape[0], along):
        for i in range(i0, weight.size, across):
            out[n, i] = P.multiplied_noise(weight[i], noise[n, i], scale)


@computed_on_device
def additive_noise_weight(weight: Array, noise: Array, scale: Scalar) -> Array:
    """Weight with normal noise added. [WM-2]"""
    out = empty(noise.shape, weight.dtype)
    shape = (noise.size // weight.size if weight.size else 0), weight.size
    launch_rows(_noisy, shape, flat(weight), rows(noise, *shape), scale, rows(out, *shape))
    return out


@computed_on_device
def multiplicative_noise_weight(weight: Array, noise: Array, scale: Scalar) -> Array:
    """Weight with normal noise in proportion to it. [WM-3]"""
    out = empty(noise.shape, weight.dtype)
    shape = (noise.size // weight.size if weight.size else 0), weight.size
    launch_rows(_multiplied, shape, flat(weight), rows(noise, *shape), scale, rows(out, *shape))
    return out


def discretised_weight(weight: Array, step: Scalar, rounding: Array | None) -> Array:
    """Weight rounded to a grid, without a clip. [WM-4]"""
    return on_grid(weight, step, rounding)


@kernel
def _clipped_weight(weight: Array, bound: Scalar, out: Array) -> None:
    for i in range(cuda.grid(1), weight.size, cuda.gridsize(1)):
        out[i] = P.clipped_weight(weight[i], bound)


@computed_on_device
def clipped_weight(weight: Array, bound: Scalar) -> Array:
    """Weight limited to a bound. [WP-2]"""
    out = empty(weight.shape, weight.dtype)
    launch(_clipped_weight, weight.size, flat(weight), bound, flat(out))
    return out


__all__ = [
    "abs_max",
    "additive_noise_weight",
    "clipped_weight",
    "discretised_weight",
    "multiplicative_noise_weight",
]
