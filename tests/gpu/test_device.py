"""On a GPU: memory, streams, and arrays of other libraries."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numba import cuda as numba_cuda

from refsim.conformance.bits import difference
from refsim.conformance.runs import GeneratedRun
from refsim.errors import BackendError
from refsim.kernels import cpu, cuda
from refsim.kernels.cuda import device
from tests.cuda import steps
from tests.exact import same
from tests.kernels import data
from tests.kernels.data import ROOT

pytestmark = pytest.mark.gpu
CUDA: Any = numba_cuda


def test_whole_tiles_with_device_arrays() -> None:
    for index in range(100):
        run = GeneratedRun(index, seed=0)
        right = tuple(steps.outcome(run, "spec", np.asarray))
        found = tuple(steps.outcome(run, "cuda", device.on_device))
        assert difference(found, right) is None, str(run)


def test_too_large_an_array_is_one_sentence() -> None:
    with pytest.raises(BackendError, match="the GPU has no memory left"):
        device.empty(2**45, np.float32)


def test_memory_is_freed() -> None:
    x = device.on_device(np.ones(2**20, np.float32))
    context = CUDA.current_context()
    for _ in range(3):
        cuda.relu(x)
    before = context.get_memory_info().free
    for _ in range(2000):
        cuda.relu(x)
    context.deallocations.clear()
    assert before - context.get_memory_info().free < 200 * 2**20


def test_several_streams() -> None:
    a, b = data.pair("normal", np.float32, (300, 512), (200, 512))
    right = cpu.matrix_product(a, b)
    results = []
    for _ in range(8):
        with device.stream(CUDA.stream()):
            results.append(cuda.matrix_product(a, b))
    for found in results:
        same(found, right)


if importlib.util.find_spec("torch"):

    def test_a_tensor_of_pytorch_is_used_in_place() -> None:
        import torch

        x = torch.randn(33, 65, device="cuda")
        result: Any = cuda.clip(x, np.float32(0.5))  # type: ignore[arg-type]
        same(result.copy_to_host(), cpu.clip(x.cpu().numpy(), np.float32(0.5)))
        back = torch.as_tensor(result, device="cuda")
        assert back.data_ptr() == result.__cuda_array_interface__["data"][0]


if importlib.util.find_spec("cupy"):

    def test_an_array_of_cupy_is_used_in_place_on_its_stream() -> None:
        import cupy

        stream = cupy.cuda.Stream(non_blocking=True)
        with stream, device.stream(stream):
            x = cupy.random.standard_normal((33, 65), dtype=cupy.float32)
            result: Any = cuda.relu(x)
            same(device.on_host(result), cpu.relu(cupy.asnumpy(x)))


if shutil.which("compute-sanitizer"):

    @pytest.mark.parametrize("tool", ["memcheck", "racecheck", "initcheck", "synccheck"])
    def test_the_sanitizer_finds_nothing(tool: str) -> None:
        script = [sys.executable, "-m", "tests.gpu.small"]
        command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9", *script]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout[-4000:]
