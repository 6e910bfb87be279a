"""Wrong quantisers."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim import spec

from .core import away, up
from .mistake import mistakes, one, zero

F32 = np.float32
EDGE = F32(1e-8)


def codes(
    rint: Any = np.rint,
    divide: Any = lambda x, s: x / s,
    place: Any = lambda z: z,
    low: Any = lambda a: a,
    high: Any = lambda b: b,
) -> Any:
    """Codes with one part of the formula changed."""

    def quantised_codes(x: Any, s: Any, z: Any, a: Any, b: Any) -> Any:
        m = rint(divide(x, s[:, None])) + place(z)[:, None]
        return np.minimum(np.maximum(m, low(a)), high(b))

    return quantised_codes


def values(code: Any = spec.quantised_codes, back: Any = lambda s, n, z: s * (n - z)) -> Any:
    """Values from other codes, or from the codes by another formula."""
    return lambda x, s, z, a, b: back(s[:, None], code(x, s, z, a, b), z[:, None])


def level(x: Any, s: Any, z: Any) -> Any:
    return np.rint(x / s[:, None]) + z[:, None]


def inside(x: Any, s: Any, z: Any, a: Any, b: Any) -> Any:
    m = level(x, s, z)
    return (m >= a) & (m <= b)


def masked(mask: Any) -> Any:
    return lambda g, *grid: np.where(mask(*grid), g, zero(g))


def strict(x: Any, s: Any, z: Any, a: Any, b: Any) -> Any:
    m = level(x, s, z)
    return (m > a) & (m < b)


def by_value(x: Any, s: Any, z: Any, a: Any, b: Any) -> Any:
    """The mask of the values, not of the rounded codes."""
    m = x / s[:, None] + z[:, None]
    return (m >= a) & (m <= b)


def unshifted(x: Any, s: Any, z: Any, a: Any, b: Any) -> Any:
    return inside(x, s, zero(z) * z, a, b)


def single(terms: Any) -> Any:
    return np.array([F32(spec.total(row.astype(np.float64))) for row in terms], dtype=F32).reshape(
        len(terms)
    )


def exact(x: Any, y: Any) -> Any:
    """Exact sums, rounded once to float32."""
    return spec.scale_gradient(
        x, y, np.ones(len(x), x.dtype), np.zeros(len(x), x.dtype), -one(x) / 0, one(x) / 0
    )


def slope(error: Any, add: Any = None) -> Any:
    """The gradient of the scale with other terms, or another sum."""

    def scale_gradient(g: Any, x: Any, s: Any, z: Any, a: Any, b: Any) -> Any:
        k, quotient = spec.quantised_codes(x, s, z, a, b) - z[:, None], x / s[:, None]
        e = error(k, quotient, inside(x, s, z, a, b), z[:, None])
        if add is not None:
            return add(g, e)
        pairs = [
            spec.product_total(u.astype(np.float64), v.astype(np.float64))
            for u, v in zip(g, e, strict=True)
        ]
        return np.array(pairs, dtype=F32).reshape(len(g))

    return scale_gradient


def right(k: Any, quotient: Any, within: Any, z: Any) -> Any:
    return np.where(within, k - quotient, k)


def naive(g: Any, e: Any) -> Any:
    terms = np.concatenate([np.zeros((len(g), 1), g.dtype), g * e], axis=1)
    return terms.cumsum(axis=1)[:, -1].astype(F32)


def twice_rounded(g: Any, e: Any) -> Any:
    return spec.row_product_totals(g, e).astype(F32)


def shift(
    mask: Any = lambda m: ~m, scaled: Any = lambda s: s, sign: int = -1, add: Any = None
) -> Any:
    """The gradient of the zero point with another mask, sign, factor or sum."""

    def zero_point_gradient(g: Any, x: Any, s: Any, z: Any, a: Any, b: Any) -> Any:
        lost = np.where(mask(inside(x, s, z, a, b)), g * one(g) * sign, zero(g))
        factor = np.broadcast_to(scaled(s)[:, None], g.shape)
        if add is not None:
            return add(lost, factor)
        pairs = [
            spec.product_total(u.astype(np.float64), v.astype(np.float64))
            for u, v in zip(lost, factor, strict=True)
        ]
        return np.array(pairs, dtype=F32).reshape(len(g))

    return zero_point_gradient


def steps(
    divide: Any = lambda a, b: a / b, zero_of: Any = lambda lo, d: (zero(lo) - lo) / d
) -> Any:
    def asymmetric_step(lo: Any, hi: Any, n: Any) -> Any:
        d = divide(hi - lo, n)
        return d.astype(F32), zero_of(lo, d).astype(F32)

    return asymmetric_step


WRONG = [
    *mistakes(
        "QU-1",
        "quantiser_range",
        zero_not_included=lambda lo, hi: (lo.copy(), hi.copy()),
        empty_allowed=lambda lo, hi: (
            np.minimum(lo, zero(lo)) + zero(lo),
            np.maximum(hi, zero(hi)),
        ),
        lower_end_not_moved=lambda lo, hi: (lo.copy(), spec.quantiser_range(lo, hi)[1]),
        smallest_added=lambda lo, hi: (
            spec.quantiser_range(lo, hi)[0],
            np.maximum(hi, 0) + lo.dtype.type(1e-8),
        ),
    ),
    *mistakes(
        "QU-2",
        "code_range",
        always_signed=lambda lo, b, sym: spec.code_range(-abs(lo) - one(lo), b, sym),
        never_signed=lambda lo, b, sym: spec.code_range(abs(lo), b, sym),
        signed_only_if_all_are=lambda lo, b, sym: spec.code_range(
            lo if (lo < 0).all() else abs(lo), b, sym
        ),
        no_code_without_opposite=lambda lo, b, sym: (
            max(spec.code_range(lo, b, sym)[0], -lo.dtype.type(2 ** (b - 1) - 1)),
            spec.code_range(lo, b, sym)[1],
        ),
        one_level_more=lambda lo, b, sym: (
            spec.code_range(lo, b, sym)[0],
            spec.code_range(lo, b, sym)[1] + one(lo),
        ),
        asymmetric_signed=lambda lo, b, sym: spec.code_range(lo, b, True),
    ),
    *mistakes(
        "QU-3",
        "symmetric_step",
        upper_end_only=lambda lo, hi, n: (hi / n).astype(F32),
        lower_end_by_its_own_code=lambda lo, hi, n: np.maximum(
            abs(lo) / (n + one(lo)), hi / n
        ).astype(F32),
        width_of_the_range=lambda lo, hi, n: ((hi - lo) / n).astype(F32),
        one_level_more=lambda lo, hi, n: (np.maximum(abs(lo), hi) / (n + one(lo))).astype(F32),
        not_rounded_to_float32=lambda lo, hi, n: (np.maximum(abs(lo), hi) / n).astype(np.float64),
        by_the_reciprocal=lambda lo, hi, n: (np.maximum(abs(lo), hi) * (one(lo) / n)).astype(F32),
    ),
    *mistakes(
        "QU-4",
        "asymmetric_step",
        one_level_more=lambda lo, hi, n: spec.asymmetric_step(lo, hi, n + one(lo)),
        zero_rounded=steps(zero_of=lambda lo, d: np.rint(-lo / d) + zero(lo)),
        zero_by_the_stored_step=steps(zero_of=lambda lo, d: (zero(lo) - lo) / d.astype(F32)),
        sign_of_zero=steps(zero_of=lambda lo, d: -lo / d),
        zero_from_above=lambda lo, hi, n: (
            spec.asymmetric_step(lo, hi, n)[0],
            (n - hi / ((hi - lo) / n)).astype(F32),
        ),
        by_the_reciprocal=steps(lambda a, b: a * (one(b) / b)),
    ),
    *mistakes(
        "QU-5",
        "stored_step",
        always_linear=lambda d, log: d.copy(),
        logarithm_of_the_machine=lambda d, log: np.log(d) if log else d.copy(),
        base_two=lambda d, log: spec.log(d) / F32(np.log(2)) if log else d.copy(),
    ),
    *mistakes(
        "QU-6",
        "quantiser_scale",
        no_smallest_step=lambda t, log: spec.exp(t) if log else t.copy(),
        magnitude=lambda t, log: spec.exp(t) if log else np.maximum(abs(t), EDGE),
        always_linear=lambda t, log: spec.quantiser_scale(t, False),
        exponential_of_the_machine=lambda t, log: np.exp(t) if log else np.maximum(t, EDGE),
    ),
    *mistakes(
        "QU-7",
        "zero_point",
        not_rounded=lambda z, n: np.minimum(np.maximum(z, F32(0)), n),
        half_up=lambda z, n: np.minimum(np.maximum(up(z), F32(0)), n),
        half_away=lambda z, n: np.minimum(np.maximum(away(z), F32(0)), n) + F32(0),
        not_limited=lambda z, n: np.rint(z) + F32(0),
        limited_from_below_only=lambda z, n: np.maximum(np.rint(z), F32(0)) + F32(0),
        truncated=lambda z, n: np.minimum(np.maximum(np.trunc(z), F32(0)), n) + F32(0),
    ),
    *mistakes(
        "QU-8",
        "quantised_codes",
        half_up=codes(up),
        half_away=codes(away),
        truncated=codes(np.trunc),
        by_the_reciprocal=codes(divide=lambda x, s: x * (one(x) / s)),
        zero_point_ignored=codes(place=lambda z: z * zero(z)),
        one_level_less=codes(high=lambda b: b - one(b)),
        symmetric_clip=codes(low=lambda a: np.minimum(a + one(a), zero(a))),
        not_clipped=lambda x, s, z, a, b: level(x, s, z),
        clipped_before_the_zero_point=lambda x, s, z, a, b: (
            np.clip(np.rint(x / s[:, None]), a, b) + z[:, None]
        ),
        rounded_after_the_shift=lambda x, s, z, a, b: np.clip(
            np.rint(x / s[:, None] + z[:, None]), a, b
        ),
    ),
    *mistakes(
        "QU-9",
        "quantised",
        half_up=values(codes(up)),
        zero_point_kept=values(back=lambda s, n, z: s * n),
        products_subtracted=values(back=lambda s, n, z: s * n - s * z),
        clipped_by_value=lambda x, s, z, a, b: np.clip(
            np.rint(x / s[:, None]) * s[:, None],
            s[:, None] * (a - z[:, None]),
            s[:, None] * (b - z[:, None]),
        ),
        not_clipped=lambda x, s, z, a, b: s[:, None] * (level(x, s, z) - z[:, None]),
        one_step_for_all_rows=lambda x, s, z, a, b: spec.quantised(
            x, s[:1].repeat(len(s)), z, a, b
        ),
    ),
    *mistakes(
        "QU-10",
        "quantised_gradient",
        not_masked=lambda g, *grid: g.copy(),
        strict_mask=masked(strict),
        mask_of_the_values=masked(by_value),
        zero_point_ignored=masked(unshifted),
        times_a_mask=lambda g, *grid: g * inside(*grid),
        derivative_of_rounding=lambda g, *grid: g * zero(g),
    ),
    *mistakes(
        "QU-11",
        "scale_gradient",
        mask_missing=slope(lambda k, q, m, z: k - q),
        codes_alone=slope(lambda k, q, m, z: k),
        zero_point_counted=slope(lambda k, q, m, z: right(k, q, m, z) + z),
        clipped_values_left_out=slope(lambda k, q, m, z: np.where(m, k - q, zero(k))),
        one_term_after_the_other=slope(right, naive),
        mean=slope(lambda k, q, m, z: right(k, q, m, z) / k.dtype.type(max(1, k.shape[1]))),
        result_in_the_type_of_the_data=slope(right, spec.row_product_totals),
    ),
    *mistakes(
        "QU-12",
        "stored_step_gradient",
        no_gate=lambda g, t, log: g * spec.exp(t) if log else g.copy(),
        strict_gate=lambda g, t, log: g * spec.exp(t) if log else np.where(t > EDGE, g, F32(0)),
        logarithm_ignored=lambda g, t, log: (
            g.copy() if log else spec.stored_step_gradient(g, t, log)
        ),
        divided=lambda g, t, log: g / spec.exp(t) if log else spec.stored_step_gradient(g, t, log),
    ),
    *mistakes(
        "QU-13",
        "zero_point_gradient",
        inverse_mask=shift(lambda m: m),
        not_masked=shift(lambda m: np.ones_like(m)),
        sign=shift(sign=1),
        without_the_scale=shift(scaled=lambda s: one(s) + s * 0),
        one_term_after_the_other=shift(add=naive),
        result_in_the_type_of_the_data=shift(add=spec.row_product_totals),
    ),
    *mistakes(
        "QU-14",
        "zero_float_gradient",
        no_gate=lambda g, z, n: g.copy(),
        gate_before_the_rounding=lambda g, z, n: np.where((z >= 0) & (z <= n), g, F32(0)),
        strict_gate=lambda g, z, n: np.where((np.rint(z) > 0) & (np.rint(z) < n), g, F32(0)),
        lower_gate_only=lambda g, z, n: np.where(np.rint(z) >= 0, g, F32(0)),
    ),
]
