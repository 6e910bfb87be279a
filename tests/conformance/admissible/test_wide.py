"""Tiles that compute in float64, or partly so, and store float32."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refsim.conformance.admissible import (
    BINARY32,
    FLOAT32,
    Arithmetic,
    Interval,
    arithmetic_of,
    judge_backward,
    judge_forward,
)
from refsim.conformance.admissible.interval import point
from tests.conformance.admissible import evaluator
from tests.conformance.admissible.evaluator import Float32
from tests.conformance.admissible.test_soundness import pair
from tests.strategies import seeds

WIDE = FLOAT32.wider()


@dataclass
class Mixed(Float32):
    """float64 operations, some of whose results are rounded to float32."""

    share: float = 0.0

    def somewhere(self, value: Any) -> Any:
        value = np.asarray(value, dtype=np.float64)
        short = self.rng.random(value.shape) < self.share
        return np.where(short, value.astype(np.float32), value)[()]

    def div(self, a: Any, b: Any) -> Any:
        return self.somewhere(np.asarray(a, np.float64) / b)

    def muladd(self, a: Any, b: Any, c: Any) -> Any:
        return self.somewhere(self.somewhere(np.asarray(a, np.float64) * b) + c)

    def total(self, terms: Any) -> Any:
        return self.somewhere(super().total([self.somewhere(term) for term in terms]))


@given(seed=seeds, managed=st.booleans(), K=st.integers(1, 40), share=st.sampled_from([0.0, 0.5]))
def test_wider_intermediates_stay_in_the_sets(
    seed: int, managed: bool, K: int, share: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluator, "F", np.float64)
        ops = Mixed(np.random.default_rng(seed + 1), fused=False, share=share)
        tile, other, x, noise, g = pair(seed, managed, ops, K)
        y = np.float32(other.forward(np.float64(x), np.float64(noise["out_noise"])))
        report = judge_forward(tile, x, y, WIDE, noise=noise)
        assert report.passed, report
        if tile.config.forward.noise_management.name == "NONE":
            gradients = {
                name: np.float32(value) for name, value in other.backward(np.float64(g)).items()
            }
            report = judge_backward(tile, x, g, gradients, WIDE, noise=noise)
            assert report.passed, report


def test_float64_inside_is_not_what_float32_declares() -> None:
    failed = 0
    for seed in range(12):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(evaluator, "F", np.float64)
            ops = Mixed(np.random.default_rng(seed), fused=False)
            tile, other, x, noise, _ = pair(seed, False, ops, 4)
            y = np.float32(other.forward(np.float64(x), np.float64(noise["out_noise"])))
        failed += not judge_forward(tile, x, y, FLOAT32, noise=noise).passed
    assert failed > 0


finite = st.floats(width=32, allow_nan=False, min_value=-(2.0**40), max_value=2.0**40)


@given(a=finite, b=finite, c=finite)
def test_real_and_rounded_results_are_inside(a: float, b: float, c: float) -> None:
    """All ways to round or not to round ``(a + b) * c``, against exact fractions."""
    A = arithmetic_of(WIDE)
    found = A.product(A.sum(point([a]), point([b])), point([c]))
    exact = Fraction(a) + Fraction(b)
    for first in (exact, Fraction(float(exact)), Fraction(float(np.float32(float(exact))))):
        product = first * Fraction(c)
        for last in (product, Fraction(float(product)), Fraction(float(BINARY32.rounded(product)))):
            assert Fraction(float(found.lo[0])) <= last <= Fraction(float(found.hi[0]))


@pytest.mark.parametrize(
    "operation", [lambda A: A.sum(HALF, HALF), lambda A: A.quotient(THREE, HALF)]
)
def test_what_is_exact_stays_one_number(operation: Any) -> None:
    found = operation(arithmetic_of(WIDE))
    assert found.lo == found.hi == operation(Arithmetic(FLOAT32)).lo


HALF, THREE = point([0.5]), point([3.0])


@pytest.mark.parametrize("profile", [FLOAT32, WIDE])
def test_a_divisor_that_may_be_zero_leaves_everything_open(profile: Any) -> None:
    A = arithmetic_of(profile)
    with np.errstate(all="ignore"):
        quotient = A.quotient(THREE, Interval(np.array([0.0]), np.array([1e-45])))
    found = A.clip(quotient, THREE)
    assert found.contains(np.array([np.nan]))
    assert not A.clip(A.quotient(THREE, HALF), THREE).contains(np.array([np.nan]))


def test_zero_times_an_infinite_reciprocal_is_open() -> None:
    smallest = point([100 * 2.0**-149])
    with np.errstate(all="ignore"):
        found = arithmetic_of(FLOAT32.reciprocals()).quotient(point([0.0]), smallest)
        divided = arithmetic_of(FLOAT32).quotient(point([0.0]), smallest)
    assert found.contains(np.array([np.nan]))
    assert not divided.contains(np.array([np.nan]))
