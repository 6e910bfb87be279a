"""Gradients of the chains, each in one pass over its data (clauses CH).

In float32 the sums are mostly decided by :mod:`.quick`; one that is not, and every sum in float64, takes the stages.
"""

from __future__ import annotations

import numpy as np

from .._jit import compiled
from . import quick, threads
from .arrays import Array, Float64, Index, Mask, Scalar, full, optional, plain
from .backward import adc_gradient, dac_gradient
from .chain import is_finite
from .converters import clip, digital_to_analog, rescaled_output
from .input_range import (
    clipped_input,
    range_input_gradient,
    range_rule_sums,
    rounded_ratio,
    scaled_input,
    unclipped_fraction,
)
from .periphery import row_scaled, scaled_output
from .points import P
from .sums import product_total


@compiled
def _crossbar_output_gradient(
    begin: int,
    end: int,
    g: Array,
    t: Array,
    sigma: Array,
    settings: tuple[Scalar, Scalar],
    kappa: Array,
    s: Array,
    gm: Array,
    sums: Float64,
    sizes: Float64,
) -> None:
    out_scale, bound = settings
    rows, lanes = np.empty((2, g.shape[1]), g.dtype), np.empty((2, quick.LANES))
    z, scaled = rows[0], rows[1]
    for n in range(begin, end):
        gn, tn, mn, factor = g[n], t[n], gm[n], out_scale / sigma[n]
        for o in range(gn.size):
            mn[o] = P.passed(P.mul(P.mul(gn[o], kappa[o]), factor), tn[o], bound)
            z[o] = P.mul(P.clip(tn[o], bound), factor)
            scaled[o] = P.mul(gn[o], s[o])
        sums[n], sizes[n] = quick.products(scaled, z, lanes)


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
    g, t, sigma, (N, O) = plain(g), plain(t), plain(sigma), g.shape
    total = None
    if g.dtype.itemsize == 4:
        gm, sums, sizes = np.empty_like(g), np.empty(N), np.empty(N)
        factors = full(kappa, O, bound), full(s, O, bound)
        given = g, t, sigma, (out_scale, bound), *factors, gm, sums, sizes
        threads.run(_crossbar_output_gradient, N, g.size > threads.ELEMENTS, *given)
        total = quick.joined(sums, sizes, O)
    else:
        one, gz = out_scale.dtype.type(1), g if kappa is None else scaled_output(g, kappa)
        gm = adc_gradient(gz, sigma, out_scale, t, bound, t, one)
    if total is None:
        z = rescaled_output(clip(t, bound), sigma, out_scale)
        total = product_total(g if s is None else scaled_output(g, s), z)
    return gm, total


@compiled
def _crossbar_input_gradient(
    begin: int,
    end: int,
    gd: Array,
    x: Array,
    r: Scalar,
    sigma: Array,
    grid: tuple[Scalar, Scalar],
    rounding: Array,
    dx: Array,
    sums: Float64,
    sizes: Float64,
    inside: Index,
    finite: Mask,
) -> None:
    step, bound = grid
    stochastic, edge = rounding.size > 0, abs(r)
    rows, lanes = np.empty((5, x.shape[1]), x.dtype), np.empty((2, quick.LANES))
    v, dv, d, upper, lower = rows[0], rows[1], rows[2], rows[3], rows[4]
    for n in range(begin, end):
        gn, xn, on, factor = gd[n], x[n], dx[n], sigma[n]
        un = rounding[n] if stochastic else xn
        count = 0
        for i in range(xn.size):
            c = P.clip(xn[i], edge)
            v[i] = c / r
            q = P.mul(v[i], factor)
            if step != 0:
                q = P.rounded(q, step, un[i], stochastic)
            dv[i] = P.mul(P.passed(gn[i], q, bound), factor)
            d[i] = dv[i] / r
            on[i] = P.passed(d[i], xn[i], edge)
            upper[i], lower[i] = P.upper_pull(c, d[i], r), P.lower_pull(c, d[i], r)
            count += abs(c) < r
        inside[n], finite[n] = count, is_finite(d)
        sums[0, n], sizes[0, n] = quick.products(dv, v, lanes)
        sums[1, n], sizes[1, n] = quick.terms(upper, lanes)
        sums[2, n], sizes[2, n] = quick.terms(lower, lanes)


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
    gd, x, sigma = plain(gd), plain(x), plain(sigma)
    if x.dtype.itemsize == 4 and x.size:
        dx, (N, I) = np.empty_like(x), x.shape
        sums, sizes = np.empty((3, N)), np.empty((3, N))
        inside, finite = np.empty(N, np.int64), np.empty(N, np.bool_)
        found = dx, sums, sizes, inside, finite
        given = gd, x, r, sigma, (step, bound), optional(rounding, x), *found
        threads.run(_crossbar_input_gradient, N, x.size > threads.ELEMENTS, *given)
        total, upper, lower = (quick.joined(s, a, I) for s, a in zip(sums, sizes, strict=True))
        if total is not None and upper is not None and lower is not None:
            fraction = rounded_ratio(int(inside.sum()), x.size)
            return dx, upper, lower, total, fraction, bool(finite.all())
    one, zero = sigma.dtype.type(1), sigma.dtype.type(0)
    c = clipped_input(x, r)
    v = scaled_input(c, r)
    q, _, negative = digital_to_analog(v, sigma, step, bound, rounding, None, zero, one)
    dv = row_scaled(dac_gradient(gd, q, bound, negative, one), sigma)
    d, dx = range_input_gradient(dv, x, r)
    upper, lower = range_rule_sums(c, d, r)
    fraction = unclipped_fraction(c, r)
    return dx, upper, lower, product_total(dv, v), fraction, bool(np.isfinite(d).all())


__all__ = ["crossbar_input_gradient", "crossbar_output_gradient"]
