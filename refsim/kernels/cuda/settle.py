"""Sums rounded once: a running sum with a bound of its error, and where that leaves the rounding open, integers.

A running sum is ``s + c`` within ``d`` of the exact sum, as on the CPU. Each sum is shared by several lanes, which take
every so-manieth term, and whose running sums are joined afterwards. What is not decided by then is added exactly in the
integers of a superaccumulator; integers may be added in any order, so the lanes meet in atomic additions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from ..cpu import exact
from ..cpu.arrays import Array, Float64, Index, Mask
from .device import DeviceArray, empty, first, launch, on_device
from .points import SIMULATED, P, kernel
from .terms import Layout, Terms

LIMBS = P.LIMBS
LANE = 4 if SIMULATED else 64
"""Terms of a lane, and lanes that one thread joins."""
ENOUGH = 8 if SIMULATED else 2**17
"""Lanes beyond which more of them do not pay."""
CHUNK = 2**15
"""Sums that are added exactly at a time."""


class Running(NamedTuple):
    """Running sums."""

    s: DeviceArray
    c: DeviceArray
    d: DeviceArray


@kernel
def _add_terms(
    x: Array,
    y: Array,
    paired: bool,
    layout: Layout,
    length: int,
    chosen: Index,
    some: bool,
    count: int,
    lanes: int,
    s: Float64,
    c: Float64,
    d: Float64,
) -> None:
    """Running sums of each lane; lane ``l`` of sum ``j`` is element ``l * count + j``."""
    per, xa, xb, xk, ya, yb, yk = layout
    exact_products = x.itemsize == 4
    for i in range(cuda.grid(1), count * lanes, cuda.gridsize(1)):
        j = chosen[i % count] if some else i % count
        group, member = j // per, j % per
        p, q = group * xa + member * xb, group * ya + member * yb
        si, ci, di = np.float64(0), np.float64(0), np.float64(0)
        for k in range(i // count, length, lanes):
            left = np.float64(x[p + k * xk])
            if not paired:
                si, ci, di = P.add_term(si, ci, di, left)
            elif exact_products:
                si, ci, di = P.add_term(si, ci, di, P.mul(left, np.float64(y[q + k * yk])))
            else:
                si, ci, di = P.add_product(si, ci, di, left, np.float64(y[q + k * yk]))
        s[i], c[i], d[i] = si, ci, di


@kernel
def _join_lanes(
    count: int,
    lanes: int,
    left: int,
    s: Float64,
    c: Float64,
    d: Float64,
    s2: Float64,
    c2: Float64,
    d2: Float64,
) -> None:
    """Joins ``lanes`` running sums of each sum into ``left`` of them."""
    for i in range(cuda.grid(1), count * left, cuda.gridsize(1)):
        si, ci, di = s[i], c[i], d[i]
        for lane in range(i // count + left, lanes, left):
            k = lane * count + i % count
            si, ci, di = P.join(si, ci, di, s[k], c[k], d[k])
        s2[i], c2[i], d2[i] = si, ci, di


@kernel
def _divide(s: Float64, c: Float64, d: Float64, divisor: float) -> None:
    for i in range(cuda.grid(1), s.size, cuda.gridsize(1)):
        s[i], c[i], d[i] = P.quotient(s[i], c[i], d[i], divisor)


@kernel
def _round(
    s: Float64,
    c: Float64,
    d: Float64,
    single: bool,
    chosen: Index,
    some: bool,
    out: Array,
    open_: Mask,
    count: Index,
) -> None:
    """Running sums rounded to the type of ``out``, and whether and how often their intervals leave that open."""
    for i in range(cuda.grid(1), s.size, cuda.gridsize(1)):
        j = chosen[i] if some else i
        lower, upper = P.ends(s[i], c[i], d[i], single)
        out[j] = upper
        rounded_up = out[j]
        out[j] = lower
        open_[i] = not P.same(out[j], rounded_up)
        if open_[i]:
            cuda.atomic.add(count, 0, 1)


@kernel
def _list_open(open_: Mask, chosen: Index, some: bool, count: Index, where: Index) -> None:
    """The numbers of the sums that are open, in any order."""
    for i in range(cuda.grid(1), open_.size, cuda.gridsize(1)):
        if open_[i]:
            where[cuda.atomic.add(count, 0, 1)] = chosen[i] if some else i


@kernel
def _add_exactly(
    x: Array,
    y: Array,
    paired: bool,
    layout: Layout,
    length: int,
    where: Index,
    begin: int,
    count: int,
    lanes: int,
    limbs: Index,
    finite: Index,
) -> None:
    """Adds the terms of some sums to their superaccumulators; ``finite`` is negative where a term is not."""
    per, xa, xb, xk, ya, yb, yk = layout
    own = cuda.local.array(LIMBS, np.int64)
    one = np.float64(1)
    for i in range(cuda.grid(1), count * lanes, cuda.gridsize(1)):
        number = i % count
        j = where[begin + number]
        group, member = j // per, j % per
        p, q = group * xa + member * xb, group * ya + member * yb
        for limb in range(LIMBS):
            own[limb] = 0
        good = True
        for k in range(i // count, length, lanes):
            left = np.float64(x[p + k * xk])
            right = np.float64(y[q + k * yk]) if paired else one
            if abs(left) < np.inf and abs(right) < np.inf:
                P.accumulate(own, left, right)
            else:
                good = False
        negative = P.carry(own)
        for limb in range(LIMBS):
            if own[limb] != 0:
                digit = -own[limb] if negative else own[limb]
                cuda.atomic.add(limbs, number * LIMBS + limb, digit)
        if not good:
            cuda.atomic.add(finite, number, -1)


@kernel
def _round_exactly(
    limbs: Index,
    finite: Index,
    divisor: int,
    format_: tuple[int, int, int, int],
    where: Index,
    begin: int,
    bits: Index,
    out: Array,
) -> None:
    """Superaccumulators over the divisor rounded once; ``bits`` is of the width of ``out``."""
    mantissa, lowest, infinity, nan = format_
    for i in range(cuda.grid(1), finite.size, cuda.gridsize(1)):
        digits = limbs[i * LIMBS : (i + 1) * LIMBS]
        negative = P.carry(digits)
        size = P.rounded_bits(digits, divisor, mantissa, lowest)
        size = size if size < infinity else infinity
        bits[i] = nan if finite[i] < 0 else size
        value = P.number(bits[i])
        out[where[begin + i]] = -value if negative and finite[i] >= 0 else value


def _lanes(terms: Terms, count: int) -> int:
    """How many lanes share a sum."""
    return max(1, min(-(-terms.length // LANE), ENOUGH // max(1, count)))


def _filled(count: int, value: int = 0) -> DeviceArray:
    """Integers on the device."""
    return on_device(np.full(count, value, np.int64))


def _chosen(places: DeviceArray | None) -> tuple[DeviceArray, bool]:
    """The numbers of some sums, or an array in their place that is not read, and whether there is a choice."""
    return (empty(1, np.int64), False) if places is None else (places, True)


def _triple(count: int) -> Running:
    return Running(*(empty(count, np.float64) for _ in range(3)))


def running(terms: Terms, chosen: DeviceArray | None = None) -> Running:
    """Running sums of all sums, or of the chosen ones."""
    count = terms.sums if chosen is None else chosen.size
    lanes = _lanes(terms, count)
    found = _triple(count * lanes)
    given = *terms[:4], terms.length, *_chosen(chosen), count, lanes
    launch(_add_terms, count * lanes, *given, *found)
    while lanes > 1:
        left, before = -(-lanes // LANE), found
        found = _triple(count * left)
        launch(_join_lanes, count * left, count, lanes, left, *before, *found)
        lanes = left
    return found


def _open(
    found: Running, T: np.dtype[Any], chosen: DeviceArray | None, out: DeviceArray
) -> DeviceArray | None:
    """Writes rounded sums; the numbers of those that are open."""
    open_, count = empty(found.s.size, np.bool_), _filled(1)
    launch(_round, found.s.size, *found, T.itemsize == 4, *_chosen(chosen), out, open_, count)
    return listed(open_, count, chosen)


def listed(
    open_: DeviceArray, count: DeviceArray, chosen: DeviceArray | None
) -> DeviceArray | None:
    """The numbers of the sums that are open; None for none."""
    size = int(first(count))
    if size == 0:
        return None
    where = empty(size, np.int64)
    launch(_list_open, open_.size, open_, *_chosen(chosen), _filled(1), where)
    return where


def _formats(T: np.dtype[Any]) -> tuple[tuple[int, int, int, int], Any]:
    unsigned, mantissa, lowest = exact.FORMATS[T]
    infinity, nan = (int(np.array(v, T).view(unsigned)) for v in (np.inf, np.nan))
    return (mantissa, lowest, infinity, nan), np.int32 if T.itemsize == 4 else np.int64


def settle_exactly(terms: Terms, where: DeviceArray, out: DeviceArray, divisor: int = 1) -> None:
    """Writes the sums of the given numbers, exact and rounded once."""
    exact.count("last", where.size)
    format_, integer = _formats(np.dtype(out.dtype))
    for begin in range(0, where.size, CHUNK):
        count = min(CHUNK, where.size - begin)
        lanes = _lanes(terms, count)
        limbs, finite = _filled(count * LIMBS), _filled(count)
        given = *terms[:4], terms.length, where, begin, count, lanes
        launch(_add_exactly, count * lanes, *given, limbs, finite)
        sums = limbs, finite, divisor, format_, where, begin, empty(count, integer)
        launch(_round_exactly, count, *sums, out)


def settle(terms: Terms, where: DeviceArray | None, out: DeviceArray) -> None:
    """Writes the sums of the given numbers: by running sums, and where these leave them open, exactly."""
    if where is None:
        return
    exact.count("open", where.size)
    rest = _open(running(terms, where), np.dtype(out.dtype), where, out)
    if rest is not None:
        settle_exactly(terms, rest, out)


def settled(terms: Terms, T: np.dtype[Any], divisor: int = 1) -> DeviceArray:
    """All sums, over the divisor, rounded once to ``T``."""
    T = np.dtype(T)
    out, found = empty(terms.sums, T), running(terms)
    if divisor > 1:
        launch(_divide, terms.sums, *found, np.float64(divisor))
    open_ = _open(found, T, None, out)
    if open_ is not None:
        exact.count("open", open_.size)
        settle_exactly(terms, open_, out, divisor)
    return out
