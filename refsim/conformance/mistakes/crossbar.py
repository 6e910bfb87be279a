"""Wrong chains on either side of the crossbar."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from refsim import spec

from .mistake import mistakes, one


def chain_in(
    scaled: Any = lambda x, r: spec.scaled_input(spec.clipped_input(x, r), r), of: Any = np.isfinite
) -> Any:
    def crossbar_input(x: Any, r: Any, sigma: Any, *dac: Any) -> Any:
        v = x if r is None else scaled(x, r)
        _, d, _ = spec.digital_to_analog(v, sigma, *dac)
        return d, bool(of(x).all() and np.isfinite(d).all())

    return crossbar_input


def without_noise(x: Any, r: Any, sigma: Any, step: Any, bound: Any, *rest: Any) -> Any:
    return spec.crossbar_input(x, r, sigma, step, bound, rest[0], None, *rest[2:])


def chain_out(
    factors: Any = lambda y, kappa, a: (kappa, a),
    bias_first: bool = False,
    clipped_t: bool = False,
    unclipped: bool = False,
) -> Any:
    def crossbar_output(
        d: Any, w: Any, step: Any, bound: Any, rounding: Any, noise: Any, eta: Any, f: Any,
        sigma: Any, out_scale: Any, kappa: Any, a: Any, bias: Any, product: Any = None,
    ) -> Any:  # fmt: skip
        m = spec.matrix_product(d, w)
        t, code = spec.analog_to_digital(m, step, bound, rounding, noise, eta, f)
        y = spec.rescaled_output(t if unclipped else code, sigma, out_scale)
        if bias is not None and bias_first:
            y = y + bias
        for factor in factors(y, kappa, a):
            y = y if factor is None else y * factor
        if bias is not None and not bias_first:
            y = y + bias
        return code if clipped_t else t, y, bool(np.isfinite(t).all() and np.isfinite(y).all())

    return crossbar_output


def merged(y: Any, kappa: Any, a: Any) -> Any:
    return (kappa * a,) if kappa is not None and a is not None else (kappa, a)


def from_float32(d: Any, w: Any, *rest: Any, product: Any = None) -> Any:
    def rounded(x: Any, y: Any) -> Any:
        return np.cumsum(x[:, None] * y[None], axis=2, dtype=x.dtype)[:, :, -1]

    wrong: Any = partial(spec.crossbar_output, product=rounded)
    return wrong(d, w, *rest)


def gradient_out(
    side: Any = lambda t, b: np.abs(t) <= b, code: Any = spec.clip, scaled_by_kappa: bool = False
) -> Any:
    def crossbar_output_gradient(
        g: Any, t: Any, sigma: Any, out_scale: Any, bound: Any, kappa: Any, s: Any
    ) -> Any:
        gz = g if kappa is None else g * kappa
        gm = np.where(side(t, bound), gz * (out_scale / sigma)[:, None], out_scale * 0)
        z = spec.rescaled_output(code(t, bound), sigma, out_scale)
        factor = kappa if scaled_by_kappa else s
        return gm, spec.product_total(g if factor is None else g * factor, z)

    return crossbar_output_gradient


def gradient_in(
    of_q: bool = True,
    of_x: bool = True,
    sums_of: str = "d",
    inside: Any = spec.unclipped_fraction,
) -> Any:
    def crossbar_input_gradient(
        gd: Any, x: Any, r: Any, sigma: Any, step: Any, bound: Any, rounding: Any
    ) -> Any:
        c = spec.clipped_input(x, r)
        v = spec.scaled_input(c, r)
        T = one(x)
        q, _, negative = spec.digital_to_analog(v, sigma, step, bound, rounding, None, T * 0, T)
        level = q if of_q else v * sigma[:, None]
        dv = spec.row_scaled(spec.dac_gradient(gd, level, bound, negative, T), sigma)
        d, dx = spec.range_input_gradient(dv, x, r)
        values = {"d": d, "dx": dx, "dv": dv}[sums_of]
        sums = spec.range_rule_sums(c, values, r)
        finite = bool(np.isfinite(d).all())
        return dx if of_x else d, *sums, spec.product_total(dv, v), inside(c, r), finite

    return crossbar_input_gradient


WRONG = [
    *mistakes(
        "CH-1",
        "crossbar_input",
        divided_before_the_clip=chain_in(lambda x, r: spec.clip(x / r, abs(r))),
        range_not_divided_by=chain_in(spec.clipped_input),
        times_the_reciprocal=chain_in(lambda x, r: spec.clipped_input(x, r) * (one(x) / r)),
        noise_left_out=without_noise,
        infinite_inputs_pass=chain_in(of=lambda x: ~np.isnan(x)),
    ),
    *mistakes(
        "CH-2",
        "crossbar_output",
        scales_merged=chain_out(merged),
        learned_scale_first=chain_out(lambda y, kappa, a: (a, kappa)),
        bias_before_the_scales=chain_out(bias_first=True),
        clipped_levels_returned=chain_out(clipped_t=True),
        levels_not_clipped=chain_out(unclipped=True),
        products_added_in_the_data_type=from_float32,
    ),
    *mistakes(
        "CH-3",
        "crossbar_output_gradient",
        bound_excluded=gradient_out(lambda t, b: np.abs(t) < b),
        no_mask=gradient_out(lambda t, b: t == t),
        sum_of_unclipped_levels=gradient_out(code=lambda t, b: t),
        sum_with_the_range=gradient_out(scaled_by_kappa=True),
    ),
    *mistakes(
        "CH-4",
        "crossbar_input_gradient",
        mask_of_the_unrounded_value=gradient_in(of_q=False),
        not_blocked_at_the_clip=gradient_in(of_x=False),
        sums_of_the_blocked_gradient=gradient_in(sums_of="dx"),
        sums_of_the_scaled_gradient=gradient_in(sums_of="dv"),
        edge_counted_as_inside=gradient_in(
            inside=lambda c, r: (
                np.float32(np.mean(np.abs(c) <= r)) if c.size else np.float32(np.nan)
            )
        ),
    ),
]
