"""Capsules of DLPack with memory of the host, which NumPy takes in place: layout, lifetime, order of streams."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from refsim.kernels.cuda import dlpack, results, streams
from tests.cuda.test_simulator import simulated

ARRAYS = {
    "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
    "cube": np.arange(24.0).reshape(2, 3, 4),
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 3), np.float32),
    "integers": np.arange(-3, 4, dtype=np.int64),
    "words": np.arange(5, dtype=np.uint64),
    "mask": np.array([[True, False], [False, False]]),
}


class Exported:
    """An array of the host, handed over as one of the device is."""

    def __init__(self, x: Any) -> None:
        self.x = x
        self.versions: list[int] = []

    def __dlpack_device__(self) -> tuple[int, int]:
        return dlpack.HOST, 0

    def __dlpack__(self, *, max_version: Any = None, **options: Any) -> Any:
        self.versions.append(0 if max_version is None else max_version[0])
        described = self.x.ctypes.data, self.x.shape, self.x.dtype, (dlpack.HOST, 0)
        return dlpack.capsule(self, *described, self.versions[-1])


class Old(Exported):
    """The same before version 1."""

    def __dlpack__(self, *, stream: None = None) -> Any:  # type: ignore[override]
        return super().__dlpack__()


@pytest.mark.parametrize("kind", [Exported, Old], ids=["version 1", "before version 1"])
@pytest.mark.parametrize("name", ARRAYS)
def test_numpy_takes_the_memory_in_place(kind: Any, name: str) -> None:
    x = ARRAYS[name]
    owner = kind(x)
    found = np.from_dlpack(owner)
    assert owner.versions == [int(kind is Exported)]
    assert (found.shape, found.dtype) == (x.shape, x.dtype)
    assert found.tobytes() == x.tobytes()
    assert x.size == 0 or found.ctypes.data == x.ctypes.data
    assert found.flags.c_contiguous


@pytest.mark.parametrize("kind", [Exported, Old], ids=["version 1", "before version 1"])
def test_the_owner_lives_as_long_as_the_memory_is_used(kind: Any) -> None:
    owner = kind(np.ones((2, 3)))
    watched = weakref.ref(owner)
    found = np.from_dlpack(owner)[1:]
    del owner
    gc.collect()
    assert watched() is not None
    assert found.tolist() == [[1, 1, 1]]
    del found
    gc.collect()
    assert watched() is None


@pytest.mark.parametrize("version", [0, 1])
def test_a_capsule_that_nobody_takes_lets_its_owner_go(version: int) -> None:
    owner = Exported(np.ones(3))
    watched = weakref.ref(owner)
    first, second = (owner.__dlpack__(max_version=(version, 0)) for _ in range(2))
    del owner, first
    gc.collect()
    assert watched() is not None
    held = len(dlpack._held)
    del second
    gc.collect()
    assert watched() is None
    assert len(dlpack._held) == held - 1


def test_types_that_dlpack_does_not_know_are_refused() -> None:
    with pytest.raises(BufferError, match=r"exchanges integers, floats and booleans, not arrays"):
        Exported(np.zeros(2, "M8[s]")).__dlpack__()


# what a result answers, without a device


@pytest.fixture
def result(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A result on device 3 whose work is on stream 55; in ``waits``, who waits for whom."""
    x: Any = results.Result.__new__(results.Result)
    x.stream, x.shape, x.dtype, x.waits = 55, (2, 3), np.dtype(np.float32), []
    monkeypatch.setattr(results.Result, "__dlpack_device__", lambda self: (dlpack.DEVICE, 3))
    monkeypatch.setattr(results, "address", lambda x: 4096)
    monkeypatch.setattr(streams, "numbas", lambda handle: handle)
    monkeypatch.setattr(streams, "follow", lambda *pair: x.waits.append(pair))
    return x


@pytest.mark.parametrize(
    ("stream", "later"), [(None, 1), (1, 1), (2, 2), (94021, 94021), (-1, None)]
)
def test_the_consumer_waits_for_the_stream_of_the_result(
    result: Any, stream: int | None, later: int | None
) -> None:
    assert "dltensor" in repr(result.__dlpack__(stream=stream))
    assert result.waits == ([] if later is None else [(later, 55)])


@pytest.mark.parametrize(
    ("wish", "answer"),
    [
        ({"stream": 0}, "stream is 0, allowed are None, -1, 1, 2 and numbers of handles"),
        ({"dl_device": (2, 1)}, r"dl_device is \(2, 1\), allowed is \(1, 0\) and \(2, 3\)"),
        ({"copy": True}, "copy is True for dl_device .*, allowed are no copy on the device"),
        ({"copy": False, "dl_device": (1, 0)}, "copy is False for dl_device .*, allowed are"),
    ],
    ids=["stream", "device", "copy on the device", "host without a copy"],
)
def test_what_is_not_to_be_had_is_refused(result: Any, wish: Any, answer: str) -> None:
    with pytest.raises(BufferError, match=answer):
        result.__dlpack__(**wish)
    assert not result.waits


@pytest.mark.parametrize(
    ("version", "name"), [(None, '"dltensor"'), ((0, 8), '"dltensor"'), ((1, 1), "versioned")]
)
def test_the_layout_is_the_one_that_the_consumer_knows(
    result: Any, version: tuple[int, int] | None, name: str
) -> None:
    assert name in repr(result.__dlpack__(max_version=version))


def test_a_copy_for_the_host_is_made_when_asked_for(
    result: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    result.stream = 0
    monkeypatch.setattr(results.Result, "copy_to_host", lambda self: x.copy())
    found = np.from_dlpack(result, device="cpu")
    assert found.tolist() == x.tolist()


@pytest.mark.parametrize(("stream", "number"), [(0, 1), (77, 77)])
def test_the_array_interface_names_the_stream(
    result: Any, monkeypatch: pytest.MonkeyPatch, stream: int, number: int
) -> None:
    of_numba = property(lambda self: {"shape": self.shape, "stream": None, "version": 3})
    monkeypatch.setattr(results.Plain, "__cuda_array_interface__", of_numba)
    result.stream = stream
    assert result.__cuda_array_interface__ == {"shape": (2, 3), "stream": number, "version": 3}


def test_results_of_functions_and_tiles_are_taken_in_place() -> None:
    assert simulated("exchanged") == ["6"]
