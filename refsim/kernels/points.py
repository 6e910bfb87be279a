"""Scalar bodies shared by all targets.

They are plain functions of scalars; ``_jit.bind`` compiles them for a target. A product that feeds a sum is
written ``add(mul(a, b), c)``, so that a target can keep its compiler from contracting the two. Constants arrive typed,
as arguments or through the type of another operand. The arithmetic of the first functions, ``mul`` to
``number``, may be replaced for a target.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Number = Any


def mul(a: Number, b: Number) -> Number:
    """Product, one rounding."""
    return a * b


def add(a: Number, b: Number) -> Number:
    """Sum, one rounding."""
    return a + b


def whole(x: Number) -> Number:
    """The nearest integer, ties to even."""
    return np.rint(x)


def floor(x: Number) -> Number:
    """The largest integer that is not above."""
    return np.floor(x)


def root(x: Number) -> Number:
    """Square root, one rounding."""
    return np.sqrt(x)


def bits(x: Number) -> Number:
    """The bits of a float as an integer of its width."""
    return x.view(np.int32 if x.dtype == np.float32 else np.int64)


def number(i: Number) -> Number:
    """The float with the bits of an integer."""
    return i.view(np.float32 if i.dtype == np.int32 else np.float64)


# error-free transformations of float64 numbers


def two_sum(a: Number, b: Number) -> tuple[Number, Number]:
    """Rounded sum and its exact error (Knuth)."""
    s = add(a, b)
    z = add(s, -a)
    return s, add(add(a, -add(s, -z)), add(b, -z))


def split(x: Number) -> tuple[Number, Number]:
    """Upper and lower half of the digits of a float64 number (Veltkamp)."""
    t = mul(type(x)(134217729), x)
    high = add(t, -add(t, -x))
    return high, add(x, -high)


def product_error(
    h: Number, x_high: Number, x_low: Number, y_high: Number, y_low: Number
) -> Number:
    """Exact error of the rounded product ``h`` of two split numbers (Dekker)."""
    error = add(mul(x_high, y_high), -h)
    error = add(add(error, mul(x_high, y_low)), mul(x_low, y_high))
    return add(error, mul(x_low, y_low))


# a running sum is s + c, within d of the exact sum


def add_term(s: Number, c: Number, d: Number, x: Number) -> tuple[Number, Number, Number]:
    """Running sum with one more term."""
    s, e = two_sum(s, x)
    c, f = two_sum(c, e)
    return s, c, add(d, abs(f))


def add_product(
    s: Number, c: Number, d: Number, x: Number, y: Number
) -> tuple[Number, Number, Number]:
    """Running sum with one more product; ``d`` is infinite where the product's error may underflow."""
    T = type(s)
    h = mul(x, y)
    x_high, x_low = split(x)
    y_high, y_low = split(y)
    s, e = two_sum(s, h)
    c, f = two_sum(c, e)
    c, g = two_sum(c, product_error(h, x_high, x_low, y_high, y_low))
    lost = (abs(h) < T(2.0**-960)) & (x != T(0)) & (y != T(0))
    return s, c, add(d, T(np.inf) if lost else add(abs(f), abs(g)))


def join(
    s: Number, c: Number, d: Number, s2: Number, c2: Number, d2: Number
) -> tuple[Number, Number, Number]:
    """Running sum of two running sums."""
    s, e = two_sum(s, s2)
    c, f = two_sum(c, c2)
    c, g = two_sum(c, e)
    return s, c, add(add(d, d2), add(abs(f), abs(g)))


def fold(s: Any, c: Any, d: Any) -> None:
    """Joins running sums that stand in arrays; the result is in the first elements."""
    count = s.size
    while count > 1:
        half = (count + 1) // 2
        for j in range(count - half):
            k = half + j
            s[j], c[j], d[j] = join(s[j], c[j], d[j], s[k], c[k], d[k])
        count = half


