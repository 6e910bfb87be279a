"""Gradients through the converters on the autograd path (clauses BP)."""

from __future__ import annotations

import numpy as np

from .._jit import compiled
from . import threads
from .arrays import Array, Mask, Scalar, plain
from .points import P


@compiled
def _adc_gradient(
    begin: int,
    end: int,
    g: Array,
    sigma: Array,
    out_scale: Scalar,
    t: Array,
    bound: Scalar,
    m: Array,
    negative_factor: Scalar,
    out: Array,
) -> None:
    for n in range(begin, end):
        gn, tn, mn, on, factor = g[n], t[n], m[n], out[n], out_scale / sigma[n]
        for o in range(gn.size):
            gradient = P.mul(gn[o], factor)
            steeper = P.mul(gradient, negative_factor)
            on[o] = P.passed(steeper if mn[o] < 0 else gradient, tn[o], bound)


def adc_gradient(
    g: Array,
    sigma: Array,
    out_scale: Scalar,
    t: Array,
    bound: Scalar,
    m: Array,
    negative_factor: Scalar,
) -> Array:
    """Gradient of the analog product from the gradient of the core output. [BP-1]"""
    out = np.empty(g.shape, g.dtype)
    given = plain(g), plain(sigma), out_scale, plain(t), bound, plain(m), negative_factor
    threads.run(_adc_gradient, len(g), g.size > threads.ELEMENTS, *given, out)
    return out


@compiled
def _dac_gradient(
    begin: int,
    end: int,
    g: Array,
    q: Array,
    bound: Scalar,
    negative: Mask,
    negative_factor: Scalar,
    out: Array,
) -> None:
    for n in range(begin, end):
        gn, qn, mn, on = g[n], q[n], negative[n], out[n]
        for i in range(gn.size):
            steeper = P.mul(gn[i], negative_factor)
            on[i] = P.passed(steeper if mn[i] else gn[i], qn[i], bound)


def dac_gradient(
    g: Array, q: Array, bound: Scalar, negative: Mask, negative_factor: Scalar
) -> Array:
    """Gradient before the input conversion from the gradient of the converted input. [BP-2]"""
    out = np.empty(g.shape, g.dtype)
    given = plain(g), plain(q), bound, plain(negative), negative_factor
    threads.run(_dac_gradient, len(g), g.size > threads.ELEMENTS, *given, out)
    return out


__all__ = ["adc_gradient", "dac_gradient"]
