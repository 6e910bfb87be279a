"""What a network does between and behind its tiles: rectifier, softmax and cross-entropy (clauses NN)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import series
from .._jit import compiled
from . import threads
from .arrays import Array, Index, Scalar, plain
from .elementary import log
from .management import row_max
from .points import P
from .sums import row_product_totals


@compiled
def _relu(x: Array, out: Array) -> None:
    for i in range(x.size):
        out[i] = P.rectified(x[i])


def relu(x: Array) -> Array:
    """Rectifier. [NN-1]"""
    out = np.empty(x.shape, x.dtype)
    threads.run_elements(_relu, (plain(x).reshape(-1), out.reshape(-1)))
    return out


@compiled
def _relu_gradient(gradient: Array, x: Array, out: Array) -> None:
    for i in range(x.size):
        out[i] = P.rectified_gradient(gradient[i], x[i])


def relu_gradient(gradient: Array, x: Array) -> Array:
    """Gradient of the input of the rectifier. [NN-2]"""
    out = np.empty(x.shape, x.dtype)
    flat = plain(gradient).reshape(-1), plain(x).reshape(-1), out.reshape(-1)
    threads.run_elements(_relu_gradient, flat)
    return out


@compiled
def _exponentials(
    begin: int,
    end: int,
    logits: Array,
    peak: Array,
    shifted: Array,
    e: Array,
    edge: Scalar,
    layout: Any,
    ln2: Any,
    terms: Any,
) -> None:
    """Logits less the peak of their row, and the exponentials of that."""
    for n in range(begin, end):
        for k in range(logits.shape[1]):
            shifted[n, k] = P.add(logits[n, k], -peak[n])
            e[n, k] = P.exp(shifted[n, k], edge, layout, ln2, terms)


def shifted_logits(logits: Array) -> tuple[Array, Array, Array]:
    """Shifted logits, their exponentials, and the exact sum of these in each row."""
    logits = plain(logits)
    shifted, e = np.empty(logits.shape, logits.dtype), np.empty(logits.shape, logits.dtype)
    constants = series.EXP32 if logits.dtype == np.float32 else series.EXP64
    given = logits, row_max(logits)[0], shifted, e
    threads.run(_exponentials, len(logits), logits.size > threads.ELEMENTS, *given, *constants)
    return shifted, e, row_product_totals(e, np.ones_like(e))


@compiled
def _shares(begin: int, end: int, e: Array, total: Array, out: Array) -> None:
    for n in range(begin, end):
        for k in range(e.shape[1]):
            out[n, k] = e[n, k] / total[n]


def softmax(logits: Array) -> Array:
    """Probability of each class. [NN-3]"""
    _, e, total = shifted_logits(logits)
    out = np.empty(e.shape, e.dtype)
    threads.run(_shares, len(e), e.size > threads.ELEMENTS, e, total, out)
    return out


@compiled
def _losses(logarithm: Array, shifted: Array, label: Index, out: Array) -> None:
    for n in range(out.size):
        out[n] = P.add(logarithm[n], -shifted[n, label[n]])


def cross_entropy(logits: Array, label: Index) -> Array:
    """Loss of each sample: the negative logarithm of the softmax at its label. [NN-4]"""
    shifted, _, total = shifted_logits(logits)
    out = np.empty(total.shape, total.dtype)
    _losses(log(total), shifted, plain(label), out)
    return out


@compiled
def _loss_gradient(p: Array, label: Index, one: Scalar, count: Scalar, out: Array) -> None:
    for n in range(p.shape[0]):
        for k in range(p.shape[1]):
            difference = P.add(p[n, k], -one) if k == label[n] else p[n, k]
            out[n, k] = difference / count


def cross_entropy_gradient(logits: Array, label: Index) -> Array:
    """Gradient of the mean cross-entropy of a batch with respect to the logits. [NN-5]"""
    p = softmax(logits)
    out = np.empty(p.shape, p.dtype)
    T = p.dtype.type
    _loss_gradient(p, plain(label), T(1), T(max(1, len(p))), out)
    return out


__all__ = ["cross_entropy", "cross_entropy_gradient", "relu", "relu_gradient", "softmax"]