def quotient(s: Number, c: Number, d: Number, n: Number) -> tuple[Number, Number, Number]:
    """A running sum over a positive integer: the quotient of ``s``, and its exact remainder with ``c``, over ``n``.

    ``d`` is infinite where a quotient may underflow.
    """
    T = type(s)
    q = s / n
    h = mul(q, n)
    q_high, q_low = split(q)
    n_high, n_low = split(n)
    rest = add(add(s, -h), -product_error(h, q_high, q_low, n_high, n_low))
    correction = add(rest, c) / n
    error = add(d / n, mul(abs(correction), T(2.0**-50)))
    lost = (abs(s) < T(2.0**-900)) & (add(add(abs(s), abs(c)), d) != T(0))
    return q, correction, T(np.inf) if lost else error


def ends(s: Number, c: Number, d: Number, single: bool) -> tuple[Number, Number]:
    """Ends of the interval that holds an exact sum, each rounded once more, outward if ``single``.

    The growth covers the rounding of ``d``, of ``c - d`` and of ``c + d``. If ``single``, the ends are rounded to
    float32 later, so they must enclose the sum; else they are the rounded ends themselves.
    """
    T = type(s)
    grown = add(mul(d, T(1.0 + 2.0**-20)), mul(abs(c), T(2.0**-52)))
    width = grown if d > T(0) else d
    lower, upper = add(s, add(c, -width)), add(s, add(c, width))
    if single and (c != T(0) or d > T(0)):
        lower = add(lower, -mul(abs(lower), T(2.0**-52)))
        upper = add(upper, mul(abs(upper), T(2.0**-52)))
    return lower, upper


def same(a: Number, b: Number) -> bool:
    """Whether two numbers have the same bits; false for NaN."""
    return a == b and bits(a) == bits(b)


def low_bit(x: Number) -> Number:
    """Place value of the lowest set bit of a float; 0 for 0."""
    size = abs(x)
    i = bits(size)
    I = type(i)
    rest = number(I(i & I(i - I(1))))  # without that bit, or at most half of a power of two
    return size if add(rest, rest) <= size else add(size, -rest)


def order(x: Number) -> Number:
    """Integer in the order of the floats: 0 for both zeros, the largest for NaN."""
    i = bits(abs(x))
    return type(i)(-i) if x < type(x)(0) else i


def without_sign_of_zero(x: Number) -> Number:
    """The number, and +0 for -0."""
    return add(x, type(x)(0))


# converters and gradients


def clip(x: Number, bound: Number) -> Number:
    """Limited to a bound. [DC-2]"""
    return -bound if x < -bound else (bound if x > bound else x)


def rounded(x: Number, step: Number, uniform: Number, stochastic: bool) -> Number:
    """Multiple of a step that is not 0: the nearest, or after adding a uniform deviate. [DC-1]"""
    levels = x / step
    return mul(whole(add(levels, uniform) if stochastic else levels), step)


def unequal(x: Number, factor: Number) -> Number:
    """Negative values times a factor. [DC-3, DC-4]"""
    return mul(x, factor) if x < type(x)(0) else x


def noisy(x: Number, scale: Number, deviate: Number) -> Number:
    """Value plus scaled noise. [DC-3, DC-4, WM-2]"""
    return add(x, mul(scale, deviate))


def output_level(
    x: Number,
    factor: Number,
    noise: bool,
    scale: Number,
    deviate: Number,
    step: Number,
    uniform: Number,
    stochastic: bool,
) -> Number:
    """Product after asymmetry, noise and rounding. [DC-4]"""
    value = unequal(x, factor)
    if noise:
        value = noisy(value, scale, deviate)
    return rounded(value, step, uniform, stochastic) if step != type(step)(0) else value


def held(condition: bool, x: Number) -> Number:
    """The number if a condition holds, else +0."""
    return x if condition else type(x)(0)


def passed(gradient: Number, x: Number, bound: Number) -> Number:
    """Gradient where a value lies within its bound, else +0. [BP-1, BP-2, IR-9]"""
    return gradient if abs(x) <= bound else type(gradient)(0)


def upper_pull(c: Number, d: Number, r: Number) -> Number:
    """Term of the range rule at the upper edge. [IR-4]"""
    return d if (c >= r) & (d < type(d)(0)) else type(d)(0)


