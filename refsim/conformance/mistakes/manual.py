"""Wrong clauses of the manual path: management of rows, clipped outputs, the weight gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim import spec

from .mistake import mistakes, one, zero

# --- management of rows -------------------------------------------------------------------------


def sides(join: Any, low: Any = lambda v: -v) -> Any:
    """Sums of both sides joined in another way."""

    def row_sum_peak(v: Any) -> Any:
        ones = np.ones_like(v)
        up = spec.row_product_totals(np.where(v > 0, v, zero(v)), ones)
        down = spec.row_product_totals(np.where(v < 0, low(v), zero(v)), ones)
        return join(up, down)

    return row_sum_peak


def in_order(v: Any) -> Any:
    up, down = np.where(v > 0, v, zero(v)), np.where(v < 0, -v, zero(v))
    padded = [np.concatenate([np.zeros((len(v), 1), v.dtype), side], axis=1) for side in (up, down)]
    sums = [side.cumsum(axis=1)[:, -1] for side in padded]
    return np.maximum(*sums)


def unlimited(p: Any, s: Any, f: Any, limit: Any) -> Any:
    return np.maximum(p, f * s)


def running(p: Any, start: Any, keep: Any, weight: Any, unset: Any = -1) -> Any:
    average, result = start, np.empty_like(p)
    for n, peak in enumerate(p):
        average = peak if average <= unset else keep * average + weight * peak
        result[n] = average
    return result


def before_the_row(p: Any, start: Any, keep: Any, weight: Any) -> Any:
    after = spec.running_peak(p, start, keep, weight)
    return (
        np.concatenate([[start if start >= 0 else p[0]], after[:-1]]).astype(p.dtype)
        if len(p)
        else after
    )


MANAGEMENT = [
    *mistakes(
        "NM-6",
        "row_sum_peak",
        only_the_positive_side=sides(lambda up, down: up),
        smaller_side=sides(np.minimum),
        both_sides_added=sides(lambda up, down: up + down),
        negative_side_signed=sides(np.maximum, lambda v: v),
        added_in_order=in_order,
    ),
    *mistakes(
        "NM-7",
        "sum_management_scale",
        no_limit=unlimited,
        limit_in_place_of_the_minimum=lambda p, s, f, m: np.maximum(p, m * p),
        may_be_less_than_the_peak=lambda p, s, f, m: np.where(f * s > m * p, m * p, f * s),
        limit_of_the_sum=lambda p, s, f, m: np.maximum(p, np.where(f * s > m, m, f * s)),
        factor_ignored=lambda p, s, f, m: spec.sum_management_scale(p, s, one(p), m),
    ),
    *mistakes(
        "NM-8",
        "running_peak",
        value_before_the_row=before_the_row,
        zero_counts_as_unset=lambda p, s, k, w: running(p, s, k, w, 0),
        starts_from_zero=lambda p, s, k, w: spec.running_peak(p, np.maximum(s, zero(s)), k, w),
        shares_exchanged=lambda p, s, k, w: spec.running_peak(p, s, w, k),
        one_value_for_the_batch=lambda p, s, k, w: np.full_like(
            p, spec.running_peak(p, s, k, w)[-1] if len(p) else 0
        ),
    ),
    *mistakes(
        "BM-3",
        "rows_within_bound",
        strict=lambda t, b, neg: ((t < b) & ((t > -b) | (not neg))).all(axis=1),
        whole_batch=lambda t, b, neg: np.full(
            len(t), bool(spec.rows_within_bound(t, b, neg).all())
        ),
        negative_always_tested=lambda t, b, neg: spec.rows_within_bound(t, b, True),
        negative_never_tested=lambda t, b, neg: spec.rows_within_bound(t, b, False),
        any_output=lambda t, b, neg: (np.abs(t) <= b).any(axis=1),
    ),
]

# --- clipped outputs ----------------------------------------------------------------------------


def growth(condition: Any, term: Any = lambda p, r: (one(r) - r.dtype.type(p)) * r) -> Any:
    return lambda g, r, p, theta: g - term(p, r) if condition(p, theta) else g


def less(p: Any, theta: Any) -> bool:
    return bool(p < theta)


CLIPPING = [
    *mistakes(
        "BP-3",
        "output_clip_mask",
        always_inclusive=lambda u, b, inc: np.abs(u) >= b,
        never_inclusive=lambda u, b, inc: np.abs(u) > b,
        only_the_upper_side=lambda u, b, inc: u >= b if inc else u > b,
        nothing=lambda u, b, inc: np.zeros(u.shape, dtype=bool),
        the_unclipped_ones=lambda u, b, inc: ~spec.output_clip_mask(u, b, inc),
    ),
    *mistakes(
        "BP-4",
        "masked_gradient",
        keeps_the_clipped=lambda g, m: np.where(m, g, zero(g)),
        multiplied=lambda g, m: g * (~m).astype(g.dtype),
        ignored=lambda g, m: g.copy(),
    ),
    *mistakes(
        "IR-10",
        "unclipped_output_fraction",
        share_of_the_clipped=lambda m, n: np.float32(np.count_nonzero(m) / (n or np.nan)),
        never_negative=lambda m, n: np.maximum(np.float32(0), spec.unclipped_output_fraction(m, n)),
        always_of_the_outputs=lambda m, n: spec.unclipped_output_fraction(m, m.size),
        rounded_twice=lambda m, n: np.float32(1) - np.float32(np.count_nonzero(m) / (n or np.nan)),
        a_full_share_without_data=lambda m, n: spec.unclipped_output_fraction(m, n or 1),
    ),
    *mistakes(
        "IR-11",
        "range_growth",
        not_strict=growth(lambda p, theta: bool(p <= theta)),
        above_the_threshold=growth(lambda p, theta: bool(p > theta)),
        always=growth(lambda p, theta: True),
        shrinks=growth(less, lambda p, r: -(one(r) - r.dtype.type(p)) * r),
        not_relative=growth(less, lambda p, r: one(r) - r.dtype.type(p)),
        unclipped_share=growth(less, lambda p, r: r.dtype.type(p) * r),
        magnitude_of_the_range=growth(less, lambda p, r: (one(r) - r.dtype.type(p)) * abs(r)),
        share_in_single_precision=growth(less, lambda p, r: r.dtype.type(np.float32(1) - p) * r),
    ),
]

# --- the weight gradient ------------------------------------------------------------------------

GRADIENT = [
    *mistakes(
        "MS-4",
        "rate_compensation",
        the_mean=lambda s: spec.mean(s),
        of_the_largest=lambda s: one(s) / s.max(),
        mean_of_the_inverse=lambda s: spec.mean(one(s) / s),
        rounded_in_order=lambda s: (
            s.dtype.type(s.size) / np.concatenate([[zero(s)], s]).cumsum()[-1]
        ),
    ),
    *mistakes(
        "MS-5",
        "unscaled_gradient",
        one_after_the_other=lambda g, s, c: g / s / c,
        multiplied=lambda g, s, c: g * (s * c),
        compensation_ignored=lambda g, s, c: g / s,
        scale_ignored=lambda g, s, c: g / c,
        reciprocal=lambda g, s, c: g * (one(s) / (s * c)),
    ),
]

WRONG = [*MANAGEMENT, *CLIPPING, *GRADIENT]
