"""The sets themselves: sound against exact fractions, tight enough to be of use, and quick."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from refsim.conformance.admissible import (
    BINARY32,
    BINARY64,
    FLOAT32,
    FLOAT64,
    Arithmetic,
    Format,
    Interval,
    Profile,
    float32_in_order,
    judge_backward,
    judge_forward,
)
from refsim.conformance.admissible.interval import point
from refsim.conformance.admissible.rounding import codes
from refsim.conformance.admissible.sums import matrix_product, total
from tests.conformance.admissible.evaluator import F, Float32, fma
from tests.strategies import moderate, seeds, wide

NM, BM = rs.NoiseManagementType, rs.BoundManagementType
BFLOAT16, FLOAT16 = Format("bfloat16", 8, -126), Format("float16", 11, -14)
HALF = Profile("float16 with float32 sums", FLOAT16, BINARY32)
numbers = moderate(np.float32) | wide(np.float32)


def holds(interval: Interval, value: Any) -> bool:
    return bool(interval.contains(np.asarray(value, np.float64)).all())


def narrow(interval: Interval) -> bool:
    return bool((interval.lo == interval.hi).all())


@given(x=st.floats(-6e4, 6e4))
def test_a_format_rounds_as_numpy_does(x: float) -> None:
    with np.errstate(all="ignore"):
        assert BINARY32.rounded(np.float64(x)) == np.float64(np.float32(x))
        assert FLOAT16.rounded(np.float64(x)) == np.float64(np.float16(x))
    assert BINARY64.rounded(x) == x


@given(x=st.floats(-1e30, 1e30))
def test_a_format_rounds_to_the_nearest_number(x: float) -> None:
    n = float(BFLOAT16.rounded(np.float64(x)))
    size = np.frexp(n)[1] - BFLOAT16.precision
    step = Fraction(2) ** max(int(size), BFLOAT16.least_exponent - BFLOAT16.precision + 1)
    assert abs(Fraction(x) - Fraction(n)) <= step / 2 * (1 if x * n > 0 else 2)
    assert Fraction(n) % (step / 2) == 0


@given(a=numbers, b=numbers, c=numbers)
def test_an_operation_on_single_numbers_has_one_result(a: Any, b: Any, c: Any) -> None:
    A = Arithmetic(FLOAT32)
    x, y, z = point([a]), point([b]), point([c])
    with np.errstate(all="ignore"):
        assert holds(A.product(x, y), a * b)
        assert holds(A.sum(x, y), a + b)
        assert holds(A.product_sum(x, y, z), a * b + c)
        assert holds(A.product_sum(x, y, z), fma(a, b, c))
        assert narrow(A.sum(x, y))
        if b != 0:
            assert holds(A.quotient(x, y), a / b)
            inverse = F(1) / b
            found = Arithmetic(FLOAT32.reciprocals()).quotient(x, y)
            assert holds(found, a * inverse) or np.isinf(inverse)


@given(ends=st.lists(numbers, min_size=4, max_size=4), part=st.tuples(*[st.floats(0, 1)] * 2))
def test_an_operation_on_intervals_holds_all_results(
    ends: list[Any], part: tuple[float, float]
) -> None:
    A = Arithmetic(FLOAT32)
    a, b, c, d = ends
    x = Interval(np.float64([min(a, b)]), np.float64([max(a, b)]))
    y = Interval(np.float64([min(c, d)]), np.float64([max(c, d)]))
    with np.errstate(all="ignore"):
        p, q = (
            F(np.clip(F(i.lo[0]) + F(t) * F(i.hi[0] - i.lo[0]), i.lo[0], i.hi[0]))
            for i, t in zip((x, y), part, strict=True)
        )
        assert holds(A.product(x, y), p * q)
        assert holds(A.sum(x, y), p + q)
        assert holds(
            A.clip(x, y if y.lo[0] > 0 else point(1.0)),
            np.clip(p, -q, q) if y.lo[0] > 0 else np.clip(p, -1, 1),
        )
        assert holds(A.damped(x, y), p * q if p < 0 else p)
        if q != 0:
            assert holds(A.quotient(x, y), p / q)


@given(seed=seeds, K=st.integers(1, 30), lanes=st.sampled_from([None, 1, 2, 5, 32]))
def test_a_product_holds_every_order_and_the_exact_sum(seed: int, K: int, lanes: Any) -> None:
    draw = np.random.default_rng(seed)
    a, b = (draw.normal(0, 1, (2, K)) * 2.0 ** draw.integers(-9, 9, (2, K)) for _ in range(2))
    a, b = a.astype(F), b.astype(F)
    A = Arithmetic(FLOAT32 if lanes is None else float32_in_order(lanes))
    m = matrix_product(A, point(a), point(b))
    assert holds(m, Float32(draw, lanes=lanes).dots(a, b))
    for i in range(2):
        for j in range(2):
            exact = sum(
                Fraction(float(x)) * Fraction(float(w)) for x, w in zip(a[i], b[j], strict=True)
            )
            ulp = Fraction(float(np.spacing(F(abs(exact)))))
            assert Fraction(m.lo[i, j]) - ulp <= exact <= Fraction(m.hi[i, j]) + ulp


def test_a_sum_on_a_coarse_grid_is_exact_in_every_order() -> None:
    draw = np.random.default_rng(3)
    a, b = draw.integers(-50, 50, (3, 40)) / 64, draw.integers(-50, 50, (5, 40)) / 8
    for profile in (FLOAT32, FLOAT64, HALF):
        A = Arithmetic(profile)
        m = matrix_product(A, point(a), point(b))
        if profile is not HALF:
            assert narrow(m)
            assert narrow(total(A, point(a), 1))
        assert holds(m, profile.format.rounded(a @ b.T))


@pytest.mark.parametrize(("profile", "most"), [(FLOAT32, 2.2), (float32_in_order(1), 0.4)])
def test_a_product_is_known_as_well_as_the_bound_says(profile: Profile, most: float) -> None:
    x, w = uniform_and_normal(64, 512, 64)
    m = matrix_product(Arithmetic(profile), point(x), point(w))
    size = np.abs(x).astype(float) @ np.abs(w).astype(float).T
    assert ((m.hi - m.lo) <= most * profile.gamma(512) * size).all()


def uniform_and_normal(N: int, K: int, O: int) -> tuple[Any, Any]:
    draw = np.random.default_rng(0)
    return draw.uniform(-1, 1, (N, K)).astype(F), draw.normal(0, 0.2, (O, K)).astype(F)


def tile(O: int, K: int, **io: Any) -> Any:
    ranged = rs.InputRangeParameter(enable=True, init_value=1.0, init_from_data=0)
    return rs.TorchInferenceRPUConfig(
        pre_post=rs.PrePostProcessingParameter(input_range=ranged),
        forward=rs.IOParameters(out_bound=12.0, out_res=254, out_noise=0.0, **io),
    ).create_tile(O, K, bias=True)


@pytest.mark.parametrize(("profile", "most"), [(FLOAT32, 0.05), (float32_in_order(1), 0.005)])
def test_few_codes_are_ambiguous(profile: Profile, most: float) -> None:
    x, w = uniform_and_normal(64, 512, 64)
    judged = tile(64, 512, inp_res=-1, noise_management=NM.NONE, bound_management=BM.NONE)
    judged.set_weights(w, np.zeros(64))
    report = judge_forward(judged, x, judged.eval().forward(x), profile)
    assert report.passed
    [margin] = report.margins
    assert margin.total == 64 * 64
    assert 0 < margin.ambiguous < most * margin.total


def test_a_verdict_on_one_step_takes_less_than_50_ms() -> None:
    x, w = uniform_and_normal(16, 64, 64)
    judged = tile(64, 64, inp_res=254)
    judged.set_weights(w, np.zeros(64))
    y, ahead = judged.forward(x, trace=True)
    g = np.ones_like(y)
    gradients = {"input": judged.backward(g), **judged.gradients}
    stages = {stage.name: stage.value for stage in ahead}
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        reports = [
            judge_forward(judged, x, y, stages=stages),
            judge_backward(judged, x, g, gradients, stages=stages),
        ]
        seconds.append(time.perf_counter() - start)
        assert all(report.passed for report in reports)
    assert min(seconds) < 0.05


def test_a_new_profile_needs_a_table_row_only() -> None:
    x, w = (F(v) for v in np.random.default_rng(1).normal(0, 0.3, (2, 4, 6)))
    x, w = x.astype(np.float16).astype(F), w.astype(np.float16).astype(F)
    judged = tile(4, 6, inp_res=-1, noise_management=NM.NONE, bound_management=BM.NONE)
    judged.config.forward.out_res = -1
    judged.set_weights(w, np.zeros(4))
    half = (x.astype(np.float16)[:, None] * w.astype(np.float16)).astype(F)
    y = (x @ w.T).astype(np.float16)
    assert judge_forward(judged.eval(), x, y, HALF).passed
    assert not judge_forward(judged, x, half.sum(axis=2).astype(np.float16) * 1.01, HALF).passed
    assert not judge_forward(judged, x, y, FLOAT32).passed
    tf32 = Profile("TF32", BINARY32, BINARY32, operand=2.0**-11)
    z = np.random.default_rng(2).normal(0, 0.3, (4, 6)).astype(F)
    assert judge_forward(judged, z, (cut(z) @ cut(w).T).astype(F), tf32).passed
    assert not judge_forward(judged, z, (cut(z) @ cut(w).T).astype(F)).passed


def test_an_overflow_leaves_everything_open() -> None:
    huge = point([[1e200, 1e200]])
    with np.errstate(all="ignore"):
        m = matrix_product(Arithmetic(FLOAT64), huge, point([[1e200, -1e200]]))
        s = total(Arithmetic(FLOAT64), point([1.7e308, 1.7e308, -1.7e308]))
    assert holds(m, [[0.0]])
    assert holds(m, [[-1e300]])
    assert holds(s, 1.7e308)


def cut(v: Any) -> Any:
    """Operands as TF32 takes them."""
    return Format("TF32", 11, -126).rounded(v.astype(float))


def test_many_codes_become_one_hull() -> None:
    level = Interval(np.array([[0.0, 0.4]]), np.array([[100.0, 0.6]]))
    found = codes(Arithmetic(FLOAT32), level, point(2.0))
    assert found.contains(np.array([[150.0, 2.0]])).all()
    assert not found.contains(np.array([[201.0, 1.0]])).any()
