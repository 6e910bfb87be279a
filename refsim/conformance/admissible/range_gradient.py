"""The gradient of the input range on sets: rule, growth, decay and residual."""

from __future__ import annotations

import numpy as np

from . import quantised_periphery
from .arithmetic import Arithmetic
from .flow import Flow
from .interval import Interval, booleans, hull, open_interval, outward, point, where
from .problem import Problem
from .profile import BINARY32, Profile
from .sums import total
from .wide import arithmetic_of

__all__ = ["clip_mask", "manual_range_gradient", "range_gradient"]


def range_gradient(p: Problem, flow: Flow, rest: Interval, dv: Interval, d: Interval) -> None:
    """Enter the sets of the terms of the gradient of a learned range, and of their sum.

    ``rest`` is the gradient before the learned output scale, or that of a quantised factor, ``dv`` that of the scaled
    and ``d`` that of the clipped input.
    """
    assert p.r is not None
    assert p.range is not None
    A, r, s = p.A, p.r, p.range
    c = _compared(p, flow)
    rule = _rule(p, flow, c, d)
    grown = _grown(p, flow, rule, clip_mask(p, flow)) if s.grows else rule
    decayed = flow.add("IR-7", "range_rule_with_decay", _decayed(p, flow, c, grown))
    out, into = _sums(p, flow, rest, dv)
    taken = _divided(p, flow, dv, into)
    residual = A.difference(out, taken)
    if A.profile.fused and A.profile.reciprocal:
        turned = Interval(-into.hi, -into.lo)
        residual = hull(residual, A.product_sum(turned, A.inverse(r), out))
    residual = flow.add("IR-8", "range_residual", residual)
    flow.add("IR-8", "range_gradient", _all_terms(A, decayed, residual, out, into, taken, r))


def _compared(p: Problem, flow: Flow) -> Interval:
    """What is compared with the range: clipped inputs; raw ones, which tell the same, where the range is not known."""
    return p.x if p.uncertain_range else flow.value("clipped_input")


def manual_range_gradient(p: Problem, flow: Flow, d: Interval, mask: Interval | None) -> None:
    """Enter the sets of the gradient of the range on the manual path, whose rule looks at inputs before the clip."""
    assert p.range is not None
    rule = _rule(p, flow, p.x, d)
    grown = _grown(p, flow, rule, mask) if p.range.grows else rule
    found = _decayed(p, flow, p.x, grown)
    flow.add("IR-7", "range_gradient", Interval(found.lo.reshape(-1), found.hi.reshape(-1)))


def _decayed(p: Problem, flow: Flow, c: Interval, grown: Interval) -> Interval:
    """The gradient with the decay, if enough inputs are inside the range."""
    assert p.r is not None
    assert p.range is not None
    A, r, s = p.A, p.r, p.range
    ends = [
        int(np.count_nonzero(inside)) for inside in (c.magnitude < r.lo, c.least_magnitude < r.hi)
    ]
    fraction = hull(*(_share(A.profile, inside, c.lo.size) for inside in ends))
    if c.lo.size:
        fraction = flow.add("IR-6", "unclipped_fraction", fraction)
    if s.decay <= 0:
        return grown
    more, theta = A.product_sum(A.setting(s.decay), r, grown), float(s.min_percentage)
    return where(fraction.lo > theta, fraction.hi > theta, more, grown)


def _rule(p: Problem, flow: Flow, c: Interval, d: Interval) -> Interval:
    """The sums at both edges, and the rule."""
    assert p.r is not None
    assert p.range is not None
    A, r = p.A, p.r
    zero = point(np.zeros_like(d.lo))
    low = Interval(np.minimum(d.lo, 0), np.minimum(d.hi, 0))
    high = Interval(np.maximum(d.lo, 0), np.maximum(d.hi, 0))
    upper = total(A, where(c.lo >= r.hi, c.hi >= r.lo, low, zero))
    lower = total(A, where(c.hi <= -r.hi, c.lo <= -r.lo, high, zero))
    upper = flow.add("IR-4", "range_rule_upper", upper)
    lower = flow.add("IR-4", "range_rule_lower", lower)
    rule = A.difference(upper, lower)
    rule = A.product(rule, r) if p.range.relative else rule
    return flow.add("IR-5", "range_rule", A.product(rule, A.setting(p.range.scale)))


