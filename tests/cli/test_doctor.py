"""The doctor: what it finds on this machine, and what voids the contract."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from refsim import __version__, doctor
from refsim.cli import app
from refsim.kernels import _jit, gpu


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["doctor", *arguments])


def by_topic() -> dict[str, doctor.Finding]:
    return {finding.topic: finding for finding in doctor.examine()}


def test_a_sound_machine_is_status_0() -> None:
    result = run()
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "The arithmetic of this process is sound."


def test_json_is_one_document() -> None:
    result = run("--json")
    document = json.loads(result.stdout)
    assert document["passed"]
    topics = {finding["topic"] for finding in document["findings"]}
    assert {"refsim", "python", *doctor.REQUIRED, "subnormal numbers", "processors"} <= topics
    assert {"BLAS", "compilation cache", "GPU"} <= topics


def test_versions_threads_and_blas_are_named() -> None:
    found = by_topic()
    assert found["refsim"].value == __version__
    assert found["numpy"].value == np.__version__
    assert int(found["threads of the cpu backend"].value) >= 1
    assert "threads" in found["BLAS"].value
    assert found["subnormal numbers"].value == "exact"


@pytest.mark.parametrize("T", [np.float32, np.float64])
def test_subnormal_numbers_are_exact_here(T: type) -> None:
    assert doctor.flushed(T) == []


def test_flush_to_zero_voids_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "flushed", lambda T: ["subnormal results become 0"])
    result = run()
    assert result.exit_code == 1
    assert "flush-to-zero" in result.stdout
    assert result.stdout.splitlines()[-1] == "The arithmetic of this process is NOT sound."
    assert not json.loads(run("--json").stdout)["passed"]


def test_the_environment_that_chooses_a_blas_kernel_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "256")
    found = by_topic()
    assert found["OPENBLAS_CORETYPE"].value == "Haswell"
    assert found["OPENBLAS_L2_SIZE"].value == "256"


def test_what_is_missing_comes_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: None)
    found = by_topic()
    assert found["scipy"].advice == "pip install --force-reinstall refsim"
    assert "pip install 'refsim[cuda]'" in found["extra cuda"].advice
    assert (
        found["extra plot"].advice == "needed for refsim train --plot; pip install 'refsim[plot]'"
    )


def test_a_cache_that_cannot_be_written_comes_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_jit, "cache_directory", lambda: None)
    assert "REFSIM_CACHE_DIR" in by_topic()["compilation cache"].advice


def test_an_empty_cache_suggests_the_warm_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_jit, "cache_directory", lambda: tmp_path)
    assert "--warm-up" in by_topic()["compilation cache"].advice


def test_the_missing_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "missing", lambda: "the package is not installed; pip install it")
    found = by_topic()["GPU"]
    assert found.value == "the cuda backend does not run here: the package is not installed"
    assert found.advice == "pip install it"
    assert not found.voids


def test_device_and_driver_and_toolkit_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"GPU": "a device", "GPU driver": "for CUDA 13.0", "nvidia-nvvm": "13.0.88"}
    monkeypatch.setattr(gpu, "missing", lambda: None)
    monkeypatch.setattr(gpu, "description", lambda: named)
    assert named.items() <= {topic: found.value for topic, found in by_topic().items()}.items()


def test_the_warm_up_compiles_every_function() -> None:
    seen: list[tuple[str, int, int]] = []
    from refsim import spec

    assert doctor.warm_up(lambda *state: seen.append(state)) == len(spec.__all__) == len(seen)
    result = run("--warm-up", "--json")
    assert json.loads(result.stdout)["functions_warmed_up"] == len(spec.__all__)
    assert "numba" in sys.modules
