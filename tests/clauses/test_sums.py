"""Clauses SU: the exact sum, rounded once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.clauses.checks import agree, awkward, cases
from tests.exact import Array, Scalar, Type, same
from tests.strategies import (
    batches,
    cancelling_terms,
    dtypes,
    moderate,
    sums,
    term_tables,
    terms,
    typed,
    vectors,
)


def columns(T: Type) -> Any:
    """Pairs of tables ``(N, C)`` with the planted sums in the columns."""
    return term_tables(T).map(lambda pair: tuple(np.ascontiguousarray(x.T) for x in pair))


def hair(T: Type) -> Array:
    """A tie and a hair: the sum is ``2**p + 2``."""
    return T([2.0 ** (np.finfo(T).nmant + 1), 1, 2.0**-60])


def close_products(T: Type) -> tuple[Array, Array]:
    """``(1 + e)**2 - (1 + 2e)``, which is ``e**2``."""
    eps = np.finfo(T).eps
    return T([1 + eps, -1]), T([1 + eps, 1 + 2 * eps])


@pytest.mark.clause("SU-1")
@cases(case=typed(sums))
def test_total(ops: Any, case: tuple[Array]) -> None:
    (x,) = case
    agree(ops, "total", x)
    agree(ops, "total", x[:, None])


@pytest.mark.clause("SU-1")
def test_total_by_hand(ops: Any, T: Type) -> None:
    p = np.finfo(T).nmant + 1
    big = 2.0**p
    same(ops.total(T([big, 1])), T(big))  # a tie goes to the even neighbour below
    same(ops.total(T([big + 2, 1])), T(big + 4))  # and above
    same(ops.total(hair(T)), T(big + 2))  # a hair decides
    same(ops.total(T([big + 2, 1, -(2.0**-60)])), T(big + 2))
    same(ops.total(T([big, 1, -(2.0**-200 if T is np.float64 else 2.0**-149)])), T(big))
    same(ops.total(np.array([], dtype=T)), T(0))
    same(ops.total(T([-0.0, -0.0])), T(0))
    small = np.finfo(T).smallest_subnormal
    same(ops.total(T([small, small, -small, small])), small + small)
    same(ops.total(T([1, -1])), T(0))


@pytest.mark.clause("SU-1")
def test_total_of_special_terms(ops: Any, T: Type) -> None:
    largest = np.finfo(T).max
    same(ops.total(T([largest, largest])), T(math.inf))
    same(ops.total(T([-largest, -largest])), T(-math.inf))
    same(ops.total(T([largest, largest, -largest])), largest)
    for special in (math.inf, -math.inf, math.nan):
        same(ops.total(T([1, special])), T(math.nan))


@pytest.mark.clause("SU-1")
@cases(case=typed(sums), data=st.data())
def test_total_does_not_depend_on_the_order(ops: Any, case: tuple[Array], data: Any) -> None:
    (x,) = case
    same(ops.total(x[list(data.draw(st.permutations(range(x.size))))]), ops.total(x))


@pytest.mark.clause("SU-1")
@cases(case=typed(lambda T: vectors(T, 5, moderate(T))), k=st.integers(-20, 20))
def test_total_is_odd_and_scales_with_powers_of_two(ops: Any, case: tuple[Array], k: int) -> None:
    (x,) = case
    zero, factor = x.dtype.type(0), x.dtype.type(2.0**k)
    same(ops.total(-x), zero - ops.total(x))
    if np.all((x == 0) | (np.abs(x) > 1e-20)):
        same(ops.total(x * factor), ops.total(x) * factor)


@pytest.mark.clause("SU-1")
@cases(case=typed(lambda T: cancelling_terms(T, 6)))
def test_opposites_sum_to_positive_zero(ops: Any, case: tuple[Array]) -> None:
    same(ops.total(case[0]), case[0].dtype.type(0))


@pytest.mark.clause("SU-2")
@cases(case=typed(term_tables))
def test_product_total(ops: Any, case: tuple[tuple[Array, Array]]) -> None:
    (x, y), *_ = case
    agree(ops, "product_total", x, y)
    agree(ops, "product_total", x[0], y[0])


@pytest.mark.clause("SU-2")
def test_products_enter_exactly(ops: Any, T: Type) -> None:
    same(ops.product_total(*close_products(T)), np.finfo(T).eps ** 2)
    same(ops.product_total(hair(T), T([1, 1, 1])), hair(T)[0] + T(2))
    small = np.finfo(T).smallest_subnormal
    same(ops.product_total(T([small, small]), T([0.5, 0.5])), small)
    same(ops.product_total(T([small]), T([-0.5])), T(-0.0))
    largest = np.finfo(T).max
    same(ops.product_total(T([largest, -largest]), T([2, 2])), T(0))
    same(ops.product_total(T([math.inf]), T([0])), T(math.nan))


@pytest.mark.clause("SU-3")
@cases(case=typed(columns))
def test_column_totals(ops: Any, case: tuple[tuple[Array, Array]]) -> None:
    (x, y), *_ = case
    agree(ops, "column_totals", x)
    agree(ops, "column_totals", y)


@pytest.mark.clause("SU-3")
def test_column_totals_by_hand(ops: Any, T: Type) -> None:
    same(ops.column_totals(T([[1, 2], [3, 4], [-4, 0.5]])), T([0, 6.5]))
    same(ops.column_totals(np.zeros((0, 3), dtype=T)), np.zeros(3, dtype=T))
    same(ops.column_totals(hair(T)[:, None]), hair(T)[:1] + T(2))
    special = T([[1, np.inf, np.nan], [1, 1, 1]])
    same(ops.column_totals(special), T([2, np.nan, np.nan]))


@pytest.mark.clause("SU-4")
@cases(case=typed(columns))
def test_column_product_totals(ops: Any, case: tuple[tuple[Array, Array]]) -> None:
    agree(ops, "column_product_totals", *case[0])


@pytest.mark.clause("SU-4")
def test_column_product_totals_by_hand(ops: Any, T: Type) -> None:
    x, y = T([[1, 2, np.inf], [3, 4, 1]]), T([[1, 1, 0], [2, 0.5, 1]])
    same(ops.column_product_totals(x, y), T([7, 4, np.nan]))
    close = [side[:, None] for side in close_products(T)]
    same(ops.column_product_totals(*close), T([np.finfo(T).eps ** 2]))
    tied = hair(T)[:, None]
    same(ops.column_product_totals(tied, np.ones_like(tied)), tied[0] + T(2))


@pytest.mark.clause("SU-5")
@cases(case=typed(term_tables))
def test_row_product_totals(ops: Any, case: tuple[tuple[Array, Array]]) -> None:
    agree(ops, "row_product_totals", *case[0])


@pytest.mark.clause("SU-5")
def test_row_product_totals_by_hand(ops: Any, T: Type) -> None:
    x, y = T([[1, 2], [3, 4], [np.nan, 0]]), T([[1, 1], [2, 0.5], [1, 1]])
    same(ops.row_product_totals(x, y), T([3, 8, np.nan]))
    same(ops.row_product_totals(x[:0], y[:0]), np.zeros(0, dtype=T))
    close = [side[None] for side in close_products(T)]
    same(ops.row_product_totals(*close), T([np.finfo(T).eps ** 2]))
    tied = hair(T)[None]
    same(ops.row_product_totals(tied, np.ones_like(tied)), tied[:, 0] + T(2))


@pytest.mark.clause("SU-6")
@cases(case=typed(lambda T: st.integers(1, 7).flatmap(lambda n: terms(T, n))))
def test_mean(ops: Any, case: tuple[Array]) -> None:
    agree(ops, "mean", case[0])
    agree(ops, "mean", case[0][:, None])


@pytest.mark.clause("SU-6")
def test_mean_rounds_once(ops: Any, T: Type) -> None:
    largest, small = np.finfo(T).max, np.finfo(T).smallest_subnormal
    same(ops.mean(T([largest, largest])), largest)  # no sum overflows on the way
    same(ops.mean(T([small, small, 0])), small)  # 2/3 of the smallest number
    same(ops.mean(T([1, 2, 4])), T(7) / T(3))
    same(ops.mean(T([1, np.nan])), T(np.nan))
    big = T(2.0 ** (np.finfo(T).nmant + 1))
    same(ops.mean(T([big, 1, 1])), T((int(big) + 2) / 3))
    tie = T([big, 1, 0, 0, 0])  # the sum alone is a tie that would round away the 1
    agree(ops, "mean", tie)


@pytest.mark.clause("SU-6", "SU-7")
@cases(value=dtypes.flatmap(moderate), n=st.integers(2, 9))
def test_a_constant_batch_has_its_value_as_mean_and_no_deviation(
    ops: Any, value: Scalar, n: int
) -> None:
    x = np.full((1, n), value)
    same(ops.mean(x), value + value.dtype.type(0))
    same(ops.standard_deviation(x), value.dtype.type(0))


@pytest.mark.clause("SU-7")
@cases(case=typed(lambda T: st.integers(2, 7).flatmap(lambda n: terms(T, n)), batches))
def test_standard_deviation(ops: Any, case: tuple[Array, Array]) -> None:
    for x in case:
        if x.size > 1:
            agree(ops, "standard_deviation", x)


@pytest.mark.clause("SU-7")
def test_standard_deviation_by_hand(ops: Any, T: Type) -> None:
    same(ops.standard_deviation(T([[1, 2], [3, 4], [5, 3]])), np.sqrt(T(2)))
    same(ops.standard_deviation(T([-1, 1])), np.sqrt(T(2)))
    same(ops.standard_deviation(T([7, 7, 7])), T(0))


@pytest.mark.clause("SU-7")
def test_standard_deviation_of_awkward_numbers(ops: Any, T: Type) -> None:
    for n in range(2, 12):
        agree(ops, "standard_deviation", awkward(T, n))
    far = T([0, 1, 2]) + T(2.0 ** (np.finfo(T).nmant - 1))  # their squares do not fit
    same(ops.standard_deviation(far), T(1))


@pytest.mark.clause("SU-7")
@cases(case=typed(lambda T: vectors(T, 6, moderate(T))), data=st.data())
def test_standard_deviation_ignores_order_and_sign(ops: Any, case: Any, data: Any) -> None:
    (x,) = case
    expected = ops.standard_deviation(x)
    same(ops.standard_deviation(x[list(data.draw(st.permutations(range(6))))]), expected)
    same(ops.standard_deviation(-x), expected)
