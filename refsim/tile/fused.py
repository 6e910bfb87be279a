"""The forward pass in two fused chains, where nothing needs the stages between them; they are restored for backward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from refsim.config import NoiseManagementType
from refsim.spec.sums import Array, Scalar

from .core import DATA_MANAGED, CoreRecord, Managed, finite, transposed
from .noise import NoiseSource
from .settings import Core


@dataclass
class FusedCore:
    """What a fused forward pass leaves for the backward pass.

    Parameters
    ----------
    settings, x, r, weight
        What the pass used; the input is copied.
    sigma
        Input scale of each row.
    rounding
        Uniform deviates of the input conversion, or None.
    parts
        Converted inputs and rounded outputs of parts of the batch.
    """

    settings: Core
    x: Array
    r: Scalar | None
    weight: Array
    sigma: Array
    rounding: Array | None
    parts: list[tuple[Array, Array]]

    def whole(self) -> tuple[Array, Array]:
        """Converted inputs and rounded outputs of the whole batch."""
        if len(self.parts) > 1:
            d, t = (np.concatenate(arrays) for arrays in zip(*self.parts, strict=True))
            self.parts = [(d, t)]
        return self.parts[0]

    def restored(self, ops: Any) -> tuple[Array, CoreRecord]:
        """The clipped input, and the record that a pass stage by stage would have left.

        The product itself is not known any more; where it was negative matters with an output asymmetry only, and then
        there is no fused pass.
        """
        s, r, x, (d, t) = self.settings, self.r, self.x, self.whole()
        c = x if r is None else ops.clipped_input(x, r)
        v = c if r is None else ops.scaled_input(c, r)
        dac = s.dac.step, s.dac.bound, self.rounding, None, s.dac.noise, s.dac.negative_factor
        q, _, negative = ops.digital_to_analog(v, self.sigma, *dac)
        code = ops.clip(t, s.adc.bound)
        z = ops.rescaled_output(code, self.sigma, s.out_scale)
        managed = Managed(np.ones(len(x), dtype=x.dtype))
        passed = v, self.weight, z, False, managed, self.sigma, q, d, negative, t, t, code
        return c, CoreRecord(s, *passed)


@dataclass
class RangeSums:
    """The sums of the range gradient."""

    upper: Scalar
    lower: Scalar
    fraction: np.float32
    output_sum: Scalar
    input_sum: Scalar


@dataclass
class Gradients:
    """Gradients of the input and of the effective weight, and the sums of the range gradient."""

    x: Array
    weight: Array
    sums: RangeSums


def possible(s: Core, weight: Array) -> bool:
    """Whether a pass needs none of the stages between converters and product."""
    unmanaged = s.noise_management not in DATA_MANAGED and not s.iterative
    symmetric = s.dac.negative_factor == 1 and s.adc.negative_factor == 1
    return unmanaged and symmetric and not s.perfect and weight.ndim == 2


def input_scales(
    ops: Any, s: Core, count: int, T: Any, place: Callable[[Array], Any] = np.asarray
) -> Array:
    """Input scale of each row, which does not depend on the data here, where ``place`` puts arrays."""
    capped = s.noise_management == NoiseManagementType.CONSTANT and s.noise_cap != np.inf
    alpha = np.full(count, s.noise_cap if capped else 1, dtype=T)
    scale: Array = ops.input_scale(place(alpha), T.type(1))
    return scale


def forward(
    ops: Any,
    x: Array,
    r: Scalar | None,
    weight: Array,
    s: Core,
    out_noise: Array,
    noise: NoiseSource,
    kappa: Array | None,
    a: Array | None,
    bias: Array | None,
) -> tuple[FusedCore, Array] | None:
    """The record and the output of the tile, None if anything is not finite."""
    (N, I), O = x.shape, len(weight)
    sigma = input_scales(ops, s, N, x.dtype)
    rounding = noise.rows("inp_sto_round", I, N, 0) if s.dac.stochastic else None
    inp_noise = noise.rows("inp_noise", I, N, 0) if s.dac.noise > 0 else None
    deviates = noise.rows("out_noise", O, N, 0) if (out_noise > 0).any() else None
    out_rounding = noise.rows("out_sto_round", O, N, 0) if s.adc.stochastic else None
    copy, y = np.empty_like(x), np.empty((N, O), x.dtype)
    parts: dict[int, tuple[Array, Array] | None] = {}

    def part(begin: int, end: int) -> None:
        rows = slice(begin, end)
        u, e, v, f = (
            None if given is None else given[rows]
            for given in (rounding, inp_noise, out_rounding, deviates)
        )
        copy[rows], parts[begin] = x[rows], None
        dac = s.dac.step, s.dac.bound, u, e, s.dac.noise, s.dac.negative_factor
        d, finite = ops.crossbar_input(copy[rows], r, sigma[rows], *dac)
        if not finite:
            return
        adc = s.adc.step, s.adc.bound, v, f, out_noise, s.adc.negative_factor
        behind = sigma[rows], s.out_scale, kappa, a, bias
        t, y[rows], finite = ops.crossbar_output(d, weight, *adc, *behind)
        if finite:
            parts[begin] = d, t

    in_parts(ops, part, N, I * O, O)
    done = [found for _, found in sorted(parts.items()) if found is not None]
    if len(done) < len(parts):
        return None
    return FusedCore(s, copy, r, weight, sigma, rounding, done), y


def in_parts(
    ops: Any, part: Callable[[int, int], None], rows: int, work: int, outputs: int
) -> None:
    """Run a part for all rows or, if that is worth it, one for each thread: rows are independent of each other."""
    threads = getattr(ops, "threads", None)
    if threads is None:
        part(0, rows)
    else:
        threads.run(part, rows, rows >= outputs and threads.worth(rows * work))


def backward(
    ops: Any, record: FusedCore, g: Array, kappa: Array | None, s: Array | None, what: str
) -> Gradients | None:
    """Gradients from the one behind the factor ``kappa``; None without a range, or if one is not finite."""
    core, r = record.settings, record.r
    if r is None:
        return None
    adc = record.sigma, core.out_scale, core.adc.bound
    d, t = record.whole()
    gm, output_sum = ops.crossbar_output_gradient(g, t, *adc, kappa, s)
    dw = finite(ops.outer_product_sum(gm, d), f"the weight gradient of {what}")
    gd = transposed(ops, gm, record.weight, what)
    dac = record.sigma, core.dac.step, core.dac.bound, record.rounding
    dx, upper, lower, input_sum, fraction, is_finite = ops.crossbar_input_gradient(
        gd, record.x, r, *dac
    )
    sums = RangeSums(upper, lower, fraction, output_sum, input_sum)
    return Gradients(dx, dw, sums) if is_finite else None