def lower_pull(c: Number, d: Number, r: Number) -> Number:
    """Term of the range rule at the lower edge. [IR-4]"""
    return d if (c <= -r) & (d > type(d)(0)) else type(d)(0)


# scalars of a tile


def range_from_data(r: Number, counter: Number, deviation: Number, alpha: Number) -> Number:
    """Average of the old range and the batch's estimate. [IR-1]"""
    weighted = add(mul(r, counter), mul(alpha, deviation))
    return abs(weighted / add(counter, type(counter)(1)))


def range_rule(upper: Number, lower: Number, r: Number, relative: bool, scale: Number) -> Number:
    """Gradient of the range before decay. [IR-5]"""
    rule = add(upper, -lower)
    return mul(mul(rule, r) if relative else rule, scale)


def range_decay(
    gradient: Number, r: Number, decay: Number, fraction: Number, threshold: Number
) -> Number:
    """Gradient of the range with its decay. [IR-7]"""
    active = decay > type(decay)(0) and fraction > threshold
    return add(gradient, mul(decay, r)) if active else gradient


def range_residual(output_sum: Number, input_sum: Number, r: Number) -> Number:
    """Residual of the range gradient. [IR-8]"""
    return add(output_sum, -(input_sum / r))


def gaussian_bound(deviation: Number, sigma: Number, fixed_value: Number) -> Number:
    """Bound of the Gaussian weight clip. [WP-1]"""
    bound = mul(sigma, deviation)
    return fixed_value if type(bound)(0) < fixed_value < bound else bound


# rows


def management_scale(peak: Number, cap: Number) -> Number:
    """Divisor of noise management. [NM-3]"""
    capped = cap if peak > cap else peak
    return capped if peak > type(peak)(0) else type(peak)(1)


def management_gradient(
    output_sum: Number, input_sum: Number, sigma: Number, alpha: Number, out_scale: Number
) -> Number:
    """Derivative with respect to the divisor. [NM-4]"""
    s = add(input_sum, -(mul(output_sum, out_scale / sigma) / sigma))
    return -mul(s, sigma / alpha)


# weights


def multiplied_noise(weight: Number, deviate: Number, scale: Number) -> Number:
    """Weight with noise in proportion to it. [WM-3]"""
    return mul(weight, add(type(scale)(1), mul(scale, deviate)))


def clipped_weight(weight: Number, bound: Number) -> Number:
    """Weight limited from below, then from above. [WP-2]"""
    raised = -bound if weight < -bound else weight
    return bound if raised > bound else raised


# networks


def rectified(x: Number) -> Number:
    """The number, or +0 if it is not positive. [NN-1]"""
    return type(x)(0) if x <= type(x)(0) else x


def rectified_gradient(gradient: Number, x: Number) -> Number:
    """Gradient where a value is positive, else +0. [NN-2]"""
    return gradient if x > type(x)(0) else type(gradient)(0)


# exponential, logarithm and circle


def horner(x: Number, coefficients: Any) -> Number:
    """Polynomial, its coefficients from the highest power down."""
    value = coefficients[0]
    for coefficient in coefficients[1:]:
        value = add(coefficient, mul(x, value))
    return value


def power_of_two(k: Number, layout: Any) -> Number:
    """``2**k`` for an integer ``k`` in the range of normal exponents."""
    shift, bias = layout
    return number(type(k)(type(k)(k + bias) << shift))


def log_normal(x: Number, lift: Number, layout: Any, ln2: Any, series: Any) -> Number:
    """``ln(x / 2**lift)`` for a positive normal number ``x``. [EF-1]"""
    T, I = type(x), type(lift)
    shift, bias = layout
    sqrt_half = T(0.7071067811865476)
    i = bits(x)
    fraction = I(i & I(I(I(1) << shift) - I(1)))
    m = number(I(fraction | I(I(bias - I(1)) << shift)))
    k = I(I(i >> shift) - I(bias - I(1)))
    low = m < sqrt_half
    k = T(I(I(k - lift) - I(low)))
    f = add(add(m, m) if low else m, -T(1))
    s = f / add(T(2), f)
    z = mul(s, s)
    rest = mul(z, horner(z, series))
    return add(mul(k, ln2[0]), add(f, -add(mul(s, add(f, -rest)), -mul(k, ln2[1]))))


