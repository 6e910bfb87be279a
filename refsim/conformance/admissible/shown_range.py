"""The range that an implementation shows of a quantiser: its ends, its stored parameters, or step and zero point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refsim.errors import StateError

from .flow import Flow
from .grid import Grid
from .grid_over import LEAST, code_ends
from .interval import Interval, outward, point
from .plan import Plan
from .profile import BINARY32, Format

__all__ = ["ULPS", "ShownRange", "around", "shown_range"]

ULPS = 8
"""Units in the last place that a few roundings may change."""


@dataclass(frozen=True)
class ShownRange:
    """A range around a shift with a size to both sides, or from zero upwards.

    Parameters
    ----------
    size, shift
        :math:`R` and :math:`e` of clause RE-8, the shift None if it is not known.
    lo, hi
        Ends, ``(1, 1)``.
    grid
        The grid over it where the implementation shows that and not the ends.
    fits
        Whether the range is of the form of the search.
    """

    size: Interval
    shift: Interval | None
    lo: Interval
    hi: Interval
    grid: Grid | None = None
    fits: bool = True


def around(form: Format, a: Interval) -> Interval:
    """Numbers that a few roundings may lead to."""
    slack = ULPS * form.unit
    return outward(a.lo - slack * np.abs(a.lo), a.hi + slack * np.abs(a.hi))


def shown_range(flow: Flow, plan: Plan, side: bool, g: int = 0) -> ShownRange:
    """The range of a row, from the stages of the implementation.

    Parameters
    ----------
    flow, plan
        The stages and the quantiser.
    side
        Whether the range begins at zero.
    g
        The row.

    Raises
    ------
    StateError
        If nothing is shown.
    """
    name, symmetric = plan.name, plan.quantiser.symmetric
    ends = [_one(flow, f"{name}_{end}", g) for end in ("lo", "hi")]
    if ends[0] is not None and ends[1] is not None:
        return _of_ends(float(ends[0]), float(ends[1]), symmetric, side)
    step, place = _stored(flow, plan, g)
    zero = place if place is not None else _one(flow, f"{name}_zero_point", g)
    if step is None or (zero is None and not symmetric):
        raise StateError(
            f"where the search for the range of {name} ends depends on rounding; give what was found as "
            f"stages['{name}_lo'] and stages['{name}_hi'], or as stages['{name}.delta'] and, if there is one, "
            f"stages['{name}.zero_float']."
        )
    return _of_step(plan, float(step), zero, place is not None, side)


def _one(flow: Flow, stage: str, g: int) -> float | None:
    values = flow.given.get(stage)
    if values is None or values.size <= g:
        return None
    return float(values.reshape(-1)[g])


def _stored(flow: Flow, plan: Plan, g: int) -> tuple[float | None, float | None]:
    """Step, and place of zero."""
    delta = _one(flow, f"{plan.name}.delta", g)
    if delta is None:
        return _one(flow, f"{plan.name}_step", g), None
    step = float(np.exp(delta)) if plan.quantiser.logarithmic else max(delta, LEAST)
    return step, _one(flow, f"{plan.name}.zero_float", g)


def _of_ends(lo: float, hi: float, symmetric: bool, side: bool) -> ShownRange:
    ends = point([[lo]]), point([[hi]])
    if side or symmetric:
        return ShownRange(point(hi), point(0.0), *ends, fits=lo == (0.0 if side else -hi))
    return ShownRange(
        around(BINARY32, point((hi - lo) / 2)), around(BINARY32, point((hi + lo) / 2)), *ends
    )


def _of_step(plan: Plan, step: float, zero: float | None, stored: bool, side: bool) -> ShownRange:
    """The range behind a step and a place of zero, or a zero point, which is rounded."""
    signed = plan.quantiser.symmetric and not side
    least, most = code_ends(plan.quantiser.n_bits, signed)
    width = around(BINARY32, point([[step * most]]))
    place = 0.0 if zero is None else zero
    code = float(np.clip(np.rint(place), 0, most))
    grid = Grid(point([[step]]), point([[code]]), least, most)
    if side or plan.quantiser.symmetric:
        low = point([[0.0]]) if side else Interval(-width.hi, -width.lo)
        return ShownRange(width[0, 0], point(0.0), low, width, grid, fits=place == 0)
    open_ = 0.0 if stored else 0.5
    start = around(
        BINARY32, Interval(*(np.array([[-step * (place + o)]]) for o in (open_, -open_)))
    )
    half = Interval(width.lo / 2, width.hi / 2)
    shift = Interval(start.lo + half.lo, start.hi + half.hi)
    end = Interval(start.lo + width.lo, start.hi + width.hi)
    return ShownRange(half[0, 0], shift[0, 0], start, outward(end.lo, end.hi), grid)
