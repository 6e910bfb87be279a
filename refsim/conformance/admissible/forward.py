"""The forward pass of a tile on sets, stage by stage."""

from __future__ import annotations

from . import quantised_periphery
from .flow import Flow
from .interval import Interval
from .problem import Problem
from .row_core import outputs

__all__ = ["forward", "scaled_input"]


def forward(p: Problem, flow: Flow) -> None:
    """Enter the sets of all forward stages, as they are named in a trace."""
    v = _scaled_input(p, flow)
    _weight(p, flow)
    for z in outputs(p, flow, v):
        _periphery(p, flow, z)


def scaled_input(p: Problem) -> Interval:
    """The scaled input, whatever else the implementation shows."""
    return _scaled_input(p, Flow({}))


def _range(p: Problem, flow: Flow) -> None:
    """The range, and the standard deviation that it is initialised from."""
    if p.start is None:
        return
    if p.start.deviation is not None:
        flow.add("SU-7", "deviation", p.start.deviation)
    for each in p.start.ranges:
        flow.add("IR-1", "input_range", each)


def _scaled_input(p: Problem, flow: Flow) -> Interval:
    _range(p, flow)
    if p.r is None:
        c = flow.add("IR-2", "clipped_input", p.x)
        return flow.add("IR-3", "scaled_input", c)
    bound = Interval(p.r.least_magnitude, p.r.magnitude)
    c = flow.add("IR-2", "clipped_input", p.A.clip(p.x, bound))
    if p.uncertain_range and "clipped_input" not in flow.given:
        return flow.add("IR-3", "scaled_input", _with_common_range(p))
    return flow.add("IR-3", "scaled_input", p.A.quotient(c, p.r))


def _weight(p: Problem, flow: Flow) -> None:
    """The effective weight, unless only the implementation knows it."""
    w = p.modified
    if w.margin is not None:
        flow.margins.append(w.margin)
    if w.sets is not None:
        flow.add(w.clause, "effective_weight", w.sets)


def _with_common_range(p: Problem) -> Interval:
    """The scaled input where clip and division have the same unknown range: ``r / r`` is 1, but for a reciprocal.

    Of a range that may have underflowed to 0 everything may come.
    """
    assert p.r is not None
    ratio = p.A.quotient(p.x, p.r)
    return p.A.clip(ratio, p.A.ratio_of_equals) if p.r.least_magnitude.all() else ratio


def _periphery(p: Problem, flow: Flow, z: Interval) -> None:
    """Scales and bias, on grids if they are quantised."""
    if p.quantised:
        quantised_periphery.periphery(p, flow, z)
        return
    A, y, kappa, factor = p.A, z, p.scales, None
    if p.r is not None:
        kappa = p.r if p.scales is None else A.product(p.r, p.scales)
    if kappa is not None:
        kappa = flow.add("PP-3", "output_factor", kappa)
        scaled = A.product(y, kappa)
        y, factor = flow.add("PP-1", "scaled_output", scaled), (y, kappa)
    else:
        flow.add("PP-1", "scaled_output", y)
    if p.a is not None:
        y, factor = A.product(y, p.a), (y, p.a)
    if p.bias is not None:
        fusible = factor is not None and "scaled_output" not in flow.given
        y = A.product_sum(*factor, p.bias) if factor and fusible else A.sum(y, p.bias)
    flow.add("PP-2", "output", y)
