"""Gradients of quantisers on sets: straight through the rounding, blocked by the clip (clauses QU)."""

from __future__ import annotations

import numpy as np

from .arithmetic import Arithmetic
from .grid import Grid, inside
from .grid_over import single
from .interval import Interval, hull, outward, point, where
from .profile import FLOAT32
from .sums import total

__all__ = ["scale_gradient", "value_gradient", "zero_point_gradient"]

ZERO = point(0.0)


def value_gradient(
    A: Arithmetic, g: Interval, x: Interval, codes: Interval, grid: Grid
) -> Interval:
    """Gradient of the values before the quantiser, QU-10; with and without where the mask is open.

    A chain rule that goes through division and multiplication by the step gives ``(g s) / s``.

    >>> from refsim.conformance.admissible import FLOAT32
    >>> grid = Grid(point([[0.5]]), point([[0.0]]), -4.0, 3.0)
    >>> x = Interval(np.array([[1.0, 1.74, 1.76]]), np.array([[1.0, 1.76, 1.77]]))
    >>> g = value_gradient(Arithmetic(FLOAT32), point([[2.0, 2.0, 2.0]]), x, point([[2.0, 3.0, 3.0]]), grid)
    >>> print(g.lo, g.hi)
    [[2. 0. 0.]] [[2. 2. 0.]]
    """
    passed = g
    if A.profile.spare:
        passed = hull(g, A.quotient(A.product(g, grid.step), grid.step))
    return where(*inside(A, x, codes, grid), passed, ZERO)


def scale_gradient(
    A: Arithmetic, g: Interval, x: Interval, codes: Interval, grid: Grid
) -> Interval:
    r"""Gradient of the scale of each row, QU-11, as one sum or as the difference of two.

    The terms :math:`g (n - z)` and :math:`g\, x / s` are each as large as the code, their difference is at most half a
    step: the bound is that of both sums.

    Returns
    -------
    ``(G,)`` numbers of float32.
    """
    steps = A.exact_product(g, A.difference(codes, grid.zero))
    ratio = A.exact_product(g, A.quotient(x, grid.step))
    ratio = where(*inside(A, x, codes, grid), ratio, ZERO)
    first = _total(A, steps, 0)
    second = _total(A, ratio, 0 if A.powers_of_two(grid.step).all() else A.profile.spare)
    lo, hi = first.lo - second.hi, first.hi - second.lo
    exact = (first.lo == first.hi) & (second.lo == second.hi)
    wide = outward(lo, hi)
    one = A.rounded(Interval(np.where(exact, lo, wide.lo), np.where(exact, hi, wide.hi)))
    return hull(single(one), Arithmetic(FLOAT32).difference(single(first), single(second)))


def _total(A: Arithmetic, terms: Interval, spare: int) -> Interval:
    """Sums that may be parts of longer ones, of products with so many more factors that may round."""
    sums, size = total(A, terms, 1, roundings=1), terms.magnitude.sum(axis=1)
    loose = A.loosened(sums, spare + 1, size)
    sharp = (size == 0) | ((sums.lo == sums.hi) & (spare == 0))
    return Interval(np.where(sharp, sums.lo, loose.lo), np.where(sharp, sums.hi, loose.hi))


def zero_point_gradient(
    A: Arithmetic, g: Interval, x: Interval, codes: Interval, grid: Grid
) -> Interval:
    """Gradient of the zero point of each row, QU-13: what the clip blocks, ``(G,)`` numbers of float32.

    It may be formed as the difference of all terms and of those that pass.
    """
    terms = A.exact_product(Interval(-g.hi, -g.lo), grid.step)
    mask = inside(A, x, codes, grid)
    blocked = single(total(A, where(*mask, ZERO, terms), 1, roundings=1))
    every, kept = (single(total(A, t, 1, roundings=1)) for t in (terms, where(*mask, terms, ZERO)))
    return hull(blocked, Arithmetic(FLOAT32).difference(every, kept))
