"""Scalar bodies: exact transformations, orders of floats, and the constants of the elementary functions."""

from __future__ import annotations

from fractions import Fraction
from math import factorial
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from refsim.kernels import points, series
from refsim.kernels.cpu.points import P
from tests.exact import Scalar, Type, same
from tests.strategies import dtypes, numbers, wide

doubles = wide(np.float64)
middle = st.floats(2.0**-400, 2.0**400).map(np.float64)


def exactly(x: Any) -> Fraction:
    return Fraction(float(x))


@given(a=doubles, b=doubles)
@pytest.mark.clause("SU-1")
def test_a_sum_and_its_error(a: Scalar, b: Scalar) -> None:
    s, e = P.two_sum(a, b)
    assume(np.isfinite(e))
    assert exactly(s) + exactly(e) == exactly(a) + exactly(b)
    same(np.float64(s), a + b)
    same((np.float64(s), np.float64(e)), points.two_sum(a, b))


@given(x=middle, y=middle, sign=st.sampled_from([1, -1]))
@pytest.mark.clause("SU-2")
def test_a_product_and_its_error(x: Scalar, y: Scalar, sign: int) -> None:
    h = sign * x * y
    error = P.product_error(h, *P.split(sign * x), *P.split(y))
    assert exactly(h) + exactly(error) == sign * exactly(x) * exactly(y)


@given(x=doubles)
@pytest.mark.clause("SU-2")
def test_halves_of_digits(x: Scalar) -> None:
    assume(abs(x) < 2.0**990)
    high, low = P.split(x)
    assert exactly(high) + exactly(low) == exactly(x)
    for half in (high, low):
        digits = exactly(half).numerator
        assert digits == 0 or (digits // (digits & -digits)).bit_length() <= 26


@given(x=dtypes.flatmap(numbers))
@pytest.mark.clause("MV-1")
def test_the_lowest_bit(x: Scalar) -> None:
    bit = exactly(P.low_bit(x))
    if x == 0:
        assert bit == 0
    else:
        assert exactly(x) % bit == 0
        assert exactly(x) % (2 * bit) != 0


@given(pair=dtypes.flatmap(lambda T: st.tuples(numbers(T), numbers(T))))
@pytest.mark.clause("NM-2")
def test_integers_in_the_order_of_floats(pair: tuple[Scalar, Scalar]) -> None:
    a, b = pair
    assert (P.order(a) < P.order(b)) == (a < b)
    assert (P.order(a) == P.order(b)) == (a == b)
    assert P.order(a.dtype.type(np.nan)) > P.order(abs(a))


@pytest.mark.clause("EF-1", "EF-2", "RN-4")
def test_constants_are_typed(T: Type) -> None:
    log, exp = (series.LOG32, series.EXP32) if T is np.float32 else (series.LOG64, series.EXP64)
    for group in (*log, exp[2], exp[3]):
        assert len({type(value) for value in group}) == 1
    assert {type(value) for value in (*log[1], *log[2], *exp[3], exp[0])} == {T}
    high, low = map(exactly, log[1])
    logarithm = Fraction("0.693147180559945309417232121458176568075500134360255254120680009493")
    assert abs(high + low - logarithm) < logarithm * Fraction(np.finfo(T).eps.item()) ** 1.5
    assert (high * 2 ** log[0][0]).denominator * 2 ** (5 if T is np.float32 else 8) <= 2 ** log[0][
        0
    ]
    for i, value in enumerate(reversed(exp[3]), start=2):
        same(value, T(1 / factorial(i)))


@pytest.mark.clause("SU-6")
@given(s=middle, n=st.integers(1, 2**30))
def test_quotients_of_running_sums(s: Scalar, n: int) -> None:
    q, c, d = P.quotient(s, s * np.float64(2.0**-60), np.float64(0), np.float64(n))
    error = abs(exactly(q) + exactly(c) - exactly(s) * (1 + Fraction(1, 2**60)) / n)
    assert error <= exactly(d)
    same(np.float64(q), s / np.float64(n))
