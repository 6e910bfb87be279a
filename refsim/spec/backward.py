"""Gradients through the converters on the autograd path (clauses BP).

Rounding is straight-through. Every clip passes the gradient inclusively at its bound, judged on the rounded value.
The gradients of bias, learned output scale, weight and range are sums (SU, MV): of ``g``; of ``g`` times the output
before that scale; of the gradient of the product times the converted input; and IR-4 to IR-8.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .sums import Array, Scalar

Mask = NDArray[np.bool_]


def adc_gradient(
    g: Array,
    sigma: Array,
    out_scale: Scalar,
    t: Array,
    bound: Scalar,
    m: Array,
    negative_factor: Scalar,
) -> Array:
    r"""Gradient of the analog product from the gradient of the core output. [BP-1]

    .. math:: G^m = G\,(o/\sigma)\, f^{[m < 0]}\;\mathbf 1[|t| \le b]

    Parameters
    ----------
    g
        ``(N, O)``, gradient of the core output :math:`G`.
    sigma
        ``(N,)``, input scale of the last pass.
    out_scale
        ``out_scale``, :math:`o`.
    t
        ``(N, O)``, rounded outputs before the clip.
    bound
        Output bound, infinite for none.
    m
        ``(N, O)``, analog product before the asymmetry.
    negative_factor
        ``1 - out_asymmetry``, :math:`f`.

    Returns
    -------
    ``(N, O)``; blocked entries are ``+0``.

    Examples
    --------
    >>> T = np.float64
    >>> t, m = np.array([[4.0, 5.0]]), np.array([[-1.0, 1.0]])
    >>> adc_gradient(np.array([[1.0, 1.0]]), np.array([0.5]), T(1), t, T(4), m, T(0.5))
    array([[1., 0.]])
    """
    gradient = g * (out_scale / sigma)[:, None]
    return np.where(
        np.abs(t) <= bound,
        np.where(m < 0, gradient * negative_factor, gradient),
        bound.dtype.type(0),
    )


def dac_gradient(
    g: Array, q: Array, bound: Scalar, negative: Mask, negative_factor: Scalar
) -> Array:
    r"""Gradient before the input conversion from the gradient of the converted input. [BP-2]

    .. math:: G^a = G^d\, f^{[d < 0]}\;\mathbf 1[|q| \le b]

    Parameters
    ----------
    g
        ``(N, I)``, gradient of the converted input :math:`G^d`.
    q
        ``(N, I)``, rounded input before the clip.
    bound
        Input bound, infinite for none.
    negative
        ``(N, I)``, mask of DC-3.
    negative_factor
        ``1 - inp_asymmetry``, :math:`f`.

    Returns
    -------
    ``(N, I)``; blocked entries are ``+0``.

    Examples
    --------
    >>> q = np.array([[-0.5, 1.5]])
    >>> dac_gradient(np.array([[4.0, 4.0]]), q, np.float64(1), q < 0, np.float64(0.5))
    array([[2., 0.]])
    """
    return np.where(
        np.abs(q) <= bound, np.where(negative, g * negative_factor, g), bound.dtype.type(0)
    )


__all__ = ["adc_gradient", "dac_gradient"]
