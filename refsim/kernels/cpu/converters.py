"""The digital-to-analog and analog-to-digital converters (clauses DC)."""

from __future__ import annotations

import numpy as np

from .._jit import compiled
from . import threads
from .arrays import QUIET, Array, Mask, Scalar, optional, plain
from .points import P


@compiled
def _on_grid(begin: int, end: int, a: Array, step: Scalar, rounding: Array, out: Array) -> None:
    """Grid values of the elements ``begin ... end - 1`` of a flat ``a``, once for each row of ``rounding``."""
    for n in range(len(out)):
        an, on = a[begin:end], out[n, begin:end]
        if step == 0:
            on[:] = an
        elif rounding.size == 0:
            for i in range(an.size):
                on[i] = P.rounded(an[i], step, step, False)
        else:
            un = rounding[n, begin:end]
            for i in range(an.size):
                on[i] = P.rounded(an[i], step, un[i], True)


def on_grid(a: Array, step: Scalar, rounding: Array | None = None) -> Array:
    """Values rounded to a grid, without a bound. [DC-1]"""
    out = np.empty(a.shape if rounding is None else rounding.shape, a.dtype)
    a = plain(a).reshape(-1)
    uniforms = optional(rounding, a).reshape(-1, max(1, a.size))
    rows = out.reshape(-1, max(1, a.size))
    threads.run(_on_grid, a.size, out.size > threads.ELEMENTS, a, step, uniforms, rows)
    return out


@compiled
def _clip(a: Array, out: Array, bound: Scalar) -> None:
    for i in range(a.size):
        out[i] = P.clip(a[i], bound)


def clip(a: Array, bound: Scalar) -> Array:
    """Values limited to a bound. [DC-2]"""
    out = np.empty(a.shape, a.dtype)
    threads.run_elements(_clip, (plain(a).reshape(-1), out.reshape(-1)), bound)
    return out


@compiled
def _digital_to_analog(
    begin: int,
    end: int,
    v: Array,
    sigma: Array,
    grid: tuple[Scalar, Scalar],
    rounding: Array,
    noise: Array,
    noise_scale: Scalar,
    negative_factor: Scalar,
    q: Array,
    d: Array,
    negative: Mask,
) -> None:
    step, bound = grid
    stochastic, noisy = rounding.size > 0, noise.size > 0
    for n in range(begin, end):
        factor, vn, qn, dn, mn = sigma[n], v[n], q[n], d[n], negative[n]
        un = rounding[n] if stochastic else vn
        xn = noise[n] if noisy else vn
        for i in range(vn.size):
            value = P.mul(vn[i], factor)
            if step != 0:
                value = P.rounded(value, step, un[i], stochastic)
            qn[i] = value
            value = P.clip(value, bound)
            if noisy:
                value = P.noisy(value, noise_scale, xn[i])
            mn[i] = value < 0
            dn[i] = P.unequal(value, negative_factor)


def digital_to_analog(
    v: Array,
    sigma: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array | None,
    noise: Array | None,
    noise_scale: Scalar,
    negative_factor: Scalar,
) -> tuple[Array, Array, Mask]:
    """Input conversion: scale, round, clip, noise, asymmetry - in this order. [DC-3]"""
    v, sigma = plain(v), plain(sigma)
    q, d, negative = np.empty_like(v), np.empty_like(v), np.empty(v.shape, np.bool_)
    threads.run(
        _digital_to_analog,
        len(v),
        v.size > threads.ELEMENTS,
        v,
        sigma,
        (step, bound),
        optional(rounding, v),
        optional(noise, v),
        noise_scale,
        negative_factor,
        q,
        d,
        negative,
    )
    return q, d, negative


@compiled
def _analog_to_digital(
    begin: int,
    end: int,
    m: Array,
    grid: tuple[Scalar, Scalar],
    rounding: Array,
    noise: Array,
    noise_scale: Array,
    negative_factor: Scalar,
    t: Array,
    z: Array,
) -> None:
    step, bound = grid
    stochastic, noisy = rounding.size > 0, noise.size > 0
    for n in range(begin, end):
        mn, tn, zn = m[n], t[n], z[n]
        un = rounding[n] if stochastic else mn
        xn = noise[n] if noisy else mn
        for o in range(mn.size):
            value = P.output_level(
                mn[o], negative_factor, noisy, noise_scale[o], xn[o], step, un[o], stochastic
            )
            tn[o], zn[o] = value, P.clip(value, bound)


def analog_to_digital(
    m: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array | None,
    noise: Array | None,
    noise_scale: Array,
    negative_factor: Scalar,
) -> tuple[Array, Array]:
    """Output conversion: asymmetry, noise, round, clip - in this order. [DC-4]"""
    m = plain(m)
    t, z = np.empty_like(m), np.empty_like(m)
    threads.run(
        _analog_to_digital,
        len(m),
        m.size > threads.ELEMENTS,
        m,
        (step, bound),
        optional(rounding, m),
        optional(noise, m),
        np.array(np.broadcast_to(noise_scale, m.shape[1:])),
        negative_factor,
        t,
        z,
    )
    return t, z


@QUIET
def rescaled_output(z: Array, sigma: Array, out_scale: Scalar) -> Array:
    """Core output with the input scale taken back. [DC-5]"""
    return z * (out_scale / sigma)[:, None]


__all__ = ["analog_to_digital", "clip", "digital_to_analog", "on_grid", "rescaled_output"]
