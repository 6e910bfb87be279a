"""Squared errors from runs of a level: the bits of adding number by number, for data that are hard to add."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refsim.kernels.cpu import error_sums, exact, range_search, threads
from refsim.kernels.cpu.points import P
from refsim.kernels.cpu.quantisers import asymmetric_step, quantiser_range, zero_point
from tests.exact import Array, Type, same
from tests.strategies import dtypes

RNG = np.random.default_rng(5)
M = 3000
DATA: dict[str, Any] = {
    "normal": RNG.standard_normal(M),
    "rectified": np.maximum(RNG.standard_normal(M), 0),
    "spread": np.exp(20 * RNG.standard_normal(M)),
    "close to zero": np.exp(-300 * RNG.random(M)),
    "outlier": np.append(RNG.standard_normal(M - 1), 1e6),
    "coarse": RNG.integers(-90, 90, M) / 8,
    "equal": np.full(M, 0.7),
    "negative": -np.abs(RNG.standard_normal(M)) - 3,
    "subnormal": RNG.standard_normal(M) * 1e-42,
    "large": RNG.standard_normal(M) * 1e30,
    "two values": RNG.integers(0, 2, M) * 0.3,
}


def quantisers(x: Array, count: int = 5, n_bits: int = 6) -> tuple[Array, Array, Any, Any]:
    """Asymmetric grids as a search tries them."""
    T = x.dtype.type
    limits = range_search.search_limits(x.min(keepdims=True), x.max(keepdims=True), T(0.5))
    ends = quantiser_range(*range_search.skewed_candidates(*limits, count, n_bits))
    step, place = asymmetric_step(*ends, T(2**n_bits - 1))
    zero = zero_point(place, np.float32(2**n_bits - 1))
    return step.astype(T), zero.astype(T), T(0), T(2**n_bits - 1)


@pytest.mark.clause("RE-9")
@pytest.mark.parametrize("kind", DATA)
def test_runs_and_numbers_agree(T: Type, kind: str) -> None:
    x = DATA[kind].astype(T)
    scale, zero, *codes = quantisers(x)
    runs = error_sums._from_runs(x, scale, zero, tuple(codes))
    same(runs, error_sums._from_numbers(x, scale, zero, tuple(codes)))
    every = np.arange(0, len(scale), 40)
    terms = error_sums._all_terms(x, scale, zero, tuple(codes), every)
    same(runs[every], exact.row_sums(*terms, np.dtype(np.float64)))


@pytest.mark.clause("RE-9")
def test_scales_that_are_no_numbers_give_no_loss(T: Type) -> None:
    x = DATA["normal"].astype(T)
    scale = T([0.5, np.inf, np.nan, 0, 0.25, 1e-36])
    found = losses(x, scale)
    assert np.isnan(found[[1, 2]]).all()
    same(found[[0, 4, 5]], losses(x, scale[[0, 4, 5]]))
    same(found[3:4], exact.row_sums(*2 * [x.astype(np.float64)[None]], np.dtype(np.float64)))


def losses(x: Array, scale: Array) -> Array:
    T = x.dtype.type
    return error_sums.squared_errors(x[None], scale, np.zeros_like(scale), T(-8), T(7))[0]


@pytest.mark.clause("RE-9")
def test_data_that_are_no_numbers_have_no_loss(T: Type) -> None:
    x = DATA["normal"].astype(T)
    for special in (np.nan, np.inf, -np.inf):
        x[7] = special
        assert np.isnan(losses(x, np.full(6, T(0.5)))).all()


@pytest.mark.clause("RE-9")
@pytest.mark.usefixtures("two_threads")
def test_any_number_of_threads(T: Type) -> None:
    x = DATA["normal"].astype(T)
    grid = quantisers(x, 40, 8)
    assert len(grid[0]) * 2**8 > threads.ELEMENTS
    two = error_sums.squared_errors(x[None], *grid)
    threads.set_num_threads(1)
    same(error_sums.squared_errors(x[None], *grid), two)


@pytest.mark.clause("RE-9")
@given(
    T=dtypes,
    scale=st.floats(float(np.float32(1e-8)), 2.0**66, width=32),
    k=st.integers(-(2**20) + 1, 2**20),
)
def test_the_first_number_of_a_level(T: Type, scale: float, k: int) -> None:
    """It rounds to the level, and the number below it does not."""
    s, level = T(scale), T(k)
    first = T(P.first_of_level(s, level))
    assert np.rint(first / s) >= level
    assert np.rint(np.nextafter(first, T(-np.inf)) / s) < level
