"""Typed constants of the elementary functions: Taylor coefficients, from the highest power down, and layouts."""

from __future__ import annotations

from itertools import accumulate
from math import factorial, tau
from typing import Any

import numpy as np


def typed(T: Any, values: list[float]) -> tuple[Any, ...]:
    """The values, each rounded to ``T``."""
    return tuple(T(value) for value in values)


def artanh(terms: int) -> list[float]:
    """``2 / (2 i + 1)`` for ``i = terms ... 1``."""
    return [2 / (2 * i + 1) for i in range(terms, 0, -1)]


def exponential(last: int) -> list[float]:
    """``1 / i!`` for ``i = last ... 2``."""
    return [1 / factorial(i) for i in range(last, 1, -1)]


TURNS = list(accumulate(range(1, 11), lambda power, n: power * tau / n, initial=1.0))
"""``tau**n / n!``"""

COSINES = typed(np.float32, [(-1) ** (n // 2) * TURNS[n] for n in (10, 8, 6, 4, 2, 0)])
SINES = typed(np.float32, [(-1) ** (n // 2) * TURNS[n] for n in (9, 7, 5, 3, 1)])

# layout: digits after the leading one, and bias of the exponent
LAYOUT32 = (np.int32(23), np.int32(127))
LAYOUT64 = (np.int64(52), np.int64(1023))
# ln 2 in two parts, the first short enough for exact multiples
LN2_32 = typed(np.float32, [float.fromhex("0x1.62e4p-1"), float.fromhex("0x1.7f7d1cp-20")])
LN2_64 = typed(
    np.float64, [float.fromhex("0x1.62e42fefa38p-1"), float.fromhex("0x1.ef35793c7673p-45")]
)
LOG32 = (LAYOUT32, LN2_32, typed(np.float32, artanh(4)))
LOG64 = (LAYOUT64, LN2_64, typed(np.float64, artanh(10)))
EXP32 = (np.float32(277), LAYOUT32, LN2_32, typed(np.float32, exponential(7)))
EXP64 = (np.float64(2098), LAYOUT64, LN2_64, typed(np.float64, exponential(13)))
