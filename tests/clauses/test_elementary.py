"""Clauses EF: exponential and logarithm, bit for bit as written and within their bounds."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import strategies as st

from tests.clauses.checks import agree, cases
from tests.clauses.random_oracle import worst
from tests.exact import Array, Type, same
from tests.strategies import around, typed, vectors, wide

LOG_BOUND, EXP_BOUND = Fraction(11, 10), Fraction(3, 2)


def width(T: Type) -> int:
    return int(np.finfo(T).bits)


def above_zero(T: Type) -> Any:
    """Arguments of the logarithm: near one, near the seam at the root of a half, anywhere."""
    seams = [T(2.0**k * c) for k in (-3, 0, 1) for c in (0.5**0.5, 1, 2.0**0.5)]
    special = st.sampled_from([v for seam in seams for v in around(seam)])
    tame = st.floats(float(T(0.125)), 8, width=width(T)).map(T)
    return vectors(T, 4, special | tame | wide(T).map(abs).filter(bool))


def exponents(T: Type) -> Any:
    """Arguments of the exponential: near zero, near the seams, near overflow and underflow."""
    info = np.finfo(T)
    low, high = float((info.minexp - info.nmant - 1) * np.log(2)), float(info.maxexp * np.log(2))
    seams = [T((k + 0.5) * np.log(2)) for k in (-3, -1, 0, 1, 7)] + [T(low), T(high), T(0)]
    special = st.sampled_from([v for seam in seams for v in around(seam)])
    tame = st.floats(float(T(-4)), 4, width=width(T)).map(T)
    spread = st.floats(float(T(low)), float(T(high)), width=width(T)).map(T)
    return vectors(T, 4, special | tame | spread)


@pytest.mark.clause("EF-1")
@cases(case=typed(above_zero))
def test_log(ops: Any, case: tuple[Array]) -> None:
    agree(ops, "log", case[0])


@pytest.mark.clause("EF-2")
@cases(case=typed(exponents))
def test_exp(ops: Any, case: tuple[Array]) -> None:
    agree(ops, "exp", case[0])


@pytest.mark.clause("EF-1")
@cases(case=typed(above_zero))
def test_log_is_within_its_bound(ops: Any, case: tuple[Array]) -> None:
    (x,) = case
    assert worst(x.dtype.type, x, ops.log(x), mpmath.log) <= LOG_BOUND


@pytest.mark.clause("EF-2")
@cases(case=typed(exponents))
def test_exp_is_within_its_bound(ops: Any, case: tuple[Array]) -> None:
    (x,) = case
    y = ops.exp(x)
    finite = np.isfinite(y)
    if finite.any():
        assert worst(x.dtype.type, x[finite], y[finite], mpmath.exp) <= EXP_BOUND


@pytest.mark.clause("EF-1")
@pytest.mark.clause("EF-2")
def test_both_bit_for_bit(ops: Any, T: Type) -> None:
    x = np.arange(1, 150, dtype=T) / T(37)
    agree(ops, "log", x)
    agree(ops, "exp", x)
    agree(ops, "exp", -x)


@pytest.mark.clause("EF-1")
@pytest.mark.clause("EF-2")
def test_both_are_within_their_bounds_on_a_dense_sample(ops: Any, T: Type) -> None:
    generator = np.random.default_rng(1)
    near_one = generator.uniform(0.7, 1.45, 800).astype(T)
    x = np.concatenate([near_one, np.exp2(generator.uniform(-100, 100, 400)).astype(T)])
    assert worst(T, x, ops.log(x), mpmath.log) <= LOG_BOUND
    y = np.concatenate([generator.uniform(-1, 1, 800), generator.uniform(-80, 80, 400)]).astype(T)
    assert worst(T, y, ops.exp(y), mpmath.exp) <= EXP_BOUND


@pytest.mark.clause("EF-1")
def test_special_logarithms(ops: Any, T: Type) -> None:
    inf, nan = np.inf, np.nan
    x = T([0, -0.0, 1, -1, inf, -inf, nan])
    same(ops.log(x), T([-inf, -inf, 0, nan, inf, nan, nan]))
    same(ops.log(T([2, 0.5])), T([np.log(2), -np.log(2)]))


@pytest.mark.clause("EF-2")
def test_special_exponentials(ops: Any, T: Type) -> None:
    inf, nan, largest = np.inf, np.nan, np.finfo(T).max
    x = T([0, -0.0, inf, -inf, nan, largest, -largest, 2000, -2000])
    same(ops.exp(x), T([1, 1, inf, 0, nan, inf, 0, inf, 0]))
    small = np.finfo(T).smallest_subnormal
    same(ops.exp(T([small, -small])), T([1, 1]))
    info = np.finfo(T)
    last = T(mpmath.log(mpmath.mpf(float(info.max))))
    assert np.isfinite(ops.exp(np.array([np.nextafter(last, T(0))])))[0]
    assert ops.exp(T([float(last) + 0.01]))[0] == inf
    assert ops.exp(T([(info.minexp - info.nmant) * np.log(2)]))[0] == small
