"""Right implementations that compute differently: float32 with sums in any order, FMA here and there, reciprocals.

Nothing of refsim is used but the configuration. A fused multiply-add is emulated: the product of two float32 numbers is
exact in float64, the sum is rounded to odd there, and then to float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

F = np.float32
Array = Any


def fma(a: Array, b: Array, c: Array) -> Array:
    """``a * b + c`` rounded once to float32."""
    p, c = np.asarray(a, np.float64) * np.asarray(b, np.float64), np.asarray(c, np.float64)
    p, c = np.broadcast_arrays(p, c)
    s = p + c
    back = s - p
    rest = (p - (s - back)) + (c - back)
    bits = s.view(np.int64)
    towards = np.where(rest > 0, np.inf, -np.inf)
    odd = np.where((rest != 0) & (bits & 1 == 0), np.nextafter(s, towards), s)
    return odd.astype(F)


@dataclass
class Float32:
    """float32 operations with the freedoms that a profile allows, taken at random."""

    rng: np.random.Generator
    fused: bool = True
    reciprocal: bool = False
    lanes: int | None = None

    def div(self, a: Array, b: Array) -> Array:
        if self.reciprocal and self.rng.random() < 0.5:
            return F(a) * (F(1) / b)
        return F(a) / b

    def muladd(self, a: Array, b: Array, c: Array) -> Array:
        """A product and a sum, fused for some elements if that is allowed."""
        apart = np.asarray(a * b + c, dtype=F)
        if not self.fused:
            return apart
        return np.where(
            self.rng.random(apart.shape) < self.rng.choice([0, 0.5, 1]), fma(a, b, c), apart
        )

    def total(self, terms: list[Array]) -> Array:
        """A sum by merging partial sums in random order."""
        pool = list(terms) or [F(0)]
        while len(pool) > 1:
            i, j = self.rng.choice(len(pool), 2, replace=False)
            merged = pool[i] + pool[j]
            pool = [p for k, p in enumerate(pool) if k not in (i, j)] + [merged]
        return pool[0]

    def std(self, x: Array) -> Array:
        """A standard deviation in two passes, or from running means of parts that are merged."""
        x = x.ravel()
        count = F(x.size - 1)
        if self.rng.random() < 0.5:
            mean = self.div(self.total(list(x)), F(x.size))
            squares = self.total([(v - mean) * (v - mean) for v in x])
        else:
            parts = [(1, v, F(0)) for v in x]
            while len(parts) > 1:
                i, j = self.rng.choice(len(parts), 2, replace=False)
                i = 0 if self.rng.random() < 0.5 and j else i
                merged = self.merged(parts[i], parts[j])
                parts = [merged, *(p for k, p in enumerate(parts) if k not in (i, j))]
            squares = parts[0][2]
        return np.sqrt(self.div(squares, count))

    @staticmethod
    def merged(a: Array, b: Array) -> Array:
        """Number, mean and sum of squares of two parts, the larger one first."""
        (n, mean, squares), (m, other, more) = sorted((a, b), key=lambda part: -part[0])
        step = other - mean
        share = F(m) / F(n + m)
        return n + m, mean + step * share, squares + more + step * step * F(n) * share

    def dots(self, a: Array, b: Array) -> Array:
        """``a @ b.T``, one order for all elements."""
        K = a.shape[1]
        if self.lanes is not None:
            return self.in_lanes(a, b, self.lanes)
        lanes = int(self.rng.integers(1, K + 1)) if self.rng.random() < 0.5 else 1
        order = self.rng.permutation(K)
        sums = [self.chain(a, b, order[lane::lanes]) for lane in range(lanes)]
        return self.total(sums)

    def chain(self, a: Array, b: Array, order: Array) -> Array:
        s = np.zeros((len(a), len(b)), F)
        for k in order:
            s = self.muladd(a[:, k, None], b[None, :, k], s)
        return s

    def in_lanes(self, a: Array, b: Array, lanes: int) -> Array:
        lanes = min(lanes, a.shape[1])
        sums = [self.chain(a, b, np.arange(lane, a.shape[1], lanes)) for lane in range(lanes)]
        while len(sums) > 1:
            half = -(-len(sums) // 2)
            second = sums[half:]
            sums = [s + second[i] if i < len(second) else s for i, s in enumerate(sums[:half])]
        return sums[0]


def step(res: float, bound: float) -> np.float32:
    return F((1 / res if res > 1 else res) * 2 * bound)


def damped(x: Array, factor: Array) -> Array:
    return np.where(x < 0, x * factor, x)


@dataclass
class Tile:
    """A tile with all converters on, written for one batch at a time."""

    ops: Float32
    config: Any
    weight: Array
    r: Array
    s: Array | None
    a: Array | None
    bias: Array | None

    def forward(self, x: Array, out_noise: Array) -> Array:
        o, io = self.ops, self.config.forward
        c = np.clip(x, -abs(self.r), abs(self.r))
        v = o.div(c, self.r)
        alpha = np.ones((len(x), 1), F)
        if io.noise_management.name == "ABS_MAX":
            alpha = np.abs(v).max(axis=1, keepdims=True)
            alpha = np.where(alpha > 0, alpha, F(1))
        beta, limit = 1.0, min(io.max_bm_factor, io.max_bm_res / io.inp_bound / (2 * self.res(io)))
        while True:
            sigma = (F(1) / alpha) / F(beta)
            scaled = o.div(v, alpha * F(beta)) if self.by_division() else v * sigma
            dac, adc = step(io.inp_res, io.inp_bound), step(io.out_res, io.out_bound)
            q = np.rint(o.div(scaled, dac)) * dac
            before = np.clip(q, F(-io.inp_bound), F(io.inp_bound))
            d = damped(before, F(1 - io.inp_asymmetry))
            m = o.dots(d, self.weight)
            noise = out_noise if out_noise.ndim == 2 else out_noise[round(np.log2(beta))]
            value = damped(m, F(1 - io.out_asymmetry))
            value = o.muladd(F(io.out_noise), noise, value) if io.out_noise else value
            t = np.rint(o.div(value, adc)) * adc
            within = (np.abs(t) <= F(io.out_bound)).all()
            if io.bound_management.name == "NONE" or within or beta > limit:
                break
            beta *= 2
        z = np.clip(t, F(-io.out_bound), F(io.out_bound))
        back = F(io.out_scale) / sigma
        self.kept = (x, c, v, q, before, d, m, t, z * back, sigma, back)
        return self.scaled_output(z * back)

    def scaled_output(self, y: Array) -> Array:
        kappa = self.r if self.s is None else self.r * self.s
        factor = kappa
        self.scaled = y * kappa
        if self.a is not None:
            y, factor = self.scaled, self.a
        return y * factor if self.bias is None else self.ops.muladd(y, factor, self.bias)

    @staticmethod
    def res(io: Any) -> float:
        return 1 / io.inp_res if io.inp_res > 1 else io.inp_res

    def by_division(self) -> bool:
        return self.ops.reciprocal and bool(self.ops.rng.random() < 0.5)

    def backward(self, g: Array) -> dict[str, Array]:
        """All gradients; without noise management, whose divisor has a derivative of its own."""
        found: dict[str, Array] = {}
        gz, rest = self.through_periphery(g, found)
        dv, du = self.through_core(gz, found)
        found["input_range"] = self.range_gradient(self.output_sum(rest), dv, du)
        return found

    def through_periphery(self, g: Array, found: dict[str, Array]) -> tuple[Array, Array]:
        """Gradient of the core output, and what the range needs of that of the output."""
        o, rest = self.ops, g
        if self.bias is not None:
            found["bias"] = o.total(list(g))
        if self.a is not None:
            found["out_scaling_alpha"] = o.total(list(g * self.scaled))
            rest = g * self.a
        return rest * (self.r if self.s is None else self.r * self.s), rest

    def through_core(self, gz: Array, found: dict[str, Array]) -> tuple[Array, Array]:
        """Gradients of the scaled and of the unclipped input."""
        o, io, r = self.ops, self.config.forward, self.r
        x, _, _, q, before, d, m, t, _, sigma, back = self.kept
        gm = gz * back
        gm = np.where(m < 0, gm * F(1 - io.out_asymmetry), gm)
        gm = np.where(np.abs(t) <= F(io.out_bound), gm, F(0))
        dw = o.dots(gm.T, d.T)
        found["weight"] = (
            dw if self.s is None else o.div(o.div(dw, self.s[:, None]), self.s[:, None])
        )
        gd = o.dots(gm, self.weight.T)
        gd = np.where(before < 0, gd * F(1 - io.inp_asymmetry), gd)
        dv = np.where(np.abs(q) <= F(io.inp_bound), gd, F(0)) * sigma
        du = o.div(dv, r)
        found["input"] = np.where(np.abs(x) <= abs(r), du, F(0))
        return dv, du

    def output_sum(self, rest: Array) -> Array:
        """Derivative by the range as a factor of the output."""
        scaled = rest if self.s is None else rest * self.s
        return self.ops.total(list((scaled * self.kept[8]).ravel()))

    def range_gradient(self, out: Array, dv: Array, du: Array) -> Array:
        o, r, p = self.ops, self.r, self.config.pre_post.input_range
        c, v = self.kept[1:3]
        upper = o.total(list(np.minimum(np.where(c >= r, du, F(0)), F(0)).ravel()))
        lower = o.total(list(np.maximum(np.where(c <= -r, du, F(0)), F(0)).ravel()))
        rule = (upper - lower) * (r if p.gradient_relative else F(1)) * F(p.gradient_scale)
        inside = np.mean(np.abs(c) < r, dtype=F)
        if p.decay > 0 and inside > F(p.input_min_percentage):
            rule = o.muladd(F(p.decay), r, rule)
        if o.rng.random() < 0.5:
            into = o.div(o.total(list((dv * v).ravel())), r)
        else:
            into = o.total(list((dv * -c / (r * r)).ravel())) * F(-1)
        return np.array([o.total([rule, out, -into])], F)
