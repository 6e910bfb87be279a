"""The last resort of every sum: a superaccumulator, rounded once."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np

from .._jit import compiled
from . import threads
from .arrays import Array, Float64, Index, Mask
from .points import P

Gather = Callable[[Index], tuple[Array, Array]]
RowSums = Callable[[Array, Array], Array]
CHUNK = 2**20  # terms that are gathered at a time
# unsigned integers of the width, digits after the leading one, exponent of the smallest positive number
FORMATS = {
    np.dtype(np.float32): (np.uint32, 23, -149),
    np.dtype(np.float64): (np.uint64, 52, -1074),
}
_count = {"open": 0, "last": 0}
_lock = Lock()


def count(what: str, more: int) -> None:
    """Count sums that were not decided at the first attempt (``open``), or took the last resort (``last``)."""
    with _lock:
        _count[what] += more


def fallbacks(what: str = "last") -> int:
    """How many sums of this process took the last resort, or were ``open`` after the first attempt."""
    return _count[what]


@compiled
def _exact_rows(
    begin: int,
    end: int,
    x: Float64,
    y: Float64,
    divisor: int,
    format_: tuple[int, int, int, int],
    out: Index,
    negative: Mask,
) -> None:
    """Bits of the magnitude, and the sign, of the sum of products of each row over the divisor."""
    mantissa, lowest, infinity, nan = format_
    limbs = np.empty(P.LIMBS, np.int64)
    for n in range(begin, end):
        limbs[:] = 0
        finite = True
        for k in range(x.shape[1]):
            if not (np.isfinite(x[n, k]) and np.isfinite(y[n, k])):
                finite = False
                break
            P.accumulate(limbs, x[n, k], y[n, k])
        negative[n] = P.carry(limbs) and finite
        out[n] = min(P.rounded_bits(limbs, divisor, mantissa, lowest), infinity) if finite else nan


def row_sums(x: Array, y: Array, T: np.dtype[Any], divisor: int = 1) -> Array:
    """Sum of the products of each row, divided and rounded once to ``T``."""
    count("last", len(x))
    x, y = np.ascontiguousarray(x, dtype=np.float64), np.ascontiguousarray(y, dtype=np.float64)
    unsigned, mantissa, lowest = FORMATS[T]
    infinity, nan = (int(np.array(v, T).view(unsigned)) for v in (np.inf, np.nan))
    bits, negative = np.empty(len(x), np.int64), np.empty(len(x), np.bool_)
    worthwhile = x.size > threads.ELEMENTS // 4
    format_ = (mantissa, lowest, infinity, nan)
    threads.run(_exact_rows, len(x), worthwhile, x, y, divisor, format_, bits, negative)
    magnitude = bits.astype(unsigned).view(T)
    return np.where(negative, -magnitude, magnitude)


def settle(out: Array, undecided: Mask, gather: Gather, sums: RowSums) -> None:
    """Writes ``sums`` over the undecided elements of ``out``; ``gather`` lays out their factors in rows."""
    flat, where = out.reshape(-1), np.flatnonzero(undecided)
    count("open", where.size)
    while where.size:
        terms = gather(where[:1])[0].size
        part = where[: max(1, CHUNK // max(1, terms))]
        flat[part] = sums(*gather(part))
        where = where[part.size :]
