"""The flip budget: each flip of a code may be admissible, and yet there may be too many of them.

A sum of ``K`` products in the accumulator's format errs by about ``u sqrt(K) ||d * w||`` (Higham and Mary 2019, the
errors of roundings taken as independent). An output flips if that error carries it over the boundary between two
codes, so the expected number of flips is a sum of probabilities; Poisson's law with ``SLACK`` times that number says
how many are too many. Only this budget is statistical; single verdicts are not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from scipy import special, stats

from refsim.config import RPUDataType
from refsim.conformance.admissible import Profile, arithmetic_of
from refsim.conformance.admissible.interval import point
from refsim.conformance.admissible.sums import matrix_product
from refsim.tile import TorchInferenceTile
from refsim.tile.settings import DATA_TYPES, core

from .play import Observation
from .reference import Reference

__all__ = ["FlipBudget"]

SLACK: Final = 4.0
FALSE_ALARM: Final = 1e-9
WIDE: Final = DATA_TYPES[RPUDataType.DOUBLE]
COUNTER: Final = "input_range_update_idx"


@dataclass
class FlipBudget:
    """Flips of output codes over many cases.

    Parameters
    ----------
    profile
        The declared arithmetic.

    Examples
    --------
    >>> from refsim.conformance.admissible import FLOAT32
    >>> budget = FlipBudget(FLOAT32, codes=100_000, observed=12, expected=3.5)
    >>> budget.allowed, budget.kept
    (43, True)
    """

    profile: Profile
    codes: int = 0
    observed: int = 0
    expected: float = 0.0
    most: Any = field(default=None, repr=False)
    _bound: float = field(default=np.inf, repr=False)

    @property
    def allowed(self) -> int:
        """The number of flips that is exceeded by chance once in 10**9 runs."""
        return int(stats.poisson.isf(FALSE_ALARM, SLACK * self.expected + 0.5))

    @property
    def kept(self) -> bool:
        """Whether there are not too many."""
        return self.observed <= self.allowed

    def count(self, tile: Any, case: Any, seen: Observation, own: Reference) -> None:
        """Take one step into account: codes of an implementation that shows them, or outputs a step apart."""
        stages = own.stages
        if type(tile) is not TorchInferenceTile or "rounded_output" not in stages:
            return
        if not np.array_equal(seen.passed.get(COUNTER, 0), own.state.get(COUNTER, 0)):
            return  # a batch was counted by one and not by the other, so the ranges differ
        adc = core(tile.config.forward, WIDE, tile.config.choices.output_clip_mask).adc
        if adc.step == 0:
            return
        step, self._bound = float(adc.step), float(adc.bound)
        flipped = self._flipped(seen, own, step)
        self.codes += flipped.size
        self.expected += float(self._probability(stages, step).sum())
        self.observed += int(flipped.sum())
        if flipped.any() and self.most is None:
            self.most = case

    def _flipped(self, seen: Observation, own: Reference, step: float) -> Any:
        shown = seen.stages.get("rounded_output")
        if shown is not None and np.size(shown) == own.stages["rounded_output"].size:
            apart = np.ravel(shown).astype(float) - np.ravel(own.stages["rounded_output"])
            return np.abs(apart) > step / 2
        factor = self._factor(own)
        apart = (np.asarray(seen.output, dtype=float) - own.output).reshape(factor.shape)
        return np.abs(apart) > np.abs(factor) * step / 2

    def _factor(self, own: Reference) -> Any:
        """What one unit of a code is worth in the output."""
        stages = own.stages
        code, core = stages["output_code"].astype(float), stages["core_output"].astype(float)
        scale = np.divide(core, code, out=np.zeros_like(core), where=code != 0).max(
            axis=1, initial=0.0
        )
        scaled = stages["scaled_output"].astype(float)
        kappa = np.divide(scaled, core, out=np.zeros_like(core), where=core != 0)
        largest = np.abs(kappa).max(axis=0, initial=0.0)
        return np.where(scale == 0, np.inf, scale)[:, None] * np.where(
            largest == 0, np.inf, largest
        )

    def _probability(self, stages: dict[str, Any], step: float) -> Any:
        """The probability that the error of the sum carries an output over a boundary."""
        d = stages["converted_input"].astype(float)
        w = stages["effective_weight"].astype(float)
        if w.ndim != 2:
            return np.zeros(1)
        reach = matrix_product(arithmetic_of(self.profile), point(d), point(w))
        norm = np.sqrt((d * d) @ (w * w).T)
        u = 2.0**-self.profile.accumulator.precision
        sigma = u * np.sqrt(d.shape[1]) * norm / step
        level = stages["product"].astype(float) / step
        distance = np.abs(np.abs(level - np.floor(level)) - 0.5)
        chance = special.erfc(distance / (np.sqrt(2.0) * np.maximum(sigma, 1e-30)))
        near = np.abs(stages["product"]) <= self._bound + step
        return np.where(near & (reach.hi > reach.lo), chance, 0.0)
