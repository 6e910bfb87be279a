"""Device arrays in a tile: a fused pass leaves them on the device, any other goes through the host.

A backend that computes on a device has ``resident``, which holds what is needed for that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from refsim.errors import InputError, ShapeError
from refsim.spec.sums import Array

from . import fused
from .core import finite
from .fused import FusedCore, Gradients, RangeSums
from .noise import DEVIATES, NoiseSource
from .record import Given
from .trace import NoTrace


class DeviceNoise(NoiseSource):
    """Noise of inputs and outputs that is made where it is needed."""

    def _addressed(self, name: str, count: int, pass_: int) -> Array:
        if name.startswith("weight"):
            return super()._addressed(name, count, pass_)
        address = self.seed, self.stream(name), self.step, pass_, count
        found: Array = self.ops.resident.deviates(name in DEVIATES, *address, self.T)
        return found


def concerns(ops: Any, x: object) -> bool:
    """Whether an array is on the device of the backend."""
    resident = getattr(ops, "resident", None)
    return resident is not None and bool(resident.is_device_array(x))


def in_place(ops: Any, x: Any) -> Any:
    """An array of the device of the backend in place, anything else as NumPy has it."""
    return ops.resident.taken(x) if concerns(ops, x) else np.asarray(x)


def all_finite(ops: Any, x: Any) -> bool:
    """Whether no number is NaN or infinite, on the device or not."""
    return bool(ops.resident.all_finite(x) if concerns(ops, x) else np.isfinite(x).all())


def as_rows(ops: Any, x: Any, T: np.dtype[Any], columns: int, name: str) -> tuple[Any, Any]:
    """Batch ``(..., columns)`` as ``(N, columns)`` in place, and its leading shape."""
    found = ops.resident.taken(x)
    if found.dtype != T:
        raise InputError(f"{name} has dtype {found.dtype}, allowed are device arrays of {T}.")
    shape = tuple(found.shape)
    if not shape or shape[-1] != columns:
        raise ShapeError(f"{name} has shape {shape}, allowed is (..., {columns}).")
    return ops.resident.rows(found, math.prod(shape[:-1]), columns), shape[:-1]


def on_host(ops: Any, value: Any) -> Any:
    """The value, copied to the host if it is on the device."""
    return ops.resident.on_host(value) if concerns(ops, value) else value


def through_host(method: Any, ops: Any, x: Any, *, trace: bool, **options: Any) -> Any:
    """Runs a method of a tile on a copy on the host; the result is on the device again, a trace is not."""
    result = method(on_host(ops, x), trace=trace, **options)
    if trace:
        return ops.resident.copied_there(result[0]), result[1]
    return ops.resident.copied_there(result)


def forward(tile: Any, x: Any, noise: Mapping[str, object] | None) -> Any | None:
    """Output of a fused pass on the device, None if there is none or if something is not finite."""
    ops, resident = tile.ops, tile.ops.resident
    s, range_settings = tile._current_settings()
    tile.check_live()
    tile.check_step()
    rows, lead = as_rows(ops, x, tile.dtype, tile.in_size, "x")
    if not tile.stays_on_device(s, range_settings):
        return None
    source = DeviceNoise(ops, tile.seed, tile.step, tile.dtype, lead, s.iterative, noise)
    with np.errstate(all="ignore"):
        r, counter = tile._current_range(rows, range_settings, NoTrace())
        given = tile._given(lead, rows, r, range_settings)
        weight = tile.modified_weight(source, len(rows))
        if not fused.possible(s, weight):
            return None
        weight = resident.uploaded(weight)  # has arrived when the pass knows that all is finite
        record = FusedCore(s, rows, r, weight, np.empty(0), None, [])
        y = _chain(ops, record, tile._out_noise(s), source, given)
    if y is None:
        return None
    given.x = record.x = resident.copied(rows, tile.dtype)
    tile._record = given, record
    tile._commit(rows, r, counter, given)
    return resident.leaving(y.reshape(*lead, tile.out_size))


def _chain(
    ops: Any, record: FusedCore, out_noise: Array, noise: NoiseSource, given: Given
) -> Any | None:
    """The output, and in the record what the way back needs; None if something is not finite."""
    s, (N, I), O = record.settings, record.x.shape, record.weight.shape[0]
    record.sigma = fused.input_scales(ops, s, N, record.x.dtype, ops.resident.on_device)
    record.rounding = noise.rows("inp_sto_round", I, N, 0) if s.dac.stochastic else None
    inp_noise = noise.rows("inp_noise", I, N, 0) if s.dac.noise > 0 else None
    deviates = noise.rows("out_noise", O, N, 0) if (out_noise > 0).any() else None
    out_rounding = noise.rows("out_sto_round", O, N, 0) if s.adc.stochastic else None
    dac = s.dac.step, s.dac.bound, record.rounding, inp_noise, s.dac.noise, s.dac.negative_factor
    d, finite_ = ops.crossbar_input(record.x, record.r, record.sigma, *dac)
    if not finite_:
        return None
    adc = s.adc.step, s.adc.bound, out_rounding, deviates, out_noise, s.adc.negative_factor
    behind = record.sigma, s.out_scale, *given.periphery
    t, y, finite_ = ops.crossbar_output(d, record.weight, *adc, *behind)
    record.parts = [(d, t)]
    return y if finite_ else None


def is_resident(tile: Any) -> bool:
    """Whether the last forward pass left its arrays on the device."""
    record = tile._record[1] if tile._record else None
    return isinstance(record, FusedCore) and concerns(tile.ops, record.x)


def fetch(tile: Any) -> None:
    """Copies what the last forward pass left on the device to the host."""
    given, record = tile._record
    for name in ("x", "weight", "sigma", "rounding"):
        setattr(record, name, on_host(tile.ops, getattr(record, name)))
    record.parts = [tuple(on_host(tile.ops, x) for x in part) for part in record.parts]
    given.x = record.x


def backward(tile: Any, dy: Any) -> Any | None:
    """Gradient of the input on the device, and those of the parameters in the tile; None if the way is not fused."""
    ops, (given, record) = tile.ops, tile._record
    g, lead = as_rows(ops, dy, tile.dtype, tile.out_size, "dy")
    if lead != given.lead:
        expected = (*given.lead, tile.out_size)
        raise ShapeError(f"dy has shape {tuple(dy.shape)}, allowed is {expected}.")
    grows = given.range is not None and given.range.grows
    if grows or record.r is None or not tile._fuses_back(given) or not ops.resident.all_finite(g):
        return None
    with np.errstate(all="ignore"):
        back = _gradients(ops, record, g, given, tile.name)
        if back is None:
            return None
        new = tile._fused_gradients(given, back, g)
        sums = {name: tile._accumulated(name, on_host(ops, value)) for name, value in new.items()}
    tile.gradients.update(sums)
    tile._finish(given)
    return ops.resident.leaving(back.x.reshape(*lead, tile.in_size))


def _gradients(ops: Any, record: FusedCore, g: Any, given: Given, what: str) -> Gradients | None:
    s, (d, t) = record.settings, record.parts[0]
    adc = record.sigma, s.out_scale, s.adc.bound
    gm, output_sum = ops.crossbar_output_gradient(g, t, *adc, given.kappa, given.s)
    dw = on_host(ops, ops.outer_product_sum(gm, d))
    finite(dw, f"the weight gradient of {what}")
    gd = ops.transposed_product(gm, record.weight)
    if not ops.resident.all_finite(gd):
        finite(record.x.dtype.type(np.inf), f"the input gradient of {what}")
    dac = record.sigma, s.dac.step, s.dac.bound, record.rounding
    dx, upper, lower, input_sum, fraction, is_finite = ops.crossbar_input_gradient(
        gd, record.x, record.r, *dac
    )
    sums = RangeSums(upper, lower, fraction, output_sum, input_sum)
    return Gradients(dx, dw, sums) if is_finite else None
