"""The oracle's own tests: known answers, half-way cases, the ends of the range."""

from __future__ import annotations

import math
import operator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import exact
from tests.exact import Number, round_to, same
from tests.strategies import arrays, dtypes, numbers, typed

HALF = Fraction(1, 2)
OPERATIONS = [operator.add, operator.sub, operator.mul, operator.truediv]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        (Fraction(2**24 + 1), 2.0**24),  # half way: to the even neighbour below
        (Fraction(2**24 + 3), 2.0**24 + 4),  # half way: to the even neighbour above
        (Fraction(2**24 + 1) + Fraction(1, 2**90), 2.0**24 + 2),
        (Fraction(2**24 + 1) - Fraction(1, 2**90), 2.0**24),
        (Fraction(1, 10), 13421773 * 2.0**-27),
        (Fraction(1, 2**149), 2.0**-149),
        (Fraction(1, 2**150), 0.0),
        (Fraction(-1, 2**150), -0.0),
        (Fraction(3, 2**150), 2.0**-148),
        (Fraction(2**128) - 2**103, math.inf),
        (Fraction(2**128) - 2**103 - 1, (2.0**24 - 1) * 2.0**104),
        (Fraction(-(2**128)), -math.inf),
        (Fraction(0), 0.0),
        (1 - Fraction(1, 2**25), 1.0),
        (1 - Fraction(1, 2**25) - Fraction(1, 2**80), 1 - 2.0**-24),
    ],
)
def test_known_float32_roundings(q: Fraction, expected: float) -> None:
    same(round_to(np.float32, q), np.float32(expected))


def test_known_float64_roundings() -> None:
    same(round_to(np.float64, Fraction(1, 10)), np.float64(0.1))
    same(round_to(np.float64, Fraction(2**53 + 1)), np.float64(2**53))
    same(round_to(np.float64, Fraction(1, 2**1075)), np.float64(0))
    same(round_to(np.float64, Fraction(3, 2**1075)), np.float64(1e-323))
    same(round_to(np.float64, Fraction(2**1024)), np.float64(math.inf))


@given(dtypes.flatmap(numbers))
def test_a_number_rounds_to_itself(x: np.floating) -> None:
    same(round_to(type(x), Fraction(float(x))), x + type(x)(0))


@given(typed(numbers), st.booleans())
def test_half_way_between_neighbours_is_even(case: tuple[np.floating], up: bool) -> None:
    (x,) = case
    T = type(x)
    with np.errstate(all="ignore"):
        y = np.nextafter(x, T(np.inf if up else -np.inf))
    if np.isfinite(y):
        middle = (Fraction(float(x)) + Fraction(float(y))) / 2
        chosen = round_to(T, middle)
        assert chosen in (x, y)
        assert Fraction(float(chosen)) / exact.ulp(min(x, y, key=abs)) % 2 == 0


@pytest.mark.parametrize("operation", OPERATIONS)
@given(case=typed(numbers, numbers))
def test_one_operation_is_what_the_processor_does(operation, case) -> None:
    a, b = case
    with np.errstate(all="ignore"):
        same(exact.each(operation, a, b)[()], operation(a, b))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("T", [np.float32, np.float64])
def test_special_operands_are_those_of_the_processor(operation, T) -> None:
    special = np.array([0, -0.0, 1, -2, np.inf, -np.inf, np.nan], dtype=T)
    with np.errstate(all="ignore"):
        same(exact.each(operation, special[:, None], special), operation(special[:, None], special))


@given(typed(numbers))
def test_square_root_and_rint_are_those_of_the_processor(case: tuple[np.floating]) -> None:
    (x,) = case
    same(exact.each(Number.rint, x)[()], np.rint(x))
    same(exact.each(Number.sqrt, abs(x))[()], np.sqrt(abs(x)))


def test_square_roots_that_pass_close_to_a_half() -> None:
    for k in range(1, 200):
        x = np.float32(1 + k * 2.0**-23)
        same(exact.each(Number.sqrt, x)[()], np.sqrt(x))
        same(exact.each(Number.sqrt, x * x)[()], np.sqrt(x * x))


def test_special_square_roots() -> None:
    special = np.array([0, -0.0, np.inf, np.nan, -1.0])
    with np.errstate(invalid="ignore"):
        same(exact.each(Number.sqrt, special), np.sqrt(special))


@given(typed(lambda T: arrays(T, (5,))))
def test_a_dot_product_of_one_term_is_a_product(case: tuple[np.ndarray]) -> None:
    (x,) = case
    with np.errstate(all="ignore"):
        same(exact.dot(x[:1], x[:1]), x[0] * x[0])


def test_a_dot_product_rounds_once() -> None:
    x, one = np.float32([2**24, 1, 2**-60]), np.ones(3, dtype=np.float32)
    same(exact.dot(x, one), np.float32(2**24 + 2))
    same(exact.dot(x[:2], one[:2]), np.float32(2**24))
    same(exact.dot(np.float32([np.inf]), one[:1]), np.float32(np.nan))
    same(exact.dot(x[:0], one[:0]), np.float32(0))
    same(exact.dot(np.float32([-0.0]), one[:1]), np.float32(0))


def test_ulps() -> None:
    assert exact.ulp(np.float32(1)) == Fraction(1, 2**23)
    assert exact.ulp(np.float32(-3)) == Fraction(1, 2**22)
    assert exact.ulp(np.float32(0)) == Fraction(1, 2**149)
    assert exact.ulp(np.float64(1e-310)) == Fraction(1, 2**1074)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (np.float32(0), np.float32(-0.0)),
        (np.float32(1), np.float64(1)),
        (np.zeros(1), np.zeros((1, 1))),
        (1.0, np.float64(1)),
        (np.float32(1), np.nextafter(np.float32(1), np.float32(2))),
        (None, np.float32(1)),
        (np.bool_(True), True),
        ((np.float32(1),), (np.float32(1), np.float32(2))),
    ],
)
def test_same_is_strict(actual: object, expected: object) -> None:
    with pytest.raises(AssertionError):
        same(actual, expected)


def test_same_takes_one_nan_for_another() -> None:
    same(np.float32(np.nan), -np.float32(np.nan))
