"""Rounded outputs of the ADC without all digits of the product.

With an ADC grid, an output is a multiple of a step, and seldom close to where two multiples part. So a float32 product
``s`` is nearly always enough. Its error is at most ``e = gamma(K) p + K 2**-125`` with ``u = 2**-24``: ``p`` is the
product of the norms, and the second term covers underflow, even if subnormal numbers are taken for zero. All steps from
the product to the rounded output are monotone, unless an asymmetry factor is negative. So where both ends of ``s -+ e``
come to one number, that is the answer. The rest is looked at again with float64 products, and what these leave open
with exact ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._jit import compiled
from . import quick, threads
from .arrays import Array, Float64, Index, Mask, Scalar, full, plain
from .exact import CHUNK, count
from .points import P
from .product import SLACK, blas_product, gamma
from .sums import row_products

LANES = 32
LONGEST = 2**20
"""Terms from which a float32 product tells nothing."""
FEW = 2
"""Rows up to which a look at each pair of rows is the cheapest."""


class Converter(NamedTuple):
    """What makes a rounded output of a product."""

    step: Scalar
    negative_factor: Scalar
    rounding: Array
    noise: Array
    noise_scale: Array


def converter(
    m: tuple[int, int],
    step: Scalar,
    rounding: Array | None,
    noise: Array | None,
    noise_scale: Array,
    negative_factor: Scalar,
) -> Converter:
    """The same with an array for each None, for outputs of the shape ``m``."""
    none = np.empty((0, 0), step.dtype)
    given, deviates = (none if x is None else plain(x) for x in (rounding, noise))
    return Converter(step, negative_factor, given, deviates, full(noise_scale, m[1], step))


@compiled
def levels(n: int, c: Converter, t: Array) -> None:
    """Rounded outputs of row ``n`` in place of its products."""
    stochastic, noisy = c.rounding.size > 0, c.noise.size > 0
    un, en = c.rounding[n] if stochastic else t, c.noise[n] if noisy else t
    for o in range(t.size):
        t[o] = P.output_level(
            t[o], c.negative_factor, noisy, c.noise_scale[o], en[o], c.step, un[o], stochastic
        )


@compiled
def _certified(
    begin: int,
    end: int,
    c: Converter,
    sizes: tuple[Float64, Float64],
    bound: tuple[float, float],
    s: Array,
    t: Array,
    undecided: Mask,
) -> None:
    """Rounded outputs from approximate products, and where the bound of their error leaves them open."""
    T, (relative, absolute) = type(c.step), bound
    for n in range(begin, end):
        width, sn, tn, on = relative * sizes[0][n], s[n], t[n], undecided[n]
        for o in range(sn.size):
            error = width * sizes[1][o] + absolute
            tn[o], sn[o] = T(np.float64(sn[o]) - error), T(np.float64(sn[o]) + error)
        levels(n, c, tn)
        levels(n, c, sn)
        for o in range(sn.size):
            on[o] = not (P.same(tn[o], sn[o]) & (abs(tn[o]) < np.inf))


@compiled
def _row_sizes(begin: int, end: int, x: Array, growth: float, size: Float64) -> None:
    """Upper bounds of the norms of rows."""
    K = x.shape[1]
    lanes = np.empty(LANES)
    for n in range(begin, end):
        lanes[:] = K * 2.0**-1060  # no less than what underflows
        xn = x[n]
        for k in range(0, K, LANES):
            xk = xn[k:]
            for j in range(min(LANES, K - k)):
                value = np.float64(xk[j])
                lanes[j] += value * value
        size[n] = np.sqrt(lanes.sum()) * growth


def row_sizes(x: Array) -> Float64:
    """Upper bounds of the norms of the rows of a float32 array."""
    size = np.empty(len(x))
    threads.run(_row_sizes, len(x), x.size > threads.ELEMENTS, x, 1 + gamma(x.shape[1]), size)
    return size


@compiled
def _wide_product(x: Float64, w: Array, lanes: Float64) -> float:
    """Product of two rows in float64."""
    lanes[:] = 0.0
    for k in range(0, x.size, LANES):
        xk, wk = x[k:], w[k:]
        for j in range(min(LANES, x.size - k)):
            lanes[j] += xk[j] * np.float64(wk[j])
    return lanes.sum()


@compiled
def _looked_at(
    begin: int,
    end: int,
    where: Index,
    c: Converter,
    d: Array,
    weight: Array,
    sizes: tuple[Float64, Float64],
    bound: float,
    t: Array,
    undecided: Mask,
) -> None:
    """Rounded outputs of some pairs of rows from float64 products, and which of them are not decided.

    Without ``sizes``, the norms, the magnitudes of the terms are added.
    """
    O, wide, lanes = len(weight), np.empty(d.shape[1]), np.empty((2, quick.LANES))
    stochastic, noisy, measured = c.rounding.size > 0, c.noise.size > 0, sizes[0].size > 0
    un, en = c.rounding if stochastic else d, c.noise if noisy else d
    row = -1
    for i in range(begin, end):
        n, o = where[i] // O, where[i] % O
        if measured and n != row:
            wide[:] = d[n]
            row = n
        if measured:
            s, size = _wide_product(wide, weight[o], lanes[0]), sizes[0][n] * sizes[1][o]
        else:
            s, size = quick.products(d[n], weight[o], lanes)
        s += 0.0  # no -0
        lower, upper = np.float32(s - bound * size), np.float32(s + bound * size)
        uniform, deviate = un[n, o if stochastic else 0], en[n, o if noisy else 0]
        t[n, o] = P.output_level(
            lower, c.negative_factor, noisy, c.noise_scale[o], deviate, c.step, uniform, stochastic
        )
        undecided[i] = not (P.same(lower, upper) & (abs(lower) < np.inf))


def _settle(
    c: Converter,
    d: Array,
    weight: Array,
    sizes: tuple[Float64, Float64],
    where: Index,
    t: Array,
) -> None:
    """Writes the rounded outputs of some pairs of rows."""
    K, undecided = d.shape[1], np.empty(where.size, np.bool_)
    given = where, c, d, weight, sizes, quick.gamma(-(-K // LANES) + LANES), t, undecided
    threads.run(_looked_at, where.size, threads.worth(where.size * K), *given)
    rest = where[undecided]
    for part in np.array_split(rest, 1 + rest.size * K // CHUNK) if rest.size else ():
        n, o = np.divmod(part, len(weight))
        m = row_products(d[n], weight[o], d.dtype)
        rounding, noise = (x[n, o].reshape(1, -1) if x.size else x for x in (c.rounding, c.noise))
        levels(0, Converter(c.step, c.negative_factor, rounding, noise, c.noise_scale[o]), m)
        t[n, o] = m


def certified_levels(c: Converter, d: Array, weight: Array) -> Array:
    """Rounded outputs of exact products of float32 arrays, most of which need not be known."""
    (N, K), O = d.shape, len(weight)
    if N <= FEW:
        t, none = np.empty((N, O), d.dtype), np.empty(0)
        _settle(c, d, weight, (none, none), np.arange(N * O), t)
        return t
    s, sizes = blas_product(d, weight), (row_sizes(d), row_sizes(weight))
    t, undecided, u = np.empty_like(s), np.empty(s.shape, np.bool_), (K + SLACK) * 2.0**-24
    bound = u / (1 - u), K * 2.0**-125
    threads.run(_certified, N, s.size > threads.ELEMENTS, c, sizes, bound, s, t, undecided)
    where = np.flatnonzero(undecided)
    count("open", where.size)
    if where.size:
        _settle(c, d, weight, sizes, where, t)
    return t
