"""Wrong input ranges, periphery, weights and optimiser steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim import spec

from .core import away, by_reciprocal, grid
from .mistake import mistakes, one, zero

# --- the input range ----------------------------------------------------------------------------


def rule_sums(
    upper: Any = lambda c, r: c >= r,
    lower: Any = lambda c, r: c <= -r,
    signed: bool = False,
    add: Any = spec.total,
) -> Any:
    """The sums of the rule with other edges, without the sign test, or with another sum."""

    def range_rule_sums(c: Any, d: Any, r: Any) -> Any:
        up = np.where(upper(c, r) & (signed | (d < 0)), d, zero(d))
        low = np.where(lower(c, r) & (signed | (d > 0)), d, zero(d))
        return add(up), add(low)

    return range_rule_sums


def sequential(x: Any) -> Any:
    return np.concatenate([[zero(x)], x.ravel()]).cumsum()[-1]


def fraction(count: Any, T: Any = np.float32) -> Any:
    return lambda c, r: np.float32(T(np.count_nonzero(count(c, r))) / T(c.size or np.nan))


def decay(condition: Any, term: Any = lambda k, r: k * r) -> Any:
    return lambda g, r, k, p, theta: g + term(k, r) if condition(k, p, theta) else g


def over(k: Any, p: Any, theta: Any) -> bool:
    return bool(k > 0 and p > theta)


def gate(inside: Any) -> Any:
    return lambda dv, x, r: (dv / r, np.where(inside(x, r), dv / r, zero(dv)))


INPUT_RANGE = [
    *mistakes(
        "IR-1",
        "range_from_data",
        sign_kept=lambda r, k, s, a: (r * k + a * s) / (k + one(k)),
        sign_dropped_first=lambda r, k, s, a: (abs(r) * k + a * s) / (k + one(k)),
        initial_value_averaged=lambda r, k, s, a: abs(
            (r * (k + one(k)) + a * s) / (k + one(k) * 2)
        ),
        running_update=lambda r, k, s, a: abs(r + (a * s - r) / (k + one(k))),
        divided_by_the_counter=lambda r, k, s, a: abs((r * k + a * s) / max(k, one(k))),
        alpha_ignored=lambda r, k, s, a: abs((r * k + s) / (k + one(k))),
    ),
    *mistakes(
        "IR-2",
        "clipped_input",
        sign_of_the_range_kept=lambda x, r: spec.clipped_weight(x, r),
        no_lower_bound=lambda x, r: np.where(x > abs(r), abs(r), x),
        to_the_unit_interval=lambda x, r: spec.clip(x, one(x)),
    ),
    *mistakes(
        "IR-3",
        "scaled_input",
        multiplied_with_the_reciprocal=lambda c, r: c * (one(r) / r),
        sign_of_the_range_dropped=lambda c, r: c / abs(r),
        multiplied=lambda c, r: c * r,
    ),
    *mistakes(
        "IR-4",
        "range_rule_sums",
        strict_edges=rule_sums(lambda c, r: c > r, lambda c, r: c < -r),
        strict_lower_edge=rule_sums(lower=lambda c, r: c < -r),
        sign_of_the_range_dropped=rule_sums(lambda c, r: c >= abs(r), lambda c, r: c <= -abs(r)),
        derivative_of_the_clip=rule_sums(signed=True),
        mean=rule_sums(add=lambda x: spec.total(x) / x.dtype.type(x.size or 1)),
        one_term_after_the_other=rule_sums(add=sequential),
        magnitude_at_both_edges=rule_sums(lambda c, r: abs(c) >= r, lambda c, r: abs(c) >= r),
    ),
    *mistakes(
        "IR-5",
        "range_rule",
        lower_pull_added=lambda u, w, r, rel, g: spec.range_rule(u, -w, r, rel, g),
        always_relative=lambda u, w, r, rel, g: spec.range_rule(u, w, r, True, g),
        never_relative=lambda u, w, r, rel, g: spec.range_rule(u, w, r, False, g),
        scale_only_if_relative=lambda u, w, r, rel, g: spec.range_rule(
            u, w, r, rel, g if rel else one(g)
        ),
        factors_formed_first=lambda u, w, r, rel, g: (u - w) * (r * g if rel else g),
        divided_by_the_range=lambda u, w, r, rel, g: (u - w) / r * g if rel else (u - w) * g,
        sign_of_the_range_dropped=lambda u, w, r, rel, g: spec.range_rule(u, w, abs(r), rel, g),
    ),
    *mistakes(
        "IR-6",
        "unclipped_fraction",
        edges_included=fraction(lambda c, r: np.abs(c) <= r),
        sign_of_the_range_dropped=fraction(lambda c, r: np.abs(c) < abs(r)),
        clipped_fraction=fraction(lambda c, r: np.abs(c) >= r),
        float64=lambda c, r: np.float64(spec.unclipped_fraction(c, r)),
        empty_batch_unclipped=lambda c, r: (
            spec.unclipped_fraction(c, r) if c.size else np.float32(1)
        ),
        multiplied_with_the_reciprocal=lambda c, r: (
            np.float32(np.count_nonzero(np.abs(c) < r))
            * (np.float32(1) / np.float32(c.size or np.nan))
        ),
    ),
    *mistakes(
        "IR-7",
        "range_decay",
        inclusive=decay(lambda k, p, t: k > 0 and p >= t),
        threshold_as_the_decimal=decay(lambda k, p, t: k > 0 and float(p) > float(str(t))),
        below_the_threshold=decay(lambda k, p, t: k > 0 and p < t),
        negative_decay_applied=decay(lambda k, p, t: p > t),
        subtracted=decay(over, lambda k, r: -(k * r)),
        magnitude_of_the_range=decay(over, lambda k, r: k * abs(r)),
        not_relative=decay(over, lambda k, r: k),
        unconditional=decay(lambda k, p, t: k > 0),
    ),
    *mistakes(
        "IR-8",
        "range_residual",
        output_half_only=lambda a, b, r: a,
        input_half_only=lambda a, b, r: -(b / r),
        added=lambda a, b, r: a + b / r,
        multiplied_with_the_reciprocal=lambda a, b, r: a - b * (one(r) / r),
        sign_of_the_range_dropped=lambda a, b, r: a - b / abs(r),
        both_halves_divided=lambda a, b, r: (a - b) / r,
    ),
    *mistakes(
        "IR-9",
        "range_input_gradient",
        strict_gate=gate(lambda x, r: np.abs(x) < abs(r)),
        signed_gate=gate(lambda x, r: np.abs(x) <= r),
        no_gate=gate(lambda x, r: np.abs(x) >= 0),
        upper_gate_only=gate(lambda x, r: x <= abs(r)),
        not_divided=lambda dv, x, r: (dv, np.where(np.abs(x) <= abs(r), dv, zero(dv))),
        multiplied_with_the_mask=lambda dv, x, r: (dv / r, dv / r * (np.abs(x) <= abs(r))),
        gated_twice=lambda dv, x, r: (spec.range_input_gradient(dv, x, r)[1],) * 2,
    ),
]


# --- periphery, weights, optimiser --------------------------------------------------------------


def sgd(
    first: Any = lambda d, tau: d.copy(),
    later: Any = lambda v, d, mu, tau: mu * v + tau * d,
    ahead: Any = lambda d, v, mu: d + mu * v,
    decoupled: bool = False,
) -> Any:
    """A step with one formula changed."""

    def sgd_step(p: Any, g: Any, v: Any, lr: Any, mu: Any, tau: Any, k: Any, nesterov: Any) -> Any:
        d = g if k == 0 or decoupled else g + k * p
        if mu != 0:
            v = first(d, tau) if v is None else later(v, d, mu, tau)
            d = ahead(d, v, mu) if nesterov else v
        new = p - lr * d
        return (new - lr * (k * p) if decoupled and k else new), (None if mu == 0 else v)

    return sgd_step


def column_peaks(w: Any, omega: Any, columnwise: Any) -> Any:
    return spec.mapping_scales(np.ascontiguousarray(w.T), omega, columnwise)


def signed_mapping(w: Any, omega: Any, columnwise: Any) -> Any:
    return spec.mapping_scales(np.maximum(w, zero(w)), omega, columnwise)


def zero_scale(w: Any, omega: Any, columnwise: Any) -> Any:
    return np.where((w == 0).all(), zero(w), spec.mapping_scales(w, omega, columnwise))


PERIPHERY = [
    *mistakes(
        "PP-1",
        "scaled_output",
        first_scale_for_all=lambda z, k: z * k[:1],
        divided=lambda z, k: z / k,
        magnitudes=lambda z, k: z * np.abs(k),
        factor_left_out=lambda z, k: z.copy(),
    ),
    *mistakes(
        "PP-2",
        "shifted_output",
        subtracted=lambda y, b: y - b,
        first_bias_for_all=lambda y, b: y + b[:1],
        left_out=lambda y, b: y.copy(),
    ),
    *mistakes(
        "PP-3",
        "merged_scale",
        magnitude_of_the_range=lambda r, s: np.abs(r) * s,
        divided=lambda r, s: s / r,
        scales_left_out=lambda r, s: r + zero(s) * s,
    ),
    *mistakes(
        "PP-4",
        "row_scaled",
        first_scale_for_all=lambda x, f: x * f[:1],
        divided=lambda x, f: x / f[:, None],
        by_column=lambda x, f: x * (f if f.size == x.shape[1] else f[:, None]),
    ),
    *mistakes(
        "MS-1",
        "mapping_scales",
        always_columnwise=lambda w, o, c: spec.mapping_scales(w, o, True),
        never_columnwise=lambda w, o, c: spec.mapping_scales(w, o, False),
        over_inputs=column_peaks,
        signed_maximum=signed_mapping,
        multiplied_with_omega=lambda w, o, c: spec.mapping_scales(w, one(o) / o, c),
        zero_for_zero_weights=zero_scale,
    ),
    *mistakes(
        "MS-2",
        "stored_weight",
        multiplied=lambda w, s: w * s[:, None],
        multiplied_with_the_reciprocal=lambda w, s: w * (one(s) / s)[:, None],
        first_scale_for_all=lambda w, s: w / s[:1],
    ),
    *mistakes(
        "MS-3",
        "stored_weight_gradient",
        divided_once=lambda g, s: g / s[:, None],
        square_formed_first=lambda g, s: g / (s * s)[:, None],
        multiplied=lambda g, s: g * s[:, None],
        first_scale_for_all=lambda g, s: g / s[:1] / s[:1],
    ),
]

WEIGHTS = [
    *mistakes(
        "WM-1",
        "abs_max",
        signed=lambda w: w.max(),
        mean=lambda w: spec.mean(np.abs(w)),
        first_row=lambda w: np.abs(w[0]).max(),
    ),
    *mistakes(
        "WM-2",
        "additive_noise_weight",
        in_proportion=lambda w, xi, s: w + w * (s * xi),
        one_noise_for_the_batch=lambda w, xi, s: w + s * np.broadcast_to(xi[:1], xi.shape),
        scale_ignored=lambda w, xi, s: w + xi,
        subtracted=lambda w, xi, s: w - s * xi,
    ),
    *mistakes(
        "WM-3",
        "multiplicative_noise_weight",
        added=spec.additive_noise_weight,
        two_terms=lambda w, xi, s: w + w * (s * xi),
        one_noise_for_the_batch=lambda w, xi, s: (
            w * (one(s) + s * np.broadcast_to(xi[:1], xi.shape))
        ),
    ),
    *mistakes(
        "WM-4",
        "discretised_weight",
        halves_away_from_zero=grid(away),
        multiplied_with_the_reciprocal=by_reciprocal,
        noise_ignored=lambda w, d, u: spec.discretised_weight(
            w if u is None else np.broadcast_to(w, u.shape), d, None
        ),
        clipped_to_one=lambda w, d, u: spec.clip(spec.discretised_weight(w, d, u), one(w)),
    ),
    *mistakes(
        "WP-1",
        "gaussian_bound",
        fixed_value_ignored=lambda dev, s, f: s * dev,
        fixed_value_wins=lambda dev, s, f: f if f > 0 else s * dev,
        larger_of_the_two=lambda dev, s, f: max(s * dev, f) if f > 0 else s * dev,
        zero_counts=lambda dev, s, f: f if 0 <= f < s * dev else s * dev,
        negative_counts=lambda dev, s, f: min(f, s * dev),
    ),
    *mistakes(
        "WP-2",
        "clipped_weight",
        a_negative_bound_turns_the_sign=lambda w, b: spec.clip(w, b),
        magnitude_of_the_bound=lambda w, b: spec.clip(w, abs(b)),
        no_lower_bound=lambda w, b: np.where(w > b, b, w),
    ),
]

OPTIMISER = [
    *mistakes(
        "OP-1",
        "sgd_step",
        first_velocity_dampened=sgd(first=lambda d, tau: tau * d),
        without_dampening=sgd(later=lambda v, d, mu, tau: mu * v + d),
        dampening_on_the_velocity=sgd(later=lambda v, d, mu, tau: tau * (mu * v) + d),
        averaged=sgd(later=lambda v, d, mu, tau: mu * v + (one(mu) - mu) * d),
        nesterov_swapped=sgd(ahead=lambda d, v, mu: mu * d + v),
        nesterov_ignored=sgd(ahead=lambda d, v, mu: v),
        decoupled_weight_decay=sgd(decoupled=True),
        velocity_aliases_the_gradient=sgd(first=lambda d, tau: d),
    ),
]

WRONG = [*INPUT_RANGE, *PERIPHERY, *WEIGHTS, *OPTIMISER]
