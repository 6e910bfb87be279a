"""The weight of one training pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from refsim.config import WeightModifierType

from .converters import Converters

Array = Any


class Modifier(Converters):
    """The weight modifiers of section C of the description."""

    def effective_weight(self, noise: Mapping[str, Array], rows: int) -> Array:
        """The weight of this pass, ``(out, in)`` or ``(rows, out, in)``."""
        p, w = getattr(self.config, "modifier", None), self.values["weight"]
        if p is None or not self.modifies():
            return w
        shape = (rows, *w.shape) if p.per_batch_sample else w.shape
        if p.type == WeightModifierType.ADD_NORMAL and p.std_dev > 0:
            xi = self.weight_deviates(noise, "weight_noise", shape)
            return self.muladd(self.setting(p.std_dev * self.largest(w, p)), xi, w)
        if p.type == WeightModifierType.MULT_NORMAL and p.std_dev > 0:
            xi = self.weight_deviates(noise, "weight_noise", shape)
            return w * self.muladd(self.setting(p.std_dev), xi, self.T(1))
        if p.type == WeightModifierType.DISCRETIZE:
            return self.discretised(w, p, noise, shape)
        return w

    def modifies(self) -> bool:
        """Whether modifiers act on this pass."""
        return self.training

    def largest(self, w: Array, p: Any) -> float:
        """The magnitude that modifiers relate to."""
        return float(np.abs(w).max()) if p.rel_to_actual_wmax else p.assumed_wmax

    def discretised(
        self, w: Array, p: Any, noise: Mapping[str, Array], shape: tuple[int, ...]
    ) -> Array:
        """The weight on a grid; a tile of zeros has none."""
        largest = self.largest(w, p)
        if largest == 0:
            return w
        shift = self.weight_deviates(noise, "weight_sto_round", shape) if p.sto_round else None
        return self.on_grid(w, self.step_size(p.res, largest), shift)

    def weight_deviates(
        self, noise: Mapping[str, Array], name: str, shape: tuple[int, ...]
    ) -> Array:
        """Given deviates, or drawn ones."""
        if name in noise:
            return np.asarray(noise[name], self.T).reshape(shape)
        if name.endswith("sto_round"):
            return self.rng.uniform(-0.5, 0.5, shape).astype(self.T)
        return self.rng.standard_normal(shape).astype(self.T)
