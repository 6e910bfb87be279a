"""Sums: running sums with their bounds, the superaccumulator, and sizes around the seams of the loops."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refsim import spec
from refsim.kernels import cpu
from refsim.kernels.cpu import exact, sums
from tests.exact import Array, Type, round_to, same
from tests.kernels import data
from tests.strategies import dtypes, wide

kinds = pytest.mark.parametrize("kind", data.PAIRS)
SIZES = [0, 1, 2, 63, 64, 65, 200, sums.SEGMENT - 1, sums.SEGMENT, sums.SEGMENT + 1, 9000]


@kinds
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (7, 130), (70, 5), (3, 0)], ids=str)
@pytest.mark.clause("SU-1", "SU-2", "SU-3", "SU-4", "SU-5")
def test_sums(T: Type, kind: str, shape: tuple[int, int]) -> None:
    x, y = data.pair(kind, T, shape, shape)
    for name in ("total", "column_totals"):
        same(getattr(cpu, name)(x), getattr(spec, name)(x))
    for name in ("product_total", "column_product_totals", "row_product_totals"):
        same(getattr(cpu, name)(x, y), getattr(spec, name)(x, y))


@kinds
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (7, 130), (64, 64)], ids=str)
@pytest.mark.clause("SU-6", "SU-7")
def test_moments(T: Type, kind: str, shape: tuple[int, int]) -> None:
    for x in data.pair(kind, T, shape, shape):
        same(cpu.mean(x), spec.mean(x))
        same(cpu.standard_deviation(x), spec.standard_deviation(x))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["normal", "half grid", "everywhere", "cancelling"])
@pytest.mark.clause("SU-1", "SU-2")
def test_the_seams_of_long_sums(T: Type, kind: str, size: int) -> None:
    x, y = data.pair(kind, T, (size,), (size,))
    same(cpu.total(x), spec.total(x))
    same(cpu.product_total(x, y), spec.product_total(x, y))


@pytest.mark.clause("SU-6", "SU-7")
def test_a_constant_batch(T: Type) -> None:
    for value in (T(0.1), T(-3), np.finfo(T).smallest_subnormal, T(1e30), T(0)):
        for size in (1, 2, 3, 7, 1000):
            x = np.full(size, value)
            same(cpu.mean(x), value)
            if size > 1:
                same(cpu.standard_deviation(x), T(0))


@pytest.mark.clause("SU-6")
def test_means_at_ties(T: Type) -> None:
    one, eps = T(1), np.finfo(T).eps
    for x in ([one, one + eps], [one + eps, one + 2 * eps], [one, one, one, one + 2 * eps]):
        for hair in (0.0, 2.0**-100, -(2.0**-100)):
            terms = np.array([*x, hair, -0.0], T)
            same(cpu.mean(terms), spec.mean(terms))
            same(cpu.mean(np.array(x)), spec.mean(np.array(x)))


@pytest.mark.clause("SU-6")
def test_means_that_underflow(T: Type) -> None:
    small = np.finfo(T).smallest_subnormal
    for count in range(1, 9):
        for ones in range(count + 1):
            x = np.array([small] * ones + [T(0)] * (count - ones))
            same(cpu.mean(x), spec.mean(x))
            same(cpu.mean(-x), spec.mean(-x))
    hidden = np.array([T(1), small, T(-1)])
    same(cpu.mean(hidden), spec.mean(hidden))
    least = int(np.finfo(T).minexp) - np.finfo(T).nmant
    tie_and_hair = np.zeros(64, T)
    tie_and_hair[:3] = np.ldexp(T(1), [least + 80, least + 80 - np.finfo(T).nmant - 1, least])
    same(cpu.mean(tie_and_hair), spec.mean(tie_and_hair))


def long_lists(T: Type) -> Any:
    element = wide(T) | st.integers(-8, 8).map(T)
    return st.lists(element, min_size=1, max_size=90).map(lambda v: np.array(v, T))


@given(x=dtypes.flatmap(long_lists), divisor=st.integers(1, 2**30), data=st.data())
@pytest.mark.clause("SU-5", "SU-6")
def test_the_superaccumulator(x: Array, divisor: int, data: Any) -> None:
    T = x.dtype.type
    y = np.array(data.draw(st.permutations(x.tolist())), T)
    total = sum((Fraction(float(u)) * Fraction(float(v)) for u, v in zip(x, y, strict=True)))
    got = exact.row_sums(x[None], y[None], x.dtype, divisor)
    same(got, np.array([round_to(T, total / divisor)]))


@pytest.mark.clause("SU-5")
def test_the_ends_of_the_superaccumulator(T: Type) -> None:
    info = np.finfo(T)
    ends = T([info.max, info.smallest_subnormal, -info.max, -info.smallest_subnormal, 1, 0])
    x, y = (side.ravel() for side in np.meshgrid(ends, ends))
    same(
        exact.row_sums(x[:, None], y[:, None], x.dtype),
        spec.row_product_totals(x[:, None], y[:, None]),
    )
    many = np.full((1, 5000), info.max)
    same(exact.row_sums(many, many, x.dtype), T([np.inf]))
    same(exact.row_sums(many, -many, x.dtype), T([-np.inf]))
    same(exact.row_sums(many, 1 / many, x.dtype), spec.row_product_totals(many, 1 / many))


@pytest.mark.clause("SU-5")
def test_a_term_that_is_not_finite(T: Type) -> None:
    for value in (np.nan, np.inf, -np.inf):
        for other in (T(0), T(1), T(np.inf)):
            x, y = T([[1, value, 2]]), T([[1, other, 2]])
            same(exact.row_sums(x, y, x.dtype), T([np.nan]))
            same(cpu.row_product_totals(x, y), T([np.nan]))
            same(cpu.total(x), T(np.nan))


@given(seed=st.integers(0, 2**32), kind=st.sampled_from(sorted(data.PAIRS)), T=dtypes)
@pytest.mark.clause("SU-5")
def test_the_running_bound_holds(seed: int, kind: str, T: Type) -> None:
    """The exact sum lies within ``d`` of ``s + c``, but for the rounding of ``d`` itself."""
    x, y = data.pair(kind, T, (90,), (90,), seed)
    for partner in (y, None):
        s, c, d = sums.zeros(1)
        sums.running_rows(0, 1, x, partner, 90, 1, s, c, d)
        if not np.isfinite(d[0]):
            continue
        factors = np.ones_like(y) if partner is None else partner
        terms = (Fraction(float(u)) * Fraction(float(v)) for u, v in zip(x, factors, strict=True))
        error = abs(sum(terms) - Fraction(float(s[0])) - Fraction(float(c[0])))
        assert error <= Fraction(float(d[0])) * (1 + Fraction(1, 2**20))


@pytest.mark.clause("MV-1")
def test_open_sums_are_gathered_in_chunks(T: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = data.pair("everywhere", T, (20, 30), (20, 30))
    expected = spec.row_product_totals(x, y)
    for chunk in (1, 30, 100, 2**20):
        monkeypatch.setattr(exact, "CHUNK", chunk)
        got, everything = np.zeros(20, T), np.ones(20, np.bool_)
        last = partial(exact.row_sums, T=x.dtype)
        exact.settle(got, everything, lambda n: (x[n], y[n]), last)
        same(got, expected)


@pytest.mark.clause("SU-1")
def test_usual_data_need_no_superaccumulator(T: Type) -> None:
    x, y = data.pair("normal", T, (300, 300), (300, 300))
    before = exact.fallbacks()
    cpu.column_totals(x), cpu.row_product_totals(x, y), cpu.total(x), cpu.mean(x)
    assert exact.fallbacks() == before
