"""The squared error of many quantisers of the same data (clause RE-9), a step for each level, not for each number.

Sorted data fall into runs of one level each. With ``q[j]`` the value of run ``j``, ``n[j]`` its length, ``i[j]`` its
first number and ``R[i]`` the sum of the numbers from ``i`` on, the error is

    sum x * x + sum_j q[j] * (n[j] * q[j]) - 2 * sum_j (q[j] - q[j - 1]) * R[i[j]],   q[-1] = 0 .

All factors are exact in float64, but for ``R``, which is a sum of two numbers and within ``d`` of the exact one. The
result is a running sum as in the clauses SU; where its interval leaves the rounding open, all terms are added exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._jit import compiled
from . import threads
from .arrays import Array, Float64, Index, Scalar, plain
from .points import P
from .sums import LANES, SEGMENT, decided, settled, zeros

LARGEST_LEVEL = 2**20
LARGEST = float(np.finfo(np.float64).max)
NEGLIGIBLE, SMALL_ROOT = 2.0**-800, 2.0**-400
"""What counts as doubt, so that no product of it loses digits, and its root."""
SMALLEST_SCALE = 1e-30
"""Below it the products of a run could lose digits."""
FEW = 4
"""Quantisers, or numbers in a run, below which it does not pay to sort."""
LOSS = np.dtype(np.float64)
Codes = tuple[Scalar, Scalar]


class Sorted(NamedTuple):
    """Numbers in ascending order and what is computed of them once.

    ``first[b]`` is the place of the first number in bucket ``b`` of an equal division of their range; ``start`` and
    ``density`` take a number to its bucket. ``tails[i]`` is the sum from ``i`` on in two parts, within ``doubt``.
    ``squares`` is a running sum of the squares.
    """

    x: Array
    first: Index
    start: float
    density: float
    tails: Float64
    doubt: float
    squares: Float64


@compiled
def _bucket(x: float, start: float, density: float, count: int) -> int:
    """Bucket of a number: monotone, and 0 where it is not defined."""
    place = (x - start) * density
    if place >= count - 1:
        return count - 1
    return int(place) if place > 0 else 0


@compiled
def _fill(x: Array, start: float, density: float, first: Index, tails: Float64) -> float:
    """Buckets and tail sums of ascending numbers; returns the doubt of the tails."""
    buckets = first.size - 1
    for i in range(x.size):
        first[_bucket(np.float64(x[i]), start, density, buckets) + 1] += 1
    for b in range(buckets):
        first[b + 1] += first[b]
    s = c = d = lost = 0.0
    for i in range(x.size - 1, -1, -1):
        s, c, d = P.add_term(s, c, d, np.float64(x[i]))
        tails[i, 0], tails[i, 1] = s, c
        if abs(c) < NEGLIGIBLE and c != 0.0:
            tails[i, 1], lost = 0.0, NEGLIGIBLE
    return d + lost


@compiled
def _squares(x: Array, out: Float64) -> None:
    s, c, d = 0.0, 0.0, 0.0
    for i in range(x.size):
        v = np.float64(x[i])
        if abs(v) < SMALL_ROOT:
            d += NEGLIGIBLE if v != 0.0 else 0.0
        else:
            s, c, d = P.add_product(s, c, d, v, v)
    out[0], out[1], out[2] = s, c, d


def _sorted(x: Array) -> Sorted:
    x = np.sort(x)
    start, width = float(x[0]), float(x[-1]) - float(x[0])
    density = x.size / width if x.size < width * LARGEST and width < LARGEST else 0.0
    first, tails, squares = np.zeros(x.size + 1, np.int64), np.zeros((x.size + 1, 2)), np.empty(3)
    doubt = _fill(x, start, density, first, tails)
    _squares(x, squares)
    return Sorted(x, first, start, density, tails, doubt, squares)


@compiled
def _place(data: Sorted, edge: Scalar) -> int:
    """Number of values below an edge."""
    b = _bucket(np.float64(edge), data.start, data.density, data.first.size - 1)
    low, high = data.first[b], data.first[b + 1]
    while low < high:
        middle = (low + high) >> 1
        if data.x[middle] < edge:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _edges(scale: Scalar, lowest: Scalar, edges: Array, values: Array) -> None:
    """Values of consecutive levels, and the smallest number of each but the lowest."""
    T = type(scale)
    for j in range(edges.size):
        k = P.add(lowest, T(j))
        values[j] = P.mul(scale, k)
        edges[j] = P.first_of_level(scale, k)


@compiled
def _factors(data: Sorted, edges: Array, values: Array, factors: Float64) -> None:
    """The factors of the products of each run: ``q``, ``n * q`` in two parts, ``-2 * (q - q')``, ``R`` in two parts."""
    count = edges.size
    begin, before = 0, type(values[0])(0)
    for j in range(count):
        end = _place(data, edges[j + 1]) if j + 1 < count else data.x.size
        q, n = np.float64(values[j]), np.float64(end - begin)
        product = P.mul(n, q)
        q_high, q_low = P.split(q)
        n_high, n_low = P.split(n)
        factors[0, j], factors[1, j] = q, product
        factors[2, j] = P.product_error(product, n_high, n_low, q_high, q_low)
        factors[3, j] = -2.0 * np.float64(P.add(values[j], -before))
        factors[4, j], factors[5, j] = data.tails[begin, 0], data.tails[begin, 1]
        begin, before = end, values[j]


@compiled
def _products(x: Float64, y: Float64, lanes: Float64) -> None:
    """Adds the products of two arrays to the running sums of the lanes."""
    s, c, d = lanes[0], lanes[1], lanes[2]
    for start in range(0, x.size, LANES):
        xk, yk = x[start:], y[start:]
        for j in range(min(LANES, xk.size)):
            s[j], c[j], d[j] = P.add_product(s[j], c[j], d[j], xk[j], yk[j])


@compiled
def _run_sums(
    data: Sorted, values: Array, factors: Float64, lanes: Float64
) -> tuple[float, float, float]:
    """Running sum of the squared errors from the factors of all runs."""
    count = values.size
    lanes[:] = 0
    _products(factors[0, :count], factors[1, :count], lanes)
    if values.itemsize == 8:
        _products(factors[0, :count], factors[2, :count], lanes)
    _products(factors[3, :count], factors[4, :count], lanes)
    _products(factors[3, :count], factors[5, :count], lanes)
    s, c, d = lanes[0], lanes[1], lanes[2]
    P.fold(s, c, d)
    largest = np.float64(abs(values[0])) + np.float64(values[-1] - values[0])
    doubt = d[0] + 2.0 * data.doubt * largest
    squares = data.squares
    total, rest, more = P.join(s[0], c[0], doubt, squares[0], squares[1], squares[2])
    return total, rest, more


@compiled
def _by_runs(
    begin: int,
    end: int,
    data: Sorted,
    order: Index,
    scale: Array,
    zero: Array,
    codes: Codes,
    s: Float64,
    c: Float64,
    d: Float64,
) -> None:
    """Running sums of the squared errors of quantisers ``order[begin], ..., order[end - 1]``."""
    size = int(codes[1] - codes[0]) + 1
    edges, values = np.empty(size, data.x.dtype), np.empty(size, data.x.dtype)
    factors, lanes = np.empty((6, size)), np.empty((3, LANES))
    for n in range(begin, end):
        k = order[n]
        lowest = P.add(P.code(data.x[0], scale[k], zero[k], codes[0], codes[1]), -zero[k])
        highest = P.add(P.code(data.x[-1], scale[k], zero[k], codes[0], codes[1]), -zero[k])
        s[k], c[k], d[k] = 0.0, 0.0, np.inf
        if 0 <= highest - lowest < size and SMALLEST_SCALE < scale[k] < np.inf:
            count = int(highest - lowest) + 1
            _edges(scale[k], lowest, edges[:count], values[:count])
            _factors(data, edges[:count], values[:count], factors)
            s[k], c[k], d[k] = _run_sums(data, values[:count], factors, lanes)


@compiled
def _differences(
    x: Array, scale: Scalar, zero: Scalar, codes: Codes, a: Float64, e: Float64
) -> float:
    """Errors of numbers, exact as ``a + e``; returns the largest magnitude of ``e``."""
    for j in range(x.size):
        q = np.float64(P.quantised(x[j], scale, zero, codes[0], codes[1]))
        a[j], e[j] = P.two_sum(np.float64(x[j]), -q)
    largest = 0.0
    for j in range(x.size):
        largest = max(largest, abs(e[j]))
    return largest


@compiled
def _by_numbers(
    begin: int,
    end: int,
    x: Array,
    scale: Array,
    zero: Array,
    codes: Codes,
    s: Float64,
    c: Float64,
    d: Float64,
) -> None:
    """The same, from the errors of each number, most of which are one number of float64."""
    lanes, errors = np.empty((3, LANES)), np.empty((3, SEGMENT))
    for k in range(begin, end):
        lanes[:] = 0
        for start in range(0, x.size, SEGMENT):
            part = x[start : start + SEGMENT]
            a, e, twice = errors[0, : part.size], errors[1, : part.size], errors[2, : part.size]
            largest = _differences(part, scale[k], zero[k], codes, a, e)
            _products(a, a, lanes)
            if largest != 0:
                for j in range(part.size):
                    twice[j] = a[j] + a[j]
                _products(twice, e, lanes)
                _products(e, e, lanes)
        P.fold(lanes[0], lanes[1], lanes[2])
        s[k], c[k], d[k] = lanes[0, 0], lanes[1, 0], lanes[2, 0]


@compiled
def _values(x: Array, scale: Scalar, zero: Scalar, codes: Codes, out: Float64) -> None:
    for i in range(x.size):
        out[i] = P.quantised(x[i], scale, zero, codes[0], codes[1])


def _all_terms(
    x: Array, scale: Array, zero: Array, codes: Codes, chosen: Index
) -> tuple[Float64, Float64]:
    """Factors of all products of some quantisers: ``x * x``, twice ``-q * x``, and ``q * q``."""
    wide = x.astype(np.float64)
    left, right = np.empty((2, len(chosen), 4, x.size))
    for row, k in enumerate(chosen):
        q = np.empty(x.size)
        _values(x, scale[k], zero[k], codes, q)
        left[row], right[row] = (wide, -q, -q, q), (wide, wide, wide, q)
    return left.reshape(len(chosen), -1), right.reshape(len(chosen), -1)


def _from_numbers(x: Array, scale: Array, zero: Array, codes: Codes) -> Array:
    """Squared errors from all numbers: right for any, and the cheapest for few quantisers."""
    running, worthwhile = zeros(scale.size), scale.size * x.size > threads.ELEMENTS
    threads.run(_by_numbers, scale.size, worthwhile, x, scale, zero, codes, *running)
    return settled(running, LOSS, lambda k: _all_terms(x, scale, zero, codes, k))


def _from_runs(x: Array, scale: Array, zero: Array, codes: Codes) -> Array:
    """Squared errors from runs of a level, and from all numbers where these leave the rounding open."""
    count, parts, running = scale.size, threads.get_num_threads(), zeros(scale.size)
    order = np.concatenate([np.arange(start, count, parts) for start in range(parts)])
    worthwhile = count * int(codes[1] - codes[0]) > threads.ELEMENTS
    threads.run(_by_runs, count, worthwhile, _sorted(x), order, scale, zero, codes, *running)
    out, undecided = decided(running, LOSS)
    if undecided.any():
        out[undecided] = _from_numbers(x, scale[undecided], zero[undecided], codes)
    return out


def squared_errors(
    x: Array, scale: Array, zero: Array, int_min: Scalar, int_max: Scalar
) -> Float64:
    """Sum of the squared errors of several quantisers. [RE-9]"""
    losses = np.empty((len(x), len(scale)))
    levels = int(int_max) - int(int_min) + 1
    by_runs = len(scale) >= FEW and levels <= LARGEST_LEVEL and levels * FEW <= x.shape[1]
    for g, row in enumerate(plain(x)):
        chosen = _from_runs if by_runs else _from_numbers
        losses[g] = chosen(row, plain(scale), plain(zero), (int_min, int_max))
    return losses


__all__ = ["squared_errors"]
