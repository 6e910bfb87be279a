"""Rounding to a grid: sets of adjacent codes, and how far the values are from the boundaries between codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arithmetic import Arithmetic
from .interval import Floats, Interval, hull, point

__all__ = ["Margin", "codes", "integers", "levels", "margin"]

PIECES = 8


@dataclass(frozen=True)
class Margin:
    """How near the values of a rounding stage are to the boundaries between codes.

    Parameters
    ----------
    stage
        The rounded stage.
    total, ambiguous
        Number of elements, and of those with more than one admissible code.
    nearest
        Smallest distance of the other elements from a boundary, in steps of the grid; infinite if there are none.
    width
        Largest width of an interval before rounding, in steps.
    """

    stage: str
    total: int
    ambiguous: int
    nearest: float
    width: float

    def __str__(self) -> str:
        share = 100 * self.ambiguous / max(self.total, 1)
        return (
            f"{self.stage}: {self.ambiguous} of {self.total} codes ambiguous ({share:.2f} %), the others at least "
            f"{self.nearest:.3g} steps from a boundary, values known to {self.width:.3g} steps"
        )


def levels(A: Arithmetic, a: Interval, step: Interval, rounding: Floats | None) -> Interval:
    """Values in steps of a grid, with the deviates of stochastic rounding added."""
    result = A.quotient(a, step)
    if rounding is None:
        return result
    u = point(rounding)
    added = A.sum(result, u)
    if A.profile.reciprocal:
        return hull(added, A.product_sum(a, A.inverse(step), u))
    return added


def codes(A: Arithmetic, level: Interval, step: Interval) -> Interval:
    """Grid points that the levels may be rounded to, one piece each; one hull where there are very many.

    >>> from refsim.conformance.admissible import FLOAT32
    >>> codes(Arithmetic(FLOAT32), Interval(np.array([[1.4]]), np.array([[1.6]])), point(0.5))
    Interval(lo=array([[[0.5]],
           [[1. ]]]), hi=array([[[0.5]],
           [[1. ]]]))
    """
    return A.product(integers(level), step)


def integers(level: Interval) -> Interval:
    """Integers that levels may be rounded to, one piece each; one hull where there are very many."""
    first, last = np.rint(level.lo), np.rint(level.hi)
    count = last - first
    pieces = int(np.nanmin([np.nanmax(count, initial=0), PIECES - 1])) + 1
    number = np.arange(pieces, dtype=np.float64).reshape(-1, *([1] * first.ndim))
    many = ~(count < pieces)
    lo = np.where(number <= count, first + number, np.nan)
    hi = np.where(many, np.where(number == 0, last, np.nan), lo)
    lo = np.where(many, np.where(number == 0, first, np.nan), lo)
    return Interval(lo, hi)


def margin(stage: str, level: Interval) -> Margin:
    """Distances from the boundaries between codes, which are half-way between integers."""
    if level.lo.size == 0:
        return Margin(stage, 0, 0, np.inf, 0.0)
    ambiguous = np.rint(level.lo) != np.rint(level.hi)
    distance = np.minimum(
        0.5 - np.abs(level.lo - np.rint(level.lo)), 0.5 - np.abs(level.hi - np.rint(level.hi))
    )
    nearest = float(np.min(distance[~ambiguous], initial=np.inf))
    width = float(np.max(level.hi - level.lo))
    return Margin(stage, level.lo.size, int(ambiguous.sum()), nearest, width)
