"""Clause OP: stochastic gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.clauses.checks import agree, cases
from tests.exact import Array, Type, same
from tests.strategies import arrays, factors, moderate, typed, vectors


@st.composite
def steps(draw: Any, T: Type) -> tuple[Any, ...]:
    shape = draw(st.sampled_from([(1,), (3,), (2, 2), (0,), ()]))
    parameter, gradient = (draw(arrays(T, shape)) for _ in range(2))
    velocity = draw(arrays(T, shape)) if draw(st.booleans()) else None
    scalars = [draw(factors(T)) for _ in range(4)]
    return parameter, gradient, velocity, *scalars, draw(st.booleans())


@pytest.mark.clause("OP-1")
@cases(case=typed(steps))
def test_sgd_step(ops: Any, case: Any) -> None:
    agree(ops, "sgd_step", *case[0])


@pytest.mark.clause("OP-1")
def test_sgd_by_hand(ops: Any, T: Type) -> None:
    p, g, v = T([1, 4]), T([0.5, -2]), T([2, 8])
    lr, zero, half, quarter = T(0.5), T(0), T(0.5), T(0.25)

    def step(velocity: Array | None, *settings: Any) -> Any:
        return ops.sgd_step(p, g, velocity, lr, *settings)

    same(step(None, zero, T(1), zero, False), (T([0.75, 5]), None))
    same(step(None, zero, T(1), quarter, False), (T([0.625, 4.5]), None))
    first = step(None, half, quarter, zero, False)
    same(first, (T([0.75, 5]), g))  # no dampening at first
    assert not np.shares_memory(first[1], g)
    same(step(v, half, T(1), zero, False), (T([0.25, 3]), T([1.5, 2])))
    same(step(v, half, quarter, zero, False), (T([0.4375, 2.25]), T([1.125, 3.5])))
    same(step(v, half, T(1), zero, True), (T([0.375, 4.5]), T([1.5, 2])))
    same(step(v, half, T(1), quarter, False), (T([0.125, 2.5]), T([1.75, 3])))


@pytest.mark.clause("OP-1")
def test_products_and_sums_round_one_by_one(ops: Any, T: Type) -> None:
    p, g, v = T([1 / 3]), T([1 / 7]), T([1 / 11])
    lr, mu, tau, decay = T(0.1), T(0.9), T(0.7), T(0.3)
    d = g + decay * p
    velocity = mu * v + tau * d
    plain = ops.sgd_step(p, g, v, lr, mu, tau, decay, False)
    same(plain, (p - lr * velocity, velocity))
    nesterov = ops.sgd_step(p, g, v, lr, mu, tau, decay, True)
    same(nesterov, (p - lr * (d + mu * velocity), velocity))


@pytest.mark.clause("OP-1")
@cases(case=typed(lambda T: vectors(T, 3, moderate(T)), lambda T: vectors(T, 3, moderate(T))))
def test_nothing_moves_without_a_rate_and_the_result_is_new(ops: Any, case: Any) -> None:
    p, g = case
    T = p.dtype.type
    moved, velocity = ops.sgd_step(p, g, None, T(0), T(0.5), T(1), T(0), False)
    assert np.array_equal(moved, p)
    same(velocity, g)
    assert not np.shares_memory(velocity, g)
    assert not np.shares_memory(moved, p)


@pytest.mark.clause("OP-1")
def test_a_parameter_without_axes(ops: Any, T: Type) -> None:
    p, g = np.array(T(2)), np.array(T(4))
    value, velocity = ops.sgd_step(p, g, None, T(0.5), T(0.5), T(1), T(0), False)
    same(value, np.array(T(0)))
    same(velocity, g)
    assert isinstance(value, np.ndarray)
    assert isinstance(velocity, np.ndarray)
    same(ops.sgd_step(value, g, velocity, T(0.5), T(0.5), T(1), T(0), False)[0], np.array(T(-3)))
