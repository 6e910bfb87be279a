"""Generated cases of the clauses QU: ranges, grids, and values at ties, codes and ends of grids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from refsim.spec.sums import Array

from .draws import Draw

__all__ = ["QUANTISER_ARGUMENTS"]

Arguments = tuple[Any, ...]
_EDGE: Final = 1e-8
"""The smallest step, and the smallest upper end of a range."""


def _range(d: Draw) -> tuple[Array, Array]:
    """Ends of a range for each row, many of them at zero or at the smallest upper end."""
    count = max(d.N, 1)
    a = d.near((count,), d.T.type(0), d.T.type(_EDGE))
    b = d.near((count,), d.T.type(0), d.T.type(_EDGE)) if d.chance() else d.array(count)
    return np.minimum(a, b), np.maximum(a, b)


def _coded_range(d: Draw) -> Arguments:
    """A range that holds zero, and the largest code."""
    lo, hi = _range(d)
    zero = d.T.type(0)
    top = d.T.type(2 ** int(d.rng.integers(1, 25)) - 1)
    return np.where(lo < 0, lo, zero), np.where(hi > 0, hi, d.T.type(1)), top


def _codes(d: Draw) -> Arguments:
    lo, _ = _range(d)
    return np.where(lo < 0, lo, d.T.type(0)), int(d.rng.integers(1, 25)), d.chance()


def _single(d: Draw, *edges: float) -> Array:
    """Float32 numbers at and around some edges."""
    narrow = Draw((int(d.rng.integers(2**32)),), np.dtype(np.float32), 0)
    return narrow.near((max(d.N, 1),), *map(np.float32, edges))


def _stored(d: Draw) -> Arguments:
    if d.chance():
        return d.rng.uniform(-30, 30, size=max(d.N, 1)).astype(np.float32), True
    return _single(d, _EDGE), False


def _step(d: Draw) -> Arguments:
    return np.abs(_single(d, 1, _EDGE, 0.1)), d.chance()


def _place(d: Draw) -> Arguments:
    top = 2 ** int(d.rng.integers(1, 9)) - 1
    return _single(d, 0.5, 1.5, 2.5, top, top + 0.5, top - 0.5), np.float32(top)


def _gated(d: Draw, drawn: Callable[[Draw], Arguments]) -> Arguments:
    given = drawn(d)
    return _single(d, 1)[:1].repeat(given[0].size), *given


def _values(d: Draw) -> Arguments:
    """Values in rows, most of them half-way between two points of the grid of their row or on one."""
    n_bits, rows = int(d.rng.integers(1, 9)), max(d.N, 1)
    scale = np.abs(np.float32(d.rng.choice([0.25, 0.1, 1 / 3, _EDGE, 7.0], size=rows)))
    high, low = 2**n_bits - 1, 0
    zero = d.rng.integers(0, high, size=rows, endpoint=True)
    if d.chance():
        low, high, zero = -(2 ** (n_bits - 1)), 2 ** (n_bits - 1) - 1, zero * 0
    x = np.array([d.ties((d.I,), d.T.type(s)) for s in scale], dtype=d.T)
    x = x if d.chance(0.7) else d.array(rows, d.I)
    return x, scale.astype(d.T), zero.astype(d.T), d.T.type(low), d.T.type(high)


def _gradient(d: Draw) -> Arguments:
    given = _values(d)
    return d.terms(*given[0].shape), *given


QUANTISER_ARGUMENTS: Final[dict[str, Callable[[Draw], Arguments]]] = {
    "asymmetric_step": _coded_range,
    "code_range": _codes,
    "quantised": _values,
    "quantised_codes": _values,
    "quantised_gradient": _gradient,
    "quantiser_range": _range,
    "quantiser_scale": _stored,
    "scale_gradient": _gradient,
    "stored_step": _step,
    "stored_step_gradient": lambda d: _gated(d, _stored),
    "symmetric_step": _coded_range,
    "zero_float_gradient": lambda d: _gated(d, _place),
    "zero_point": _place,
    "zero_point_gradient": _gradient,
}
"""How to draw the arguments of each function."""
