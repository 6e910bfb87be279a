"""The grids that a quantiser may have in a pass: from its state, or from an estimated range (clauses QU)."""

from __future__ import annotations

import numpy as np

from refsim.spec.quantisers import SMALLEST_STEP

from .arithmetic import Arithmetic
from .flow import Flow
from .grid import Grid
from .grid_gradients import single
from .interval import Interval, hull, point
from .plan import Plan, column
from .profile import BINARY32
from .ranges import estimated
from .rounding import integers
from .unions import MOST, compact, pieces

__all__ = ["possible_grids"]

LEAST = float(BINARY32.rounded(SMALLEST_STEP))
ELEMENTARY = 2
"""Units in the last place by which a library may miss a logarithm or an exponential."""


def possible_grids(A: Arithmetic, flow: Flow, plan: Plan, x: Interval) -> list[Grid]:
    """Enter range, stored parameters, step and zero point of a quantiser, and the grids that follow.

    ``x`` are the values ``(G, M)`` in rows that share a step, without pieces.

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
        parameters = [(plan.grid.signed, column(plan.grid.delta), zero)]
        return _entered(A, flow, plan, parameters, "QU-5", "QU-5")
    lo, hi = estimated(A, flow, plan, x)
    least = point(A.format.rounded(np.float64(SMALLEST_STEP)))
    lo = Interval(np.minimum(lo.lo, 0), np.minimum(lo.hi, 0))
    hi = Interval(np.maximum(hi.lo, least.lo), np.maximum(hi.hi, least.lo))
    found = []
    for signed in _signs(plan.quantiser.symmetric, lo):
        most = _ends(plan.quantiser.n_bits, signed)[1]
        if most > 0:
            found.append((signed, *_parameters(A, plan, lo, hi, point(most), signed)))
    clause = "QU-3" if plan.quantiser.symmetric else "QU-4"
    return _entered(A, flow, plan, found, clause, "QU-4")


def _signs(symmetric: bool, lo: Interval) -> list[bool]:
    """Whether codes are signed, QU-2: one negative range is enough; both where that is open."""
    if not symmetric:
        return [False]
    union = pieces(lo)
    if (union.hi < 0).any(axis=(1, 2)).all():
        return [True]
    return [False, True] if (union.lo < 0).any() else [False]


def _ends(n_bits: int, signed: bool) -> tuple[float, float]:
    """Smallest and largest code, QU-2."""
    return (-(2.0 ** (n_bits - 1)), 2.0 ** (n_bits - 1) - 1) if signed else (0.0, 2.0**n_bits - 1)


def _parameters(
    A: Arithmetic, plan: Plan, lo: Interval, hi: Interval, most: Interval, signed: bool
) -> tuple[Interval, Interval | None]:
    """Stored step and place of zero over a range, QU-3 to QU-5."""
    if plan.quantiser.symmetric:
        lower = lo if signed else point(0.0)
        size = Interval(np.fmax(lower.least_magnitude, hi.lo), np.fmax(lower.magnitude, hi.hi))
        return _stored(A, plan, single(A.quotient(size, most))), None
    step = A.quotient(A.difference(hi, lo), most)
    zero = A.quotient(A.difference(point(0.0), lo), step)
    return _stored(A, plan, single(step)), single(zero)


def _stored(A: Arithmetic, plan: Plan, step: Interval) -> Interval:
    if not plan.quantiser.logarithmic:
        return step
    return A.widened(Interval(np.log(step.lo), np.log(step.hi)), ELEMENTARY)


def _entered(
    A: Arithmetic,
    flow: Flow,
    plan: Plan,
    parameters: list[tuple[bool, Interval, Interval | None]],
    step_clause: str,
    zero_clause: str,
) -> list[Grid]:
    """Step, zero point and code range behind each set of stored parameters."""
    found: list[Grid] = []
    for signed, delta, zero_float in parameters:
        least, most = _ends(plan.quantiser.n_bits, signed)
        flow.add("QU-2", f"{plan.name}.signed", column(float(signed)))
        delta = flow.add(step_clause, f"{plan.name}.delta", delta)
        step = flow.add("QU-6", f"{plan.name}_step", _scale(A, plan, delta))
        if zero_float is None:
            zeros = point(np.zeros((1, 1, *step.lo.shape[-2:])))
        else:
            zero_float = flow.add(zero_clause, f"{plan.name}.zero_float", zero_float)
            whole = integers(pieces(zero_float))
            zeros = Interval(np.clip(whole.lo, 0, most), np.clip(whole.hi, 0, most))
        pairs = _pairs(flow, f"{plan.name}_zero_point", step, zeros)
        found += [Grid(*pair, least, most) for pair in pairs]
    return _few(found)


def _scale(A: Arithmetic, plan: Plan, delta: Interval) -> Interval:
    """Scale in use, QU-6."""
    if plan.quantiser.logarithmic:
        return single(A.widened(Interval(np.exp(delta.lo), np.exp(delta.hi)), ELEMENTARY))
    return Interval(np.maximum(delta.lo, LEAST), np.maximum(delta.hi, LEAST))


def _pairs(
    flow: Flow, stage: str, step: Interval, zeros: Interval
) -> list[tuple[Interval, Interval]]:
    """Each step with the zero points ``(Q, P, G, 1)`` that belong to it, QU-7."""
    shape, steps = zeros.lo.shape[-2:], pieces(step)
    union = compact(Interval(zeros.lo.reshape(-1, *shape), zeros.hi.reshape(-1, *shape)))
    shown = flow.add("QU-7", stage, union)
    if stage in flow.given:
        return [(steps[p], shown) for p in range(len(steps.lo))]
    places = [(p, min(p, zeros.lo.shape[1] - 1)) for p in range(len(steps.lo))]
    if len(steps.lo) == 1:
        places = [(0, p) for p in range(zeros.lo.shape[1])]
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
