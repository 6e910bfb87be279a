"""Calibration of input ranges after the training (clauses CA)."""

from __future__ import annotations

import numpy as np

from .arrays import QUIET, Array, Scalar


@QUIET
def quantile(x: Array, index: int, fraction: Scalar) -> Scalar:
    """Quantile of all elements, linear between two neighbours in their order. [CA-1]"""
    between = fraction != 0
    places = [index, index + 1] if between else [index]
    chosen = np.partition(x.reshape(-1), places)
    low, high = chosen[index], chosen[places[-1]]
    if between:
        step = high - low
        inner = low + step * fraction
        low = high if inner > high else inner
    return x.dtype.type(0) if low == 0 else low


@QUIET
def averaged_range(r: Scalar, counter: Scalar, value: Scalar) -> Scalar:
    """Input range after one more batch of a moving calibration. [CA-2]"""
    T = type(r)
    weighted = r * counter
    weighted = weighted + value
    return np.abs(weighted / (counter + T(1)))


__all__ = ["averaged_range", "quantile"]
