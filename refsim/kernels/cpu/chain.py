"""Whole chains on either side of the crossbar, each in one pass over its data (clauses CH)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._jit import compiled
from . import threads
from .arrays import Array, Mask, Scalar, full, optional, plain
from .certified import LONGEST, Converter, certified_levels, converter, levels
from .points import P
from .product import matrix_product


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
        x.size > threads.ELEMENTS,
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


Product = Callable[[Array, Array], Array]


class Periphery(NamedTuple):
    """What makes an output of the tile of a rounded output; an empty bias is none."""

    bound: Scalar
    sigma: Array
    out_scale: Scalar
    kappa: Array
    a: Array
    bias: Array


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
        levels(n, c, t[n])
        _outputs(n, p, t[n], y[n])
        finite[n] = is_finite(t[n]) and is_finite(y[n])


@compiled
def _periphery(begin: int, end: int, p: Periphery, t: Array, y: Array, finite: Mask) -> None:
    """Outputs of the tile from rounded outputs."""
    for n in range(begin, end):
        _outputs(n, p, t[n], y[n])
        finite[n] = is_finite(t[n]) and is_finite(y[n])


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
    threads.run(_read_out, len(m), m.size > threads.ELEMENTS, c, p, m, y, finite)
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
    product: Product | None = None,
) -> tuple[Array, Array, bool]:
    """Outputs of a batch: MV-1, DC-4, DC-5, PP-1 (for ``kappa`` and for ``a``) and PP-2, one after the other. [CH-2]"""
    d, weight, shape = plain(d), plain(weight), (len(d), len(weight))
    c = converter(shape, step, rounding, noise, noise_scale, negative_factor)
    p = periphery(shape, bound, sigma, out_scale, (kappa, a), bias)
    monotone = (step > 0) & (negative_factor >= 0) & (d.shape[1] < LONGEST)
    if product is not None or d.dtype.itemsize != 4 or not monotone:
        return read_out(c, p, (product or matrix_product)(d, weight))
    t = certified_levels(c, d, weight)
    y, finite = np.empty_like(t), np.empty(len(t), np.bool_)
    threads.run(_periphery, len(t), t.size > threads.ELEMENTS, p, t, y, finite)
    return t, y, bool(finite.all())


__all__ = ["crossbar_input", "crossbar_output"]
