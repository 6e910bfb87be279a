"""Mistakes about weights: modifiers, clip and remap."""

from __future__ import annotations

from typing import Any

import numpy as np

from .registry import mistake
from .sources import (
    CLIPS_ONCE,
    EVAL_MODIFIER,
    FIXED_VALUE,
    IN_PLACE_WEIGHT,
    MODIFIER_IGNORED,
    REPEATED_FORWARD,
    ZERO_CHANNEL,
    ZERO_RESOLUTION,
)

Array = Any
MODIFIER = ("weight_modifier",)
MODIFIERS = ("WM-4", "WM-2", "WM-3")


@mistake("state", *MODIFIERS, source=IN_PLACE_WEIGHT, needs=MODIFIER)
class ModifiedInPlace:
    """The modified weight is stored in place of the weight itself."""

    def effective_weight(self, noise: Any, rows: int) -> Array:
        weight = super().effective_weight(noise, rows)
        if weight.ndim == 2:
            self.values["weight"] = weight.copy()
        return weight


@mistake(*MODIFIERS, source=EVAL_MODIFIER, needs=[*MODIFIER, "eval"])
class ModifierInEvaluation:
    """Weights are modified in evaluation as well."""

    def modifies(self) -> bool:
        return True


@mistake(*MODIFIERS, source=MODIFIER_IGNORED, needs=MODIFIER)
class ModifierIgnored:
    """Weights are not modified."""

    def modifies(self) -> bool:
        return False


@mistake(*MODIFIERS, source=REPEATED_FORWARD, needs=MODIFIER)
class ModifierOfFirstForward:
    """The weight is modified in the first training pass, and this modification stays for all later ones."""

    def effective_weight(self, noise: Any, rows: int) -> Array:
        weight = super().effective_weight(noise, rows)
        if not self.training or weight.ndim != 2:
            return weight
        kept = vars(self).setdefault("first_change", weight - self.values["weight"])
        return self.values["weight"] + kept


@mistake("WM-4", needs=MODIFIER)
class WeightStepOneSided:
    """The grid of the weights has steps of half the size."""

    def discretised(self, w: Array, p: Any, noise: Any, shape: tuple[int, ...]) -> Array:
        largest = self.largest(w, p)
        step = self.setting(self.resolution(p.res) * largest)
        return w if largest == 0 else self.on_grid(w, step, None)


@mistake("WM-4", source=ZERO_RESOLUTION, needs=MODIFIER)
class ZeroStepDivides:
    """Weights that are all zero are divided by a step of 0."""

    def discretised(self, w: Array, p: Any, noise: Any, shape: tuple[int, ...]) -> Array:
        return self.on_grid(w, self.step_size(p.res, self.largest(w, p)), None)


@mistake("WM-1", *MODIFIERS, needs=MODIFIER)
class LargestWithSign:
    """The largest weight is taken with its sign, not by magnitude."""

    def largest(self, w: Array, p: Any) -> float:
        return float(w.max()) if p.rel_to_actual_wmax else p.assumed_wmax


@mistake("WM-1", *MODIFIERS, needs=MODIFIER)
class AssumedLargestIgnored:
    """The assumed largest weight has no effect."""

    def largest(self, w: Array, p: Any) -> float:
        return float(np.abs(w).max())


@mistake("WP-2", "WP-1", source=CLIPS_ONCE, needs=["clip", "sgd"])
class ClipsOnce:
    """Weights are clipped after the first step only."""

    def clip_weight(self) -> None:
        if not getattr(self, "clipped_before", False):
            super().clip_weight()
        self.clipped_before = True


@mistake("WP-1", "WP-2", source=FIXED_VALUE, needs=["clip", "sgd"])
class GaussianIgnoresFixedValue:
    """The fixed value does not limit the Gaussian bound."""

    def clip_bound(self, p: Any) -> Array | None:
        if p.type.name == "FIXED_VALUE" or self.values["weight"].size < 2:
            return super().clip_bound(p)
        return self.setting(p.sigma) * self.deviation(self.values["weight"])


@mistake("WP-1", "WP-2", "SU-7", needs=["clip", "sgd"])
class ClipWithBiasedDeviation:
    """The standard deviation of the weights has n in its denominator."""

    def clip_bound(self, p: Any) -> Array | None:
        kept, self.deviation = self.deviation, np.std
        bound = super().clip_bound(p)
        self.deviation = kept
        return bound


@mistake("WP-2", "MS-1", "MS-2", needs=["clip", "remap", "sgd"])
class RemapBeforeClip:
    """Weights are remapped first and clipped then."""

    def post_update(self) -> None:
        self.remap_weight()
        self.clip_weight()


@mistake("MS-2", "MS-1", needs=["remap", "sgd", "out_scaling"])
class RemapForgetsLearnedScale:
    """The logical weight of a remap leaves out the learned output scale."""

    def logical_weight(self) -> Array:
        s = self.values.get("mapping_scales")
        return self.values["weight"] if s is None else self.values["weight"] * s[:, None]


@mistake("MS-2", "MS-1", "PP-1", "state", needs=["remap", "sgd", "out_scaling"])
class RemapKeepsLearnedScale:
    """The learned output scale is not set back to 1 after it went into the weight."""

    def remap_weight(self) -> None:
        kept = self.values.get("out_scaling_alpha")
        super().remap_weight()
        if kept is not None:
            self.values["out_scaling_alpha"] = kept


@mistake("MS-1", "MS-2", source=ZERO_CHANNEL, needs=["remap", "sgd"])
class ZeroChannelDivides:
    """A row of zeros is divided by its largest weight, 0."""

    def nonzero(self, s: Array) -> Array:
        return s


@mistake("MS-1", "MS-2", needs=["remap", "sgd"])
class RemapByLargestValue:
    """Scales are the largest weights with their sign, not by magnitude."""

    def scales_for(self, weight: Array, omega: float, rows: bool) -> Array:
        largest = weight.max(axis=1) if rows else weight.max().reshape(1)
        return self.nonzero(largest / self.setting(omega))
