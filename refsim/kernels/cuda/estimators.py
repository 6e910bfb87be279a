"""Range of a quantiser from the extremes of data (clauses RE)."""

from __future__ import annotations

from numba import cuda

from ..cpu.arrays import Array, Scalar
from . import extremes
from .device import computed_on_device, empty, flat, launch
from .points import P, kernel


@computed_on_device
def value_range(x: Array) -> tuple[Array, Array]:
    """Smallest and largest number of each row. [RE-1]"""
    lo, _ = extremes.of_rows(x, extremes.SMALLEST)
    hi, _ = extremes.of_rows(x, extremes.LARGEST)
    return lo, hi


@kernel
def _widest(lo: Array, hi: Array, old_lo: Array, old_hi: Array, below: Array, above: Array) -> None:
    for g in range(cuda.grid(1), lo.size, cuda.gridsize(1)):
        below[g] = lo[g] if lo[g] < old_lo[g] else old_lo[g]
        above[g] = hi[g] if hi[g] > old_hi[g] else old_hi[g]


@computed_on_device
def widest_range(lo: Array, hi: Array, old_lo: Array, old_hi: Array) -> tuple[Array, Array]:
    """Range that holds all data so far. [RE-3]"""
    below, above = empty(lo.shape, lo.dtype), empty(lo.shape, lo.dtype)
    given = (flat(x) for x in (lo, hi, old_lo, old_hi, below, above))
    launch(_widest, lo.size, *given)
    return below, above


@kernel
def _moved(new: Array, old: Array, fresh: Scalar, kept: Scalar, out: Array) -> None:
    for g in range(cuda.grid(1), new.size, cuda.gridsize(1)):
        out[g] = P.add(P.mul(kept, old[g]), P.mul(fresh, new[g]))


@computed_on_device
def moving_range(
    lo: Array, hi: Array, old_lo: Array, old_hi: Array, fresh: Scalar, kept: Scalar
) -> tuple[Array, Array]:
    """Moving average of ranges. [RE-4]"""
    below, above = empty(lo.shape, lo.dtype), empty(lo.shape, lo.dtype)
    launch(_moved, lo.size, flat(lo), flat(old_lo), fresh, kept, flat(below))
    launch(_moved, hi.size, flat(hi), flat(old_hi), fresh, kept, flat(above))
    return below, above


__all__ = ["moving_range", "value_range", "widest_range"]
