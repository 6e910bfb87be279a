"""The operations that right implementations carry out differently."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


class Arithmetic:
    """NumPy in the data type of its arrays: BLAS, sums in pairs, divisions."""

    def quotient(self, a: Array, b: Array) -> Array:
        """``a / b``."""
        return a / b

    def product(self, a: Array, b: Array) -> Array:
        """``(N, K)`` times the transpose of ``(M, K)``; or each row with an ``(M, K)`` of its own."""
        if b.ndim == 2:
            return self.dots(a, b)
        rows = [self.dots(a[n : n + 1], b[n]) for n in range(len(a))]
        return np.concatenate(rows) if rows else np.zeros((0, b.shape[1]), a.dtype)

    def dots(self, a: Array, b: Array) -> Array:
        """``(N, K)`` times the transpose of ``(M, K)``."""
        return a @ b.T

    def muladd(self, a: Array, b: Array, c: Array) -> Array:
        """``a * b + c``."""
        return a * b + c

    def total(self, a: Array, axis: int | None = None) -> Array:
        """Sum of all elements, or along an axis."""
        return np.sum(a, axis=axis, dtype=a.dtype)

    def deviation(self, x: Array) -> Array:
        """Standard deviation of all elements with ``n - 1``; NaN for fewer than two."""
        if x.size < 2:
            return x.dtype.type(np.nan)
        return np.std(x, ddof=1)
