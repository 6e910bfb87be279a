"""The clauses in a row: where the chain is smooth, its gradients are difference quotients, exactly.

Without rounding the output of a tile is piecewise linear in each input, in each weight and, with
the clipped input held fixed, in the range. A difference quotient in exact fractions is then the
derivative itself. The data are multiples of powers of two with a power of two as the peak of each
row, so that the operations do not round either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st

from tests.clauses.checks import cases
from tests.exact import Array, Type, same

Vector = list[Fraction]
Matrix = list[Vector]
TINY = Fraction(1, 2**40)


@dataclass(frozen=True)
class Core:
    """The settings of a core without rounding."""

    inp_bound: float
    out_bound: float
    inp_factor: float
    out_factor: float
    out_scale: float
    management: str
    cap: float
    beta: float


# --- the outputs in exact fractions -------------------------------------------------------------


def limit(value: Fraction, bound: float) -> Fraction:
    return value if bound == np.inf else max(min(value, Fraction(bound)), -Fraction(bound))


def sides(value: Fraction, *edges: float | Fraction) -> list[int]:
    """On which side of each edge and of zero a value lies, or whether on it."""
    return [(value > edge) - (value < edge) for edge in (0, *edges)]


def divisor(row: Vector, core: Core) -> Fraction:
    if core.management == "none":
        return Fraction(1)
    peak = max(map(abs, row)) if core.management == "abs_max" else max(row)
    if core.cap < peak:
        return Fraction(core.cap)
    return peak if peak > 0 else Fraction(1)


def core_row(row: Vector, w: Matrix, core: Core) -> tuple[Vector, list[int]]:
    """The core output of one scaled input, and the branches taken on the way."""
    alpha = divisor(row, core)
    scale = alpha * Fraction(core.beta)
    a = [value / scale for value in row]
    d = [limit(value, core.inp_bound) for value in a]
    d = [value * Fraction(core.inp_factor) if value < 0 else value for value in d]
    m = [sum((x * y for x, y in zip(d, line, strict=True)), Fraction(0)) for line in w]
    m = [value * Fraction(core.out_factor) if value < 0 else value for value in m]
    branches = [s for value in row for s in sides(value, alpha, -alpha, core.cap, -core.cap)]
    branches += [s for value in a for s in sides(value, core.inp_bound, -core.inp_bound)]
    branches += [s for value in m for s in sides(value, core.out_bound, -core.out_bound)]
    return [limit(x, core.out_bound) * Fraction(core.out_scale) * scale for x in m], branches


def loss(c: Matrix, w: Matrix, r: Fraction, g: Matrix, core: Core) -> tuple[Fraction, list[int]]:
    """The sum of all outputs for a clipped input, weighted with ``g``, and all branches taken."""
    rows = [core_row([value / r for value in row], w, core) for row in c]
    terms = [
        x * z * r for G, (Z, _) in zip(g, rows, strict=True) for x, z in zip(G, Z, strict=True)
    ]
    return sum(terms, Fraction(0)), [s for _, branches in rows for s in branches]


def exactly(x: Array) -> Matrix:
    return [[Fraction(float(v)) for v in row] for row in x]


def slope(f: Callable[[Fraction], tuple[Fraction, list[int]]]) -> Fraction:
    """The difference quotient at 0, where both sides take the same branches."""
    (below, left), (middle, here), (above, right) = f(-TINY), f(Fraction(0)), f(TINY)
    assume(left == here == right)
    assert above - middle == middle - below
    return (above - middle) / TINY


def moved(x: Matrix, row: int, column: int, h: Fraction) -> Matrix:
    return [
        [v + h * (n == row and i == column) for i, v in enumerate(line)] for n, line in enumerate(x)
    ]


# --- the gradients from the operations ----------------------------------------------------------


@dataclass(frozen=True)
class Gradients:
    z: Array
    dv: Array
    dx: Array
    dw: Array
    residual: Any
    rule: tuple[Any, Any]


def gradients(
    ops: Any, x: Array, w: Array, r: Any, g: Array, core: Core, step: float = 0
) -> Gradients:
    """Forward and backward through one tile, every operation taken from ``ops``."""
    T = x.dtype.type
    c = ops.clipped_input(x, r)
    v = ops.scaled_input(c, r)
    peak, index = ops.row_max(v) if core.management == "max" else ops.row_abs_max(v)
    alpha, differentiable = ops.management_scale(peak, T(core.cap))
    sign = np.ones_like(peak)
    if core.management == "abs_max":
        sign = np.sign(v[np.arange(len(v)), index])
    if core.management == "none":
        alpha, differentiable = np.ones_like(alpha), np.zeros_like(differentiable)
    sigma = ops.input_scale(alpha, T(core.beta))

    b_in, b_out, o = T(core.inp_bound), T(core.out_bound), T(core.out_scale)
    f_in, f_out = T(core.inp_factor), T(core.out_factor)
    q, d, negative = ops.digital_to_analog(v, sigma, T(step), b_in, None, None, T(0), f_in)
    m = ops.matrix_product(d, w)
    t, codes = ops.analog_to_digital(m, T(step), b_out, None, None, np.zeros(1, dtype=T), f_out)
    z = ops.rescaled_output(codes, sigma, o)

    Gz = ops.scaled_output(g, np.array([r]))
    Gm = ops.adc_gradient(Gz, sigma, o, t, b_out, m, f_out)
    Ga = ops.dac_gradient(ops.transposed_product(Gm, w), q, b_in, negative, f_in)
    sums = ops.row_product_totals(Gz, codes), ops.row_product_totals(Ga, v)
    dalpha = ops.management_gradient(*sums, sigma, alpha, o)
    dv = ops.add_peak_gradient(ops.row_scaled(Ga, sigma), dalpha, index, differentiable, sign)
    dc, dx = ops.range_input_gradient(dv, x, r)
    residual = ops.range_residual(ops.product_total(g, z), ops.product_total(dv, v), r)
    rule = ops.range_rule_sums(c, dc, r)
    return Gradients(z, dv, dx, ops.outer_product_sum(Gm, d), residual, rule)


# --- cases --------------------------------------------------------------------------------------

cores = st.builds(
    Core,
    inp_bound=st.sampled_from([np.inf, 1.0, 0.71875]),
    out_bound=st.sampled_from([np.inf, 1.046875, 0.546875]),
    inp_factor=st.sampled_from([1.0, 0.5]),
    out_factor=st.sampled_from([1.0, 0.75]),
    out_scale=st.sampled_from([1.0, 2.0]),
    management=st.sampled_from(["none", "abs_max", "max"]),
    cap=st.sampled_from([np.inf, 0.25]),
    beta=st.sampled_from([1.0, 2.0]),
)


def has_exact_quotients(tile: tuple[Any, ...]) -> bool:
    """Whether each divisor of noise management is a power of two."""
    x, _, r, _, core = tile
    rows = exactly(np.clip(x, -abs(r), abs(r)) / r)
    return all(np.frexp(float(divisor(row, core)))[0] == 0.5 for row in rows)


@st.composite
def any_tiles(draw: Any) -> tuple[Any, ...]:
    """Inputs, weights, range and gradients on coarse grids, and a core."""
    N, O, I = (draw(st.integers(1, k)) for k in (2, 2, 3))
    r = draw(st.sampled_from([2.0, 0.5, -1.0]))

    def grid(rows: int, columns: int, most: int, unit: float) -> Array:
        count = rows * columns
        whole = draw(st.lists(st.integers(-most, most), min_size=count, max_size=count))
        return np.array(whole, dtype=np.float64).reshape(rows, columns) * unit

    x = grid(N, I, 15, 1 / 32) * r
    for n in range(N):  # one power of two above the rest of the row, inside or outside the range
        peak = draw(st.sampled_from([0.5, 0.5, 2.0])) * draw(st.sampled_from([1, -1]))
        x[n, draw(st.integers(0, I - 1))] = peak * r
    return x, grid(O, I, 8, 1 / 8), np.float64(r), grid(N, O, 4, 1 / 4), draw(cores)


def tiles() -> Any:
    return any_tiles().filter(has_exact_quotients)


@pytest.mark.clause("BP-1")
@pytest.mark.clause("BP-2")
@pytest.mark.clause("IR-9")
@pytest.mark.clause("NM-4")
@pytest.mark.clause("NM-5")
@cases(tile=tiles(), data=st.data())
def test_the_gradient_of_an_input_is_a_difference_quotient(ops: Any, tile: Any, data: Any) -> None:
    x, w, r, g, core = tile
    n, i = (data.draw(st.integers(0, size - 1)) for size in x.shape)
    exact_w, exact_r, exact_g = exactly(w), Fraction(float(r)), exactly(g)

    def output(h: Fraction) -> tuple[Fraction, list[int]]:
        at_h, edge = moved(exactly(x), n, i, h), float(abs(r))
        clipped = [[limit(v, edge) for v in row] for row in at_h]
        value, branches = loss(clipped, exact_w, exact_r, exact_g, core)
        return value, branches + sides(at_h[n][i], edge, -edge)

    expected = slope(output)
    assert Fraction(float(gradients(ops, x, w, r, g, core).dx[n, i])) == expected


@pytest.mark.clause("BP-1")
@pytest.mark.clause("MV-4")
@cases(tile=tiles(), data=st.data())
def test_the_gradient_of_a_weight_is_a_difference_quotient(ops: Any, tile: Any, data: Any) -> None:
    x, w, r, g, core = tile
    o, i = (data.draw(st.integers(0, size - 1)) for size in w.shape)
    c, exact_r, exact_g = exactly(ops.clipped_input(x, r)), Fraction(float(r)), exactly(g)
    expected = slope(lambda h: loss(c, moved(exactly(w), o, i, h), exact_r, exact_g, core))
    assert Fraction(float(gradients(ops, x, w, r, g, core).dw[o, i])) == expected


@pytest.mark.clause("IR-8")
@pytest.mark.clause("NM-4")
@cases(tile=tiles())
def test_the_residual_is_a_difference_quotient_at_a_fixed_clipped_input(
    ops: Any, tile: Any
) -> None:
    x, w, r, g, core = tile
    c, exact_w, exact_g = exactly(ops.clipped_input(x, r)), exactly(w), exactly(g)
    expected = slope(lambda h: loss(c, exact_w, Fraction(float(r)) + h, exact_g, core))
    assert Fraction(float(gradients(ops, x, w, r, g, core).residual)) == expected


@pytest.mark.clause("IR-8")
@pytest.mark.clause("NM-4")
@cases(tile=tiles())
def test_a_linear_core_leaves_no_residual(ops: Any, T: Type, tile: Any) -> None:
    x, w, r, g, core = tile
    linear = Core(np.inf, np.inf, 1.0, 1.0, 1.0, core.management, core.cap, core.beta)
    args = x.astype(T), w.astype(T), T(r), g.astype(T)
    same(gradients(ops, *args, linear).residual, T(0))


@pytest.mark.clause("IR-8")
@pytest.mark.clause("DC-1")
@cases(tile=tiles(), step=st.sampled_from([0.25, 0.125]))
def test_rounding_leaves_its_error_as_residual(ops: Any, tile: Any, step: float) -> None:
    x, w, r, g, _ = tile
    rounding = Core(np.inf, np.inf, 1.0, 1.0, 1.0, "none", np.inf, 1.0)
    got = gradients(ops, x, w, r, g, rounding, step)
    v = np.clip(x, -abs(r), abs(r)) / r
    error = got.z - v @ w.T  # all exact
    same(got.residual, np.sum(g * error) + np.float64(0))


@pytest.mark.clause("IR-4")
@pytest.mark.clause("IR-8")
@pytest.mark.clause("BP-2")
def test_the_saturated_input_of_an_odd_grid_by_hand(ops: Any, T: Type) -> None:
    """x = 2, r = 0.7, w = 1, g = -1: the rule pulls with -0.7, unless the code lies beyond the bound."""
    x, w, r, g = T([[2]]), T([[1]]), T(0.7), T([[-1]])
    core = Core(1.0, np.inf, 1.0, 1.0, 1.0, "none", np.inf, 1.0)
    on_grid = gradients(ops, x, w, r, g, core, 2 / 126)
    same((*on_grid.rule, on_grid.residual), (T(-1), T(0), T(0)))
    same(ops.range_rule(*on_grid.rule, r, True, T(1)), -r)
    beyond = gradients(ops, x, w, r, g, core, 2 / 127)
    same(beyond.rule, (T(0), T(0)))
    code = T(64) * T(2 / 127)  # the output is rounded on the same grid here: it is beyond 1
    same(beyond.residual, -code)
    same(beyond.dx, T([[0]]))
