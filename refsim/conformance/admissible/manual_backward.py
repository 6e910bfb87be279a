"""The way back of the manual path on sets: written by hand, without regard to what the converters did."""

from __future__ import annotations

import numpy as np

from refsim.tile.manual_settings import RowCore

from .arithmetic import Arithmetic
from .flow import Flow
from .interval import Interval, point, where
from .problem import Problem, transposed_problem
from .range_gradient import clip_mask, manual_range_gradient
from .row_core import outputs
from .row_divisors import last_running_peak
from .sums import matrix_product, total

__all__ = ["manual_backward", "rate_compensation", "running_peak_of_gradients"]

ZERO = point(0.0)


def manual_backward(p: Problem, flow: Flow, rest: Interval) -> None:
    """Enter the sets from the gradient before the learned output scale on."""
    g, mask = _masked_gradient(p, flow, rest)
    for each in _through_core(p, g):
        flow.add("MV-3", "input_gradient", each)
    _weight_gradient(p, flow, rest)
    if p.r is not None and p.range is not None and p.range.learned:
        manual_range_gradient(p, flow, flow.value("input_gradient"), mask)


def _masked_gradient(p: Problem, flow: Flow, rest: Interval) -> tuple[Interval, Interval | None]:
    """The gradient that goes back through the core, and which outputs it leaves out."""
    assert p.manual is not None
    g = rest if p.scales is None else p.A.product(rest, p.scales)
    g = flow.add("PP-1", "core_output_gradient", g)
    mask = clip_mask(p, flow) if p.manual.masked else None
    if mask is not None:
        g = flow.add("BP-4", "masked_output_gradient", where(mask.lo > 0, mask.hi > 0, ZERO, g))
    return g, mask


def running_peak_of_gradients(p: Problem, flow: Flow, g: Interval) -> Interval | None:
    """The running peak that a way back leaves, None if it stays; the flow holds the forward pass."""
    rest = g if p.a is None else p.A.product(g, p.a)
    return last_running_peak(transposed_problem(p), _masked_gradient(p, flow, rest)[0])


def _through_core(p: Problem, g: Interval) -> list[Interval]:
    """The input gradient, for each branch: an ideal product, or converters of their own."""
    assert p.manual is not None
    core, A = p.manual.core, p.A
    if not core.perfect:
        return outputs(transposed_problem(p), Flow({}), g)
    d = p.transposed_product(g)
    if isinstance(core, RowCore) and core.keeps_out_scale:
        d = A.product(d, A.setting(core.out_scale))
    return [d]


def rate_compensation(A: Arithmetic, scales: Interval) -> Interval:
    """The factor on the learning rate: the inverse of the mean scale, summed in any order."""
    count = A.format.rounded(np.float64(scales.lo.size))
    return A.quotient(point(1.0), A.quotient(total(A, scales), point(count)))


def _weight_gradient(p: Problem, flow: Flow, rest: Interval) -> None:
    """The weight gradient, clipped outputs included; not for a tile that leaves it to the optimiser."""
    assert p.manual is not None
    A, h = p.A, rest
    if p.scales is not None:
        c = rate_compensation(A, p.scales) if p.manual.compensated else point(1.0)
        c = flow.add("MS-4", "rate_compensation", c)
        h = A.quotient(rest, A.product(p.scales, c))
        h = flow.add("MS-5", "unscaled_output_gradient", h)
    if p.manual.has_gradient:
        v = flow.value("scaled_input")
        flow.add("MV-4", "weight_gradient", matrix_product(A, h.T, v.T))
