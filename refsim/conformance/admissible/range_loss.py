"""What quantisers over several ranges may be found to lose on data: sets of losses (clauses RE)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .arithmetic import Arithmetic
from .grid import Grid
from .grid_over import ELEMENTARY
from .interval import Interval, hull, point
from .profile import BINARY64
from .sums import total

__all__ = ["cross_entropies", "squared_errors"]

CHUNK = 2**18
"""Numbers of one array of candidates and values."""


def squared_errors(A: Arithmetic, x: Interval, grid: Grid) -> Interval:
    """Sums of the squared errors of the values for each grid, RE-9, accumulated in any order.

    All terms have one sign, so the sum is as good as they are.

    Parameters
    ----------
    A
        The operations.
    x
        The values.
    grid
        ``(C, 1)`` steps and zero points.

    Returns
    -------
    ``(C,)``.

    Examples
    --------
    >>> from refsim.conformance.admissible import FLOAT64
    >>> grid = Grid(point([[0.5], [1.0]]), point([[0.0], [0.0]]), -4.0, 3.0)
    >>> squared_errors(Arithmetic(FLOAT64), point([[0.25, 1.0, 4.0]]), grid).lo
    array([6.3125, 1.0625])
    """
    row = Interval(x.lo.reshape(1, -1), x.hi.reshape(1, -1))
    return _in_chunks(lambda part: _squares(A, row, part), grid, x.lo.size)


def _squares(A: Arithmetic, x: Interval, grid: Grid) -> Interval:
    upper, lower, apart = _values(A, x, grid)
    errors = _difference(A, x, upper), _difference(A, x, lower)
    least = np.minimum(errors[0].least_magnitude, errors[1].least_magnitude)
    most = np.maximum(errors[0].magnitude, errors[1].magnitude)
    size = Interval(np.where(apart > 1, 0.0, least), most)
    return _sums(A, A.exact_product(size, size))


def cross_entropies(A: Arithmetic, x: Interval, grid: Grid) -> Interval:
    """Cross-entropies of the softmax of quantised rows with that of the rows ``(N, O)``, RE-10, for each grid.

    >>> from refsim.conformance.admissible import FLOAT32
    >>> grid = Grid(point([[1.0]]), point([[0.0]]), 0.0, 3.0)
    >>> loss = cross_entropies(Arithmetic(FLOAT32), point([[0.0, 0.0]]), grid)
    >>> bool(loss.lo[0] < np.log(2) < loss.hi[0] < loss.lo[0] * (1 + 1e-5))
    True
    """
    shifted = _shifted(A, x)
    powers = _exponential(A, shifted)
    p = A.quotient(powers, _kept(total(A, powers, -1)))
    row = Interval(x.lo.reshape(1, -1), x.hi.reshape(1, -1))

    def losses(part: Grid) -> Interval:
        upper, lower, _ = _values(A, row, part)
        shape = (-1, *x.lo.shape)
        y = hull(upper, lower)
        return _entropies(A, p, Interval(y.lo.reshape(shape), y.hi.reshape(shape)))

    return _in_chunks(losses, grid, x.lo.size)


def _entropies(A: Arithmetic, p: Interval, y: Interval) -> Interval:
    """Sums of ``-p log softmax(y)`` for quantised values ``(C, N, O)``."""
    peak = Interval(y.lo.max(axis=-1, keepdims=True), y.hi.max(axis=-1, keepdims=True))
    sums = _kept(total(A, _exponential(A, _shifted(A, y)), -1))
    logs = A.widened(Interval(np.log(sums.lo), np.log(sums.hi)), ELEMENTARY)
    logs = A.rounded(Interval(np.maximum(logs.lo, 0.0), logs.hi))
    found = hull(A.difference(_shifted(A, y), logs), A.difference(y, A.sum(peak, logs)))
    size = Interval(np.maximum(-found.hi, 0.0), -found.lo)
    terms = A.exact_product(p, size)
    flat = [end.reshape(len(end), -1) for end in (terms.lo, terms.hi)]
    return _sums(A, Interval(*flat))


def _shifted(A: Arithmetic, y: Interval) -> Interval:
    """Values less the largest one of their row; never positive."""
    peak = Interval(y.lo.max(axis=-1, keepdims=True), y.hi.max(axis=-1, keepdims=True))
    found = _difference(A, y, peak)
    return Interval(np.minimum(found.lo, 0.0), np.minimum(found.hi, 0.0))


def _exponential(A: Arithmetic, x: Interval) -> Interval:
    wide = A.widened(Interval(np.exp(x.lo), np.exp(x.hi)), ELEMENTARY)
    return A.rounded(Interval(np.maximum(wide.lo, 0.0), wide.hi))


def _kept(a: Interval) -> Interval:
    """With the last axis of the terms, and not below the largest term, which is 1 but for its last places."""
    return Interval(np.maximum(a.lo, 0.5)[..., None], np.maximum(a.hi, 0.5)[..., None])


def _difference(A: Arithmetic, a: Interval, b: Interval) -> Interval:
    """Differences in the format, or in float64, in which losses are allowed to be formed."""
    exact = Interval(a.lo - b.hi, a.hi - b.lo)
    return hull(A.difference(a, b), exact)


def _sums(A: Arithmetic, terms: Interval) -> Interval:
    """Sums of the terms of each row in the accumulator of the profile or in a longer format."""
    wide = Arithmetic(replace(A.profile, format=BINARY64))
    sums = total(wide, terms, 1, roundings=1)
    small = terms.lo.shape[1] * A.format.least
    underflow = np.where((sums.hi == 0) | (sums.hi > small * 2.0**64), 0.0, small)
    least = np.where(sums.lo == sums.hi, underflow, small)
    return Interval(np.maximum(sums.lo - least, 0.0), sums.hi + least)


def _values(A: Arithmetic, x: Interval, grid: Grid) -> tuple[Interval, Interval, Any]:
    """The largest and the smallest value that each number may be quantised to, and how many codes they are apart."""
    level = A.quotient(x, grid.step)
    found = []
    for code in (np.rint(level.hi), np.rint(level.lo)):
        clipped = np.clip(code + grid.zero.lo, grid.least, grid.most)
        found.append(A.product(grid.step, point(clipped - grid.zero.lo)))
    return found[0], found[1], np.rint(level.hi) - np.rint(level.lo)


def _in_chunks(losses: Callable[[Grid], Interval], grid: Grid, size: int) -> Interval:
    """Losses of some grids after the other, so that no array is large."""
    count = max(1, CHUNK // max(size, 1))
    parts = [
        losses(Grid(grid.step[i : i + count], grid.zero[i : i + count], grid.least, grid.most))
        for i in range(0, len(grid.step.lo), count)
    ]
    return Interval(*(np.concatenate([getattr(p, end) for p in parts]) for end in ("lo", "hi")))
