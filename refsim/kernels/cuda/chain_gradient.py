"""Gradients of the chains, each in one pass over its data and the sums of that (clauses CH)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from ..cpu.arrays import Array, Index, Scalar
from ..cpu.input_range import rounded_ratio
from .broadcast import per_column
from .converters import optional
from .device import (
    COUNTING_BLOCKS,
    computed_on_device,
    empty,
    launch_rows,
    on_device,
    on_host,
)
from .points import P, kernel
from .sums import product_total, total


@kernel
def _crossbar_output_gradient(
    g: Array,
    t: Array,
    sigma: Array,
    out_scale: Scalar,
    bound: Scalar,
    kappa: Array,
    each_kappa: int,
    s: Array,
    each_s: int,
    gm: Array,
    z: Array,
    scaled: Array,
) -> None:
    first_, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, g.shape[0], along):
        factor = out_scale / sigma[n]
        for o in range(first_, g.shape[1], across):
            gradient = P.mul(P.mul(g[n, o], kappa[o * each_kappa]), factor)
            gm[n, o] = P.passed(gradient, t[n, o], bound)
            z[n, o] = P.mul(P.clip(t[n, o], bound), factor)
            scaled[n, o] = P.mul(g[n, o], s[o * each_s])


@computed_on_device
def crossbar_output_gradient(
    g: Array,
    t: Array,
    sigma: Array,
    out_scale: Scalar,
    bound: Scalar,
    kappa: Array | None,
    s: Array | None,
) -> tuple[Array, Scalar]:
    """Gradient of the product, and the output sum of the range gradient. [CH-3]"""
    gm, z, scaled = (empty(g.shape, g.dtype) for _ in range(3))
    factors = *per_column(kappa, g.dtype), *per_column(s, g.dtype)
    given = g, t, sigma, out_scale, bound, *factors, gm, z, scaled
    launch_rows(_crossbar_output_gradient, g.shape, *given)
    return gm, product_total(scaled, z)


@kernel
def _crossbar_input_gradient(
    gd: Array,
    x: Array,
    r: Scalar,
    sigma: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array,
    stochastic: bool,
    infinity: Scalar,
    v: Array,
    dv: Array,
    upper: Array,
    lower: Array,
    dx: Array,
    counts: Index,
) -> None:
    """``counts`` holds how many inputs are inside the range, and whether a gradient is not finite."""
    first_, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    edge, inside = abs(r), 0
    for n in range(line, gd.shape[0], along):
        for i in range(first_, gd.shape[1], across):
            c = P.clip(x[n, i], edge)
            value = c / r
            q = P.mul(value, sigma[n])
            if step != 0:
                q = P.rounded(q, step, rounding[n, i], stochastic)
            gradient = P.mul(P.passed(gd[n, i], q, bound), sigma[n])
            v[n, i], dv[n, i] = value, gradient
            gradient = gradient / r
            dx[n, i] = P.passed(gradient, x[n, i], edge)
            upper[n, i], lower[n, i] = P.upper_pull(c, gradient, r), P.lower_pull(c, gradient, r)
            inside += abs(c) < r
            if not abs(gradient) < infinity:
                counts[1] = 1
    cuda.atomic.add(counts, 0, inside)


@computed_on_device
def crossbar_input_gradient(
    gd: Array,
    x: Array,
    r: Scalar,
    sigma: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array | None,
) -> tuple[Array, Scalar, Scalar, Scalar, np.float32, bool]:
    """Gradient of the input, and the sums of the range gradient. [CH-4]"""
    v, dv, upper, lower, dx = made = tuple(empty(x.shape, x.dtype) for _ in range(5))
    counts = on_device(np.zeros(2, np.int64))
    given: Any = gd, x, r, sigma, step, bound, *optional(rounding, x), x.dtype.type(np.inf)
    launch_rows(_crossbar_input_gradient, x.shape, *given, *made, counts, most=COUNTING_BLOCKS)
    inside, not_finite = on_host(counts).tolist()
    fraction = rounded_ratio(inside, x.size) if x.size else np.float32(np.nan)
    return dx, total(upper), total(lower), product_total(dv, v), fraction, not not_finite


__all__ = ["crossbar_input_gradient", "crossbar_output_gradient"]
