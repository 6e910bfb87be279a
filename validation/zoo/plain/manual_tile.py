"""The tiles of the manual path."""

from __future__ import annotations

from typing import Any

import numpy as np

from .tile import TorchTile

Array = Any


class ManualTile(TorchTile):
    """Section E.3 of the description: the way back is written down, not derived."""

    def backward_rows(self, g: Array) -> Array:
        """Input gradients ``(N, in)``; those of parameters are accumulated."""
        found, g0 = self.periphery_gradients(g)
        s, clipped = self.values.get("mapping_scales"), self.output_mask()
        g1 = g0 if s is None else g0 * s
        g1 = g1 if clipped is None else np.where(clipped, self.T(0), g1)
        h, c = self.unscaled(g0)
        self.take_weight_gradient(h, c, found)
        d = self.core_backward(g1)
        if "input_range" in self.learned:
            rule = self.grown(self.rule(self.x, d), clipped)
            found["input_range"] = np.reshape(self.decayed(rule, self.x), 1).astype(self.T)
        for name, gradient in found.items():
            self.accumulate(name, gradient)
        return d

    def output_mask(self) -> Array | None:
        """Outputs that count as clipped, None where nobody records them."""
        return None if self.perfect else self.clipped_outputs()

    def core_backward(self, g: Array) -> Array:
        """The input gradient: an ideal product, or the converters of the backward settings."""
        back = getattr(self.config, "backward", None)
        if back is None or back.is_perfect:
            return self.through_weight(g)
        kept, weight = dict(vars(self)), np.swapaxes(self.used_weight, -1, -2)
        self.io = back
        d = self.core(g, weight, {})
        vars(self).update(kept)
        return d

    def unscaled(self, g0: Array) -> tuple[Array, Array]:
        """Gradient of the outputs as the weight gradient takes it, and the compensation of the rate."""
        s = self.values.get("mapping_scales")
        if s is None:
            return g0, self.T(1)
        compensated = self.config.mapping.weight_scaling_lr_compensation
        c = self.quotient(self.T(1), np.mean(s)) if compensated else self.T(1)
        return self.quotient(g0, s * c), c

    def take_weight_gradient(self, h: Array, c: Array, found: dict[str, Array]) -> None:
        """The weight gradient, from the scaled input before conversion."""
        found["weight"] = self.outer(h, self.v)


class FloatingPointTile(ManualTile):
    """Ideal products."""

    def effective_weight(self, noise: Any, rows: int) -> Array:
        """The weight as it is."""
        return self.values["weight"]


class CustomTile(ManualTile):
    """The core of the autograd path; the weight is updated in the step of the optimiser."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.pending: list[tuple[Array, Array, Array]] = []

    def effective_weight(self, noise: Any, rows: int) -> Array:
        """The weight as it is."""
        return self.values["weight"]

    def output_mask(self) -> Array | None:
        """Nobody records clipped outputs."""
        return None

    def take_weight_gradient(self, h: Array, c: Array, found: dict[str, Array]) -> None:
        """An update for the next step."""
        self.pending.append((self.x, h, c))

    def optimise(self, **sgd: Any) -> None:
        """The step of the parameters, then the updates of the weight, with the range as it is by then."""
        super().optimise(**sgd)
        for x, h, c in self.pending:
            v = self.scaled_input(self.clipped_input(x)) if self.ranged else x
            rate = self.T(sgd["lr"]) * c
            self.values["weight"] = self.muladd(-rate, self.outer(h, v), self.values["weight"])
        self.pending.clear()
