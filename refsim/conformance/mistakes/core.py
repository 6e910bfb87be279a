"""Wrong converters, management and gradients through them."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim import spec

from .mistake import mistakes, one, zero

# --- converters ---------------------------------------------------------------------------------


def away(x: Any) -> Any:
    return np.copysign(np.floor(np.abs(x) + x.dtype.type(0.5)), x)


def up(x: Any) -> Any:
    return np.floor(x + x.dtype.type(0.5))


def grid(rint: Any) -> Any:
    """Another rounding, the same place in the formula."""

    def on_grid(a: Any, step: Any, rounding: Any = None) -> Any:
        if step == 0:
            return a
        return rint(a / step if rounding is None else a / step + rounding) * step

    return on_grid


def by_reciprocal(a: Any, step: Any, rounding: Any = None) -> Any:
    if step == 0:
        return a
    levels = a * (one(step) / step)
    return np.rint(levels if rounding is None else levels + rounding) * step


def late_noise(a: Any, step: Any, rounding: Any = None) -> Any:
    q = spec.on_grid(a, step, None)
    return q if rounding is None or step == 0 else np.rint(q / step + rounding) * step


def unit_noise(a: Any, step: Any, rounding: Any = None) -> Any:
    return spec.on_grid(a if rounding is None or step == 0 else a + rounding, step, None)


def dac(
    clip_first: bool = False,
    clip_last: bool = False,
    noise_first: bool = False,
    side: Any = lambda d: d < 0,
    scale: Any = lambda v, sigma: v * sigma[:, None],
    mask_of_code: bool = False,
) -> Any:
    """The input conversion with one step changed."""

    def digital_to_analog(
        v: Any, sigma: Any, step: Any, b: Any, rounding: Any, noise: Any, eta: Any, f: Any
    ) -> Any:
        a = scale(v, sigma)
        q = spec.on_grid(spec.clip(a, b) if clip_first else a, step, rounding)
        shift = zero(v) if noise is None else eta * noise
        if noise_first:
            d = spec.clip(q if noise is None else q + shift, b)
        else:
            d = spec.clip(q, b) if noise is None else spec.clip(q, b) + shift
        d = spec.clip(d, b) if clip_last else d
        negative = q < 0 if mask_of_code else d < 0
        return q, np.where(side(d), d * f, d), negative

    return digital_to_analog


def adc(order: str = "anqc", side: Any = lambda m: m < 0, clipped_t: bool = False) -> Any:
    """The output conversion with its steps (asymmetry, noise, quantiser, clip) in another order."""

    def analog_to_digital(
        m: Any, step: Any, b: Any, rounding: Any, noise: Any, eta: Any, f: Any
    ) -> Any:
        value = t = m
        for stage in order:
            if stage == "a":
                value = np.where(side(value), value * f, value)
            elif stage == "n" and noise is not None:
                value = value + eta * noise
            elif stage == "q":
                value = spec.on_grid(value, step, rounding)
            elif stage == "c":
                t, value = value, spec.clip(value, b)
        return value if clipped_t else t, value

    return analog_to_digital


CONVERTERS = [
    *mistakes(
        "DC-1",
        "on_grid",
        halves_away_from_zero=grid(away),
        halves_up=grid(up),
        truncated=grid(np.trunc),
        multiplied_with_the_reciprocal=by_reciprocal,
        noise_after_rounding=late_noise,
        noise_not_in_steps=unit_noise,
        noise_ignored=lambda a, step, rounding=None: spec.on_grid(a, step, None),
        negative_zero_lost=lambda a, step, rounding=None: spec.on_grid(a, step, rounding) + zero(a),
    ),
    *mistakes(
        "DC-2",
        "clip",
        no_lower_bound=lambda a, b: np.where(a > b, b, a),
        to_zero=lambda a, b: np.where(np.abs(a) > b, zero(a), a),
        bound_excluded=lambda a, b: spec.clip(a, np.nextafter(b, zero(a))),
        nan_becomes_the_bound=lambda a, b: np.where(np.isnan(a), b, spec.clip(a, b)),
        wraps=lambda a, b: np.where(np.abs(a) > b, -spec.clip(a, b), a),
    ),
    *mistakes(
        "DC-3",
        "digital_to_analog",
        clip_before_rounding=dac(clip_first=True),
        noise_clipped_again=dac(clip_last=True),
        noise_before_the_clip=dac(noise_first=True),
        asymmetry_of_positives=dac(side=lambda d: d > 0),
        mask_of_the_code=dac(mask_of_code=True),
        divided_by_the_scale=dac(scale=lambda v, sigma: v / sigma[:, None]),
        scale_ignored=dac(scale=lambda v, sigma: v),
    ),
    *mistakes(
        "DC-4",
        "analog_to_digital",
        clip_before_rounding=adc("ancq"),
        noise_before_asymmetry=adc("naqc"),
        asymmetry_after_rounding=adc("nqac"),
        noise_after_rounding=adc("aqnc"),
        noise_after_the_clip=adc("aqcn"),
        asymmetry_of_positives=adc(side=lambda m: m > 0),
        returns_the_clipped_code_twice=adc(clipped_t=True),
        no_bound_taken_as_zero=lambda m, step, b, *others: spec.analog_to_digital(
            m, step, b if np.isfinite(b) else zero(b), *others
        ),
    ),
    *mistakes(
        "DC-5",
        "rescaled_output",
        left_to_right=lambda z, s, o: z * o / s[:, None],
        multiplied=lambda z, s, o: z * (o * s)[:, None],
        out_scale_ignored=lambda z, s, o: z * (one(s) / s)[:, None],
        divided_by_out_scale=lambda z, s, o: z / (o * s)[:, None],
    ),
]


# --- management ---------------------------------------------------------------------------------


def last_max(v: Any) -> Any:
    index = v.shape[1] - 1 - np.argmax(v[:, ::-1], axis=1)
    return v[np.arange(len(v)), index] + zero(v), index


def signed_peak(v: Any) -> Any:
    index = np.argmax(np.abs(v), axis=1)
    return v[np.arange(len(v)), index] + zero(v), index


def whole_batch(v: Any) -> Any:
    peak, index = spec.row_abs_max(v)
    return np.full_like(peak, peak.max(initial=0)), index


def kept_zero(v: Any) -> Any:
    index = np.argmax(v, axis=1)
    return v[np.arange(len(v)), index], index


def peak_term(where: Any, in_place: bool = False) -> Any:
    def add(dv: Any, gradient: Any, index: Any, differentiable: Any, sign: Any) -> Any:
        here = where(dv, index, differentiable)
        result = np.where(here, dv + (gradient * sign)[:, None], dv)
        if in_place:
            dv[...] = result
            return dv
        return result

    return add


def at_peak(dv: Any, index: Any, differentiable: Any) -> Any:
    return (np.arange(dv.shape[1]) == index[:, None]) & differentiable[:, None]


def strict_mask(peak: Any, cap: Any) -> Any:
    return spec.management_scale(peak, cap)[0], (peak > 0) & (peak < cap)


def capped_mask(peak: Any, cap: Any) -> Any:
    return spec.management_scale(peak, cap)[0], peak > 0


def unguarded(peak: Any, cap: Any) -> Any:
    alpha, mask = spec.management_scale(peak, cap)
    return np.where(peak < 0, peak, alpha), mask


def divided_by_zero(peak: Any, cap: Any) -> Any:
    alpha, mask = spec.management_scale(peak, cap)
    return np.where(peak == 0, peak, alpha), mask


MANAGEMENT = [
    *mistakes(
        "NM-1",
        "row_abs_max",
        last_peak=lambda v: last_max(np.abs(v)),
        signed=spec.row_max,
        peak_with_its_sign=signed_peak,
        over_the_whole_batch=whole_batch,
    ),
    *mistakes(
        "NM-2",
        "row_max",
        last_peak=last_max,
        magnitudes=spec.row_abs_max,
        negative_zero_kept=kept_zero,
    ),
    *mistakes(
        "NM-3",
        "management_scale",
        derivative_lost_at_the_cap=strict_mask,
        derivative_beyond_the_cap=capped_mask,
        negative_peaks_used=unguarded,
        zero_peaks_used=divided_by_zero,
        cap_ignored=lambda p, cap: (np.where(p > 0, p, one(p)), (p > 0) & (p <= cap)),
        cap_as_a_floor=lambda p, cap: (np.maximum(p, cap), (p > 0) & (p <= cap)),
    ),
    *mistakes(
        "NM-4",
        "management_gradient",
        sign_lost=lambda A, B, s, a, o: -spec.management_gradient(A, B, s, a, o),
        square_formed_first=lambda A, B, s, a, o: -((B - A * (o / (s * s))) * (s / a)),
        one_scale=lambda A, B, s, a, o: -((B - A * (o / s)) * (s / a)),
        out_scale_ignored=lambda A, B, s, a, o: spec.management_gradient(A, B, s, a, one(s)),
        input_term_only=lambda A, B, s, a, o: spec.management_gradient(zero(A) * A, B, s, a, o),
        output_term_only=lambda A, B, s, a, o: spec.management_gradient(A, zero(B) * B, s, a, o),
        divided_late=lambda A, B, s, a, o: -((B - A * (o / s) / s) * s / a),
    ),
    *mistakes(
        "NM-5",
        "add_peak_gradient",
        sign_ignored=lambda dv, g, i, m, s: spec.add_peak_gradient(dv, g, i, m, np.abs(s)),
        rows_without_a_derivative_too=peak_term(lambda dv, i, m: at_peak(dv, i, m | True)),
        every_element=peak_term(lambda dv, i, m: m[:, None] & np.ones(dv.shape, dtype=bool)),
        in_place=peak_term(at_peak, in_place=True),
        replaced=lambda dv, g, i, m, s: np.where(at_peak(dv, i, m), (g * s)[:, None], dv),
    ),
    *mistakes(
        "BM-1",
        "input_scale",
        product_formed_first=lambda a, b: one(a) / (a * b),
        multiplied_with_beta=lambda a, b: one(a) / a * b,
        alpha_itself=lambda a, b: a / b,
    ),
    *mistakes(
        "BM-2",
        "within_bound",
        strict=lambda t, b: bool(np.all(np.abs(t) < b)),
        upper_side_only=lambda t, b: bool(np.all(t <= b)),
        one_is_enough=lambda t, b: bool(np.any(np.abs(t) <= b)) or t.size == 0,
        empty_batch_fails=lambda t, b: bool(t.size and np.all(np.abs(t) <= b)),
        test_of_clipped_outputs=lambda t, b: spec.within_bound(spec.clip(t, b), b),
    ),
]


# --- gradients through the converters -----------------------------------------------------------


def adc_gradient(
    inside: Any = lambda t, b: np.abs(t) <= b,
    side: Any = lambda m, t: m < 0,
    slope: Any = lambda g, o, s: g * (o / s),
) -> Any:
    def gradient(g: Any, s: Any, o: Any, t: Any, b: Any, m: Any, f: Any) -> Any:
        value = slope(g, o, s[:, None])
        return np.where(inside(t, b), np.where(side(m, t), value * f, value), zero(g))

    return gradient


def dac_gradient(
    inside: Any = lambda q, b: np.abs(q) <= b, side: Any = lambda below, q: below
) -> Any:
    def gradient(g: Any, q: Any, b: Any, below: Any, f: Any) -> Any:
        return np.where(inside(q, b), np.where(side(below, q), g * f, g), zero(g))

    return gradient


BACKWARD = [
    *mistakes(
        "BP-1",
        "adc_gradient",
        strict_gate=adc_gradient(lambda t, b: np.abs(t) < b),
        no_gate=adc_gradient(lambda t, b: np.abs(t) >= 0),
        upper_gate_only=adc_gradient(lambda t, b: t <= b),
        asymmetry_by_the_code=adc_gradient(side=lambda m, t: t < 0),
        asymmetry_of_positives=adc_gradient(side=lambda m, t: m > 0),
        asymmetry_at_zero=adc_gradient(side=lambda m, t: m <= 0),
        left_to_right=adc_gradient(slope=lambda g, o, s: g * o / s),
        multiplied_with_the_input_scale=adc_gradient(slope=lambda g, o, s: g * (o * s)),
        out_scale_ignored=adc_gradient(slope=lambda g, o, s: g * (one(s) / s)),
    ),
    *mistakes(
        "BP-2",
        "dac_gradient",
        strict_gate=dac_gradient(lambda q, b: np.abs(q) < b),
        no_gate=dac_gradient(lambda q, b: np.abs(q) >= 0),
        asymmetry_by_the_code=dac_gradient(side=lambda below, q: q < 0),
        asymmetry_of_positives=dac_gradient(side=lambda below, q: ~below),
        multiplied_with_the_mask=lambda g, q, b, below, f: (
            np.where(below, g * f, g) * (np.abs(q) <= b)
        ),
    ),
]

WRONG = [*CONVERTERS, *MANAGEMENT, *BACKWARD]
