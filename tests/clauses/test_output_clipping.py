"""Clauses BP-3, BP-4, IR-10 and IR-11: clipped outputs and the growth of the range."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.clauses.checks import agree, cases
from tests.exact import Array, Scalar, Type, same
from tests.strategies import batches, bounds, near, numbers, ranges, typed

F32 = np.float32
thresholds = st.sampled_from([F32(v) for v in (0.95, 0.5, 0, 1)])
shares = st.sampled_from(
    [F32(v) for v in (0.95, np.nextafter(F32(0.95), F32(0)), 0.5, 0.1, 0, 1, -0.5, -2, np.nan)]
) | st.integers(-9, 9).map(lambda k: F32(k) / F32(9))


@st.composite
def outputs(draw: Any, T: Type) -> tuple[Array, Scalar, bool]:
    bound = draw(bounds(T))
    value = draw(batches(T, elements=st.sampled_from([bound, -bound, T(0)]) | near(bound)))
    return value, bound, draw(st.booleans())


@st.composite
def masked(draw: Any, T: Type) -> tuple[Array, Array]:
    g = draw(batches(T))
    mask = draw(st.lists(st.booleans(), min_size=g.size, max_size=g.size))
    return g, np.array(mask, dtype=np.bool_).reshape(g.shape)


@pytest.mark.clause("BP-3")
@cases(case=typed(outputs))
def test_output_clip_mask(ops: Any, case: Any) -> None:
    agree(ops, "output_clip_mask", *case[0])


@pytest.mark.clause("BP-3")
def test_output_clip_mask_by_hand(ops: Any, T: Type) -> None:
    below, above = np.nextafter(T(2), T(0)), np.nextafter(T(2), T(3))
    value = T([[2, below, above], [-2, -below, -above]])
    same(ops.output_clip_mask(value, T(2), False), np.array([[False, False, True]] * 2))
    same(ops.output_clip_mask(value, T(2), True), np.array([[True, False, True]] * 2))
    same(ops.output_clip_mask(value, T(np.inf), True), np.full((2, 3), False))


@pytest.mark.clause("BP-4")
@cases(case=typed(masked))
def test_masked_gradient(ops: Any, case: Any) -> None:
    agree(ops, "masked_gradient", *case[0])


@pytest.mark.clause("BP-4")
def test_masked_gradient_by_hand(ops: Any, T: Type) -> None:
    g, mask = T([[-1, 2], [-0.0, 3]]), np.array([[True, False], [False, True]])
    same(ops.masked_gradient(g, mask), T([[0, 2], [-0.0, 0]]))


@pytest.mark.clause("IR-10")
@cases(case=typed(masked), count=st.integers(1, 40))
def test_unclipped_output_fraction(ops: Any, case: Any, count: int) -> None:
    agree(ops, "unclipped_output_fraction", case[0][1], count)


@pytest.mark.clause("IR-10")
def test_unclipped_output_fraction_by_hand(ops: Any) -> None:
    mask = np.array([[True, False], [True, True]])
    same(ops.unclipped_output_fraction(mask, 4), F32(0.25))
    same(ops.unclipped_output_fraction(mask, 2), F32(-0.5))
    same(ops.unclipped_output_fraction(~mask, 3), F32(2) / F32(3))
    same(ops.unclipped_output_fraction(mask[:0], 0), F32(np.nan))
    same(ops.unclipped_output_fraction(np.full((1, 3), False), 3), F32(1))


@pytest.mark.clause("IR-10")
@pytest.mark.clause("IR-11")
def test_nineteen_of_twenty_is_not_less_than_95_percent(ops: Any, T: Type) -> None:
    """In float32 the fraction equals the threshold; in float64 arithmetic it would lie on one side."""
    P = ops.unclipped_output_fraction(np.arange(20).reshape(4, 5) == 0, 20)
    same(ops.range_growth(T(-1), T(2), P, F32(0.95)), T(-1))


@pytest.mark.clause("IR-11")
@cases(case=typed(numbers, ranges), P=shares, threshold=thresholds)
def test_range_growth(ops: Any, case: Any, P: F32, threshold: F32) -> None:
    agree(ops, "range_growth", *case, P, threshold)


@pytest.mark.clause("IR-11")
def test_range_growth_by_hand(ops: Any, T: Type) -> None:
    limit = F32(0.95)
    same(ops.range_growth(T(-1), T(2), F32(0.75), limit), T(-1.5))
    same(ops.range_growth(T(-1), T(-2), F32(0.75), limit), T(-0.5))
    same(ops.range_growth(T(-1), T(2), F32(-0.5), limit), T(-4))
    same(ops.range_growth(T(-1), T(2), F32(0), limit), T(-3))
    same(ops.range_growth(T(-1), T(2), limit, limit), T(-1))
    same(ops.range_growth(T(-1), T(2), F32(1), limit), T(-1))
    same(ops.range_growth(T(-1), T(2), F32(np.nan), limit), T(-1))  # an empty batch
    third = F32(1) / F32(3)
    same(ops.range_growth(T(0), T(1), third, limit), T(0) - (T(1) - T(third)))
