"""The analog core with its converters on the autograd path: scaled input to core output, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refsim.config import NoiseManagementType
from refsim.errors import StateError
from refsim.spec.sums import Array, Scalar

from . import stages
from .noise import NoiseSource
from .settings import Core
from .trace import Trace

DATA_MANAGED = (NoiseManagementType.ABS_MAX, NoiseManagementType.MAX)


@dataclass
class Managed:
    """Noise management of a batch: divisor, the peak it came from, and where it has a derivative."""

    alpha: Array
    index: NDArray[np.int64] | None = None
    differentiable: NDArray[np.bool_] | None = None
    sign: Array | None = None
    peak: Array | None = None


@dataclass
class CoreRecord:
    """What the backward pass needs of a forward pass through the core."""

    settings: Core
    v: Array
    weight: Array
    z: Array
    shortcut: bool = False
    managed: Managed | None = None
    sigma: Array | None = None
    q: Array | None = None
    d: Array | None = None
    negative: NDArray[np.bool_] | None = None
    m: Array | None = None
    t: Array | None = None
    code: Array | None = None


@dataclass
class CoreGradient:
    """Gradients at the two ends of the core; no weight gradient after the all-zero shortcut."""

    v: Array
    weight: Array | None


def finite(value: Any, what: str) -> Any:
    """The value; a :class:`StateError` if a sum overflowed or met NaN or infinity."""
    if not np.isfinite(value).all():
        raise StateError(
            f"{what} overflows {np.asarray(value).dtype} or is not a number; values must stay finite."
        )
    return value


def product(ops: Any, d: Array, weight: Array, what: str) -> Array:
    """Analog product of converted inputs and weights, one weight matrix for all rows or one each."""
    forward = ops.matrix_product if weight.ndim == 2 else ops.per_sample_product
    result = forward(d, weight)
    if np.isfinite(result).all():
        return result
    if not np.isfinite(weight).all():
        raise StateError(
            f"the weight of {what} contains NaN or infinity, allowed are finite numbers."
        )
    return finite(result, f"the analog product of {what}")


def transposed(ops: Any, g: Array, weight: Array, what: str) -> Array:
    """Gradient of the converted inputs."""
    backward = ops.transposed_product if weight.ndim == 2 else ops.per_sample_transposed_product
    return finite(backward(g, weight), f"the input gradient of {what}")


def noise_management(ops: Any, v: Array, s: Core) -> tuple[Managed, bool]:
    """Divisor of each row, and whether the all-zero shortcut applies."""
    T = v.dtype
    if s.noise_management == NoiseManagementType.CONSTANT and s.noise_cap != np.inf:
        return Managed(np.full(len(v), s.noise_cap, dtype=T)), False
    if s.noise_management not in DATA_MANAGED:
        return Managed(np.ones(len(v), dtype=T)), False
    absolute = s.noise_management == NoiseManagementType.ABS_MAX
    peak, index = ops.row_abs_max(v) if absolute else ops.row_max(v)
    alpha, differentiable = ops.management_scale(peak, s.noise_cap)
    sign = np.sign(v[np.arange(len(v)), index]) if absolute else np.ones(len(v), dtype=T)
    shortcut = len(v) > 0 and not bool(peak.any()) and bool(s.dac.noise <= 0)
    return Managed(alpha, index, differentiable, sign, peak), shortcut


def forward(
    ops: Any,
    v: Array,
    weight: Array,
    s: Core,
    out_noise: Array,
    noise: NoiseSource,
    trace: Trace,
    what: str,
) -> CoreRecord:
    """Core output of scaled inputs ``(N, I)`` and effective weights ``(O, I)`` or ``(N, O, I)``."""
    N, O, T = len(v), weight.shape[-2], v.dtype
    if s.perfect:
        z = product(ops, v, weight, what)
        trace.add(stages.PRODUCT[weight.ndim], "product", z)
        return CoreRecord(s, v, weight, z)
    managed, shortcut = noise_management(ops, v, s)
    if trace.keeps:
        stages.management(trace, managed, s)
    if shortcut:
        z = np.zeros((N, O), dtype=T)
        trace.add("DC-5", "core_output", z)
        return CoreRecord(s, v, weight, z, shortcut=True, managed=managed)
    pass_, beta = 0, 1
    while True:
        record = one_pass(
            ops, v, weight, s, managed, T.type(beta), out_noise, noise, pass_, trace, what
        )
        if not s.iterative:
            return record
        within = ops.within_bound(record.t, s.adc.bound)
        trace.add("BM-2", "within_bound", within)
        if within or beta > s.beta_limit:
            return record
        pass_, beta = pass_ + 1, 2 * beta


def one_pass(
    ops: Any,
    v: Array,
    weight: Array,
    s: Core,
    managed: Managed,
    beta: Scalar,
    out_noise: Array,
    noise: NoiseSource,
    pass_: int,
    trace: Trace,
    what: str,
) -> CoreRecord:
    """One pass of bound management: convert, multiply, convert back, rescale."""
    (N, I), O = v.shape, weight.shape[-2]
    sigma = finite(ops.input_scale(managed.alpha, beta), f"the input scale of {what}")
    inp_rounding = noise.rows("inp_sto_round", I, N, pass_) if s.dac.stochastic else None
    inp_noise = noise.rows("inp_noise", I, N, pass_) if s.dac.noise > 0 else None
    q, d, negative = ops.digital_to_analog(
        v,
        sigma,
        s.dac.step,
        s.dac.bound,
        inp_rounding,
        inp_noise,
        s.dac.noise,
        s.dac.negative_factor,
    )
    m = product(ops, d, weight, what)
    deviates = noise.rows("out_noise", O, N, pass_) if (out_noise > 0).any() else None
    rounding = noise.rows("out_sto_round", O, N, pass_) if s.adc.stochastic else None
    t, code = ops.analog_to_digital(
        m, s.adc.step, s.adc.bound, rounding, deviates, out_noise, s.adc.negative_factor
    )
    z = finite(ops.rescaled_output(code, sigma, s.out_scale), f"the core output of {what}")
    record = CoreRecord(s, v, weight, z, False, managed, sigma, q, d, negative, m, t, code)
    if trace.keeps:
        stages.one_pass(trace, record, beta, inp_rounding, inp_noise, deviates, rounding)
    return record


def backward(ops: Any, record: CoreRecord, g: Array, trace: Trace, what: str) -> CoreGradient:
    """Gradients of scaled input and effective weight from the gradient ``(N, O)`` of the core output."""
    r, s = record, record.settings
    if r.shortcut:
        return CoreGradient(np.zeros_like(r.v), None)
    if s.perfect:
        dw = finite(ops.outer_product_sum(g, r.v), f"the weight gradient of {what}")
        dv = transposed(ops, g, r.weight, what)
        trace.add("MV-4", "core_weight_gradient", dw)
        trace.add(stages.TRANSPOSED[r.weight.ndim], "scaled_input_gradient", dv)
        return CoreGradient(dv, dw)
    gm = ops.adc_gradient(g, r.sigma, s.out_scale, r.t, s.adc.bound, r.m, s.adc.negative_factor)
    dw = finite(ops.outer_product_sum(gm, r.d), f"the weight gradient of {what}")
    gd = transposed(ops, gm, r.weight, what)
    ga = ops.dac_gradient(gd, r.q, s.dac.bound, r.negative, s.dac.negative_factor)
    assert r.managed is not None
    dv = ops.row_scaled(ga, r.sigma)
    if trace.keeps:
        stages.core_gradients(trace, r, gm, dw, gd, ga, dv)
    if r.managed.index is not None:
        dv = management_term(ops, r, g, ga, dv, trace)
    return CoreGradient(finite(dv, f"the input gradient of {what}"), dw)


def management_term(ops: Any, r: CoreRecord, g: Array, ga: Array, dv: Array, trace: Trace) -> Array:
    """The input gradient with the derivative of the management divisor added."""
    assert r.managed is not None
    output_sum, input_sum = ops.row_product_totals(g, r.code), ops.row_product_totals(ga, r.v)
    dalpha = ops.management_gradient(
        output_sum, input_sum, r.sigma, r.managed.alpha, r.settings.out_scale
    )
    m = r.managed
    result: Array = ops.add_peak_gradient(dv, dalpha, m.index, m.differentiable, m.sign)
    for clause, name, value in (
        ("SU-5", "management_output_sum", output_sum),
        ("SU-5", "management_input_sum", input_sum),
        ("NM-4", "management_gradient", dalpha),
        ("NM-5", "scaled_input_gradient", result),
    ):
        trace.add(clause, name, value)
    return result
