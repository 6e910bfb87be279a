"""The CUDA kernels in the simulator: the bits of the specification, for every clause and for whole tiles."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from refsim.conformance.generated import clauses
from tests.kernels.data import ROOT

CLAUSES = list(dict.fromkeys(clauses().values()))
FAMILIES = sorted({clause[:2] for clause in CLAUSES})
CASES = 16
"""The last of them is one of the larger ones."""


def simulated(*arguments: str, script: str = "tests.cuda.simulated") -> list[str]:
    """The lines that a script prints in a process with the simulator."""
    result = subprocess.run(
        [sys.executable, "-m", script, *arguments],
        cwd=ROOT,
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.splitlines()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_clause_has_the_bits_of_the_specification(family: str) -> None:
    ids = [clause for clause in CLAUSES if clause.startswith(family)]
    *differences, comparisons = simulated("clauses", str(CASES), *ids)
    assert not differences
    assert int(comparisons) >= 2 * CASES * len(ids)


@pytest.mark.parametrize("first", [0, 12])
def test_whole_tiles_have_the_bits_of_the_specification(first: int) -> None:
    *differences, comparisons = simulated("tiles", str(first), str(first + 12))
    assert not differences
    assert int(comparisons) == 24


def test_recorded_results_agree() -> None:
    *differences, comparisons = simulated("vectors", "80")
    assert not differences
    assert int(comparisons) > 150


@pytest.mark.parametrize(
    ("variant", "clause"),
    [
        ("contracted", "DC-3"),
        ("promoted", "DC-1"),
        ("strict", "BP-2"),
        ("away", "QU-8"),
        ("flushed", "PP-1"),
        ("unsettled", "SU-2"),
        ("filtered", "MV-1"),
        ("lane", "SU-5"),
        ("plain", "CH-2"),
    ],
)
def test_wrong_kernels_differ(variant: str, clause: str) -> None:
    (differences,) = simulated(variant, clause, script="tests.cuda.wrong")
    assert int(differences) > 0


def test_device_arrays_stay_on_the_device_and_give_the_same_bits() -> None:
    assert simulated("device_arrays", "0", "40") == ["41"]


def test_a_network_stays_on_the_device_and_has_the_same_bits() -> None:
    assert simulated("network") == ["8"]


def test_blocks_of_the_size_on_a_device() -> None:
    assert simulated("blocks") == ["3"]
