"""Digital periphery: scales, bias and the mapping of weights to a tile (clauses PP and MS)."""

from __future__ import annotations

import numpy as np

from .sums import Array, Scalar, mean


def scaled_output(z: Array, scale: Array) -> Array:
    r"""Output times a scale that is common or one per output. [PP-1]

    .. math:: y_{no} = z_{no}\, \kappa_o

    The unquantised periphery is :math:`((z\,(r s))\,a) + b`, one rounding for each operation, absent factors left out.

    Parameters
    ----------
    z
        ``(N, O)``.
    scale
        ``(1,)`` or ``(O,)``.

    Returns
    -------
    ``(N, O)``.

    Examples
    --------
    >>> scaled_output(np.array([[1.0, 2.0]]), np.array([3.0, 0.5]))
    array([[3., 1.]])
    """
    return z * scale


def shifted_output(y: Array, bias: Array) -> Array:
    r"""Output plus the digital bias. [PP-2]

    .. math:: y_{no} \leftarrow y_{no} + b_o

    Parameters
    ----------
    y
        ``(N, O)``.
    bias
        ``(O,)``.

    Returns
    -------
    ``(N, O)``.

    Examples
    --------
    >>> shifted_output(np.array([[1.0, 2.0]]), np.array([0.5, -2.0]))
    array([[1.5, 0. ]])
    """
    return y + bias


def merged_scale(r: Array, s: Array) -> Array:
    r"""Input range and mapping scales as one factor. [PP-3]

    .. math:: \kappa_o = r s_o

    Parameters
    ----------
    r
        ``(1,)``, input range.
    s
        ``(1,)`` or ``(O,)``, mapping scales.

    Returns
    -------
    Array of the shape of ``s``.

    Examples
    --------
    >>> merged_scale(np.array([2.0]), np.array([0.5, 3.0]))
    array([1., 6.])
    """
    return r * s


def row_scaled(x: Array, scale: Array) -> Array:
    r"""Each row times its own factor. [PP-4]

    .. math:: x_{ni} \leftarrow x_{ni}\, f_n

    Parameters
    ----------
    x
        ``(N, C)``: stored weights with their mapping scales, or gradients with the input scale of their row.
    scale
        ``(1,)`` or ``(N,)``.

    Returns
    -------
    ``(N, C)``.

    Examples
    --------
    >>> row_scaled(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([2.0, 0.5]))
    array([[2. , 4. ],
           [1.5, 2. ]])
    """
    return x * scale[:, None]


def mapping_scales(weight: Array, omega: Scalar, columnwise: bool) -> Array:
    r"""Scales that bring the largest weight to ``omega``. [MS-1]

    .. math:: s = \max |W| / \omega

    over the tile, or for every output if columnwise; 1 where all weights are 0.

    Parameters
    ----------
    weight
        ``(O, I)``.
    omega
        ``weight_scaling_omega``, positive.
    columnwise
        One scale for each output.

    Returns
    -------
    ``(1,)`` or ``(O,)``.

    Examples
    --------
    >>> mapping_scales(np.array([[1.0, -3.0], [0.0, 0.0]]), np.float64(0.5), True)
    array([6., 1.])
    """
    peak = np.max(np.abs(weight), axis=1) if columnwise else np.max(np.abs(weight)).reshape(1)
    scale = peak / omega
    return np.where(scale == 0, weight.dtype.type(1), scale)


def stored_weight(weight: Array, scale: Array) -> Array:
    r"""Weight as the tile stores it. [MS-2]

    .. math:: w_{oi} = W_{oi} / s_o

    Parameters
    ----------
    weight
        ``(O, I)``, logical weight.
    scale
        ``(1,)`` or ``(O,)``, mapping scales.

    Returns
    -------
    ``(O, I)``.

    Examples
    --------
    >>> stored_weight(np.array([[1.0, -3.0]]), np.array([2.0]))
    array([[ 0.5, -1.5]])
    """
    return weight / scale[:, None]


def stored_weight_gradient(gradient: Array, scale: Array) -> Array:
    r"""Gradient of the stored weight such that a step moves the logical weight as if there were no scale. [MS-3]

    .. math:: \partial w_{oi} \leftarrow (\partial w_{oi} / s_o) / s_o

    Two divisions, because the square of a scale can overflow.

    Parameters
    ----------
    gradient
        ``(O, I)``.
    scale
        ``(1,)`` or ``(O,)``, the mapping scales in force.

    Returns
    -------
    ``(O, I)``.

    Examples
    --------
    >>> stored_weight_gradient(np.array([[1.0, -3.0]]), np.array([2.0]))
    array([[ 0.25, -0.75]])
    """
    return gradient / scale[:, None] / scale[:, None]


def rate_compensation(scale: Array) -> Scalar:
    r"""Factor on the learning rate of the manual path with ``weight_scaling_lr_compensation``. [MS-4]

    .. math:: c = 1 / \mathrm{mean}(s)

    Parameters
    ----------
    scale
        ``(1,)`` or ``(O,)``, mapping scales.

    Returns
    -------
    Scalar of ``T``; the mean SU-6 and the division round once each.

    Examples
    --------
    >>> print(rate_compensation(np.array([1.0, 3.0])))
    0.5
    """
    return scale.dtype.type(1) / mean(scale)


def unscaled_gradient(g: Array, scale: Array, compensation: Scalar) -> Array:
    r"""Gradient of the output as the weight gradient of the manual path takes it. [MS-5]

    .. math:: h_{no} = g_{no} / (s_o c)

    Parameters
    ----------
    g
        ``(N, O)``, gradient of the output, times the learned output scale if there is one.
    scale
        ``(1,)`` or ``(O,)``, the mapping scales in force.
    compensation
        :math:`c`, MS-4 or 1.

    Returns
    -------
    ``(N, O)``.

    Examples
    --------
    >>> unscaled_gradient(np.array([[1.0, -3.0]]), np.array([2.0]), np.float64(0.5))
    array([[ 1., -3.]])
    """
    return g / (scale * compensation)


__all__ = [
    "mapping_scales",
    "merged_scale",
    "rate_compensation",
    "row_scaled",
    "scaled_output",
    "shifted_output",
    "stored_weight",
    "stored_weight_gradient",
    "unscaled_gradient",
]
