"""Quantisers once more, in exact arithmetic with one rounding for each written operation."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from tests.clauses.random_oracle import exp_number, log_number
from tests.exact import Array, Number, Scalar, each, number, round_to

F32 = np.float32
TINY = Fraction(1, 10**8)


def single(values: Array) -> Array:
    """Values rounded to float32."""
    exact = [round_to(F32, Fraction(v)) if np.isfinite(v) else F32(v) for v in values.tolist()]
    return np.array(exact, dtype=F32)


def quantiser_range(lo: Array, hi: Array) -> tuple[Array, Array]:
    below = each(lambda v: v if v < v.like(0) else v.like(0), lo)
    return below, each(lambda v: v.like(TINY) if v < v.like(TINY) else v, hi)


def code_range(lo: Array, n_bits: int, symmetric: bool) -> tuple[Scalar, Scalar]:
    T = lo.dtype.type
    signed = symmetric and min(lo) < 0
    codes = [k - 2 ** (n_bits - 1) if signed else k for k in (0, 2**n_bits - 1)]
    return T(codes[0]), T(codes[1])


def symmetric_step(lo: Array, hi: Array, int_max: Scalar) -> Array:
    return single(each(lambda a, b, n: max(abs(a), b) / n, lo, hi, int_max))


def asymmetric_step(lo: Array, hi: Array, int_max: Scalar) -> tuple[Array, Array]:
    step = each(lambda a, b, n: (b - a) / n, lo, hi, int_max)
    return single(step), single(each(lambda a, d: (a.like(0) - a) / d, lo, step))


def stored_step(step: Array, logarithmic: bool) -> Array:
    return each(log_number if logarithmic else lambda v: v, step)


def quantiser_scale(stored: Array, logarithmic: bool) -> Array:
    smallest = number(F32(1e-8))
    return each(exp_number if logarithmic else lambda v: max(v, smallest), stored)


def zero_point(zero_float: Array, int_max: Scalar) -> Array:
    return each(lambda z, n: min(max(z.like(0), z.rint()), n), zero_float, int_max)


def level(x: Number, s: Number, z: Number) -> Number:
    return (x / s).rint() + z


def clipped(m: Number, low: Number, high: Number) -> Number:
    return low if m < low else (high if m > high else m)


def quantised_codes(x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar) -> Array:
    def code(x: Number, s: Number, z: Number, low: Number, high: Number) -> Number:
        return clipped(level(x, s, z), low, high)

    return each(code, x, scale[:, None], zero[:, None], int_min, int_max)


def quantised(x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar) -> Array:
    codes = quantised_codes(x, scale, zero, int_min, int_max)
    return each(lambda n, s, z: s * (n - z), codes, scale[:, None], zero[:, None])


def quantised_gradient(g: Array, *given: Any) -> Array:
    return np.where(passed(*given), g, g.dtype.type(0))


def passed(x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar) -> Any:
    codes = each(level, x, scale[:, None], zero[:, None])
    return np.array([int_min <= m <= int_max for m in codes.flat], dtype=bool).reshape(x.shape)


def sums(x: Array, y: Array) -> Array:
    """The sum of products in each row, rounded once to float32."""
    rows = []
    for one, other in zip(x, y, strict=True):
        finite = np.isfinite(one).all() and np.isfinite(other).all()
        terms = (
            [Fraction(float(a)) * Fraction(float(b)) for a, b in zip(one, other, strict=True)]
            if finite
            else []
        )
        rows.append(round_to(F32, sum(terms, Fraction(0))) if finite else F32(np.nan))
    return np.array(rows, dtype=F32)


def scale_gradient(g: Array, x: Array, scale: Array, zero: Array, *codes: Scalar) -> Array:
    given = x, scale, zero, *codes

    def error(n: Number, z: Number, x: Number, s: Number, inside: np.bool_) -> Number:
        return n - z - x / s if inside else n - z

    n = quantised_codes(*given)
    e = each(error, n, zero[:, None], x, scale[:, None], passed(*given))
    return sums(g, e)


def stored_step_gradient(gradient: Array, stored: Array, logarithmic: bool) -> Array:
    if logarithmic:
        return each(lambda g, t: g * exp_number(t), gradient, stored)
    smallest = number(F32(1e-8))
    return each(lambda g, t: g.like(0) if t < smallest else g, gradient, stored)


def zero_point_gradient(g: Array, x: Array, scale: Array, zero: Array, *codes: Scalar) -> Array:
    lost = np.where(passed(x, scale, zero, *codes), g.dtype.type(0), -g)
    return sums(lost, np.repeat(scale[:, None], g.shape[1], axis=1))


def zero_float_gradient(gradient: Array, zero_float: Array, int_max: Scalar) -> Array:
    def gate(g: Number, z: Number, n: Number) -> Number:
        return g if z.like(0) <= z.rint() and z.rint() <= n else g.like(0)

    return each(gate, gradient, zero_float, int_max)
