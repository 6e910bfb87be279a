"""Exact rational arithmetic, one rounding at a time: the opinion that shares no code with refsim."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Type = type[np.floating[Any]]
Array = NDArray[np.floating[Any]]
Scalar = np.floating[Any]


def floor_log2(q: Fraction) -> int:
    """The exponent ``e`` with ``2**e <= q < 2**(e + 1)``.

    >>> floor_log2(Fraction(1, 3)), floor_log2(Fraction(4))
    (-2, 2)
    """
    e = q.numerator.bit_length() - q.denominator.bit_length()
    return e if q >= Fraction(2) ** e else e - 1


def round_to(T: Type, q: Fraction) -> Scalar:
    """The number of ``T`` nearest to ``q``, ties to even: ``+0`` for 0, ``-0`` for a negative underflow.

    >>> round_to(np.float32, Fraction(1, 3))
    np.float32(0.33333334)
    """
    if q == 0:
        return T(0)
    info = np.finfo(T)
    unit = Fraction(2) ** (max(floor_log2(abs(q)), int(info.minexp)) - info.nmant)
    size = round(abs(q) / unit) * unit
    if size >= Fraction(2) ** int(info.maxexp):
        return T(-math.inf if q < 0 else math.inf)
    return T(-float(size) if q < 0 else float(size))


def ulp(x: Scalar) -> Fraction:
    """The distance of the numbers around ``x``."""
    info = np.finfo(x.dtype)
    exponent = floor_log2(abs(Fraction(float(x)))) if x else info.minexp
    return Fraction(2) ** (max(exponent, int(info.minexp)) - info.nmant)


@dataclass(frozen=True, slots=True)
class Number:
    """A number of ``T``; every operation is exact, then rounded once, with the zeros of IEEE 754."""

    T: Type
    value: float

    @property
    def exact(self) -> Fraction:
        return Fraction(self.value)

    def like(self, value: float | Fraction) -> Number:
        """A constant, rounded to the same type."""
        return Number(self.T, float(round_to(self.T, Fraction(value))))

    def rounded(self, q: Fraction, zero: float) -> Number:
        return Number(self.T, float(round_to(self.T, q)) if q else zero)

    def __add__(self, other: Number) -> Number:
        if not (math.isfinite(self.value) and math.isfinite(other.value)):
            return Number(self.T, self.value + other.value)
        both_negative = self.negative_sign and other.negative_sign
        return self.rounded(self.exact + other.exact, -0.0 if both_negative else 0.0)

    def __sub__(self, other: Number) -> Number:
        return self + -other

    def __mul__(self, other: Number) -> Number:
        if not (math.isfinite(self.value) and math.isfinite(other.value)):
            return Number(self.T, self.value * other.value)
        return self.rounded(self.exact * other.exact, self.signed_like_product(other, 0.0))

    def __truediv__(self, other: Number) -> Number:
        if other.value == 0:
            undefined = math.isnan(self.value) or self.value == 0
            infinite = self.signed_like_product(other, math.inf)
            return Number(self.T, math.nan if undefined else infinite)
        if not (math.isfinite(self.value) and math.isfinite(other.value)):
            return Number(self.T, self.value / other.value)
        return self.rounded(self.exact / other.exact, self.signed_like_product(other, 0.0))

    def __neg__(self) -> Number:
        return Number(self.T, -self.value)

    def __abs__(self) -> Number:
        return Number(self.T, abs(self.value))

    def __lt__(self, other: Number) -> bool:
        return self.value < other.value

    def __le__(self, other: Number) -> bool:
        return self.value <= other.value

    def __gt__(self, other: Number) -> bool:
        return self.value > other.value

    def __ge__(self, other: Number) -> bool:
        return self.value >= other.value

    @property
    def negative_sign(self) -> bool:
        return math.copysign(1, self.value) < 0

    def signed_like_product(self, other: Number, size: float) -> float:
        return -size if self.negative_sign != other.negative_sign else size

    def rint(self) -> Number:
        """The nearest integer, ties to even."""
        if not math.isfinite(self.value):
            return self
        return Number(self.T, math.copysign(float(round(abs(self.exact))), self.value))

    def sqrt(self) -> Number:
        """The correctly rounded square root: enough digits of it, and whether any are left."""
        if self.value == 0 or self.value == math.inf or math.isnan(self.value):
            return self
        if self.value < 0:
            return Number(self.T, math.nan)
        unit = Fraction(2) ** (floor_log2(self.exact) // 2 - np.finfo(self.T).nmant - 3)
        scaled = self.exact / (unit * unit)
        root = math.isqrt(int(scaled))
        left = root * root != scaled
        return self.rounded((root + Fraction(left, 2)) * unit, 0.0)


def number(x: Any) -> Any:
    """A NumPy float as a ``Number``; anything else (masks, None) as it is."""
    return Number(type(x), float(x)) if isinstance(x, np.floating) else x


def each(f: Callable[..., Number], *operands: Any) -> Array:
    """``f`` for every element of the broadcast operands, in the type of the first.

    >>> each(lambda a, b: a / b, np.float32([1.0, 2.0]), np.float32(3))
    array([0.33333334, 0.6666667 ], dtype=float32)
    """
    T = np.asarray(operands[0]).dtype.type
    grid = np.broadcast(*operands)
    values = [f(*map(number, items)).value for items in grid]
    return np.array(values, dtype=np.float64).astype(T).reshape(grid.shape)


def fractions(x: Array) -> list[Fraction] | None:
    """The elements as fractions, or None if one of them is not finite."""
    return [Fraction(float(v)) for v in x.flat] if np.isfinite(x).all() else None


def total(T: Type, terms: Iterable[Fraction]) -> Scalar:
    """The exact sum, rounded once."""
    return round_to(T, sum(terms, Fraction(0)))


def dot(x: Array, y: Array) -> Scalar:
    """The exact sum of products, rounded once; NaN if a factor is not finite.

    >>> dot(np.float32([1e8, 1, -1e8]), np.float32([1, 1, 1]))
    np.float32(1.0)
    """
    T, a, b = x.dtype.type, fractions(x), fractions(y)
    if a is None or b is None:
        return T(math.nan)
    return total(T, (p * q for p, q in zip(a, b, strict=True)))


def bits(x: Array) -> NDArray[Any]:
    """The bit patterns of an array, all NaNs alike; other arrays as they are."""
    if x.dtype.kind != "f":
        return x
    return np.where(np.isnan(x), x.dtype.type(np.nan), x).view(f"u{x.dtype.itemsize}")


def same(actual: Any, expected: Any) -> None:
    """Asserts one type, one shape and the same bits: ``-0`` is not ``+0``."""
    if isinstance(expected, tuple):
        assert isinstance(actual, tuple)
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            same(one, other)
    elif isinstance(expected, np.ndarray | np.generic):
        a, e = np.asarray(actual), np.asarray(expected)
        assert isinstance(actual, np.ndarray | np.generic), f"{type(actual)} is not of NumPy"
        assert (a.dtype, a.shape) == (e.dtype, e.shape)
        assert np.array_equal(bits(a), bits(e)), f"got {a!r}, exact {e!r}"
    else:
        assert type(actual) is type(expected)
        assert actual == expected
