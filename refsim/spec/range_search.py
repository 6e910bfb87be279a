"""Search for the range whose quantiser loses least: candidates, their losses, the best (clauses RE).

Numbers that share a range stand in one row, as in the clauses QU. A loss is a float64 number in every tile: losses are
added over calls, and they decide between ranges that differ little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .elementary import log
from .network import shifted_logits, softmax
from .quantisers import quantised
from .sums import Array, Scalar, grid_integers, rounded

Float64 = NDArray[np.float64]
Index = NDArray[np.int64]
LOSS = np.dtype(np.float64)


def search_limits(lo: Array, hi: Array, margin: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    r"""Limits of the search: somewhat beyond the extremes of the first data. [RE-5]

    .. math:: p_- = \min_g l_g - \mu,\qquad p_+ = \max_g h_g + \mu,\qquad S = \max(|p_-|, |p_+|)

    Parameters
    ----------
    lo, hi
        ``(G,)``, extremes RE-1 of each row; all rows are searched within the same limits.
    margin
        :math:`\mu`, at least 0.

    Returns
    -------
    Three scalars of ``T``.

    Examples
    --------
    >>> lo, hi = np.array([-1.0, 0.25]), np.array([2.0, 1.0])
    >>> [float(limit) for limit in search_limits(lo, hi, np.float64(0.5))]
    [-1.5, 2.5, 2.5]
    """
    lower, upper = lo.min() - margin, hi.max() + margin
    return lower, upper, np.maximum(np.abs(lower), np.abs(upper))


def symmetric_candidates(size: Scalar, count: int, one_sided: bool) -> tuple[Array, Array]:
    r"""Ranges around zero, or from zero upwards, of equally spaced sizes. [RE-6]

    .. math:: h_c = c\,(S / K),\qquad l_c = \begin{cases} 0 & \text{one-sided} \\ -h_c & \text{otherwise} \end{cases},
        \qquad c = 1 \dots K

    Parameters
    ----------
    size
        :math:`S` of RE-5.
    count
        :math:`K`.
    one_sided
        Whether no number of the first data was negative.

    Returns
    -------
    Two arrays ``(K,)``.

    Examples
    --------
    >>> symmetric_candidates(np.float64(2), 4, False)
    (array([-0.5, -1. , -1.5, -2. ]), array([0.5, 1. , 1.5, 2. ]))
    """
    hi = np.arange(1, count + 1).astype(size.dtype) * (size / size.dtype.type(count))
    return np.zeros_like(hi) if one_sided else -hi, hi


def skewed_candidates(
    lower: Scalar, upper: Scalar, size: Scalar, count: int, n_bits: int
) -> tuple[Array, Array]:
    r"""Ranges of equally spaced sizes, each moved by whole steps of its grid to both sides. [RE-7]

    With :math:`R_c = c\,(S / K)` and the step :math:`\delta_c = R_c / ((2^b - 1) / 2)`, for
    :math:`k = 0 \dots \max(1, 2^b / 4) - 1` and the signs :math:`+` and :math:`-`

    .. math:: l = \max(-R_c \pm k\delta_c,\ p_-),\qquad h = \min(R_c \pm k\delta_c,\ p_+)

    The order is that of :math:`c`, then :math:`k`, then the sign; :math:`k = 0` stands twice.

    Parameters
    ----------
    lower, upper, size
        :math:`p_-, p_+, S` of RE-5.
    count
        :math:`K`, number of sizes.
    n_bits
        Number of bits :math:`b`.

    Returns
    -------
    Two arrays, ``2 K max(1, 2**b // 4)`` each.

    Examples
    --------
    >>> T = np.float64
    >>> skewed_candidates(T(-1.0), T(2.5), T(2.5), 1, 3)[0]
    array([-1., -1., -1., -1.])
    >>> skewed_candidates(T(-1.0), T(2.5), T(2.5), 1, 3)[1]
    array([2.5       , 2.5       , 2.5       , 1.78571429])
    """
    T = size.dtype.type
    R = (np.arange(1, count + 1).astype(T) * (size / T(count)))[:, None]
    k = np.arange(max(1, 2**n_bits // 4)).astype(T)
    shift = k * (R / T((2**n_bits - 1) / 2))
    both = np.stack([shift, -shift], axis=2)
    lo, hi = -R[:, :, None] + both, R[:, :, None] + both
    return (
        np.where(lo < lower, lower, lo).reshape(-1),
        np.where(hi > upper, upper, hi).reshape(-1),
    )


def shifted_range(size: Scalar, shift: Scalar, one_sided: bool) -> tuple[Array, Array]:
    r"""One range of a continuous search. [RE-8]

    .. math:: h = R + e,\qquad l = \begin{cases} 0 & \text{one-sided} \\ -R + e & \text{otherwise} \end{cases}

    Parameters
    ----------
    size, shift
        :math:`R` and :math:`e`; the shift is 0 where only the size is searched.
    one_sided
        Whether no number of the data is negative.

    Returns
    -------
    Two arrays ``(1,)``.

    Examples
    --------
    >>> shifted_range(np.float64(2), np.float64(0.5), False)
    (array([-1.5]), array([2.5]))
    """
    lo = size.dtype.type(0) if one_sided else -size + shift
    return np.array([lo]), np.array([size + shift])


def squared_errors(
    x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar
) -> Float64:
    r"""Sum of the squared errors of several quantisers. [RE-9]

    .. math:: L_{gc} = \mathrm{RN}_{64}\left(\sum_j (x_{gj} - Q_c(x_{gj}))^2\right)
        = \mathrm{RN}_{64}\left(\sum_j (x_{gj}\,x_{gj} - 2\,Q_c(x_{gj})\,x_{gj} + Q_c(x_{gj})\,Q_c(x_{gj}))\right)

    :math:`Q_c` is the quantiser QU-9, which rounds; the differences, squares and sums do not. The second form
    shows that all terms are exact products of two numbers of ``T``.

    Parameters
    ----------
    x
        ``(G, M)``.
    scale, zero
        ``(C,)``, scales QU-6 and zero points QU-7 of the quantisers, in the type of ``x``.
    int_min, int_max
        Their code range QU-2.

    Returns
    -------
    ``(G, C)`` float64; NaN where a quantised value is not finite.

    Examples
    --------
    >>> T = np.float64
    >>> squared_errors(np.array([[0.25, 1.0, 4.0]]), np.array([0.5, 1.0]), np.zeros(2), T(-4), T(3))
    array([[6.3125, 1.0625]])
    """
    losses = np.empty((len(x), len(scale)))
    for c in range(len(scale)):
        chosen = slice(c, c + 1)
        for g, row in enumerate(x):
            values = quantised(row[None], scale[chosen], zero[chosen], int_min, int_max)
            losses[g, c] = _squared_distance(row, values[0])
    return losses


def _squared_distance(x: Array, y: Array) -> np.float64:
    """Exact sum of the squared differences, rounded once to float64."""
    (n, m), e = grid_integers(np.stack([x, y]))
    difference = n - m
    total = np.array(sum((difference * difference).tolist()), dtype=object)
    finite = np.isfinite(x).all() and np.isfinite(y).all()
    return np.float64(rounded(total, 2 * e, LOSS, finite)[()])


def softmax_losses(
    x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar
) -> Float64:
    r"""Cross-entropy between the softmax of data and that of the quantised data, for several quantisers. [RE-10]

    .. math:: L_c = \mathrm{RN}_{64}\left(\sum_{n,o} (-p_{no})\,\ell_{no}\right),\qquad
        \ell_{no} = (y_{no} - \max_j y_{nj}) - \ln \mathrm{RN}_T\left(\sum_j e^{y_{nj} - \max_j y_{nj}}\right),\qquad
        y = Q_c(x)

    with :math:`p` the softmax NN-3 of :math:`x`, the exponential EF-2, the logarithm EF-1 and the quantiser QU-9. The
    products are exact.

    Parameters
    ----------
    x
        ``(N, O)``.
    scale, zero, int_min, int_max
        As in RE-9.

    Returns
    -------
    ``(1, C)`` float64: one range serves all rows.

    Examples
    --------
    >>> T = np.float64
    >>> softmax_losses(np.array([[0.0, 0.0]]), np.array([1.0]), np.zeros(1), T(0), T(3)) / np.log(2)
    array([[1.]])
    """
    p, flat = softmax(x), x.reshape(1, -1)
    losses = np.empty((1, len(scale)))
    for c in range(len(scale)):
        chosen = slice(c, c + 1)
        y = quantised(flat, scale[chosen], zero[chosen], int_min, int_max).reshape(x.shape)
        shifted, _, total = shifted_logits(y)
        with np.errstate(all="ignore"):
            logarithm = shifted - log(total)[:, None]
        losses[0, c] = _product_total(-p, logarithm)
    return losses


def _product_total(x: Array, y: Array) -> np.float64:
    """Exact sum of the products, rounded once to float64."""
    (n, e), (m, f) = grid_integers(x), grid_integers(y)
    total = np.array(sum((n * m).ravel().tolist()), dtype=object)
    finite = np.isfinite(x).all() and np.isfinite(y).all()
    return np.float64(rounded(total, e + f, LOSS, finite)[()])


def least_loss(losses: Float64, before: Float64 | None) -> tuple[Float64, Index]:
    r"""Losses of all calls together, and the candidate that lost least. [RE-11]

    .. math:: L \leftarrow L' + L,\qquad c_g = \min \operatorname{arg\,min}_c L_{gc}

    One rounding to float64 for each call; of equal losses the first wins.

    Parameters
    ----------
    losses
        :math:`L`, ``(G, C)`` float64, of this call.
    before
        :math:`L'`, the result of the calls before, or None.

    Returns
    -------
    ``(G, C)`` float64 and ``(G,)`` int64.

    Examples
    --------
    >>> total, best = least_loss(np.array([[3.0, 1.0, 2.0]]), np.array([[0.0, 2.0, 1.0]]))
    >>> total, best
    (array([[3., 3., 3.]]), array([0]))
    """
    total = losses.copy() if before is None else before + losses
    return total, np.argmin(total, axis=1).astype(np.int64)


__all__ = [
    "least_loss",
    "search_limits",
    "shifted_range",
    "skewed_candidates",
    "softmax_losses",
    "squared_errors",
    "symmetric_candidates",
]
