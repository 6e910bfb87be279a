"""Scalar bodies of quantisers and of the search for their range; see :mod:`.points`."""

from __future__ import annotations

from .points import Number, add, bits, mul, number, whole


def level(x: Number, scale: Number, zero: Number) -> Number:
    """Code before the clip. [QU-8]"""
    return add(whole(x / scale), zero)


def code(x: Number, scale: Number, zero: Number, low: Number, high: Number) -> Number:
    """Integer code. [QU-8]"""
    m = level(x, scale, zero)
    return low if m < low else (high if m > high else m)


def quantised(x: Number, scale: Number, zero: Number, low: Number, high: Number) -> Number:
    """Value on the grid. [QU-9]"""
    return mul(scale, add(code(x, scale, zero, low, high), -zero))


def inside(x: Number, scale: Number, zero: Number, low: Number, high: Number) -> bool:
    """Whether a code is not clipped. [QU-10, QU-11, QU-13]"""
    m = level(x, scale, zero)
    return (m >= low) & (m <= high)


def step_error(x: Number, scale: Number, zero: Number, low: Number, high: Number) -> Number:
    """Derivative of a quantised value with respect to its scale. [QU-11]"""
    steps = add(code(x, scale, zero, low, high), -zero)
    return add(steps, -(x / scale)) if inside(x, scale, zero, low, high) else steps


# search for a range


def neighbour(x: Number, steps: Number) -> Number:
    """The number so many numbers above a normal one, far from zero in steps."""
    i = bits(x)
    T, I = type(x), type(i)
    return number(I(i - I(steps)) if x < T(0) else I(i + I(steps)))


def reached(x: Number, scale: Number, k: Number) -> bool:
    """Whether a value rounds to at least a level. [QU-8, RE-9]"""
    return whole(x / scale) >= k


def first_of_level(scale: Number, k: Number) -> Number:
    """The smallest number that rounds to at least a level, an integer below ``2**20`` in size. [RE-9]

    The quotient rounds once, so that the edge lies within two numbers of the rounded ``(k - 1/2) * scale``; which of
    them it is, the quantiser itself decides.
    """
    T = type(scale)
    near = mul(add(k, -T(0.5)), scale)
    below = 0
    for step in range(-2, 3):
        below += not reached(neighbour(near, step), scale, k)
    return neighbour(near, below - 2)
