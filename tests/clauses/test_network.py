"""Clauses NN: rectifier, softmax and cross-entropy."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.clauses.checks import agree, cases
from tests.clauses.random_oracle import fraction
from tests.exact import Array, Type, same
from tests.strategies import arrays, batch_pairs, batches, moderate, typed

NAN, INF = np.nan, np.inf


@st.composite
def classified(draw: Any, T: Type) -> tuple[Array, Any]:
    """Logits, often with equal ones or far apart, and labels."""
    shape = draw(st.integers(0, 3)), draw(st.integers(1, 5))
    logits = draw(arrays(T, shape, moderate(T))) * T(draw(st.sampled_from([1, 4, 40])))
    labels = draw(hnp.arrays(np.int64, shape[0], elements=st.integers(0, shape[1] - 1)))
    return logits, labels


def exact_loss(row: Array, t: int) -> Fraction:
    """The loss to a hundred digits, by mpmath."""
    y = [mpmath.mpf(float(v)) for v in row]
    return fraction(mpmath.log(sum(mpmath.exp(v) for v in y)) - y[t])


@pytest.mark.clause("NN-1")
@cases(case=typed(batches))
def test_relu(ops: Any, case: tuple[Array]) -> None:
    agree(ops, "relu", *case)


@pytest.mark.clause("NN-2")
@cases(case=typed(batch_pairs))
def test_relu_gradient(ops: Any, case: tuple[tuple[Array, Array]]) -> None:
    agree(ops, "relu_gradient", *case[0])


@pytest.mark.clause("NN-1")
def test_relu_by_hand(ops: Any, T: Type) -> None:
    tiny = np.finfo(T).smallest_subnormal
    x = T([-2, -tiny, -0.0, 0, tiny, 3, INF, -INF, NAN])
    same(ops.relu(x), T([0, 0, 0, 0, tiny, 3, INF, 0, NAN]))


@pytest.mark.clause("NN-2")
def test_relu_gradient_by_hand(ops: Any, T: Type) -> None:
    tiny = np.finfo(T).smallest_subnormal
    x = T([-2, -tiny, -0.0, 0, tiny, 3, INF, NAN])
    g = T([-1, 1, -1, 2, -3, NAN, -0.0, 5])
    same(ops.relu_gradient(g, x), T([0, 0, 0, 0, -3, NAN, -0.0, 0]))


@pytest.mark.clause("NN-3")
@cases(case=typed(classified))
def test_softmax(ops: Any, case: Any) -> None:
    agree(ops, "softmax", case[0][0])


@pytest.mark.clause("NN-4")
@cases(case=typed(classified))
def test_cross_entropy(ops: Any, case: Any) -> None:
    agree(ops, "cross_entropy", *case[0])


@pytest.mark.clause("NN-5")
@cases(case=typed(classified))
def test_cross_entropy_gradient(ops: Any, case: Any) -> None:
    agree(ops, "cross_entropy_gradient", *case[0])


def awkward_logits(T: Type) -> Array:
    k = np.arange(77)
    return (((k * k * 5 + k) % 97 - 48).astype(T) / T(7)).reshape(11, 7)


AWKWARD_LABELS = np.arange(11) * 3 % 7


@pytest.mark.clause("NN-3", "NN-4", "NN-5")
def test_all_bits_of_awkward_logits(ops: Any, T: Type) -> None:
    logits, label = awkward_logits(T), AWKWARD_LABELS
    agree(ops, "softmax", logits)
    agree(ops, "cross_entropy", logits, label)
    agree(ops, "cross_entropy_gradient", logits, label)


@pytest.mark.clause("NN-4")
def test_all_bits_of_logarithms(ops: Any, T: Type) -> None:
    """At the largest logit the loss is the logarithm alone."""
    logits = np.stack([np.zeros(60, T), -np.arange(60).astype(T) / T(13)], axis=1)
    agree(ops, "cross_entropy", logits, np.zeros(60, np.int64))


@pytest.mark.clause("NN-3")
def test_special_rows_of_softmax(ops: Any, T: Type) -> None:
    largest = np.finfo(T).max
    logits = T(
        [[0, 0], [largest, -largest], [-INF, 1], [INF, 1], [NAN, 1], [900, 900], [-INF, -INF]]
    )
    half, nan = [0.5, 0.5], [NAN, NAN]
    same(ops.softmax(logits), T([half, [1, 0], [0, 1], nan, nan, half, nan]))
    same(ops.softmax(T([[3], [-7]])), T([[1], [1]]))


@pytest.mark.clause("NN-4")
def test_special_rows_of_the_loss(ops: Any, T: Type) -> None:
    logits = T([[0, 0], [0, 2000], [2000, 0], [-INF, 1], [INF, 1], [NAN, 1]])
    label = np.array([1, 0, 0, 0, 1, 1])
    same(ops.cross_entropy(logits, label), T([np.log(2), 2000, 0, INF, NAN, NAN]))


@pytest.mark.clause("NN-5")
def test_loss_gradient_by_hand(ops: Any, T: Type) -> None:
    logits, label = T([[1, 1], [2000, 0], [0, 2000], [5, 5]]), np.array([0, 0, 0, 1])
    expected = T([[-0.125, 0.125], [0, 0], [-0.25, 0.25], [0.125, -0.125]])
    same(ops.cross_entropy_gradient(logits, label), expected)


@pytest.mark.clause("NN-4")
@cases(case=typed(classified))
def test_the_loss_is_close_to_that_of_mpmath(ops: Any, case: Any) -> None:
    """Within the bound of the page: differences, exponentials, sum, logarithm and last difference."""
    ((logits, label),) = case
    losses = ops.cross_entropy(logits, label)
    unit = Fraction(float(np.finfo(logits.dtype).eps))
    for row, t, loss in zip(logits, label, losses, strict=True):
        spread = Fraction(float(row.max())) - Fraction(float(row.min()))
        bound = unit * (3 * spread + 5)
        assert abs(Fraction(float(loss)) - exact_loss(row, t)) <= bound


@pytest.mark.clause("NN-4")
@pytest.mark.clause("NN-5")
def test_the_gradient_is_the_slope_of_the_mean_loss(ops: Any) -> None:
    """Against the derivative of the exact loss; the bound is that of the softmax, a few units of 1."""
    logits, label = awkward_logits(np.float64), AWKWARD_LABELS
    gradient = ops.cross_entropy_gradient(logits, label)
    for n, t in enumerate(label):
        y = [mpmath.mpf(float(v)) for v in logits[n]]
        s = sum(mpmath.exp(v) for v in y)
        for k in range(7):
            slope = (mpmath.exp(y[k]) / s - (1 if k == t else 0)) / len(label)
            assert abs(Fraction(float(gradient[n, k])) - fraction(slope)) < Fraction(1, 2**50)
