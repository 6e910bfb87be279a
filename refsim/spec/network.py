"""What a network does between and behind its tiles: rectifier, softmax and cross-entropy (clauses NN).

Logits are the outputs of the last tile, one row for each sample and one column for each class. A label is the number of
the right class.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .elementary import exp, log
from .management import row_max
from .sums import Array, row_product_totals

Index = NDArray[np.int64]


def relu(x: Array) -> Array:
    r"""Rectifier. [NN-1]

    .. math:: y = \begin{cases} +0 & x \le 0 \\ x & \text{otherwise} \end{cases}

    Parameters
    ----------
    x
        Array of ``T``; NaN stays NaN.

    Returns
    -------
    Array of ``T``.

    Examples
    --------
    >>> relu(np.array([-1.0, -0.0, 2.5]))
    array([0. , 0. , 2.5])
    """
    return np.where(x <= 0, x.dtype.type(0), x)


def relu_gradient(gradient: Array, x: Array) -> Array:
    r"""Gradient of the input of the rectifier. [NN-2]

    .. math:: \frac{\partial L}{\partial x} = \begin{cases} g & x > 0 \\ +0 & \text{otherwise} \end{cases}

    Parameters
    ----------
    gradient
        :math:`g`, gradient of the output, an array of ``T``.
    x
        Input of the forward pass, of the same shape.

    Returns
    -------
    Array of ``T``.

    Examples
    --------
    >>> relu_gradient(np.array([3.0, -4.0, 5.0]), np.array([2.0, 0.0, -1.0]))
    array([3., 0., 0.])
    """
    return np.where(x > 0, gradient, gradient.dtype.type(0))


def softmax(logits: Array) -> Array:
    r"""Probability of each class. [NN-3]

    .. math:: p_{nk} = \frac{e_{nk}}{\mathrm{RN}_T\left(\sum_j e_{nj}\right)},\qquad
        e_{nk} = \exp(y_{nk} - \max_j y_{nj})

    The exponential is EF-2, the maximum NM-2, the sum exact and rounded once.

    Parameters
    ----------
    logits
        :math:`y`, ``(N, O)``.

    Returns
    -------
    ``(N, O)``; a row with NaN or :math:`+\infty`, or of :math:`-\infty` alone, is NaN.

    Examples
    --------
    >>> softmax(np.array([[1.0, 1.0], [-1000.0, 0.0]]))
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    _, e, total = shifted_logits(logits)
    with np.errstate(all="ignore"):
        return e / total[:, None]


def cross_entropy(logits: Array, label: Index) -> Array:
    r"""Loss of each sample: the negative logarithm of the softmax at its label. [NN-4]

    .. math:: \ell_n = \ln \mathrm{RN}_T\left(\sum_j e_{nj}\right) - (y_{n t_n} - \max_j y_{nj})

    with :math:`e` of NN-3 and the logarithm EF-1. The loss of a batch is the mean SU-6 of these.

    Parameters
    ----------
    logits
        :math:`y`, ``(N, O)``.
    label
        :math:`t`, ``(N,)`` int64, ``0 <= t < O``.

    Returns
    -------
    ``(N,)``, at least 0; NaN for a row with NaN or :math:`+\infty`, or of :math:`-\infty` alone.

    Examples
    --------
    >>> cross_entropy(np.array([[1.0, 1.0], [-1000.0, 0.0]]), np.array([0, 0]))
    array([6.93147181e-01, 1.00000000e+03])
    """
    shifted, _, total = shifted_logits(logits)
    with np.errstate(all="ignore"):
        return log(total) - shifted[np.arange(len(logits)), label]


def cross_entropy_gradient(logits: Array, label: Index) -> Array:
    r"""Gradient of the mean cross-entropy of a batch with respect to the logits. [NN-5]

    .. math:: g_{nk} = (p_{nk} - \mathbf 1[k = t_n]) / N

    with :math:`p` of NN-3; where :math:`k \ne t_n` nothing is subtracted.

    Parameters
    ----------
    logits
        :math:`y`, ``(N, O)``.
    label
        :math:`t`, ``(N,)`` int64, ``0 <= t < O``.

    Returns
    -------
    ``(N, O)``.

    Examples
    --------
    >>> cross_entropy_gradient(np.array([[1.0, 1.0], [-1000.0, 0.0]]), np.array([0, 0]))
    array([[-0.25,  0.25],
           [-0.5 ,  0.5 ]])
    """
    T = logits.dtype.type
    p = softmax(logits)
    p[np.arange(len(logits)), label] -= T(1)
    return p / T(max(1, len(logits)))


def shifted_logits(logits: Array) -> tuple[Array, Array, Array]:
    """Logits less the largest of their row, their exponentials, and the sum of these."""
    peak, _ = row_max(logits)
    with np.errstate(all="ignore"):
        shifted = logits - peak[:, None]
    e = exp(shifted)
    return shifted, e, row_product_totals(e, np.ones_like(e))


__all__ = ["cross_entropy", "cross_entropy_gradient", "relu", "relu_gradient", "softmax"]
