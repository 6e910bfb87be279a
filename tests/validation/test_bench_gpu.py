from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from refsim.kernels import gpu as machine
from tests.kernels.data import ROOT
from validation.bench import gpu


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
    assert tasks | {"refsim input chain"} == measured["ratios"].keys()
    rows = list(gpu.table(document))
    text = gpu.markdown(document, "the command")
    assert "the command" in text
    assert text.count("\n| ") >= len(rows) + 1


def test_ratios_to_product_tile_and_memory_traffic() -> None:
    seconds: dict[str, Any] = {
        gpu.COPY: gpu.COPIED / 2**30,
        gpu.CUBLAS: 2.0,
        "aihwkit forward, noise": 8.0,
        "refsim exact forward, noise": 4.0,
        "refsim input chain": 2.0**-7,
    }
    found = gpu.compared((1024, 512, 256), seconds)
    assert gpu.traffic((1024, 512, 256)) == 4 * (1024 * 512 + 256 * 512 + 1024 * 256)
    assert found["floor"] == gpu.traffic((1024, 512, 256)) / 2**30
    ratios = found["ratios"]["refsim exact forward, noise"]
    assert (ratios["/ cuBLAS float32"], ratios["/ aihwkit"]) == (2, 0.5)
    assert found["ratios"]["refsim input chain"]["/ copy bandwidth"] == 2
