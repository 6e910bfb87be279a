"""The same bits from every BLAS kernel and any number of BLAS threads."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import cache

import pytest
from threadpoolctl import threadpool_info

from tests.kernels.data import ROOT

SCRIPT = """
import hashlib, numpy as np
from threadpoolctl import threadpool_info
from refsim.kernels import cpu
from tests.kernels import data
digest = hashlib.sha256()
for kind in ("normal", "grid", "grid and normal", "everywhere", "cancelling"):
    a, b = data.pair(kind, np.float32, (48, 400), (300, 400))
    digest.update(cpu.matrix_product(a, b).tobytes())
    digest.update(cpu.transposed_product(np.ascontiguousarray(b.T[:48]), b[:, :100].copy()).tobytes())
    digest.update(cpu.outer_product_sum(a, a[:, :99].copy()).tobytes())
cores = {library.get("architecture") for library in threadpool_info()}
print(digest.hexdigest(), *sorted(filter(None, cores)))
"""


@cache
def run(threads: str, core: str | None) -> tuple[str, list[str]]:
    """Digest of the products, and the kernels that BLAS chose."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "REFSIM_NUM_THREADS": threads}
    if core is not None:
        environment["OPENBLAS_CORETYPE"] = core
    command = [sys.executable, "-c", SCRIPT]
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    digest, *cores = result.stdout.split()
    return digest, cores


@pytest.mark.clause("MV-1", "MV-3", "MV-4")
@pytest.mark.parametrize(
    "core", [None, "Haswell", "Sandybridge", "Nehalem", "Prescott", "SkylakeX"]
)
def test_any_kernel_and_number_of_threads(core: str | None) -> None:
    reference, _ = run("1", None)
    for threads in ("1", "2"):
        digest, cores = run(threads, core)
        assert digest == reference, f"{core} on {threads} threads, running {cores}"


@pytest.mark.clause("MV-1")
def test_the_kernels_of_blas_really_differ() -> None:
    """Where OpenBLAS honours the variable, at least two kernels were compared."""
    openblas = any(library["internal_api"] == "openblas" for library in threadpool_info())
    if openblas and platform.machine() == "x86_64":
        assert run("1", "Nehalem")[1] != run("1", "Haswell")[1]
