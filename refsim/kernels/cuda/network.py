"""What a network does between and behind its tiles: rectifier, softmax and cross-entropy (clauses NN)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from .. import series
from ..cpu.arrays import Array, Index, Scalar
from .device import computed_on_device, empty, flat, launch, launch_rows
from .elementary import log
from .management import row_max
from .points import P, kernel
from .sums import row_totals


@kernel
def _relu(x: Array, out: Array) -> None:
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        out[i] = P.rectified(x[i])


@computed_on_device
def relu(x: Array) -> Array:
    """Rectifier. [NN-1]"""
    out = empty(x.shape, x.dtype)
    launch(_relu, x.size, flat(x), flat(out))
    return out


@kernel
def _relu_gradient(gradient: Array, x: Array, out: Array) -> None:
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        out[i] = P.rectified_gradient(gradient[i], x[i])


@computed_on_device
def relu_gradient(gradient: Array, x: Array) -> Array:
    """Gradient of the input of the rectifier. [NN-2]"""
    out = empty(x.shape, x.dtype)
    launch(_relu_gradient, x.size, flat(gradient), flat(x), flat(out))
    return out


@kernel
def _exponentials(
    logits: Array,
    peak: Array,
    edge: Scalar,
    layout: Any,
    ln2: Any,
    terms: Any,
    shifted: Array,
    e: Array,
) -> None:
    """Logits less the peak of their row, and the exponentials of that."""
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, logits.shape[0], along):
        for k in range(first, logits.shape[1], across):
            value = P.add(logits[n, k], -peak[n])
            shifted[n, k], e[n, k] = value, P.exp(value, edge, layout, ln2, terms)


def shifted_logits(logits: Array) -> tuple[Array, Array, Array]:
    """Shifted logits, their exponentials, and the exact sum of these in each row."""
    shifted, e = empty(logits.shape, logits.dtype), empty(logits.shape, logits.dtype)
    constants = series.EXP32 if logits.dtype == np.float32 else series.EXP64
    launch_rows(_exponentials, logits.shape, logits, row_max(logits)[0], *constants, shifted, e)
    return shifted, e, row_totals(e)


@kernel
def _shares(e: Array, total: Array, out: Array) -> None:
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, e.shape[0], along):
        for k in range(first, e.shape[1], across):
            out[n, k] = e[n, k] / total[n]


@computed_on_device
def softmax(logits: Array) -> Array:
    """Probability of each class. [NN-3]"""
    _, e, total = shifted_logits(logits)
    out = empty(e.shape, e.dtype)
    launch_rows(_shares, e.shape, e, total, out)
    return out


@kernel
def _losses(logarithm: Array, shifted: Array, label: Index, out: Array) -> None:
    for n in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        out[n] = P.add(logarithm[n], -shifted[n, label[n]])


@computed_on_device
def cross_entropy(logits: Array, label: Index) -> Array:
    """Loss of each sample: the negative logarithm of the softmax at its label. [NN-4]"""
    shifted, _, total = shifted_logits(logits)
    out = empty(total.shape, total.dtype)
    launch(_losses, out.size, log(total), shifted, label, out)
    return out


@kernel
def _loss_gradient(p: Array, label: Index, one: Scalar, count: Scalar, out: Array) -> None:
    first, line = cuda.grid(2)
    across, along = cuda.gridsize(2)
    for n in range(line, p.shape[0], along):
        for k in range(first, p.shape[1], across):
            difference = P.add(p[n, k], -one) if k == label[n] else p[n, k]
            out[n, k] = difference / count


@computed_on_device
def cross_entropy_gradient(logits: Array, label: Index) -> Array:
    """Gradient of the mean cross-entropy of a batch with respect to the logits. [NN-5]"""
    p, T = softmax(logits), logits.dtype.type
    out = empty(p.shape, p.dtype)
    launch_rows(_loss_gradient, p.shape, p, label, T(1), T(max(1, p.shape[0])), out)
    return out


__all__ = ["cross_entropy", "cross_entropy_gradient", "relu", "relu_gradient", "softmax"]
