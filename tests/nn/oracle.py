"""Gradient descent in exact arithmetic, one rounding for each written operation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from tests.exact import Array, Number, Type, each, round_to


def setting(T: Type, value: float) -> Number:
    return Number(T, float(round_to(T, Fraction(value))))


def step(
    p: Array,
    g: Array,
    v: Array | None,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
) -> tuple[Array, Array | None]:
    """Parameter and velocity after one step."""
    T = p.dtype.type
    eta, mu, decay = (setting(T, value) for value in (lr, momentum, weight_decay))
    undamped = setting(T, 1 - dampening)
    d = each(lambda g, p: g + decay * p, g, p) if decay.value else g
    if mu.value:
        v = d if v is None else each(lambda v, d: mu * v + undamped * d, v, d)
        d = each(lambda d, v: d + mu * v, d, v) if nesterov else v
    return each(lambda p, d: p - eta * d, p, d), np.array(v) if mu.value else None
