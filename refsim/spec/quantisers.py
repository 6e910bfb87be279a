"""Uniform quantisers: range, step and zero point, codes, and gradients straight through the rounding (clauses QU).

Numbers that share a step stand in one row: a tensor is one row ``(1, M)``, a quantiser for each channel has a row for
each channel or group of channels. Steps and zero points are float32 numbers in every tile; where they meet
data of ``T`` they are widened, which is exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .elementary import exp, log
from .sums import Array, Scalar, grid_integers, rounded

SMALLEST_STEP = 1e-8


def quantiser_range(lo: Array, hi: Array) -> tuple[Array, Array]:
    r"""Range that holds zero and is not empty. [QU-1]

    .. math:: l \leftarrow \min(l, 0),\qquad h \leftarrow \max(h, \mathrm{RN}_T(10^{-8}))

    Parameters
    ----------
    lo, hi
        ``(G,)``, ends of the range of each row.

    Returns
    -------
    Two arrays ``(G,)``; a lower end of 0 is ``+0``.

    Examples
    --------
    >>> quantiser_range(np.array([-2.0, 0.5]), np.array([-1.0, 3.0]))
    (array([-2.,  0.]), array([1.e-08, 3.e+00]))
    """
    zero, smallest = lo.dtype.type(0), lo.dtype.type(SMALLEST_STEP)
    return np.where(lo < zero, lo, zero), np.where(hi < smallest, smallest, hi)


def code_range(lo: Array, n_bits: int, symmetric: bool) -> tuple[Scalar, Scalar]:
    r"""Smallest and largest code. [QU-2]

    .. math:: [n_-, n_+] = \begin{cases} [-2^{b-1},\, 2^{b-1} - 1] & \text{symmetric, any } l < 0 \\
        [0,\, 2^b - 1] & \text{otherwise} \end{cases}

    One row with a negative range makes the codes of all rows signed. The code :math:`-2^{b-1}` has no opposite.

    Parameters
    ----------
    lo
        ``(G,)``, lower ends QU-1.
    n_bits
        Number of bits :math:`b`, 1 to 24.
    symmetric
        A grid around zero, else one with a zero point.

    Returns
    -------
    Two scalars of the type of ``lo``.

    Examples
    --------
    >>> [float(n) for n in code_range(np.array([-0.5, 0.0]), 3, True)]
    [-4.0, 3.0]
    >>> [float(n) for n in code_range(np.array([-0.5, 0.0]), 3, False)]
    [0.0, 7.0]
    """
    T = lo.dtype.type
    if symmetric and (lo < 0).any():
        return T(-(2 ** (n_bits - 1))), T(2 ** (n_bits - 1) - 1)
    return T(0), T(2**n_bits - 1)


def symmetric_step(lo: Array, hi: Array, int_max: Scalar) -> Array:
    r"""Step of a symmetric grid over a range. [QU-3]

    .. math:: \Delta = \mathrm{RN}_{32}\left(\max(|l|, h) / n_+\right)

    Parameters
    ----------
    lo, hi
        ``(G,)``, range QU-1.
    int_max
        Largest code :math:`n_+` (QU-2).

    Returns
    -------
    ``(G,)`` float32: the quotient is rounded to ``T``, then to float32.

    Examples
    --------
    >>> symmetric_step(np.array([-3.5]), np.array([2.0]), np.float64(7))
    array([0.5], dtype=float32)
    """
    size = np.abs(lo)
    return (np.where(size > hi, size, hi) / int_max).astype(np.float32)


def asymmetric_step(lo: Array, hi: Array, int_max: Scalar) -> tuple[Array, Array]:
    r"""Step of a grid from end to end of a range, and the place of zero in it. [QU-4]

    .. math:: \Delta = (h - l) / n_+,\qquad z' = (0 - l) / \Delta

    in ``T``, each then rounded to float32. The place of zero is not rounded to an integer here.

    Parameters
    ----------
    lo, hi
        ``(G,)``, range QU-1.
    int_max
        Largest code :math:`n_+` (QU-2).

    Returns
    -------
    Two arrays ``(G,)`` of float32.

    Examples
    --------
    >>> asymmetric_step(np.array([-0.5]), np.array([3.0]), np.float64(7))
    (array([0.5], dtype=float32), array([1.], dtype=float32))
    """
    step = (hi - lo) / int_max
    zero = (lo.dtype.type(0) - lo) / step
    return step.astype(np.float32), zero.astype(np.float32)


def stored_step(step: Array, logarithmic: bool) -> Array:
    r"""Parameter that stands for a step: the step itself, or its logarithm. [QU-5]

    .. math:: \theta = \Delta \qquad\text{or}\qquad \theta = \ln \Delta

    with the logarithm EF-1 in float32.

    Parameters
    ----------
    step
        ``(G,)`` float32, QU-3 or QU-4.
    logarithmic
        Whether the logarithm is stored.

    Returns
    -------
    ``(G,)`` float32.

    Examples
    --------
    >>> stored_step(np.array([1.0, 0.5], dtype=np.float32), True)
    array([ 0.       , -0.6931472], dtype=float32)
    """
    return log(step) if logarithmic else step.copy()


def quantiser_scale(stored: Array, logarithmic: bool) -> Array:
    r"""Scale in use, from the stored parameter. [QU-6]

    .. math:: s = \max(\theta, \mathrm{RN}_{32}(10^{-8})) \qquad\text{or}\qquad s = e^\theta

    with the exponential EF-2 in float32.

    Parameters
    ----------
    stored
        ``(G,)`` float32, QU-5 or what training made of it.
    logarithmic
        Whether the logarithm is stored.

    Returns
    -------
    ``(G,)`` float32.

    Examples
    --------
    >>> quantiser_scale(np.array([0.5, -1.0], dtype=np.float32), False)
    array([5.e-01, 1.e-08], dtype=float32)
    """
    smallest = np.float32(SMALLEST_STEP)
    return exp(stored) if logarithmic else np.where(stored < smallest, smallest, stored)


def zero_point(zero_float: Array, int_max: np.float32) -> Array:
    r"""Code of zero. [QU-7]

    .. math:: z = \min(\max(\mathrm{rint}(z'), 0), n_+)

    ``rint`` rounds half-way values to the even integer.

    Parameters
    ----------
    zero_float
        ``(G,)`` float32, the place of zero QU-4 or what training made of it.
    int_max
        Largest code :math:`n_+`, in float32.

    Returns
    -------
    ``(G,)`` float32, never ``-0``.

    Examples
    --------
    >>> zero_point(np.array([-0.7, 2.5, 3.5, 99.0], dtype=np.float32), np.float32(7))
    array([0., 2., 4., 7.], dtype=float32)
    """
    zero, whole = np.float32(0), np.rint(zero_float)
    return np.where(whole > zero, np.where(whole > int_max, int_max, whole), zero)


def _levels(x: Array, scale: Array, zero: Array) -> Array:
    """Codes before the clip."""
    return np.rint(x / scale[:, None]) + zero[:, None]


def quantised_codes(x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar) -> Array:
    r"""Integer codes. [QU-8]

    .. math:: m = \mathrm{rint}(x / s) + z,\qquad
        n = \begin{cases} n_- & m < n_- \\ n_+ & m > n_+ \\ m & \text{otherwise} \end{cases}

    Half-way values go to the even multiple of the step.

    Parameters
    ----------
    x
        ``(G, M)``, values in rows that share a step.
    scale
        ``(G,)``, scales QU-6 in the type of ``x``.
    zero
        ``(G,)``, zero points QU-7 in the type of ``x``; zeros for a symmetric grid.
    int_min, int_max
        Code range QU-2.

    Returns
    -------
    ``(G, M)`` of the type of ``x``, all of them integers.

    Examples
    --------
    >>> T = np.float64
    >>> quantised_codes(np.array([[0.25, 0.75, 9.0]]), np.array([0.5]), np.array([1.0]), T(0), T(7))
    array([[1., 3., 7.]])
    """
    m = _levels(x, scale, zero)
    return np.where(m < int_min, int_min, np.where(m > int_max, int_max, m))


def quantised(x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar) -> Array:
    r"""Values on the grid. [QU-9]

    .. math:: y = s\,(n - z)

    Parameters
    ----------
    x, scale, zero, int_min, int_max
        As in QU-8.

    Returns
    -------
    ``(G, M)``; zero is exact, and never ``-0``.

    Examples
    --------
    >>> T = np.float64
    >>> quantised(np.array([[0.25, 0.75, 9.0]]), np.array([0.5]), np.array([1.0]), T(0), T(7))
    array([[0., 1., 3.]])
    """
    return scale[:, None] * (quantised_codes(x, scale, zero, int_min, int_max) - zero[:, None])


def _inside(
    x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar
) -> NDArray[np.bool_]:
    """Whether a code is not clipped, ends included."""
    m = _levels(x, scale, zero)
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
    "asymmetric_step",
    "code_range",
    "quantised",
    "quantised_codes",
    "quantised_gradient",
    "quantiser_range",
    "quantiser_scale",
    "scale_gradient",
    "stored_step",
    "stored_step_gradient",
    "symmetric_step",
    "zero_float_gradient",
    "zero_point",
    "zero_point_gradient",
]
