"""The best of a grid of ranges, on sets: all candidates that may have the least loss (clauses RE)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from refsim.tile.range_search import GridSearch

from .arithmetic import Arithmetic
from .interval import Floats, Interval, Mask, hull, outward, point
from .search_limits import limits, losses_of_ranges, one_sided

__all__ = ["grid_search"]


def grid_search(
    A: Arithmetic,
    method: GridSearch,
    x: Interval,
    rows: Interval,
    first: tuple[Interval, Interval],
    memory: Mapping[str, Floats],
) -> tuple[Interval, Interval, Interval]:
    """Ranges of the candidates that may be the best one for each row, and the losses of all.

    Parameters
    ----------
    A, method
        The operations and the search.
    x, rows
        The values, and the same ``(G, M)``.
    first
        Extremes of the first data.
    memory
        What the calls before left.

    Returns
    -------
    Ends of ranges ``(P, G, 1)``, one piece for each candidate, and losses ``(G, C)``.
    """
    found = [_of_side(A, method, x, rows, first, memory, side) for side in one_sided(first[0])]
    ends = [
        np.concatenate([getattr(each[i], end) for each in found])
        for i in (0, 1)
        for end in ("lo", "hi")
    ]
    same = [each[2] for each in found if each[2].lo.shape == found[0][2].lo.shape]
    return Interval(*ends[:2]), Interval(*ends[2:]), hull(*same)


def _of_side(
    A: Arithmetic,
    method: GridSearch,
    x: Interval,
    rows: Interval,
    first: tuple[Interval, Interval],
    memory: Mapping[str, Floats],
    side: bool,
) -> tuple[Interval, Interval, Interval]:
    """The same where it is known whether the first data were one-sided."""
    loss, signed = method.loss, method.loss.symmetric and not side
    lower, upper, size = limits(A, method.margin, *first)
    if loss.symmetric or side:
        lo, hi = _symmetric(A, size, method.count, side)
    else:
        lo, hi = _skewed(A, lower, upper, size, method.count, loss.n_bits)
    each = [
        losses_of_ranges(A, loss, x, rows[g : g + 1], lo, hi, signed) for g in range(len(rows.lo))
    ]
    losses = Interval(np.stack([a.lo for a in each]), np.stack([a.hi for a in each]))
    if "losses" in memory and memory["losses"].shape == losses.lo.shape:
        losses = _accumulated(A, memory["losses"], losses)
    best = _possible(losses)
    return _chosen(lo, best), _chosen(hi, best), losses


def _accumulated(A: Arithmetic, before: Floats, losses: Interval) -> Interval:
    """Losses of all calls, the sum rounded to the format or to float64."""
    wide = outward(before + losses.lo, before + losses.hi)
    return hull(A.rounded(wide), wide)


def _symmetric(A: Arithmetic, size: Interval, count: int, side: bool) -> tuple[Interval, Interval]:
    """Ranges around zero, or from zero upwards, RE-6."""
    number = point(np.arange(1.0, count + 1)[:, None])
    hi = A.product(number, A.quotient(size, point(float(count))))
    return point(np.zeros_like(hi.lo)) if side else Interval(-hi.hi, -hi.lo), hi


def _skewed(
    A: Arithmetic, lower: Interval, upper: Interval, size: Interval, count: int, n_bits: int
) -> tuple[Interval, Interval]:
    """Ranges moved by whole steps to both sides, RE-7."""
    R = _symmetric(A, size, count, side=True)[1]
    R = Interval(R.lo[:, :, None], R.hi[:, :, None])
    step = A.quotient(R, point((2**n_bits - 1) / 2))
    k = np.arange(max(1.0, 2**n_bits // 4))[None, :, None] * np.array([1.0, -1.0])
    hi = A.product_sum(point(k), step, R)
    lo = A.product_sum(point(k), step, Interval(-R.hi, -R.lo))
    lo = Interval(np.maximum(lo.lo, lower.lo), np.maximum(lo.hi, lower.hi))
    hi = Interval(np.minimum(hi.lo, upper.lo), np.minimum(hi.hi, upper.hi))
    return tuple(Interval(a.lo.reshape(-1, 1), a.hi.reshape(-1, 1)) for a in (lo, hi))  # type: ignore[return-value]


def _possible(losses: Interval) -> Mask:
    """Candidates ``(G, C)`` that may be the first one with the least loss."""
    no_loss = np.full((len(losses.lo), 1), np.inf)
    before = np.minimum.accumulate(np.hstack([no_loss, losses.hi[:, :-1]]), axis=1)
    behind = np.minimum.accumulate(np.hstack([no_loss, losses.hi[:, :0:-1]]), axis=1)[:, ::-1]
    found: Mask = (losses.lo < before) & (losses.lo <= behind)
    return found


def _chosen(ends: Interval, best: Mask) -> Interval:
    """Ends ``(P, G, 1)`` of the ranges of the candidates."""
    most = int(best.sum(axis=1).max())
    order = np.argsort(~best, axis=1, kind="stable")[:, :most]
    there = np.take_along_axis(best, order, axis=1)
    found = [np.where(there, end[:, 0][order], np.nan).T[:, :, None] for end in (ends.lo, ends.hi)]
    return Interval(*found)
