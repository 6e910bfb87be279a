"""The way back on sets, term by term."""

from __future__ import annotations

import numpy as np

from . import quantised_periphery
from .core import possible_shortcut, shortcut
from .flow import Flow
from .interval import Interval, Mask, hull, point, where
from .manual_backward import manual_backward
from .problem import Problem
from .range_gradient import range_gradient
from .sums import matrix_product, total

__all__ = ["backward"]

ZERO = point(0.0)


def backward(p: Problem, flow: Flow, g: Interval) -> None:
    """Enter the sets of all stages of the way back; the flow holds those of the forward pass."""
    if p.manual is not None:
        manual_backward(p, flow, _through_scales(p, flow, g))
        return
    gz, rest = _through_periphery(p, flow, g)
    gz = flow.add("PP-1", "core_output_gradient", gz)
    if shortcut(p, flow):
        _after_shortcut(p, flow)
        return
    dv = _through_product(p, flow, gz) if p.core.perfect else _through_core(p, flow, gz)
    _through_range(p, flow, rest, dv)
    if possible_shortcut(p, flow):
        _after_shortcut(p, flow)


def _through_periphery(p: Problem, flow: Flow, g: Interval) -> tuple[Interval, Interval]:
    """Gradient of the core output, and what the range needs of that of the output."""
    if p.quantised:
        return quantised_periphery.through_periphery(p, flow, g)
    rest = _through_scales(p, flow, g)
    kappa = flow.value("output_factor") if "output_factor" in flow else None
    return rest if kappa is None else p.A.product(rest, kappa), rest


def _through_scales(p: Problem, flow: Flow, g: Interval) -> Interval:
    """Gradient before the learned output scale, and those of bias and output scale."""
    if p.bias is not None:
        flow.add("SU-3", "bias_gradient", total(p.A, g, axis=0))
    if p.a is None:
        return g
    columns = p.a.lo.size > 1
    terms = p.A.exact_product(g, flow.value("scaled_output"))
    found = total(p.A, terms, 0 if columns else None, roundings=1)
    found = found if columns else Interval(found.lo.reshape(1), found.hi.reshape(1))
    flow.add("SU-4" if columns else "SU-2", "out_scaling_gradient", found)
    return flow.add("PP-1", "scaled_output_gradient", p.A.product(g, p.a))


def _after_shortcut(p: Problem, flow: Flow) -> None:
    """Nothing comes back from a batch of zeros under noise management."""
    zeros = point(np.zeros_like(p.x.lo))
    flow.add("IR-9", "input_gradient", zeros)
    if p.r is not None and p.range is not None and p.range.learned:
        flow.add("IR-8", "range_gradient", point(np.zeros(1)))
    if "weight_gradient" in flow:
        like = flow.found["weight_gradient"].sets[0].flat
        flow.add("MV-4", "weight_gradient", point(np.zeros_like(like.lo)))


def _through_product(p: Problem, flow: Flow, gz: Interval) -> Interval:
    """The way back through a perfect product."""
    _weight_gradient(p, flow, gz, flow.value("scaled_input"))
    dv = p.transposed_product(gz)
    return flow.add(p.transposed_clause, "scaled_input_gradient", dv)


def _weight_gradient(p: Problem, flow: Flow, gm: Interval, d: Interval) -> None:
    dw = matrix_product(p.A, gm.T, d.T)
    dw = flow.add("MV-4", "core_weight_gradient", dw)
    if p.scales is None:
        flow.add("MV-4", "weight_gradient", dw)
        return
    s = Interval(p.scales.lo[:, None], p.scales.hi[:, None])
    flow.add("MS-3", "weight_gradient", p.A.quotient(p.A.quotient(dw, s), s))


