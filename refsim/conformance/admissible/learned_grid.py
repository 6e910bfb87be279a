"""Gradients of the step and the zero point that a quantiser stores, on sets (clauses QU)."""

from __future__ import annotations

import numpy as np

from .arithmetic import Arithmetic
from .flow import Flow
from .grid_gradients import scale_gradient, zero_point_gradient
from .grid_over import ELEMENTARY, LEAST, SINGLE, single
from .interval import Floats, Interval, hull, point
from .plan import Plan, column

__all__ = ["stored_gradients"]


def stored_gradients(
    A: Arithmetic, flow: Flow, plan: Plan, g: Interval, x: Interval, codes: Interval
) -> None:
    """Enter the gradients of the parameters of a quantiser, from those of its values in rows ``(G, M)``."""
    assert plan.grid is not None
    grids = flow.grids[plan.name]
    scale = hull(*(scale_gradient(A, g, x, codes, grid) for grid in grids))
    clause, found = _of_step(plan, scale, column(plan.grid.delta).lo[:, 0])
    flow.add(clause, f"{plan.name}_delta_gradient", found)
    if plan.grid.zero_float is None:
        return
    zero = hull(*(zero_point_gradient(A, g, x, codes, grid) for grid in grids))
    place, most = np.rint(column(plan.grid.zero_float).lo[:, 0]), grids[0].most
    passed = (place >= 0) & (place <= most)
    found = Interval(np.where(passed, zero.lo, 0.0), np.where(passed, zero.hi, 0.0))
    clause = "QU-13" if passed.all() else "QU-14"
    flow.add(clause, f"{plan.name}_zero_float_gradient", found)


def _of_step(plan: Plan, scale: Interval, stored: Floats) -> tuple[str, Interval]:
    """Gradient of the stored parameter from that of the scale, QU-12, and the clause that decides it."""
    if plan.quantiser.logarithmic:
        exponential = single(SINGLE.widened(point(np.exp(stored)), ELEMENTARY))
        return "QU-12", SINGLE.product(scale, exponential)
    passed = stored >= LEAST
    found = Interval(np.where(passed, scale.lo, 0.0), np.where(passed, scale.hi, 0.0))
    return "QU-11" if passed.all() else "QU-12", found
