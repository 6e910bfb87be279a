"""Scales, bias and outputs on the grids of quantisers, and the way back (clauses QU and PP)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from refsim.spec.sums import Array, Scalar

from .core import finite
from .quantisation_manager import Pass, QuantisationManager
from .trace import Trace

if TYPE_CHECKING:
    from .quantised_torch_inference import QuantizedTorchInferenceTile

SCALE, BIAS, OUTPUT = "scale_quantizer", "bias_quantizer", "out_quantizer"


@dataclass
class Quantised:
    """A value before and after its quantiser, and the pass of that; no pass without a quantiser."""

    before: Array
    after: Array
    done: Pass | None = None


@dataclass
class QuantisedOutputs:
    """The output of the tile, and what the way back needs: the factor is ``(r s) a``."""

    y: Array
    z: Array
    s: Array | None
    kappa: Array | None
    a: Array | None
    used: dict[str, Quantised] = field(default_factory=dict)


def quantised(
    manager: QuantisationManager | None, x: Array, done: Pass | None, name: str, trace: Trace
) -> Quantised:
    """A value on the grid of a pass, or as it is without a quantiser."""
    if manager is None or done is None:
        return Quantised(x, x)
    y = manager.quantiser.quantised(x, done.grid)
    if trace.keeps:
        typed = manager.quantiser.typed(done.grid)
        for end, value in zip(("lo", "hi"), done.range or (), strict=False):
            trace.add("QU-1", f"{name}_{end}", value)
        for clause, stage, value in (
            ("QU-6", "step", typed.scale),
            ("QU-7", "zero_point", typed.zero),
            ("QU-8", "codes", manager.quantiser.codes(x, done.grid)),
            ("QU-9", "quantised", y),
        ):
            trace.add(clause, f"{name}_{stage}", value)
    return Quantised(x, y, done)


def forward(
    tile: QuantizedTorchInferenceTile, z: Array, kappa: Array | None, trace: Trace
) -> QuantisedOutputs:
    """``Q(z Q(k) + Q(b))`` with the factor ``k = (r s) a``; nothing in the state changes."""
    s, a = (_copied(tile, name) for name in ("mapping_scales", "out_scaling_alpha"))
    out, b = QuantisedOutputs(z, z, s, kappa, a), _copied(tile, "bias")
    factor = product(tile.ops, kappa, a)
    if factor is not None:
        trace.add("PP-3", "output_factor", finite(factor, f"the scale of {tile.name}"))
        out.used[SCALE] = tile.periphery_quantised(SCALE, factor, trace)
        out.y = tile.ops.scaled_output(z, out.used[SCALE].after)
    trace.add("PP-1", "scaled_output", out.y)
    if b is not None:
        trace.add("PP-2", "bias", finite(b, f"the bias of {tile.name}"))
        out.used[BIAS] = tile.periphery_quantised(BIAS, b, trace)
        out.y = tile.ops.shifted_output(out.y, out.used[BIAS].after)
        trace.add("PP-2", "shifted_output", out.y)
    if tile.out_quantizer is not None and len(z):
        finite(out.y, f"the output of {tile.name}")
        done = tile.out_quantizer.begin(out.y, tile.training)
        out.used[OUTPUT] = quantised(tile.out_quantizer, out.y, done, OUTPUT, trace)
        out.y = out.used[OUTPUT].after
    trace.add("PP-2", "output", out.y)
    return out


def _copied(tile: QuantizedTorchInferenceTile, name: str) -> Array | None:
    value = tile.value(name)
    return None if value is None else value.copy()


def product(ops: Any, *factors: Array | None) -> Array | None:
    """Factors ``(1,)`` or ``(O,)`` multiplied left to right, absent ones left out."""
    present = [factor for factor in factors if factor is not None]
    if not present:
        return None
    result = present[0]
    for factor in present[1:]:
        result = ops.merged_scale(result, factor)
    return result


def backward(
    tile: QuantizedTorchInferenceTile,
    outputs: QuantisedOutputs,
    g: Array,
    gradients: dict[str, Array],
    trace: Trace,
) -> tuple[Array, Array]:
    """Gradients of core output and factor from that of the output; fills ``gradients``."""
    ops, used = tile.ops, outputs.used
    if OUTPUT in used:
        g = _gradient(tile, OUTPUT, used[OUTPUT], g, gradients, trace)
    if BIAS in used:
        total = finite(ops.column_totals(g), f"the gradient of the bias of {tile.name}")
        trace.add("SU-3", "quantised_bias_gradient", total)
        gradients["bias"] = _gradient(tile, BIAS, used[BIAS], total, gradients, trace)
        trace.add("QU-10", "bias_gradient", gradients["bias"])
    if SCALE not in used:
        return g, np.zeros(1, tile.dtype)
    k = used[SCALE]
    common = k.before.size == 1
    h = (
        np.full(1, ops.product_total(g, outputs.z))
        if common
        else ops.column_product_totals(g, outputs.z)
    )
    finite(h, f"the gradient of the scale of {tile.name}")
    trace.add("SU-2" if common else "SU-4", "quantised_factor_gradient", h)
    dk = _gradient(tile, SCALE, k, h, gradients, trace)
    trace.add("QU-10", "factor_gradient", dk)
    if outputs.a is not None:
        da = _share(ops, dk, outputs.kappa, outputs.a.size)
        gradients["out_scaling_alpha"] = da
        trace.add("PP-3" if da.size == dk.size else "SU-2", "out_scaling_gradient", da)
    return ops.scaled_output(g, k.after), dk


def output_sum(ops: Any, outputs: QuantisedOutputs, dk: Array) -> Scalar:
    """Derivative of the loss with respect to the range as a factor of ``k``."""
    return _share(ops, dk, product(ops, outputs.s, outputs.a), 1)[0]


def _share(ops: Any, dk: Array, others: Array | None, size: int) -> Array:
    """Gradient of a factor of ``k`` with ``size`` elements, from that of ``k`` and the product of the other factors."""
    if size == dk.size:
        return dk.copy() if others is None else ops.merged_scale(dk, others)
    if others is None:
        return np.full(1, ops.total(dk))
    return np.full(1, ops.product_total(dk, np.array(np.broadcast_to(others, dk.shape))))


def _gradient(
    tile: QuantizedTorchInferenceTile,
    name: str,
    value: Quantised,
    g: Array,
    gradients: dict[str, Array],
    trace: Trace,
) -> Array:
    """Gradient before a quantiser; those of its parameters are filled in if they are learned."""
    manager = tile.quantizers.get(name)
    if manager is None or value.done is None:
        return g
    found = manager.quantiser.gradients(g, value.before, value.done.grid)
    trace.add("QU-10", f"{name}_gradient", found.x)
    if value.done.learns:
        gradients[f"{name}.delta"] = found.delta
        trace.add("QU-12", f"{name}_delta_gradient", found.delta)
        if found.zero_float is not None:
            gradients[f"{name}.zero_float"] = found.zero_float
            trace.add("QU-14", f"{name}_zero_float_gradient", found.zero_float)
    return found.x
