"""Random numbers that are addressed, not drawn (clauses RN)."""

from __future__ import annotations

import numpy as np

from .. import series
from .._jit import compiled
from . import threads
from .arrays import Array, Float32, Words, plain
from .points import P

BATCH = 256  # blocks at a time; their words stay in the cache
MASK = 0xFFFFFFFF
LOG, COSINES, SINES = series.LOG32, series.COSINES, series.SINES


@compiled
def _philox(k0: np.uint64, k1: np.uint64, counter: Words, out: Words) -> None:
    c0, c1, c2, c3 = counter[0], counter[1], counter[2], counter[3]
    w0, w1, w2, w3 = out[0], out[1], out[2], out[3]
    for i in range(c0.size):
        w0[i], w1[i], w2[i], w3[i] = P.philox(k0, k1, c0[i], c1[i], c2[i], c3[i])


def philox(
    key: tuple[int, int], counter: tuple[Words, Words, Words, Words]
) -> tuple[Words, Words, Words, Words]:
    """Ten rounds of Philox4x32 on 32-bit words held in uint64. [RN-1]"""
    words = np.stack([word.reshape(-1) for word in counter])
    out = np.empty_like(words)
    _philox(np.uint64(key[0]), np.uint64(key[1]), words, out)
    w0, w1, w2, w3 = (word.reshape(counter[0].shape) for word in out)
    return w0, w1, w2, w3


@compiled
def _deviates(
    begin: int, end: int, address: tuple[int, int, int, int], gaussian: bool, out: Float32
) -> None:
    """Uniform or normal deviates of the blocks ``begin ... end - 1``, four to a block."""
    k0, k1, c2, c3 = address
    words, numbers = np.empty((4, BATCH), np.uint32), np.empty((4, BATCH), np.float32)
    w0, w1, w2, w3 = words[0], words[1], words[2], words[3]
    n0, n1, n2, n3 = numbers[0], numbers[1], numbers[2], numbers[3]
    for first in range(begin, end, BATCH):
        count = min(BATCH, end - first)
        for i in range(count):
            block = np.uint64(first + i)
            c0, c1 = block & np.uint64(MASK), block >> np.uint64(32)
            w0[i], w1[i], w2[i], w3[i] = P.philox(k0, k1, c0, c1, c2, c3)
        for pair in range(2):
            radial, angular = words[2 * pair], words[2 * pair + 1]
            left, right = numbers[2 * pair], numbers[2 * pair + 1]
            for i in range(count):
                if gaussian:
                    left[i], right[i] = P.normal_pair(
                        radial[i], angular[i], LOG[0], LOG[1], LOG[2], COSINES, SINES
                    )
                else:
                    left[i], right[i] = P.unit(radial[i]), P.unit(angular[i])
        target = out[first : first + count]
        for i in range(count):
            target[i, 0], target[i, 1], target[i, 2], target[i, 3] = n0[i], n1[i], n2[i], n3[i]


def _drawn(gaussian: bool, seed: int, stream: int, step: int, pass_: int, count: int) -> Float32:
    blocks = -(-count // 4)
    out = np.empty((blocks, 4), np.float32)
    words = seed & MASK, seed >> 32, step, stream << 16 | pass_
    address = tuple(np.uint64(word) for word in words)
    threads.run(_deviates, blocks, count > threads.ELEMENTS // 2, address, gaussian, out)
    return out.reshape(-1)[:count]


def uniform(seed: int, stream: int, step: int, pass_: int, count: int) -> Float32:
    """Uniform deviates in ``[0, 1)`` for the flat indices ``0 ... count - 1``. [RN-2]"""
    return _drawn(False, seed, stream, step, pass_, count)


def normal(seed: int, stream: int, step: int, pass_: int, count: int) -> Float32:
    """Standard normal deviates for the flat indices ``0 ... count - 1``. [RN-3]"""
    return _drawn(True, seed, stream, step, pass_, count)


@compiled
def _unit_circle(u: Array, cosine: Array, sine: Array) -> None:
    for i in range(u.size):
        cosine[i], sine[i] = P.unit_circle(u[i], COSINES, SINES)


def unit_circle(u: Float32) -> tuple[Float32, Float32]:
    """Cosine and sine of a number of turns in float32. [RN-4]"""
    cosine, sine = np.empty(u.shape, np.float32), np.empty(u.shape, np.float32)
    _unit_circle(plain(u).reshape(-1), cosine.reshape(-1), sine.reshape(-1))
    return cosine, sine


__all__ = ["normal", "philox", "uniform", "unit_circle"]
