"""Generated cases of the clauses RE: data that share a range, ranges to try, and the quantisers over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from refsim.spec.sums import Array

from .draws import Draw

__all__ = ["RANGE_ARGUMENTS"]

Arguments = tuple[Any, ...]


def _rows(d: Draw) -> tuple[Array]:
    """Numbers in rows, none of them empty; often a row of equal or of negative numbers."""
    x = d.terms(d.N, d.I)
    if d.chance(0.2):
        x = -np.abs(x)
    return (x,)


def _ends(d: Draw, count: int) -> tuple[Array, Array]:
    a, b = d.array(count), d.array(count)
    return np.minimum(a, b), np.maximum(a, b)


def _percentile(d: Draw) -> Arguments:
    percentile = np.float64(d.of(0, 5, 25, 50, 100 / 3, 100, 0.001))
    return *_rows(d), percentile, d.chance()


def _two_ranges(d: Draw) -> Arguments:
    return *_ends(d, d.N), *_ends(d, d.N)


def _averaged(d: Draw) -> Arguments:
    momentum = float(d.of(0, 0.9, 0.5, 1, 1 / 3))
    return *_two_ranges(d), d.T.type(1 - momentum), d.T.type(momentum)


def _size(d: Draw) -> Any:
    return np.abs(d.positive()) if d.chance(0.9) else d.of(0)


def _skewed(d: Draw) -> Arguments:
    lower, upper = (-_size(d), d.number() if d.chance(0.3) else _size(d))
    size = max(abs(lower), abs(upper))
    return lower, upper, size, int(d.rng.integers(1, 6)), int(d.rng.integers(1, 7))


def _quantisers(d: Draw, count: int) -> Arguments:
    """Scales, zero points and a code range, such as QU-2 to QU-7 make them."""
    n_bits = int(d.rng.integers(1, 7))
    scales = d.rng.choice(np.array([0.25, 0.1, 2 / 15, 1e-8, 3]), size=count)
    scale = np.where(d.mask(count), scales, d.rng.uniform(0.01, 2, count)).astype(np.float32)
    levels, zero = 2**n_bits - 1, np.zeros(count, np.int64)
    low, high = 0, levels
    if d.chance() and n_bits > 1:
        low, high = -(2 ** (n_bits - 1)), 2 ** (n_bits - 1) - 1
    elif d.chance(0.7):
        zero = d.rng.integers(0, levels, size=count, endpoint=True)
    return scale.astype(d.T), zero.astype(d.T), d.T.type(low), d.T.type(high)


def _errors(d: Draw) -> Arguments:
    """Few numbers with few quantisers, or so many that their runs are added."""
    many = d.chance(0.3)
    quantisers = _quantisers(d, 6 if many else int(d.rng.integers(1, 7)))
    levels = int(quantisers[3] - quantisers[2]) + 1
    shape = (1, max(d.N * d.I, 4 * levels)) if many else (d.N, d.I)
    x = d.ties(shape, quantisers[0][0]) if d.chance() else d.terms(*shape)
    return x, *quantisers


def _softmax(d: Draw) -> Arguments:
    x = d.moderate(max(d.N, 1), d.O) * d.of(1, 1, 8)
    return x, *_quantisers(d, int(d.rng.integers(1, 5)))


def _losses(d: Draw) -> Arguments:
    """Losses with many equal ones."""
    shape = (d.N, d.I)
    losses, before = (np.abs(d.rng.integers(0, 4, size=shape) * 0.1) for _ in range(2))
    return losses, before if d.chance() else None


RANGE_ARGUMENTS: Final[dict[str, Callable[[Draw], Arguments]]] = {
    "least_loss": _losses,
    "moving_range": _averaged,
    "percentile_range": _percentile,
    "search_limits": lambda d: (*_ends(d, max(d.N, 1)), np.abs(d.factor())),
    "shifted_range": lambda d: (_size(d), d.number() if d.chance() else d.of(0), d.chance()),
    "skewed_candidates": _skewed,
    "softmax_losses": _softmax,
    "squared_errors": _errors,
    "symmetric_candidates": lambda d: (_size(d), int(d.rng.integers(1, 120)), d.chance()),
    "value_range": _rows,
    "widest_range": _two_ranges,
}
"""How to draw the arguments of each function."""
