"""Values on the grids that a quantiser may have: codes and values as sets (clauses QU)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arithmetic import Arithmetic
from .flow import Flow
from .interval import Interval, Mask
from .rounding import integers, margin
from .unions import compact, crossed, joined, pieces

__all__ = ["Grid", "OnGrid", "inside", "quantised"]


@dataclass(frozen=True)
class Grid:
    """One grid: a step and a zero point for each row of values ``(G, M)``, and the code range.

    Parameters
    ----------
    step, zero
        ``(G, 1)``; zero points are integers.
    least, most
        Smallest and largest code.
    """

    step: Interval
    zero: Interval
    least: float
    most: float


@dataclass(frozen=True)
class OnGrid:
    """Quantised values, and their factors for each grid: a step, and codes less the zero point."""

    values: Interval
    factors: list[tuple[Interval, Interval]]


def quantised(A: Arithmetic, flow: Flow, name: str, x: Interval, grids: list[Grid]) -> OnGrid:
    """Enter the codes and the values of a quantiser, and what the next stage starts from.

    Examples
    --------
    >>> from refsim.conformance.admissible import FLOAT32
    >>> from refsim.conformance.admissible.interval import point
    >>> three_bits = Grid(point([[0.5]]), point([[1.0]]), 0.0, 7.0)
    >>> x = Interval(np.array([[0.2, 0.7]]), np.array([[0.21, 0.8]]))
    >>> values = quantised(Arithmetic(FLOAT32), Flow({}), "out_quantizer", x, [three_bits]).values
    >>> values.contains(np.array([[0.0, 0.5]])), values.contains(np.array([[0.5, 0.75]]))
    (array([[ True,  True]]), array([[False, False]]))
    """
    stage = f"{name}_codes"
    flow.margins.append(margin(stage, A.quotient(x.flat, grids[0].step)))
    found = [_codes(A, x, grid) for grid in grids]
    shown = flow.add("QU-8", stage, joined(*found))
    if stage in flow.given:
        found = [shown] * len(grids)
    factors = [
        (grid.step, crossed(A.difference, codes, grid.zero))
        for grid, codes in zip(grids, found, strict=True)
    ]
    values = joined(*(crossed(A.product, step, offset) for step, offset in factors))
    return OnGrid(flow.add("QU-9", f"{name}_quantised", values), factors)


def _codes(A: Arithmetic, x: Interval, grid: Grid) -> Interval:
    """Codes, clipped, one piece each."""
    whole = integers(A.quotient(pieces(x), grid.step))
    levels = A.sum(whole, grid.zero)
    lo, hi = np.clip(levels.lo, grid.least, grid.most), np.clip(levels.hi, grid.least, grid.most)
    shape = (-1, *lo.shape[-2:])
    return compact(Interval(lo.reshape(shape), hi.reshape(shape)))


def inside(A: Arithmetic, x: Interval, codes: Interval, grid: Grid) -> tuple[Mask, Mask]:
    """Where a code surely is not clipped, and where it possibly is not; ends count as not clipped.

    ``x`` and ``codes`` are without pieces. A clipped code that is none of the ends was not clipped.
    """
    level = A.quotient(x, grid.step)
    lo, hi = np.rint(level.lo) + grid.zero.lo, np.rint(level.hi) + grid.zero.hi
    sure = ((lo >= grid.least) & (hi <= grid.most)) | (
        (codes.lo > grid.least) & (codes.hi < grid.most)
    )
    possible = (hi >= grid.least) & (lo <= grid.most)
    return sure, sure | possible
