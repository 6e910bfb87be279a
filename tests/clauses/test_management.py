"""Clauses NM and BM: how inputs are scaled before conversion."""

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
    bounds,
    factors,
    moderate,
    near,
    numbers,
    positive,
    shapes,
    typed,
    vectors,
)


def repetitive(T: Type) -> Any:
    """Batches with few different values, so that a row has its peak more than once."""
    return batches(T, elements=st.sampled_from([T(v) for v in (0, -0.0, 1, -1, 2, -2)]))


@st.composite
def peaks(draw: Any, T: Type) -> tuple[Array, Scalar]:
    """Peaks at the cap, beside it, zero and negative."""
    cap = draw(bounds(T).filter(lambda b: b > 0))
    return draw(vectors(T, draw(st.integers(0, 4)), near(cap))), cap


@st.composite
def rows(draw: Any, T: Type) -> tuple[Any, ...]:
    """Sums of rows with their scales."""
    n = draw(st.integers(0, 3))
    sums = [draw(vectors(T, n)) for _ in range(2)]
    return (
        *sums,
        draw(vectors(T, n, positive(T))),
        draw(vectors(T, n, positive(T))),
        draw(factors(T)),
    )


@st.composite
def peak_gradients(draw: Any, T: Type) -> tuple[Any, ...]:
    """A gradient, a term for each row, its place, and whether it counts."""
    dv = draw(batches(T))
    N, I = dv.shape
    index = np.array(draw(st.lists(st.integers(0, I - 1), min_size=N, max_size=N)), dtype=np.int64)
    counts = np.array(draw(st.lists(st.booleans(), min_size=N, max_size=N)), dtype=np.bool_)
    sign = draw(vectors(T, N, st.sampled_from([T(1), T(-1)])))
    return dv, draw(vectors(T, N)), index, counts, sign


@st.composite
def outputs(draw: Any, T: Type) -> tuple[Array, Scalar]:
    bound = draw(bounds(T))
    inside = st.sampled_from([bound, -bound, T(0)])
    return draw(batches(T, elements=inside | near(bound))), bound


@pytest.mark.clause("NM-1")
@cases(case=typed(batches, repetitive))
def test_row_abs_max(ops: Any, case: tuple[Array, Array]) -> None:
    agree(ops, "row_abs_max", case[0])
    agree(ops, "row_abs_max", case[1])


@pytest.mark.clause("NM-2")
@cases(case=typed(batches, repetitive))
def test_row_max(ops: Any, case: tuple[Array, Array]) -> None:
    agree(ops, "row_max", case[0])
    agree(ops, "row_max", case[1])


@pytest.mark.clause("NM-1")
@pytest.mark.clause("NM-2")
def test_peaks_by_hand(ops: Any, T: Type) -> None:
    v = T([[1, -3, 3, 3], [-1, -0.0, 0, -2], [-4, -2, -2, -3]])
    same(ops.row_abs_max(v), (T([3, 2, 4]), np.array([1, 3, 0])))
    same(ops.row_max(v), (T([3, 0, -2]), np.array([2, 1, 1])))
    same(ops.row_max(T([[-0.0]])), (T([0]), np.array([0])))
    same(ops.row_abs_max(v[:0]), (T([]), np.zeros(0, dtype=np.int64)))


@pytest.mark.clause("NM-1")
@cases(case=typed(batches))
def test_the_largest_magnitude_ignores_signs_and_is_reached(ops: Any, case: tuple[Array]) -> None:
    (v,) = case
    peak, index = ops.row_abs_max(v)
    same(ops.row_abs_max(-v), (peak, index))
    assert np.all(np.abs(v) <= peak[:, None])
    same(np.abs(v[np.arange(len(v)), index]), peak)
    assert all(np.all(np.abs(row[:i]) < p) for row, i, p in zip(v, index, peak, strict=True))


@pytest.mark.clause("NM-3")
@cases(case=typed(peaks))
def test_management_scale(ops: Any, case: Any) -> None:
    agree(ops, "management_scale", *case[0])


@pytest.mark.clause("NM-3")
def test_management_scale_by_hand(ops: Any, T: Type) -> None:
    peak = T([0.5, 2, np.nextafter(T(2), T(3)), 3, 0, -1])
    alpha, mask = ops.management_scale(peak, T(2))
    same(alpha, T([0.5, 2, 2, 2, 1, 1]))
    same(mask, np.array([True, True, False, False, False, False]))
    same(ops.management_scale(peak, T(np.inf))[0], T([0.5, 2, peak[2], 3, 1, 1]))


