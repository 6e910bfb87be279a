"""On a GPU: the bits of the specification for every clause, of the CPU kernels for large shapes, at every run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refsim import backends
from refsim.conformance.check import SUPPORTED_GROUPS, check_recording
from refsim.conformance.generated import clauses
from refsim.conformance.manual_runs import GeneratedManualRun
from refsim.conformance.participants import Participant
from refsim.conformance.runs import GeneratedRun
from refsim.conformance.vectors import read_recording
from refsim.conformance.verify import FULL, first_difference, verify
from refsim.kernels import cpu, cuda
from refsim.kernels.cuda import product
from refsim.kernels.cuda.device import MOST_BLOCKS, THREADS
from tests.exact import same
from tests.kernels import data

pytestmark = pytest.mark.gpu
RUNS = 20
MORE_THAN_A_GRID = MOST_BLOCKS * THREADS + 12345


@pytest.mark.parametrize("few", [0, product.FEW_TERMS])
@pytest.mark.parametrize("clause", ["MV-1", "MV-3", "MV-4", "CH-2"])
def test_products_of_few_terms(monkeypatch: pytest.MonkeyPatch, clause: str, few: int) -> None:
    monkeypatch.setattr(product, "FEW_TERMS", few)
    test_every_clause(clause)


@pytest.mark.parametrize("clause", sorted(set(clauses().values())))
def test_every_clause(clause: str) -> None:
    for row in verify(["cuda"], effort=FULL, only=[clause]).rows:
        assert row.smallest is None, str(row.smallest)
        assert row.cases == 2 * FULL.cases


@pytest.mark.parametrize("kind", [GeneratedRun, GeneratedManualRun])
def test_whole_tiles(kind: Any) -> None:
    assert not [
        text
        for i in range(FULL.runs)
        if (text := first_difference(kind(i, 0), Participant("cuda")))
    ]


def test_recorded_results() -> None:
    for group in check_recording(read_recording(), SUPPORTED_GROUPS, backend="cuda"):
        assert group.passed, group.failures


@pytest.mark.parametrize("kind", sorted(data.PAIRS))
@pytest.mark.parametrize("shape", [(1, 4096, 4096), (1031, 517, 770)], ids=str)
def test_large_products(T: Any, kind: str, shape: tuple[int, int, int]) -> None:
    N, K, O = shape
    a, b = data.pair(kind, T, (N, K), (O, K))
    same(cuda.matrix_product(a, b), cpu.matrix_product(a, b))
    same(cuda.transposed_product(a, b.T.copy()), cpu.transposed_product(a, b.T.copy()))
    same(cuda.outer_product_sum(a.T.copy(), b.T.copy()), cpu.matrix_product(a, b))


def test_more_elements_than_threads(T: Any) -> None:
    x = data.normal(T, np.random.default_rng(0), (MORE_THAN_A_GRID,))
    same(cuda.clip(x, T(0.5)), cpu.clip(x, T(0.5)))
    same(cuda.exp(x), cpu.exp(x))
    same(cuda.total(x), cpu.total(x))
    same(cuda.product_total(x, x), cpu.product_total(x, x))
    same(cuda.abs_max(x), cpu.abs_max(x))


def test_many_random_numbers() -> None:
    address = 2**63 + 7, 65535, 2**32 - 1, 3, MORE_THAN_A_GRID
    same(cuda.normal(*address), cpu.normal(*address))
    same(cuda.uniform(*address), cpu.uniform(*address))


@pytest.mark.parametrize("name", ["matrix_product", "column_totals", "product_total", "row_max"])
def test_every_run_has_the_same_bits(T: Any, name: str) -> None:
    """Lanes and atomic additions come in any order."""
    a, b = data.pair("cancelling", T, (257, 1025), (130, 1025))
    given = {"matrix_product": (a, b), "product_total": (a, a[::-1].copy())}.get(name, (a,))
    first = getattr(cpu, name)(*given)
    for _ in range(RUNS):
        same(getattr(cuda, name)(*given), first)


def test_fast_products_are_near() -> None:
    a, b = data.pair("normal", np.float32, (130, 257), (65, 257))
    found = backends.load("cuda", "fast").matrix_product(a, b)
    exact = cpu.matrix_product(a, b).astype(np.float64)
    sizes = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64).T
    u = 257 * 2.0**-24  # gamma(K) of the clause's bound
    assert (np.abs(found - exact) <= (u / (1 - u) + 2.0**-24) * sizes).all()
