"""Tile arrays: the sizes of the splits and the sum of their partial results (clauses TA).

The additions are one IEEE operation an element, which NumPy does in one pass.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arrays import QUIET, Array


def split_sizes(size: int, limit: int) -> NDArray[np.int64]:
    """Sizes of the splits of an axis, as equal as they can be, the larger ones first. [TA-1]"""
    if limit <= 0:
        return np.full(1, size, np.int64)
    count = (size - 1) // limit + 1
    smaller, larger = divmod(size, count)
    sizes = np.full(count, smaller, np.int64)
    sizes[:larger] += 1
    return sizes


@QUIET
def split_sum(parts: Array) -> Array:
    """Sum of the partial results of splits, left to right. [TA-2]"""
    y = np.array(parts[0], order="C")
    for s in range(1, len(parts)):
        np.add(y, parts[s], out=y)
    return y


__all__ = ["split_sizes", "split_sum"]
