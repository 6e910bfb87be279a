"""Search for the range whose quantiser loses least: candidates, softmax losses, the best (clauses RE)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._jit import compiled
from . import threads
from .arrays import QUIET, Array, Float64, Index, Scalar, plain
from .elementary import log
from .error_sums import LOSS
from .network import shifted_logits, softmax
from .points import P
from .quantisers import quantised
from .sums import row_products


@QUIET
def search_limits(lo: Array, hi: Array, margin: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """Limits of the search: somewhat beyond the extremes of the first data. [RE-5]"""
    lower, upper = np.subtract(np.min(lo), margin), np.add(np.max(hi), margin)
    return lower, upper, max(abs(lower), abs(upper))


@QUIET
def symmetric_candidates(size: Scalar, count: int, one_sided: bool) -> tuple[Array, Array]:
    """Ranges around zero, or from zero upwards, of equally spaced sizes. [RE-6]"""
    hi = _sizes(size, count)
    return np.zeros(count, hi.dtype) if one_sided else np.negative(hi), hi


def _sizes(size: Scalar, count: int) -> Array:
    numbers = np.linspace(1, count, count, dtype=size.dtype)
    numbers *= size / size.dtype.type(count)
    return numbers


@compiled
def _skewed(
    begin: int,
    end: int,
    sizes: Array,
    skews: int,
    half_steps: Scalar,
    limits: tuple[Scalar, Scalar],
    lo: Array,
    hi: Array,
) -> None:
    for c in range(begin, end):
        T, size = type(sizes[c]), sizes[c]
        step = size / half_steps
        for k in range(skews):
            shift = P.mul(T(k), step)
            for side in range(2):
                moved, i = -shift if side else shift, 2 * (c * skews + k) + side
                low, high = P.add(moved, -size), P.add(moved, size)
                lo[i] = limits[0] if low < limits[0] else low
                hi[i] = limits[1] if high > limits[1] else high


@QUIET
def skewed_candidates(
    lower: Scalar, upper: Scalar, size: Scalar, count: int, n_bits: int
) -> tuple[Array, Array]:
    """Ranges of equally spaced sizes, each moved by whole steps of its grid to both sides. [RE-7]"""
    skews, sizes = max(1, (1 << n_bits) >> 2), _sizes(size, count)
    lo, hi = np.empty(2 * count * skews, size.dtype), np.empty(2 * count * skews, size.dtype)
    half_steps = size.dtype.type(((1 << n_bits) - 1) / 2)
    worthwhile = lo.size > threads.ELEMENTS
    threads.run(_skewed, count, worthwhile, sizes, skews, half_steps, (lower, upper), lo, hi)
    return lo, hi


@QUIET
def shifted_range(size: Scalar, shift: Scalar, one_sided: bool) -> tuple[Array, Array]:
    """One range of a continuous search. [RE-8]"""
    T = size.dtype
    lower = T.type(0) if one_sided else np.subtract(shift, size)
    return np.full(1, lower, T), np.full(1, np.add(shift, size), T)


@compiled
def _log_shares(begin: int, end: int, shifted: Array, logarithm: Array, p: Array) -> None:
    """Logarithms of softmaxes in place of the shifted numbers, and ``-p`` in place of ``p``."""
    for n in range(begin, end):
        for k in range(shifted.shape[1]):
            shifted[n, k] = P.add(shifted[n, k], -logarithm[n])
            p[n, k] = -p[n, k]


def _softmax_loss(x: Array, p: Array, y: Array) -> Any:
    shifted, _, total = shifted_logits(y)
    negative = p.copy()
    threads.run(_log_shares, len(x), x.size > threads.ELEMENTS, shifted, log(total), negative)
    return row_products(negative.reshape(1, -1), shifted.reshape(1, -1), LOSS)[0]


def softmax_losses(
    x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar
) -> Float64:
    """Cross-entropy between the softmax of data and that of the quantised data, for several quantisers. [RE-10]"""
    x = plain(x)
    p, losses = softmax(x), np.empty((1, len(scale)))
    for c in range(len(scale)):
        y = quantised(x.reshape(1, -1), scale[c : c + 1], zero[c : c + 1], int_min, int_max)
        losses[0, c] = _softmax_loss(x, p, y.reshape(x.shape))
    return losses


@compiled
def _least(losses: Float64, best: Index) -> None:
    for g in range(losses.shape[0]):
        best[g] = 0
        for c in range(1, losses.shape[1]):
            if losses[g, c] < losses[g, best[g]]:
                best[g] = c


@QUIET
def least_loss(losses: Float64, before: Float64 | None) -> tuple[Float64, Index]:
    """Losses of all calls together, and the candidate that lost least. [RE-11]"""
    total = np.array(losses) if before is None else np.add(losses, before)
    best = np.empty(len(total), np.int64)
    _least(total, best)
    return total, best


__all__ = [
    "least_loss",
    "search_limits",
    "shifted_range",
    "skewed_candidates",
    "softmax_losses",
    "symmetric_candidates",
]
