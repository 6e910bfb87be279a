"""The forward pass of the autograd tile on sets, stage by stage."""

from __future__ import annotations

import numpy as np

from refsim.config import NoiseManagementType

from . import quantised_periphery
from .flow import Flow
from .interval import Floats, Interval, booleans, hull, inward, point
from .problem import Converter, Problem
from .rounding import codes, levels, margin

__all__ = ["forward"]


def forward(p: Problem, flow: Flow) -> None:
    """Enter the sets of all forward stages, as they are named in a trace."""
    v = _scaled_input(p, flow)
    _weight(p, flow)
    if p.core.perfect:
        z = flow.add(p.product_clause, "product", p.product(v))
        _periphery(p, flow, z)
        return
    alpha = _divisor(p, flow, v)
    if shortcut(p, flow):
        z = flow.add("DC-5", "core_output", point(np.zeros((len(v.lo), p.outputs))))
        _periphery(p, flow, z)
        return
    factors = _factors(p, v, alpha) if p.core.iterative else [1.0]
    shown = flow.given.get("bound_management_factor")
    taken = factors if shown is None else [_power_of_two(shown)]
    outputs = [one_pass(p, flow, v, alpha, factor) for factor in taken]
    for factor in factors:
        flow.add("BM-2", "bound_management_factor", point(factor))
    for z in outputs:
        _periphery(p, flow, z)


def shortcut(p: Problem, flow: Flow) -> bool:
    """Whether all rows are zero, so that the pass through the core is left out."""
    if p.core.perfect or not p.managed or p.core.dac.noise > 0 or len(p.x.lo) == 0:
        return False
    peak = flow.value("management_peak")
    return not (peak.lo.any() or peak.hi.any())


def _power_of_two(shown: Floats) -> float:
    """The factor of an implementation, or the nearest one that there is."""
    number = float(shown.reshape(-1)[0]) if shown.size == 1 else 1.0
    return 2.0 ** round(np.log2(number)) if 1 <= number < 2.0**64 else 1.0


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
    """The scaled input where clip and division have the same unknown range: ``r / r`` is 1, but for a reciprocal."""
    assert p.r is not None
    return p.A.clip(p.A.quotient(p.x, p.r), p.A.ratio_of_equals)


def _divisor(p: Problem, flow: Flow, v: Interval) -> Interval:
    """Divisor of noise management, of each row."""
    rows, cap = len(v.lo), p.A.setting(p.core.noise_cap)
    if not p.managed:
        constant = p.core.noise_management == NoiseManagementType.CONSTANT
        alpha = cap if constant and np.isfinite(p.core.noise_cap) else point(1.0)
        alpha = Interval(np.full(rows, alpha.lo), np.full(rows, alpha.hi))
        return flow.add("NM-3", "noise_management_scale", alpha)
    ends = (v.least_magnitude, v.magnitude) if p.absolute else (v.lo, v.hi)
    peak = Interval(ends[0].max(axis=1), ends[1].max(axis=1))
    peak = flow.add("NM-1" if p.absolute else "NM-2", "management_peak", peak)
    capped = Interval(np.minimum(peak.lo, cap.lo), np.minimum(peak.hi, cap.hi))
    sure, possible = peak.lo > 0, peak.hi > 0
    both = Interval(np.minimum(np.maximum(capped.lo, 0), 1), np.maximum(capped.hi, 1))
    alpha = Interval(
        np.where(sure, capped.lo, np.where(possible, both.lo, 1.0)),
        np.where(sure, capped.hi, np.where(possible, both.hi, 1.0)),
    )
    return flow.add("NM-3", "noise_management_scale", alpha)


def _factors(p: Problem, v: Interval, alpha: Interval) -> list[float]:
    """Divisors of bound management with which the last pass may be made."""
    possible: list[float] = []
    factor = 1.0
    while True:
        trial = Flow({})
        one_pass(p, trial, v, alpha, factor, pass_only=True)
        t, bound = trial.found["rounded_output"].sets[0].flat, p.adc.bound
        last = factor > p.core.beta_limit
        if last or (t.least_magnitude <= bound.hi).all():
            possible.append(factor)
        if last or (t.magnitude <= bound.lo).all():
            return possible
        factor *= 2
        if possible and not p.has_pass(round(np.log2(factor))):
            return possible


def one_pass(
    p: Problem, flow: Flow, v: Interval, alpha: Interval, factor: float, pass_only: bool = False
) -> Interval:
    """One pass of bound management: convert, multiply, convert back, rescale."""
    A, beta, pass_ = p.A, point(factor), round(np.log2(factor))
    sigma = flow.add("BM-1", "input_scale", A.quotient(A.quotient(point(1.0), alpha), beta))
    scaled = A.product(v, _column(sigma))
    if A.profile.reciprocal:
        scaled = hull(scaled, A.quotient(v, _column(A.product(alpha, beta))))
    u = p.deviates("inp_sto_round", pass_)
    q = _rounded(p, flow, "DC-3", "rounded_input", scaled, p.dac, u)
    d = A.clip(q, p.dac.bound).flat
    if p.dac.noisy:
        d = A.product_sum(p.dac.noise, point(p.deviates("inp_noise", pass_)), d)
    _sign(flow, d)
    d = flow.add("DC-3", "converted_input", A.damped(d, p.dac.factor))
    m = flow.add(p.product_clause, "product", p.product(d))
    value = A.damped(m, p.adc.factor)
    if p.adc.noisy:
        value = _noisy_output(p, m, value, pass_)
    t = _rounded(
        p, flow, "DC-4", "rounded_output", value, p.adc, p.deviates("out_sto_round", pass_)
    )
    if pass_only:
        return t
    code = flow.add("DC-4", "output_code", A.clip(t, p.adc.bound))
    back = A.quotient(A.setting(p.core.out_scale), sigma)
    if A.profile.reciprocal:
        back = hull(back, A.product(A.setting(p.core.out_scale), A.product(alpha, beta)))
    return flow.add("DC-5", "core_output", A.product(code, _column(back)))


def _noisy_output(p: Problem, m: Interval, value: Interval, pass_: int) -> Interval:
    """Output noise added, fused with its own product or with that of the asymmetry."""
    noise = point(p.deviates("out_noise", pass_))
    result = p.A.product_sum(p.adc.noise, noise, value)
    if p.core.adc.negative_factor == 1:
        return result
    fused = p.A.product_sum(inward(m, -np.inf, 0.0), p.adc.factor, p.A.product(p.adc.noise, noise))
    return hull(result, fused)


def _sign(flow: Flow, d: Interval) -> None:
    """Where the converted input is negative before the asymmetry: surely, and possibly."""
    flow.add("DC-3", "negative_mask", booleans(d.hi < 0, d.lo < 0))


def _rounded(
    p: Problem,
    flow: Flow,
    clause: str,
    name: str,
    value: Interval,
    converter: Converter,
    rounding: object,
) -> Interval:
    if not converter.gridded:
        return flow.add(clause, name, value)
    deviates = None if rounding is None else np.asarray(rounding)
    level = levels(p.A, value, converter.step, deviates)
    flow.margins.append(margin(name, level))
    return flow.add(clause, name, codes(p.A, level, converter.step))


def _column(a: Interval) -> Interval:
    return Interval(a.lo[:, None], a.hi[:, None])


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