def _through_core(p: Problem, flow: Flow, gz: Interval) -> Interval:
    """The way back through converters and product, with ambiguous clip masks and signs."""
    A, sigma = p.A, flow.value("input_scale")
    column = Interval(sigma.lo[:, None], sigma.hi[:, None])
    o = A.setting(p.core.out_scale)
    gm = A.product(gz, A.quotient(o, column))
    m, t, q = (flow.value(name) for name in ("product", "rounded_output", "rounded_input"))
    gm = where(m.hi < 0, m.lo < 0, A.product(gm, p.adc.factor), gm)
    passed = t.magnitude <= p.adc.bound.lo, t.least_magnitude <= p.adc.bound.hi
    gm = flow.add("BP-1", "product_gradient", where(*passed, gm, ZERO))
    _weight_gradient(p, flow, gm, flow.value("converted_input"))
    gd = p.transposed_product(gm)
    gd = flow.add(p.transposed_clause, "converted_input_gradient", gd)
    negative = flow.value("negative_mask")
    ga = where(negative.lo > 0, negative.hi > 0, A.product(gd, p.dac.factor), gd)
    passed = q.magnitude <= p.dac.bound.lo, q.least_magnitude <= p.dac.bound.hi
    ga = flow.add("BP-2", "scaled_gradient", where(*passed, ga, ZERO))
    dv = flow.add("PP-4", "unmanaged_gradient", A.product(ga, column))
    return _managed(p, flow, gz, ga, dv, sigma) if p.managed else dv


def _managed(
    p: Problem, flow: Flow, gz: Interval, ga: Interval, dv: Interval, sigma: Interval
) -> Interval:
    """The derivative of the divisor of noise management, added at the first peak of each row."""
    A, v, code = p.A, flow.value("scaled_input"), flow.value("output_code")
    alpha, o = flow.value("noise_management_scale"), p.A.setting(p.core.out_scale)
    spare = A.profile.spare
    terms = A.exact_product(gz, code), A.exact_product(ga, v)
    out = flow.add("SU-5", "management_output_sum", total(A, terms[0], 1, 1 + spare))
    into = flow.add("SU-5", "management_input_sum", total(A, terms[1], 1, 1 + spare))
    back = A.quotient(A.product(out, A.quotient(o, sigma)), sigma)
    ratio = A.quotient(sigma, alpha)
    slope = A.product(A.difference(into, back), ratio)
    size = (into.magnitude + back.magnitude) * ratio.magnitude
    slope = A.loosened(slope, spare, size)
    slope = flow.add("NM-4", "management_gradient", Interval(-slope.hi, -slope.lo))
    sure, possible = _peaks(p, v)
    peak, cap = flow.value("management_peak"), A.setting(p.core.noise_cap)
    rows_sure = (peak.lo > 0) & (peak.hi <= cap.lo)
    rows_possible = (peak.hi > 0) & (peak.lo <= cap.hi)
    up = Interval(slope.lo[:, None], slope.hi[:, None])
    down = Interval(-up.hi, -up.lo)
    signed = where(v.hi < 0, v.lo < 0, down, up) if p.absolute else up
    moved = A.sum(dv, signed)
    if "unmanaged_gradient" not in flow.given:
        column = Interval(sigma.lo[:, None], sigma.hi[:, None])
        moved = hull(moved, A.product_sum(ga, column, signed))
    sure, possible = sure & rows_sure[:, None], possible & rows_possible[:, None]
    return flow.add("NM-5", "scaled_input_gradient", where(sure, possible, moved, dv))


def _peaks(p: Problem, v: Interval) -> tuple[Mask, Mask]:
    """Where the first peak of each row surely is, and where it may be."""
    lo, hi = (v.least_magnitude, v.magnitude) if p.absolute else (v.lo, v.hi)
    possible = hi >= lo.max(axis=1, keepdims=True)
    known = (lo == hi).all(axis=1, keepdims=True)
    first = np.arange(lo.shape[1]) == hi.argmax(axis=1)[:, None]
    possible = np.where(known, first, possible)
    return possible & (possible.sum(axis=1, keepdims=True) == 1), possible


def _through_range(p: Problem, flow: Flow, rest: Interval, dv: Interval) -> None:
    """The gradient of the input, and of a learned range."""
    if p.r is None:
        flow.add("IR-9", "input_gradient", dv)
        return
    d = flow.add("IR-9", "clipped_input_gradient", p.A.quotient(dv, p.r))
    passed = p.x.magnitude <= p.r.least_magnitude, p.x.least_magnitude <= p.r.magnitude
    flow.add("IR-9", "input_gradient", where(*passed, d, ZERO))
    if p.range is not None and p.range.learned:
        range_gradient(p, flow, rest, dv, d)
