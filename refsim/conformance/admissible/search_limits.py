"""What the searches for a range share: limits, and losses of ranges (clauses RE)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from refsim.errors import StateError
from refsim.tile.range_search import Loss

from .arithmetic import Arithmetic
from .grid import Grid
from .grid_over import code_ends, held_zero, parameters, scale, zero_points
from .interval import Interval, hull, point
from .range_loss import cross_entropies, squared_errors

__all__ = ["limits", "losses_of_grids", "losses_of_ranges", "one_sided"]


def limits(
    A: Arithmetic, margin: float, lo: Interval, hi: Interval
) -> tuple[Interval, Interval, Interval]:
    """Limits of a search around the extremes of the first data, and the larger magnitude, RE-5.

    >>> from refsim.conformance.admissible import FLOAT32
    >>> [float(end.lo) for end in limits(Arithmetic(FLOAT32), 0.5, point([[-1.0]]), point([[2.0]]))]
    [-1.5, 2.5, 2.5]
    """
    mu = A.setting(margin)
    lower = A.difference(Interval(lo.lo.min(), lo.hi.min()), mu)
    upper = A.sum(Interval(hi.lo.max(), hi.hi.max()), mu)
    least = np.maximum(lower.least_magnitude, upper.least_magnitude)
    return lower, upper, Interval(least, np.maximum(lower.magnitude, upper.magnitude))


def one_sided(lo: Interval) -> Iterator[bool]:
    """Whether no number of the first data was negative; both where that is open."""
    if lo.hi.min() >= 0:
        yield True
    if lo.lo.min() < 0:
        yield False


def losses_of_ranges(
    A: Arithmetic, loss: Loss, x: Interval, row: Interval, lo: Interval, hi: Interval, signed: bool
) -> Interval:
    """Losses of the grids over ranges ``(C, 1)``: squared errors of a row, or cross-entropies of the values.

    Returns
    -------
    ``(C,)``; the hull of those with each zero point that is possible.
    """
    if loss.n_bits == 1 and signed:
        raise StateError(
            "a search for 1 bit met data below zero, allowed are 2 bits or more, or symmetric=False."
        )
    lo, hi = held_zero(A, lo, hi)
    least, most = code_ends(loss.n_bits, signed)
    delta, place = parameters(A, lo, hi, loss.n_bits, loss.symmetric, signed)
    step = scale(delta, logarithmic=False)
    zeros = point(np.zeros((1, *step.lo.shape)))
    if place is not None:
        zeros = zero_points(place, most)
    count = len(step.lo)
    found = Interval(np.full(count, np.nan), np.full(count, np.nan))
    for zero in (zeros[q] for q in range(len(zeros.lo))):
        there = ~np.isnan(zero.lo[:, 0])
        some = losses_of_grids(A, loss, x, row, Grid(step[there], zero[there], least, most))
        ends = np.full((2, count), np.nan)
        ends[:, there] = some.lo, some.hi
        found = hull(found, Interval(*ends))
    return found


def losses_of_grids(A: Arithmetic, loss: Loss, x: Interval, row: Interval, grid: Grid) -> Interval:
    """Losses for grids ``(C, 1)`` with known zero points."""
    if not loss.of_softmax:
        return squared_errors(A, row, grid)
    classes = [np.moveaxis(end, 1, -1).reshape(-1, end.shape[1]) for end in (x.lo, x.hi)]
    return cross_entropies(A, Interval(*classes), grid)
