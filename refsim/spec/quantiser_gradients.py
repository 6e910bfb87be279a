"""Gradients of uniform quantisers, straight through the rounding and blocked by the clip (clauses QU)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .elementary import exp
from .quantisers import SMALLEST_STEP, levels, quantised_codes
from .sums import Array, Scalar, grid_integers, rounded


def _inside(
    x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar
) -> NDArray[np.bool_]:
    """Whether a code is not clipped, ends included."""
    m = levels(x, scale, zero)
    return (m >= int_min) & (m <= int_max)


def quantised_gradient(
    g: Array, x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar
) -> Array:
    r"""Gradient of the values, straight through the rounding and blocked by the clip. [QU-10]

    .. math:: \partial x = \begin{cases} g & n_- \le m \le n_+ \\ 0 & \text{otherwise} \end{cases}

    The mask looks at the code before the clip: a value beyond the last code that rounds to it passes.

    Parameters
    ----------
    g
        ``(G, M)``, gradient of the quantised values.
    x, scale, zero, int_min, int_max
        As in QU-8.

    Returns
    -------
    ``(G, M)``.

    Examples
    --------
    >>> T = np.float64
    >>> quantised_gradient(np.array([[1.0, 1.0]]), np.array([[3.2, 3.3]]), np.array([0.5]),
    ...     np.array([1.0]), T(0), T(7))
    array([[1., 0.]])
    """
    return np.where(_inside(x, scale, zero, int_min, int_max), g, g.dtype.type(0))


def scale_gradient(
    g: Array, x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar
) -> Array:
    r"""Gradient of the scale of each row. [QU-11]

    .. math:: \partial s = \mathrm{RN}_{32}\left(\sum_j g_j e_j\right),\qquad
        e = (n - z) - \begin{cases} x / s & n_- \le m \le n_+ \\ 0 & \text{otherwise} \end{cases}

    The subtraction is exact: inside the range :math:`e` is what the rounding added, in steps. The sum of exact
    products is rounded once, to float32.

    Parameters
    ----------
    g, x, scale, zero, int_min, int_max
        As in QU-10.

    Returns
    -------
    ``(G,)`` float32.

    Examples
    --------
    >>> T = np.float64
    >>> scale_gradient(np.array([[1.0, 1.0]]), np.array([[0.625, 9.0]]), np.array([0.5]),
    ...     np.array([1.0]), T(0), T(7))
    array([5.75], dtype=float32)
    """
    k = quantised_codes(x, scale, zero, int_min, int_max) - zero[:, None]
    inside = _inside(x, scale, zero, int_min, int_max)
    return _single_sums(g, np.where(inside, k - x / scale[:, None], k))


def stored_step_gradient(gradient: Array, stored: Array, logarithmic: bool) -> Array:
    r"""Gradient of the stored parameter from that of the scale. [QU-12]

    .. math:: \partial\theta = \begin{cases} \partial s & \theta \ge \mathrm{RN}_{32}(10^{-8}) \\
        0 & \text{otherwise} \end{cases} \qquad\text{or}\qquad \partial\theta = \partial s\; e^\theta

    Parameters
    ----------
    gradient
        ``(G,)`` float32, gradient QU-11.
    stored
        ``(G,)`` float32, the parameter.
    logarithmic
        Whether the logarithm is stored.

    Returns
    -------
    ``(G,)`` float32.

    Examples
    --------
    >>> one = np.ones(2, dtype=np.float32)
    >>> stored_step_gradient(one, np.array([0.5, 0.0], dtype=np.float32), False)
    array([1., 0.], dtype=float32)
    """
    if logarithmic:
        return gradient * exp(stored)
    return np.where(stored >= np.float32(SMALLEST_STEP), gradient, np.float32(0))


def zero_point_gradient(
    g: Array, x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar
) -> Array:
    r"""Gradient of the zero point of each row: what the clip blocks. [QU-13]

    .. math:: \partial z = \mathrm{RN}_{32}\left(\sum_{m_j < n_- \text{ or } m_j > n_+} (-g_j)\, s\right)

    Parameters
    ----------
    g, x, scale, zero, int_min, int_max
        As in QU-10.

    Returns
    -------
    ``(G,)`` float32.

    Examples
    --------
    >>> T = np.float64
    >>> zero_point_gradient(np.array([[1.0, 3.0]]), np.array([[0.6, 9.0]]), np.array([0.5]),
    ...     np.array([1.0]), T(0), T(7))
    array([-1.5], dtype=float32)
    """
    blocked = np.where(_inside(x, scale, zero, int_min, int_max), g.dtype.type(0), -g)
    return _single_sums(blocked, np.broadcast_to(scale[:, None], g.shape))


def zero_float_gradient(gradient: Array, zero_float: Array, int_max: np.float32) -> Array:
    r"""Gradient of the stored place of zero from that of the zero point. [QU-14]

    .. math:: \partial z' = \begin{cases} \partial z & 0 \le \mathrm{rint}(z') \le n_+ \\
        0 & \text{otherwise} \end{cases}

    Parameters
    ----------
    gradient
        ``(G,)`` float32, gradient QU-13.
    zero_float
        ``(G,)`` float32, the parameter.
    int_max
        Largest code :math:`n_+`, in float32.

    Returns
    -------
    ``(G,)`` float32.

    Examples
    --------
    >>> one = np.ones(3, dtype=np.float32)
    >>> zero_float_gradient(one, np.array([-0.5, -0.6, 7.5], dtype=np.float32), np.float32(7))
    array([1., 0., 0.], dtype=float32)
    """
    whole = np.rint(zero_float)
    return np.where((whole >= 0) & (whole <= int_max), gradient, np.float32(0))


def _single_sums(x: Array, y: Array) -> Array:
    """Exact sum of the products in each row, rounded once to float32."""
    (n, e), (m, f) = grid_integers(x), grid_integers(y)
    sums = np.array([sum(row) for row in (n * m).tolist()], dtype=object)
    finite = (np.isfinite(x) & np.isfinite(y)).all(axis=1)
    return rounded(sums, e + f, np.dtype(np.float32), finite)


__all__ = [
    "quantised_gradient",
    "scale_gradient",
    "stored_step_gradient",
    "zero_float_gradient",
    "zero_point_gradient",
]
