"""Random numbers that are addressed, not drawn (clauses RN)."""

from __future__ import annotations

import numpy as np
from numba import cuda

from .. import series
from ..cpu.arrays import Array, Float32, Words
from .device import computed_on_device, empty, flat, launch, on_host
from .points import P, kernel

MASK = 0xFFFFFFFF
LOG, COSINES, SINES = series.LOG32, series.COSINES, series.SINES


@kernel
def _philox(
    k0: np.uint64,
    k1: np.uint64,
    c0: Words,
    c1: Words,
    c2: Words,
    c3: Words,
    w0: Words,
    w1: Words,
    w2: Words,
    w3: Words,
) -> None:
    for i in range(cuda.grid(1), c0.size, cuda.gridsize(1)):
        w0[i], w1[i], w2[i], w3[i] = P.philox(k0, k1, c0[i], c1[i], c2[i], c3[i])


@computed_on_device
def philox(
    key: tuple[int, int], counter: tuple[Words, Words, Words, Words]
) -> tuple[Words, Words, Words, Words]:
    """Ten rounds of Philox4x32 on 32-bit words held in uint64. [RN-1]"""
    k0, k1 = (np.uint64(word) for word in key)
    w0, w1, w2, w3 = out = tuple(empty(counter[0].shape, np.uint64) for _ in range(4))
    launch(_philox, w0.size, k0, k1, *map(flat, counter), *map(flat, out))
    return w0, w1, w2, w3


@kernel
def _uniform(k0: np.uint64, k1: np.uint64, c2: np.uint64, c3: np.uint64, out: Float32) -> None:
    """Uniform deviates, four to a block."""
    mask, half = np.uint64(MASK), np.uint64(32)
    for b in range(cuda.grid(1), (out.size + 3) // 4, cuda.gridsize(1)):
        block = np.uint64(b)
        words = P.philox(k0, k1, block & mask, block >> half, c2, c3)
        for j in range(4):
            if 4 * b + j < out.size:
                out[4 * b + j] = P.unit(np.uint32(words[j]))


@kernel
def _normal(k0: np.uint64, k1: np.uint64, c2: np.uint64, c3: np.uint64, out: Float32) -> None:
    """Normal deviates, four to a block."""
    mask, half = np.uint64(MASK), np.uint64(32)
    for b in range(cuda.grid(1), (out.size + 3) // 4, cuda.gridsize(1)):
        block = np.uint64(b)
        words = P.philox(k0, k1, block & mask, block >> half, c2, c3)
        for pair in range(2):
            radial, angular = np.uint32(words[2 * pair]), np.uint32(words[2 * pair + 1])
            left, right = P.normal_pair(radial, angular, LOG[0], LOG[1], LOG[2], COSINES, SINES)
            i = 4 * b + 2 * pair
            if i < out.size:
                out[i] = left
            if i + 1 < out.size:
                out[i + 1] = right


def _address(seed: int, stream: int, step: int, pass_: int) -> tuple[np.uint64, ...]:
    words = seed & MASK, seed >> 32, step, stream << 16 | pass_
    return tuple(np.uint64(word) for word in words)


def uniform_on_device(seed: int, stream: int, step: int, pass_: int, count: int) -> Float32:
    """:func:`uniform`, left on the device."""
    out: Float32 = empty(count, np.float32)
    launch(_uniform, -(-count // 4), *_address(seed, stream, step, pass_), out)
    return out


def normal_on_device(seed: int, stream: int, step: int, pass_: int, count: int) -> Float32:
    """:func:`normal`, left on the device."""
    out: Float32 = empty(count, np.float32)
    launch(_normal, -(-count // 4), *_address(seed, stream, step, pass_), out)
    return out


def uniform(seed: int, stream: int, step: int, pass_: int, count: int) -> Float32:
    """Uniform deviates in ``[0, 1)`` for the flat indices ``0 ... count - 1``. [RN-2]"""
    found: Float32 = on_host(uniform_on_device(seed, stream, step, pass_, count))
    return found


def normal(seed: int, stream: int, step: int, pass_: int, count: int) -> Float32:
    """Standard normal deviates for the flat indices ``0 ... count - 1``. [RN-3]"""
    found: Float32 = on_host(normal_on_device(seed, stream, step, pass_, count))
    return found


@kernel
def _unit_circle(u: Array, cosine: Array, sine: Array) -> None:
    for i in range(cuda.grid(1), u.size, cuda.gridsize(1)):
        cosine[i], sine[i] = P.unit_circle(u[i], COSINES, SINES)


@computed_on_device
def unit_circle(u: Float32) -> tuple[Float32, Float32]:
    """Cosine and sine of a number of turns in float32. [RN-4]"""
    cosine, sine = empty(u.shape, np.float32), empty(u.shape, np.float32)
    launch(_unit_circle, u.size, flat(u), flat(cosine), flat(sine))
    return cosine, sine


__all__ = ["normal", "philox", "uniform", "unit_circle"]
