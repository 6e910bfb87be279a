"""Scales, bias and outputs on the grids of quantisers, and the way back (clauses QU and PP)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from refsim.spec.sums import Array, Scalar

from .core import finite
from .quantisation_manager import Pass, QuantisationManager
from .record import Given
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
class QuantisedGiven(Given):
    """What a pass starts from; the factor behind the core is ``(r s) a``, quantised as the bias is."""

    used: dict[str, Quantised] = field(default_factory=dict)

    @property
    def periphery(self) -> tuple[Array | None, Array | None, Array | None]:
        """The quantised factor and bias; there is no second factor."""
        factor, bias = (
            self.used[name].after if name in self.used else None for name in (SCALE, BIAS)
        )
        return factor, None, bias


def on_grid(manager: QuantisationManager, x: Array, done: Pass) -> Quantised:
    """A value on the grid of a pass."""
    return Quantised(x, manager.quantiser.quantised(x, done.grid), done)


def begun(tile: QuantizedTorchInferenceTile, given: Given) -> QuantisedGiven:
    """The start of a pass with factor and bias on their grids; nothing in the state changes."""
    quantised = QuantisedGiven(**vars(given))
    factor = product(tile.ops, given.kappa, given.a)
    if factor is not None:
        finite(factor, f"the scale of {tile.name}")
        quantised.used[SCALE] = tile.periphery_quantised(SCALE, factor)
    if given.bias is not None:
        finite(given.bias, f"the bias of {tile.name}")
        quantised.used[BIAS] = tile.periphery_quantised(BIAS, given.bias)
    return quantised


def outputs(
    tile: QuantizedTorchInferenceTile, given: QuantisedGiven, z: Array, trace: Trace
) -> tuple[Array, Array]:
    """``z Q(k)`` and ``z Q(k) + Q(b)`` with the factor ``k = (r s) a``."""
    factor, _, bias = given.periphery
    y = scaled = z if factor is None else tile.ops.scaled_output(z, factor)
    if factor is not None:
        trace.add("PP-3", "output_factor", given.used[SCALE].before)
        _trace(tile, SCALE, given, trace)
    trace.add("PP-1", "scaled_output", scaled)
    if bias is not None:
        trace.add("PP-2", "bias", given.bias)
        _trace(tile, BIAS, given, trace)
        y = tile.ops.shifted_output(scaled, bias)
        trace.add("PP-2", "shifted_output", y)
    return scaled, y


def final(
    tile: QuantizedTorchInferenceTile, given: QuantisedGiven, y: Array, trace: Trace
) -> Array:
    """The output on its grid; nothing in the state changes."""
    manager = tile.out_quantizer
    if manager is not None and len(y):
        given.used[OUTPUT] = on_grid(manager, y, manager.begin(y, tile.training))
        _trace(tile, OUTPUT, given, trace)
        y = given.used[OUTPUT].after
    trace.add("PP-2", "output", y)
    return y


def _trace(
    tile: QuantizedTorchInferenceTile, name: str, given: QuantisedGiven, trace: Trace
) -> None:
    """The stages of one quantiser."""
    used = given.used[name]
    if not trace.keeps or used.done is None:
        return
    quantiser, grid = tile.quantizers[name].quantiser, used.done.grid
    typed = quantiser.typed(grid)
    for end, value in zip(("lo", "hi"), used.done.range or (), strict=False):
        trace.add("QU-1", f"{name}_{end}", value)
    trace.add("QU-6", f"{name}_step", typed.scale)
    trace.add("QU-7", f"{name}_zero_point", typed.zero)
    trace.add("QU-8", f"{name}_codes", quantiser.codes(used.before, grid))
    trace.add("QU-9", f"{name}_quantised", used.after)


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
    given: QuantisedGiven,
    z: Array,
    g: Array,
    gradients: dict[str, Array],
    trace: Trace,
) -> tuple[Array, Array]:
    """Gradients of core output and factor from that of the output; fills ``gradients``."""
    ops, used = tile.ops, given.used
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
    h = np.full(1, ops.product_total(g, z)) if common else ops.column_product_totals(g, z)
    finite(h, f"the gradient of the scale of {tile.name}")
    trace.add("SU-2" if common else "SU-4", "quantised_factor_gradient", h)
    dk = _gradient(tile, SCALE, k, h, gradients, trace)
    trace.add("QU-10", "factor_gradient", dk)
    if given.a is not None:
        da = _share(ops, dk, given.kappa, given.a.size)
        gradients["out_scaling_alpha"] = da
        trace.add("PP-3" if da.size == dk.size else "SU-2", "out_scaling_gradient", da)
    return ops.scaled_output(g, k.after), dk


def output_sum(ops: Any, given: QuantisedGiven, dk: Array) -> Scalar:
    """Derivative of the loss with respect to the range as a factor of ``k``."""
    return _share(ops, dk, product(ops, given.s, given.a), 1)[0]


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
