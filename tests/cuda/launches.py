"""What the CUDA kernels are launched with, found without a device: arrays are stand-ins, and nothing is computed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numba
import numpy as np
import pytest
from numba.cuda import types

from refsim.kernels import cuda
from refsim.kernels.cuda import device, fast, resident
from tests.kernels import data

Launch = tuple[Any, tuple[Any, ...]]
"""A kernel, and the types of its arguments."""
SIZES = (6, 37, 23)


class StandIn:
    """An array on no device; read back, it holds ones, so that every path behind a flag is taken."""

    __cuda_ndarray__ = True

    def __init__(self, shape: Any, T: Any) -> None:
        self.shape = tuple(int(n) for n in np.atleast_1d(shape))
        self.dtype, self.size = np.dtype(T), int(np.prod(self.shape))
        self.stream: Any = 0

    def reshape(self, *shape: int) -> StandIn:
        return StandIn(shape, self.dtype)

    def is_c_contiguous(self) -> bool:
        return True

    def copy_to_host(self, stream: Any = 0) -> Any:
        return np.ones(self.shape, self.dtype)


class Driver:
    """In place of ``numba.cuda`` where arrays are made."""

    def device_array(self, shape: Any, T: Any, stream: Any) -> StandIn:
        return StandIn(shape, T)

    def to_device(self, x: Any, stream: Any) -> StandIn:
        return StandIn(x.shape, x.dtype)


def typed(argument: Any) -> Any:
    """The type that a kernel is compiled for."""
    if isinstance(argument, StandIn):
        return types.Array(numba.from_dtype(argument.dtype), len(argument.shape), "C")
    return numba.typeof(argument)


def recorded(monkeypatch: pytest.MonkeyPatch, T: Any) -> dict[str, list[Launch]]:
    """The launches of each public function, and of the plain products, on arrays of one data type."""
    found: dict[str, list[Launch]] = {}
    launches: list[Launch] = []

    def start(kernel: Any, blocks: Any, threads: Any, *arguments: Any) -> None:
        launches.append((kernel, tuple(typed(argument) for argument in arguments)))

    monkeypatch.setattr(device, "CUDA", Driver())
    monkeypatch.setattr(device, "leaving", lambda x: x)
    monkeypatch.setattr("refsim.kernels.cuda.cublas.library", lambda: "no device")
    monkeypatch.setattr("refsim.kernels.cuda.product.FEW_TERMS", 0)
    monkeypatch.setattr(device, "start", start)
    monkeypatch.setattr("refsim.kernels.cuda.tiles.start", start)
    for name, given in data.calls(T, *SIZES):
        for module in (cuda, fast):
            if hasattr(module, name):
                launches = found.setdefault(name, [])
                with np.errstate(all="ignore"):
                    getattr(module, name)(*given)
    launches = found["resident"] = []
    resident.deviates(True, 1, 2, 3, 4, 5, T)
    resident.deviates(False, 1, 2, 3, 4, 5, T)
    resident.all_finite(resident.copied(StandIn((2, 3), T), T))
    return found


def distinct(found: dict[str, list[Launch]]) -> Iterator[Launch]:
    """Each kernel once for each list of types."""
    yield from dict.fromkeys(launch for launches in found.values() for launch in launches)
