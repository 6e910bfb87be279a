"""Range estimators once more, in exact arithmetic with one rounding for each written operation."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from tests.clauses.network_oracle import exponentials, probabilities, shifted
from tests.clauses.quantiser_oracle import quantised
from tests.clauses.random_oracle import log_number
from tests.exact import Array, Number, Scalar, each, number, round_to

F64 = np.float64


def like(x: Array, values: list[Number]) -> Array:
    return np.array([v.value for v in values], dtype=x.dtype)


def plus_zero(v: Number) -> Number:
    return v if v.value else v.like(0)


def value_range(x: Array) -> tuple[Array, Array]:
    ordered = [sorted((number(v) for v in row), key=lambda v: v.value) for row in x]
    return tuple(like(x, [plus_zero(row[i]) for row in ordered]) for i in (0, -1))  # type: ignore[return-value]


def percentile(row: list[Number], p: Number) -> Number:
    place = p / p.like(100) * p.like(len(row) - 1)
    k = math.floor(place.exact)
    t = row[0].like(place.exact - k)
    if not t.value:
        return row[k]
    rise = t * (row[min(k + 1, len(row) - 1)] - row[k])
    return plus_zero(row[k] + rise)


def percentile_range(x: Array, p: Scalar, two_sided: bool) -> tuple[Array, Array]:
    p = number(F64(p))
    rows = [sorted((plus_zero(number(v)) for v in row), key=lambda v: v.value) for row in x]
    upper = p.like(100) - p if two_sided else p.like(100)
    return like(x, [percentile(r, p) for r in rows]), like(x, [percentile(r, upper) for r in rows])


def widest_range(lo: Array, hi: Array, old_lo: Array, old_hi: Array) -> tuple[Array, Array]:
    return (
        each(lambda a, b: a if a < b else b, lo, old_lo),
        each(lambda a, b: a if a > b else b, hi, old_hi),
    )


def moving_range(
    lo: Array, hi: Array, old_lo: Array, old_hi: Array, fresh: Scalar, kept: Scalar
) -> tuple[Array, Array]:
    def average(new: Number, old: Number, f: Number, m: Number) -> Number:
        return f * new + m * old

    return each(average, lo, old_lo, fresh, kept), each(average, hi, old_hi, fresh, kept)


def search_limits(lo: Array, hi: Array, margin: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    T = lo.dtype.type
    lower = min((number(v) for v in lo), key=lambda v: v.value) - number(margin)
    upper = max((number(v) for v in hi), key=lambda v: v.value) + number(margin)
    size = max(abs(lower).value, abs(upper).value)
    return T(lower.value), T(upper.value), T(size)


def sizes(size: Scalar, count: int) -> list[Number]:
    unit = number(size) / number(size).like(count)
    return [unit.like(c) * unit for c in range(1, count + 1)]


def symmetric_candidates(size: Scalar, count: int, one_sided: bool) -> tuple[Array, Array]:
    hi = sizes(size, count)
    return like(size, [v.like(0) if one_sided else -v for v in hi]), like(size, hi)


def skewed_candidates(
    lower: Scalar, upper: Scalar, size: Scalar, count: int, n_bits: int
) -> tuple[Array, Array]:
    least, most = number(lower), number(upper)
    lo, hi = [], []
    for R in sizes(size, count):
        step = R / R.like(Fraction(2**n_bits - 1, 2))
        for k in range(max(1, 2**n_bits // 4)):
            for e in (R.like(k) * step, -(R.like(k) * step)):
                low, high = -R + e, R + e
                lo.append(least if low < least else low)
                hi.append(most if high > most else high)
    return like(size, lo), like(size, hi)


def shifted_range(size: Scalar, shift: Scalar, one_sided: bool) -> tuple[Array, Array]:
    R, e = number(size), number(shift)
    return like(size, [R.like(0) if one_sided else -R + e]), like(size, [R + e])


def squared_errors(x: Array, scale: Array, zero: Array, low: Scalar, high: Scalar) -> Array:
    losses = np.empty((len(x), len(scale)))
    for c in range(len(scale)):
        for g in range(len(x)):
            q = quantised(x[g : g + 1], scale[c : c + 1], zero[c : c + 1], low, high)[0]
            if not (np.isfinite(q).all() and np.isfinite(x[g]).all()):
                losses[g, c] = np.nan
                continue
            terms = [(Fraction(float(a)) - Fraction(float(b))) ** 2 for a, b in zip(x[g], q)]  # noqa: B905
            losses[g, c] = round_to(F64, sum(terms, Fraction(0)))
    return losses


def log_shares(row: Array) -> list[Number]:
    logarithm = log_number(exponentials(row)[1])
    return [v - logarithm for v in shifted(row)]


def softmax_losses(x: Array, scale: Array, zero: Array, low: Scalar, high: Scalar) -> Array:
    losses = np.empty((1, len(scale)))
    for c in range(len(scale)):
        y = quantised(x, scale[[c] * len(x)], zero[[c] * len(x)], low, high)
        total = Fraction(0)
        for row, values in zip(x, y, strict=True):
            pairs = zip(probabilities(row), log_shares(values), strict=True)
            total -= sum((p.exact * v.exact for p, v in pairs), Fraction(0))
        losses[0, c] = round_to(F64, total)
    return losses


def least_loss(losses: Array, before: Array | None) -> tuple[Array, Any]:
    total = losses if before is None else each(lambda a, b: a + b, before, losses)
    best = [min(range(len(row)), key=lambda c: (row[c], c)) for row in total.tolist()]
    return total, np.array(best, dtype=np.int64)
