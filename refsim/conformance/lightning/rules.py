"""Where aihwkit-lightning's rules differ from those of aihwkit: one function each, on operations of the specification.

Observed on aihwkit-lightning 2.1.0, its PyTorch path, and equal to it bit for bit where no sum is involved.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refsim import spec
from refsim.spec.sums import Array, Scalar

__all__ = [
    "averaged_extreme",
    "clip_gradient",
    "clipped",
    "converted",
    "output_bound",
    "quantised_weight",
    "step",
]


def step(bound: Array, res: float) -> Array:
    r"""Grid step of a converter, in the units of its bound.

    .. math:: \Delta = \begin{cases} 2 b / n & n > 1 \text{ steps} \\ 2 b\, n & \text{a fraction } n \end{cases}

    Parameters
    ----------
    bound
        Bounds, any shape: the range :math:`r`, or the bound of the outputs.
    res
        Resolution, positive.

    Examples
    --------
    >>> print(step(np.float32(1.5), 254.0))
    0.011811024
    """
    T = bound.dtype.type
    double = T(2) * bound
    return np.asarray(double / T(res) if res > 1 else double * T(res))[()]


def clipped(x: Array, r: Array) -> Array:
    """Input between ``-r`` and ``r``; a negative range turns every input into itself.

    Examples
    --------
    >>> clipped(np.array([[-3.0, 0.5]]), np.array([[2.0]]))
    array([[-2. ,  0.5]])
    """
    return np.minimum(np.maximum(x, -r), r)


def converted(c: Array, bound: Array, res: float) -> Array:
    r"""Values on the grid of their bound, which is in their own units; nothing is divided by the bound.

    .. math:: q = \mathrm{rint}(c / \Delta)\,\Delta

    Parameters
    ----------
    c
        ``(N, I)`` or ``(N, O)``.
    bound
        A number, ``(N, 1)``, ``(O,)`` or ``(N, O)``.
    res
        Resolution; not positive: none.

    Examples
    --------
    >>> converted(np.array([[1.0, 0.3]]), np.float64(1.5), 6.0)
    array([[1. , 0.5]])
    """
    if res <= 0:
        return c
    delta = np.broadcast_to(step(bound, res), c.shape)
    on = delta != 0
    q: Array = np.rint(np.divide(c, delta, out=np.zeros_like(c), where=on)) * delta
    return q


def output_bound(r: Array, out_bound: float, wmax: Array) -> Array:
    r"""Bound of the outputs of a slice, in output units.

    .. math:: b = (r\, b_o)\, \max |W|

    Parameters
    ----------
    r
        Range, a number or ``(N, 1)``.
    out_bound
        :math:`b_o`.
    wmax
        Largest magnitude of the stored weights of the slice, a number or one for each row ``(O,)``.

    Examples
    --------
    >>> print(output_bound(np.float64(2), 12.0, np.float64(0.5)))
    12.0
    """
    return np.asarray(r * r.dtype.type(out_bound) * wmax)[()]


def quantised_weight(w: Array, res: float, per_row: bool) -> Array:
    r"""Weights of a slice on a grid, in training and in evaluation.

    .. math:: \Delta = \max|W| / (n / 2),\qquad W_q = \mathrm{rint}(W / \Delta)\,\Delta

    with :math:`n` steps, or one over the fraction that `res` gives. For :math:`\max|W| > n` aihwkit-lightning has
    another step, :math:`2 n / \max|W|`, which is a mistake: it takes a combined setting for a number of steps.

    Parameters
    ----------
    w
        ``(O, I)``.
    res
        Resolution, positive.
    per_row
        Whether each row has a range of its own.

    Examples
    --------
    >>> quantised_weight(np.array([[1.0, 0.3], [-0.2, 0.1]]), 4.0, per_row=False)
    array([[ 1. ,  0.5],
           [-0. ,  0. ]])
    """
    T = w.dtype.type
    wmax = np.abs(w).max(axis=1 if per_row else None, keepdims=True, initial=T(0))
    delta = wmax / T((res if res > 1 else 1 / res) / 2)
    q: Array = np.rint(w / np.where(delta == 0, T(1), delta)) * delta
    return q


def averaged_extreme(old: Scalar, new: Scalar, first: bool, momentum: float, least: bool) -> Scalar:
    r"""Smallest or largest input of a slice, averaged over batches (``fast_mode``).

    .. math:: e' = \mu e + (1 - \mu)\, e_x

    The first batch is added to what a layer is created with, :math:`\mp 10^{-5}`; with :math:`\mu = -1` it is the
    extreme of all batches.

    Parameters
    ----------
    old, new
        The extreme so far, and that of the batch.
    first
        Whether both extremes are as created. They still are after a batch of zeros.
    momentum
        :math:`\mu`.
    least
        Whether it is the smallest.

    Examples
    --------
    >>> T = np.float64
    >>> print(averaged_extreme(T(1), T(3), False, 0.75, least=False))
    1.5
    """
    T = old.dtype.type
    if first:
        return old + new
    if momentum == -1:
        return np.minimum(old, new) if least else np.maximum(old, new)
    return T(momentum) * old + T(1 - momentum) * new


def clip_gradient(x: Array, d: Array, r: Scalar) -> Scalar:
    r"""Derivative of the clip by the range (``fast_mode``), one exact sum.

    .. math:: \sum_{x > r} d - \sum_{x < -r} d

    For a negative range every input is at the upper end.

    Parameters
    ----------
    x, d
        ``(N, I)``, input and gradient at the clipped input.
    r
        Range.

    Examples
    --------
    >>> x, d = np.array([[3.0, -3.0, 2.0]]), np.array([[1.0, 4.0, 9.0]])
    >>> print(clip_gradient(x, d, np.float64(2)))
    -3.0
    """
    lower: NDArray[Any] = np.where(x < -r, -d, x.dtype.type(0))
    return spec.total(np.where(np.maximum(x, -r) > r, d, lower))
