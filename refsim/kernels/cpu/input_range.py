"""The learned input range: initialisation from data, clip and scale, and its gradient rule (clauses IR)."""

from __future__ import annotations

import numpy as np

from .. import points
from .._jit import compiled
from . import threads
from .arrays import QUIET, Array, Scalar, plain
from .converters import clip
from .points import P
from .sums import total


@QUIET
def range_from_data(r: Scalar, counter: Scalar, deviation: Scalar, alpha: Scalar) -> Scalar:
    """Range after one counted batch of the initialisation from data. [IR-1]"""
    return points.range_from_data(r, counter, deviation, alpha)


def clipped_input(x: Array, r: Scalar) -> Array:
    """Input clipped to the range, the bound taken as a constant. [IR-2]"""
    return clip(x, np.abs(r))


@QUIET
def scaled_input(c: Array, r: Scalar) -> Array:
    """Clipped input in units of the signed range. [IR-3]"""
    return c / r


@compiled
def _pulls(c: Array, d: Array, upper: Array, lower: Array, r: Scalar) -> None:
    for i in range(c.size):
        upper[i], lower[i] = P.upper_pull(c[i], d[i], r), P.lower_pull(c[i], d[i], r)


def range_rule_sums(c: Array, d: Array, r: Scalar) -> tuple[Scalar, Scalar]:
    """The two sums of the range rule: pulls at the upper and at the lower edge. [IR-4]"""
    c, d = plain(c).reshape(-1), plain(d).reshape(-1)
    upper, lower = np.empty_like(d), np.empty_like(d)
    threads.run_elements(_pulls, (c, d, upper, lower), r)
    return total(upper), total(lower)


@QUIET
def range_rule(upper: Scalar, lower: Scalar, r: Scalar, relative: bool, scale: Scalar) -> Scalar:
    """Gradient of the range by the rule, before decay. [IR-5]"""
    return points.range_rule(upper, lower, r, relative, scale)


@compiled
def _inside(c: Array, r: Scalar) -> int:
    count = 0
    for i in range(c.size):
        count += abs(c[i]) < r
    return count


def unclipped_fraction(c: Array, r: Scalar) -> np.float32:
    """Fraction of inputs strictly inside the range, in float32 for every data type. [IR-6]"""
    if c.size == 0:
        return np.float32(np.nan)
    return rounded_ratio(_inside(plain(c).reshape(-1), r), c.size)


def rounded_ratio(numerator: int, denominator: int) -> np.float32:
    """The float32 number nearest to a ratio of integers: rounded to odd in float64, then to float32."""
    ratio = np.float64(numerator / denominator)
    n, d = ratio.as_integer_ratio()
    error = numerator * d - n * denominator
    if error and ratio.view(np.int64) % 2 == 0:
        ratio = np.nextafter(ratio, np.copysign(np.inf, error))
    return np.float32(ratio)


@QUIET
def range_decay(
    gradient: Scalar, r: Scalar, decay: Scalar, fraction: np.float32, threshold: np.float32
) -> Scalar:
    """Gradient of the range with its decay term. [IR-7]"""
    return points.range_decay(gradient, r, decay, fraction, threshold)


@QUIET
def range_residual(output_sum: Scalar, input_sum: Scalar, r: Scalar) -> Scalar:
    """What the chain rule adds to the rule on the autograd path. [IR-8]"""
    return points.range_residual(output_sum, input_sum, r)


@compiled
def _range_input_gradient(dv: Array, x: Array, d: Array, dx: Array, r: Scalar) -> None:
    bound = abs(r)
    for i in range(dv.size):
        gradient = dv[i] / r
        d[i], dx[i] = gradient, P.passed(gradient, x[i], bound)


def range_input_gradient(dv: Array, x: Array, r: Scalar) -> tuple[Array, Array]:
    """Gradients at the clipped input and at the input. [IR-9]"""
    d, dx = np.empty(dv.shape, dv.dtype), np.empty(dv.shape, dv.dtype)
    flat = plain(dv).reshape(-1), plain(x).reshape(-1), d.reshape(-1), dx.reshape(-1)
    threads.run_elements(_range_input_gradient, flat, r)
    return d, dx


__all__ = [
    "clipped_input",
    "range_decay",
    "range_from_data",
    "range_input_gradient",
    "range_residual",
    "range_rule",
    "range_rule_sums",
    "scaled_input",
    "unclipped_fraction",
]
