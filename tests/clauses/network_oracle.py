"""Rectifier, softmax and cross-entropy once more, in exact arithmetic with one rounding for each written operation."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.clauses.random_oracle import exp_number, log_number
from tests.exact import Array, Number, each, number, total


def relu(x: Array) -> Array:
    return each(lambda v: v.like(0) if v <= v.like(0) else v, x)


def relu_gradient(gradient: Array, x: Array) -> Array:
    return each(lambda g, v: g if v.like(0) < v else v.like(0), gradient, x)


def shifted(row: Array) -> list[Number]:
    numbers = [number(v) for v in row]
    largest = max(numbers, key=lambda v: v.exact)
    return [v - largest for v in numbers]


def exponentials(row: Array) -> tuple[list[Number], Number]:
    e = [exp_number(v) for v in shifted(row)]
    return e, number(total(row.dtype.type, (v.exact for v in e)))


def matrix(like: Array, rows: list[list[Number]]) -> Array:
    values = [[v.value for v in row] for row in rows]
    return np.array(values, dtype=like.dtype).reshape(like.shape)


def probabilities(row: Array) -> list[Number]:
    e, s = exponentials(row)
    return [v / s for v in e]


def softmax(logits: Array) -> Array:
    return matrix(logits, [probabilities(row) for row in logits])


def cross_entropy(logits: Array, label: Any) -> Array:
    losses = [
        (log_number(exponentials(row)[1]) - shifted(row)[t]).value
        for row, t in zip(logits, label, strict=True)
    ]
    return np.array(losses, dtype=logits.dtype)


def cross_entropy_gradient(logits: Array, label: Any) -> Array:
    rows = []
    for row, t in zip(logits, label, strict=True):
        p = probabilities(row)
        p[t] = p[t] - p[t].like(1)
        rows.append([v / v.like(len(logits)) for v in p])
    return matrix(logits, rows)
