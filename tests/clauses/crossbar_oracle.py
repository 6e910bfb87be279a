"""The clauses CH in exact arithmetic: those of their links, one after the other. Imports nothing of refsim."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.clauses import oracle
from tests.exact import Array, Scalar


def finite(*arrays: Array) -> bool:
    return all(bool(np.isfinite(a).all()) for a in arrays)


def crossbar_input(x: Array, r: Scalar | None, sigma: Array, *dac: Any) -> tuple[Array, bool]:
    v = x if r is None else oracle.scaled_input(oracle.clipped_input(x, r), r)
    _, d, _ = oracle.digital_to_analog(v, sigma, *dac)
    return d, finite(x, d)


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
) -> tuple[Array, Array, bool]:
    m = oracle.matrix_product(d, weight)
    adc = step, bound, rounding, noise, noise_scale, negative_factor
    t, code = oracle.analog_to_digital(m, *adc)
    y = oracle.rescaled_output(code, sigma, out_scale)
    for factor in (kappa, a):
        y = y if factor is None else oracle.scaled_output(y, factor)
    y = y if bias is None else oracle.shifted_output(y, bias)
    return t, y, finite(t, y)


def crossbar_output_gradient(
    g: Array,
    t: Array,
    sigma: Array,
    out_scale: Scalar,
    bound: Scalar,
    kappa: Array | None,
    s: Array | None,
) -> tuple[Array, Scalar]:
    gz = g if kappa is None else oracle.scaled_output(g, kappa)
    gm = oracle.adc_gradient(gz, sigma, out_scale, t, bound, t, out_scale.dtype.type(1))
    z = oracle.rescaled_output(oracle.clip(t, bound), sigma, out_scale)
    return gm, oracle.product_total(g if s is None else oracle.scaled_output(g, s), z)


def crossbar_input_gradient(
    gd: Array,
    x: Array,
    r: Scalar,
    sigma: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array | None,
) -> tuple[Array, Scalar, Scalar, Scalar, np.float32, bool]:
    T = x.dtype.type
    c = oracle.clipped_input(x, r)
    v = oracle.scaled_input(c, r)
    q, _, negative = oracle.digital_to_analog(v, sigma, step, bound, rounding, None, T(0), T(1))
    dv = oracle.row_scaled(oracle.dac_gradient(gd, q, bound, negative, T(1)), sigma)
    d, dx = oracle.range_input_gradient(dv, x, r)
    sums = oracle.range_rule_sums(c, d, r)
    total = oracle.product_total(dv, v)
    return dx, *sums, total, oracle.unclipped_fraction(c, r), finite(d)
