"""Random numbers and elementary functions once more: plain integers, exact fractions, mpmath's constants."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import numpy as np

from tests.exact import Array, Number, Type, each, round_to

mpmath.mp.prec = 400
WORD = 2**32
SPLIT_BITS = {np.float32: 16, np.float64: 42}
LOG_ORDER = {np.float32: 4, np.float64: 10}
EXP_ORDER = {np.float32: 7, np.float64: 13}


def fraction(x: Any) -> Fraction:
    """An mpmath number as the fraction that it is."""
    sign, mantissa, exponent, _ = mpmath.mpf(x)._mpf_
    return (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


# --- Philox -------------------------------------------------------------------------------------


def block(key: tuple[int, int], counter: tuple[int, ...], rounds: int = 10) -> tuple[int, ...]:
    """Philox4x32 on one counter, after Salmon et al. 2011."""
    (k0, k1), (a, b, c, d) = key, counter
    for _ in range(rounds):
        x, y = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = y // WORD ^ b ^ k0, y % WORD, x // WORD ^ d ^ k1, x % WORD
        k0, k1 = (k0 + 0x9E3779B9) % WORD, (k1 + 0xBB67AE85) % WORD
    return a, b, c, d


def addressed_words(seed: int, stream: int, step: int, pass_: int) -> Iterator[int]:
    """The words of all blocks, one after the other."""
    key, number = (seed % WORD, seed // WORD), 0
    while True:
        yield from block(key, (number % WORD, number // WORD, step, stream * 65536 + pass_))
        number += 1


def uniform(seed: int, stream: int, step: int, pass_: int, count: int) -> Array:
    words = addressed_words(seed, stream, step, pass_)
    return np.array([next(words) // 256 / 2**24 for _ in range(count)], dtype=np.float32)


def normal(seed: int, stream: int, step: int, pass_: int, count: int) -> Array:
    words = addressed_words(seed, stream, step, pass_)
    deviates: list[float] = []
    while len(deviates) < count:
        u0, u1 = (Number(np.float32, next(words) // 256 / 2**24) for _ in range(2))
        radius = (u0.like(-2) * log_number(u0.like(1) - u0)).sqrt()
        deviates += [(radius * side).value for side in circle_numbers(u1)]
    return np.array(deviates[:count], dtype=np.float32)


# --- elementary functions -----------------------------------------------------------------------


def horner(x: Number, coefficients: list[Fraction]) -> Number:
    tail = x.like(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        tail = x.like(c) + x * tail
    return tail


@cache
def split_log_of_two(T: Type) -> tuple[Fraction, Fraction]:
    """A short high part of ln 2, so that its product with an exponent is exact, and the rest."""
    ln2, unit = fraction(mpmath.log(2)), Fraction(1, 2 ** SPLIT_BITS[T])
    high = round(ln2 / unit) * unit
    return high, ln2 - high


def log_number(x: Number) -> Number:
    m, k = math.frexp(x.value)
    if Number(x.T, m) < x.like(fraction(mpmath.sqrt(mpmath.mpf(1) / 2))):
        m, k = 2 * m, k - 1
    f = Number(x.T, m) - x.like(1)
    s = f / (x.like(2) + f)
    z = s * s
    R = z * horner(z, [Fraction(2, 2 * i + 1) for i in range(1, LOG_ORDER[x.T] + 1)])
    high, low = (x.like(part) for part in split_log_of_two(x.T))
    exponent = x.like(k)
    return exponent * high + (f - (s * (f - R) - exponent * low))


def exp_number(x: Number) -> Number:
    k = (x * x.like(fraction(1 / mpmath.log(2)))).rint()
    high, low = (x.like(part) for part in split_log_of_two(x.T))
    t = (x - k * high) - k * low
    series = [Fraction(1, math.factorial(i)) for i in range(2, EXP_ORDER[x.T] + 1)]
    p = t + (t * t) * horner(t, series)
    half = math.floor(k.value / 2)
    first, second = (x.like(Fraction(2) ** e) for e in (half, int(k.value) - half))
    return (x.like(1) + p) * first * second


def log(x: Array) -> Array:
    return each(log_number, x)


def exp(x: Array) -> Array:
    return each(exp_number, x)


@cache
def taylor(first: int, terms: int) -> list[Fraction]:
    orders = range(first, first + 2 * terms, 2)
    signed = [(-1) ** i * (2 * mpmath.pi) ** n / math.factorial(n) for i, n in enumerate(orders)]
    return [fraction(value) for value in signed]


def circle_numbers(u: Number) -> tuple[Number, Number]:
    k = (u * u.like(4)).rint()
    f = u - k * u.like(Fraction(1, 4))
    z = f * f
    cosine, sine = horner(z, taylor(0, 6)), f * horner(z, taylor(1, 5))
    for _ in range(int(k.value)):
        cosine, sine = -sine, cosine
    return cosine, sine


def unit_circle(u: Array) -> tuple[Array, Array]:
    return each(lambda v: circle_numbers(v)[0], u), each(lambda v: circle_numbers(v)[1], u)


# --- error bounds -------------------------------------------------------------------------------


def ulps_off(T: Type, got: Any, exact: Any) -> Fraction:
    """Distance of a result from the exact value, in units in the last place of the exact value."""
    target = fraction(exact)
    info = np.finfo(T)
    nearest = abs(float(round_to(np.float64, target)))
    exponent = math.frexp(nearest)[1] - 1 if nearest else int(info.minexp)
    unit = Fraction(2) ** (max(exponent, int(info.minexp)) - int(info.nmant))
    return abs(Fraction(float(got)) - target) / unit


def worst(T: Type, x: Array, y: Array, function: Callable[[Any], Any]) -> Fraction:
    """The largest error of ``y`` as ``function(x)``, in units in the last place."""
    pairs = zip(x.tolist(), y.tolist(), strict=True)
    return max(ulps_off(T, b, function(mpmath.mpf(a))) for a, b in pairs)
