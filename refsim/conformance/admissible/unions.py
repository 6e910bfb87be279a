"""Operations on unions of intervals, piece by piece."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .interval import Interval

__all__ = ["compact", "crossed", "joined", "pieces"]

MOST = 8
"""Pieces of an element; those beyond become one."""


def pieces(a: Interval) -> Interval:
    """The same sets with an axis of pieces."""
    return a if a.lo.ndim > 2 else a[None]


def joined(*sets: Interval) -> Interval:
    """The union of sets of rows.

    >>> from refsim.conformance.admissible.interval import point
    >>> joined(point([[1.0]]), point([[3.0]]), point([[1.0]])).lo.ravel()
    array([1., 3.])
    """
    if len(sets) == 1:
        return compact(sets[0])
    parts = [pieces(each) for each in sets]
    shape = np.broadcast_shapes(*(part.lo.shape[-2:] for part in parts))
    ends = [
        np.concatenate([np.broadcast_to(end, (len(end), *shape)) for end in column])
        for column in ([part.lo for part in parts], [part.hi for part in parts])
    ]
    return compact(Interval(*ends))


def compact(a: Interval) -> Interval:
    """The same union with few pieces: what other pieces hold is left out, and the last ones may be merged."""
    if a.lo.ndim < 3:
        return a
    if len(a.lo) == 1:
        return a[0]
    order = np.argsort(a.lo, axis=0, kind="stable")
    lo, hi = np.take_along_axis(a.lo, order, 0), np.take_along_axis(a.hi, order, 0)
    reached = np.fmax.accumulate(hi, axis=0)
    held = np.zeros(lo.shape, dtype=bool)
    held[1:] = hi[1:] <= reached[:-1]
    lo, hi = np.where(held, np.nan, lo), np.where(held, np.nan, hi)
    order = np.argsort(lo, axis=0, kind="stable")
    lo, hi = np.take_along_axis(lo, order, 0), np.take_along_axis(hi, order, 0)
    used = max(int((~np.isnan(lo)).any(axis=(1, 2)).sum()), 1)
    if used > MOST:
        last = np.fmin.reduce(lo[MOST - 1 :], axis=0), np.fmax.reduce(hi[MOST - 1 :], axis=0)
        lo[MOST - 1], hi[MOST - 1], used = *last, MOST
    return Interval(lo[0], hi[0]) if used == 1 else Interval(lo[:used], hi[:used])


def crossed(operation: Callable[..., Interval], *operands: Interval) -> Interval:
    """An operation on each combination of pieces; operands of rows broadcast.

    >>> from refsim.conformance.admissible import FLOAT32, Arithmetic
    >>> from refsim.conformance.admissible.interval import point
    >>> a, b = point([[[1.0]], [[2.0]]]), point([[[0.0]], [[8.0]]])
    >>> crossed(Arithmetic(FLOAT32).sum, a, b).lo.ravel()
    array([ 1.,  2.,  9., 10.])
    """
    if all(each.lo.ndim < 3 for each in operands):
        return operation(*operands)
    count = len(operands)
    spread = []
    for k, each in enumerate(operands):
        union = pieces(each)
        axes = [1] * count
        axes[k] = len(union.lo)
        shape = (*axes, *union.lo.shape[-2:])
        spread.append(Interval(union.lo.reshape(shape), union.hi.reshape(shape)))
    found = operation(*spread)
    shape = (math.prod(found.lo.shape[:-2]), *found.lo.shape[-2:])
    return compact(Interval(found.lo.reshape(shape), found.hi.reshape(shape)))
