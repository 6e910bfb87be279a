"""The compiled core of the manual path: noise and bound management of each row by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refsim.config import NoiseManagementType as NM
from refsim.spec.sums import Array, Scalar

from . import stages
from .core import CoreRecord, Managed, finite, product
from .manual_settings import RowCore
from .noise import NoiseSource
from .trace import Trace

Rows = NDArray[np.int64]


@dataclass
class RowRecord(CoreRecord):
    """A pass through the compiled core; ``average`` is the running peak after it, None if there is none."""

    average: Scalar | None = None


def forward(
    ops: Any,
    v: Array,
    weight: Array,
    s: RowCore,
    out_noise: Array,
    noise: NoiseSource,
    trace: Trace,
    what: str,
    average: Scalar | None = None,
) -> RowRecord:
    """Core output of ``(N, I)`` and weights ``(O, I)`` or ``(N, O, I)``; rows with nothing to divide by give zeros."""
    if s.perfect:
        z = product(ops, v, weight, what)
        trace.add(stages.PRODUCT[weight.ndim], "product", z)
        if s.keeps_out_scale:
            z = finite(ops.scaled_output(z, np.full(1, s.out_scale)), f"the core output of {what}")
            trace.add("PP-1", "core_output", z)
        return RowRecord(s, v, weight, z)
    managed, average = noise_management(ops, v, s, average)
    finite(managed.alpha, f"the noise management of {what}")
    if trace.keeps:
        row_management(trace, managed, s)
    record = _empty(v, weight, s, managed, average)
    rows, pass_, beta = np.flatnonzero(managed.alpha > 0), 0, 1
    while True:
        passed = _Pass(ops, record, rows, pass_, out_noise, noise, what)
        passed.run(v.dtype.type(beta), trace)
        if not s.iterative:
            return record
        within = ops.rows_within_bound(passed.t, s.adc.bound, s.tests_negative)
        trace.add("BM-3", "within_bound", within)
        rows = rows[~within]
        if not rows.size or beta > s.beta_limit:
            return record
        if pass_ == 0 and switches(s):
            rows = _switched(ops, record, rows)
        else:
            beta *= 2
        pass_ += 1


def switches(s: RowCore) -> bool:
    """Whether the second pass takes the sums of the rows in place of their usual divisor."""
    return s.worst_case and s.noise_management not in (NM.NONE, NM.ABS_MAX_NP_SUM)


def sum_scale(ops: Any, v: Array, s: RowCore) -> Array:
    """Divisor that bounds the output in the worst case."""
    peak, _ = ops.row_abs_max(v)
    return ops.sum_management_scale(peak, ops.row_sum_peak(v), s.sum_factor, s.sum_limit)


def _switched(ops: Any, r: RowRecord, rows: Rows) -> Rows:
    """The rows that go on with the sums as divisors; those without a positive one give zeros from now on."""
    assert r.managed is not None
    assert isinstance(r.settings, RowCore)
    alpha = sum_scale(ops, r.v[rows], r.settings)
    r.managed.alpha[rows] = alpha
    for array in (r.sigma, r.q, r.d, r.negative, r.m, r.t, r.code, r.z):
        assert array is not None
        array[rows[alpha <= 0]] = 0
    return rows[alpha > 0]


def noise_management(
    ops: Any, v: Array, s: RowCore, average: Scalar | None
) -> tuple[Managed, Scalar | None]:
    """Divisor of each row, not positive for a row that gives zeros, and the running peak after the batch."""
    T, kind = v.dtype, s.noise_management
    if kind in (NM.NONE, NM.CONSTANT):
        constant = s.noise_cap if kind is NM.CONSTANT and s.noise_cap != np.inf else 1
        return Managed(np.full(len(v), constant, dtype=T)), average
    if kind is NM.ABS_MAX_NP_SUM:
        return Managed(sum_scale(ops, v, s)), average
    peak, index = ops.row_max(v) if kind is NM.MAX else ops.row_abs_max(v)
    if kind is NM.AVERAGE_ABS_MAX:
        assert average is not None
        alpha = ops.running_peak(peak, average, s.keep, s.weight)
        return Managed(alpha, index, peak=peak), alpha[-1] if len(alpha) else average
    capped, _ = ops.management_scale(peak, s.noise_cap)
    return Managed(np.where(peak > 0, capped, peak), index, peak=peak), average


def row_management(trace: Trace, managed: Managed, s: RowCore) -> None:
    """The stages of noise management."""
    if managed.peak is not None:
        peak = "NM-2" if s.noise_management is NM.MAX else "NM-1"
        trace.add(peak, "management_peak", managed.peak)
        trace.add(peak, "management_index", managed.index)
    divisor = {NM.ABS_MAX_NP_SUM: "NM-7", NM.AVERAGE_ABS_MAX: "NM-8"}
    clause = divisor.get(s.noise_management, "NM-3")
    trace.add(clause, "noise_management_scale", managed.alpha)


def _empty(
    v: Array, weight: Array, s: RowCore, managed: Managed, average: Scalar | None
) -> RowRecord:
    """The record before the first pass, zeros throughout."""
    N, O, T = len(v), weight.shape[-2], v.dtype
    inputs, outputs = [np.zeros_like(v) for _ in range(2)], [np.zeros((N, O), T) for _ in range(4)]
    return RowRecord(
        settings=s,
        v=v,
        weight=weight,
        z=outputs[0],
        managed=managed,
        sigma=np.zeros(N, T),
        q=inputs[0],
        d=inputs[1],
        negative=np.zeros(v.shape, np.bool_),
        m=outputs[1],
        t=outputs[2],
        code=outputs[3],
        average=average,
    )


@dataclass
class _Pass:
    """One pass of bound management over the rows that still need one."""

    ops: Any
    record: RowRecord
    rows: Rows
    number: int
    out_noise: Array
    noise: NoiseSource
    what: str

    def run(self, beta: Scalar, trace: Trace) -> None:
        """Convert, multiply, convert back, rescale, and put the rows into the record."""
        ops, r, rows = self.ops, self.record, self.rows
        assert r.managed is not None
        s, v, weight = r.settings, r.v[rows], r.weight if r.weight.ndim == 2 else r.weight[rows]
        sigma = finite(
            ops.input_scale(r.managed.alpha[rows], beta), f"the input scale of {self.what}"
        )
        u, xi = self._drawn("inp", v.shape[1], bool(s.dac.noise > 0), s.dac.stochastic)
        q, d, negative = ops.digital_to_analog(
            v, sigma, s.dac.step, s.dac.bound, u, xi, s.dac.noise, s.dac.negative_factor
        )
        m = product(ops, d, weight, self.what)
        w, zeta = self._drawn("out", m.shape[1], bool((self.out_noise > 0).any()), s.adc.stochastic)
        self.t, code = ops.analog_to_digital(
            m, s.adc.step, s.adc.bound, w, zeta, self.out_noise, s.adc.negative_factor
        )
        z = finite(ops.rescaled_output(code, sigma, s.out_scale), f"the core output of {self.what}")
        found = {"sigma": sigma, "q": q, "d": d, "negative": negative, "m": m, "t": self.t}
        for name, value in (found | {"code": code, "z": z}).items():
            getattr(r, name)[rows] = value
        if trace.keeps:
            u, xi, zeta, w = (self.noise.latest(name, self.number) for name in STAGED)
            stages.one_pass(trace, r, beta, u, xi, zeta, w, own=False)

    def _drawn(
        self, side: str, columns: int, noisy: bool, stochastic: bool
    ) -> tuple[Array | None, Array | None]:
        """Uniforms and deviates of the rows of this pass, None where they are not needed."""
        total = len(self.record.v)

        def rows(name: str, needed: bool) -> Array | None:
            if not needed:
                return None
            return self.noise.rows(name, columns, total, self.number)[self.rows]

        return rows(f"{side}_sto_round", stochastic), rows(f"{side}_noise", noisy)


STAGED = ("inp_sto_round", "inp_noise", "out_noise", "out_sto_round")
