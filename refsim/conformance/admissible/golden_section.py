"""The range at which a golden section may end: one that was shown, and is no worse than what the search must try."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from refsim.tile.range_search import SMALLEST_SHARE, GoldenSection

from .arithmetic import Arithmetic
from .flow import Flow
from .interval import Interval, hull, outward, point
from .plan import Plan
from .search_limits import limits, losses_of_grids, losses_of_ranges, one_sided
from .shown_range import ULPS, ShownRange, around, shown_range

__all__ = ["golden_section"]

GOLDEN = 0.5 * (3 - 5**0.5)
WIDE = 1e-3
"""Width of an interval beyond which the second trial of the minimisation is a golden section, too."""


def golden_section(
    A: Arithmetic,
    flow: Flow,
    plan: Plan,
    x: Interval,
    rows: Interval,
    first: tuple[Interval, Interval],
) -> tuple[Interval, Interval]:
    """The range of the implementation if the search RE-8 may have found it, else that of refsim, for each row.

    Where the search ends depends on the last bits of the losses, and small differences lead far away. What does not
    depend on them is which ranges are tried in any case: the ends of the interval and the first two golden sections.
    The range found must lie within the limits, and lose no more than each of these, within the bounds of the losses.

    Raises
    ------
    StateError
        If the implementation shows neither its range nor its step.
    """
    assert plan.estimator is not None
    method = plan.estimator.method
    assert isinstance(method, GoldenSection)
    own: tuple[Interval, Interval] | None = None
    found = []
    for g in range(len(rows.lo)):
        ends = _admissible(A, flow, plan, method, x, rows[g : g + 1], first, g)
        if ends is None:
            own = _own(plan, x) if own is None else own
            ends = own[0][g : g + 1], own[1][g : g + 1]
        found.append(ends)
    lo, hi = (
        Interval(np.concatenate([e[i].lo for e in found]), np.concatenate([e[i].hi for e in found]))
        for i in (0, 1)
    )
    return lo, hi


def _admissible(
    A: Arithmetic,
    flow: Flow,
    plan: Plan,
    method: GoldenSection,
    x: Interval,
    row: Interval,
    first: tuple[Interval, Interval],
    g: int,
) -> tuple[Interval, Interval] | None:
    """The range shown for one row, or None if the search does not end there."""
    size = limits(A, method.margin, *first)[2]
    for side in one_sided(first[0]):
        shown = shown_range(flow, plan, side, g)
        if not (_within(A, method, shown, size) and shown.fits):
            continue
        signed = method.loss.symmetric and not side
        trials = _trials(A, method, size, side)
        tried = losses_of_ranges(A, method.loss, x, row, *trials, signed)
        if shown.grid is None:
            loss = losses_of_ranges(A, method.loss, x, row, shown.lo, shown.hi, signed)
        else:
            loss = losses_of_grids(A, method.loss, x, row, shown.grid)
        if loss.lo[0] <= tried.hi.min():
            return shown.lo, shown.hi
    return None


def _within(A: Arithmetic, method: GoldenSection, shown: ShownRange, size: Interval) -> bool:
    """Whether size and shift lie within the limits of the search."""
    slack = 1 + ULPS * A.format.unit
    if shown.size.hi * slack < SMALLEST_SHARE * size.lo or shown.size.lo > size.hi * slack:
        return False
    bound = _most_shift(method, shown.size.hi) * slack + ULPS * A.format.unit * shown.size.hi
    return bool(shown.shift is None or shown.shift.least_magnitude <= bound)


def _most_shift(method: GoldenSection, size: Any) -> float:
    bits = method.loss.n_bits
    return float(2**bits // 4 * (2 * size / (2**bits - 1)))


def _trials(
    A: Arithmetic, method: GoldenSection, size: Interval, side: bool
) -> tuple[Interval, Interval]:
    """Ranges ``(C, 1)`` that any search tries."""
    sizes = _sections(Interval(SMALLEST_SHARE * size.lo, SMALLEST_SHARE * size.hi), size)
    pairs = [(each, point(0.0)) for each in sizes]
    if not (method.loss.symmetric or side):
        pairs = [
            (each, shift)
            for each in sizes
            for shift in _sections(
                point(-_most_shift(method, each.hi)), point(_most_shift(method, each.hi))
            )
        ]
    R, e = (
        Interval(*(np.array([[getattr(pair[i], end)] for pair in pairs]) for end in ("lo", "hi")))
        for i in (0, 1)
    )
    R, e = around(A.format, R), around(A.format, e)
    hi = A.sum(R, e)
    return point(np.zeros_like(hi.lo)) if side else A.difference(e, R), hi


def _sections(low: Interval, high: Interval) -> list[Interval]:
    """Both ends of an interval and the places where the minimisation looks first."""
    found, at = [low, high], low
    for _ in range(2 if float(high.lo - low.hi) > WIDE else 1):
        at = Interval(
            at.lo + GOLDEN * (high.lo - at.lo),
            at.hi + GOLDEN * (high.hi - at.hi),
        )
        found.append(outward(at.lo, at.hi))
    return [hull(each) for each in found]


def _own(plan: Plan, x: Interval) -> tuple[Interval, Interval]:
    """The range that refsim finds for the middle of the values, ``(G, 1)``."""
    middle = (x.lo + (x.hi - x.lo) / 2).astype(plan.quantiser.dtype)
    lo, hi = copy.copy(plan.estimator).range(middle)  # type: ignore[union-attr]
    return point(np.reshape(lo, (-1, 1))), point(np.reshape(hi, (-1, 1)))
