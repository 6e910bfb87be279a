"""Array types, and arrays in the one form that the kernels are compiled for."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Scalar = np.floating[Any]
AnyType = TypeVar("AnyType", bound=np.generic)
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]
Words = NDArray[np.uint64]

QUIET = np.errstate(all="ignore")
"""Operations never warn of data: an overflow is an infinity in the result."""


def plain(x: NDArray[AnyType]) -> NDArray[AnyType]:
    """The array itself if it is C-contiguous and writable, else a copy: each kernel is compiled once."""
    return x if x.flags.carray else np.array(x, order="C")


def optional(x: Array | None, like: Array) -> Array:
    """The plain array, or an empty one of as many axes (at least one) in place of None."""
    return np.empty((0,) * max(1, like.ndim), dtype=like.dtype) if x is None else plain(x)


def full(factor: Array | None, count: int, like: Scalar) -> Array:
    """A factor for each output, 1 for an absent one."""
    values = np.empty(count, like.dtype)
    values[...] = 1 if factor is None else factor
    return values
