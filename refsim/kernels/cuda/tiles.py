"""Products of matrices in plain floating-point arithmetic, a square of outputs for each block of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from ..cpu.arrays import Array
from .device import DeviceArray, blocks, empty, start
from .points import SIMULATED, P, device_function, kernel
from .terms import Terms

FULL, SMALL = (16, 4, 16), (2, 2, 3)
"""Sizes on a device and in the simulator."""
ACROSS, EACH, DEPTH = SMALL if SIMULATED else FULL
"""Threads along each side of a block, outputs of a thread along each side, terms that are fetched at a time."""
SIDE = ACROSS * EACH


@device_function
def _loaded(
    x: Array, begin: int, count: int, step: int, k0: int, length: int, depth: int, part: Array
) -> None:
    """Fetches ``SIDE`` rows of ``DEPTH`` terms; beyond the end of the matrix there are zeros."""
    thread = cuda.threadIdx.y * ACROSS + cuda.threadIdx.x
    for i in range(thread, SIDE * DEPTH, ACROSS * ACROSS):
        # neighbouring threads fetch neighbouring elements
        row, k = (i // DEPTH, i % DEPTH) if depth == 1 else (i % SIDE, i // SIDE)
        if begin + row < count and k0 + k < length:
            part[k, row] = x[(begin + row) * step + (k0 + k) * depth]
        else:
            part[k, row] = 0


@device_function
def _multiplied(left: Array, right: Array, sums: Array) -> None:
    """Adds the products of what has been fetched."""
    for k in range(DEPTH):
        for r in range(EACH):
            x = left[k, cuda.threadIdx.y + ACROSS * r]
            for c in range(EACH):
                y = right[k, cuda.threadIdx.x + ACROSS * c]
                sums[r, c] = P.product_sum(x, y, sums[r, c])


def _kernel(T: Any) -> Any:
    """The kernel that adds in the type ``T``."""

    @kernel
    def tiles(
        a: Array,
        an: int,
        ak: int,
        b: Array,
        bo: int,
        bk: int,
        length: int,
        out: Array,
    ) -> None:
        left = cuda.shared.array((DEPTH, SIDE), T)
        right = cuda.shared.array((DEPTH, SIDE), T)
        sums = cuda.local.array((EACH, EACH), T)
        N, O = out.shape[0], out.shape[1]
        across = (O + SIDE - 1) // SIDE
        for tile in range(cuda.blockIdx.x, (N + SIDE - 1) // SIDE * across, cuda.gridDim.x):
            n0, o0 = tile // across * SIDE, tile % across * SIDE
            for r in range(EACH):
                for c in range(EACH):
                    sums[r, c] = 0
            for k0 in range(0, length, DEPTH):
                _loaded(a, n0, N, an, k0, length, ak, left)
                _loaded(b, o0, O, bo, k0, length, bk, right)
                cuda.syncthreads()
                _multiplied(left, right, sums)
                cuda.syncthreads()
            for r in range(EACH):
                for c in range(EACH):
                    n, o = n0 + cuda.threadIdx.y + ACROSS * r, o0 + cuda.threadIdx.x + ACROSS * c
                    if n < N and o < O:
                        out[n, o] = sums[r, c]

    return tiles


KERNELS = {np.dtype(T): _kernel(T) for T in (np.float32, np.float64)}


def product(terms: Terms, shape: tuple[int, int], T: Any) -> DeviceArray:
    """All sums of the terms of a matrix product of the given shape, added in the type ``T`` in some order."""
    out, layout = empty(shape, T), terms.layout
    left, right = (terms.x, layout.xa, layout.xk), (terms.y, layout.yb, layout.yk)
    squares = -(-shape[0] // SIDE) * -(-shape[1] // SIDE)
    if squares:
        given = *left, *right, terms.length, out
        start(KERNELS[np.dtype(T)], blocks(squares), (ACROSS, ACROSS), *given)
    return out
