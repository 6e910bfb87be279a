"""Divisors of the noise management of the compiled core on sets (clauses NM)."""

from __future__ import annotations

import numpy as np

from refsim.config import NoiseManagementType as NM
from refsim.tile.manual_settings import RowCore

from .arithmetic import Arithmetic
from .flow import Flow
from .interval import Interval, hull, point
from .problem import Problem
from .sums import total

__all__ = ["last_running_peak", "row_divisors", "sum_divisors"]


def row_divisors(p: Problem, flow: Flow, v: Interval) -> Interval:
    """Divisor of each row; rows in which it is not positive are not converted."""
    kind, cap = p.core.noise_management, p.A.setting(p.core.noise_cap)
    name, rows = "noise_management_scale", len(v.lo)
    if kind in (NM.NONE, NM.CONSTANT):
        constant = kind is NM.CONSTANT and np.isfinite(p.core.noise_cap)
        alpha = cap if constant else point(1.0)
        return flow.add("NM-3", name, Interval(np.full(rows, alpha.lo), np.full(rows, alpha.hi)))
    if kind is NM.ABS_MAX_NP_SUM:
        return flow.add("NM-7", name, sum_divisors(p, v))
    ends = (v.lo, v.hi) if kind is NM.MAX else (v.least_magnitude, v.magnitude)
    peak = Interval(*(end.max(axis=1) for end in ends))
    peak = flow.add("NM-2" if kind is NM.MAX else "NM-1", "management_peak", peak)
    if kind is NM.AVERAGE_ABS_MAX:
        return flow.add("NM-8", name, _running(p, peak))
    return flow.add(
        "NM-3", name, Interval(np.minimum(peak.lo, cap.lo), np.minimum(peak.hi, cap.hi))
    )


def sum_divisors(p: Problem, v: Interval) -> Interval:
    """Divisors that bound the outputs in the worst case."""
    assert isinstance(p.core, RowCore)
    A = p.A
    peak = Interval(v.least_magnitude.max(axis=1), v.magnitude.max(axis=1))
    positive = total(A, Interval(np.maximum(v.lo, 0), np.maximum(v.hi, 0)), 1)
    negative = total(A, Interval(np.maximum(-v.hi, 0), np.maximum(-v.lo, 0)), 1)
    sums = _larger(positive, negative)
    scaled = A.product(A.setting(p.core.sum_factor), sums)
    if np.isfinite(p.core.sum_limit):
        most = A.product(A.setting(p.core.sum_limit), peak)
        scaled = Interval(np.minimum(scaled.lo, most.lo), np.minimum(scaled.hi, most.hi))
    return _larger(scaled, peak)


def _larger(a: Interval, b: Interval) -> Interval:
    return Interval(np.maximum(a.lo, b.lo), np.maximum(a.hi, b.hi))


def _running(p: Problem, peak: Interval) -> Interval:
    """The running peak after each row."""
    assert isinstance(p.core, RowCore)
    assert p.average is not None
    A, average, found = p.A, p.average, []
    keep, weight = A.setting(p.core.keep), A.setting(p.core.weight)
    for n in range(len(peak.lo)):
        new = peak[n]
        average = new if average.hi < 0 else _moved(A, average, new, keep, weight)
        found.append(average)
    return Interval(
        *(np.array([getattr(a, end) for a in found]).reshape(-1) for end in ("lo", "hi"))
    )


def _moved(
    A: Arithmetic, average: Interval, new: Interval, keep: Interval, weight: Interval
) -> Interval:
    """One step of the running peak; either product may be fused."""
    first = A.product_sum(keep, average, A.product(weight, new))
    return hull(first, A.product_sum(weight, new, A.product(keep, average)))


def last_running_peak(p: Problem, v: Interval) -> Interval | None:
    """The running peak after a batch, None if it stays as it is."""
    if p.average is None or p.core.perfect or not len(v.lo):
        return None
    last = row_divisors(p, Flow({}), v)[-1]
    return Interval(last.lo.reshape(1), last.hi.reshape(1))
