"""Outputs that a float32 product decides, or leaves open for wider ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refsim import spec
from refsim.kernels import cpu
from refsim.kernels.cpu import certified
from refsim.kernels.cpu.sums import row_products
from tests.exact import Array, same
from tests.kernels import data


def converted(kind: str, N: int, K: int, O: int, step: float) -> tuple[Any, ...]:
    d, weight = data.pair(kind, np.float32, (N, K), (O, K))
    T, rng = np.float32, np.random.default_rng(1)
    noise = rng.standard_normal((N, O)).astype(T)
    adc = T(step), T(2), None, noise, np.full(O, 0.04, T), T(0.9)
    return d, weight, *adc, np.ones(N, T), T(1), None, None, None


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("kind", sorted(data.PAIRS))
@pytest.mark.parametrize("step", [2**-8, 0.5, 1e-6, 1e-30])
def test_certified_outputs_are_those_of_exact_products(kind: str, step: float) -> None:
    for N, K, O in ((40, 70, 33), (2, 70, 33), (1, 1, 1), (3, 1, 5)):
        given = converted(kind, N, K, O, step)
        stages = cpu.analog_to_digital(cpu.matrix_product(*given[:2]), *given[2:8])
        same(cpu.crossbar_output(*given)[0], stages[0])


@pytest.mark.parametrize("few", [0, 100])
def test_ties_between_levels_are_settled_exactly(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products that lie on a tie, or one unit of a tiny term beside it."""
    monkeypatch.setattr(certified, "FEW", few)
    rng, T = np.random.default_rng(0), np.float32
    weight = rng.integers(-4, 5, (8, 16)).astype(T)
    d = rng.integers(-4, 5, (9, 16)).astype(T)
    nothing = None, None, np.zeros(1, T), T(1), np.ones(9, T), T(1), None, None, None
    settled: list[int] = []
    monkeypatch.setattr(
        certified, "row_products", lambda x, y, T: settled.append(len(x)) or row_products(x, y, T)
    )
    for tiny in (0, 1e-30, -1e-30):
        d[:, 0], weight[:, 0] = tiny, 1
        given = d, weight, T(2), T(np.inf), *nothing
        same(cpu.crossbar_output(*given), spec.crossbar_output(*given))
    assert sum(settled) > 0


def test_most_outputs_are_decided_by_the_float32_product(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    original = certified._settle

    def counted(c: Any, d: Array, w: Array, sizes: Any, where: Array, t: Array) -> None:
        looked_at.append(where.size)
        original(c, d, w, sizes, where, t)

    monkeypatch.setattr(certified, "_settle", counted)
    rng = np.random.default_rng(0)
    d = np.rint(31 * np.clip(rng.standard_normal((64, 512)) / 3, -1, 1)) / 31
    weight = rng.standard_normal((64, 512)) / np.sqrt(512)
    T = np.float32
    adc = T(24 / 254), T(12), None, None, np.zeros(1, T), T(1)
    cpu.crossbar_output(d.astype(T), weight.astype(T), *adc, np.ones(64, T), T(1), None, None, None)
    assert sum(looked_at) < 0.01 * 64 * 64
