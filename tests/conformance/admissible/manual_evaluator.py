"""A right tile of the manual path that computes differently; nothing of refsim is used but the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.conformance.admissible.evaluator import Array, F, Tile, damped, step


@dataclass
class RowTile(Tile):
    """Forward with the management of each row by itself, backward with an ideal product."""

    average: Any = None

    def forward(self, x: Array, out_noise: Array) -> Array:
        o, r = self.ops, self.r
        v = o.div(np.clip(x, -abs(r), abs(r)), r)
        z, t = np.zeros((len(x), len(self.weight)), F), np.zeros((len(x), len(self.weight)), F)
        for n in range(len(x)):
            z[n], t[n] = self.row(
                v[n : n + 1], out_noise[:, n : n + 1] if out_noise.ndim == 3 else None
            )
        self.kept = (x, v, t, z)
        return self.scaled_output(z)

    def row(self, v: Array, noise: Array | None) -> tuple[Array, Array]:
        """One row: passes with ever larger divisors until nothing is clipped."""
        o, io = self.ops, self.config.forward
        alpha, kind = self.divisor(v), io.noise_management.name
        limit = min(io.max_bm_factor, io.max_bm_res / io.inp_bound / (2 * self.res(io)))
        beta, number, outputs = 1.0, 0, len(self.weight)
        while alpha > 0:
            sigma = (F(1) / alpha) / F(beta)
            q = np.rint(o.div(v * sigma, step(io.inp_res, 1.0))) * step(io.inp_res, 1.0)
            d = damped(np.clip(q, F(-1), F(1)), F(1 - io.inp_asymmetry))
            m = damped(o.dots(d, self.weight), F(1 - max(io.out_asymmetry, 0)))
            m = o.muladd(F(io.out_noise), noise[number], m) if noise is not None else m
            adc = step(io.out_res, io.out_bound)
            t = np.rint(o.div(m, adc)) * adc
            inside = (t <= F(io.out_bound)).all()
            inside &= (t >= -F(io.out_bound)).all() or not io.bm_test_negative_bound
            if io.bound_management.name == "NONE" or inside or beta > limit:
                return np.clip(t, F(-io.out_bound), F(io.out_bound)) * (F(io.out_scale) / sigma), t
            worst = io.bound_management.name == "ITERATIVE_WORST_CASE"
            if worst and number == 0 and kind not in ("NONE", "ABS_MAX_NP_SUM"):
                alpha = self.sums(v)
            else:
                beta *= 2
            number += 1
        return np.zeros((1, outputs), F), np.zeros((1, outputs), F)

    def divisor(self, v: Array) -> Array:
        o, kind = self.ops, self.config.forward.noise_management.name
        if kind == "NONE":
            return F(1)
        if kind == "ABS_MAX_NP_SUM":
            return self.sums(v)
        peak = v.max() if kind == "MAX" else np.abs(v).max()
        if kind == "AVERAGE_ABS_MAX":
            if self.average is None:
                self.average = peak
            elif o.rng.random() < 0.5:
                self.average = o.muladd(F(0.999), self.average, F(0.001) * peak)
            else:
                self.average = o.muladd(F(0.001), peak, F(0.999) * self.average)
            return self.average
        return peak

    def sums(self, v: Array) -> Array:
        o, io = self.ops, self.config.forward
        sides = [o.total([x for x in s * v[0] if x > 0]) for s in (F(1), F(-1))]
        peak, most = np.abs(v).max(), F(io.max_bm_res / (2 * self.res(io)))
        return max(peak, min(F(0.6 / io.out_bound) * max(sides), most * peak))

    def backward(self, g: Array) -> dict[str, Array]:
        o, r, p = self.ops, self.r, self.config.pre_post.input_range
        x, v, t, _ = self.kept
        found: dict[str, Array] = {"bias": o.total(list(g))}
        rest = g
        if self.a is not None:
            found["out_scaling_alpha"] = o.total(list(g * self.scaled))
            rest = g * self.a
        g1 = rest if self.s is None else rest * self.s
        clipped = np.abs(t) > F(self.config.forward.out_bound)
        d = o.dots(np.where(clipped, F(0), g1), self.weight.T)
        h = rest if self.s is None else o.div(rest, self.s * self.compensation())
        found |= {"input": d, "weight": o.dots(h.T, v.T)}
        upper = o.total(list(np.minimum(np.where(x >= r, d, F(0)), F(0)).ravel()))
        lower = o.total(list(np.maximum(np.where(x <= -r, d, F(0)), F(0)).ravel()))
        rule = (upper - lower) * (r if p.gradient_relative else F(1)) * F(p.gradient_scale)
        if p.manage_output_clipping:
            share = F(1) - F(np.mean(clipped))
            rule = (
                o.muladd(-(F(1) - share), r, rule) if share < F(p.output_min_percentage) else rule
            )
        if p.decay > 0 and np.mean(np.abs(x) < r, dtype=F) > F(p.input_min_percentage):
            rule = o.muladd(F(p.decay), r, rule)
        return found | {"input_range": np.array([rule], F)}

    def compensation(self) -> Array:
        o = self.ops
        if not self.config.mapping.weight_scaling_lr_compensation:
            return F(1)
        return o.div(F(1), o.div(o.total(list(self.s)), F(len(self.s))))
