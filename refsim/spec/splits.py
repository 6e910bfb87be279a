"""Tile arrays: the sizes of the splits and the sum of their partial results (clauses TA)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .sums import Array


def split_sizes(size: int, limit: int) -> NDArray[np.int64]:
    r"""Sizes of the splits of an axis, as equal as they can be, the larger ones first. [TA-1]

    .. math:: S = \lceil n / m \rceil,\qquad
        n_j = \lfloor n / S \rfloor + \mathbf 1[j < n \bmod S],\quad j = 0 \ldots S - 1

    with the size :math:`n` and the limit :math:`m`; one split if the limit is not positive.

    Parameters
    ----------
    size
        Number of inputs or outputs, at least 1.
    limit
        ``max_input_size`` or ``max_output_size``.

    Returns
    -------
    ``(S,)`` int64, whose sum is ``size``.

    Examples
    --------
    >>> split_sizes(11, 4), split_sizes(7, 3), split_sizes(9, 0)
    (array([4, 4, 3]), array([3, 2, 2]), array([9]))
    """
    count = -(-size // limit) if limit > 0 else 1
    return np.array([size // count + (j < size % count) for j in range(count)], dtype=np.int64)


def split_sum(parts: Array) -> Array:
    r"""Sum of the partial results of splits, left to right. [TA-2]

    .. math:: y = \bigl((p_0 + p_1) + p_2\bigr) + \ldots

    Each addition rounds once: a partial result is what a tile returns, and it is added as such to what the tiles before
    it returned. One split is returned unchanged.

    Parameters
    ----------
    parts
        ``(S, N, C)``: outputs of the tiles of :math:`S` input splits, or input gradients of those of :math:`S` output
        splits; at least one.

    Returns
    -------
    ``(N, C)``.

    Examples
    --------
    >>> split_sum(np.array([[[1e8]], [[1.0]], [[-1e8]]], dtype=np.float32))
    array([[0.]], dtype=float32)
    """
    y: Array = parts[0].copy()
    for part in parts[1:]:
        y = y + part
    return y


__all__ = ["split_sizes", "split_sum"]
