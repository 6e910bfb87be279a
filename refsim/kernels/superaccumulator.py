"""Scalar bodies of a superaccumulator: a fixed-point number that holds any sum of float64 products (Neal, 2015).

The number is ``sum(limbs[i] * 2**(32 * i + LOWEST))`` with signed 64-bit limbs. A product adds less than ``2**32`` to a
limb, so ``2**30`` products need no carry. After ``carry`` the limbs are digits of 32 bits and the sign stands apart.
"""

from __future__ import annotations

import numpy as np

from .points import Number, bits

LIMBS = 135
LOWEST = -2148  # exponent of the last bit of a product of two subnormal numbers
DIGIT = 0xFFFFFFFF


def decomposed(x: Number) -> tuple[Number, Number]:
    """Integer ``m`` and exponent ``e >= 0`` with ``abs(x) == m * 2**(e - 1074)``; x is finite."""
    i = bits(abs(x))
    e, m = i >> 52, i & 0xFFFFFFFFFFFFF
    return (np.uint64(m | 0x10000000000000), e - 1) if e > 0 else (np.uint64(m), 0)


def accumulate(limbs: Number, x: Number, y: Number) -> None:
    """Adds the exact product of two finite float64 numbers."""
    (m, e), (n, f) = decomposed(x), decomposed(y)
    half, digit = np.uint64(32), np.uint64(DIGIT)
    m0, m1, n0, n1 = m & digit, m >> half, n & digit, n >> half
    low, middle = m0 * n0, m0 * n1 + m1 * n0
    upper = m1 * n1 + (middle >> half)
    lower = low + (middle << half)
    upper += np.uint64(lower < low)
    first, shift = (e + f) >> 5, np.uint64((e + f) & 31)
    rest = np.uint64(63) - shift
    w0, w2 = lower << shift, (upper >> np.uint64(1)) >> rest
    w1 = (upper << shift) | ((lower >> np.uint64(1)) >> rest)
    sign = 1 if (x < 0) == (y < 0) else -1
    limbs[first] += sign * np.int64(w0 & digit)
    limbs[first + 1] += sign * np.int64(w0 >> half)
    limbs[first + 2] += sign * np.int64(w1 & digit)
    limbs[first + 3] += sign * np.int64(w1 >> half)
    limbs[first + 4] += sign * np.int64(w2)


def carry(limbs: Number) -> bool:
    """Brings every limb to a digit of the absolute value; true if the value was negative."""
    over = np.int64(0)
    for i in range(LIMBS):
        value = limbs[i] + over
        limbs[i], over = value & DIGIT, value >> 32
    if over == 0:
        return False
    borrow = np.int64(1)
    for i in range(LIMBS):
        value = (DIGIT - limbs[i]) + borrow
        limbs[i], borrow = value & DIGIT, value >> 32
    return True


def divide(limbs: Number, divisor: Number) -> bool:
    """Divides the digits by an integer below ``2**31``; true if there was a remainder below the last digit."""
    rest = np.int64(0)
    for i in range(LIMBS - 1, -1, -1):
        value = (rest << 32) | limbs[i]
        limbs[i] = value // divisor
        rest = value - limbs[i] * divisor
    return rest != 0


def digits_from(limbs: Number, position: Number) -> Number:
    """Bits ``position ... position + 63`` of the digits."""
    i, shift = position >> 5, np.uint64(position & 31)
    low = np.uint64(limbs[i]) | (np.uint64(limbs[i + 1]) << np.uint64(32))
    high = np.uint64(limbs[i + 2])
    return (low >> shift) | ((high << np.uint64(1)) << (np.uint64(63) - shift))


def top_bit(limbs: Number) -> Number:
    """Position of the highest set bit of the digits, -1 for zero."""
    i = LIMBS - 1
    while i > 0 and limbs[i] == 0:
        i -= 1
    position, digit = 32 * i - 1, limbs[i]
    while digit > 0:
        digit >>= 1
        position += 1
    return position


def rounded_bits(limbs: Number, divisor: Number, mantissa: Number, lowest: Number) -> Number:
    """Bits of the float nearest to the digits over the divisor, ties to even.

    The float has ``mantissa`` digits after the leading one, its smallest positive number is ``2**lowest``. A number
    beyond the largest float comes out above the bits of infinity.
    """
    sticky = divide(limbs, divisor) if divisor > 1 else False
    unit = max(top_bit(limbs) - mantissa, lowest - LOWEST)
    window = digits_from(limbs, unit - 1)
    digits, half = np.int64(window >> np.uint64(1)), window & np.uint64(1)
    first, below = (unit - 1) >> 5, (unit - 1) & 31
    sticky |= (limbs[first] & ((1 << below) - 1)) != 0
    for i in range(first):
        sticky |= limbs[i] != 0
    odd = (digits & 1) == 1
    if half == np.uint64(1) and (sticky or odd):
        digits += 1
    exponent = unit - (lowest - LOWEST)
    return (exponent << mantissa) + digits if exponent < 2046 else 2047 << 52
