"""The loss of a classifier and its gradient (clauses NN)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refsim import backends
from refsim.errors import InputError, ShapeError, StateError
from refsim.spec.sums import Array
from refsim.tile.on_device import all_finite, in_place


def softmax_cross_entropy(logits: Any, labels: Any, backend: str = "cpu") -> tuple[Array, Array]:
    """Cross-entropy of each sample, and the gradient of their mean (clauses NN-4 and NN-5).

    Parameters
    ----------
    logits
        ``(N, O)`` float32 or float64, at least one row.
    labels
        ``(N,)``, integers from 0 to ``O - 1``.
    backend
        What computes.

    Returns
    -------
    Losses ``(N,)`` and gradient ``(N, O)``, of the type of ``logits``, and on the device if ``logits`` is there.

    Raises
    ------
    InputError, ShapeError
        If an argument does not fit.
    StateError
        If a loss is not finite.

    Examples
    --------
    >>> losses, gradient = softmax_cross_entropy(np.array([[1.0, 1.0]]), [0])
    >>> losses
    array([0.69314718])
    >>> gradient
    array([[-0.5,  0.5]])
    """
    ops = backends.load(backend)
    y, t = in_place(ops, logits), np.asarray(labels)
    if y.dtype not in (np.float32, np.float64):
        raise InputError(f"logits has dtype {y.dtype}, allowed are float32 and float64.")
    if len(y.shape) != 2 or 0 in y.shape:
        shape = tuple(y.shape)
        raise ShapeError(f"logits has shape {shape}, allowed is (N, O) with N and O above 0.")
    t = checked_labels(t, y.shape[0], y.shape[1])
    losses = ops.cross_entropy(y, t)
    if not all_finite(ops, losses):
        raise StateError(f"a loss overflows {y.dtype} or is not a number; logits must stay finite.")
    return losses, ops.cross_entropy_gradient(y, t)


def checked_labels(labels: Any, count: int, classes: int) -> NDArray[np.int64]:
    """Labels as ``(count,)`` int64, each below ``classes``."""
    t = np.asarray(labels)
    if t.shape != (count,):
        raise ShapeError(f"labels has shape {t.shape}, allowed is {(count,)}.")
    if t.dtype.kind not in "iu" or (t.size and not 0 <= int(t.min()) <= int(t.max()) < classes):
        raise InputError(
            f"labels has dtype {t.dtype} and values from {t.min(initial=0)} to {t.max(initial=0)}, "
            f"allowed are integers from 0 to {classes - 1}."
        )
    return t.astype(np.int64)


__all__ = ["checked_labels", "softmax_cross_entropy"]
