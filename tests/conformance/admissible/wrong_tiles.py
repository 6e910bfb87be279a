"""Tiles with one mistake each, made of the functions of the specification with one of them replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from refsim import spec

Function = Callable[..., Any]


@dataclass(frozen=True)
class Wrong:
    """A mistake, the function it is made in, and the stage and clause at which it must be noticed."""

    mistake: str
    clause: str
    stage: str
    name: str
    function: Function

    @property
    def ops(self) -> SimpleNamespace:
        right = {name: getattr(spec, name) for name in spec.__all__}
        return SimpleNamespace(**{**right, self.name: self.function})


def half_up(x: Any) -> Any:
    return np.floor(x + x.dtype.type(0.5))


def grid(x: Any, step: Any, rint: Function = np.rint) -> Any:
    return rint(x / step) * step


def dac(round_: Function = np.rint, early_clip: bool = False, shift: int = 0) -> Function:
    def function(v, sigma, step, bound, rounding, noise, scale, factor):  # type: ignore[no-untyped-def]
        a = v * sigma[:, None]
        a = spec.clip(a, bound) if early_clip else a
        q = grid(a, step, round_)
        d = spec.clip(q, bound - shift * step)
        return q, np.where(d < 0, d * factor, d), d < 0

    return function


def adc(
    round_: Function = np.rint,
    shift: int = 0,
    late_noise: bool = False,
    late_asymmetry: bool = False,
) -> Function:
    def function(m, step, bound, rounding, noise, scale, factor):  # type: ignore[no-untyped-def]
        added = scale * noise
        value = np.where(m < 0, m * factor, m)
        if late_asymmetry:
            value = np.where(m + added < 0, (m + added) * factor, m + added)
        elif not late_noise:
            value = value + added
        t = grid(value, step, round_) + (added if late_noise else 0)
        return t, spec.clip(t, bound - shift * step)

    return function


def strict_rule(c: Any, d: Any, r: Any) -> Any:
    zero = r.dtype.type(0)
    return (
        spec.total(np.where((c > r) & (d < 0), d, zero)),
        spec.total(np.where((c < -r) & (d > 0), d, zero)),
    )


def mean_rule(c: Any, d: Any, r: Any) -> Any:
    upper, lower = spec.range_rule_sums(c, d, r)
    return upper / r.dtype.type(c.size), lower / r.dtype.type(c.size)


def strict_adc_gate(g, sigma, o, t, bound, m, factor):  # type: ignore[no-untyped-def]
    inside = np.where(np.abs(t) < bound, g, g.dtype.type(0))
    return spec.adc_gradient(inside, sigma, o, t, bound, m, factor)


def no_adc_gate(g, sigma, o, t, bound, m, factor):  # type: ignore[no-untyped-def]
    return spec.adc_gradient(g, sigma, o, t, bound.dtype.type(np.inf), m, factor)


def strict_dac_gate(g, q, bound, negative, factor):  # type: ignore[no-untyped-def]
    inside = np.where(np.abs(q) < bound, g, g.dtype.type(0))
    return spec.dac_gradient(inside, q, bound, negative, factor)


def strict_input_gate(dv: Any, x: Any, r: Any) -> Any:
    d = dv / r
    return d, np.where(np.abs(x) < np.abs(r), d, r.dtype.type(0))


def rule_before_scale(upper: Any, lower: Any, r: Any, relative: bool, scale: Any) -> Any:
    return (upper + lower) * r * scale


def shrinking(gradient: Any, r: Any, decay: Any, fraction: Any, threshold: Any) -> Any:
    return gradient - decay * r if fraction > threshold else gradient


NARROW = [
    Wrong("range clip at r / 2", "IR-2", "clipped_input", "clipped_input",
          lambda x, r: spec.clipped_input(x, r / r.dtype.type(2))),
    Wrong("division by the range left out", "IR-3", "scaled_input", "scaled_input",
          lambda c, r: c.copy()),
    Wrong("DAC rounds half up", "DC-3", "rounded_input", "digital_to_analog", dac(half_up)),
    Wrong("DAC truncates", "DC-3", "rounded_input", "digital_to_analog", dac(np.trunc)),
    Wrong("DAC clips before it rounds", "DC-3", "rounded_input", "digital_to_analog",
          dac(early_clip=True)),
    Wrong("largest DAC code missing", "DC-3", "converted_input", "digital_to_analog", dac(shift=1)),
    Wrong("product is a mean", "MV-1", "product", "matrix_product",
          lambda a, b: spec.matrix_product(a, b) / a.dtype.type(a.shape[1])),
    Wrong("ADC rounds half up", "DC-4", "rounded_output", "analog_to_digital", adc(half_up)),
    Wrong("largest ADC code missing", "DC-4", "output_code", "analog_to_digital", adc(shift=1)),
    Wrong("noise after the ADC", "DC-4", "rounded_output", "analog_to_digital", adc(late_noise=True)),
    Wrong("asymmetry after the noise", "DC-4", "rounded_output", "analog_to_digital",
          adc(late_asymmetry=True)),
    Wrong("mapping scale applied twice", "PP-3", "output_factor", "merged_scale",
          lambda r, s: r * s * s),
    Wrong("bias subtracted", "PP-2", "output", "shifted_output", lambda y, b: y - b),
    Wrong("bias before the learned scale", "PP-2", "output", "shifted_output",
          lambda y, b: y + b * y.dtype.type(1.5)),
    Wrong("bias gradient is a mean", "SU-3", "bias_gradient", "column_totals",
          lambda g: spec.column_totals(g) / g.dtype.type(len(g))),
    Wrong("ADC gate strict", "BP-1", "product_gradient", "adc_gradient", strict_adc_gate),
    Wrong("ADC gate missing", "BP-1", "product_gradient", "adc_gradient", no_adc_gate),
    Wrong("DAC gate strict", "BP-2", "scaled_gradient", "dac_gradient", strict_dac_gate),
    Wrong("weight gradient is a mean", "MV-4", "core_weight_gradient", "outer_product_sum",
          lambda g, d: spec.outer_product_sum(g, d) / g.dtype.type(len(g))),
    Wrong("weight gradient divided by the scale once", "MS-3", "weight_gradient",
          "stored_weight_gradient", lambda g, s: g / s[:, None]),
    Wrong("decay with the wrong sign", "IR-7", "range_rule_with_decay", "range_decay", shrinking),
]  # fmt: skip
RANGED = [
    Wrong("1/r missing", "IR-9", "clipped_input_gradient", "range_input_gradient",
          lambda dv, x, r: spec.range_input_gradient(dv, x, r / r)),
    Wrong("input gate strict", "IR-9", "input_gradient", "range_input_gradient", strict_input_gate),
    Wrong("rule thresholds strict", "IR-4", "range_rule_upper", "range_rule_sums", strict_rule),
    Wrong("rule is a mean", "IR-4", "range_rule_upper", "range_rule_sums", mean_rule),
    Wrong("lower edge with the wrong sign", "IR-5", "range_rule", "range_rule", rule_before_scale),
    Wrong("fraction with the edge", "IR-6", "unclipped_fraction", "unclipped_fraction",
          lambda c, r: np.float32(np.mean(np.abs(c) <= r))),
    Wrong("residual left out", "IR-8", "range_residual", "range_residual",
          lambda out, into, r: 0 * out),
    Wrong("residual with the wrong sign", "IR-8", "range_residual", "range_residual",
          lambda out, into, r: out + into / r),
]  # fmt: skip
MANAGED = [
    Wrong("input scale not taken back", "DC-5", "core_output", "rescaled_output",
          lambda z, sigma, o: z * sigma[:, None] * o),
    Wrong("signed peak", "NM-1", "management_peak", "row_abs_max", spec.row_max),
    Wrong("divisor not capped", "NM-3", "noise_management_scale", "management_scale",
          lambda peak, cap: (np.where(peak > 0, peak, peak.dtype.type(1)), peak > 0)),
    Wrong("bound management multiplies", "BM-1", "input_scale", "input_scale",
          lambda alpha, beta: beta / alpha),
    Wrong("one pass too many", "BM-2", "bound_management_factor", "within_bound",
          lambda t, bound: bool(np.all(np.abs(t) <= bound / bound.dtype.type(4)))),
    Wrong("divisor without derivative", "NM-4", "management_gradient", "management_gradient",
          lambda out, into, sigma, alpha, o: 0 * out),
    Wrong("sign of the peak forgotten", "NM-5", "scaled_input_gradient", "add_peak_gradient",
          lambda dv, g, index, mask, sign: spec.add_peak_gradient(dv, g, index, mask, sign * sign)),
]  # fmt: skip
WRONG = {"narrow": NARROW, "ranged": RANGED, "managed": MANAGED}
"""Mistakes by the configuration that shows them."""
