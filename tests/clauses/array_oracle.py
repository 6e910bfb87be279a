"""Clauses TA and CA once more, in exact arithmetic; nothing of refsim is imported."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np

from tests.exact import Array, Number, Scalar, each, number, round_to


def split_sizes(size: int, limit: int) -> Any:
    """Dealt out one by one: each split gets its share of the elements in turn."""
    count = ceil(Fraction(size, limit)) if limit > 0 else 1
    dealt = [0] * count
    for element in range(size):
        dealt[element % count] += 1
    return np.array(dealt, dtype=np.int64)


def split_sum(parts: Array) -> Array:
    y: Array = parts[0]
    for part in parts[1:]:
        y = each(lambda a, b: a + b, y, part)
    return y.copy()


def quantile(x: Array, index: int, fraction: Scalar) -> Scalar:
    """By rank: an element has a place if fewer elements are below it than the place says."""
    T = x.dtype.type
    values = [Fraction(float(v)) for v in x.flat]

    def at(place: int) -> Number:
        found = next(
            v for v in values if sum(w < v for w in values) <= place < sum(w <= v for w in values)
        )
        return number(round_to(T, found))

    low = at(index)
    if fraction == 0:
        return T(low.value)
    high = at(index + 1)
    inner = low + number(fraction) * (high - low)
    return T((high if inner > high else inner).value) + T(0)


def averaged_range(r: Scalar, counter: Scalar, value: Scalar) -> Scalar:
    k = number(counter)
    return r.dtype.type(abs((number(r) * k + number(value)) / (k + k.like(1))).value)
