"""Clauses RE: candidates for a range, their losses, the best."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.clauses.checks import agree, awkward, cases
from tests.exact import Array, Scalar, Type, same
from tests.strategies import arrays, moderate, near, numbers, positive, ties, typed, vectors, wide

Draw = Any
F32, F64 = np.float32, np.float64
Case = tuple[Array, Array, Array, Any, Any]
SCALES = (0.25, 0.1, 1 / 3, 1e-8, 7)


@st.composite
def limits(draw: Draw, T: Type, size: Any = None) -> tuple[Scalar, Scalar, Scalar]:
    """Limits of a search; the upper one may be negative."""
    sizes = positive(T) if size is None else size
    upper = draw(sizes | st.sampled_from([T(0), T(-0.5)]))
    lower = -draw(sizes)
    return lower, upper, max(abs(lower), abs(upper))


@st.composite
def extremes(draw: Draw, T: Type) -> tuple[Array, Array, Any]:
    n = draw(st.integers(1, 4))
    a, b = draw(vectors(T, n)), draw(vectors(T, n))
    return np.minimum(a, b) + T(0), np.maximum(a, b) + T(0), draw(st.sampled_from([T(0), T(0.5)]))


@st.composite
def quantisers(draw: Draw, T: Type, most_bits: int, count: Any) -> tuple[Array, Array, Any, Any]:
    """Scales, zero points and a code range for several quantisers."""
    C, b = draw(count), draw(st.integers(1, most_bits))
    anywhere = st.floats(float(F32(0.01)), 2, width=32)
    scale = draw(vectors(T, C, (st.sampled_from(SCALES) | anywhere).map(lambda v: T(F32(v)))))
    signed = draw(st.booleans())
    low, high = (-(2 ** (b - 1)), 2 ** (b - 1) - 1) if signed else (0, 2**b - 1)
    zeros = st.just(0) if signed or draw(st.booleans()) else st.integers(0, high)
    return scale, draw(vectors(T, C, zeros.map(T))), T(low), T(high)


@st.composite
def few(draw: Draw, T: Type) -> Case:
    """Few numbers of any size, at and beside ties: they are added one by one."""
    grid = draw(quantisers(T, 5, st.integers(0, 4)))
    step = grid[0][0] if len(grid[0]) else T(1)
    shape = draw(st.tuples(st.integers(0, 3), st.integers(0, 5)))
    return draw(arrays(T, shape, ties(T, step, 40) | moderate(T) | wide(T))), *grid


@st.composite
def many(draw: Draw, T: Type) -> Case:
    """So many numbers for few levels that runs of a level are added; many of them equal."""
    grid = draw(quantisers(T, 2, st.integers(4, 6)))
    elements = ties(T, grid[0][0], 4) | moderate(T) | near(T(0))
    kinds = [elements, moderate(T), st.sampled_from([T(0.3), T(-0.7)]), wide(T), positive(T)]
    chosen = draw(st.sampled_from(kinds))
    return draw(arrays(T, (1, draw(st.integers(16, 20))), chosen)), *grid


def classes(T: Type) -> Any:
    shape = st.tuples(st.integers(1, 3), st.integers(1, 4))
    return shape.flatmap(lambda s: arrays(T, s, moderate(T)))


@st.composite
def losses(draw: Draw) -> tuple[Array, Array | None]:
    """Losses, of which many are equal."""
    shape = draw(st.tuples(st.integers(0, 3), st.integers(1, 6)))
    elements = st.sampled_from([F64(k) for k in (0, 0.1, 0.2, 0.3, 1e-320, 1e300)])
    one = draw(arrays(F64, shape, elements))
    return one, draw(st.none() | arrays(F64, shape, elements))


@pytest.mark.clause("RE-5")
@cases(case=typed(extremes))
def test_search_limits(ops: Any, case: Any) -> None:
    agree(ops, "search_limits", *case[0])


@pytest.mark.clause("RE-6")
@cases(case=typed(positive), count=st.integers(1, 40), one_sided=st.booleans())
def test_symmetric_candidates(ops: Any, case: Any, count: int, one_sided: bool) -> None:
    agree(ops, "symmetric_candidates", case[0], count, one_sided)


@pytest.mark.clause("RE-7")
@cases(case=typed(limits), count=st.integers(1, 4), n_bits=st.integers(1, 5))
def test_skewed_candidates(ops: Any, case: Any, count: int, n_bits: int) -> None:
    agree(ops, "skewed_candidates", *case[0], count, n_bits)


@pytest.mark.clause("RE-8")
@cases(case=typed(positive, numbers), one_sided=st.booleans())
def test_shifted_range(ops: Any, case: Any, one_sided: bool) -> None:
    agree(ops, "shifted_range", *case, one_sided)


@pytest.mark.clause("RE-9")
@cases(case=typed(few))
def test_squared_errors_of_few_numbers(ops: Any, case: tuple[Case]) -> None:
    agree(ops, "squared_errors", *case[0])


@pytest.mark.clause("RE-9")
@cases(case=typed(many))
def test_squared_errors_of_many_numbers(ops: Any, case: tuple[Case]) -> None:
    agree(ops, "squared_errors", *case[0])


@pytest.mark.clause("RE-10")
@cases(case=typed(classes, lambda T: quantisers(T, 4, st.integers(0, 3))))
def test_softmax_losses(ops: Any, case: Any) -> None:
    agree(ops, "softmax_losses", case[0], *case[1])


@pytest.mark.clause("RE-11")
@cases(case=losses())
def test_least_loss(ops: Any, case: Any) -> None:
    agree(ops, "least_loss", *case)


@pytest.mark.clause("RE-5")
def test_search_limits_by_hand(ops: Any, T: Type) -> None:
    same(ops.search_limits(T([-1, 0.25]), T([2, 1]), T(0.5)), (T(-1.5), T(2.5), T(2.5)))
    same(ops.search_limits(T([-3]), T([-2]), T(0.5)), (T(-3.5), T(-1.5), T(3.5)))
    same(ops.search_limits(T([0]), T([0]), T(0)), (T(0), T(0), T(0)))
    same(ops.search_limits(T([-1, -4]), T([5, 2]), T(1)), (T(-5), T(6), T(6)))


@pytest.mark.clause("RE-6")
def test_symmetric_candidates_by_hand(ops: Any, T: Type) -> None:
    quarters = T([0.5, 1, 1.5, 2])
    same(ops.symmetric_candidates(T(2), 4, False), (-quarters, quarters))
    same(ops.symmetric_candidates(T(2), 4, True), (T([0, 0, 0, 0]), quarters))
    agree(ops, "symmetric_candidates", T(1) / T(7) + T(2), 100, False)


@pytest.mark.clause("RE-7")
def test_skewed_candidates_by_hand(ops: Any, T: Type) -> None:
    """Three bits over [-3.5, 3.5]: a step of 1, and two skews."""
    lo, hi = ops.skewed_candidates(T(-2.75), T(3.75), T(3.5), 1, 3)
    same(lo, T([-2.75, -2.75, -2.5, -2.75]))
    same(hi, T([3.5, 3.5, 3.75, 2.5]))
    lo, hi = ops.skewed_candidates(T(-9), T(-1), T(6), 2, 2)
    same((lo, hi), (T([-3, -3, -6, -6]), T([-1, -1, -1, -1])))
    assert len(ops.skewed_candidates(T(-1), T(1), T(1), 5, 1)[0]) == 10
    third = T(1) / T(3)
    agree(ops, "skewed_candidates", -third - T(1), T(2) + third, T(2) + third, 7, 5)


@pytest.mark.clause("RE-8")
def test_shifted_range_by_hand(ops: Any, T: Type) -> None:
    same(ops.shifted_range(T(2), T(0.5), False), (T([-1.5]), T([2.5])))
    same(ops.shifted_range(T(2), T(-0.5), False), (T([-2.5]), T([1.5])))
    same(ops.shifted_range(T(2), T(0), True), (T([0]), T([2])))
    agree(ops, "shifted_range", T(1) / T(3), T(1) / T(7), False)


@pytest.mark.clause("RE-9")
def test_squared_errors_by_hand(ops: Any, T: Type) -> None:
    """Steps of 1/2 with codes -4 to 3, and of 1: half-way values go to the even code."""
    grid = T([0.5, 1]), T([0, 0]), T(-4), T(3)
    same(ops.squared_errors(T([[0.25, 1, 4]]), *grid), F64([[0.0625 + 2.5**2, 0.0625 + 1]]))
    same(ops.squared_errors(T([[0.75], [-9]]), *grid), F64([[0.0625, 0.0625], [49, 25]]))
    same(ops.squared_errors(T([[0.5, 1.5]]), T([1]), T([1]), T(0), T(3)), F64([[0.5]]))
    same(ops.squared_errors(T([[]]), *grid), F64([[0, 0]]))
    same(ops.squared_errors(T([[1, np.nan]]), *grid), F64([[np.nan, np.nan]]))


@pytest.mark.clause("RE-9")
def test_all_bits_of_squared_errors(ops: Any, T: Type) -> None:
    """From numbers and from runs of a level, with differences that need all digits."""
    scale, zero = np.abs(awkward(T, 5)).astype(F32).astype(T), T([0, 1, 3, 7, 2])
    for M in (5, 64):
        agree(ops, "squared_errors", awkward(T, 2, M), scale, zero, T(0), T(7))


@pytest.mark.clause("RE-9")
def test_differences_are_not_rounded(ops: Any, T: Type) -> None:
    """One and a hair from zero: the difference from the code 2 has more digits than a number."""
    hair = float(np.finfo(T).eps) / 4
    found = ops.squared_errors(T([[hair, 2, 2, -hair]]), T([2]), T([0]), T(1), T(1))
    exact = (2 - Fraction(hair)) ** 2 + (2 + Fraction(hair)) ** 2
    same(found, F64([[float(exact)]]))
    one = ops.squared_errors(T([[hair]]), T([2]), T([0]), T(1), T(1))
    same(one, F64([[float((2 - Fraction(hair)) ** 2)]]))


@pytest.mark.clause("RE-9")
def test_a_loss_beyond_the_largest_number_of_float32_is_a_number(ops: Any, T: Type) -> None:
    same(ops.squared_errors(T([[1e30]]), T([1]), T([0]), T(0), T(0)), F64([[F64(T(1e30)) ** 2]]))


@pytest.mark.clause("RE-9")
@pytest.mark.parametrize("count", [3, 8])
def test_data_that_a_sum_of_two_numbers_cannot_hold(ops: Any, T: Type, count: int) -> None:
    """Numbers from all over the range of exponents beside ones that cancel."""
    low = int(np.finfo(T).minexp)
    exponents = np.array([0, low, low // 2, low // 3, -30, -60, low - 10, 4] * 4)
    x = np.ldexp(np.where(np.arange(32) % 2, T(1), T(-1.5)), exponents)[None].astype(T)
    scale = T([0.3, 1e-8, 0.25, 1, 7, 0.1, 2, 100])[:count].astype(F32).astype(T)
    agree(ops, "squared_errors", x, scale, np.zeros(count, T), T(-2), T(1))


@pytest.mark.clause("RE-10")
def test_softmax_losses_by_hand(ops: Any, T: Type) -> None:
    """Two equal classes: the logarithm of 2 in ``T``, for each row."""
    grid = T([1]), T([0]), T(0), T(3)
    ln2 = -F64(T(0) - ops.log(T([2]))[0])
    same(ops.softmax_losses(T([[0, 0]]), *grid), F64([[ln2]]))
    same(ops.softmax_losses(T([[0, 0], [3, 3]]), *grid), F64([[2 * ln2]]))
    same(ops.softmax_losses(T([[5]]), *grid), F64([[0]]))


@pytest.mark.clause("RE-10")
def test_all_bits_of_softmax_losses(ops: Any, T: Type) -> None:
    scale, zero = np.abs(awkward(T, 3)).astype(F32).astype(T), T([3, 4, 2])
    agree(ops, "softmax_losses", awkward(T, 6, 5), scale, zero, T(0), T(7))


@pytest.mark.clause("RE-11")
def test_least_loss_by_hand(ops: Any) -> None:
    new, old = F64([[3, 1, 2], [1, 0, 0]]), F64([[0, 2, 1], [1, 2, 2]])
    same(ops.least_loss(new, None), (new, np.array([1, 1])))
    same(ops.least_loss(new, old), (F64([[3, 3, 3], [2, 2, 2]]), np.array([0, 0])))
    same(ops.least_loss(F64([[9, 1], [0, 2]]), None)[1], np.array([1, 0]))
    same(ops.least_loss(F64([[5, 2, 2]]), F64([[0, 4, 1]])), (F64([[5, 6, 3]]), np.array([2])))


@pytest.mark.clause("RE-9")
@cases(case=typed(many), data=st.data())
def test_the_order_of_the_data_does_not_matter(ops: Any, case: tuple[Case], data: Any) -> None:
    x, *grid = case[0]
    order = data.draw(st.permutations(range(x.shape[1])))
    same(ops.squared_errors(x[:, list(order)], *grid), ops.squared_errors(x, *grid))


@pytest.mark.clause("RE-9")
@cases(case=typed(many))
def test_each_quantiser_loses_alone_what_it_loses_among_others(ops: Any, case: tuple[Case]) -> None:
    """One quantiser goes over numbers, many over runs of a level."""
    x, scale, zero, *codes = case[0]
    together = ops.squared_errors(x, scale, zero, *codes)
    for c in range(len(scale)):
        alone = ops.squared_errors(x, scale[c : c + 1], zero[c : c + 1], *codes)
        same(alone, together[:, c : c + 1])


@pytest.mark.clause("RE-7")
@cases(
    case=typed(lambda T: limits(T, moderate(T).map(lambda v: abs(v) + T(0.25)))),
    count=st.integers(1, 3),
    n_bits=st.integers(3, 5),
)
def test_candidates_stay_within_the_limits(ops: Any, case: Any, count: int, n_bits: int) -> None:
    lower, upper, size = case[0]
    lo, hi = ops.skewed_candidates(lower, upper, size, count, n_bits)
    assert (lo >= lower).all()
    assert (hi <= upper).all()
    assert (lo[0], hi[0]) == (lo[1], hi[1])
