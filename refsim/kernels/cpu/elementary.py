"""Exponential and logarithm from IEEE operations alone (clauses EF)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import series
from .._jit import compiled
from . import threads
from .arrays import Array, Scalar, plain
from .points import P


@compiled
def _log(x: Array, out: Array, layout: Any, ln2: Any, terms: Any) -> None:
    for i in range(x.size):
        out[i] = P.log(x[i], layout, ln2, terms)


@compiled
def _exp(x: Array, out: Array, edge: Scalar, layout: Any, ln2: Any, terms: Any) -> None:
    for i in range(x.size):
        out[i] = P.exp(x[i], edge, layout, ln2, terms)


def log(x: Array) -> Array:
    """Natural logarithm, within 1 unit in the last place. [EF-1]"""
    out = np.empty(x.shape, x.dtype)
    constants = series.LOG32 if x.dtype == np.float32 else series.LOG64
    threads.run_elements(_log, (plain(x).reshape(-1), out.reshape(-1)), *constants)
    return out


def exp(x: Array) -> Array:
    """Exponential function, within 1.5 units in the last place. [EF-2]"""
    out = np.empty(x.shape, x.dtype)
    constants = series.EXP32 if x.dtype == np.float32 else series.EXP64
    threads.run_elements(_exp, (plain(x).reshape(-1), out.reshape(-1)), *constants)
    return out


__all__ = ["exp", "log"]
