"""On a GPU: memory, streams, and arrays of other libraries."""

from __future__ import annotations

import gc
import importlib.util
import weakref
from typing import Any

import numpy as np
import pytest
from numba import cuda as numba_cuda

import refsim as rs
from refsim.conformance.bits import difference
from refsim.conformance.runs import GeneratedRun
from refsim.errors import BackendError, InputError
from refsim.kernels import cpu, cuda
from refsim.kernels.cuda import device, resident, results, upload
from tests.cuda import steps
from tests.exact import same
from tests.kernels import data

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
    products = []
    for _ in range(8):
        with device.stream(CUDA.stream()):
            products.append(cuda.matrix_product(a, b))
    for found in products:
        same(found, right)


def test_an_array_of_one_stream_is_waited_for_on_another() -> None:
    a, b = data.pair("normal", np.float32, (2000, 1500), (1000, 1500))
    right = cpu.relu(cpu.matrix_product(a, b))
    x, w = device.on_device(a), device.on_device(b)
    for _ in range(4):
        with device.stream(CUDA.stream()):
            product = cuda.matrix_product(x, w)
        with device.stream(CUDA.stream()):
            same(device.on_host(cuda.relu(product)), right)


def test_a_large_live_array_is_locked_and_let_go() -> None:
    x = data.normal(np.float32, np.random.default_rng(0), (2**12, 2**12))
    right = x.copy()
    for _ in range(2):
        same(device.on_host(upload.uploaded(x)), right)
    x[0, 0] = right[0, 0] = 5
    same(device.on_host(upload.uploaded(x)), right)
    assert id(x) in upload._locked
    del x
    gc.collect()
    assert not upload._locked


if CUDA.current_context().get_memory_info().total > 2**35:

    def test_more_elements_than_32_bits_count() -> None:
        count = 2**31 + 4096
        x = resident.deviates(False, 1, 2, 3, 4, count, np.float32)
        y: Any = cuda.clip(x, np.float32(0.25))
        for where in (slice(0, 100), slice(2**31 - 50, 2**31 + 50), slice(count - 100, count)):
            part = x[where].copy_to_host()
            assert np.abs(part).max() > 0.25
            same(y[where].copy_to_host(), cpu.clip(part, np.float32(0.25)))


if importlib.util.find_spec("torch"):

    def test_a_tensor_of_pytorch_is_used_in_place() -> None:
        import torch

        x = torch.randn(33, 65, device="cuda")
        result: Any = cuda.clip(x, np.float32(0.5))  # type: ignore[arg-type]
        same(result.copy_to_host(), cpu.clip(x.cpu().numpy(), np.float32(0.5)))
        back = torch.as_tensor(result, device="cuda")
        assert back.data_ptr() == result.__cuda_array_interface__["data"][0]

    def test_a_tensor_with_a_gradient_is_refused_in_one_sentence() -> None:
        import torch

        x: Any = torch.ones(3, device="cuda", requires_grad=True)
        with pytest.raises(InputError, match="cannot be used in place"):
            cuda.relu(x)

    def test_pytorch_takes_a_result_in_place_and_keeps_it() -> None:
        import torch

        x = torch.randn(33, 65, device="cuda")
        result: Any = cuda.relu(x)  # type: ignore[arg-type]
        owner, where = weakref.ref(result), results.address(result)
        found = torch.from_dlpack(result)
        del result
        gc.collect()
        assert owner() is not None
        assert found.data_ptr() == where
        same(found.cpu().numpy(), cpu.relu(x.cpu().numpy()))
        del found
        gc.collect()
        assert owner() is None

    @pytest.mark.parametrize("ours", ["default", "theirs", "another"])
    def test_work_of_pytorch_on_a_stream_comes_before_ours_and_behind_it(ours: str) -> None:
        import torch

        side = torch.cuda.Stream()
        chosen = {"default": 0, "theirs": side, "another": torch.cuda.Stream()}[ours]
        for k in range(4):
            with torch.cuda.stream(side):
                long = torch.ones(3000, 3000, device="cuda")
                for _ in range(5):
                    long = long @ long / 3000
                x = long[0].contiguous() * (k - 1)
                with device.stream(chosen):
                    result: Any = cuda.relu(x)  # type: ignore[arg-type]
                found = torch.from_dlpack(result) + 1
            same(found.cpu().numpy(), np.full(3000, max(k - 1, 0) + 1, np.float32))

    def test_a_tile_gives_pytorch_what_it_gives_the_host() -> None:
        import torch

        io = rs.IOParameters(
            noise_management=rs.NoiseManagementType.NONE,
            bound_management=rs.BoundManagementType.NONE,
        )
        tiles = [
            rs.TorchInferenceRPUConfig(forward=io).create_tile(40, 60, seed=1, backend=backend)
            for backend in ("cpu", "cuda")
        ]
        x = data.normal(np.float32, np.random.default_rng(0), (7, 60))
        right = tiles[0].forward(x)
        found = torch.from_dlpack(tiles[1].forward(torch.from_numpy(x).cuda()))
        same(found.cpu().numpy(), right)


if importlib.util.find_spec("cupy"):

    def test_an_array_of_cupy_is_used_in_place_on_its_stream() -> None:
        import cupy

        stream = cupy.cuda.Stream(non_blocking=True)
        with stream, device.stream(stream):
            x = cupy.random.standard_normal((33, 65), dtype=cupy.float32)
            result: Any = cuda.relu(x)
            same(device.on_host(result), cpu.relu(cupy.asnumpy(x)))

    def test_cupy_takes_a_result_in_place() -> None:
        import cupy

        x = data.normal(np.float32, np.random.default_rng(0), (33, 65))
        result: Any = cuda.relu(device.on_device(x))
        found = cupy.from_dlpack(result)
        assert found.data.ptr == results.address(result)
        same(cupy.asnumpy(found), cpu.relu(x))
