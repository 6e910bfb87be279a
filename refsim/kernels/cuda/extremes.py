"""The largest of many numbers and where it stands first, shared by several lanes like the sums of :mod:`.settle`."""

from __future__ import annotations

import numpy as np
from numba import cuda

from ..cpu.arrays import Array, Index
from .device import DeviceArray, empty, launch
from .points import P, device_function, kernel
from .settle import ENOUGH, LANE

LARGEST, LARGEST_SIZE, SMALLEST = 0, 1, 2
"""What is looked for: the largest number, the largest magnitude or the smallest number."""


@device_function
def _considered(x: Array, what: int) -> Array:
    """The number whose order counts; NaN comes first in any case."""
    if what == LARGEST_SIZE:
        return abs(x)
    return -x if what == SMALLEST else x


@kernel
def _search_lanes(v: Array, what: int, lanes: int, place: Index) -> None:
    """The place of the first extreme number of each lane; lane ``l`` of row ``n`` is element ``l * rows + n``."""
    count, width = v.shape
    for i in range(cuda.grid(1), count * lanes, cuda.gridsize(1)):
        n, best = i % count, i // count
        key = P.order(_considered(v[n, best], what))
        for k in range(best + lanes, width, lanes):
            other = P.order(_considered(v[n, k], what))
            if other > key:
                best, key = k, other
        place[i] = best


@kernel
def _join_lanes(v: Array, what: int, lanes: int, left: int, place: Index, place2: Index) -> None:
    """Joins ``lanes`` places of each row into ``left`` of them; of equal numbers the first counts."""
    count = v.shape[0]
    for i in range(cuda.grid(1), count * left, cuda.gridsize(1)):
        n, best = i % count, place[i]
        key = P.order(_considered(v[n, best], what))
        for lane in range(i // count + left, lanes, left):
            k = place[lane * count + n]
            other = P.order(_considered(v[n, k], what))
            if other > key or (other == key and k < best):
                best, key = k, other
        place2[i] = best


@kernel
def _peaks(v: Array, what: int, place: Index, peak: Array) -> None:
    for n in range(cuda.grid(1), peak.size, cuda.gridsize(1)):
        value = v[n, place[n]]
        peak[n] = P.without_sign_of_zero(abs(value) if what == LARGEST_SIZE else value)


@kernel
def _nothing(peak: Array, place: Index) -> None:
    for n in range(cuda.grid(1), peak.size, cuda.gridsize(1)):
        peak[n], place[n] = 0, 0


def of_rows(v: DeviceArray, what: int) -> tuple[DeviceArray, DeviceArray]:
    """The extreme number of each row, ``+0`` for an empty one, and where it stands first."""
    (count, width), peak = v.shape, empty(v.shape[0], v.dtype)
    lanes = max(1, min(-(-width // LANE), ENOUGH // max(1, count)))
    place = empty(count * lanes, np.int64)
    if width == 0:
        launch(_nothing, count, peak, place)
        return peak, place
    launch(_search_lanes, count * lanes, v, what, lanes, place)
    while lanes > 1:
        left, before = -(-lanes // LANE), place
        place = empty(count * left, np.int64)
        launch(_join_lanes, count * left, v, what, lanes, left, before, place)
        lanes = left
    launch(_peaks, count, v, what, place, peak)
    return peak, place
