"""Exponential, logarithm and circle over all that float32 offers, at random and at every seam."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refsim import spec
from refsim.kernels import cpu
from tests.exact import Type, same


def seams(T: Type) -> Any:
    """Numbers around each power of two, and bit patterns at random."""
    info = np.finfo(T)
    powers = np.ldexp(T(1), np.arange(int(info.minexp) - info.nmant, int(info.maxexp)))
    width = np.dtype(f"u{info.bits // 8}")
    bits = np.random.default_rng(0).integers(0, 2**info.bits, 100_000, dtype=width)
    near = [np.nextafter(powers, T(0)), powers, np.nextafter(powers, T(np.inf))]
    parts = [*near, powers * T(np.sqrt(0.5)), bits.view(T), T([0, -0.0, np.inf, -np.inf, np.nan])]
    return np.concatenate([*parts, -powers])


@pytest.mark.clause("EF-1")
def test_logarithms(T: Type) -> None:
    x = seams(T)
    same(cpu.log(x), spec.log(x))


@pytest.mark.clause("EF-2")
def test_exponentials(T: Type) -> None:
    edge = 110 if T is np.float32 else 760
    multiples = np.arange(-1100, 1100) * np.log(2)
    for x in (seams(T), np.linspace(-edge, edge, 50_001).astype(T), multiples.astype(T)):
        same(cpu.exp(x), spec.exp(x))


@pytest.mark.clause("RN-4")
def test_the_circle() -> None:
    k = np.random.default_rng(0).integers(0, 2**24, 200_000)
    ends = np.concatenate([np.arange(50), 2**24 - np.arange(1, 50), 2**21 * np.arange(8)])
    u = (np.concatenate([k, ends]) / 2**24).astype(np.float32)
    same(cpu.unit_circle(u), spec.unit_circle(u))


@pytest.mark.clause("RN-1", "RN-3")
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 1023, 1024, 1025, 5000])
def test_counts_that_end_within_a_block(count: int) -> None:
    for address in ((0, 0, 0, 0), (2**64 - 1, 2**16 - 1, 2**32 - 1, 2**16 - 1)):
        same(cpu.normal(*address, count), spec.normal(*address, count))
        same(cpu.uniform(*address, count), spec.uniform(*address, count))
