"""Products of matrices in plain floating-point arithmetic, in any order: by cuBLAS, or by the project's own kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import cublas, tiles
from .device import DeviceArray, NoMemory, empty
from .resident import copied
from .results import address
from .streams import current, number
from .terms import Terms


def _side(step: int, depth: int, length: int) -> tuple[bool, int]:
    """Whether the terms of a sum stand side by side, and how far apart the columns of Fortran's matrix are."""
    together = depth == 1 and step == length
    return together, length if together else depth


def _by_library(library: Any, terms: Terms, shape: tuple[int, int], T: Any) -> DeviceArray:
    """Fortran's matrices are the transposes of ours, so the right factor comes first."""
    (N, O), K, layout = shape, terms.length, terms.layout
    x, y = (side if side.dtype == T else copied(side, T) for side in (terms.x, terms.y))
    out = empty(shape, T)
    (right, y_column), (left, x_column) = (
        _side(step, depth, K) for step, depth in ((layout.yb, layout.yk), (layout.xa, layout.xk))
    )
    given = right, not left, O, N, K, address(y), y_column, address(x), x_column, address(out), O
    library.multiply(T.itemsize, number(current()), *given)
    return out


def product(terms: Terms, shape: tuple[int, int], T: Any) -> DeviceArray:
    """All sums of the terms of a matrix product, added in ``T`` in any order; each step is rounded to nearest."""
    library = cublas.library()
    if not isinstance(library, str) and terms.sums and terms.length:
        try:
            return _by_library(library, terms, shape, np.dtype(T))
        except NoMemory:  # the own kernel needs no factors in float64
            pass
    return tiles.product(terms, shape, T)


__all__ = ["product"]
