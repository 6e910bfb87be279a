"""Whole chains on either side of the crossbar, each in one pass over its data (clauses CH).

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
from . import threads
from .arrays import Array, Float64, Index, Mask, Scalar, optional, plain
from .exact import CHUNK
from .points import P
from .product import SLACK, blas_product, gamma, matrix_product
from .sums import row_products

LANES = 32
LONGEST = 2**20
"""Terms from which a float32 product tells nothing."""
ELEMENTS = 4 * threads.ELEMENTS
"""Elements from which a chain is worth more than one thread: the product beside it may keep the others busy."""


def full(factor: Array | None, count: int, like: Scalar) -> Array:
    """A factor for each output, 1 for an absent one."""
    return np.array(np.broadcast_to(np.ones(1, like.dtype) if factor is None else factor, count))


@compiled
def is_finite(x: Array) -> bool:
    """Whether all of a row is finite: no exponent consists of ones only."""
    top = P.bits(x.dtype.type(0))
    for i in range(x.size):
        bits = P.bits(abs(x[i]))
        top = bits if bits > top else top
    return top < P.bits(x.dtype.type(np.inf))


@compiled
def _crossbar_input(
    begin: int,
    end: int,
    x: Array,
    ranged: bool,
    r: Scalar,
    sigma: Array,
    grid: tuple[Scalar, Scalar],
    rounding: Array,
    noise: Array,
    noise_scale: Scalar,
    negative_factor: Scalar,
    d: Array,
    finite: Mask,
) -> None:
    step, bound = grid
    stochastic, noisy, edge = rounding.size > 0, noise.size > 0, abs(r)
    for n in range(begin, end):
        factor, xn, dn = sigma[n], x[n], d[n]
        un = rounding[n] if stochastic else xn
        en = noise[n] if noisy else xn
        for i in range(xn.size):
            value = xn[i]
            if ranged:
                value = P.clip(value, edge) / r
            value = P.mul(value, factor)
            if step != 0:
                value = P.rounded(value, step, un[i], stochastic)
            value = P.clip(value, bound)
            if noisy:
                value = P.noisy(value, noise_scale, en[i])
            dn[i] = P.unequal(value, negative_factor)
        finite[n] = is_finite(xn) and is_finite(dn)


def crossbar_input(
    x: Array,
    r: Scalar | None,
    sigma: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array | None,
    noise: Array | None,
    noise_scale: Scalar,
    negative_factor: Scalar,
) -> tuple[Array, bool]:
    """Converted inputs of a batch: IR-2, IR-3 and DC-3, one after the other. [CH-1]"""
    x = plain(x)
    d, finite = np.empty(x.shape, x.dtype), np.empty(len(x), np.bool_)
    threads.run(
        _crossbar_input,
        len(x),
        x.size > ELEMENTS,
        x,
        r is not None,
        bound if r is None else r,
        plain(sigma),
        (step, bound),
        optional(rounding, x),
        optional(noise, x),
        noise_scale,
        negative_factor,
        d,
        finite,
    )
    return d, bool(finite.all())


class Converter(NamedTuple):
    """What makes a rounded output of a product."""

    step: Scalar
    negative_factor: Scalar
    rounding: Array
    noise: Array
    noise_scale: Array


class Periphery(NamedTuple):
    """What makes an output of the tile of a rounded output; an empty bias is none."""

    bound: Scalar
    sigma: Array
    out_scale: Scalar
    kappa: Array
    a: Array
    bias: Array


@compiled
def _levels(n: int, c: Converter, t: Array) -> None:
    """Rounded outputs of row ``n`` in place of its products."""
    stochastic, noisy = c.rounding.size > 0, c.noise.size > 0
    un, en = c.rounding[n] if stochastic else t, c.noise[n] if noisy else t
    for o in range(t.size):
        value = P.unequal(t[o], c.negative_factor)
        if noisy:
            value = P.noisy(value, c.noise_scale[o], en[o])
        t[o] = P.rounded(value, c.step, un[o], stochastic) if c.step != 0 else value


@compiled
def _outputs(n: int, p: Periphery, t: Array, y: Array) -> None:
    """Outputs of row ``n`` from its rounded outputs."""
    factor = p.out_scale / p.sigma[n]
    for o in range(t.size):
        y[o] = P.mul(P.mul(P.mul(P.clip(t[o], p.bound), factor), p.kappa[o]), p.a[o])
    for o in range(p.bias.size):
        y[o] = P.add(y[o], p.bias[o])


@compiled
def _read_out(
    begin: int, end: int, c: Converter, p: Periphery, t: Array, y: Array, finite: Mask
) -> None:
    """Rounded outputs in place of the products in ``t``, and outputs of the tile."""
    for n in range(begin, end):
        _levels(n, c, t[n])
        _outputs(n, p, t[n], y[n])
        finite[n] = is_finite(t[n]) and is_finite(y[n])


@compiled
def _periphery(begin: int, end: int, p: Periphery, t: Array, y: Array, finite: Mask) -> None:
    """Outputs of the tile from rounded outputs."""
    for n in range(begin, end):
        _outputs(n, p, t[n], y[n])
        finite[n] = is_finite(t[n]) and is_finite(y[n])


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
        _levels(n, c, tn)
        _levels(n, c, sn)
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
    threads.run(_row_sizes, len(x), x.size > ELEMENTS, x, 1 + gamma(x.shape[1]), size)
    return size


@compiled
def _wide_products(
    begin: int,
    end: int,
    where: Index,
    d: Array,
    weight: Array,
    sizes: tuple[Float64, Float64],
    bound: float,
    lower: Array,
    upper: Array,
) -> None:
    """Ends of the intervals of float64 products of some pairs of rows, rounded to float32."""
    O, lanes = len(weight), np.empty(LANES)
    for i in range(begin, end):
        n, o = where[i] // O, where[i] % O
        x, w = d[n], weight[o]
        lanes[:] = 0.0
        for k in range(0, x.size, LANES):
            xk, wk = x[k:], w[k:]
            for j in range(min(LANES, x.size - k)):
                lanes[j] += np.float64(xk[j]) * np.float64(wk[j])
        s, error = lanes.sum(), bound * sizes[0][n] * sizes[1][o]
        lower[i], upper[i] = s - error, s + error


def _settled(
    c: Converter, d: Array, weight: Array, sizes: tuple[Float64, Float64], where: Index
) -> Array:
    """Rounded outputs that float32 products left open."""
    lower, upper = np.empty((2, where.size), d.dtype)
    worthwhile = where.size * d.shape[1] > threads.MULTIPLY_ADDS
    given = where, d, weight, sizes, gamma(d.shape[1]), lower, upper
    threads.run(_wide_products, where.size, worthwhile, *given)
    n, o = np.divmod(where, len(weight))
    exact = np.flatnonzero(~((lower == upper) & (lower != 0) & np.isfinite(lower)))
    for part in np.array_split(exact, 1 + exact.size * d.shape[1] // CHUNK):
        lower[part] = row_products(d[n[part]], weight[o[part]], d.dtype)
    rounding, noise = (x[n, o].reshape(1, -1) if x.size else x for x in (c.rounding, c.noise))
    _levels(0, Converter(c.step, c.negative_factor, rounding, noise, c.noise_scale[o]), lower)
    return lower


def _certified_levels(c: Converter, d: Array, weight: Array) -> Array:
    """Rounded outputs of exact products, most of which need not be known."""
    u = (d.shape[1] + SLACK) * 2.0**-24
    bound = u / (1 - u), d.shape[1] * 2.0**-125
    s, sizes = blas_product(d, weight), (row_sizes(d), row_sizes(weight))
    t, undecided = np.empty_like(s), np.empty(s.shape, np.bool_)
    threads.run(_certified, len(s), s.size > ELEMENTS, c, sizes, bound, s, t, undecided)
    where = np.flatnonzero(undecided)
    if where.size:
        t.reshape(-1)[where] = _settled(c, d, weight, sizes, where)
    return t


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
    scale = np.array(np.broadcast_to(noise_scale, m[1:]))
    return Converter(step, negative_factor, given, deviates, scale)


def periphery(
    m: tuple[int, int],
    bound: Scalar,
    sigma: Array,
    out_scale: Scalar,
    factors: tuple[Array | None, Array | None],
    bias: Array | None,
) -> Periphery:
    """The same with a factor of 1 for an absent one, for outputs of the shape ``m``."""
    kappa, a = (full(factor, m[1], bound) for factor in factors)
    none = np.empty(0, bound.dtype)
    return Periphery(
        bound, plain(sigma), out_scale, kappa, a, none if bias is None else plain(bias)
    )


def read_out(c: Converter, p: Periphery, m: Array) -> tuple[Array, Array, bool]:
    """Rounded outputs, outputs of the tile and whether all are finite; the products ``m`` are used up."""
    y, finite = np.empty_like(m), np.empty(len(m), np.bool_)
    threads.run(_read_out, len(m), m.size > ELEMENTS, c, p, m, y, finite)
    return m, y, bool(finite.all())


def crossbar_output(
    d: Array,
    weight: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array | None,
    noise: Array | None,
    noise_scale: Array,
    negative_factor: Scalar,
    sigma: Array,
    out_scale: Scalar,
    kappa: Array | None,
    a: Array | None,
    bias: Array | None,
) -> tuple[Array, Array, bool]:
    """Outputs of a batch: MV-1, DC-4, DC-5, PP-1 (for ``kappa`` and for ``a``) and PP-2, one after the other. [CH-2]"""
    d, weight, shape = plain(d), plain(weight), (len(d), len(weight))
    c = converter(shape, step, rounding, noise, noise_scale, negative_factor)
    p = periphery(shape, bound, sigma, out_scale, (kappa, a), bias)
    monotone = (step > 0) & (negative_factor >= 0) & (d.shape[1] < LONGEST)
    if d.dtype.itemsize != 4 or not monotone:
        return read_out(c, p, matrix_product(d, weight))
    t = _certified_levels(c, d, weight)
    y, finite = np.empty_like(t), np.empty(len(t), np.bool_)
    threads.run(_periphery, len(t), t.size > ELEMENTS, p, t, y, finite)
    return t, y, bool(finite.all())


__all__ = ["crossbar_input", "crossbar_output"]
