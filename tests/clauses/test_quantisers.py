"""Clauses QU: uniform quantisers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.clauses.checks import agree, cases
from tests.exact import Array, Type, same
from tests.strategies import (
    arrays,
    moderate,
    near,
    numbers,
    positive,
    sizes,
    ties,
    typed,
    vectors,
    wide,
)

Draw = Any
F32 = np.float32
bits = st.sampled_from([2, 3, 4, 8, 24]) | st.integers(1, 24)


@st.composite
def ranges(draw: Draw, T: Type) -> tuple[Array, Array]:
    """Ends of the ranges of a few rows; some hold no zero, some nothing at all."""
    n = draw(sizes)
    ends = near(T(0), T(1e-8)) | moderate(T)
    lo, hi = draw(vectors(T, n, ends)), draw(vectors(T, n, ends))
    return np.minimum(lo, hi), np.maximum(lo, hi)


@st.composite
def codes(draw: Draw, T: Type) -> tuple[Array, Array, Array, Any, Any]:
    """Values at and beside ties, codes and ends of a grid; scales, zero points and codes."""
    G, M, b = draw(sizes), draw(st.integers(0, 4)), draw(st.integers(1, 5))
    scale = draw(vectors(T, G, st.sampled_from([T(F32(v)) for v in (0.25, 0.1, 1 / 3, 1e-8, 7)])))
    signed = draw(st.booleans())
    low, high = (-(2 ** (b - 1)), 2 ** (b - 1) - 1) if signed else (0, 2**b - 1)
    zeros = st.just(0) if signed or draw(st.booleans()) else st.integers(0, high)
    zero = draw(vectors(T, G, zeros.map(T)))
    rows = [draw(arrays(T, (M,), ties(T, s, 40) | moderate(T) | wide(T))) for s in scale]
    return np.array(rows, dtype=T).reshape(G, M), scale, zero, T(low), T(high)


@st.composite
def gradient_cases(draw: Draw, T: Type) -> tuple[Any, ...]:
    given = draw(codes(T))
    return draw(arrays(T, given[0].shape)), *given


@st.composite
def coded_ranges(draw: Draw, T: Type) -> tuple[Array, Array, Any]:
    n = draw(sizes)
    lo = draw(vectors(T, n, (numbers(T) | st.just(T(0))).map(lambda v: -abs(v) + T(0))))
    return lo, draw(vectors(T, n, positive(T))), T(2 ** draw(bits) - 1)


@st.composite
def stored(draw: Draw, T: Type, logarithmic: bool) -> tuple[Array, bool]:
    """Stored parameters in float32, whatever the type of the data."""
    values = st.floats(-20, 20, width=32).map(F32) if logarithmic else near(F32(1e-8))
    return draw(vectors(F32, draw(sizes), values)), logarithmic


@st.composite
def places(draw: Draw, T: Type) -> tuple[Array, Any]:
    """Places of zero at ties and ends of the codes."""
    top = 2 ** draw(bits) - 1
    halves = st.integers(-4, 2 * top + 4) | st.integers(2 * top - 4, 2 * top + 4)
    values = halves.map(lambda k: F32(k / 2)).flatmap(lambda v: near(v))
    return draw(vectors(F32, draw(sizes), values)), F32(top)


log_cases = st.booleans().flatmap(lambda log: stored(F32, log))


@pytest.mark.clause("QU-1")
@cases(case=typed(ranges))
def test_quantiser_range(ops: Any, case: Any) -> None:
    agree(ops, "quantiser_range", *case[0])


@pytest.mark.clause("QU-1")
@cases(case=typed(ranges))
def test_a_range_holds_zero_and_is_not_empty(ops: Any, case: Any) -> None:
    lo, hi = ops.quantiser_range(*case[0])
    assert ((lo <= 0) & (hi > 0)).all()
    assert not np.signbit(lo[lo == 0]).any()
    same(ops.quantiser_range(lo, hi), (lo, hi))


@pytest.mark.clause("QU-1")
def test_ranges_by_hand(ops: Any, T: Type) -> None:
    lo, hi = ops.quantiser_range(T([-2, 0.5, -3, -0.0, 1]), T([1, 3, -1, 0, 1]))
    same(lo, T([-2, 0, -3, 0, 0]))
    same(hi, T([1, 3, 1e-8, 1e-8, 1]))


@pytest.mark.clause("QU-2")
@cases(case=typed(ranges), n_bits=bits, symmetric=st.booleans())
def test_code_range(ops: Any, case: Any, n_bits: int, symmetric: bool) -> None:
    agree(ops, "code_range", np.minimum(case[0][0], 0), n_bits, symmetric)


@pytest.mark.clause("QU-2")
def test_code_ranges_by_hand(ops: Any, T: Type) -> None:
    for n_bits, signed, unsigned in (
        (1, (-1, 0), (0, 1)),
        (3, (-4, 3), (0, 7)),
        (8, (-128, 127), (0, 255)),
    ):
        same(ops.code_range(T([0, -1]), n_bits, True), tuple(map(T, signed)))
        same(ops.code_range(T([0, 0]), n_bits, True), tuple(map(T, unsigned)))
        same(ops.code_range(T([0, -1]), n_bits, False), tuple(map(T, unsigned)))


@pytest.mark.clause("QU-3")
@cases(case=typed(coded_ranges))
def test_symmetric_step(ops: Any, case: Any) -> None:
    agree(ops, "symmetric_step", *case[0])


@pytest.mark.clause("QU-4")
@cases(case=typed(coded_ranges))
def test_asymmetric_step(ops: Any, case: Any) -> None:
    agree(ops, "asymmetric_step", *case[0])


@pytest.mark.clause("QU-3")
@pytest.mark.clause("QU-4")
def test_steps_by_hand(ops: Any, T: Type) -> None:
    lo, hi = T([-3.5, 0, -1]), T([2, 7, 6])
    same(ops.symmetric_step(lo, hi, T(7)), F32([0.5, 1, 6 / 7]))
    step, zero = ops.asymmetric_step(lo, hi, T(7))
    same(step, F32([F32(5.5) / F32(7), 1, 1]))
    same(zero, F32([T(3.5) / (T(5.5) / T(7)), 0, 1]))
    lo, hi = F32([-0.1]), F32([1.1])
    same(ops.asymmetric_step(lo, hi, F32(7))[1], F32([F32(0.1) / ((hi - lo) / F32(7))[0]]))


@pytest.mark.clause("QU-4")
def test_the_place_of_zero_is_that_of_the_unrounded_step(ops: Any) -> None:
    lo, hi = np.array([-0.3]), np.array([1.1])
    step = (hi - lo) / 255
    same(ops.asymmetric_step(lo, hi, np.float64(255)), (F32(step), F32(0.3 / step)))


@pytest.mark.clause("QU-5")
@cases(case=vectors(F32, 3, positive(F32)), logarithmic=st.booleans())
def test_stored_step(ops: Any, case: Any, logarithmic: bool) -> None:
    agree(ops, "stored_step", case, logarithmic)


@pytest.mark.clause("QU-6")
@cases(case=log_cases)
def test_quantiser_scale(ops: Any, case: Any) -> None:
    agree(ops, "quantiser_scale", *case)


@pytest.mark.clause("QU-5")
@pytest.mark.clause("QU-6")
def test_stored_steps_by_hand(ops: Any) -> None:
    step = F32([0.25, 1, 3, 6 / 7, 11 / 7])
    same(ops.stored_step(step, False), step)
    same(ops.stored_step(step, True), ops.log(step))
    same(ops.quantiser_scale(step, True), ops.exp(step))
    edge = F32(1e-8)
    below, above = np.nextafter(edge, F32(0)), np.nextafter(edge, F32(1))
    same(
        ops.quantiser_scale(F32([0.5, below, edge, above, 0, -1]), False),
        F32([0.5, edge, edge, above, edge, edge]),
    )


@pytest.mark.clause("QU-7")
@cases(case=places(F32))
def test_zero_point(ops: Any, case: Any) -> None:
    agree(ops, "zero_point", *case)


@pytest.mark.clause("QU-7")
def test_zero_points_by_hand(ops: Any) -> None:
    given = F32([-3, -0.5, -0.0, 0.5, 1.5, 2.5, 6.5, 7.5, 8])
    same(ops.zero_point(given, F32(7)), F32([0, 0, 0, 0, 2, 2, 6, 7, 7]))


@pytest.mark.clause("QU-8")
@cases(case=typed(codes))
def test_quantised_codes(ops: Any, case: Any) -> None:
    agree(ops, "quantised_codes", *case[0])


@pytest.mark.clause("QU-9")
@cases(case=typed(codes))
def test_quantised(ops: Any, case: Any) -> None:
    agree(ops, "quantised", *case[0])


@pytest.mark.clause("QU-8")
@pytest.mark.clause("QU-9")
def test_values_by_hand(ops: Any, T: Type) -> None:
    x = T([[-9, -2.25, -1.25, -0.75, -0.25, -0.0, 0.25, 0.75, 1.25, 1.75, 2]])
    step, none = T([0.5]), T([0])
    same(
        ops.quantised_codes(x, step, none, T(-4), T(3)), T([[-4, -4, -2, -2, 0, 0, 0, 2, 2, 3, 3]])
    )
    same(ops.quantised(x, step, none, T(-4), T(3)), T([[-2, -2, -1, -1, 0, 0, 0, 1, 1, 1.5, 1.5]]))
    same(ops.quantised_codes(x, step, T([3]), T(0), T(7)), T([[0, 0, 1, 1, 3, 3, 3, 5, 5, 7, 7]]))
    same(ops.quantised(x, step, T([3]), T(0), T(7)), T([[-1.5, -1.5, -1, -1, 0, 0, 0, 1, 1, 2, 2]]))
    tenth, k = T([0.1]), T([[1, 2, 4, 5]])
    same(ops.quantised(k * T(0.1) - T(0.3), tenth, T([3]), T(0), T(7)), T(0.1) * (k - T(3)))
    two = T([[1, 3], [1, 3]])
    same(ops.quantised(two, T([1, 2]), T([0, 1]), T(0), T(3)), T([[1, 3], [0, 4]]))


@pytest.mark.clause("QU-8")
def test_the_quotient_decides_ties(ops: Any, T: Type) -> None:
    """The quotient is rounded before it is judged a tie; a reciprocal would judge some of these otherwise."""
    for step in (0.1, 0.3, 1 / 7):
        scale = T([F32(step)])
        x = np.arange(-301, 302, dtype=T)[None] / T(2) * scale
        agree(ops, "quantised_codes", x, scale, T([0]), T(-128), T(127))


@pytest.mark.clause("QU-8")
@pytest.mark.clause("QU-9")
@cases(case=typed(codes))
def test_codes_are_integers_in_their_range_and_values_stay(ops: Any, case: Any) -> None:
    x, scale, zero, low, high = case[0]
    n = ops.quantised_codes(x, scale, zero, low, high)
    assert ((n >= low) & (n <= high) & (n == np.rint(n))).all()
    y = ops.quantised(x, scale, zero, low, high)
    same(ops.quantised(y, scale, zero, low, high), y)
    assert (
        ops.quantised(np.zeros_like(x), scale, zero, low, high).view(f"u{x.itemsize}") == 0
    ).all()


@pytest.mark.clause("QU-8")
@cases(case=typed(codes))
def test_codes_are_monotone_and_do_not_depend_on_the_order(ops: Any, case: Any) -> None:
    x, *grid = case[0]
    n = ops.quantised_codes(np.sort(x), *grid)
    assert (np.diff(n) >= 0).all()
    turned = ops.quantised_codes(np.ascontiguousarray(x[:, ::-1]), *grid)
    same(np.ascontiguousarray(turned[:, ::-1]), ops.quantised_codes(x, *grid))


@pytest.mark.clause("QU-9")
@cases(case=typed(lambda T: arrays(T, (1, 4), moderate(T))), k=st.integers(-8, 8))
def test_a_power_of_two_scales_everything(ops: Any, case: Any, k: int) -> None:
    (x,) = case
    T, factor = x.dtype.type, np.ldexp(x.dtype.type(1), k)
    scale = T([F32(0.3)])
    y = ops.quantised(x, scale, T([0]), T(-8), T(7))
    same(ops.quantised(x * factor, scale * factor, T([0]), T(-8), T(7)), y * factor)


@pytest.mark.clause("QU-9")
@cases(case=typed(lambda T: arrays(T, (1, 4), moderate(T) | ties(T, T(0.25)))))
def test_signs_are_treated_alike_inside_the_range(ops: Any, case: Any) -> None:
    (x,) = case
    T = x.dtype.type
    grid = T([0.25]), T([0]), T(-7), T(7)  # without the code that has no opposite
    same(ops.quantised(-x, *grid), T(0) - ops.quantised(x, *grid))


@pytest.mark.clause("QU-10")
@cases(case=typed(gradient_cases))
def test_quantised_gradient(ops: Any, case: Any) -> None:
    agree(ops, "quantised_gradient", *case[0])


@pytest.mark.clause("QU-11")
@cases(case=typed(gradient_cases))
def test_scale_gradient(ops: Any, case: Any) -> None:
    agree(ops, "scale_gradient", *case[0])


@pytest.mark.clause("QU-12")
@cases(case=log_cases)
def test_stored_step_gradient(ops: Any, case: Any) -> None:
    theta, logarithmic = case
    gradient = np.arange(1, 1 + theta.size, dtype=F32) / F32(3)
    agree(ops, "stored_step_gradient", gradient, theta, logarithmic)


@pytest.mark.clause("QU-13")
@cases(case=typed(gradient_cases))
def test_zero_point_gradient(ops: Any, case: Any) -> None:
    agree(ops, "zero_point_gradient", *case[0])


@pytest.mark.clause("QU-14")
@cases(case=places(F32))
def test_zero_float_gradient(ops: Any, case: Any) -> None:
    place, top = case
    agree(ops, "zero_float_gradient", np.arange(1, 1 + place.size, dtype=F32), place, top)


@pytest.mark.clause("QU-10")
@pytest.mark.clause("QU-11")
@pytest.mark.clause("QU-13")
def test_gradients_by_hand(ops: Any, T: Type) -> None:
    x, g = T([[-2, -1.75, -1.5, 0.625, 2.25, 2.3]]), T([[1, 2, 4, 8, 16, 32]])
    same(ops.quantised_gradient(-g, x, T([0.5]), T([3]), T(0), T(7)), T([[0, 0, -4, -8, -16, 0]]))
    grid = x, T([0.5]), T([3]), T(0), T(7)
    same(ops.quantised_gradient(g, *grid), T([[0, 0, 4, 8, 16, 0]]))
    blocked = -3 * 1 + -3 * 2 + 4 * 32
    inside = 0 * 4 + (1 - 1.25) * 8 + (4 - 4.5) * 16
    same(ops.scale_gradient(g, *grid), F32([blocked + inside]))
    same(ops.zero_point_gradient(g, *grid), F32([-0.5 * (1 + 2 + 32)]))
    rows = T([[1, 3], [1, 9]]), T([1, 2]), T([0, 1]), T(0), T(3)
    same(ops.scale_gradient(np.ones((2, 2), T), *rows), F32([0, -0.5 + 2]))
    same(ops.zero_point_gradient(np.ones((2, 2), T), *rows), F32([0, -2]))


@pytest.mark.clause("QU-11")
@pytest.mark.clause("QU-13")
def test_sums_of_gradients_are_exact_and_rounded_once_to_float32(ops: Any, T: Type) -> None:
    big = T(2) ** T(40)
    g = T([[big, 1, -big, 2.0**-30]])
    x = np.full((1, 4), T(9))
    grid = x, T([1]), T([0]), T(0), T(1)
    same(ops.scale_gradient(g, *grid), F32([1]))
    same(ops.zero_point_gradient(g, *grid), F32([-1]))
    tie = T([[1, 2.0**-24, 2.0**-60, 0]])  # a hair above half-way: two roundings would lose it
    same(ops.scale_gradient(tie, *grid), F32([1 + 2.0**-23]))
    same(ops.zero_point_gradient(tie, *grid), F32([-1 - 2.0**-23]))


@pytest.mark.clause("QU-12")
@pytest.mark.clause("QU-14")
def test_gates_by_hand(ops: Any) -> None:
    edge, g = F32(1e-8), F32([1, 2, 3, 4])
    theta = F32([0.5, np.nextafter(edge, F32(0)), edge, -1])
    same(ops.stored_step_gradient(g, theta, False), F32([1, 0, 3, 0]))
    same(ops.stored_step_gradient(g, F32([0, -1, 1, 2]), True), g * ops.exp(F32([0, -1, 1, 2])))
    same(ops.zero_float_gradient(g, F32([-0.5, -0.6, 7.5, 7.4]), F32(7)), F32([1, 0, 0, 4]))
    same(ops.zero_float_gradient(g, F32([0, 7, 8, -1]), F32(7)), F32([1, 2, 0, 0]))
