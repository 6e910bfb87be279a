"""Whole tiles of the manual path in exact arithmetic, written from the behavioural specification.

It imports nothing of refsim: a configuration is read by its field names, the noise is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.exact import Array, Number, Type
from tests.tile import oracle
from tests.tile.oracle import (
    Noise,
    Numbers,
    finite,
    grid_step,
    numbers,
    plain,
    select,
    setting,
    total,
)


@dataclass
class Rows:
    """One pass through the compiled core, row by row."""

    io: Any
    T: Type
    weights: Any
    noise: Noise
    strength: Numbers
    average: Number | None
    keeps_out_scale: bool

    def of(self, value: float) -> Number:
        return setting(self.T, value)

    def run(self, v: Numbers, outputs: int) -> tuple[Numbers, Numbers]:
        """Core outputs and rounded outputs before the clip."""
        z = np.full((len(v), outputs), self.of(0), dtype=object)
        t = z.copy()
        if self.io.is_perfect:
            for n, row in enumerate(v):
                z[n] = self.product(row, n)
                if self.keeps_out_scale:
                    z[n] = finite(z[n] * self.of(self.io.out_scale))
            return z, t
        divisors = finite(np.array([self.divisor(row) for row in v], dtype=object))
        for n, row in enumerate(v):
            if divisors[n].value > 0:
                z[n], t[n] = self.managed_row(row, n, divisors[n])
        return z, t

    def divisor(self, row: Numbers) -> Number:
        """The divisor of noise management; rows in which it is not positive give zeros."""
        kind, cap = self.io.noise_management.value, self.io.nm_thres
        peak = max((abs(x) for x in row), key=lambda x: x.value)
        if kind == "None" or (kind == "Constant" and cap <= 0):
            return self.of(1)
        if kind == "Constant":
            return self.of(cap)
        if kind == "AbsMaxNPSum":
            return self.sum_divisor(row)
        if kind == "AverageAbsMax":
            assert self.average is not None
            first = self.average.value < 0
            past = self.of(1 - 0.001) * self.average + self.of(0.001) * peak
            self.average = peak if first else past
            return self.average
        if kind == "Max":
            peak = max(row, key=lambda x: x.value)
        return self.of(cap) if cap > 0 and peak > self.of(cap) else peak

    def sum_divisor(self, row: Numbers) -> Number:
        io = self.io
        peak = max((abs(x) for x in row), key=lambda x: x.value)
        sides = [x for x in row if x.value > 0], [-x for x in row if x.value < 0]
        sums = max((total(self.T, np.array(side, object)) for side in sides), key=lambda x: x.value)
        scaled = self.of(0.6 / io.out_bound if io.out_bound > 0 else 0.0) * sums
        if io.inp_res > 0:
            res = 1 / io.inp_res if io.inp_res > 1 else io.inp_res
            most = self.of(io.max_bm_res / (res * 2 * abs(io.inp_bound))) * peak
            scaled = most if scaled > most else scaled
        return scaled if scaled > peak else peak

    def managed_row(self, row: Numbers, n: int, alpha: Number) -> tuple[Numbers, Numbers]:
        io = self.io
        kind, management = io.noise_management.value, io.bound_management.value
        limit: float = io.max_bm_factor
        if io.inp_res > 0 and io.inp_bound > 0:
            res = 1 / io.inp_res if io.inp_res > 1 else io.inp_res
            limit = min(limit, io.max_bm_res / (2 * io.inp_bound * res))
        switches = management == "IterativeWorstCase" and kind not in ("None", "AbsMaxNPSum")
        bound = io.out_bound if io.out_bound > 0 else math.inf
        beta = 1
        for number in range(64):
            z, t = self.one_pass(row, n, alpha, beta, number)
            above = any(x > self.of(bound) for x in t)
            below = io.bm_test_negative_bound and any(x < -self.of(bound) for x in t)
            if management == "None" or not (above or below) or beta > limit:
                return z, t
            if number == 0 and switches:
                alpha = finite(np.array([self.sum_divisor(row)], object))[0]
                if alpha.value <= 0:
                    return z * self.of(0), z * self.of(0)
            else:
                beta *= 2
        raise AssertionError("bound management does not end")

    def drawn(self, name: str, n: int, number: int) -> Numbers:
        managed = self.io.bound_management.value != "None"
        values = self.noise[name][number] if managed else self.noise[name]
        return numbers(values[n])

    def one_pass(
        self, row: Numbers, n: int, alpha: Number, beta: int, number: int
    ) -> tuple[Numbers, Numbers]:
        io, of = self.io, self.of
        sigma = finite(np.array([of(1) / alpha / of(beta)], object))[0]
        u = self.drawn("inp_sto_round", n, number) if io.inp_sto_round and io.inp_res > 0 else None
        q = oracle.on_grid(row * sigma, grid_step(self.T, io.inp_res, io.inp_bound), u)
        d = oracle.clip(q, of(io.inp_bound if io.inp_bound > 0 else math.inf))
        if io.inp_noise > 0:
            d = self.drawn("inp_noise", n, number) * of(io.inp_noise) + d
        d = select(d < of(0), d * of(1 - io.inp_asymmetry), d)
        t = self.rounded(self.product(d, n), n, number)
        code = oracle.clip(t, of(io.out_bound if io.out_bound > 0 else math.inf))
        return finite(code * (of(io.out_scale) / sigma)), t

    def rounded(self, m: Numbers, n: int, number: int) -> Numbers:
        """The output before the clip; there is no grid without a bound, and no negative asymmetry."""
        io = self.io
        m = select(m < self.of(0), m * self.of(1 - max(io.out_asymmetry, 0.0)), m)
        if any(v.value > 0 for v in self.strength):
            m = m + self.strength * self.drawn("out_noise", n, number)
        u = self.drawn("out_sto_round", n, number) if io.out_sto_round and io.out_res > 0 else None
        res = io.out_res if io.out_bound > 0 else -1
        return oracle.on_grid(m, grid_step(self.T, res, io.out_bound), u)

    def product(self, d: Numbers, n: int) -> Numbers:
        w = self.weights if self.weights.ndim == 2 else self.weights[n]
        return np.array([total(self.T, d, column) for column in w], dtype=object)


@dataclass
class Tile(oracle.Tile):
    """A tile of the manual path; gradients accumulate as in training."""

    pending: list[tuple[Numbers, Numbers, Number]] = field(default_factory=list)

    # ----- what the classes below say

    def back_core(self, g: Numbers, noise: Noise) -> Numbers:
        raise NotImplementedError

    def output_mask(self) -> list[bool] | None:
        return None

    def take_weight(self, h: Numbers, c: Number, new: dict[str, Numbers]) -> None:
        shape = h.shape[1], self.v.shape[1]
        new["weight"] = oracle.table(shape, lambda o, i: total(self.T, h[:, o], self.v[:, i]))

    # ----- backward

    def backward(self, dy: Array, noise: Noise | None = None) -> Array:
        """Gradient of the input ``(N, I)``; all others are added to ``gradients``."""
        g, new = numbers(dy), {}
        if "bias" in self.state:
            new["bias"] = np.array([total(self.T, column) for column in g.T], dtype=object)
        if self.a is not None:
            new["out_scaling_alpha"] = self.alpha_gradient(g)
            g = g * self.a
        g1 = g if self.s is None else g * self.s
        mask = self.output_mask()
        if mask is not None:
            g1 = select(np.array(mask, bool).reshape(g1.shape), self.of(0), g1)
        dx = finite(self.back_core(g1, {} if noise is None else noise))
        c = self.compensation()
        self.take_weight(finite(g if self.s is None else g / (self.s * c)), c, new)
        if self.r is not None and self.config.pre_post.input_range.learn_input_range:
            new["input_range"] = np.full(1, finite(np.array([self.manual_range(dx)], object))[0])
        for name, value in new.items():
            present = self.gradients.get(name)
            added = value if present is None else numbers(present) + value
            self.gradients[name] = plain(self.T, finite(added))
        return plain(self.T, dx)

    def compensation(self) -> Number:
        if self.s is None or not self.config.mapping.weight_scaling_lr_compensation:
            return self.of(1)
        mean = sum((v.exact for v in self.s), Fraction(0)) / len(self.s)
        return finite(np.array([self.of(1) / Number(self.T, float(self.like(mean)))], object))[0]  # type: ignore[no-any-return]

    def like(self, exact: Fraction) -> Any:
        return oracle.round_to(self.T, exact)

    def manual_range(self, d: Numbers) -> Number:
        """Rule with growth and decay, from the input before the clip."""
        p, r, T = self.config.pre_post.input_range, self.r, self.T
        assert r is not None
        pairs = list(zip(self.x.flat, d.flat, strict=True))
        upper = [e for v, e in pairs if v >= r and e.value < 0]
        lower = [e for v, e in pairs if v <= -r and e.value > 0]
        rule = total(T, np.array(upper, object)) - total(T, np.array(lower, object))
        if p.gradient_relative:
            rule = rule * r
        if p.gradient_relative or self.config.choices.gradient_scale_applies == "always":
            rule = rule * self.of(p.gradient_scale)
        if self.output_mask() is not None:
            rule = self.with_growth(rule)
        return self.with_decay(rule, list(self.x.flat))


class InferenceTile(Tile):
    """The compiled core: management of rows, a mask, a gradient of the weight."""

    back_average: str = "backward_average_abs_max"

    def average(self, name: str) -> Number | None:
        stored = self.state.get(name)
        return None if stored is None else Number(self.T, float(stored[0]))

    def rows(self, io: Any, weights: Numbers, noise: Noise, names: tuple[str, str]) -> Rows:
        strength = self.get(names[0])
        if strength is None:
            strength = np.full(1, self.of(io.out_noise))
        kept = self.config.choices.perfect_out_scale == "by_path"
        return Rows(io, self.T, weights, noise, strength, self.average(names[1]), kept)

    def core(self) -> Numbers:
        self.shortcut = False
        chain = self.rows(
            self.config.forward, self.w, self.noise, ("out_noise_values", "average_abs_max")
        )
        z, self.t = chain.run(self.v, self.w.shape[-2])
        self.after = chain.average
        return z

    def forward(self, x: Array, noise: Noise) -> Array:
        y = super().forward(x, noise)
        self.keep("average_abs_max", self.after)
        return y

    def keep(self, name: str, average: Number | None) -> None:
        if self.training and average is not None:
            self.state[name] = plain(self.T, np.full(1, average))

    def output_mask(self) -> list[bool] | None:
        return self.clipped()

    def back_core(self, g: Numbers, noise: Noise) -> Numbers:
        names = "backward_out_noise_values", "backward_average_abs_max"
        chain = self.rows(self.config.backward, self.w.swapaxes(-1, -2), noise, names)
        d = chain.run(g, self.w.shape[-1])[0]
        self.back_after = chain.average
        return d

    def backward(self, dy: Array, noise: Noise | None = None) -> Array:
        dx = super().backward(dy, noise)
        self.keep("backward_average_abs_max", self.back_after)
        return dx


class FloatingPointTile(Tile):
    """An ideal product."""

    def effective_weight(self) -> Numbers:
        w = self.get("weight")
        assert w is not None
        return w

    def core(self) -> Numbers:
        return self.product(self.v)

    def back_core(self, g: Numbers, noise: Noise) -> Numbers:
        return self.input_gradient(g)


class CustomTile(FloatingPointTile):
    """The core of the autograd path in both directions; the weight waits for the optimiser."""

    def core(self) -> Numbers:
        return oracle.Tile.core(self)

    def back_core(self, g: Numbers, noise: Noise) -> Numbers:
        io = self.config.backward
        state = {"out_noise_values": self.state.get("backward_out_noise_values")}
        present = {name: value for name, value in state.items() if value is not None}
        back = oracle.Tile(SimpleNamespace(forward=io), self.T, self.training, present)
        back.v, back.w, back.noise = g, self.w.T, noise
        return back.core()

    def take_weight(self, h: Numbers, c: Number, new: dict[str, Numbers]) -> None:
        self.pending.append((self.x, h, c))

    def updated_weight(self, lr: float, r: Number | None) -> Array:
        """The weight after all pending updates, with the range of the step."""
        w = self.get("weight")
        assert w is not None
        for x, h, c in self.pending:
            v = x if r is None else oracle.clip(x, abs(r)) / r
            product = oracle.table(w.shape, lambda o, i, h=h, v=v: total(self.T, h[:, o], v[:, i]))
            w = w - product * (self.of(lr) * c)
        return plain(self.T, finite(w))
