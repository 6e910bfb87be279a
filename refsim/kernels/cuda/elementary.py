"""Exponential and logarithm from IEEE operations alone (clauses EF)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from .. import series
from ..cpu.arrays import Array, Scalar
from .device import computed_on_device, empty, flat, launch
from .points import P, kernel


@kernel
def _log(x: Array, layout: Any, ln2: Any, terms: Any, out: Array) -> None:
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        out[i] = P.log(x[i], layout, ln2, terms)


@kernel
def _exp(x: Array, edge: Scalar, layout: Any, ln2: Any, terms: Any, out: Array) -> None:
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        out[i] = P.exp(x[i], edge, layout, ln2, terms)


@computed_on_device
def log(x: Array) -> Array:
    """Natural logarithm, within 1 unit in the last place. [EF-1]"""
    out = empty(x.shape, x.dtype)
    constants = series.LOG32 if x.dtype == np.float32 else series.LOG64
    launch(_log, x.size, flat(x), *constants, flat(out))
    return out


@computed_on_device
def exp(x: Array) -> Array:
    """Exponential function, within 1.5 units in the last place. [EF-2]"""
    out = empty(x.shape, x.dtype)
    constants = series.EXP32 if x.dtype == np.float32 else series.EXP64
    launch(_exp, x.size, flat(x), *constants, flat(out))
    return out


__all__ = ["exp", "log"]
