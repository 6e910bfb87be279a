"""Clauses CH: whole chains on either side of the crossbar."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st

from tests.clauses.checks import agree, awkward, cases
from tests.exact import Type, same
from tests.strategies import (
    arrays,
    batches,
    bounds,
    factors,
    grids,
    matrices,
    near,
    normals,
    positive,
    ranges,
    typed,
    uniforms,
    vectors,
)

Draw = Any


@st.composite
def input_cases(draw: Draw, T: Type) -> tuple[Any, ...]:
    r = draw(st.none() | ranges(T))
    x = draw(batches(T, elements=near(T(1) if r is None else r)))
    sigma = draw(vectors(T, len(x), st.sampled_from([T(1), T(0.5)]) | positive(T)))
    rounding = draw(st.none() | uniforms(T, x.shape))
    noise = draw(st.none() | normals(T, x.shape))
    return x, r, sigma, *draw(grids(T)), rounding, noise, draw(factors(T)), draw(factors(T))


@st.composite
def output_cases(draw: Draw, T: Type) -> tuple[Any, ...]:
    d, weight = draw(matrices(T))
    shape, O = (len(d), len(weight)), len(weight)
    if draw(st.booleans()):  # products of small integers are often half-way between two levels
        d, weight = (np.rint(np.clip(a, -9, 9)) for a in (d, weight))
        grid = T(draw(st.sampled_from([2, 4, 0.5]))), draw(bounds(T))
    else:
        grid = draw(grids(T))
    noise = draw(st.none() | uniforms(T, shape)), draw(st.none() | normals(T, shape))
    scale = draw(vectors(T, draw(st.sampled_from([1, O])), factors(T)))
    behind = draw(vectors(T, len(d), positive(T))), draw(factors(T))
    scales = (draw(st.none() | vectors(T, O, factors(T)) | vectors(T, 1, factors(T))) for _ in "ka")
    return (
        d,
        weight,
        *grid,
        *noise,
        scale,
        draw(factors(T)),
        *behind,
        *scales,
        draw(st.none() | vectors(T, O)),
    )


@st.composite
def output_gradient_cases(draw: Draw, T: Type) -> tuple[Any, ...]:
    bound = draw(bounds(T))
    t = draw(batches(T, elements=near(bound)))
    g, O = draw(arrays(T, t.shape)), t.shape[1]
    scales = (draw(st.none() | vectors(T, O, factors(T)) | vectors(T, 1, factors(T))) for _ in "ks")
    return g, t, draw(vectors(T, len(t), positive(T))), draw(factors(T)), bound, *scales


@st.composite
def input_gradient_cases(draw: Draw, T: Type) -> tuple[Any, ...]:
    r, grid = draw(ranges(T)), draw(grids(T))
    x = draw(batches(T, elements=near(r)))
    sigma = draw(vectors(T, len(x), st.sampled_from([T(1), T(0.5)]) | positive(T)))
    gd = draw(arrays(T, x.shape))
    assume(
        np.isfinite(gd * sigma[:, None] / r).all()
    )  # the sums of infinite gradients mean nothing
    return gd, x, r, sigma, *grid, draw(st.none() | uniforms(T, x.shape))


@pytest.mark.clause("CH-1")
@cases(case=typed(input_cases))
def test_crossbar_input(ops: Any, case: Any) -> None:
    agree(ops, "crossbar_input", *case[0])


@pytest.mark.clause("CH-2")
@cases(case=typed(output_cases))
def test_crossbar_output(ops: Any, case: Any) -> None:
    agree(ops, "crossbar_output", *case[0])


@pytest.mark.clause("CH-3")
@cases(case=typed(output_gradient_cases))
def test_crossbar_output_gradient(ops: Any, case: Any) -> None:
    agree(ops, "crossbar_output_gradient", *case[0])


@pytest.mark.clause("CH-4")
@cases(case=typed(input_gradient_cases))
def test_crossbar_input_gradient(ops: Any, case: Any) -> None:
    agree(ops, "crossbar_input_gradient", *case[0])


# --- worked numbers -----------------------------------------------------------------------------


@pytest.mark.clause("CH-1")
def test_inputs_with_all_digits(ops: Any, T: Type) -> None:
    x, sigma, third = awkward(T, 5, 7), awkward(T, 5) + T(5), T(1) / T(3)
    for r in (T(3) * third * T(1.3), -T(2.6), None):
        agree(ops, "crossbar_input", x, r, sigma, T(0), T(np.inf), None, x, third, T(0.9))


@pytest.mark.clause("CH-2")
def test_outputs_with_all_digits(ops: Any, T: Type) -> None:
    d, weight, none = awkward(T, 5, 7), awkward(T, 4, 7) * T(1.1), np.zeros(1, dtype=T)
    adc = T(0), T(30), None, None, none, T(0.9), awkward(T, 5) + T(5), T(1.3)
    agree(ops, "crossbar_output", d, weight, *adc, awkward(T, 4), awkward(T, 4) + T(1), d[0, :4])


@pytest.mark.clause("CH-1")
def test_the_range_divides_before_the_converter(ops: Any, T: Type) -> None:
    x, sigma = T([[3, -0.75, 0.25]]), T([0.5])
    noise = T([[1, -2, 1]])
    d, finite = ops.crossbar_input(x, T(2), sigma, T(0.25), T(0.375), None, noise, T(0.125), T(0.5))
    # clipped 2, -0.75, 0.25; scaled by 1 / 4: 0.5, -0.1875, 0.0625; rounded 0.5, -0.25, 0; clipped 0.375, -0.25, 0
    same(d, T([[0.5, -0.25, 0.125]]))
    assert finite is True
    beyond = T([[np.inf, 0, 0]])
    assert ops.crossbar_input(beyond, T(2), sigma, T(0), T(1), None, None, T(0), T(1))[1] is False


@pytest.mark.clause("CH-2")
def test_scales_and_bias_follow_the_converter(ops: Any, T: Type) -> None:
    d, weight = T([[1, 0.5]]), T([[1, 1], [-1, -2], [2, 4]])
    adc = T(0.5), T(3), T([[0.25, 0, 0]]), T([[1, 0, 0]]), T([0.5]), T(0.5)
    behind = T([0.5]), T(2), T([2]), T([1, 3, 1]), T([1, 0, -1])
    t, y, finite = ops.crossbar_output(d, weight, *adc, *behind)
    # products 1.5, -2, 4; asymmetry 1.5, -1, 4; noise 2, -1, 4; rounded 2, -1, 4; clipped 2, -1, 3; times 4 and 2 and a
    same(t, T([[2, -1, 4]]))
    same(y, T([[17, -24, 23]]))
    assert finite is True
    nothing = T(0), T(np.inf), None, None, T([0]), T(1), T([1]), T(1), None, None, None
    large = np.full((1, 2), np.finfo(T).max)
    t, _, finite = ops.crossbar_output(large, T([[1, 1]]), *nothing)
    same(t, T([[np.inf]]))
    assert finite is False


@pytest.mark.clause("CH-3")
def test_the_output_sum_has_the_scale_and_the_gradient_the_factor(ops: Any, T: Type) -> None:
    g, t = T([[1, 2, -1]]), T([[1, -3, 2]])
    gm, total = ops.crossbar_output_gradient(g, t, T([0.5]), T(3), T(2), T([2]), T([1, 1, 4]))
    same(gm, T([[12, 0, -12]]))  # times 2 and 6; the second is clipped
    same(total, T(6 - 24 - 48))  # codes 1, -2, 2, times 6


@pytest.mark.clause("CH-4")
def test_gradients_and_sums_by_hand(ops: Any, T: Type) -> None:
    gd, x = T([[-1, 2, 4, -1]]), T([[3, -2, 0.5, -1.25]])
    got = ops.crossbar_input_gradient(gd, x, T(2), T([0.5]), T(0.25), T(0.25), None)
    # v: 1, -1, 0.25, -0.625; q: 0.5, -0.5, 0.0 (a tie), -0.25; beyond 0.25 are the first two
    dx, upper, lower, total, fraction, finite = got
    same(dx, T([[0, 0, 1, -0.25]]))
    same((upper, lower), (T(0), T(0)))
    same(total, T(2 * 0.25 + 0.5 * 0.625))
    same(fraction, np.float32(0.5))
    assert finite is True
    wide = ops.crossbar_input_gradient(gd, x, T(2), T([0.5]), T(0.25), T(1), None)
    same(wide[0], T([[0, 0.5, 1, -0.25]]))
    same(wide[1:4], (T(-0.25), T(0.5), T(-0.5 - 1 + 0.5 + 0.3125)))
    tiny = T(np.finfo(T).smallest_subnormal)
    assert not ops.crossbar_input_gradient(gd, x, tiny, T([0.5]), T(0), T(np.inf), None)[5]
