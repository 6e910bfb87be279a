"""One IEEE operation an element, on arrays that stretch over rows or columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from ..cpu.arrays import Array
from .device import DeviceArray, empty, launch_rows, on_device, rows
from .device import flat as on_one_axis
from .points import P, kernel

Strides = tuple[int, int]


@kernel
def _products(x: Array, xs: Strides, y: Array, ys: Strides, out: Array) -> None:
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, out.shape[0], along):
        for i in range(first, out.shape[1], across):
            out[n, i] = P.mul(x[n * xs[0] + i * xs[1]], y[n * ys[0] + i * ys[1]])


@kernel
def _quotients(x: Array, xs: Strides, y: Array, ys: Strides, out: Array) -> None:
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, out.shape[0], along):
        for i in range(first, out.shape[1], across):
            out[n, i] = x[n * xs[0] + i * xs[1]] / y[n * ys[0] + i * ys[1]]


@kernel
def _sums(x: Array, xs: Strides, y: Array, ys: Strides, out: Array) -> None:
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, out.shape[0], along):
        for i in range(first, out.shape[1], across):
            out[n, i] = P.add(x[n * xs[0] + i * xs[1]], y[n * ys[0] + i * ys[1]])


def _each(kernel_: Any, x: DeviceArray, y: DeviceArray, by_row: bool) -> DeviceArray:
    """The operation on all pairs; ``y`` stands along the rows or along the columns."""
    shapes = tuple(x.shape), (*y.shape, 1) if by_row else tuple(y.shape)
    shape = np.broadcast_shapes(*shapes)
    out = empty(shape, x.dtype)
    plane = (out.size // shape[-1] if out.size else 0), shape[-1]
    given: list[Any] = []
    for array, own in zip((x, y), shapes, strict=True):
        whole = (1, *own)[-2:] if len(own) < 3 else plane
        strides = (whole[1] if whole[0] > 1 else 0), int(whole[1] > 1)
        given += [on_one_axis(array), strides]
    launch_rows(kernel_, plane, *given, rows(out, *plane))
    return out


def products(x: DeviceArray, y: DeviceArray, by_row: bool = False) -> DeviceArray:
    """``x * y``."""
    return _each(_products, x, y, by_row)


def quotients(x: DeviceArray, y: DeviceArray, by_row: bool = False) -> DeviceArray:
    """``x / y``."""
    return _each(_quotients, x, y, by_row)


def sums(x: DeviceArray, y: DeviceArray) -> DeviceArray:
    """``x + y``."""
    return _each(_sums, x, y, False)


def one(value: Any) -> DeviceArray:
    """A scalar as an array of one element."""
    return on_device(np.array([value]))


def per_column(factor: Any, T: Any) -> tuple[DeviceArray, int]:
    """A factor, 1 for None, and how far apart those of two columns are."""
    if factor is None or isinstance(factor, np.generic | np.ndarray):
        factor = on_device(np.full(1, 1 if factor is None else factor, T))
    return factor, int(factor.size > 1)


__all__ = ["one", "per_column", "products", "quotients", "sums"]
