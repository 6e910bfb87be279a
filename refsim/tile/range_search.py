"""Estimators that search the range whose quantiser loses least: over a grid of ranges, or by golden section."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from refsim.config import MSEEstimatorParams
from refsim.errors import ConfigError, ShapeError, StateError
from refsim.spec.sums import Array, Scalar

MOST_CANDIDATES = 2**23
"""Ranges of one search over a grid."""
SMALLEST_SHARE = 0.01
"""Where a golden section begins, as a share of the largest range."""
Estimate = tuple[Array, Array, dict[str, Array]]


class Loss:
    """What a quantiser loses, for several ranges of each row at once.

    Parameters
    ----------
    ops
        What computes.
    n_bits, symmetric
        The quantiser.
    of_softmax
        Whether the loss is the cross-entropy of the softmax along axis 1, and not the squared error.
    """

    def __init__(self, ops: Any, n_bits: int, symmetric: bool, of_softmax: bool) -> None:
        self.ops, self.n_bits, self.symmetric = ops, n_bits, symmetric
        self.of_softmax = of_softmax

    @np.errstate(all="ignore")
    def losses(self, x: Array, rows: Array, lo: Array, hi: Array) -> Array:
        """Clauses RE-9 or RE-10 for the grid over each range; a StateError if one is not finite."""
        grid = self._grid(lo, hi)
        if self.of_softmax:
            if x.ndim < 2:
                raise ShapeError(
                    f"x has the shape {x.shape}, but cross_entropy needs classes along axis 1."
                )
            classes = np.ascontiguousarray(np.moveaxis(x, 1, -1)).reshape(-1, x.shape[1])
            losses = self.ops.softmax_losses(classes, *grid)
        else:
            losses = self.ops.squared_errors(rows, *grid)
        if not np.isfinite(losses).all():
            raise StateError("the loss of a range overflows float64; the data are too large.")
        return losses

    def _grid(self, lo: Array, hi: Array) -> tuple[Array, Array, Scalar, Scalar]:
        """Scales and zero points in the type of the data, and the code range, by the clauses QU."""
        ops, T = self.ops, lo.dtype
        lo, hi = ops.quantiser_range(lo, hi)
        int_min, int_max = ops.code_range(lo, self.n_bits, self.symmetric)
        if int_max == 0:
            raise StateError(
                "a search for 1 bit met data below zero, allowed are 2 bits or more, or symmetric=False."
            )
        if self.symmetric:
            step = ops.symmetric_step(lo, hi, int_max)
            zero = np.zeros_like(step)
        else:
            step, place = ops.asymmetric_step(lo, hi, int_max)
            zero = ops.zero_point(place, np.float32(int_max))
        return ops.quantiser_scale(step, False).astype(T), zero.astype(T), int_min, int_max


class _Search:
    """What both searches share: the extremes of the first data limit them for good."""

    names: tuple[str, ...] = ("lo", "hi")

    def __init__(self, loss: Loss, params: MSEEstimatorParams) -> None:
        self.loss, self.ops = loss, loss.ops
        self.count, self.margin = params.num_candidates, params.range_margin
        if self.margin < 0:
            raise ConfigError(
                f"{type(params).__name__}.range_margin is {self.margin}, allowed are numbers of at least 0."
            )

    @np.errstate(all="ignore")
    def limits(
        self, rows: Array, state: Mapping[str, Array]
    ) -> tuple[dict[str, Array], tuple[Scalar, ...], bool]:
        """Extremes of the first data, the limits RE-5, and whether no number was negative."""
        lo, hi = (state["lo"], state["hi"]) if state else self.ops.value_range(rows)
        limits = self.ops.search_limits(lo, hi, rows.dtype.type(self.margin))
        if not np.isfinite(limits[2]):
            raise StateError(f"the limits of the search for a range overflow {rows.dtype}.")
        return {"lo": lo, "hi": hi}, limits, bool(lo.min() >= 0)


class GridSearch(_Search):
    """The best of a grid of ranges; the losses of each add up over the calls."""

    names: tuple[str, ...] = ("lo", "hi", "losses")

    def __init__(self, loss: Loss, params: MSEEstimatorParams) -> None:
        super().__init__(loss, params)
        skews = 1 if loss.symmetric else 2 * max(1, 2**loss.n_bits // 4)
        if self.count * skews > MOST_CANDIDATES:
            raise ConfigError(
                f"n_bits={loss.n_bits} and num_candidates={self.count} make {self.count * skews} ranges to try, "
                f"allowed are {MOST_CANDIDATES}; use fewer candidates or OptMethod.golden_section."
            )

    def estimate(self, x: Array, rows: Array, state: Mapping[str, Array]) -> Estimate:
        """Clauses RE-5 to RE-7, the losses, and RE-11."""
        first, (lower, upper, size), one_sided = self.limits(rows, state)
        if self.loss.symmetric or one_sided:
            lo, hi = self.ops.symmetric_candidates(size, self.count, one_sided)
        else:
            lo, hi = self.ops.skewed_candidates(lower, upper, size, self.count, self.loss.n_bits)
        losses, before = self.loss.losses(x, rows, lo, hi), state.get("losses")
        if before is not None and before.shape != losses.shape:
            raise StateError(
                f"the estimator remembers losses of shape {before.shape}, this search has {losses.shape}."
            )
        total, best = self.ops.least_loss(losses, before)
        return lo[best], hi[best], {**first, "losses": total}


class GoldenSection(_Search):
    """The best range by golden section, for the data at hand; only the limits are remembered."""

    def estimate(self, x: Array, rows: Array, state: Mapping[str, Array]) -> Estimate:
        """Clauses RE-5, RE-8 and the losses, row by row."""
        first, limits, one_sided = self.limits(rows, state)
        largest = float(limits[2])
        found = [self._row(x, row, largest, one_sided) for row in rows[:, None]]
        lo, hi = (np.concatenate([ends[i] for ends in found]) for i in (0, 1))
        return lo, hi, first

    def _row(self, x: Array, row: Array, largest: float, one_sided: bool) -> tuple[Array, Array]:
        """The range of one row: its size, and on an asymmetric grid its shift for each size."""

        def ends(size: float, shift: float) -> tuple[Array, Array]:
            T = row.dtype.type
            return self.ops.shifted_range(T(size), T(shift), one_sided)

        def loss(size: float, shift: float) -> float:
            return float(self.loss.losses(x, row, *ends(size, shift))[0, 0])

        def shift(size: float) -> float:
            if self.loss.symmetric or one_sided:
                return 0.0
            bound = 2**self.loss.n_bits // 4 * (2 * size / (2**self.loss.n_bits - 1))
            return _minimum(lambda moved: loss(size, moved), -bound, bound)

        size = _minimum(lambda s: loss(s, shift(s)), SMALLEST_SHARE * largest, largest)
        return ends(size, shift(size))


def _minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """The best of where SciPy's bounded scalar minimisation ends and of the two ends of the interval.

    The minimisation tries no end itself, and there is the minimum where data exceed the limits of the search.
    """
    from scipy.optimize import minimize_scalar

    if not low < high:
        return low
    found = float(minimize_scalar(function, bounds=(low, high), method="bounded").x)
    return min((found, low, high), key=function)


__all__ = ["GoldenSection", "GridSearch", "Loss"]
