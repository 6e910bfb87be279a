"""Sums and matrix products of intervals with a bound of the rounding errors of every order, or of a known one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .arithmetic import Arithmetic
from .interval import Floats, Interval, outward
from .profile import BINARY64, Profile

__all__ = ["matrix_product", "own_error", "sample_product", "total"]

Contraction = Callable[[Floats, Floats], Floats]
OWN = BINARY64.unit
CHUNK = 2**22


def own_error(n: int) -> float:
    """Bound of the relative error of a float64 sum of ``n`` products, and some more for what is done with it."""
    return (n + 4) * OWN / (1 - (n + 4) * OWN)


def total(A: Arithmetic, a: Interval, axis: int | None = None, roundings: int = 0) -> Interval:
    """Sums along an axis, in any order, of terms that were rounded so many times themselves.

    >>> from refsim.conformance.admissible import FLOAT32, Arithmetic
    >>> from refsim.conformance.admissible.interval import point
    >>> total(Arithmetic(FLOAT32), point([1.0, 2.0, 3.0]))
    Interval(lo=array(6.), hi=array(6.))
    >>> s = total(Arithmetic(FLOAT32), point([1.0, 2.0**-24]))
    >>> [float(x) for x in (s.lo, s.hi)]
    [1.0, 1.0000001192092896]
    """
    n = a.lo.size if axis is None else a.lo.shape[axis]
    magnitude = a.magnitude.sum(axis=axis) * (1 + 2 * own_error(n))
    roundings = max(n - 1, 0) + roundings
    bound = (A.profile.gamma(roundings) + own_error(n)) * magnitude + n * A.format.least
    bound = bound * (1 + 2 * own_error(4))
    lo, hi = a.lo.sum(axis=axis), a.hi.sum(axis=axis)
    return A.rounded(_around(lo, hi, bound, _exact_total(A, a, magnitude)))


def _exact_total(A: Arithmetic, a: Interval, magnitude: Floats) -> Any:
    """Where every order gives the exact sum."""
    if not np.array_equal(a.lo, a.hi):
        return magnitude == 0
    quantum = _quantum(a.lo)
    p = min(A.format.precision, A.profile.accumulator.precision)
    if quantum < A.format.least_exponent:
        return magnitude == 0
    return magnitude < 2.0 ** min(p + quantum, 1023)


def matrix_product(A: Arithmetic, a: Interval, b: Interval) -> Interval:
    """Products of the rows of ``a`` with the rows of ``b``, each by midpoints and radii.

    Where all terms are multiples of one power of two and no partial sum can need more bits than the format has, the
    result is exact in every order.

    >>> from refsim.conformance.admissible import FLOAT32, Arithmetic
    >>> from refsim.conformance.admissible.interval import point
    >>> matrix_product(Arithmetic(FLOAT32), point([[0.5, 3.0]]), point([[1.0, 0.25]]))
    Interval(lo=array([[1.25]]), hi=array([[1.25]]))
    """
    return _product(A, a, b, lambda x, y: x @ y.T)


def sample_product(A: Arithmetic, a: Interval, b: Interval) -> Interval:
    """Products of each row of ``a`` with the rows of a matrix of its own, ``b`` of shape ``(N, O, K)``.

    >>> from refsim.conformance.admissible import FLOAT32, Arithmetic
    >>> from refsim.conformance.admissible.interval import point
    >>> sample_product(Arithmetic(FLOAT32), point([[0.5], [2.0]]), point([[[1.0]], [[3.0]]]))
    Interval(lo=array([[0.5],
           [6. ]]), hi=array([[0.5],
           [6. ]]))
    """
    return _product(A, a, b, lambda x, y: (y @ x[:, :, None])[:, :, 0])


def _product(A: Arithmetic, a: Interval, b: Interval, contracted: Contraction) -> Interval:
    """Products by midpoints and radii."""
    profile, K = A.profile, a.lo.shape[1]
    (am, ar), (bm, br) = _middle(a, profile.operand), _middle(b, profile.operand)
    center, size = contracted(am, bm), contracted(np.abs(am), np.abs(bm))
    radius = np.zeros_like(center)
    if ar.any():
        radius = radius + contracted(ar, np.abs(bm) + br)
    if br.any():
        radius = radius + contracted(np.abs(am), br)
    grow = 1 + 2 * own_error(K)
    radius, size = radius * grow, size * grow
    magnitude = (size + radius) * grow
    error = profile.gamma(K) * magnitude
    if profile.lanes is not None:
        error = np.minimum(error, _error_in_order(profile, am, bm, magnitude, radius))
    error, own = error + K * A.format.least, own_error(K) * size + K * 2.0**-1074
    exact, own_exact = _exact(A, am, ar, bm, br, magnitude)
    bound = np.where(exact, 0.0, error) + np.where(own_exact, 0.0, own) + radius
    bound = np.where(bound == 0, 0.0, np.nextafter(bound * grow, np.inf))
    return A.rounded(_around(center, center, bound, (bound == 0) & np.isfinite(center)))


def _around(lo: Any, hi: Any, bound: Any, sharp: Any) -> Interval:
    """Ends with an error bound, or without where they are sharp; no limit where float64 overflows."""
    wide = outward(lo - bound, hi + bound)
    finite = np.isfinite(wide.lo) & np.isfinite(wide.hi)
    wide = Interval(np.where(finite, wide.lo, -np.inf), np.where(finite, wide.hi, np.inf))
    return Interval(np.where(sharp, lo, wide.lo), np.where(sharp, hi, wide.hi))


def _middle(a: Interval, operand: float) -> tuple[Floats, Floats]:
    """Midpoints, and radii around them that hold the intervals."""
    if operand == 0 and (a.lo is a.hi or np.array_equal(a.lo, a.hi)):
        return a.lo, np.zeros_like(a.lo)
    middle = a.lo + (a.hi - a.lo) / 2
    radius = np.maximum(a.hi - middle, middle - a.lo)
    radius = np.where(a.lo == a.hi, 0.0, np.nextafter(radius, np.inf))
    if operand > 0:
        radius = np.nextafter(radius + operand * a.magnitude * (1 + 4 * OWN), np.inf)
    return middle, radius


def _exact(
    A: Arithmetic, am: Floats, ar: Floats, bm: Floats, br: Floats, magnitude: Floats
) -> tuple[Any, Any]:
    """Where every order gives the exact sum, in the format and in float64."""
    if ar.any() or br.any() or magnitude.size == 0:
        return False, False
    quantum = _quantum(am) + _quantum(bm)
    if quantum < max(A.format.least_exponent, -1022):
        return False, False
    p = min(A.format.precision, A.profile.accumulator.precision)
    return magnitude < 2.0 ** min(p + quantum, 1023), magnitude < 2.0 ** min(53 + quantum, 1023)


def _quantum(x: Floats) -> int:
    """Exponent of the largest power of two of which all numbers are multiples."""
    fraction, exponent = np.frexp(x)
    n = np.ldexp(fraction, 53).astype(np.int64)
    _, last = np.frexp((n & -n).astype(np.float64))
    place = exponent.astype(np.int64) - 53 + last - 1
    return int(place[x != 0].min(initial=2**12))


def _error_in_order(
    profile: Profile, am: Floats, bm: Floats, magnitude: Floats, radius: Floats
) -> Floats:
    """Running error bound: the unit roundoff times the magnitudes of all terms and partial sums."""
    assert profile.lanes is not None
    K = am.shape[1]
    lanes = min(profile.lanes, max(K, 1))
    rows, own = max(1, CHUNK // max(1, K * bm.shape[-2])), bm.ndim == 3
    starts = range(0, len(am), rows)
    nodes = [
        _node_sizes(am[i : i + rows], bm[i : i + rows] if own else bm[None], lanes) for i in starts
    ]
    sizes = np.concatenate(nodes) if nodes else np.zeros_like(magnitude)
    below = profile.gamma(K) * magnitude + radius + own_error(K) * magnitude
    steps = K + 2 * lanes
    bound = profile.accumulator.unit * (sizes * (1 + 2 * own_error(K)) + magnitude + steps * below)
    return np.asarray(bound * (1 + 2 * own_error(8)))


def _node_sizes(am: Floats, bm: Floats, lanes: int) -> Floats:
    """Sums of the magnitudes of all partial sums in the order of so many lanes."""
    terms = am[:, None, :] * bm
    N, O, K = terms.shape
    steps = -(-K // lanes)
    padded = np.zeros((N, O, steps * lanes))
    padded[:, :, :K] = terms
    partial = padded.reshape(N, O, steps, lanes).cumsum(axis=2)
    sizes: Floats = np.abs(partial[:, :, 1:]).sum(axis=(2, 3))
    last = partial[:, :, -1] if steps else np.zeros((N, O, 0))
    while last.shape[2] > 1:
        half = -(-last.shape[2] // 2)
        second = np.zeros((N, O, half))
        second[:, :, : last.shape[2] - half] = last[:, :, half:]
        last = last[:, :, :half] + second
        sizes = sizes + np.abs(last).sum(axis=2)
    return sizes
