"""Arrays on the device without a device: what is taken in place, what is copied, which stream is used."""

from __future__ import annotations

import inspect
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim import spec
from refsim.errors import BackendError, InputError
from refsim.kernels import cuda
from refsim.kernels.cuda import device, host, streams
from tests.cuda.launches import Driver, StandIn


class Stream:
    """A stream of numba."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.number

    def synchronize(self) -> None:
        """Nothing is under way."""


class Recorder(Driver):
    """A driver that notes what is asked of it."""

    def __init__(self) -> None:
        self.copies: list[Any] = []
        self.views: list[Any] = []
        self.streams: list[Any] = []
        self.waits: list[int] = []
        """Of two streams each, the later waits for the earlier."""

    def to_device(self, x: Any, stream: Any) -> StandIn:
        self.copies.append(x)
        return super().to_device(x, stream)

    def as_cuda_array(self, x: Any, sync: bool) -> StandIn:
        assert not sync  # the host does not wait
        self.views.append(x)
        described = x.__cuda_array_interface__
        found = StandIn(described["shape"], described["typestr"])
        found.stream = described.get("stream", 0)
        return found

    def from_cuda_array_interface(self, described: Any, owner: Any) -> StandIn:
        self.views.append(described)
        return StandIn(described["shape"], described["typestr"])

    def external_stream(self, number: int) -> Any:
        self.streams.append(number)
        return Stream(number)

    def event(self, timing: bool) -> Any:
        assert not timing
        return SimpleNamespace(
            record=lambda stream: self.waits.append(streams.number(stream)),
            wait=lambda stream: self.waits.append(streams.number(stream)),
        )


class Foreign:
    """An array of another library on the device."""

    def __init__(self, *shape: int, T: Any = np.float32, **more: Any) -> None:
        self.__cuda_array_interface__ = {"shape": shape, "typestr": np.dtype(T).str, **more}


class Exchanged:
    """The same, with DLPack only; its memory is in truth that of the host."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0

    def __dlpack__(self, *, stream: int, **options: Any) -> Any:
        self.stream = stream
        return self.x.__dlpack__()


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(device, "CUDA", recorder)
    monkeypatch.setattr(streams, "CUDA", recorder)
    monkeypatch.setattr(device, "leaving", lambda x: x)
    monkeypatch.setattr("refsim.kernels.cuda.cublas.library", lambda: "no device")
    launched: list[Any] = []
    monkeypatch.setattr(device, "start", lambda *given: launched.append(streams.current()))
    recorder.launched = launched  # type: ignore[attr-defined]
    return recorder


def test_specification_and_cuda_kernels_have_one_interface() -> None:
    assert functions(cuda) == functions(spec)
    assert set(host.REASONS) < set(cuda.__all__)
    assert all(reason for reason in host.REASONS.values())


def functions(module: ModuleType) -> dict[str, inspect.Signature]:
    return {name: inspect.signature(getattr(module, name)) for name in module.__all__}


def test_arrays_of_the_host_are_copied_there_and_back(driver: Recorder) -> None:
    x = np.ones((2, 3), np.float32)
    assert type(cuda.relu(x)) is np.ndarray
    (copy,) = driver.copies
    assert copy is x


def test_a_device_array_is_used_in_place_and_the_result_stays_there(driver: Recorder) -> None:
    x = Foreign(2, 3)
    result: Any = cuda.relu(x)  # type: ignore[arg-type]
    assert isinstance(result, StandIn)
    assert result.shape == (2, 3)
    assert driver.views == [x]
    assert not driver.copies


def test_one_device_array_keeps_all_results_on_the_device(driver: Recorder) -> None:
    q, d, negative = cuda.digital_to_analog(
        np.ones((2, 3), np.float32),
        Foreign(2),  # type: ignore[arg-type]
        *(np.float32(n) for n in (0.5, 1)),
        None,
        None,
        np.float32(0),
        np.float32(1),
    )
    assert all(isinstance(part, StandIn) for part in (q, d, negative))
    assert len(driver.copies) == 1


def test_memory_behind_dlpack_is_used_in_place(driver: Recorder) -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    result: Any = cuda.relu(Exchanged(x))  # type: ignore[arg-type]
    assert isinstance(result, StandIn)
    (described,) = driver.views
    assert described["data"][0] == x.ctypes.data
    assert (described["shape"], described["strides"]) == ((2, 3), (12, 4))
    assert not driver.copies


def test_what_is_not_contiguous_is_refused(
    driver: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StandIn, "is_c_contiguous", lambda self: False)
    with pytest.raises(InputError, match="not C-contiguous, allowed are"):
        cuda.relu(Foreign(2, 3))  # type: ignore[arg-type]


def test_a_tile_of_the_host_refuses_an_array_on_a_gpu() -> None:
    tile = rs.TorchInferenceRPUConfig().create_tile(2, 3, backend="spec")
    with pytest.raises(InputError, match="x is an array on a GPU, allowed are arrays of the host"):
        tile.forward(Foreign(2, 3))


