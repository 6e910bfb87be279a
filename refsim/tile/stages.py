"""The stages of a trace, clause by clause; nothing here runs without a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from refsim.config import NoiseManagementType, WeightModifierType
from refsim.spec.sums import Array, Scalar

from .noise import NoiseSource
from .settings import Converter, Core
from .trace import Trace

if TYPE_CHECKING:
    from .core import CoreRecord, Managed

PRODUCT = {2: "MV-1", 3: "MV-2"}
TRANSPOSED = {2: "MV-3", 3: "MV-5"}
MODIFIER = {
    WeightModifierType.ADD_NORMAL: "WM-2",
    WeightModifierType.MULT_NORMAL: "WM-3",
    WeightModifierType.DISCRETIZE: "WM-4",
}


SHARED = {
    *("inp_noise", "inp_sto_round", "out_noise", "out_sto_round", "weight_noise"),
    *("weight_sto_round", "core_output", "scaled_output", "output", "core_weight_gradient"),
}
"""Arrays that a caller gave or gets, or may get as they are: a trace copies them."""


def _add(trace: Trace, *stages: tuple[str, str, Any], own: bool = True) -> None:
    """Append the stages that are there; without ``own`` all are copied."""
    for clause, name, value in stages:
        if value is not None:
            trace.add(clause, name, value, own=own and name not in SHARED)


def _levels(value: Array, converter: Converter) -> Array | None:
    """Numbers of the grid points of rounded values, None without a grid."""
    return np.rint(value / converter.step) if converter.step else None


def clipped(trace: Trace, x: Array, r: Scalar | None, c: Array, v: Array) -> None:
    """Clip and scale of the input."""
    mask = None if r is None else np.abs(x) > np.abs(r)
    _add(
        trace,
        ("IR-2", "clip_mask", mask),
        ("IR-2", "clipped_input", c),
        ("IR-3", "scaled_input", v),
    )


def modified(trace: Trace, config: Any, noise: NoiseSource, weight: Array) -> None:
    """Weight noise and the effective weight, which without a modifier is the stored one."""
    kind = config.modifier.type if hasattr(config, "modifier") else WeightModifierType.NONE
    clause, used = MODIFIER.get(kind, "WM-2"), noise.used
    _add(
        trace,
        (clause, "weight_noise", used.get("weight_noise")),
        (clause, "weight_sto_round", used.get("weight_sto_round")),
        (clause, "effective_weight", weight),
    )


def management(trace: Trace, managed: Managed, s: Core) -> None:
    """Noise management: peaks, where they stand, and divisors."""
    peak = "NM-2" if s.noise_management == NoiseManagementType.MAX else "NM-1"
    _add(
        trace,
        (peak, "management_peak", managed.peak),
        (peak, "management_index", managed.index),
        ("NM-3", "management_mask", managed.differentiable),
        ("NM-3", "noise_management_scale", managed.alpha),
    )


def one_pass(
    trace: Trace,
    r: CoreRecord,
    beta: Scalar,
    inp_rounding: Array | None,
    inp_noise: Array | None,
    out_noise: Array | None,
    out_rounding: Array | None,
    *,
    own: bool = True,
) -> None:
    """One pass of bound management; not ``own`` are the arrays of a record that the next pass changes."""
    assert r.q is not None
    assert r.t is not None
    dac, adc = r.settings.dac, r.settings.adc
    _add(
        trace,
        ("BM-1", "bound_management_factor", beta),
        ("BM-1", "input_scale", r.sigma),
        ("DC-3", "inp_sto_round", inp_rounding),
        ("DC-3", "rounded_input", r.q),
        ("DC-3", "input_level", _levels(r.q, dac)),
        ("DC-3", "dac_clip_mask", np.abs(r.q) > dac.bound),
        ("DC-3", "inp_noise", inp_noise),
        ("DC-3", "negative_mask", r.negative),
        ("DC-3", "converted_input", r.d),
        (PRODUCT[r.weight.ndim], "product", r.m),
        ("DC-4", "out_noise", out_noise),
        ("DC-4", "out_sto_round", out_rounding),
        ("DC-4", "rounded_output", r.t),
        ("DC-4", "output_level", _levels(r.t, adc)),
        ("DC-4", "adc_clip_mask", np.abs(r.t) > adc.bound),
        ("DC-4", "output_code", r.code),
        ("DC-5", "core_output", r.z),
        own=own,
    )


def periphery(
    trace: Trace, kappa: Array | None, scaled: Array, a: Array | None, b: Array | None, y: Array
) -> None:
    """Scales, bias and output."""
    _add(
        trace,
        ("PP-3", "output_factor", kappa),
        ("PP-1", "scaled_output", scaled),
        ("PP-1", "out_scaling_alpha", a),
        ("PP-2", "bias", b),
        ("PP-2", "output", y),
    )


def core_gradients(
    trace: Trace, r: CoreRecord, gm: Array, dw: Array, gd: Array, ga: Array, dv: Array
) -> None:
    """Gradients through the converters and the product."""
    assert r.q is not None
    assert r.t is not None
    _add(
        trace,
        ("BP-1", "adc_pass_mask", np.abs(r.t) <= r.settings.adc.bound),
        ("BP-1", "product_gradient", gm),
        ("MV-4", "core_weight_gradient", dw),
        (TRANSPOSED[r.weight.ndim], "converted_input_gradient", gd),
        ("BP-2", "dac_pass_mask", np.abs(r.q) <= r.settings.dac.bound),
        ("BP-2", "scaled_gradient", ga),
        ("PP-4", "unmanaged_gradient", dv),
    )
