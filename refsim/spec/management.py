"""Noise management and bound management: how inputs are scaled before conversion (clauses NM and BM)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .sums import Array, Scalar

Index = NDArray[np.int64]
Mask = NDArray[np.bool_]


def row_abs_max(v: Array) -> tuple[Array, Index]:
    r"""Largest magnitude of each row and where it stands first. [NM-1]

    .. math:: \hat\alpha_n = \max_i |v_{ni}|

    Parameters
    ----------
    v
        ``(N, I)``, scaled input.

    Returns
    -------
    Values ``(N,)`` and indices ``(N,)`` int64.

    Examples
    --------
    >>> row_abs_max(np.array([[1.0, -3.0, 3.0]]))
    (array([3.]), array([1]))
    """
    return row_max(np.abs(v))


def row_max(v: Array) -> tuple[Array, Index]:
    r"""Largest value of each row and where it stands first. [NM-2]

    .. math:: \hat\alpha_n = \max_i v_{ni}

    Parameters
    ----------
    v
        ``(N, I)``, scaled input.

    Returns
    -------
    Values ``(N,)``, zeros as ``+0``, and indices ``(N,)`` int64.

    Examples
    --------
    >>> row_max(np.array([[1.0, -3.0, 2.0], [-1.0, -1.0, -2.0]]))
    (array([ 2., -1.]), array([2, 0]))
    """
    index = np.argmax(v, axis=1)
    return v[np.arange(len(v)), index] + v.dtype.type(0), index


def management_scale(peak: Array, cap: Scalar) -> tuple[Array, Mask]:
    r"""The divisor of noise management, and where it depends on the input. [NM-3]

    .. math:: \alpha_n =
        \begin{cases} \min(\hat\alpha_n, \theta) & \text{if positive} \\ 1 & \text{otherwise} \end{cases}

    Parameters
    ----------
    peak
        ``(N,)``, :math:`\hat\alpha` of NM-1 or NM-2.
    cap
        ``nm_thres`` if positive, else infinity, :math:`\theta`.

    Returns
    -------
    The divisor ``(N,)``, and a mask ``(N,)`` of the rows in which it has a derivative, those with
    :math:`0 < \hat\alpha \le \theta`.

    Examples
    --------
    >>> management_scale(np.array([0.5, 3.0, 0.0]), np.float64(2))
    (array([0.5, 2. , 1. ]), array([ True, False, False]))
    """
    zero, one = cap.dtype.type(0), cap.dtype.type(1)
    return np.where(peak > zero, np.where(peak > cap, cap, peak), one), (peak > zero) & (
        peak <= cap
    )


def input_scale(alpha: Array, beta: Scalar) -> Array:
    r"""Factor on the input of one bound-management pass. [BM-1]

    .. math:: \sigma_n = (1 / \alpha_n) / \beta

    Parameters
    ----------
    alpha
        ``(N,)``, divisor of noise management.
    beta
        Divisor of bound management: 1, 2, 4, ... over the passes.

    Returns
    -------
    ``(N,)``.

    Examples
    --------
    >>> input_scale(np.array([0.5, 4.0]), np.float64(2))
    array([1.   , 0.125])
    """
    return (beta.dtype.type(1) / alpha) / beta


def within_bound(t: Array, bound: Scalar) -> bool:
    r"""Whether no output of the batch would be clipped, so that bound management may stop. [BM-2]

    .. math:: \forall n, o:\ |t_{no}| \le b

    Parameters
    ----------
    t
        ``(N, O)``, rounded but not yet clipped outputs of a pass.
    bound
        Output bound, infinite if there is none.

    Returns
    -------
    True for an empty batch, and where an output equals the bound.

    Examples
    --------
    >>> within_bound(np.array([[-2.0, 1.0]]), np.float64(2))
    True
    """
    return bool(np.all(np.abs(t) <= bound))


def management_gradient(
    output_sum: Array, input_sum: Array, sigma: Array, alpha: Array, out_scale: Scalar
) -> Array:
    r"""Derivative of the loss with respect to the divisor of noise management. [NM-4]

    .. math:: S_n = B_n - (A_n\, (o / \sigma_n)) / \sigma_n,\qquad
        \frac{\partial L}{\partial \alpha_n} = -S_n\, \frac{\sigma_n}{\alpha_n}

    Parameters
    ----------
    output_sum
        ``(N,)``, :math:`A_n = \sum_o G_{no} z_{no}`: gradient of the core output times the clipped code before
        rescaling.
    input_sum
        ``(N,)``, :math:`B_n = \sum_i G_{ni} v_{ni}`: gradient at the input converter times the scaled input.
    sigma, alpha
        ``(N,)``, input scale BM-1 and divisor NM-3.
    out_scale
        ``out_scale``, :math:`o`.

    Returns
    -------
    ``(N,)``.

    Examples
    --------
    >>> one = np.array([1.0])
    >>> management_gradient(3 * one, 5 * one, one / 2, 2 * one, np.float64(1))
    array([1.75])
    """
    s = input_sum - output_sum * (out_scale / sigma) / sigma
    return -(s * (sigma / alpha))


def add_peak_gradient(
    dv: Array, gradient: Array, index: Index, differentiable: Mask, sign: Array
) -> Array:
    r"""Gradient of the scaled input with the management term at the peak of each row. [NM-5]

    .. math:: \frac{\partial L}{\partial v_{ni}} \mathrel{+}= \frac{\partial L}{\partial \alpha_n}\, \varsigma_n
        \quad\text{at } i = i_n, \text{ where } \alpha_n \text{ has a derivative}

    Parameters
    ----------
    dv
        ``(N, I)``, gradient without the term.
    gradient
        ``(N,)``, NM-4.
    index
        ``(N,)``, the first peak of each row.
    differentiable
        ``(N,)``, mask of NM-3.
    sign
        ``(N,)``, sign of the peak element for NM-1, ones for NM-2.

    Returns
    -------
    ``(N, I)``, a new array.

    Examples
    --------
    >>> one = np.array([1.0])
    >>> add_peak_gradient(np.zeros((1, 2)), 3 * one, np.array([1]), np.array([True]), -one)
    array([[ 0., -3.]])
    """
    rows = np.flatnonzero(differentiable)
    result = dv.copy()
    result[rows, index[rows]] += gradient[rows] * sign[rows]
    return result


__all__ = [
    "add_peak_gradient",
    "input_scale",
    "management_gradient",
    "management_scale",
    "row_abs_max",
    "row_max",
    "within_bound",
]
