"""Right quantised tiles that compute differently: float32, sums in any order, two forms of the gradient of a step.

Nothing of refsim is used but the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

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
        scaled_first = o.rng.random() < 0.5
        dz = o.total(list((blocked * (s if scaled_first else F(1))).ravel()))
        dz = dz if scaled_first else dz * s
        ds = ds if self.step >= F(1e-8) else F(0)
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
class Search(Estimator):
    """The range with the least loss in float32, of a grid or by golden section."""

    bits: int = 8
    symmetric: bool = True
    golden: bool = False
    count: int = 10
    margin: float = 0.5

    def range(self, x: Array) -> tuple[Array, Array]:
        lo, hi = (x.min(), x.max()) if self.memory is None else self.memory[:2]
        lower, upper = F(lo) - F(self.margin), F(hi) + F(self.margin)
        size, side = max(abs(lower), abs(upper)), bool(lo >= 0)
        if self.golden:
            return self.section(x, float(size), side)
        ranges = list(self.candidates(lower, upper, size, side))
        losses = np.array([self.loss(x, *ends) for ends in ranges], F)
        if self.memory is not None:
            losses = losses + self.memory[2].astype(F)
        return ranges[int(np.argmin(losses))]

    def candidates(self, lower: Array, upper: Array, size: Array, side: bool) -> Any:
        for c in range(1, self.count + 1):
            R = F(c) * self.ops.div(size, F(self.count))
            if self.symmetric or side:
                yield F(0) if side else -R, R
                continue
            step = self.ops.div(R, F((2**self.bits - 1) / 2))
            for k in range(max(1, 2**self.bits // 4)):
                for sign in (1, -1):
                    shift = F(sign * k) * step
                    yield max(-R + shift, lower), min(R + shift, upper)

    def section(self, x: Array, size: float, side: bool) -> tuple[Array, Array]:
        def ends(R: float, e: float) -> tuple[Array, Array]:
            return F(0) if side else F(-R) + F(e), F(R) + F(e)

        def best(R: float) -> float:
            if self.symmetric or side:
                return 0.0
            most = 2**self.bits // 4 * (2 * R / (2**self.bits - 1))
            return minimum(lambda e: self.loss(x, *ends(R, e)), -most, most)

        R = minimum(lambda R: self.loss(x, *ends(R, best(R))), 0.01 * size, size)
        return ends(R, best(R))

    def loss(self, x: Array, lo: Array, hi: Array) -> float:
        quantiser = FakeQuantiser(Float32(self.ops.rng), self.bits, self.symmetric)
        quantiser.set_range(lo, hi)
        y = quantiser(x)
        if self.kind == "MSE":
            return float(np.sum(self.ops.rng.permutation(((x - y) ** 2).ravel()), dtype=F))
        p = np.exp(x - x.max(axis=1, keepdims=True))
        p = p / p.sum(axis=1, keepdims=True)
        moved = y - y.max(axis=1, keepdims=True)
        logarithms = moved - np.log(np.exp(moved).sum(axis=1, keepdims=True))
        return float(np.sum(self.ops.rng.permutation((-p * logarithms).ravel()), dtype=F))


def minimum(function: Any, low: float, high: float) -> float:
    found = minimize_scalar(function, bounds=(low, high), method="bounded").x
    return min((found, low, high), key=function)


@dataclass
class QuantisedTile(Tile):
    """The tile with a quantised periphery; quantisers and estimators by the names of refsim."""

    quantisers: dict[str, FakeQuantiser] = field(default_factory=dict)
    estimators: dict[str, Estimator] = field(default_factory=dict)

    def on_grid(self, name: str, x: Array) -> Array:
        if name not in self.quantisers:
            return x
        if name in self.estimators:
            self.quantisers[name].set_range(*self.estimators[name].range(x))
        return self.quantisers[name](x)

    @property
    def kappa(self) -> Array:
        return np.atleast_1d(self.r if self.s is None else self.r * self.s)

    def scaled_output(self, y: Array) -> Array:
        o = self.ops
        self.k = self.kappa if self.a is None else self.kappa * self.a
        self.core, self.factor = y, self.on_grid("scale_quantizer", self.k)
        if self.bias is None:
            y = y * self.factor
        else:
            bias = self.on_grid("bias_quantizer", self.bias)
            if "bias_quantizer" in self.quantisers and o.fused and o.rng.random() < 0.5:
                _, s, z, _, n = self.quantisers["bias_quantizer"].kept
                y = o.muladd(s, n - z, y * self.factor)
            else:
                y = o.muladd(y, self.factor, bias)
        return self.on_grid("out_quantizer", y)

    def through(self, name: str, g: Array, found: dict[str, Array]) -> Array:
        """Gradient before a quantiser; those of its parameters are found as well."""
        if name not in self.quantisers:
            return g
        quantiser = self.quantisers[name]
        before, step, place = quantiser.backward(g)
        found[f"{name}.delta"] = np.atleast_1d(step)
        if quantiser.place is not None:
            found[f"{name}.zero_float"] = np.atleast_1d(place)
        return before

    def through_periphery(self, g: Array, found: dict[str, Array]) -> tuple[Array, Array]:
        o = self.ops
        g = self.through("out_quantizer", g, found)
        if self.bias is not None:
            found["bias"] = self.through("bias_quantizer", o.total(list(g)), found)
        terms = g * self.core
        h = o.total(list(terms) if self.k.size > 1 else list(terms.ravel()))
        dk = self.through("scale_quantizer", np.atleast_1d(h), found)
        if self.a is not None:
            da = dk * self.kappa
            found["out_scaling_alpha"] = da if self.a.size > 1 else np.atleast_1d(o.total(list(da)))
        return g * self.factor, dk

    def output_sum(self, rest: Array) -> Array:
        factors = [f for f in (self.s, self.a) if f is not None]
        if self.ops.rng.random() < 0.5:
            factors = [np.prod(np.broadcast_arrays(*factors), axis=0, dtype=F)] if factors else []
        for factor in factors:
            rest = rest * factor
        return self.ops.total(list(rest))
