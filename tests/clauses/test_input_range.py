"""Clauses IR: the learned input range and its gradient rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.clauses.checks import agree, awkward, cases
from tests.exact import Array, Scalar, Type, same
from tests.strategies import (
    arrays,
    batches,
    counters,
    factors,
    grid_terms,
    near,
    numbers,
    positive,
    ranges,
    shapes,
    tied_terms,
    typed,
)

F32 = np.float32


@st.composite
def inputs(draw: Any, T: Type) -> tuple[Array, Scalar]:
    """A batch with elements at the range, one ulp beside it and anywhere."""
    r = draw(ranges(T))
    return draw(batches(T, elements=near(r))), r


@st.composite
def rule_cases(draw: Any, T: Type) -> tuple[Array, Array, Scalar]:
    """Inputs, gradients and a range; in some cases the gradients at one edge sum to a planted tie."""
    r = draw(ranges(T))
    if draw(st.booleans()):
        x = draw(batches(T, elements=near(r)))
        return x, draw(batches(T, st.just(x.shape))), r
    n = draw(st.integers(1, 6))
    d = draw(st.sampled_from([tied_terms, grid_terms]))(T, n)
    edge = draw(st.sampled_from([r, -r]))
    return np.full((1, n), edge), draw(d)[None], r


@st.composite
def masked_gradients(draw: Any, T: Type) -> tuple[Array, Array, Scalar]:
    """Gradients of the scaled input, the raw input, and the range."""
    x, r = draw(inputs(T))
    return draw(batches(T, st.just(x.shape))), x, r


fractions32 = st.sampled_from(
    [F32(0.95), np.nextafter(F32(0.95), F32(1)), F32(0), F32(1), F32(0.5)]
)


# --- the range from data ------------------------------------------------------------------------


@pytest.mark.clause("IR-1")
@cases(case=typed(ranges, counters, positive, factors))
def test_range_from_data(ops: Any, case: Any) -> None:
    agree(ops, "range_from_data", *case)


@pytest.mark.clause("IR-1")
@cases(case=typed(numbers, counters, numbers, numbers))
def test_range_from_any_data(ops: Any, case: Any) -> None:
    agree(ops, "range_from_data", *case)


@pytest.mark.clause("IR-1")
def test_range_from_data_by_hand(ops: Any, T: Type) -> None:
    same(ops.range_from_data(T(3), T(0), T(0.5), T(3)), T(1.5))  # the initial value is replaced
    same(ops.range_from_data(T(1.5), T(1), T(1), T(3)), T(2.25))
    same(ops.range_from_data(T(2.25), T(2), T(1), T(3)), T(2.5))
    same(ops.range_from_data(T(-5), T(3), T(0.5), T(2)), T(3.5))  # the sign is dropped at the end
    for r in awkward(T, 9):
        agree(ops, "range_from_data", r, T(3), T(0.3), T(3))


# --- clip and scale -----------------------------------------------------------------------------


@pytest.mark.clause("IR-2")
@cases(case=typed(inputs))
def test_clipped_input(ops: Any, case: Any) -> None:
    agree(ops, "clipped_input", *case[0])


@pytest.mark.clause("IR-2")
def test_clipped_input_by_hand(ops: Any, T: Type) -> None:
    x = T([[-3, -2, -0.0, 0.5, 2, 3]])
    for r in (T(2), T(-2)):
        same(ops.clipped_input(x, r), T([[-2, -2, -0.0, 0.5, 2, 2]]))


@pytest.mark.clause("IR-2")
@cases(case=typed(inputs))
def test_clipped_input_is_idempotent_odd_and_blind_to_the_sign(ops: Any, case: Any) -> None:
    x, r = case[0]
    c = ops.clipped_input(x, r)
    same(ops.clipped_input(c, r), c)
    same(ops.clipped_input(x, -r), c)
    same(ops.clipped_input(-x, r), -c)
    assert np.all(np.abs(c) <= abs(r))


@pytest.mark.clause("IR-3")
@cases(case=typed(inputs))
def test_scaled_input(ops: Any, case: Any) -> None:
    agree(ops, "scaled_input", *case[0])


@pytest.mark.clause("IR-3")
@cases(case=typed(inputs))
def test_scaled_input_lies_between_minus_one_and_one(ops: Any, case: Any) -> None:
    x, r = case[0]
    c = ops.clipped_input(x, r)
    v = ops.scaled_input(c, r)
    assert np.all(np.abs(v) <= 1)
    same(np.abs(v)[np.abs(x) >= abs(r)], np.ones_like(x)[np.abs(x) >= abs(r)])
    same(ops.scaled_input(c, -r), -v)


@pytest.mark.clause("IR-3")
def test_scaled_input_is_a_division(ops: Any, T: Type) -> None:
    c = np.arange(1, 50, dtype=T)[None] / T(7)
    same(ops.scaled_input(c, T(-49)), -(c / T(49)))
    assert not np.array_equal(c / T(49), c * (T(1) / T(49)))


# --- the rule -----------------------------------------------------------------------------------


@pytest.mark.clause("IR-4")
@cases(case=typed(rule_cases))
def test_range_rule_sums(ops: Any, case: Any) -> None:
    agree(ops, "range_rule_sums", *case[0])


@pytest.mark.clause("IR-4")
def test_range_rule_sums_by_hand(ops: Any, T: Type) -> None:
    above, below = np.nextafter(T(2), T(3)), np.nextafter(T(2), T(1))
    c = np.array([[2, above, below, 3, -2, -above, -below]], dtype=T)
    pull = T([[-1, -2, -4, -8, -16, -32, -64]])
    same(ops.range_rule_sums(c, pull, T(2)), (T(-11), T(0)))
    same(ops.range_rule_sums(c, -pull, T(2)), (T(0), T(48)))
    same(ops.range_rule_sums(c, pull * T(0), T(2)), (T(0), T(0)))
    tie = T([[2.0 ** (np.finfo(T).nmant + 1), 1, 2.0**-60]])  # and a hair
    same(ops.range_rule_sums(tie * T(0), -tie, T(-1)), (-tie[0, 0] - T(2), T(0)))


@pytest.mark.clause("IR-4")
def test_a_negative_range_counts_almost_everything_on_both_sides(ops: Any, T: Type) -> None:
    c, d = T([[-2, -1, 0, 1, 2]]), T([[-1, -2, 4, 8, -16]])
    same(ops.range_rule_sums(c, d, T(-1)), (T(-18), T(12)))
    same(ops.range_rule_sums(c, d, T(-2)), (T(-19), T(12)))


@pytest.mark.clause("IR-4")
@cases(case=typed(rule_cases), data=st.data())
def test_the_sums_ignore_order_and_mirror_with_the_data(ops: Any, case: Any, data: Any) -> None:
    c, d, r = case[0]
    upper, lower = ops.range_rule_sums(c, d, r)
    assert upper <= 0 <= lower
    order = list(data.draw(st.permutations(range(c.size))))
    shuffled = [x.ravel()[order].reshape(c.shape) for x in (c, d)]
    same(ops.range_rule_sums(*shuffled, r), (upper, lower))
    zero = r.dtype.type(0)
    same(ops.range_rule_sums(-c, -d, r), (zero - lower, zero - upper))


@pytest.mark.clause("IR-5")
@cases(case=typed(numbers, numbers, ranges, lambda T: st.booleans(), factors))
def test_range_rule(ops: Any, case: Any) -> None:
    agree(ops, "range_rule", *case)


@pytest.mark.clause("IR-5")
def test_range_rule_by_hand(ops: Any, T: Type) -> None:
    same(ops.range_rule(T(-3), T(0.5), T(2), True, T(1)), T(-7))
    same(ops.range_rule(T(-3), T(0.5), T(2), True, T(0.5)), T(-3.5))
    same(ops.range_rule(T(-3), T(0.5), T(2), False, T(0.5)), T(-1.75))
    same(ops.range_rule(T(-3), T(0.5), T(-2), True, T(1)), T(7))
    for r in awkward(T, 9):
        agree(ops, "range_rule", T(-1), T(0.3), r, True, T(0.1))


@pytest.mark.clause("IR-4")
@pytest.mark.clause("IR-5")
@cases(case=typed(rule_cases), relative=st.booleans())
def test_the_rule_alone_never_shrinks_a_positive_range(ops: Any, case: Any, relative: bool) -> None:
    c, d, r = case[0]
    r = abs(r)
    upper, lower = ops.range_rule_sums(c, d, r)
    assert ops.range_rule(upper, lower, r, relative, r.dtype.type(1)) <= 0


# --- decay --------------------------------------------------------------------------------------


@pytest.mark.clause("IR-6")
@cases(case=typed(inputs))
def test_unclipped_fraction(ops: Any, case: Any) -> None:
    agree(ops, "unclipped_fraction", *case[0])


@pytest.mark.clause("IR-6")
def test_unclipped_fraction_by_hand(ops: Any, T: Type) -> None:
    x = T([[1, 2, -3], [-2, 0, -0.5]])
    same(ops.unclipped_fraction(x, T(2)), F32(0.5))
    same(ops.unclipped_fraction(x, T(-2)), F32(0))
    same(ops.unclipped_fraction(x[:, :1], T(np.inf)), F32(1))
    same(ops.unclipped_fraction(x[:0], T(2)), F32(np.nan))
    for inside in range(50):
        agree(ops, "unclipped_fraction", (np.arange(49) >= inside).astype(T)[None], T(1))
    twenty = np.where(np.arange(20) < 19, T(0), T(9))[None]
    same(ops.unclipped_fraction(twenty, T(1)), F32(0.95))


@pytest.mark.clause("IR-6")
@pytest.mark.clause("IR-7")
def test_nineteen_of_twenty_is_not_more_than_95_percent(ops: Any, T: Type) -> None:
    """In float32 the fraction equals the threshold; in float64 arithmetic it would lie on one side."""
    x = np.where(np.arange(20) < 19, T(0), T(9))[None]
    p = ops.unclipped_fraction(x, T(1))
    same(ops.range_decay(T(-1), T(1), T(0.5), p, F32(0.95)), T(-1))


@pytest.mark.clause("IR-7")
@cases(case=typed(numbers, ranges, factors), p=fractions32, threshold=fractions32)
def test_range_decay(ops: Any, case: Any, p: F32, threshold: F32) -> None:
    agree(ops, "range_decay", *case, p, threshold)


@pytest.mark.clause("IR-7")
def test_range_decay_by_hand(ops: Any, T: Type) -> None:
    high, low, edge = F32(0.96), F32(0.94), F32(0.95)
    same(ops.range_decay(T(-7), T(2), T(0.5), high, edge), T(-6))
    same(ops.range_decay(T(-7), T(2), T(0.5), low, edge), T(-7))
    same(ops.range_decay(T(-7), T(2), T(0.5), edge, edge), T(-7))
    same(ops.range_decay(T(-7), T(2), T(0), high, edge), T(-7))
    same(ops.range_decay(T(-7), T(2), T(-0.5), high, edge), T(-7))
    same(ops.range_decay(T(-7), T(-2), T(0.5), high, edge), T(-8))
    same(ops.range_decay(T(-7), T(2), T(0.5), F32(np.nan), edge), T(-7))  # an empty batch
    same(ops.range_decay(T(-7), T(2), T(0.5), F32(0.1), F32(0.1)), T(-7))  # which is above 1/10


# --- the residual and the input -----------------------------------------------------------------


@pytest.mark.clause("IR-8")
@cases(case=typed(numbers, numbers, ranges))
def test_range_residual(ops: Any, case: Any) -> None:
    agree(ops, "range_residual", *case)


@pytest.mark.clause("IR-8")
def test_range_residual_by_hand(ops: Any, T: Type) -> None:
    same(ops.range_residual(T(3), T(4), T(2)), T(1))
    same(ops.range_residual(T(3), T(4), T(-2)), T(5))
    same(ops.range_residual(T(2), T(4), T(2)), T(0))
    for r in awkward(T, 9):
        agree(ops, "range_residual", T(0), T(0.3), r)


@pytest.mark.clause("IR-9")
@cases(case=typed(masked_gradients))
def test_range_input_gradient(ops: Any, case: Any) -> None:
    agree(ops, "range_input_gradient", *case[0])


@pytest.mark.clause("IR-9")
def test_the_gate_is_inclusive_and_blocks_with_positive_zero(ops: Any, T: Type) -> None:
    x = T([[2, np.nextafter(T(2), T(3)), -2, -3, 0]])
    dv = T([[-4, -4, -4, -4, -4]])
    for sign in (T(1), T(-1)):
        d, dx = ops.range_input_gradient(dv * sign, x, T(2) * sign)
        same(d, T([[-2, -2, -2, -2, -2]]))
        same(dx, T([[-2, 0, -2, 0, -2]]))


@pytest.mark.clause("IR-9")
@cases(case=typed(lambda T: shapes.flatmap(lambda s: arrays(T, s))))
def test_a_range_beyond_all_data_blocks_nothing(ops: Any, case: tuple[Array]) -> None:
    (x,) = case
    d, dx = ops.range_input_gradient(x, x, np.finfo(x.dtype).max)
    same(dx, d)
