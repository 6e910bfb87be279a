"""Clipped outputs: their mask, and the growth of the input range that it brings (clauses BP and IR)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .sums import Array, Scalar, nearest

Mask = NDArray[np.bool_]


def output_clip_mask(value: Array, bound: Scalar, inclusive: bool) -> Mask:
    r"""Which outputs count as clipped. [BP-3]

    .. math:: M_{no} = \mathbf 1[|u_{no}| > b] \qquad\text{or, inclusive,}\qquad M_{no} = \mathbf 1[|u_{no}| \ge b]

    Parameters
    ----------
    value
        ``(N, O)``: rounded outputs before the clip, or core outputs where the choice ``output_clip_mask`` says so.
    bound
        The bound that goes with them, infinite for none.
    inclusive
        Whether a value at the bound counts.

    Returns
    -------
    ``(N, O)``.

    Examples
    --------
    >>> value = np.array([[-3.0, 2.0, 1.0]])
    >>> output_clip_mask(value, np.float64(2), False), output_clip_mask(value, np.float64(2), True)
    (array([[ True, False, False]]), array([[ True,  True, False]]))
    """
    return np.abs(value) >= bound if inclusive else np.abs(value) > bound


def masked_gradient(g: Array, mask: Mask) -> Array:
    r"""Gradient with the clipped outputs left out. [BP-4]

    .. math:: G_{no} \leftarrow G_{no}\,(1 - M_{no})

    Parameters
    ----------
    g
        ``(N, O)``.
    mask
        ``(N, O)``, BP-3.

    Returns
    -------
    ``(N, O)``; entries left out are ``+0``.

    Examples
    --------
    >>> masked_gradient(np.array([[-1.0, 2.0]]), np.array([[True, False]]))
    array([[0., 2.]])
    """
    return np.where(mask, g.dtype.type(0), g)


def unclipped_output_fraction(mask: Mask, count: int) -> np.float32:
    r"""Fraction of outputs that are not clipped, in float32 for every data type. [IR-10]

    .. math:: P = \mathrm{RN}_{32}\left(1 - \frac{\#M}{C}\right)

    Parameters
    ----------
    mask
        ``(N, O)``, BP-3.
    count
        What the number of clipped outputs is a share of, :math:`C`: the number of outputs, or of inputs where the
        choice ``output_percentage_of`` says so. Then :math:`P` can be negative.

    Returns
    -------
    float32 scalar, NaN for an empty batch.

    Examples
    --------
    >>> mask = np.array([[True, False, False]])
    >>> print(unclipped_output_fraction(mask, 3), unclipped_output_fraction(np.full((2, 3), True), 4))
    0.6666667 -0.5
    """
    if count == 0:
        return np.float32(np.nan)
    inside = count - int(np.count_nonzero(mask))
    return np.float32(nearest(inside, 0, np.dtype(np.float32), divisor=count))


def range_growth(
    gradient: Scalar, r: Scalar, fraction: np.float32, threshold: np.float32
) -> Scalar:
    r"""Gradient of the range with the growth term of output clipping. [IR-11]

    .. math:: R' = R - (1 - P)\, r \quad\text{if } P < \theta,\ \text{else } R

    The comparison is strict and in float32. The term is independent of ``gradient_relative`` and ``gradient_scale``.

    Parameters
    ----------
    gradient
        The rule's gradient IR-5.
    r
        Input range, signed.
    fraction, threshold
        The fraction IR-10 and ``output_min_percentage``, both float32; the fraction is widened to ``T``.

    Returns
    -------
    Scalar of ``T``.

    Examples
    --------
    >>> T = np.float64
    >>> print(range_growth(T(-1), T(2), np.float32(0.75), np.float32(0.95)))
    -1.5
    """
    if fraction < threshold:
        T = r.dtype.type
        return gradient - (T(1) - T(fraction)) * r
    return gradient


__all__ = ["masked_gradient", "output_clip_mask", "range_growth", "unclipped_output_fraction"]
