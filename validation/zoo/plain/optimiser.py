"""Gradient descent, and what follows a step."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim.config import WeightClipType, WeightRemapType

from .mapping import Mapping

Array = Any


class Optimiser(Mapping):
    """Section G of the description."""

    def optimise(self, **sgd: Any) -> None:
        """One step of SGD, clip, remap; the gradients are cleared."""
        for name in self.learned:
            if name in self.gradients:
                self.values[name] = self.moved(name, self.gradients[name], sgd)
        self.post_update()
        self.clear_gradients()

    def moved(self, name: str, gradient: Array, sgd: dict[str, Any]) -> Array:
        """A parameter after one step."""
        p = self.values[name]
        d, lr = self.descent(name, gradient, sgd), p.dtype.type(sgd["lr"])
        return self.muladd(-lr, d, p).astype(p.dtype)

    def descent(self, name: str, gradient: Array, sgd: dict[str, Any]) -> Array:
        """The direction of a step: gradient with weight decay and momentum."""
        p = self.values[name]
        T, d = p.dtype.type, gradient
        if sgd["weight_decay"] != 0:
            d = self.muladd(T(sgd["weight_decay"]), p, d)
        if sgd["momentum"] == 0:
            return d
        v = self.velocity(name, d, T(sgd["momentum"]), T(1 - sgd["dampening"]))
        self.velocities[name] = v
        return self.muladd(T(sgd["momentum"]), v, d) if sgd["nesterov"] else v

    def velocity(self, name: str, d: Array, momentum: Array, kept: Array) -> Array:
        """The velocity after one more step; the first is the gradient itself."""
        before = self.velocities.get(name)
        return d.copy() if before is None else self.muladd(momentum, before, kept * d)

    def post_update(self) -> None:
        """Clip, then remap."""
        self.clip_weight()
        self.remap_weight()

    def clip_weight(self) -> None:
        """Limit the stored weights."""
        p = getattr(self.config, "clip", None)
        if p is None or p.type == WeightClipType.NONE:
            return
        bound = self.clip_bound(p)
        if bound is not None:
            self.values["weight"] = np.minimum(np.maximum(self.values["weight"], -bound), bound)

    def clip_bound(self, p: Any) -> Array | None:
        """The bound of the clip; None if there is none."""
        fixed = self.setting(p.fixed_value) if p.fixed_value > 0 else None
        if p.type == WeightClipType.FIXED_VALUE:
            return fixed
        if self.values["weight"].size < 2:
            return fixed
        bound = self.setting(p.sigma) * self.deviation(self.values["weight"])
        return bound if fixed is None else np.minimum(bound, fixed)

    def remap_weight(self) -> None:
        """Bring the logical weights to a largest magnitude of 1."""
        p = getattr(self.config, "remap", None)
        if p is None or p.type == WeightRemapType.NONE:
            return
        logical = self.logical_weight()
        rows = p.type == WeightRemapType.CHANNELWISE_SYMMETRIC
        scale = self.scales_for(logical, 1.0, rows)
        self.values["weight"] = self.quotient(logical, scale[:, None])
        self.values["mapping_scales"] = np.broadcast_to(scale, (self.out_size,)).copy()
        if "out_scaling_alpha" in self.values:
            self.values["out_scaling_alpha"] = np.ones_like(self.values["out_scaling_alpha"])
