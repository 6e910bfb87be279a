"""Ranges of quantisers estimated from sets of values: extremes, percentiles, moving averages (clauses RE)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from refsim.tile.estimators import AllMinMax, CurrentMinMax, RunningMinMax
from refsim.tile.range_search import GoldenSection, GridSearch

from .arithmetic import Arithmetic
from .flow import Flow
from .interval import Interval, hull, point
from .plan import Plan, column, in_rows
from .range_search import searched

__all__ = ["estimated", "quantile"]


def estimated(A: Arithmetic, flow: Flow, plan: Plan, x: Interval) -> tuple[str, Interval, Interval]:
    """Enter the ends of the range of each row, and what the estimator remembers.

    Parameters
    ----------
    A, flow, plan
        The operations, the stages so far, and the quantiser.
    x
        The values, without pieces.

    Returns
    -------
    The clause that decides the step behind the range, and two arrays ``(G, 1)`` of ends, or unions of them.
    """
    assert plan.estimator is not None
    method, name = plan.estimator.method, plan.name
    if isinstance(method, GridSearch | GoldenSection):
        return searched(A, flow, plan, x)
    x = in_rows(x, plan.quantiser.axis)
    memory = {key: column(value) for key, value in plan.estimator.state().items()}
    if isinstance(method, CurrentMinMax):
        lo, hi = _current(A, method, x)
        clause = "RE-2" if method.percentile else "RE-1"
    elif isinstance(method, AllMinMax):
        lo, hi = _widest(*_extremes(x), memory)
        clause = "RE-3" if memory else "RE-1"
    else:
        assert isinstance(method, RunningMinMax)
        lo, hi = _moving(A, method, *_extremes(x), memory)
        clause = "RE-4" if memory else "RE-1"
    if method.names:
        lo = flow.add(clause, f"{name}.estimator.lo", lo)
        hi = flow.add(clause, f"{name}.estimator.hi", hi)
    lo, hi = flow.add(clause, f"{name}_lo", lo), flow.add(clause, f"{name}_hi", hi)
    return "QU-3" if plan.quantiser.symmetric else "QU-4", lo, hi


def _extremes(x: Interval) -> tuple[Interval, Interval]:
    """Smallest and largest number of each row, RE-1."""
    least = Interval(x.lo.min(axis=1, keepdims=True), x.hi.min(axis=1, keepdims=True))
    return least, Interval(x.lo.max(axis=1, keepdims=True), x.hi.max(axis=1, keepdims=True))


def _current(A: Arithmetic, method: CurrentMinMax, x: Interval) -> tuple[Interval, Interval]:
    if not method.percentile:
        return _extremes(x)
    ordered = Interval(np.sort(x.lo, axis=1), np.sort(x.hi, axis=1))
    lower = quantile(A, ordered, method.percentile / 100)
    if not method.two_sided:
        return lower, _extremes(x)[1]
    return lower, quantile(A, ordered, (100 - method.percentile) / 100)


def quantile(A: Arithmetic, ordered: Interval, q: float, capped: bool = False) -> Interval:
    """Quantiles of ordered rows, with the place formed in float64, or in the format of the profile.

    ``capped`` says whether they are limited by the number above.
    """
    last = ordered.lo.shape[1] - 1
    place = float(np.float64(q) * last)
    short = A.format.rounded(np.float64(q)) == q and A.format.rounded(np.float64(place)) == place
    spread = 0.0 if short else 4 * A.format.unit * place
    places = (max(place - spread, 0.0), place, min(place + spread, float(last)))
    return hull(*(_between(A, ordered, each, capped) for each in dict.fromkeys(places)))


def _between(A: Arithmetic, ordered: Interval, place: float, capped: bool) -> Interval:
    """The value at a place between two numbers, interpolated from either of them."""
    k = int(place)
    below, above = ordered[:, k : k + 1], ordered[:, min(k + 1, ordered.lo.shape[1] - 1) :][:, :1]
    ends = [
        _interpolated(A, point(below.lo), point(above.lo), place - k),
        _interpolated(A, point(below.hi), point(above.hi), place - k),
    ]
    if capped:
        ends = [
            Interval(np.minimum(end.lo, above.hi), np.minimum(end.hi, above.hi)) for end in ends
        ]
    if np.array_equal(below.lo, below.hi) and np.array_equal(above.lo, above.hi):
        return ends[0]
    size = below.magnitude + above.magnitude
    return A.loosened(hull(*ends), 4, size)


def _interpolated(A: Arithmetic, below: Interval, above: Interval, share: float) -> Interval:
    if share == 0:
        return below
    t, rest = A.setting(share), A.setting(1 - share)
    step = A.difference(above, below)
    back = Interval(-step.hi, -step.lo)
    return hull(A.product_sum(step, t, below), A.product_sum(back, rest, above))


def _widest(
    lo: Interval, hi: Interval, memory: Mapping[str, Interval]
) -> tuple[Interval, Interval]:
    """Extremes of all data so far, RE-3."""
    if not memory:
        return lo, hi
    old_lo, old_hi = memory["lo"], memory["hi"]
    least = Interval(np.minimum(lo.lo, old_lo.lo), np.minimum(lo.hi, old_lo.hi))
    return least, Interval(np.maximum(hi.lo, old_hi.lo), np.maximum(hi.hi, old_hi.hi))


def _moving(
    A: Arithmetic,
    method: RunningMinMax,
    lo: Interval,
    hi: Interval,
    memory: Mapping[str, Interval],
) -> tuple[Interval, Interval]:
    """Moving averages, RE-4, with one of the products fused or none."""
    if not memory:
        return lo, hi
    fresh, kept = A.setting(1.0 - method.momentum), A.setting(method.momentum)
    found = []
    for new, old in ((lo, memory["lo"]), (hi, memory["hi"])):
        first = A.product_sum(fresh, new, A.product(kept, old))
        found.append(hull(first, A.product_sum(kept, old, A.product(fresh, new))))
    return found[0], found[1]
