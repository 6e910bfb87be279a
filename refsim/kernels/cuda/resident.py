"""What keeps the arrays of a tile on the device between the clauses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from ..cpu.arrays import Array, Index, Scalar
from .device import (
    DeviceArray,
    copied_there,
    empty,
    first,
    flat,
    is_device_array,
    launch,
    on_device,
    on_host,
    rows,
    taken,
)
from .points import P, kernel
from .random import normal_on_device, uniform_on_device
from .results import leaving
from .upload import uploaded


@kernel
def _copy(x: Array, out: Array) -> None:
    """Copies numbers, each converted to the type of ``out``."""
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        out[i] = x[i]


@kernel
def _centre(x: Array, half: Scalar, out: Array) -> None:
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        out[i] = P.add(x[i], -half)


@kernel
def _not_finite(x: Array, infinity: Scalar, found: Index) -> None:
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        if not abs(x[i]) < infinity:
            found[0] = 1


def copied(x: DeviceArray, T: Any) -> DeviceArray:
    """A copy on the device, in a type that holds all values."""
    out = empty(tuple(x.shape), T)
    launch(_copy, x.size, flat(x), flat(out))
    return out


def all_finite(x: DeviceArray) -> bool:
    """Whether no number is NaN or infinite."""
    found = on_device(np.zeros(1, np.int64))
    launch(_not_finite, x.size, flat(x), np.dtype(x.dtype).type(np.inf), found)
    return bool(first(found) == 0)


def deviates(
    gaussian: bool, seed: int, stream: int, step: int, pass_: int, count: int, T: Any
) -> DeviceArray:
    """Addressed numbers on the device in the type of a tile: normal, or uniform in ``[-0.5, 0.5)``."""
    address = seed, stream, step, pass_, count
    if gaussian:
        found = normal_on_device(*address)
        return found if found.dtype == T else copied(found, T)
    out = empty(count, T)
    launch(_centre, count, uniform_on_device(*address), np.float32(0.5), out)
    return out


__all__ = [
    "all_finite",
    "copied",
    "copied_there",
    "deviates",
    "is_device_array",
    "leaving",
    "on_device",
    "on_host",
    "rows",
    "taken",
    "uploaded",
]