def clip_mask(p: Problem, flow: Flow) -> Interval | None:
    """Enter which outputs count as clipped; None where there is no bound to tell."""
    mask = p.core.mask
    name = "core_output" if mask.inclusive else "rounded_output"
    if mask.inclusive and p.core.perfect:
        name = "core_output" if "core_output" in flow else "product"
    if not np.isfinite(mask.bound) or name not in flow:
        return None
    value, bound = flow.value(name), p.A.setting(mask.bound)
    if mask.inclusive:
        sure, possible = value.least_magnitude >= bound.hi, value.magnitude >= bound.lo
    else:
        sure, possible = value.least_magnitude > bound.hi, value.magnitude > bound.lo
    flow.add("BP-3", "output_clip_mask", booleans(sure, possible))
    return flow.value("output_clip_mask")


def _grown(p: Problem, flow: Flow, rule: Interval, mask: Interval | None) -> Interval:
    """The rule with the growth term of clipped outputs."""
    assert p.range is not None
    assert p.r is not None
    if mask is None or p.x.lo.size == 0:
        return rule
    count = p.x.lo.size if p.range.share_of_inputs else mask.lo.size
    ends = [count - int(m.sum()) for m in (mask.hi, mask.lo)]
    shares = [_share(p.A.profile, inside, count) for inside in ends]
    fraction = flow.add("IR-10", "unclipped_output_fraction", hull(*shares))
    theta, one = float(p.range.min_output_percentage), point(1.0)
    push = p.A.difference(one, fraction)
    grown = p.A.product_sum(Interval(-push.hi, -push.lo), p.r, rule)
    result = where(fraction.hi < theta, fraction.lo < theta, grown, rule)
    return flow.add("IR-11", "range_rule_with_growth", result)


def _share(profile: Profile, inside: int, count: int) -> Interval:
    """A fraction in float32, whatever the format of the profile."""
    if count == 0:
        return point(np.nan)
    single = arithmetic_of(
        Profile("", BINARY32, BINARY32, reciprocal=profile.reciprocal, wide=profile.wide)
    )
    return single.quotient(point(float(inside)), point(float(count)))


def _sums(p: Problem, flow: Flow, rest: Interval, dv: Interval) -> tuple[Interval, Interval]:
    """Derivatives by the range as a factor of the output, and as a divisor of the input."""
    A, spare = p.A, p.A.profile.spare + 1
    if p.quantised:
        out = quantised_periphery.output_sum(p, rest)
    else:
        z = flow.value("product" if p.core.perfect else "core_output")
        out = total(A, _output_terms(p, rest, z), None, spare)
    into = total(A, A.exact_product(dv, flow.value("scaled_input")), None, spare)
    return flow.add("SU-2", "range_output_sum", out), flow.add("SU-2", "range_input_sum", into)


def _output_terms(p: Problem, rest: Interval, z: Interval) -> Interval:
    """Products of gradient, scale and core output, rounded behind any two of them or not at all."""
    if p.scales is None:
        return p.A.exact_product(rest, z)
    scaled, real = p.A.product(rest, p.scales), p.A.exact_product(rest, p.scales)
    terms = p.A.exact_product(scaled, z)
    if np.array_equal(scaled.lo, real.lo) and np.array_equal(scaled.hi, real.hi):
        return terms
    whole = p.A.exact_product(real, z)
    return hull(terms, outward(whole.lo, whole.hi))


def _divided(p: Problem, flow: Flow, dv: Interval, into: Interval) -> Interval:
    """The sum over inputs over the range: divided as a whole, or term by term before it is summed.

    Where the square of the range underflows, or its reciprocal overflows, everything is open.
    """
    assert p.r is not None
    A, r = p.A, p.r
    whole = A.quotient(into, r)
    if (r.least_magnitude**2 < 2.0**A.format.least_exponent).any():
        return open_interval(whole.lo.shape)
    if "range_input_sum" in flow.given or A.powers_of_two(r).all():
        return whole
    terms = A.exact_quotient(A.exact_product(dv, flow.value("scaled_input")), r)
    return hull(whole, total(A, terms, None, A.profile.spare + 2))


def _all_terms(
    A: Arithmetic,
    decayed: Interval,
    residual: Interval,
    out: Interval,
    into: Interval,
    taken: Interval,
    r: Interval,
) -> Interval:
    """The sum of all terms, which an implementation may accumulate in another order."""
    result = A.sum(decayed, residual)
    first = A.sum(A.sum(decayed, out), Interval(-taken.hi, -taken.lo))
    last = A.sum(A.difference(decayed, taken), out)
    everything = hull(result, first, last)
    if A.profile.fused and A.profile.reciprocal:
        turned, inverse = Interval(-into.hi, -into.lo), A.inverse(r)
        first = A.product_sum(turned, inverse, A.sum(decayed, out))
        last = A.sum(A.product_sum(turned, inverse, decayed), out)
        everything = hull(everything, first, last)
    return Interval(everything.lo.reshape(-1), everything.hi.reshape(-1))