@pytest.mark.clause("BM-1")
@cases(case=typed(lambda T: vectors(T, 3, positive(T)), positive))
def test_input_scale(ops: Any, case: Any) -> None:
    agree(ops, "input_scale", *case)


@pytest.mark.clause("BM-1")
def test_input_scale_by_hand(ops: Any, T: Type) -> None:
    same(ops.input_scale(T([0.5, 4]), T(2)), T([1, 0.125]))
    alpha, seven = T([3, 5, 7, 11, 13]), T(7)
    same(ops.input_scale(alpha, seven), T(1) / alpha / seven)


@pytest.mark.clause("BM-1")
@cases(case=typed(lambda T: vectors(T, 3, moderate(T).filter(bool).map(abs))), k=st.integers(0, 9))
def test_a_pass_of_bound_management_is_an_exact_halving(ops: Any, case: Any, k: int) -> None:
    (alpha,) = case
    T = alpha.dtype.type
    if np.all(alpha > 1e-30):
        first = ops.input_scale(alpha, T(1))
        same(ops.input_scale(alpha, T(2.0**k)), first * T(2.0**-k))


@pytest.mark.clause("BM-2")
@cases(case=typed(outputs))
def test_within_bound(ops: Any, case: Any) -> None:
    agree(ops, "within_bound", *case[0])


@pytest.mark.clause("BM-2")
def test_within_bound_by_hand(ops: Any, T: Type) -> None:
    above = np.nextafter(T(2), T(3))
    same(ops.within_bound(T([[-2, 2], [0, 1]]), T(2)), True)
    same(ops.within_bound(T([[0, 1], [0, above]]), T(2)), False)
    same(ops.within_bound(T([[0, 1], [-above, 0]]), T(2)), False)
    same(ops.within_bound(np.zeros((0, 2), dtype=T), T(0)), True)
    same(ops.within_bound(T([[1e30]]), T(np.inf)), True)


@pytest.mark.clause("NM-4")
@cases(case=typed(rows))
def test_management_gradient(ops: Any, case: Any) -> None:
    agree(ops, "management_gradient", *case[0])


@pytest.mark.clause("NM-4")
def test_management_gradient_by_hand(ops: Any, T: Type) -> None:
    A, B, sigma, alpha = T([3]), T([5]), T([0.5]), T([2])
    same(ops.management_gradient(A, B, sigma, alpha, T(1)), T([1.75]))  # -(5 - 3 * 4) / 4
    same(ops.management_gradient(A, B, sigma, alpha, T(0.5)), T([0.25]))
    data = np.abs(awkward(T, 43))
    agree(ops, "management_gradient", *(data[k : k + 40] for k in range(4)), T(0.3))
    small, one = T([1 / 49]), T([1])
    expected = -((T(0) - (T(1) * (T(3) / small)) / small) * (small / T(7)))
    same(ops.management_gradient(one, T([0]), small, T([7]), T(3)), expected)


@pytest.mark.clause("NM-5")
@cases(case=typed(peak_gradients))
def test_add_peak_gradient(ops: Any, case: Any) -> None:
    agree(ops, "add_peak_gradient", *case[0])


@pytest.mark.clause("NM-5")
def test_add_peak_gradient_by_hand(ops: Any, T: Type) -> None:
    dv, gradient = T([[1, 2], [3, 4], [5, 6]]), T([10, 20, 30])
    index, counts = np.array([1, 0, 1]), np.array([True, True, False])
    got = ops.add_peak_gradient(dv, gradient, index, counts, T([1, -1, 1]))
    same(got, T([[1, 12], [-17, 4], [5, 6]]))
    assert not np.shares_memory(got, dv)


@pytest.mark.clause("NM-5")
@cases(case=typed(lambda T: shapes.flatmap(lambda s: arrays(T, s, numbers(T)))))
def test_rows_without_a_derivative_keep_their_gradient(ops: Any, case: tuple[Array]) -> None:
    (dv,) = case
    N = len(dv)
    nowhere, first = np.zeros(N, dtype=np.bool_), np.zeros(N, dtype=np.int64)
    one = np.ones(N, dtype=dv.dtype)
    same(ops.add_peak_gradient(dv, one, first, nowhere, one), dv)
