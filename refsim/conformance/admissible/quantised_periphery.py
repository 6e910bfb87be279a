"""Scales, bias and outputs on the grids of quantisers, forward and back, on sets (clauses QU, RE and PP)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from refsim.tile.quantised_periphery import BIAS, OUTPUT, SCALE

from .arithmetic import Arithmetic
from .flow import Flow
from .grid import OnGrid, quantised
from .grid_gradients import value_gradient
from .interval import Interval, hull, point
from .learned_grid import stored_gradients
from .plan import Plan, scheduled
from .possible_grids import possible_grids
from .sums import total
from .unions import crossed, joined

if TYPE_CHECKING:
    from .problem import Problem

__all__ = ["finished", "output_sum", "periphery", "through_grid", "through_periphery"]


def periphery(p: Problem, flow: Flow, z: Interval) -> None:
    """Enter all stages behind the core."""
    factor = _factor(p, flow)
    y = z if factor is None else crossed(p.A.product, z, factor.values)
    y = flow.add("PP-1", "scaled_output", y)
    bias = None if p.bias is None else point(p.bias.lo.reshape(1, -1))
    finished(p.A, flow, _plans(p), bias, y, None if factor is None else (z, factor.values))


def _plans(p: Problem) -> Mapping[str, Plan]:
    """The quantisers in use; an empty batch has nothing to judge."""
    return p.quantisers if len(p.x.lo) else {}


def finished(
    A: Arithmetic,
    flow: Flow,
    plans: Mapping[str, Plan],
    bias: Interval | None,
    y: Interval,
    factors: tuple[Interval, Interval] | None = None,
) -> None:
    """Enter the stages from the bias to the output; ``factors`` are those of which ``y`` is the product."""
    if bias is not None:
        b = _on_grid(A, flow, plans.get(BIAS), flow.add("PP-2", "bias", bias))
        y = flow.add("PP-2", "shifted_output", _shifted(A, flow, b, y, factors))
    if OUTPUT in plans:
        y = _on_grid(A, flow, plans[OUTPUT], y).values
    flow.add("PP-2", "output", y)


def _factor(p: Problem, flow: Flow) -> OnGrid | None:
    """The factor ``(r s) a`` on its grid, None if there is none."""
    factor = _product(p, p.r, p.scales, p.a)
    if factor is None:
        return None
    row = Interval(factor.lo.reshape(1, -1), factor.hi.reshape(1, -1))
    return _on_grid(p.A, flow, _plans(p).get(SCALE), flow.add("PP-3", "output_factor", row))


def _product(p: Problem, *factors: Interval | None) -> Interval | None:
    """Factors multiplied left to right, absent ones left out."""
    result: Interval | None = None
    for factor in factors:
        if factor is not None:
            result = factor if result is None else p.A.product(result, factor)
    return result


def _on_grid(A: Arithmetic, flow: Flow, plan: Plan | None, x: Interval) -> OnGrid:
    """Values on the grid of a quantiser, or as they are without one."""
    if plan is None:
        return OnGrid(x, [])
    scheduled(flow, plan)
    grids = possible_grids(A, flow, plan, x.flat)
    flow.grids.setdefault(plan.name, []).extend(grids)
    return quantised(A, flow, plan.name, x, grids)


def _shifted(
    A: Arithmetic,
    flow: Flow,
    bias: OnGrid,
    y: Interval,
    factors: tuple[Interval, Interval] | None,
) -> Interval:
    """The output with its bias, whose sum may be fused with the product before it or with that of the bias."""
    found = [crossed(A.sum, y, bias.values)]
    if A.profile.fused and factors is not None and "scaled_output" not in flow.given:
        found.append(crossed(A.product_sum, *factors, bias.values))
    if A.profile.fused and f"{BIAS}_quantised" not in flow.given:
        found += [crossed(A.product_sum, *each, y) for each in bias.factors]
    if len({each.lo.shape for each in found}) == 1:
        return hull(*found)
    return joined(*found)


def through_periphery(p: Problem, flow: Flow, g: Interval) -> tuple[Interval, Interval]:
    """Gradients of the core output and of the factor behind it."""
    A = p.A
    if OUTPUT in flow.grids:
        name = "scaled_output" if p.bias is None else "shifted_output"
        g = through_grid(A, flow, p.quantisers.get(OUTPUT), flow.value(name), g)
    if p.bias is not None:
        sums = total(A, g, axis=0)
        row = Interval(sums.lo.reshape(1, -1), sums.hi.reshape(1, -1))
        row = flow.add("SU-3", "quantised_bias_gradient", row)
        db = through_grid(A, flow, p.quantisers.get(BIAS), flow.value("bias"), row)
        flow.add("QU-10", "bias_gradient", db)
    if "output_factor" not in flow:
        return g, point(np.zeros((1, 1)))
    factor = flow.value("output_factor")
    common = factor.lo.size == 1
    core = "product" if p.core.perfect else "core_output"
    terms = A.exact_product(g, flow.value(core))
    sums = total(A, terms, None if common else 0, roundings=1)
    row = Interval(sums.lo.reshape(1, -1), sums.hi.reshape(1, -1))
    row = flow.add("SU-2" if common else "SU-4", "quantised_factor_gradient", row)
    dk = through_grid(A, flow, p.quantisers.get(SCALE), factor, row)
    dk = flow.add("QU-10", "factor_gradient", dk)
    if p.a is not None:
        da = _share(p, dk, _product(p, p.r, p.scales), p.a.lo.size)
        clause = "PP-3" if da.lo.size == dk.lo.size else "SU-2"
        flow.add(clause, "out_scaling_gradient", da)
    quantised_factor = f"{SCALE}_quantised"
    used = flow.value(quantised_factor) if quantised_factor in flow else factor
    return A.product(g, used), dk


def output_sum(p: Problem, dk: Interval) -> Interval:
    """Derivative of the loss with respect to the range as a factor."""
    others = _product(p, p.scales, p.a)
    found = _share(p, dk, others, 1)
    if others is not None and not p.A.powers_of_two(others).all():
        found = p.A.loosened(found, p.A.profile.spare, found.magnitude)
    return Interval(found.lo.reshape(()), found.hi.reshape(()))


def _share(p: Problem, dk: Interval, others: Interval | None, size: int) -> Interval:
    """Gradient of one factor, from that of the product and the other factors."""
    A, spare = p.A, p.A.profile.spare
    if size == dk.lo.size:
        return dk if others is None else A.product(dk, others)
    if others is None:
        return _one(total(A, dk))
    return _one(total(A, A.exact_product(dk, others), None, 1 + spare))


def _one(a: Interval) -> Interval:
    return Interval(a.lo.reshape(1, 1), a.hi.reshape(1, 1))


def through_grid(
    A: Arithmetic, flow: Flow, plan: Plan | None, x: Interval, g: Interval
) -> Interval:
    """Gradient before a quantiser; those of its parameters are entered if they are learned."""
    if plan is None or plan.name not in flow.grids:
        return g
    name, codes = plan.name, flow.value(f"{plan.name}_codes")
    before = hull(*(value_gradient(A, g, x, codes, grid) for grid in flow.grids[name]))
    before = flow.add("QU-10", f"{name}_gradient", before)
    if plan.learns:
        rows = [Interval(a.lo.reshape(1, -1), a.hi.reshape(1, -1)) for a in (g, x, codes)]
        stored_gradients(A, flow, plan, *rows)
    return before
