"""Whole chains on either side of the crossbar: one pass before the product, one behind it (clauses CH)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from ..cpu.arrays import Array, Index, Scalar
from ..cpu.chain import Product
from .broadcast import per_column
from .converters import optional
from .device import computed_on_device, empty, first, launch_rows, on_device
from .points import P, kernel
from .product import matrix_product


@kernel
def _crossbar_input(
    x: Array,
    ranged: bool,
    r: Scalar,
    sigma: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array,
    stochastic: bool,
    noise: Array,
    noisy: bool,
    noise_scale: Scalar,
    negative_factor: Scalar,
    infinity: Scalar,
    d: Array,
    not_finite: Index,
) -> None:
    first_, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    edge = abs(r)
    for n in range(line, x.shape[0], along):
        for i in range(first_, x.shape[1], across):
            value = x[n, i]
            finite = abs(value) < infinity
            if ranged:
                value = P.clip(value, edge) / r
            value = P.mul(value, sigma[n])
            if step != 0:
                value = P.rounded(value, step, rounding[n, i], stochastic)
            value = P.clip(value, bound)
            if noisy:
                value = P.noisy(value, noise_scale, noise[n, i])
            value = P.unequal(value, negative_factor)
            d[n, i] = value
            if not (finite and abs(value) < infinity):
                not_finite[0] = 1


@computed_on_device
def crossbar_input(
    x: Array,
    r: Scalar | None,
    sigma: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array | None,
    noise: Array | None,
    noise_scale: Scalar,
    negative_factor: Scalar,
) -> tuple[Array, bool]:
    """Converted inputs of a batch: IR-2, IR-3 and DC-3, one after the other. [CH-1]"""
    d, not_finite = empty(x.shape, x.dtype), on_device(np.zeros(1, np.int64))
    given: Any = x, r is not None, bound if r is None else r, sigma, step, bound
    given += *optional(rounding, x), *optional(noise, x), noise_scale, negative_factor
    launch_rows(_crossbar_input, x.shape, *given, bound.dtype.type(np.inf), d, not_finite)
    return d, bool(first(not_finite) == 0)


@kernel
def _crossbar_output(
    step: Scalar,
    bound: Scalar,
    rounding: Array,
    stochastic: bool,
    noise: Array,
    noisy: bool,
    noise_scale: Array,
    each_scale: int,
    negative_factor: Scalar,
    sigma: Array,
    out_scale: Scalar,
    kappa: Array,
    each_kappa: int,
    a: Array,
    each_a: int,
    bias: Array,
    biased: bool,
    infinity: Scalar,
    t: Array,
    y: Array,
    not_finite: Index,
) -> None:
    """Rounded outputs in place of the products in ``t``, and outputs of the tile."""
    first_, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, t.shape[0], along):
        factor = out_scale / sigma[n]
        for o in range(first_, t.shape[1], across):
            deviate, scale = noise[n, o], noise_scale[o * each_scale]
            uniform, m = rounding[n, o], t[n, o]
            value = P.output_level(
                m, negative_factor, noisy, scale, deviate, step, uniform, stochastic
            )
            t[n, o] = value
            finite = abs(value) < infinity
            value = P.mul(P.mul(P.clip(value, bound), factor), kappa[o * each_kappa])
            value = P.mul(value, a[o * each_a])
            if biased:
                value = P.add(value, bias[o])
            y[n, o] = value
            if not (finite and abs(value) < infinity):
                not_finite[0] = 1


@computed_on_device
def crossbar_output(
    d: Array,
    weight: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array | None,
    noise: Array | None,
    noise_scale: Array,
    negative_factor: Scalar,
    sigma: Array,
    out_scale: Scalar,
    kappa: Array | None,
    a: Array | None,
    bias: Array | None,
    product: Product | None = None,
) -> tuple[Array, Array, bool]:
    """Outputs of a batch: MV-1, DC-4, DC-5, PP-1 (for ``kappa`` and for ``a``) and PP-2, one after the other. [CH-2]"""
    t: Any = (product or matrix_product)(d, weight)
    y, not_finite, T = empty(t.shape, t.dtype), on_device(np.zeros(1, np.int64)), t.dtype
    given: Any = step, bound, *optional(rounding, t), *optional(noise, t)
    given += *per_column(noise_scale, T), negative_factor, sigma, out_scale
    given += *per_column(kappa, T), *per_column(a, T), *optional(bias, sigma), T.type(np.inf)
    launch_rows(_crossbar_output, t.shape, *given, t, y, not_finite)
    return t, y, bool(first(not_finite) == 0)


__all__ = ["crossbar_input", "crossbar_output"]
