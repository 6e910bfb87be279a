"""Right quantised tiles that compute differently: float32, sums in any order, two forms of the gradient of a step.

Nothing of refsim is used but the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.conformance.admissible.evaluator import Array, F, Float32, Tile


@dataclass
class FakeQuantiser:
    """Step, place of zero and sign of the codes; estimated, or learned."""

    ops: Float32
    bits: int
    symmetric: bool
    step: Array = None
    place: Array = None
    signed: bool = False
    kept: Any = None

    def set_range(self, lo: Array, hi: Array) -> None:
        lo, hi = min(F(lo), F(0)), max(F(hi), F(1e-8))
        self.signed = bool(self.symmetric and lo < 0)
        if self.symmetric:
            self.step = self.ops.div(max(-lo, hi), F(self.most))
        else:
            self.step = self.ops.div(hi - lo, F(self.most))
            self.place = self.ops.div(F(0) - lo, self.step)

    @property
    def most(self) -> int:
        return 2 ** (self.bits - 1) - 1 if self.signed else 2**self.bits - 1

    @property
    def least(self) -> int:
        return -(2 ** (self.bits - 1)) if self.signed else 0

    def __call__(self, x: Array) -> Array:
        s = max(self.step, F(1e-8))
        z = F(0) if self.place is None else F(np.clip(np.rint(self.place), 0, self.most))
        m = np.rint(self.ops.div(x, s)) + z
        n = np.clip(m, self.least, self.most)
        self.kept = x, s, z, m, n
        return s * (n - z)

    def backward(self, g: Array) -> tuple[Array, Array, Array]:
        """Gradients of values, step and place of zero, the second as one sum or as two."""
        x, s, z, m, n = self.kept
        o, inside = self.ops, (m >= self.least) & (m <= self.most)
        if o.rng.random() < 0.5:
            e = np.where(inside, (n - z) - o.div(x, s), n - z)
            ds = o.total(list((g * e).ravel()))
        else:
            back = np.where(inside, -(g * s) * o.div(o.div(x, s), s), F(0))
            ds = o.total(list((g * (n - z)).ravel())) + o.total(list(back.ravel()))
        blocked = np.where(inside, F(0), -g)
        if o.rng.random() < 0.5:
            dz = o.total(list((blocked * s).ravel()))
        else:
            dz = o.total(list(blocked.ravel())) * s
        passes = self.place is not None and 0 <= np.rint(self.place) <= self.most
        return np.where(inside, g, F(0)), ds, dz if passes else F(0)


@dataclass
class Estimator:
    """Extremes, of this batch or of all, their moving averages, or percentiles."""

    ops: Float32
    kind: str
    momentum: float = 0.9
    percentile: float | None = None
    memory: Any = None

    def range(self, x: Array) -> tuple[Array, Array]:
        lo, hi = x.min(), x.max()
        if self.percentile:
            lo, hi = (
                np.percentile(x, p).astype(F) for p in (self.percentile, 100 - self.percentile)
            )
        if self.memory is not None and self.kind == "allminmax":
            lo, hi = min(lo, self.memory[0]), max(hi, self.memory[1])
        if self.memory is not None and self.kind == "running_minmax":
            f, m = F(1 - self.momentum), F(self.momentum)
            lo, hi = (
                self.ops.muladd(f, new, m * old)
                for new, old in zip((lo, hi), self.memory, strict=True)
            )
        return F(lo), F(hi)


@dataclass
class QuantisedTile(Tile):
    """The tile with a quantised periphery; quantisers by the names of refsim."""

    quantisers: dict[str, FakeQuantiser] = field(default_factory=dict)
    estimators: dict[str, Estimator] = field(default_factory=dict)

    def on_grid(self, name: str, x: Array) -> Array:
        if name not in self.quantisers:
            return x
        if name in self.estimators:
            self.quantisers[name].set_range(*self.estimators[name].range(x))
        return self.quantisers[name](x)

    def scaled_output(self, y: Array) -> Array:
        o = self.ops
        self.k = np.atleast_1d(self.r if self.s is None else self.r * self.s)
        if self.a is not None:
            self.k = self.k * self.a
        self.core, self.factor = y, self.on_grid("scale_quantizer", self.k)
        bias = None if self.bias is None else self.on_grid("bias_quantizer", self.bias)
        if bias is None:
            y = y * self.factor
        elif "bias_quantizer" in self.quantisers and o.fused and o.rng.random() < 0.5:
            _, s, z, _, n = self.quantisers["bias_quantizer"].kept
            y = o.muladd(s, n - z, y * self.factor)
        else:
            y = o.muladd(y, self.factor, bias)
        return self.on_grid("out_quantizer", y)

    def backward(self, g: Array) -> dict[str, Array]:
        found: dict[str, Array] = {}
        g = self.through("out_quantizer", g, found)
        if self.bias is not None:
            found["bias"] = self.through("bias_quantizer", self.ops.total(list(g)), found)
        terms = g * self.core
        h = self.ops.total(list(terms) if self.k.size > 1 else list(terms.ravel()))
        dk = self.through("scale_quantizer", np.atleast_1d(h), found)
        gz = g * self.factor
        core = CoreOnly(**{name: getattr(self, name) for name in ("ops", "config", "weight", "r")})
        core.kept = self.kept
        back = core.with_scales(self.s).backward(gz)
        found |= {"weight": back["weight"], "input": back["input"]}
        kappa = np.atleast_1d(self.r if self.s is None else self.r * self.s)
        if self.a is not None:
            da = dk * kappa
            found["out_scaling_alpha"] = (
                da if self.a.size > 1 else np.atleast_1d(self.ops.total(list(da)))
            )
        found["input_range"] = self.of_range(dk, back)
        return found
