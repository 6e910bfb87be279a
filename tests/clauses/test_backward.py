"""Clauses BP: gradients through the converters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.clauses.checks import agree, cases
from tests.exact import Type, same
from tests.strategies import batches, bounds, factors, near, positive, typed, vectors


@st.composite
def adc_cases(draw: Any, T: Type) -> tuple[Any, ...]:
    bound = draw(bounds(T))
    t = draw(batches(T, elements=near(bound)))
    g, m = (draw(batches(T, st.just(t.shape))) for _ in range(2))
    return g, draw(vectors(T, len(t), positive(T))), draw(factors(T)), t, bound, m, draw(factors(T))


@st.composite
def dac_cases(draw: Any, T: Type) -> tuple[Any, ...]:
    bound = draw(bounds(T))
    q = draw(batches(T, elements=near(bound)))
    g, d = (draw(batches(T, st.just(q.shape))) for _ in range(2))
    return g, q, bound, d < 0, draw(factors(T))


@pytest.mark.clause("BP-1")
@cases(case=typed(adc_cases))
def test_adc_gradient(ops: Any, case: Any) -> None:
    agree(ops, "adc_gradient", *case[0])


@pytest.mark.clause("BP-1")
def test_adc_gradient_by_hand(ops: Any, T: Type) -> None:
    above = np.nextafter(T(4), T(5))
    t, m = T([[4, -4, above, -above, 0]]), T([[-1, 1, -1, 1, -0.0]])
    g, sigma = T([[3, -3, -3, -3, -3]]), T([0.5])
    same(ops.adc_gradient(g, sigma, T(2), t, T(4), m, T(0.5)), T([[6, -12, 0, 0, -12]]))
    third, five = T(1) / T(3), T([[5]])
    one = T([[1]])
    same(ops.adc_gradient(five, T([3]), T(1), one, T(4), one, T(1)), five * third)


@pytest.mark.clause("BP-1")
@cases(case=typed(adc_cases))
def test_the_output_gradient_is_odd_and_the_sign_of_the_code_is_no_matter(
    ops: Any, case: Any
) -> None:
    g, sigma, o, t, bound, m, f = case[0]
    got = ops.adc_gradient(g, sigma, o, t, bound, m, f)
    same(ops.adc_gradient(g, sigma, o, -t, bound, m, f), got)
    passed = np.abs(t) <= bound
    same(ops.adc_gradient(-g, sigma, o, t, bound, m, f)[passed], -got[passed])
    same(got[~passed], np.zeros_like(got[~passed]))


@pytest.mark.clause("BP-2")
@cases(case=typed(dac_cases))
def test_dac_gradient(ops: Any, case: Any) -> None:
    agree(ops, "dac_gradient", *case[0])


@pytest.mark.clause("BP-2")
def test_dac_gradient_by_hand(ops: Any, T: Type) -> None:
    above = np.nextafter(T(1), T(2))
    q, g = T([[1, -1, above, -above, 0.5]]), T([[-4, -4, -4, -4, -4]])
    negative = np.array([[False, True, False, True, True]])
    same(ops.dac_gradient(g, q, T(1), negative, T(0.25)), T([[-4, -1, 0, 0, -1]]))
    same(ops.dac_gradient(g, q, T(np.inf), negative, T(1)), g)


@pytest.mark.clause("BP-2")
def test_a_code_beyond_the_bound_blocks_a_saturated_input(ops: Any, T: Type) -> None:
    """With ``2**7 - 1`` levels the input 1 rounds to 64 steps, beyond the bound."""
    one, step = np.ones((1, 1), dtype=T), T(2 / 127)
    q, d, negative = ops.digital_to_analog(one, one[0], step, T(1), None, None, T(0), T(1))
    same(d, one)
    same(ops.dac_gradient(-one, q, T(1), negative, T(1)), one * T(0))
    q, _, negative = ops.digital_to_analog(one, one[0], T(2 / 126), T(1), None, None, T(0), T(1))
    same(ops.dac_gradient(-one, q, T(1), negative, T(1)), -one)
