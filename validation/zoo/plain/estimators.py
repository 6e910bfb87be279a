"""Ranges of quantisers from data."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim.config import RangeEstimators
from refsim.errors import Unsupported

from .arithmetic import Arithmetic
from .state import State

Array = Any
SUPPORTED = (
    RangeEstimators.current_minmax,
    RangeEstimators.allminmax,
    RangeEstimators.running_minmax,
)


class Estimators(Arithmetic, State):
    """Section F.2 of the description, without searches."""

    def estimated_range(self, name: str, x: Array, act: Any) -> tuple[Array, Array]:
        """Ends of the range for this tensor; ``act`` is the configuration of outputs, None for the periphery."""
        lo, hi = self.extremes(x)
        kind = RangeEstimators.current_minmax if act is None else act.range_estimator
        if kind == RangeEstimators.current_minmax:
            percentile = None if act is None else act.range_estimator_params.percentile
            return self.percentiles(x, percentile) if percentile else (lo, hi)
        before = self.values.get(f"{name}.estimator.lo"), self.values.get(f"{name}.estimator.hi")
        if before[0] is not None:
            lo, hi = self.remembered(kind, act, (before[0][0], before[1][0]), (lo, hi))
        self.values[f"{name}.estimator.lo"] = np.full(1, lo, self.T)
        self.values[f"{name}.estimator.hi"] = np.full(1, hi, self.T)
        return lo, hi

    def extremes(self, x: Array) -> tuple[Array, Array]:
        """Smallest and largest number."""
        return x.min(), x.max()

    def percentiles(self, x: Array, p: float) -> tuple[Array, Array]:
        """Percentiles in place of the extremes."""
        both = self.config.choices.percentile == "two_sided"
        return self.percentile(x, p), self.percentile(x, 100 - p) if both else x.max()

    def percentile(self, x: Array, p: float) -> Array:
        """One percentile, linear between neighbours."""
        return self.T(np.percentile(x, p))

    def remembered(
        self, kind: Any, act: Any, before: tuple[Array, Array], new: tuple[Array, Array]
    ) -> tuple[Array, Array]:
        """The range after one more tensor."""
        if kind == RangeEstimators.allminmax:
            return self.widest(before, new)
        m = act.range_estimator_params.momentum
        return self.moving(before[0], new[0], m), self.moving(before[1], new[1], m)

    def widest(self, before: tuple[Array, Array], new: tuple[Array, Array]) -> tuple[Array, Array]:
        """The range of all data so far."""
        return np.minimum(before[0], new[0]), np.maximum(before[1], new[1])

    def moving(self, before: Array, new: Array, momentum: float) -> Array:
        """One step of a moving average."""
        return self.muladd(self.setting(momentum), before, self.setting(1 - momentum) * new)

    def check_estimator(self, act: Any) -> None:
        """Refuse estimators that search."""
        if act is not None and act.n_bits > 0 and act.range_estimator not in SUPPORTED:
            raise Unsupported(f"no range estimator {act.range_estimator}")
