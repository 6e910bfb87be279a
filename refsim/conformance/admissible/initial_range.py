"""The input range that a pass starts with, and its counter: initialised from data, or as stored (clause IR-1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from refsim.tile.settings import Range

from .arithmetic import Arithmetic
from .deviation import deviation
from .interval import Floats, Interval, hull, near, point

__all__ = ["RangeStart", "averaged", "magnitude", "range_start"]


@dataclass(frozen=True)
class RangeStart:
    """What the range of a pass may be.

    Parameters
    ----------
    deviation
        Standard deviations of the batch, None where the range is not initialised from it.
    branches
        The range and the counter after the pass: of a batch that is counted, of one that is not, or of both where
        both are possible.
    own
        What refsim has for the stages ``deviation`` and ``input_range``.
    """

    deviation: Interval | None
    branches: tuple[tuple[Interval, float], ...]
    own: Mapping[str, Any]

    @property
    def ranges(self) -> list[Interval]:
        """The range in each branch."""
        return [r for r, _ in self.branches]

    @property
    def counters(self) -> list[float]:
        """The counter in each branch."""
        return [counter for _, counter in self.branches]

    def used(self, A: Arithmetic, stages: Mapping[str, Floats]) -> Interval:
        """The range that the pass goes on with: that of the implementation, if it shows one that can be used."""
        shown = stages.get("input_range")
        if shown is not None and shown.size == 1 and np.isfinite(shown).all() and shown.all():
            return near(shown.reshape(1), hull(*self.ranges), A.hidden)
        return hull(*self.ranges)


def range_start(
    A: Arithmetic, tile: Any, s: Range, x: Interval, stages: Mapping[str, Floats]
) -> RangeStart:
    """The range of a pass with a batch, as the clause makes it of the stored one.

    Raises
    ------
    RangeError
        If the range would be 0, NaN or infinite.
    """
    stored, counter = tile.value("input_range"), float(tile.buffers["input_range_update_idx"][0])
    r = point(stored)
    if not (tile.training and len(x.lo) and counter < s.init_batches):
        tile.checked_range(stored[0])
        starts = [r]
        if tile.training and counter < s.init_batches and r.lo[0] < 0:
            starts.append(magnitude(r))  # an empty batch may count as one that does not count
        return RangeStart(None, tuple((r, counter) for r in starts), {"input_range": stored[0]})
    found = deviation(A, x) if x.lo.size > 1 else point(0.0)
    branches = _branches(A, r, counter, s, _shown(A, stages, found))
    if not any(_usable(each) for each, _ in branches):
        branches = _branches(A, r, counter, s, found)
    if not any(_usable(each) for each, _ in branches):
        tile.checked_range(branches[0][0].hi[0])
    return RangeStart(found, tuple(branches), _own(tile, s, x.lo))


def _shown(A: Arithmetic, stages: Mapping[str, Floats], found: Interval) -> Interval:
    """The standard deviation of the implementation, if it shows one that can be."""
    shown = stages.get("deviation")
    if shown is None or shown.size != 1 or not 0 <= shown.reshape(-1)[0] < np.inf:
        return found
    return near(shown.reshape(()), found, A.hidden)


def _branches(
    A: Arithmetic, r: Interval, counter: float, s: Range, sigma: Interval
) -> list[tuple[Interval, float]]:
    """The range and its counter if the batch is counted, and if it is not, as far as both are possible."""
    branches = []
    if sigma.hi > 0:
        branches.append((averaged(A, r, counter, A.setting(s.init_std_alpha), sigma), counter + 1))
    if not sigma.lo > 0:
        branches.append((magnitude(r), counter))
    return branches


def _own(tile: Any, s: Range, x: Floats) -> dict[str, Any]:
    """Deviation and range as refsim has them."""
    T, ops, r = tile.dtype.type, tile.ops, tile.value("input_range")[0]
    sigma = ops.standard_deviation(x.astype(T)) if x.size > 1 else T(0)
    if sigma > 0:
        counter = T(tile.buffers["input_range_update_idx"][0])
        r = ops.range_from_data(r, counter, sigma, T(s.init_std_alpha))
    return {"deviation": sigma, "input_range": np.abs(r)}


def averaged(
    A: Arithmetic, r: Interval, counter: float, alpha: Interval, sigma: Interval
) -> Interval:
    """The running mean of the ranges that the batches suggest."""
    k = point(counter)
    past, new = A.product(r, k), A.product(alpha, sigma)
    both = hull(A.product_sum(r, k, new), A.product_sum(alpha, sigma, past))
    return magnitude(A.quotient(both, point(counter + 1)))


def _usable(r: Interval) -> bool:
    """Whether an implementation may be able to divide by it."""
    return bool(r.hi[0] > 0 and np.isfinite(r.lo[0]))


def magnitude(r: Interval) -> Interval:
    """The magnitudes of ranges."""
    return Interval(r.least_magnitude, r.magnitude)
