"""Every clause once more, in exact arithmetic with one rounding for each written operation.

The functions bear the names of the operations they judge. They import nothing of refsim.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from tests.exact import Array, Number, Scalar, dot, each, fractions, number, round_to
from tests.exact import total as exact_total

F32 = np.float32


def table(T: Any, shape: tuple[int, ...], entries: list[Scalar]) -> Array:
    return np.array(entries, dtype=T).reshape(shape)


def tables(pairs: list[tuple[Number, ...]], T: Any, shape: tuple[int, ...]) -> tuple[Array, ...]:
    columns = zip(*pairs, strict=True) if pairs else [(), ()]
    return tuple(table(T, shape, [v.value for v in column]) for column in columns)


# --- sums and products --------------------------------------------------------------------------


def total(x: Array) -> Scalar:
    return dot(x, np.ones_like(x))


def product_total(x: Array, y: Array) -> Scalar:
    return dot(x, y)


def column_totals(x: Array) -> Array:
    return table(x.dtype, (x.shape[1],), [total(x[:, j]) for j in range(x.shape[1])])


def column_product_totals(x: Array, y: Array) -> Array:
    C = x.shape[1]
    return table(x.dtype, (C,), [dot(x[:, j], y[:, j]) for j in range(C)])


def row_product_totals(x: Array, y: Array) -> Array:
    return table(x.dtype, (len(x),), [dot(*rows) for rows in zip(x, y, strict=True)])


def mean(x: Array) -> Scalar:
    terms = fractions(x)
    T = x.dtype.type
    return T(np.nan) if terms is None else round_to(T, sum(terms, Fraction(0)) / x.size)


def standard_deviation(x: Array) -> Scalar:
    mu = number(mean(x))
    e = each(lambda v: v - mu, x)
    squares = number(dot(e, e))
    return x.dtype.type((squares / squares.like(x.size - 1)).sqrt().value)


def matrix_product(a: Array, b: Array) -> Array:
    return table(a.dtype, (len(a), len(b)), [dot(row, column) for row in a for column in b])


def transposed_product(g: Array, w: Array) -> Array:
    N, I = len(g), w.shape[1]
    return table(g.dtype, (N, I), [dot(g[n], w[:, i]) for n in range(N) for i in range(I)])


def outer_product_sum(g: Array, d: Array) -> Array:
    O, I = g.shape[1], d.shape[1]
    return table(g.dtype, (O, I), [dot(g[:, o], d[:, i]) for o in range(O) for i in range(I)])


def per_sample_product(a: Array, b: Array) -> Array:
    entries = [dot(row, w) for row, matrix in zip(a, b, strict=True) for w in matrix]
    return table(a.dtype, b.shape[:2], entries)


def per_sample_transposed_product(g: Array, w: Array) -> Array:
    N, _, I = w.shape
    entries = [dot(g[n], w[n, :, i]) for n in range(N) for i in range(I)]
    return table(g.dtype, (N, I), entries)


# --- converters ---------------------------------------------------------------------------------


def code(a: Number, step: Number, u: Number | None) -> Number:
    if step.value == 0:
        return a
    levels = a / step
    return (levels if u is None else levels + u).rint() * step


def limited(a: Number, bound: Number) -> Number:
    if a < -bound:
        return -bound
    return bound if a > bound else a


def on_grid(a: Array, step: Scalar, rounding: Array | None = None) -> Array:
    return each(code, a, step, rounding if rounding is not None else np.array(None))


def clip(a: Array, bound: Scalar) -> Array:
    return each(limited, a, bound)


def digital_to_analog(
    v: Array,
    sigma: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array | None,
    noise: Array | None,
    noise_scale: Scalar,
    negative_factor: Scalar,
) -> tuple[Array, Array, Array]:
    q = on_grid(each(lambda x, s: x * s, v, sigma[:, None]), step, rounding)
    d = clip(q, bound)
    if noise is not None:
        d = each(lambda code, xi, eta: code + eta * xi, d, noise, noise_scale)
    return q, each(lambda x, f: x * f if x.value < 0 else x, d, negative_factor), d < 0


def analog_to_digital(
    m: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array | None,
    noise: Array | None,
    noise_scale: Array,
    negative_factor: Scalar,
) -> tuple[Array, Array]:
    a = each(lambda x, f: x * f if x.value < 0 else x, m, negative_factor)
    if noise is not None:
        a = each(lambda x, xi, eta: x + eta * xi, a, noise, noise_scale)
    t = on_grid(a, step, rounding)
    return t, clip(t, bound)


def rescaled_output(z: Array, sigma: Array, out_scale: Scalar) -> Array:
    return each(lambda code, s, o: code * (o / s), z, sigma[:, None], out_scale)


# --- noise and bound management -----------------------------------------------------------------


def row_max(v: Array) -> tuple[Array, Array]:
    index = [next(i for i, x in enumerate(row) if x == max(row)) for row in v]
    peak = [row[i] if row[i] else 0.0 for row, i in zip(v, index, strict=True)]
    return table(v.dtype, (len(v),), peak), np.array(index, dtype=np.int64)


def row_abs_max(v: Array) -> tuple[Array, Array]:
    return row_max(each(abs, v))


def management_scale(peak: Array, cap: Scalar) -> tuple[Array, Array]:
    T = peak.dtype
    alpha = table(T, peak.shape, [min(a, cap) if a > 0 else T.type(1) for a in peak])
    return alpha, np.array([0 < a <= cap for a in peak], dtype=np.bool_)


def input_scale(alpha: Array, beta: Scalar) -> Array:
    return each(lambda a, b: a.like(1) / a / b, alpha, beta)


def within_bound(t: Array, bound: Scalar) -> bool:
    return not [x for x in t.flat if not -bound <= x <= bound]


def management_gradient(
    output_sum: Array, input_sum: Array, sigma: Array, alpha: Array, out_scale: Scalar
) -> Array:
    def gradient(B: Number, A: Number, s: Number, a: Number, o: Number) -> Number:
        return -((B - (A * (o / s)) / s) * (s / a))

    return each(gradient, input_sum, output_sum, sigma, alpha, out_scale)


def add_peak_gradient(
    dv: Array, gradient: Array, index: Array, differentiable: Array, sign: Array
) -> Array:
    def term(v: Number, here: np.bool_, g: Number, s: Number) -> Number:
        return v + g * s if here else v

    at_peak = np.arange(dv.shape[1]) == index[:, None]
    here = at_peak & differentiable[:, None]
    return each(term, dv, here, gradient[:, None], sign[:, None])


# --- the input range ----------------------------------------------------------------------------


def range_from_data(r: Scalar, counter: Scalar, deviation: Scalar, alpha: Scalar) -> Scalar:
    def average(r: Number, k: Number, s: Number, a: Number) -> Number:
        return abs((r * k + a * s) / (k + k.like(1)))

    return each(average, r, counter, deviation, alpha)[()]


def clipped_input(x: Array, r: Scalar) -> Array:
    return each(lambda v, s: limited(v, abs(s)), x, r)


def scaled_input(c: Array, r: Scalar) -> Array:
    return each(lambda v, s: v / s, c, r)


def range_rule_sums(c: Array, d: Array, r: Scalar) -> tuple[Scalar, Scalar]:
    pairs = list(zip(c.flat, d.flat, strict=True))
    T = c.dtype.type
    upper = [Fraction(float(g)) for x, g in pairs if x >= r and g < 0]
    lower = [Fraction(float(g)) for x, g in pairs if x <= -r and g > 0]
    return exact_total(T, upper), exact_total(T, lower)


def range_rule(upper: Scalar, lower: Scalar, r: Scalar, relative: bool, scale: Scalar) -> Scalar:
    def rule(up: Number, low: Number, r: Number, g: Number) -> Number:
        return (up - low) * r * g if relative else (up - low) * g

    return each(rule, upper, lower, r, scale)[()]


def unclipped_fraction(c: Array, r: Scalar) -> Scalar:
    if c.size == 0:
        return F32(np.nan)
    return round_to(F32, Fraction(len([x for x in c.flat if -r < x < r]), c.size))


def range_decay(
    gradient: Scalar, r: Scalar, decay: Scalar, fraction: Scalar, threshold: Scalar
) -> Scalar:
    shrinks = decay > 0 and fraction > threshold
    return each(lambda g, r, k: g + k * r if shrinks else g, gradient, r, decay)[()]


def range_residual(output_sum: Scalar, input_sum: Scalar, r: Scalar) -> Scalar:
    return each(lambda a, b, r: a - b / r, output_sum, input_sum, r)[()]


def range_input_gradient(dv: Array, x: Array, r: Scalar) -> tuple[Array, Array]:
    d = each(lambda g, r: g / r, dv, r)
    return d, each(lambda g, v, r: g if abs(v) <= abs(r) else g.like(0), d, x, r)


# --- gradients through the converters -----------------------------------------------------------


def adc_gradient(
    g: Array,
    sigma: Array,
    out_scale: Scalar,
    t: Array,
    bound: Scalar,
    m: Array,
    negative_factor: Scalar,
) -> Array:
    def gradient(
        g: Number, s: Number, o: Number, t: Number, b: Number, m: Number, f: Number
    ) -> Number:
        if abs(t) > b:
            return g.like(0)
        slope = g * (o / s)
        return slope * f if m.value < 0 else slope

    return each(gradient, g, sigma[:, None], out_scale, t, bound, m, negative_factor)


def dac_gradient(
    g: Array, q: Array, bound: Scalar, negative: Array, negative_factor: Scalar
) -> Array:
    def gradient(g: Number, q: Number, b: Number, below: np.bool_, f: Number) -> Number:
        if abs(q) > b:
            return g.like(0)
        return g * f if below else g

    return each(gradient, g, q, bound, negative, negative_factor)


# --- periphery and mapping ----------------------------------------------------------------------


def scaled_output(z: Array, scale: Array) -> Array:
    return each(lambda x, k: x * k, z, scale)


def shifted_output(y: Array, bias: Array) -> Array:
    return each(lambda x, b: x + b, y, bias)


def merged_scale(r: Array, s: Array) -> Array:
    return each(lambda a, b: a * b, r, s)


def row_scaled(x: Array, scale: Array) -> Array:
    return each(lambda v, f: v * f, x, scale[:, None])


def mapping_scales(weight: Array, omega: Scalar, columnwise: bool) -> Array:
    groups = list(weight) if columnwise else [weight]
    peaks = np.array([max(abs(w) for w in group.flat) for group in groups], dtype=weight.dtype)
    scale = each(lambda p, o: p / o, peaks, omega)
    return table(weight.dtype, scale.shape, [s or weight.dtype.type(1) for s in scale])


def stored_weight(weight: Array, scale: Array) -> Array:
    return each(lambda w, s: w / s, weight, scale[:, None])


def stored_weight_gradient(gradient: Array, scale: Array) -> Array:
    return each(lambda g, s: (g / s) / s, gradient, scale[:, None])


# --- weights and optimiser ----------------------------------------------------------------------


def abs_max(weight: Array) -> Scalar:
    return max(abs(w) for w in weight.flat)


def additive_noise_weight(weight: Array, noise: Array, scale: Scalar) -> Array:
    return each(lambda w, xi, s: w + s * xi, weight, noise, scale)


def multiplicative_noise_weight(weight: Array, noise: Array, scale: Scalar) -> Array:
    return each(lambda w, xi, s: w * (w.like(1) + s * xi), weight, noise, scale)


def discretised_weight(weight: Array, step: Scalar, rounding: Array | None) -> Array:
    return on_grid(weight, step, rounding)


def gaussian_bound(deviation: Scalar, sigma: Scalar, fixed_value: Scalar) -> Scalar:
    bound = each(lambda s, d: s * d, sigma, deviation)[()]
    return min(bound, fixed_value) if fixed_value > 0 else bound


def clipped_weight(weight: Array, bound: Scalar) -> Array:
    return table(weight.dtype, weight.shape, [min(max(w, -bound), bound) for w in weight.flat])


def sgd_step(
    parameter: Array,
    gradient: Array,
    velocity: Array | None,
    lr: Scalar,
    momentum: Scalar,
    undamped: Scalar,
    weight_decay: Scalar,
    nesterov: bool,
) -> tuple[Array, Array | None]:
    d = gradient
    if weight_decay:
        d = each(lambda g, p, k: g + k * p, gradient, parameter, weight_decay)
    v = None
    if momentum and velocity is None:
        v = d
    elif momentum:
        v = each(lambda old, d, mu, t: mu * old + t * d, velocity, d, momentum, undamped)
    if v is not None:
        d = each(lambda d, v, mu: d + mu * v, d, v, momentum) if nesterov else v
    return each(lambda p, d, lr: p - lr * d, parameter, d, lr), v
