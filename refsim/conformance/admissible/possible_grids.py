"""The grids that a quantiser may have in a pass: from its state, or from an estimated range (clauses QU)."""

from __future__ import annotations

import numpy as np

from refsim.errors import StateError

from .arithmetic import Arithmetic
from .flow import Flow
from .grid import Grid
from .grid_over import (
    ELEMENTARY,
    SINGLE,
    code_ends,
    held_zero,
    parameters,
    scale,
    single,
    zero_points,
)
from .interval import Interval, hull, point
from .plan import Plan, column
from .ranges import estimated
from .unions import MOST, pieces

__all__ = ["possible_grids"]

Stored = tuple[bool, Interval, Interval | None]
"""Whether codes are signed, the stored step, and the place of zero."""


def possible_grids(A: Arithmetic, flow: Flow, plan: Plan, x: Interval) -> list[Grid]:
    """Enter range, stored parameters, step and zero point of a quantiser, and the grids that follow.

    ``x`` are the values, without pieces.

    Raises
    ------
    StateError
        If no grid has a code for the values, or a search does not show what it found.

    Examples
    --------
    >>> from refsim.conformance.admissible import FLOAT32
    >>> from refsim.tile import Quantiser
    >>> quantiser = Quantiser(3, backend="spec")
    >>> quantiser.set_quant_range(-0.5, 1.5)
    >>> plan = Plan("quantiser", quantiser, quantiser.grid())
    >>> [grid] = possible_grids(Arithmetic(FLOAT32), Flow({}), plan, point([[0.0]]))
    >>> float(grid.step.lo[0, 0]), grid.least, grid.most
    (0.5, -4.0, 3.0)
    """
    if plan.grid is not None:
        zero = None if plan.grid.zero_float is None else column(plan.grid.zero_float)
        kept = (plan.grid.signed, column(plan.grid.delta), zero)
        return _few(_entered(flow, plan, kept, "QU-1"))
    clause, lo, hi = estimated(A, flow, plan, x)
    lo, hi = held_zero(A, lo, hi)
    found: list[Grid] = []
    n_bits, symmetric = plan.quantiser.n_bits, plan.quantiser.symmetric
    for signed in _signs(symmetric, lo):
        if code_ends(n_bits, signed)[1] > 0:
            delta, zero = parameters(A, lo, hi, n_bits, symmetric, signed)
            stored = signed, _stored(plan, delta), zero
            found += _entered(flow, plan, stored, clause)
    if not found:
        raise StateError(
            f"{plan.name} has 1 bit and a range below zero, allowed are 2 bits or more, or symmetric=False."
        )
    return _few(found)


def _signs(symmetric: bool, lo: Interval) -> list[bool]:
    """Whether codes are signed, QU-2: one negative range is enough; both where that is open."""
    if not symmetric:
        return [False]
    union = pieces(lo)
    if (union.hi < 0).any(axis=(1, 2)).all():
        return [True]
    return [False, True] if (union.lo < 0).any() else [False]


def _stored(plan: Plan, step: Interval) -> Interval:
    """The parameter that stands for a step, QU-5."""
    if not plan.quantiser.logarithmic:
        return step
    return single(SINGLE.widened(Interval(np.log(step.lo), np.log(step.hi)), ELEMENTARY))


def _entered(flow: Flow, plan: Plan, stored: Stored, clause: str) -> list[Grid]:
    """Enter stored parameters and what is made of them, and the grids."""
    signed, delta, zero_float = stored
    name, (least, most) = plan.name, code_ends(plan.quantiser.n_bits, signed)
    flow.add("QU-2", f"{name}.signed", column(float(signed)))
    delta = flow.add(clause, f"{name}.delta", delta)
    step = scale(delta, plan.quantiser.logarithmic)
    step = flow.add("QU-6" if f"{name}.delta" in flow.given else clause, f"{name}_step", step)
    if zero_float is None:
        zeros = point(np.zeros((1, 1, *step.lo.shape[-2:])))
    else:
        zero_float = flow.add(clause, f"{name}.zero_float", zero_float)
        zeros = zero_points(pieces(zero_float), most)
    pairs = _pairs(flow, f"{name}_zero_point", step, zeros)
    return [Grid(*pair, least, most) for pair in pairs]


def _pairs(
    flow: Flow, stage: str, step: Interval, zeros: Interval
) -> list[tuple[Interval, Interval]]:
    """Each step with the zero points ``(Q, P, G, 1)`` that belong to it."""
    shape, steps = zeros.lo.shape[-2:], pieces(step)
    union = Interval(zeros.lo.reshape(-1, *shape), zeros.hi.reshape(-1, *shape))
    shown = flow.add("QU-7", stage, union)
    if stage in flow.given:
        return [(steps[p], shown) for p in range(len(steps.lo))]
    count = max(len(steps.lo), zeros.lo.shape[1])
    places = [(min(p, len(steps.lo) - 1), min(p, zeros.lo.shape[1] - 1)) for p in range(count)]
    return [
        (steps[p], zeros[q, place])
        for p, place in places
        for q in range(len(zeros.lo))
        if not np.isnan(zeros.lo[q, place]).all()
    ]


def _few(grids: list[Grid]) -> list[Grid]:
    """The same grids, or one that holds all of a code range where they are many."""
    if len(grids) <= MOST:
        return grids
    found = []
    for least, most in dict.fromkeys((grid.least, grid.most) for grid in grids):
        same = [grid for grid in grids if grid.most == most]
        step, zero = hull(*(grid.step for grid in same)), hull(*(grid.zero for grid in same))
        found.append(Grid(step, zero, least, most))
    return found
