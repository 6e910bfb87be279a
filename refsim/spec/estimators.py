"""Range of a quantiser from the extremes of data (clauses RE).

Numbers that share a range stand in one row: a tensor is one row ``(1, M)``, a range for each channel has a row for each
channel or group of channels. A row has at least one number.
"""

from __future__ import annotations

import numpy as np

from .sums import Array, Scalar


def value_range(x: Array) -> tuple[Array, Array]:
    r"""Smallest and largest number of each row. [RE-1]

    .. math:: l_g = \min_j x_{gj},\qquad h_g = \max_j x_{gj}

    Parameters
    ----------
    x
        ``(G, M)``, at least one number in a row.

    Returns
    -------
    Two arrays ``(G,)``; an extreme of 0 is ``+0``, a row with NaN gives NaN.

    Examples
    --------
    >>> value_range(np.array([[1.0, -2.0, 0.5], [0.0, -0.0, 3.0]]))
    (array([-2.,  0.]), array([1., 3.]))
    """
    zero = x.dtype.type(0)
    return x.min(axis=1) + zero, x.max(axis=1) + zero


def percentile_range(x: Array, percentile: np.float64, two_sided: bool) -> tuple[Array, Array]:
    r"""Percentiles of each row in place of its extremes. [RE-2]

    With the numbers of a row in ascending order, :math:`x_{(0)} \le \dots \le x_{(M-1)}`, and the place
    :math:`k + t = (p / 100)\,(M - 1)` in float64, :math:`k` an integer and :math:`0 \le t < 1`,

    .. math:: P_p = x_{(k)} + \mathrm{RN}_T(t)\,(x_{(k+1)} - x_{(k)})

    where :math:`P_p = x_{(k)}` for :math:`t = 0`. The range is :math:`(P_p, P_{100-p})`, or, if one-sided,
    :math:`(P_p, \max_j x_j)`.

    Parameters
    ----------
    x
        ``(G, M)``, at least one number in a row.
    percentile
        :math:`p`, 0 to 100.
    two_sided
        Whether the upper end is a percentile, too.

    Returns
    -------
    Two arrays ``(G,)``; a zero is ``+0``.

    Examples
    --------
    >>> x = np.array([[3.0, 1.0, 2.0, 0.0, 4.0]])
    >>> percentile_range(x, np.float64(12.5), True)
    (array([0.5]), array([3.5]))
    >>> percentile_range(x, np.float64(12.5), False)
    (array([0.5]), array([4.]))
    """
    ordered = np.sort(x + x.dtype.type(0), axis=1)
    lower = _percentile(ordered, percentile)
    upper = _percentile(ordered, np.float64(100) - percentile) if two_sided else ordered[:, -1]
    return lower, upper.copy()


def _percentile(ordered: Array, percentile: np.float64) -> Array:
    """The percentile of rows in ascending order."""
    T = ordered.dtype.type
    place = percentile / np.float64(100) * np.float64(ordered.shape[1] - 1)
    k = int(np.floor(place))
    t = T(place - np.float64(k))
    if t == 0:
        return ordered[:, k].copy()
    below, above = ordered[:, k], ordered[:, min(k + 1, ordered.shape[1] - 1)]
    return below + t * (above - below) + T(0)


def widest_range(lo: Array, hi: Array, old_lo: Array, old_hi: Array) -> tuple[Array, Array]:
    r"""Range that holds all data so far. [RE-3]

    .. math:: l \leftarrow \min(l, l'),\qquad h \leftarrow \max(h, h')

    Parameters
    ----------
    lo, hi
        ``(G,)``, range :math:`(l, h)` of new data.
    old_lo, old_hi
        ``(G,)``, range :math:`(l', h')` of the data before.

    Returns
    -------
    Two arrays ``(G,)``.

    Examples
    --------
    >>> widest_range(*np.array([[-1.0], [3.0], [-2.0], [2.0]]))
    (array([-2.]), array([3.]))
    """
    return np.where(lo < old_lo, lo, old_lo), np.where(hi > old_hi, hi, old_hi)


def moving_range(
    lo: Array, hi: Array, old_lo: Array, old_hi: Array, fresh: Scalar, kept: Scalar
) -> tuple[Array, Array]:
    r"""Moving average of ranges. [RE-4]

    .. math:: l \leftarrow f\,l + m\,l',\qquad h \leftarrow f\,h + m\,h'

    Two products and one sum, each rounded to ``T``.

    Parameters
    ----------
    lo, hi
        ``(G,)``, range :math:`(l, h)` of new data.
    old_lo, old_hi
        ``(G,)``, range :math:`(l', h')` before.
    fresh, kept
        :math:`f = \mathrm{RN}_T(1 - m)` and the momentum :math:`m`.

    Returns
    -------
    Two arrays ``(G,)``.

    Examples
    --------
    >>> T = np.float64
    >>> moving_range(*np.array([[-2.0], [4.0], [-1.0], [2.0]]), T(0.25), T(0.75))
    (array([-1.25]), array([2.5]))
    """
    return fresh * lo + kept * old_lo, fresh * hi + kept * old_hi


__all__ = ["moving_range", "percentile_range", "value_range", "widest_range"]
