"""Weight modifiers of the training forward pass and the post-update step (clauses WM and WP)."""

from __future__ import annotations

import numpy as np

from .. import points
from .._jit import compiled
from . import threads
from .arrays import QUIET, Array, Scalar, plain
from .converters import on_grid
from .management import row_abs_max
from .points import P


def abs_max(weight: Array) -> Scalar:
    """Largest magnitude of all elements. [WM-1]"""
    return row_abs_max(weight.reshape(1, -1))[0][0]


@compiled
def _noisy(
    begin: int, end: int, weight: Array, noise: Array, scale: Scalar, relative: bool, out: Array
) -> None:
    """Weights ``begin ... end - 1`` with noise, once for each row of ``noise``."""
    for n in range(len(noise)):
        wn, xn, on = weight[begin:end], noise[n, begin:end], out[n, begin:end]
        for i in range(wn.size):
            if relative:
                on[i] = P.multiplied_noise(wn[i], xn[i], scale)
            else:
                on[i] = P.noisy(wn[i], scale, xn[i])


def _with_noise(weight: Array, noise: Array, scale: Scalar, relative: bool) -> Array:
    out = np.empty(noise.shape, weight.dtype)
    flat, shape = plain(weight).reshape(-1), (-1, max(1, weight.size))
    given = flat, plain(noise).reshape(shape), scale, relative, out.reshape(shape)
    threads.run(_noisy, weight.size, noise.size > threads.ELEMENTS, *given)
    return out


def additive_noise_weight(weight: Array, noise: Array, scale: Scalar) -> Array:
    """Weight with normal noise added. [WM-2]"""
    return _with_noise(weight, noise, scale, False)


def multiplicative_noise_weight(weight: Array, noise: Array, scale: Scalar) -> Array:
    """Weight with normal noise in proportion to it. [WM-3]"""
    return _with_noise(weight, noise, scale, True)


def discretised_weight(weight: Array, step: Scalar, rounding: Array | None) -> Array:
    """Weight rounded to a grid, without a clip. [WM-4]"""
    return on_grid(weight, step, rounding)


@QUIET
def gaussian_bound(deviation: Scalar, sigma: Scalar, fixed_value: Scalar) -> Scalar:
    """Bound of the Gaussian weight clip. [WP-1]"""
    return points.gaussian_bound(deviation, sigma, fixed_value)


@compiled
def _clipped_weight(weight: Array, out: Array, bound: Scalar) -> None:
    for i in range(weight.size):
        out[i] = P.clipped_weight(weight[i], bound)


def clipped_weight(weight: Array, bound: Scalar) -> Array:
    """Weight limited to a bound. [WP-2]"""
    out = np.empty(weight.shape, weight.dtype)
    threads.run_elements(_clipped_weight, (plain(weight).reshape(-1), out.reshape(-1)), bound)
    return out


__all__ = [
    "abs_max",
    "additive_noise_weight",
    "clipped_weight",
    "discretised_weight",
    "gaussian_bound",
    "multiplicative_noise_weight",
]