@pytest.mark.parametrize("shape", [(1, 1), (3, 5000), (5000, 3), (8192, 4096)], ids=str)
def test_kernels_that_count_have_few_threads(
    driver: Any, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    grids: dict[str, Any] = {}

    def start(kernel: Any, blocks: Any, *rest: Any) -> None:
        grids[kernel.py_func.__name__] = int(np.prod(blocks))

    monkeypatch.setattr(device, "start", start)
    x, one = StandIn(shape, np.float32), np.float32(1)
    rows: Any = StandIn(shape[:1], np.float32)
    cuda.unclipped_fraction(x, one)  # type: ignore[arg-type]
    cuda.crossbar_input_gradient(x, x, one, rows, one, one, None)  # type: ignore[arg-type]
    for name in ("_inside", "_crossbar_input_gradient"):
        assert 128 <= grids[name] <= 2 * device.COUNTING_BLOCKS


def test_host_functions_return_device_arrays_for_device_arrays(driver: Recorder) -> None:
    lo, hi = cuda.percentile_range(Foreign(2, 3), np.float64(10), True)  # type: ignore[arg-type]
    assert isinstance(lo, StandIn)
    assert isinstance(hi, StandIn)


HANDLES = {
    "number": 77,
    "CuPy": SimpleNamespace(ptr=77),
    "PyTorch": SimpleNamespace(cuda_stream=77),
    "numba": Stream(77),
    "cuda.core": SimpleNamespace(__cuda_stream__=(0, 77)),
}
DEFAULTS = {
    "number": 0,
    "legacy": 1,
    "CuPy": SimpleNamespace(ptr=0),
    "PyTorch": SimpleNamespace(cuda_stream=0),
}


@pytest.mark.parametrize("handle", HANDLES.values(), ids=HANDLES)
def test_a_stream_of_any_library_is_used(driver: Any, handle: Any) -> None:
    with device.stream(handle):
        cuda.relu(Foreign(2, 3))  # type: ignore[arg-type]
        assert streams.current().owner is handle
    cuda.relu(Foreign(2, 3))  # type: ignore[arg-type]
    assert driver.streams == [77]
    inside, outside = driver.launched
    assert inside.number == 77
    assert outside == 0


@pytest.mark.parametrize("handle", DEFAULTS.values(), ids=DEFAULTS)
def test_the_default_stream_of_any_library_is_numbas(driver: Any, handle: Any) -> None:
    with device.stream(handle):
        cuda.relu(Foreign(2, 3))  # type: ignore[arg-type]
    assert driver.launched == [0]
    assert not driver.streams


def test_what_is_no_stream_is_refused(driver: Any) -> None:
    with pytest.raises(InputError, match="stream is 'fast', allowed are streams of numba"):
        device.stream("fast").__enter__()


def test_work_waits_for_the_stream_of_an_array_and_the_host_does_not(driver: Any) -> None:
    cuda.relu(Foreign(2, 3, stream=55))  # type: ignore[arg-type]
    assert driver.waits == [55, 1]
    with device.stream(77):
        cuda.relu(Foreign(2, 3, stream=55))  # type: ignore[arg-type]
        assert driver.waits[2:] == [55, 77]
        cuda.relu(Foreign(2, 3, stream=77))  # type: ignore[arg-type]
        cuda.relu(Foreign(2, 3))  # type: ignore[arg-type]
    assert len(driver.waits) == 4


@pytest.mark.parametrize(("handle", "number"), [(0, 1), (77, 77)])
def test_a_library_with_dlpack_orders_its_stream_before_ours(
    driver: Any, handle: int, number: int
) -> None:
    x = Exchanged(np.ones((2, 3), np.float32))
    with device.stream(handle):
        cuda.relu(x)  # type: ignore[arg-type]
    assert x.stream == number


def test_what_a_library_does_not_hand_over_is_refused_in_one_sentence(driver: Any) -> None:
    x = Exchanged(np.ones(3, np.dtype("V4")))
    with pytest.raises(InputError, match="a device array cannot be used in place: "):
        cuda.relu(x)  # type: ignore[arg-type]


def test_no_memory_left_is_one_sentence(driver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: Any, **named: Any) -> Any:
        raise RuntimeError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")

    monkeypatch.setattr(driver, "device_array", full, raising=False)
    with pytest.raises(BackendError, match="the GPU has no memory left for 24 bytes"):
        cuda.relu(Foreign(2, 3))  # type: ignore[arg-type]


def test_other_errors_of_the_driver_pass(driver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any, **named: Any) -> Any:
        raise RuntimeError("an illegal address")

    monkeypatch.setattr(driver, "device_array", broken, raising=False)
    with pytest.raises(RuntimeError, match="an illegal address"):
        cuda.relu(Foreign(2, 3))  # type: ignore[arg-type]


def test_an_empty_array_starts_nothing(driver: Any) -> None:
    assert cuda.relu(np.empty((0, 3), np.float32)).shape == (0, 3)
    assert not driver.launched


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (300, 2), (4000, 4000)], ids=str)
def test_no_launch_is_smaller_than_what_numba_warns_of(
    driver: Any, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    grids: list[Any] = []
    start = lambda kernel, blocks, *rest: grids.append(blocks)  # noqa: E731
    monkeypatch.setattr(device, "start", start)
    monkeypatch.setattr("refsim.kernels.cuda.tiles.start", start)
    x = StandIn(shape, np.float32)
    for name, given in (("relu", (x,)), ("softmax", (x,)), ("matrix_product", (x, x))):
        getattr(cuda, name)(*given)
    assert len(grids) > 5
    assert all(128 <= np.prod(grid) <= 2**31 for grid in grids)
