"""Clauses NM-6 to NM-8 and BM-3: management of each row by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.clauses.checks import agree, awkward, cases
from tests.exact import Array, Scalar, Type, same
from tests.strategies import batches, bounds, moderate, near, positive, typed, vectors


@st.composite
def peaks_and_sums(draw: Any, T: Type) -> tuple[Any, ...]:
    """Sums from the peak upwards, rows of zeros among them; a limit that is met, or none."""
    n = draw(st.integers(0, 4))
    peak = draw(vectors(T, n, st.just(T(0)) | positive(T) | moderate(T).map(abs)))
    times = draw(vectors(T, n, st.sampled_from([T(v) for v in (1, 1.5, 2, 3, 40)])))
    with np.errstate(all="ignore"):
        sums = np.minimum(peak * times, np.finfo(T).max)
    limit = draw(st.sampled_from([T(v) for v in (np.inf, 0, 0.5, 1, 1.5, 8, 31.5)]))
    return peak, sums, draw(st.sampled_from([T(v) for v in (0, 0.05, 0.6, 1, 0.3, 2)])), limit


@st.composite
def averages(draw: Any, T: Type) -> tuple[Any, ...]:
    """Peaks of several rows, with and without an earlier value."""
    peak = draw(vectors(T, draw(st.integers(0, 4)), moderate(T).map(abs)))
    start = draw(st.sampled_from([T(-1), T(0)]) | moderate(T).map(abs))
    shares = st.sampled_from([(0.999, 0.001), (0.75, 0.25), (0.5, 0.5)])
    return peak, start, *map(T, draw(shares))


@st.composite
def outputs(draw: Any, T: Type) -> tuple[Array, Scalar, bool]:
    bound = draw(bounds(T))
    t = draw(batches(T, elements=st.sampled_from([bound, -bound, T(0)]) | near(bound)))
    return t, bound, draw(st.booleans())


@pytest.mark.clause("NM-6")
@cases(case=typed(batches))
def test_row_sum_peak(ops: Any, case: Any) -> None:
    agree(ops, "row_sum_peak", *case)
    agree(ops, "row_sum_peak", -case[0])


@pytest.mark.clause("NM-6")
def test_row_sum_peak_by_hand(ops: Any, T: Type) -> None:
    v = T([[1, -3, 2.5], [-1, -2, 0], [0, -0.0, 0], [-4, 1, 1]])
    same(ops.row_sum_peak(v), T([3.5, 3, 0, 4]))
    same(ops.row_sum_peak(T([[1e8, 1, 1, -5]]) / T(3)), ops.row_sum_peak(T([[1, 1e8, 1]]) / T(3)))
    same(ops.row_sum_peak(v[:0]), T([]))
    agree(ops, "row_sum_peak", awkward(T, 3, 7))


@pytest.mark.clause("NM-7")
@cases(case=typed(peaks_and_sums))
def test_sum_management_scale(ops: Any, case: Any) -> None:
    agree(ops, "sum_management_scale", *case[0])


@pytest.mark.clause("NM-7")
def test_sum_management_scale_by_hand(ops: Any, T: Type) -> None:
    peak, sums = T([1, 1, 1, 0]), T([2, 8, 40, 0])
    same(ops.sum_management_scale(peak, sums, T(0.25), T(8)), T([1, 2, 8, 0]))
    same(ops.sum_management_scale(peak, sums, T(0.25), T(np.inf)), T([1, 2, 10, 0]))
    same(ops.sum_management_scale(peak, sums, T(0.25), T(0.5)), T([1, 1, 1, 0]))
    same(ops.sum_management_scale(peak, sums, T(0), T(8)), T([1, 1, 1, 0]))
    same(ops.sum_management_scale(T([0.5, 2]), T([8, 80]), T(0.25), T(3)), T([1.5, 6]))


@pytest.mark.clause("NM-8")
@cases(case=typed(averages))
def test_running_peak(ops: Any, case: Any) -> None:
    agree(ops, "running_peak", *case[0])


@pytest.mark.clause("NM-8")
def test_running_peak_by_hand(ops: Any, T: Type) -> None:
    peak, shares = T([4, 8, 0]), (T(0.75), T(0.25))
    same(ops.running_peak(peak, T(-1), *shares), T([4, 5, 3.75]))
    same(ops.running_peak(peak, T(0), *shares), T([1, 2.75, 2.0625]))
    same(ops.running_peak(T([0, 4]), T(-1), *shares), T([0, 1]))
    same(ops.running_peak(peak[:0], T(2), *shares), T([]))
    agree(ops, "running_peak", np.abs(awkward(T, 9)), T(1) / T(3), T(0.999), T(0.001))


@pytest.mark.clause("NM-8")
@cases(case=typed(averages))
def test_a_batch_may_be_split_between_rows(ops: Any, case: Any) -> None:
    peak, start, keep, weight = case[0]
    whole = ops.running_peak(peak, start, keep, weight)
    for n in range(1, len(peak)):
        first = ops.running_peak(peak[:n], start, keep, weight)
        second = ops.running_peak(peak[n:], first[-1], keep, weight)
        same(np.concatenate([first, second]), whole)


@pytest.mark.clause("BM-3")
@cases(case=typed(outputs))
def test_rows_within_bound(ops: Any, case: Any) -> None:
    agree(ops, "rows_within_bound", *case[0])


@pytest.mark.clause("BM-3")
def test_rows_within_bound_by_hand(ops: Any, T: Type) -> None:
    beyond = np.nextafter(T(2), T(3))
    t = T([[2, -2], [beyond, 0], [0, -beyond], [0, 0]])
    same(ops.rows_within_bound(t, T(2), True), np.array([True, False, False, True]))
    same(ops.rows_within_bound(t, T(2), False), np.array([True, False, True, True]))
    same(ops.rows_within_bound(t, T(np.inf), True), np.array([True] * 4))
    same(ops.rows_within_bound(t[:0], T(2), True), np.zeros(0, np.bool_))


@pytest.mark.clause("BM-3")
@cases(case=typed(outputs))
def test_a_batch_is_inside_where_all_its_rows_are(ops: Any, case: Any) -> None:
    t, bound, _ = case[0]
    assert ops.within_bound(t, bound) == ops.rows_within_bound(t, bound, True).all()
