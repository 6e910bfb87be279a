"""Uniform quantisers: range, step and zero point, codes and values (clauses QU).

Numbers that share a step stand in one row: a tensor is one row ``(1, M)``, a quantiser for each channel has a row for
each channel or group of channels. Steps and zero points are float32 numbers in every tile; where they meet
data of ``T`` they are widened, which is exact.
"""

from __future__ import annotations

import numpy as np

from .elementary import exp, log
from .sums import Array, Scalar

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


def levels(x: Array, scale: Array, zero: Array) -> Array:
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
    m = levels(x, scale, zero)
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


__all__ = [
    "asymmetric_step",
    "code_range",
    "quantised",
    "quantised_codes",
    "quantiser_range",
    "quantiser_scale",
    "stored_step",
    "symmetric_step",
    "zero_point",
]
