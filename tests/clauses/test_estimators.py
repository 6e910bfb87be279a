"""Clauses RE: ranges from the extremes of data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.clauses.checks import agree, awkward, cases
from tests.exact import Array, Type, same
from tests.strategies import batches, factors, near, sizes, typed, vectors

Draw = Any
F64 = np.float64
PERCENTILES = [0.0, 5.0, 12.5, 25.0, 100 / 3, 50.0, 75.0, 100.0, 1e-3]


def rows(T: Type) -> Any:
    """Rows with zeros of both signs, equal and negative ones among them."""
    shape = st.tuples(st.integers(0, 3), st.integers(1, 7))
    return batches(T, shape, near(T(0), T(1)))


@st.composite
def ranges(draw: Draw, T: Type) -> tuple[Array, ...]:
    n = draw(sizes)
    return tuple(draw(vectors(T, n)) for _ in range(4))


@pytest.mark.clause("RE-1")
@cases(case=typed(rows))
def test_value_range(ops: Any, case: tuple[Array]) -> None:
    agree(ops, "value_range", *case)


@pytest.mark.clause("RE-2")
@cases(
    case=typed(rows),
    p=st.sampled_from(PERCENTILES) | st.floats(0, 100),
    two_sided=st.booleans(),
)
def test_percentile_range(ops: Any, case: tuple[Array], p: float, two_sided: bool) -> None:
    agree(ops, "percentile_range", *case, F64(p), two_sided)


@pytest.mark.clause("RE-3")
@cases(case=typed(ranges))
def test_widest_range(ops: Any, case: Any) -> None:
    agree(ops, "widest_range", *case[0])


@pytest.mark.clause("RE-4")
@cases(case=typed(ranges, factors, factors))
def test_moving_range(ops: Any, case: Any) -> None:
    agree(ops, "moving_range", *case[0], *case[1:])


@pytest.mark.clause("RE-1")
def test_value_range_by_hand(ops: Any, T: Type) -> None:
    x = T([[3, -2, 0.5], [-1, -5, -4], [0.0, -0.0, -0.0], [-0.0, -0.0, -1], [7, 7, 7]])
    same(ops.value_range(x), (T([-2, -5, 0, -1, 7]), T([3, -1, 0, 0, 7])))
    same(ops.value_range(T([[1, np.nan, 2]])), (T([np.nan]), T([np.nan])))


@pytest.mark.clause("RE-2")
def test_percentile_range_by_hand(ops: Any, T: Type) -> None:
    x = T([[4, 1, 3, 0, 2], [-1, -1, -1, -1, -3]])
    same(ops.percentile_range(x, F64(12.5), True), (T([0.5, -2]), T([3.5, -1])))
    same(ops.percentile_range(x, F64(12.5), False), (T([0.5, -2]), T([4, -1])))
    same(ops.percentile_range(x, F64(50), True), (T([2, -1]), T([2, -1])))
    same(ops.percentile_range(x, F64(0), True), ops.value_range(x))
    same(ops.percentile_range(T([[5]]), F64(25), True), (T([5]), T([5])))
    same(ops.percentile_range(T([[-0.0, 0.0]]), F64(30), True), (T([0]), T([0])))


@pytest.mark.clause("RE-2")
def test_all_bits_of_percentiles(ops: Any, T: Type) -> None:
    x = awkward(T, 5, 41)
    for p in (*PERCENTILES, 2.5, 7.7, 33.3):
        for two_sided in (False, True):
            agree(ops, "percentile_range", x, F64(p), two_sided)


@pytest.mark.clause("RE-3")
def test_widest_range_by_hand(ops: Any, T: Type) -> None:
    new, old = (T([-1, -3]), T([4, 5])), (T([-2, -1]), T([1, 6]))
    same(ops.widest_range(*new, *old), (T([-2, -3]), T([4, 6])))


@pytest.mark.clause("RE-4")
def test_moving_range_by_hand(ops: Any, T: Type) -> None:
    new, old = (T([-2]), T([4])), (T([-1]), T([2]))
    same(ops.moving_range(*new, *old, T(0.25), T(0.75)), (T([-1.25]), T([2.5])))
    lo, hi = -np.abs(awkward(T, 9)), np.abs(awkward(T, 9))
    agree(ops, "moving_range", lo, hi, lo / T(7), hi / T(3), T(1 - 0.9), T(0.9))


@pytest.mark.clause("RE-1", "RE-2")
@cases(case=typed(rows), data=st.data())
def test_the_order_of_the_data_does_not_matter(ops: Any, case: tuple[Array], data: Any) -> None:
    (x,) = case
    order = data.draw(st.permutations(range(x.shape[1])))
    shuffled = np.ascontiguousarray(x[:, list(order)])
    same(ops.value_range(shuffled), ops.value_range(x))
    same(ops.percentile_range(shuffled, F64(30), True), ops.percentile_range(x, F64(30), True))


@pytest.mark.clause("RE-3")
@cases(case=typed(rows), cut=st.integers(1, 6))
def test_the_widest_range_is_that_of_all_data_together(
    ops: Any, case: tuple[Array], cut: int
) -> None:
    (x,) = case
    parts = [np.ascontiguousarray(part) for part in (x[:, :cut], x[:, cut:]) if part.shape[1]]
    found = ops.value_range(parts[0])
    for part in parts[1:]:
        found = ops.widest_range(*ops.value_range(part), *found)
    same(found, ops.value_range(x))
