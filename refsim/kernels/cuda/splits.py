"""Tile arrays: the sum of the partial results of splits (clause TA)."""

from __future__ import annotations

from numba import cuda

from ..cpu.arrays import Array
from .device import computed_on_device, empty, flat, launch, rows
from .points import P, kernel


@kernel
def _split_sum(parts: Array, out: Array) -> None:
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        value = parts[0, i]
        for s in range(1, parts.shape[0]):
            value = P.add(value, parts[s, i])
        out[i] = value


@computed_on_device
def split_sum(parts: Array) -> Array:
    """Sum of the partial results of splits, left to right. [TA-2]"""
    out = empty(tuple(parts.shape[1:]), parts.dtype)
    launch(_split_sum, out.size, rows(parts, parts.shape[0], out.size), flat(out))
    return out


__all__ = ["split_sum"]
