"""Calibration of input ranges after the training (clauses CA)."""

from __future__ import annotations

import numpy as np

from .sums import Array, Scalar


def quantile(x: Array, index: int, fraction: Scalar) -> Scalar:
    r"""Quantile of all elements, linear between two neighbours in their order. [CA-1]

    .. math:: \min\bigl(x_{(j)} + f\,(x_{(j+1)} - x_{(j)}),\ x_{(j+1)}\bigr)

    where :math:`x_{(0)} \le x_{(1)} \le \ldots` are the elements in order. The place of the quantile :math:`q` of
    :math:`n` elements is the float64 product :math:`h = \mathrm{RN}_{64}(q\,(n - 1))`, so that
    :math:`j = \lfloor h \rfloor` and :math:`f = \mathrm{RN}_T(h - j)`. Difference, product and sum round once each. For
    :math:`f = 0` the result is :math:`x_{(j)}`; a zero is ``+0``.

    Parameters
    ----------
    x
        Array of any shape with at least ``index + 1`` finite elements, and one more unless ``fraction`` is 0.
    index
        :math:`j`.
    fraction
        :math:`f`, in [0, 1].

    Returns
    -------
    Scalar of ``T``.

    Examples
    --------
    >>> x, T = np.array([[4.0, 1.0], [2.0, 8.0]]), np.float64
    >>> print(quantile(x, 2, T(0.25)), quantile(x, 3, T(0)))
    5.0 8.0
    """
    ordered = np.sort(x, axis=None)
    lower, zero = ordered[index], x.dtype.type(0)
    if fraction == 0:
        return lower + zero
    upper = ordered[index + 1]
    return np.minimum(lower + fraction * (upper - lower), upper) + zero


def averaged_range(r: Scalar, counter: Scalar, value: Scalar) -> Scalar:
    r"""Input range after one more batch of a moving calibration. [CA-2]

    .. math:: r' = \left|\frac{r k + v}{k + 1}\right|

    A batch counts if :math:`v` is positive; the first one (:math:`k = 0`) replaces the range.

    Parameters
    ----------
    r
        Range so far, in units of the input.
    counter
        Number of batches counted so far, :math:`k`.
    value
        Range that the batch suggests, :math:`v`.

    Returns
    -------
    Scalar of ``T``.

    Examples
    --------
    >>> T = np.float64
    >>> print(averaged_range(T(3), T(1), T(1)))
    2.0
    """
    return np.abs((r * counter + value) / (counter + counter.dtype.type(1)))


__all__ = ["averaged_range", "quantile"]
