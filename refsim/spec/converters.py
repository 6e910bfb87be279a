"""The digital-to-analog and analog-to-digital converters (clauses DC)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .sums import Array, Scalar

Mask = NDArray[np.bool_]


def on_grid(a: Array, step: Scalar, rounding: Array | None = None) -> Array:
    r"""Values rounded to a grid, without a bound. [DC-1]

    .. math:: q = \mathrm{rint}(a / \Delta)\, \Delta \qquad\text{or, stochastic,}\qquad
        q = \mathrm{rint}(a / \Delta + u)\, \Delta

    ``rint`` rounds half-way values to the even multiple. A step of 0 means no rounding.

    Parameters
    ----------
    a
        Values, any shape.
    step
        Grid step, 0 for none.
    rounding
        Uniform deviates in ``[-0.5, 0.5)`` of the shape of ``a``, or None for round to nearest.

    Returns
    -------
    Array of the shape of ``a``.

    Examples
    --------
    >>> on_grid(np.array([0.2, 0.25, 0.75]), np.float64(0.5))
    array([0., 0., 1.])
    """
    if step == 0:
        return a.copy()
    levels = a / step
    return np.rint(levels if rounding is None else levels + rounding) * step


def clip(a: Array, bound: Scalar) -> Array:
    r"""Values limited to a bound. [DC-2]

    .. math:: \mathrm{clip}(a, b) = \begin{cases} -b & a < -b \\ b & a > b \\ a & \text{otherwise} \end{cases}

    Parameters
    ----------
    a
        Values, any shape.
    bound
        Bound, infinite for none.

    Returns
    -------
    Array of the shape of ``a``.

    Examples
    --------
    >>> clip(np.array([-3.0, 0.5]), np.float64(1))
    array([-1. ,  0.5])
    """
    return np.where(a < -bound, -bound, np.where(a > bound, bound, a))


def digital_to_analog(
    v: Array,
    sigma: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array | None,
    noise: Array | None,
    noise_scale: Scalar,
    negative_factor: Scalar,
) -> tuple[Array, Array, Mask]:
    r"""Input conversion: scale, round, clip, noise, asymmetry - in this order. [DC-3]

    .. math:: q = Q(v_{ni} \sigma_n),\quad d = \mathrm{clip}(q, b) + \eta\,\xi,\quad
        d \leftarrow d\, f \ \text{ where } d < 0

    Rounding comes before clipping, so a saturated input takes exactly the bound even where that is off the
    grid. Noise is added after the clip and not clipped again.

    Parameters
    ----------
    v
        ``(N, I)``, scaled input.
    sigma
        ``(N,)``, input scale BM-1.
    step
        Grid step in normalised units, 0 for none.
    bound
        Input bound, infinite for none.
    rounding
        ``(N, I)`` uniform deviates of stochastic rounding, or None.
    noise
        ``(N, I)`` normal deviates :math:`\xi`, or None.
    noise_scale
        ``inp_noise``, :math:`\eta`.
    negative_factor
        ``1 - inp_asymmetry``, :math:`f`.

    Returns
    -------
    Rounded value before the clip :math:`q`, converted input :math:`d`, and the mask of values that were negative
    before the asymmetry.

    Examples
    --------
    >>> T = np.float64
    >>> q, d, negative = digital_to_analog(
    ...     np.array([[-3.0, 0.6]]), np.array([0.5]), T(0.5), T(1), None, None, T(0), T(0.5))
    >>> q, d
    (array([[-1.5,  0.5]]), array([[-0.5,  0.5]]))
    """
    q = on_grid(v * sigma[:, None], step, rounding)
    d = clip(q, bound)
    if noise is not None:
        d = d + noise_scale * noise
    negative = d < 0
    return q, np.where(negative, d * negative_factor, d), negative


def analog_to_digital(
    m: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array | None,
    noise: Array | None,
    noise_scale: Array,
    negative_factor: Scalar,
) -> tuple[Array, Array]:
    r"""Output conversion: asymmetry, noise, round, clip - in this order. [DC-4]

    .. math:: m \leftarrow m\, f \ \text{ where } m < 0,\quad t = Q(m + \eta_o\,\xi),\quad z = \mathrm{clip}(t, b)

    Parameters
    ----------
    m
        ``(N, O)``, the analog product.
    step
        Grid step in normalised units, 0 for none.
    bound
        Output bound, infinite for none.
    rounding
        ``(N, O)`` uniform deviates of stochastic rounding, or None.
    noise
        ``(N, O)`` normal deviates :math:`\xi`, or None.
    noise_scale
        ``(1,)`` or one per output ``(O,)``: ``out_noise``, :math:`\eta`.
    negative_factor
        ``1 - out_asymmetry``, :math:`f`.

    Returns
    -------
    Rounded value before the clip :math:`t` and clipped code :math:`z`.

    Examples
    --------
    >>> T = np.float64
    >>> analog_to_digital(np.array([[-2.0, 9.0]]), T(0.5), T(4), None, None, np.array([0.0]), T(0.5))
    (array([[-1.,  9.]]), array([[-1.,  4.]]))
    """
    value = np.where(m < 0, m * negative_factor, m)
    if noise is not None:
        value = value + noise_scale * noise
    t = on_grid(value, step, rounding)
    return t, clip(t, bound)


def rescaled_output(z: Array, sigma: Array, out_scale: Scalar) -> Array:
    r"""Core output with the input scale taken back. [DC-5]

    .. math:: z_{no} \leftarrow z_{no}\, (o / \sigma_n)

    Parameters
    ----------
    z
        ``(N, O)``, clipped codes.
    sigma
        ``(N,)``, input scale BM-1.
    out_scale
        ``out_scale``, :math:`o`.

    Returns
    -------
    ``(N, O)``.

    Examples
    --------
    >>> rescaled_output(np.array([[2.0], [3.0]]), np.array([0.5, 1.0]), np.float64(1))
    array([[4.],
           [3.]])
    """
    return z * (out_scale / sigma)[:, None]


__all__ = ["analog_to_digital", "clip", "digital_to_analog", "on_grid", "rescaled_output"]
