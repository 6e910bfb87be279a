"""Clauses CA: quantiles and moving averages of a calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.clauses.checks import agree, awkward, cases
from tests.exact import Type, same
from tests.strategies import arrays, counters, moderate, positive, ranges, typed, wide


@st.composite
def places(draw: Any, T: Type) -> Any:
    """Values, many of them equal or 0, and a place between two of them."""
    shape = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    few = st.sampled_from([T(v) for v in (-1, -0.0, 0, 0.5, 3)])
    x = draw(arrays(T, shape, draw(st.sampled_from([few, moderate(T), wide(T)]))))
    index = draw(st.integers(0, x.size - 1))
    inner = st.sampled_from([T(v) for v in (0.25, 0.5, 0.9, 1 - np.finfo(T).epsneg, 1)])
    fraction = T(0) if index == x.size - 1 else draw(inner | st.just(T(0)))
    return x, index, fraction


@pytest.mark.clause("CA-1")
@cases(case=typed(places))
def test_quantile(ops: Any, case: Any) -> None:
    agree(ops, "quantile", *case[0])


@pytest.mark.clause("CA-1")
def test_quantile_by_hand(ops: Any, T: Type) -> None:
    x = T([[5, -1], [3, 2], [-4, 8]])
    for index, fraction, expected in ((0, 0, -4), (0, 0.5, -2.5), (2, 0.25, 2.25), (5, 0, 8)):
        same(ops.quantile(x, index, T(fraction)), T(expected))
    same(ops.quantile(T([-0.0]), 0, T(0)), T(0))
    same(ops.quantile(T([-0.0, -2]), 0, T(1)), T(0))
    same(ops.quantile(x, 1, T(1)), T(2))


@pytest.mark.clause("CA-1")
def test_a_quantile_is_never_above_its_upper_neighbour(ops: Any, T: Type) -> None:
    """The difference of the neighbours rounds up here, and the sum with it."""
    low, high, below = T(-1) / T(3), T(1), np.nextafter(T(1), T(0))
    largest = np.finfo(T).max
    for pair in ((low, high), (-high, low * low), (-largest, largest)):
        for fraction in (below, T(1)):
            x = T(pair)
            agree(ops, "quantile", x, 0, fraction)
            assert x[0] <= ops.quantile(x, 0, fraction) <= x[1]


@pytest.mark.clause("CA-1")
def test_all_bits_of_quantiles(ops: Any, T: Type) -> None:
    x = awkward(T, 5, 7)
    for index in range(0, 34, 3):
        for fraction in (T(1) / T(3), T(0.7), T(0.1)):
            agree(ops, "quantile", x, index, fraction)


@pytest.mark.clause("CA-1")
@cases(case=typed(places))
def test_the_order_of_the_values_does_not_matter(ops: Any, case: Any) -> None:
    ((x, index, fraction),) = case
    backwards = np.ascontiguousarray(x[::-1, ::-1])
    same(ops.quantile(backwards, index, fraction), ops.quantile(x, index, fraction))


@st.composite
def averages(draw: Any, T: Type) -> Any:
    return draw(ranges(T)), draw(counters(T)), draw(positive(T))


@pytest.mark.clause("CA-2")
@cases(case=typed(averages))
def test_averaged_range(ops: Any, case: Any) -> None:
    agree(ops, "averaged_range", *case[0])


@pytest.mark.clause("CA-2")
def test_averaged_range_by_hand(ops: Any, T: Type) -> None:
    same(ops.averaged_range(T(3), T(0), T(5)), T(5))
    same(ops.averaged_range(T(3), T(1), T(5)), T(4))
    same(ops.averaged_range(T(-3), T(3), T(1)), T(2))
    same(ops.averaged_range(T(-3), T(0), T(1)), T(1))


@pytest.mark.clause("CA-2")
def test_product_sum_and_quotient_round_one_by_one(ops: Any, T: Type) -> None:
    r, v = T(1) / T(3), T(1) / T(7)
    for k in (2, 6, 10, 22):
        same(ops.averaged_range(r, T(k), v), np.abs((r * T(k) + v) / T(k + 1)))
