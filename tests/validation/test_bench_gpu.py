from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from refsim.errors import BackendError
from refsim.kernels import gpu as machine
from tests.kernels.data import ROOT
from validation.bench import gpu, gpu_kernels
from validation.bench.__main__ import app


def bench(simulated: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "validation.bench", "gpu", *arguments]
    env = os.environ | {"NUMBA_ENABLE_CUDASIM": simulated, "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_without_a_gpu_nothing_is_measured_and_it_says_why() -> None:
    result = bench("0")
    assert result.returncode == 2
    assert result.stderr.startswith('Nothing was measured: backend "cuda" does not run here: ')
    assert not result.stdout


def test_every_task_runs_with_device_arrays() -> None:
    result = bench("1", "--json", "--shapes", "2x3x4", "--seconds", "0")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["environment"]["GPU"] == machine.SIMULATOR
    (measured,) = document["results"]
    passes = [f"{p}{noise}" for p in ("forward", "forward + backward") for noise in ("", ", noise")]
    tasks = {f"refsim {matmul} {what}" for matmul in ("exact", "fast") for what in passes}
    assert tasks == measured["ratios"].keys()
    assert {"crossbar_input", "tiles", "filter", "normal", "crossbar_output"} < set(
        measured["kernels"]
    )
    assert all(launches >= 1 and time > 0 for launches, time in measured["kernels"].values())
    assert set(measured["shares"]) == {"crossbar_input", "normal", "crossbar_output"}
    rows = [*gpu.table(document), *gpu.kernel_table(document)]
    text = gpu.markdown(document, "the command")
    assert "the command" in text
    assert text.count("\n| ") == len(rows) + 4


def test_the_report_is_kept_after_each_shape(tmp_path: Any) -> None:
    report = tmp_path / "report.md"
    calls: list[int] = []

    def failing(shape: Any, seconds: float, bandwidth: float) -> Any:
        calls.append(shape[0])
        if len(calls) == 2:
            raise BackendError("the GPU has no memory left for 8 bytes; use smaller batches.")
        found = gpu.compared(shape, {gpu.PROFILED: 1.0}, bandwidth)
        return {"shape": shape, "seconds": {gpu.PROFILED: 1.0}, "kernels": {}, "shares": {}} | found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu, "measured", failing)
        patch.setattr(gpu.gpu_kernels, "copy_bandwidth", lambda: 1e12)
        patch.setattr(gpu.backends, "load", lambda name: None)
        patch.setattr(gpu.gpu, "description", dict)
        arguments = ["gpu", "--shapes", "2x3x4,5x6x7", "--report", str(report)]
        result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "Only 1 shapes were measured: the GPU has no memory left" in result.stderr
    assert "| 2 x 3 x 4 | refsim exact forward, noise | 1000.000 |" in report.read_text()


def test_ratios_to_product_tile_and_memory_traffic() -> None:
    seconds: dict[str, Any] = {
        gpu.CUBLAS: 2.0,
        "aihwkit forward, noise": 8.0,
        "refsim exact forward, noise": 4.0,
    }
    found = gpu.compared((1024, 512, 256), seconds, 2.0**30)
    assert gpu.traffic((1024, 512, 256)) == 4 * (1024 * 512 + 256 * 512 + 1024 * 256)
    assert found["floor"] == gpu.traffic((1024, 512, 256)) / 2**30
    ratios = found["ratios"]["refsim exact forward, noise"]
    assert (ratios["/ cuBLAS float32"], ratios["/ aihwkit"]) == (2, 0.5)


def test_shares_of_the_bandwidth() -> None:
    kernels = {"crossbar_input": (1, 2.0**-10), "normal": (2, 2.0**-9), "filter": (1, 1.0)}
    found = gpu_kernels.shares((1024, 512, 256), kernels, 2.0**33)
    assert found == {"crossbar_input": 0.5, "normal": 0.125}
