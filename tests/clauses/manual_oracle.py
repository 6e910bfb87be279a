"""The clauses of the manual path once more, in exact arithmetic with one rounding for each written operation."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from tests.clauses.oracle import F32, mean, table
from tests.exact import Array, Number, Scalar, each, round_to, total

# --- management of rows -------------------------------------------------------------------------


def row_sum_peak(v: Array) -> Array:
    T = v.dtype.type
    sums = []
    for row in v:
        terms = [Fraction(float(x)) for x in row]
        sides = [t for t in terms if t > 0], [-t for t in terms if t < 0]
        sums.append(max(total(T, side) for side in sides))
    return table(v.dtype, (len(v),), sums)


def sum_management_scale(peak: Array, sums: Array, factor: Scalar, limit: Scalar) -> Array:
    def divisor(p: Number, s: Number, f: Number, most: Number) -> Number:
        bounded = min(f * s, most * p, key=lambda n: n.value) if p.value else f * s
        return max(p, bounded, key=lambda n: n.value)

    return each(divisor, peak, sums, factor, limit)


def running_peak(peak: Array, start: Scalar, keep: Scalar, weight: Scalar) -> Array:
    T = peak.dtype.type
    average, result = None if start < 0 else Number(T, float(start)), []
    share, rest = Number(T, float(weight)), Number(T, float(keep))
    for value in peak:
        row = Number(T, float(value))
        average = row if average is None else rest * average + share * row
        result.append(average.value)
    return table(peak.dtype, peak.shape, result)  # type: ignore[arg-type]


def rows_within_bound(t: Array, bound: Scalar, negative: bool) -> Array:
    lower = -bound if negative else t.dtype.type(-np.inf)
    return np.array([all(lower <= x <= bound for x in row) for row in t], dtype=np.bool_)


# --- clipped outputs ----------------------------------------------------------------------------


def output_clip_mask(value: Array, bound: Scalar, inclusive: bool) -> Array:
    def clipped(x: Any) -> bool:
        return bool(max(x, -x) > bound or (inclusive and max(x, -x) == bound))

    return np.array([clipped(x) for x in value.flat], dtype=np.bool_).reshape(value.shape)


def masked_gradient(g: Array, mask: Array) -> Array:
    return table(
        g.dtype,
        g.shape,
        [g.dtype.type(0) if m else x for x, m in zip(g.flat, mask.flat, strict=True)],
    )


def unclipped_output_fraction(mask: Array, count: int) -> Scalar:
    if count == 0:
        return F32(np.nan)
    return round_to(F32, 1 - Fraction(sum(map(bool, mask.flat)), count))


def range_growth(gradient: Scalar, r: Scalar, fraction: Scalar, threshold: Scalar) -> Scalar:
    grows, part = fraction < threshold, r.dtype.type(fraction)
    return each(lambda g, r, p: g - (g.like(1) - p) * r if grows else g, gradient, r, part)[()]


# --- the weight gradient ------------------------------------------------------------------------


def rate_compensation(scale: Array) -> Scalar:
    return each(lambda m: m.like(1) / m, mean(scale))[()]


def unscaled_gradient(g: Array, scale: Array, compensation: Scalar) -> Array:
    return each(lambda x, s, c: x / (s * c), g, scale, compensation)
