"""Right tiles that sum in other orders and with other operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim.conformance.admissible import float32_in_order

from .registry import right

Array = Any


def columns(a: Array, axis: int | None) -> Array:
    """The terms of each sum in the last axis."""
    return np.ravel(a) if axis is None else np.moveaxis(a, axis, -1)


def chain(terms: Array) -> Array:
    """Sums along the last axis, one term after the other."""
    if terms.shape[-1] == 0:
        return np.zeros(terms.shape[:-1], terms.dtype)[()]
    return np.add.accumulate(terms, axis=-1, dtype=terms.dtype)[..., -1]


class _Sums:
    """Products as sums of terms, by one method."""

    def total(self, a: Array, axis: int | None = None) -> Array:
        return self.summed(columns(a, axis))

    def dots(self, a: Array, b: Array) -> Array:
        return self.summed(a[:, None, :] * b[None, :, :])

    def summed(self, terms: Array) -> Array:
        return chain(terms)


@right()
class PlainBlas:
    """Products by BLAS, sums by NumPy."""


@right(float32_in_order(1))
class PlainLoop(_Sums):
    """Products and sums one term after the other, declared as such."""


@right()
class Reversed(_Sums):
    """Sums from the last term to the first."""

    def summed(self, terms: Array) -> Array:
        return chain(terms[..., ::-1])


@right()
class Blocked(_Sums):
    """Sums of blocks of three terms, and then their sum."""

    def summed(self, terms: Array) -> Array:
        blocks = [chain(terms[..., k : k + 3]) for k in range(0, terms.shape[-1], 3)]
        return chain(np.stack(blocks, axis=-1)) if blocks else chain(terms)


@right()
class Pairwise(_Sums):
    """Neighbours are added until one number is left."""

    def summed(self, terms: Array) -> Array:
        while terms.shape[-1] > 1:
            odd = terms[..., -1:] if terms.shape[-1] % 2 else terms[..., :0]
            even = terms[..., : terms.shape[-1] - odd.shape[-1]]
            terms = np.concatenate([even[..., ::2] + even[..., 1::2], odd], axis=-1)
        return chain(terms)


@right()
class SortedTerms(_Sums):
    """The terms are sorted by magnitude, the largest first, which makes the rounding errors large."""

    def summed(self, terms: Array) -> Array:
        order = np.argsort(-np.abs(terms), axis=-1, kind="stable")
        return chain(np.take_along_axis(terms, order, axis=-1))


@right()
class Kahan(_Sums):
    """Sums carry the errors of their additions along."""

    def summed(self, terms: Array) -> Array:
        s = c = np.zeros(terms.shape[:-1], terms.dtype)[()]
        for k in range(terms.shape[-1]):
            y = terms[..., k] - c
            t = s + y
            c = (t - s) - y
            s = t
        return s


@right()
class WideAccumulator:
    """Products and sums in float64, rounded to float32 at their end."""

    def total(self, a: Array, axis: int | None = None) -> Array:
        return np.sum(a, axis=axis, dtype=np.float64).astype(a.dtype)

    def dots(self, a: Array, b: Array) -> Array:
        return (a.astype(np.float64) @ b.T.astype(np.float64)).astype(a.dtype)

    def deviation(self, x: Array) -> Array:
        return super().deviation(x.astype(np.float64)).astype(x.dtype)


@right()
class SplitInHalves:
    """The inputs are split over two products, whose results are added."""

    def dots(self, a: Array, b: Array) -> Array:
        half = a.shape[1] // 2
        return a[:, :half] @ b[:, :half].T + a[:, half:] @ b[:, half:].T


def fused(a: Array, b: Array, c: Array) -> Array:
    """``a * b + c`` of float32 numbers with one rounding: the sum in float64 is rounded to odd, then to float32."""
    p = np.asarray(a, np.float64) * np.asarray(b, np.float64)
    p, c = np.broadcast_arrays(p, np.asarray(c, np.float64))
    s = p + c
    other = s - p
    error = (p - (s - other)) + (c - other)
    even = s.view(np.int64) % 2 == 0
    odd = np.nextafter(s, np.where(error > 0, np.inf, -np.inf))
    return np.where((error != 0) & even, odd, s).astype(np.float32)


@right()
class FusedMultiplyAdd:
    """Products that feed sums are not rounded."""

    def muladd(self, a: Array, b: Array, c: Array) -> Array:
        return fused(a, b, c)[()] if self.T is np.float32 else super().muladd(a, b, c)

    def dots(self, a: Array, b: Array) -> Array:
        s = np.zeros((len(a), len(b)), self.T)
        for k in range(a.shape[1]):
            s = self.muladd(a[:, k, None], b[None, :, k], s)
        return s

    def biased_product(self, z: Array, factor: Array, b: Array) -> Array:
        return self.muladd(z, factor, b)