def log(x: Number, layout: Any, ln2: Any, series: Any) -> Number:
    """Natural logarithm. [EF-1]"""
    T, I = type(x), type(layout[0])
    lift = I(layout[0] + I(1)) if x < power_of_two(I(I(1) - layout[1]), layout) else I(0)
    y = mul(x, power_of_two(lift, layout))
    result = log_normal(y, lift, layout, ln2, series) if x > T(0) else T(np.nan)
    result = T(-np.inf) if x == T(0) else result
    return x if x == T(np.inf) else result


def scaled_by_power(x: Number, k: Number, layout: Any) -> Number:
    """``x * 2**k``; a power beyond the normal range is cut to it."""
    bias = layout[1]
    I = type(bias)
    i, lowest = I(k), I(I(1) - bias)
    i = lowest if i < lowest else (bias if i > bias else i)
    return mul(x, power_of_two(I(i), layout))


def exp(x: Number, edge: Number, layout: Any, ln2: Any, series: Any) -> Number:
    """Exponential function; beyond ``edge`` it is 0 or infinite. [EF-2]"""
    T = type(x)
    y = clip(x, edge) if x == x else T(0)
    k = whole(mul(y, T(1.4426950408889634)))
    t = add(add(y, -mul(k, ln2[0])), -mul(k, ln2[1]))
    p = add(t, mul(mul(t, t), horner(t, series)))
    half = floor(k / T(2))
    result = scaled_by_power(add(T(1), p), half, layout)
    result = scaled_by_power(result, add(k, -half), layout)
    return result if x == x else x


def unit_circle(u: Number, cosines: Any, sines: Any) -> tuple[Number, Number]:
    """Cosine and sine of a float32 number of turns. [RN-4]"""
    T = type(u)
    k = whole(mul(u, T(4)))
    f = add(u, -mul(k, T(0.25)))
    z = mul(f, f)
    even, odd = horner(z, cosines), mul(f, horner(z, sines))
    quarter = np.int32(k)
    turned = np.int32(quarter & np.int32(1)) != np.int32(0)
    cosine, sine = odd if turned else even, even if turned else odd
    left = np.int32(np.int32(quarter + np.int32(1)) & np.int32(2)) != np.int32(0)
    below = np.int32(quarter & np.int32(2)) != np.int32(0)
    return -cosine if left else cosine, -sine if below else sine


# random numbers


def philox(
    k0: Number, k1: Number, c0: Number, c1: Number, c2: Number, c3: Number
) -> tuple[Number, Number, Number, Number]:
    """Ten rounds of Philox4x32 on 32-bit words in uint64; above them there may be anything in between. [RN-1]"""
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        p0, p1 = (c0 & mask) * np.uint64(0xD2511F53), (c2 & mask) * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (p1 >> half) ^ c1 ^ k0, p1, (p0 >> half) ^ c3 ^ k1, p0
        k0, k1 = k0 + np.uint64(0x9E3779B9), k1 + np.uint64(0xBB67AE85)
    return c0 & mask, c1 & mask, c2 & mask, c3 & mask


def unit(word: Number) -> Number:
    """Upper 24 bits of a uint32 word as a fraction. [RN-2]"""
    return np.float32(np.int32(word >> np.uint32(8))) * np.float32(2.0**-24)


def normal_pair(
    radial: Number, angular: Number, layout: Any, ln2: Any, series: Any, cosines: Any, sines: Any
) -> tuple[Number, Number]:
    """Two normal deviates from two words by Box and Muller. [RN-3]"""
    chance = add(np.float32(1), -unit(radial))
    logarithm = log_normal(chance, np.int32(0), layout, ln2, series)
    radius = root(mul(np.float32(-2), logarithm))
    cosine, sine = unit_circle(unit(angular), cosines, sines)
    return mul(radius, cosine), mul(radius, sine)
