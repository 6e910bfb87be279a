"""Mistakes about the quantised periphery."""

from __future__ import annotations

from typing import Any

import numpy as np

from .plain.quantisers import LEARN
from .registry import mistake

Array = Any
TILE = "quantised_tile"
PERIPHERY = (TILE, "quantised_periphery")
ASYMMETRIC = (*PERIPHERY, "asymmetric_periphery")
LEARNED = (*PERIPHERY, "learned_quantisers")
OUTPUTS = (TILE, "output_quantiser")


@mistake("QU-7", "QU-8", "QU-9", needs=ASYMMETRIC)
class ZeroPointNotRounded:
    """The zero point is used as it was estimated, a fraction."""

    def whole_place(self, place: Array) -> Array:
        return place


@mistake("QU-2", "QU-3", "QU-8", "QU-6", needs=PERIPHERY)
class AlwaysSigned:
    """Codes are signed also for data without negative numbers, so half of them are never used."""

    def has_signs(self, name: str, lo: Array) -> bool:
        return self.symmetric(name)


@mistake("QU-2", "QU-3", "QU-8", "QU-6", needs=PERIPHERY)
class NeverSigned:
    """Codes begin at 0 also for data below zero."""

    def has_signs(self, name: str, lo: Array) -> bool:
        return False


@mistake("QU-3", "QU-6", "QU-4", "QU-2", needs=PERIPHERY)
class LevelsForSteps:
    """The range is divided by the number of codes, not by the largest code."""

    def symmetric_step(self, lo: Array, hi: Array, largest: Array) -> Array:
        return super().symmetric_step(lo, hi, largest + 1)


@mistake("QU-2", "QU-8", "QU-9", needs=OUTPUTS)
class NarrowCodes:
    """The lowest signed code is left out."""

    def code_range(self, name: str) -> tuple[int, int]:
        lowest, highest = super().code_range(name)
        return max(lowest, -highest), highest


@mistake("QU-1", "QU-4", "QU-3", "QU-6", needs=ASYMMETRIC)
class RangeWithoutZero:
    """The range of an asymmetric quantiser need not hold zero."""

    def widened(self, lo: Array, hi: Array) -> tuple[Array, Array]:
        return (lo, hi) if hi > lo else super().widened(lo, hi)


@mistake("QU-8", "QU-9", needs=ASYMMETRIC)
class ClipBeforeZeroPoint:
    """Codes are clipped before the zero point is added."""

    def codes(self, name: str, x: Array) -> Array:
        lowest, highest = self.code_range(name)
        return np.clip(np.rint(x / self.scale(name)), lowest, highest) + self.zero_point(name)


@mistake("QU-8", "QU-9", needs=PERIPHERY)
class CodesHalfAway:
    """Ties of codes go away from zero."""

    def unclipped_codes(self, name: str, x: Array) -> Array:
        levels = x / self.scale(name)
        away = np.sign(levels) * np.floor(np.abs(levels) + self.T(0.5))
        return away + self.zero_point(name)


@mistake("PP-2", "QU-9", "QU-8", needs=(*OUTPUTS, "bias"))
class BiasAfterQuantisation:
    """The bias is added after the outputs were quantised."""

    def biased(self, y: Array, b: Array) -> Array:
        self.late = b
        return y

    def outputs(self, z: Array) -> Array:
        self.late = self.T(0)
        return super().outputs(z) + self.late


@mistake("PP-3", "QU-1", "QU-3", "QU-4", "PP-1", needs=(*PERIPHERY, "out_scaling"))
class ScalesQuantisedApart:
    """The learned output scale is multiplied with the quantised rest, and is not quantised itself."""

    def periphery_quantised(self, name: str, x: Array, rows: int) -> Array:
        a, others = self.values.get("out_scaling_alpha"), self.output_factor()
        if name != "scale_quantizer" or a is None or others is None:
            return super().periphery_quantised(name, x, rows)
        return super().periphery_quantised(name, np.atleast_1d(others), rows) * a


@mistake("QU-10", "QU-11", needs=(*PERIPHERY, "backward"))
class ClippedCodesLearn:
    """Values beyond the last code send their gradient on."""

    def keeps(self, name: str, x: Array) -> Array:
        return np.ones(np.shape(x), bool)


@mistake("QU-11", "QU-12", needs=(*LEARNED, "backward"))
class StepGradientOfCodes:
    """The gradient of the step is that of the codes, the error of rounding is forgotten."""

    def step_gradient(self, name: str, x: Array, g: Array, inside: Array) -> Array:
        levels = self.codes(name, x) - self.zero_point(name)
        return np.array(self.total(g * levels), np.float32)


@mistake("state", "QU-3", "QU-6", "QU-1", "QU-5", needs=LEARNED)
class LearnsTooEarly:
    """Steps are learned one training pass too early."""

    def learns_from(self, counter: Array) -> bool:
        return bool(counter >= self.config.pre_post.periph_quant.init_learning_after)


@mistake("state", "QU-3", "QU-6", "QU-1", "QU-5", needs=LEARNED)
class EstimatesWhileLearning:
    """The range is estimated anew in each pass although the step is being learned."""

    def schedule(self, name: str, x: Array) -> None:
        super().schedule(name, x)
        if self.training and self.values[f"{name}.state"][0] == LEARN:
            self.set_range(name, *self.estimated_range(name, x, None))


@mistake("state", "QU-1", "QU-6", "QU-3", "QU-5", needs=(*PERIPHERY, "eval"))
class EvaluationEstimates:
    """Evaluation estimates the ranges of scales and bias anew."""

    def evaluated(self, name: str, x: Array) -> None:
        super().evaluated(name, x)
        self.set_range(name, *self.estimated_range(name, x, None))


@mistake("RE-4", needs=OUTPUTS)
class MomentumTurned:
    """The momentum of a running range weighs the new data."""

    def moving(self, before: Array, new: Array, momentum: float) -> Array:
        return super().moving(before, new, 1 - momentum)


@mistake("RE-3", needs=OUTPUTS)
class RangeForgets:
    """The range of all data is that of the last data."""

    def widest(self, before: Any, new: Any) -> Any:
        return new


@mistake("RE-2", needs=OUTPUTS)
class PercentileOneSided:
    """A percentile cuts the lower end alone."""

    def percentiles(self, x: Array, p: float) -> tuple[Array, Array]:
        return self.percentile(x, p), x.max()


@mistake("state", "RE-3", "RE-4", "QU-3", "QU-4", needs=(*OUTPUTS, "checkpoint"))
class MemoryLostOnLoad:
    """A checkpoint does not hold what the estimator of the outputs remembers."""

    def saved(self) -> dict[str, Any]:
        whole = super().saved()
        for end in ("lo", "hi"):
            whole["values"].pop(f"out_quantizer.estimator.{end}", None)
        return whole
