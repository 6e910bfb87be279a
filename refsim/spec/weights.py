"""Weight modifiers of the training forward pass and the post-update step (clauses WM and WP)."""

from __future__ import annotations

import numpy as np

from .converters import on_grid
from .sums import Array, Scalar


def abs_max(weight: Array) -> Scalar:
    r"""Largest magnitude of all elements. [WM-1]

    .. math:: w_{\max} = \max_{oi} |w_{oi}|

    Parameters
    ----------
    weight
        ``(O, I)``.

    Returns
    -------
    Scalar of ``T``.

    Examples
    --------
    >>> print(abs_max(np.array([[1.0, -3.0]])))
    3.0
    """
    return np.abs(weight).max()


def additive_noise_weight(weight: Array, noise: Array, scale: Scalar) -> Array:
    r"""Weight with normal noise added. [WM-2]

    .. math:: w' = w + \sigma\,\xi

    Parameters
    ----------
    weight
        ``(O, I)``.
    noise
        Normal deviates, ``(O, I)`` or one matrix for each row of the batch ``(N, O, I)``.
    scale
        ``std_dev`` times the largest weight (actual or assumed), formed in float64 and rounded once, :math:`\sigma`.

    Returns
    -------
    Array of the shape of ``noise``.

    Examples
    --------
    >>> additive_noise_weight(np.array([[1.0, 2.0]]), np.array([[1.0, -2.0]]), np.float64(0.5))
    array([[1.5, 1. ]])
    """
    return weight + scale * noise


def multiplicative_noise_weight(weight: Array, noise: Array, scale: Scalar) -> Array:
    r"""Weight with normal noise in proportion to it. [WM-3]

    .. math:: w' = w\,(1 + \sigma\,\xi)

    Parameters
    ----------
    weight
        ``(O, I)``.
    noise
        Normal deviates, ``(O, I)`` or ``(N, O, I)``.
    scale
        ``std_dev``, :math:`\sigma`.

    Returns
    -------
    Array of the shape of ``noise``.

    Examples
    --------
    >>> multiplicative_noise_weight(np.array([[1.0, 2.0]]), np.array([[1.0, -2.0]]), np.float64(0.5))
    array([[1.5, 0. ]])
    """
    return weight * (scale.dtype.type(1) + scale * noise)


def discretised_weight(weight: Array, step: Scalar, rounding: Array | None) -> Array:
    r"""Weight rounded to a grid, without a clip. [WM-4]

    .. math:: w' = \mathrm{rint}(w / \Delta\ [+\ u])\,\Delta

    Parameters
    ----------
    weight
        ``(O, I)``.
    step
        Grid step; 0, which belongs to a tile of zeros, leaves the weight alone.
    rounding
        Uniform deviates in ``[-0.5, 0.5)``, ``(O, I)`` or ``(N, O, I)``, or None.

    Returns
    -------
    ``(O, I)``, or the shape of ``rounding``.

    Examples
    --------
    >>> discretised_weight(np.array([[0.6, -0.9]]), np.float64(0.5), None)
    array([[ 0.5, -1. ]])
    """
    if rounding is not None:
        weight = np.broadcast_to(weight, rounding.shape)
    return on_grid(weight, step, rounding)


def gaussian_bound(deviation: Scalar, sigma: Scalar, fixed_value: Scalar) -> Scalar:
    r"""Bound of the Gaussian weight clip. [WP-1]

    .. math:: b = \min(\sigma\, \mathrm{std}(w),\ f)

    where the fixed value :math:`f` counts only if it is positive.

    Parameters
    ----------
    deviation
        Standard deviation SU-7 of all weights of the tile.
    sigma
        ``sigma``.
    fixed_value
        ``fixed_value``.

    Returns
    -------
    Scalar of ``T``.

    Examples
    --------
    >>> T = np.float64
    >>> print(gaussian_bound(T(0.5), T(2.5), T(-1)), gaussian_bound(T(0.5), T(2.5), T(1)))
    1.25 1.0
    """
    bound = sigma * deviation
    return fixed_value if 0 < fixed_value < bound else bound


def clipped_weight(weight: Array, bound: Scalar) -> Array:
    r"""Weight limited to a bound. [WP-2]

    .. math:: w' = \min(\max(w, -b), b)

    This is DC-2 for :math:`b \ge 0`; a negative bound replaces every weight by itself.

    Parameters
    ----------
    weight
        ``(O, I)``.
    bound
        Bound.

    Returns
    -------
    ``(O, I)``.

    Examples
    --------
    >>> clipped_weight(np.array([[-3.0, 0.5]]), np.float64(1))
    array([[-1. ,  0.5]])
    """
    raised = np.where(weight < -bound, -bound, weight)
    return np.where(raised > bound, bound, raised)


__all__ = [
    "abs_max",
    "additive_noise_weight",
    "clipped_weight",
    "discretised_weight",
    "gaussian_bound",
    "multiplicative_noise_weight",
]
