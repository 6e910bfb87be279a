"""The core of the autograd path on sets: converters, product, and the management of the whole batch."""

from __future__ import annotations

import math

import numpy as np

from refsim.config import NoiseManagementType

from .flow import Flow
from .interval import Floats, Interval, booleans, hull, inward, point
from .problem import Converter, Problem
from .rounding import codes, levels, margin

__all__ = ["core_outputs", "one_pass", "possible_shortcut", "shortcut"]


def core_outputs(p: Problem, flow: Flow, v: Interval) -> list[Interval]:
    """Enter the sets of all stages between scaled inputs and core outputs; the outputs for each branch."""
    if p.core.perfect:
        return [flow.add(p.product_clause, "product", p.product(v))]
    alpha = _divisor(p, flow, v)
    if shortcut(p, flow):
        return [flow.add("DC-5", "core_output", point(np.zeros((len(v.lo), p.outputs))))]
    factors = _factors(p, v, alpha) if p.core.iterative else [1.0]
    shown = flow.given.get("bound_management_factor")
    taken = factors if shown is None else [_power_of_two(shown)]
    outputs = [one_pass(p, flow, v, alpha, factor, _number(factor)) for factor in taken]
    for factor in factors:
        flow.add("BM-2", "bound_management_factor", point(factor))
    return outputs


def _number(factor: float) -> int:
    """The pass that has this factor."""
    return round(math.log2(factor))


def shortcut(p: Problem, flow: Flow) -> bool:
    """Whether all rows are zero, so that the pass through the core is left out."""
    if p.core.perfect or not p.managed or p.core.dac.noise > 0 or len(p.x.lo) == 0:
        return False
    peak = flow.value("management_peak")
    return not (peak.lo.any() or peak.hi.any())


def possible_shortcut(p: Problem, flow: Flow) -> bool:
    """Whether all rows may be zero, because what is scaled by the range may round to it."""
    if p.core.perfect or not p.managed or p.core.dac.noise > 0 or len(p.x.lo) == 0:
        return False
    peak = flow.value("management_peak")
    return bool(((peak.lo <= 0) & (peak.hi >= 0)).all())


def _power_of_two(shown: Floats) -> float:
    """The factor of an implementation, or the nearest one that there is."""
    number = float(shown.reshape(-1)[0]) if shown.size == 1 else 1.0
    return 2.0 ** round(np.log2(number)) if 1 <= number < 2.0**64 else 1.0


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
        one_pass(p, trial, v, alpha, factor, _number(factor), pass_only=True)
        t, bound = trial.found["rounded_output"].sets[0].flat, p.adc.bound
        last = factor > p.core.beta_limit
        if last or (t.least_magnitude <= bound.hi).all():
            possible.append(factor)
        if last or (t.magnitude <= bound.lo).all():
            return possible
        factor *= 2
        if possible and not p.has_pass(_number(factor)):
            return possible


def one_pass(
    p: Problem,
    flow: Flow,
    v: Interval,
    alpha: Interval,
    factor: float,
    pass_: int,
    pass_only: bool = False,
) -> Interval:
    """One pass of bound management: convert, multiply, convert back, rescale; or convert back only."""
    A, beta = p.A, point(factor)
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
