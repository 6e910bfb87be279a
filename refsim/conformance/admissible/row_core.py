"""The compiled core of the manual path on sets, which manages each row by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from refsim.errors import ShapeError
from refsim.tile.manual_settings import RowCore
from refsim.tile.row_core import Rows, switches

from .core import core_outputs, one_pass
from .flow import Admissible, Flow
from .interval import Floats, Interval, Mask, hull, point, where
from .problem import Problem
from .row_divisors import row_divisors, sum_divisors

__all__ = ["outputs"]


def outputs(p: Problem, flow: Flow, v: Interval) -> list[Interval]:
    """Enter the sets of the core that the tile has, and return its outputs for each branch."""
    if not isinstance(p.core, RowCore):
        return core_outputs(p, flow, v)
    if p.core.perfect:
        z = flow.add(p.product_clause, "product", p.product(v))
        if p.core.keeps_out_scale:
            z = flow.add("PP-1", "core_output", p.A.product(z, p.A.setting(p.core.out_scale)))
        return [z]
    return [_managed(p, flow, v, row_divisors(p, flow, v))]


@dataclass(frozen=True)
class Ending:
    """One way in which rows may be done: their divisor, factor and number of the last pass, and which rows."""

    alpha: Interval
    factor: float
    number: int
    rows: Mask


def _managed(p: Problem, flow: Flow, v: Interval, alpha: Interval) -> Interval:
    """The union over all ways in which each row may be done."""
    endings, zeros = _endings(p, v, alpha)
    endings, zeros = _agreeing(p, flow, endings, zeros)
    N, I, O = len(v.lo), v.lo.shape[1], p.outputs
    for each in endings:
        rows = np.flatnonzero(each.rows)
        if rows.size:
            part = Flow(_shown(flow, rows, N, I, O), hidden=flow.hidden)
            one_pass(_part(p, rows), part, v[rows], each.alpha[rows], each.factor, each.number)
            flow.margins.extend(part.margins)
            for found in part.found.values():
                _enter(flow, found, rows, N)
    if zeros.any() or not N:
        _enter_zeros(flow, zeros, {name: STAGES[name].shape(N, I, O) for name in STAGES})
    _blame(p, flow, alpha)
    return flow.value("core_output") if "core_output" in flow.given else _union(flow)


def _blame(p: Problem, flow: Flow, alpha: Interval) -> None:
    """Where a shown input scale is that of another pass, the row was not managed as it should be."""
    shown, found = flow.given.get("input_scale"), flow.found.get("input_scale")
    if shown is None or found is None:
        return
    inside = np.logical_or.reduce([each.contains(shown.reshape(-1)) for each in found.sets])
    rows = np.flatnonzero(~inside)
    scale, A = shown.reshape(-1)[rows], p.A
    factor = 2.0 ** np.rint(-np.log2(np.abs(scale) * alpha.hi[rows]))
    other = A.quotient(A.quotient(point(1.0), alpha[rows]), point(factor)).contains(scale)
    if rows.size and (other | (scale == 0)).all():
        found.clause = "BM-3"


def _endings(p: Problem, v: Interval, alpha: Interval) -> tuple[list[Ending], Mask]:
    """The ways in which rows may be done, and the rows that may give zeros."""
    assert isinstance(p.core, RowCore)
    reach, zeros, done = alpha.hi > 0, ~(alpha.lo > 0), np.zeros(len(v.lo), dtype=bool)
    found: list[Ending] = []
    number, factor = 0, 1.0
    while reach.any():
        last = not p.core.iterative or factor > p.core.beta_limit
        sure, possible = reach, reach
        if p.core.iterative:
            sure, possible = _within(p, v, alpha, factor, number, reach)
        found.append(Ending(alpha, factor, number, reach & (possible | last)))
        done, reach = done | found[-1].rows, reach & ~sure & (not last)
        if number == 0 and switches(p.core) and reach.any():
            alpha = where(reach, reach, sum_divisors(p, v), alpha)
            zeros, reach = zeros | (reach & ~(alpha.lo > 0)), reach & (alpha.hi > 0)
        else:
            factor *= 2
        number += 1
        if not p.has_pass(number):
            reach = reach & ~(done | zeros)
    return found, zeros


def _within(
    p: Problem, v: Interval, alpha: Interval, factor: float, number: int, reach: Mask
) -> tuple[Mask, Mask]:
    """Rows whose outputs in a pass are surely, or possibly, all within the bound."""
    assert isinstance(p.core, RowCore)
    rows, bound = np.flatnonzero(reach), p.adc.bound
    part = _part(p, rows)
    t = one_pass(part, Flow({}), v[rows], alpha[rows], factor, number, pass_only=True).flat
    sure, possible = (t.hi <= bound.lo).all(axis=1), (t.lo <= bound.hi).all(axis=1)
    if p.core.tests_negative:
        sure &= (t.lo >= -bound.lo).all(axis=1)
        possible &= ((t.hi >= -bound.hi) & (t.lo <= bound.hi)).all(axis=1)
    result = np.zeros_like(reach), np.zeros_like(reach)
    result[0][rows], result[1][rows] = sure, possible
    return result


def _agreeing(
    p: Problem, flow: Flow, endings: list[Ending], zeros: Mask
) -> tuple[list[Ending], Mask]:
    """Of the ways of each row those that the shown input scale belongs to, or all of them if it belongs to none."""
    shown = flow.given.get("input_scale")
    if shown is None or shown.size != zeros.size:
        return endings, zeros
    A, shown = p.A, shown.reshape(-1)
    matches = [zeros & (shown == 0)]
    for each in endings:
        scale = A.quotient(A.quotient(point(1.0), each.alpha), point(each.factor))
        matches.append(each.rows & scale.contains(shown))
    none = ~np.logical_or.reduce(matches)
    kept = [
        replace(each, rows=each.rows & (match | none))
        for each, match in zip(endings, matches[1:], strict=True)
    ]
    return kept, zeros & (matches[0] | none)


def _part(p: Problem, rows: Rows) -> Problem:
    """The problem of some rows."""
    modified = p.modified
    if modified.samples:
        modified = replace(modified, used=modified.used[rows])
    noise = {name: values[..., rows, :] for name, values in p.noise.items()}
    return replace(p, modified=modified, noise=noise)


# ----- stages of some rows within those of all


@dataclass(frozen=True)
class Stage:
    """Clause of a stage of the core, and whether it has inputs, outputs or one number for each row."""

    clause: str
    kind: str

    def shape(self, N: int, I: int, O: int) -> tuple[int, ...]:
        """Its shape for N rows."""
        return {"rows": (N,), "inputs": (N, I), "outputs": (N, O)}[self.kind]


STAGES = {
    "input_scale": Stage("BM-1", "rows"),
    "rounded_input": Stage("DC-3", "inputs"),
    "negative_mask": Stage("DC-3", "inputs"),
    "converted_input": Stage("DC-3", "inputs"),
    "product": Stage("MV-1", "outputs"),
    "rounded_output": Stage("DC-4", "outputs"),
    "output_code": Stage("DC-4", "outputs"),
    "core_output": Stage("DC-5", "outputs"),
}


def _shown(flow: Flow, rows: Rows, N: int, I: int, O: int) -> dict[str, Floats]:
    """Of the stages that the implementation shows, some rows."""
    found = {}
    for name, stage in STAGES.items():
        if name in flow.given:
            array, shape = flow.given[name], stage.shape(N, I, O)
            if array.size != int(np.prod(shape)):
                raise ShapeError(f"the stage {name} has shape {array.shape}, allowed is {shape}.")
            found[name] = array.reshape(shape)[rows]
    return found


def _enter(flow: Flow, found: Admissible, rows: Rows, N: int) -> None:
    """The sets of some rows, as sets of all rows that hold nothing elsewhere."""
    target = flow.found.setdefault(found.name, Admissible(found.clause, found.name))
    row = -1 if found.name == "input_scale" else -2
    for each in found.sets:
        shape = list(each.lo.shape)
        shape[row] = N
        ends = []
        for end in (each.lo, each.hi):
            whole = np.full(shape, np.nan)
            whole[(..., rows) if row == -1 else (..., rows, slice(None))] = end
            ends.append(whole)
        target.sets.append(Interval(*ends))


def _enter_zeros(flow: Flow, zeros: Mask, shapes: dict[str, tuple[int, ...]]) -> None:
    """Zeros in the rows that may not be converted at all."""
    for name, shape in shapes.items():
        rows = zeros.reshape(-1, *([1] * (len(shape) - 1)))
        nothing = point(np.where(np.broadcast_to(rows, shape), 0.0, np.nan))
        found = flow.found.setdefault(name, Admissible(STAGES[name].clause, name))
        found.sets.append(nothing)


def _union(flow: Flow) -> Interval:
    """The core outputs with the pieces of all branches."""
    sets = flow.found["core_output"].sets
    if len(sets) == 1:
        return sets[0]
    pieces = [each if each.lo.ndim == 3 else each[None] for each in sets]
    if sum(len(each.lo) for each in pieces) > MOST:
        return hull(*(each.flat for each in pieces))
    return Interval(
        *(np.concatenate([getattr(each, end) for each in pieces]) for end in ("lo", "hi"))
    )


MOST = 24
"""Pieces of a union that go on one by one."""
