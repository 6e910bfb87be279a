"""Ranges that a search may find (clauses RE)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from refsim.errors import StateError
from refsim.tile.range_search import GoldenSection, GridSearch

from .arithmetic import Arithmetic
from .flow import Flow
from .golden_section import golden_section
from .grid_search import grid_search
from .interval import Floats, Interval, point
from .plan import Plan, in_rows

__all__ = ["searched"]


def searched(A: Arithmetic, flow: Flow, plan: Plan, x: Interval) -> tuple[str, Interval, Interval]:
    """Enter the ends of the ranges that a search may end with, and what it remembers.

    Of a grid of ranges all candidates remain that may have the least loss. A golden section ends where rounding
    leads it, see :func:`golden_section`.

    Returns
    -------
    The clause, and two arrays ``(G, 1)`` of ends, or unions of them.
    """
    assert plan.estimator is not None
    method, name = plan.estimator.method, plan.name
    memory = {key: np.asarray(value, float) for key, value in plan.estimator.state().items()}
    rows, losses = in_rows(x, plan.quantiser.axis), None
    first = _first(flow, name, rows, memory)
    if not all(np.isfinite(end).all() for each in first for end in (each.lo, each.hi)):
        raise StateError(f"the values of {name} have no finite range.")
    if isinstance(method, GridSearch):
        clause = "RE-11"
        lo, hi, losses = grid_search(A, method, x, rows, first, memory)
    else:
        assert isinstance(method, GoldenSection)
        clause = "RE-8"
        lo, hi = golden_section(A, flow, plan, x, rows, first)
    if losses is not None:
        flow.add("RE-11", f"{name}.estimator.losses", losses)
    return clause, flow.add(clause, f"{name}_lo", lo), flow.add(clause, f"{name}_hi", hi)


def _first(
    flow: Flow, name: str, rows: Interval, memory: Mapping[str, Floats]
) -> tuple[Interval, Interval]:
    """Extremes of the first data, RE-1, ``(G, 1)``."""
    lo = Interval(rows.lo.min(axis=1, keepdims=True), rows.hi.min(axis=1, keepdims=True))
    hi = Interval(rows.lo.max(axis=1, keepdims=True), rows.hi.max(axis=1, keepdims=True))
    if memory:
        lo, hi = point(memory["lo"].reshape(-1, 1)), point(memory["hi"].reshape(-1, 1))
    return (
        flow.add("RE-1", f"{name}.estimator.lo", lo),
        flow.add("RE-1", f"{name}.estimator.hi", hi),
    )
