"""Scales and bias behind the core."""

from __future__ import annotations

from typing import Any

from .input_range import InputRange

Array = Any


class Periphery(InputRange):
    """Section D of the description."""

    def output_factor(self) -> Array | None:
        """Range and mapping scales as one factor."""
        s = self.values.get("mapping_scales")
        if not self.ranged:
            return s
        return self.r if s is None else self.r * s

    def outputs(self, z: Array) -> Array:
        """Core outputs with scales and bias."""
        factor, a, b = (
            self.output_factor(),
            self.values.get("out_scaling_alpha"),
            self.values.get("bias"),
        )
        self.factor = factor
        self.scaled = z if factor is None else z * factor
        if b is not None and (factor is None) != (a is None):
            return self.biased_product(z, factor if a is None else a, b)
        y = self.scaled if a is None else self.scaled * a
        return y if b is None else self.biased(y, b)

    def biased_product(self, z: Array, factor: Array, b: Array) -> Array:
        """A product with the bias added."""
        return self.biased(z * factor, b)

    def biased(self, y: Array, b: Array) -> Array:
        """The bias added."""
        return y + b

    def periphery_gradients(self, g: Array) -> tuple[dict[str, Array], Array]:
        """Gradients of bias and learned scales, and that before the learned scales."""
        found, a = {}, self.values.get("out_scaling_alpha")
        if "bias" in self.values:
            found["bias"] = self.bias_gradient(g)
        if a is None:
            return found, g
        found["out_scaling_alpha"] = self.out_scaling_gradient(g, a)
        return found, g * a

    def bias_gradient(self, g: Array) -> Array:
        """Sum over the batch."""
        return self.total(g, axis=0)

    def out_scaling_gradient(self, g: Array, a: Array) -> Array:
        """Sum over the batch, and over the outputs if they share a scale."""
        terms = g * self.scaled
        return self.total(terms, axis=0) if a.size > 1 else self.total(terms).reshape(1)
