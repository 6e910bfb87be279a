"""On a GPU: a few cases of everything, in a minute or two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refsim import backends
from refsim.conformance.generated import clauses
from refsim.conformance.manual_runs import GeneratedManualRun
from refsim.conformance.participants import Participant
from refsim.conformance.runs import GeneratedRun
from refsim.conformance.verify import Effort, first_difference, verify
from refsim.kernels import cpu, cuda
from refsim.kernels.cuda import cublas, product
from tests.exact import same
from tests.kernels import data

pytestmark = pytest.mark.gpu
FEW = Effort(cases=6, runs=8, every=20)
LIBRARY = not isinstance(cublas.library(), str)


@pytest.mark.parametrize("clause", sorted(set(clauses().values())))
def test_every_clause(clause: str) -> None:
    for row in verify(["cuda"], effort=FEW, only=[clause]).rows:
        assert row.smallest is None, str(row.smallest)


@pytest.mark.parametrize("clause", ["MV-1", "MV-3", "MV-4", "CH-2"])
def test_small_products_by_way_of_float64(monkeypatch: pytest.MonkeyPatch, clause: str) -> None:
    monkeypatch.setattr(product, "FEW_TERMS", 0)
    for row in verify(["cuda"], effort=FEW, only=[clause]).rows:
        assert row.smallest is None, str(row.smallest)


@pytest.mark.parametrize("kind", [GeneratedRun, GeneratedManualRun])
def test_whole_tiles(kind: Any) -> None:
    assert not [
        text for i in range(FEW.runs) if (text := first_difference(kind(i, 0), Participant("cuda")))
    ]


@pytest.mark.parametrize("by", ["own kernel", "cuBLAS"][: 1 + LIBRARY])
@pytest.mark.parametrize("kind", sorted(data.PAIRS))
def test_products(monkeypatch: pytest.MonkeyPatch, kind: str, by: str) -> None:
    """Of both kinds, by the own kernel and by the library."""
    monkeypatch.setattr(product, "FEW_TERMS", 0)
    if by == "own kernel":
        monkeypatch.setattr(cublas, "library", lambda: "left out")
    N, K, O = 67, 131, 65
    a, b = data.pair(kind, np.float32, (N, K), (O, K))
    at, bt = np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)
    with np.errstate(all="ignore"):
        right = backends.load("spec").matrix_product(a, b)
        same(cuda.matrix_product(a, b), right)
        same(cuda.transposed_product(a, bt), right)
        same(cuda.outer_product_sum(at, bt), right)


def test_a_product_of_the_largest_size_of_the_benchmark() -> None:
    a, b = data.pair("normal", np.float32, (8192, 4096), (4096, 4096))
    same(cuda.matrix_product(a, b), cpu.matrix_product(a, b))
