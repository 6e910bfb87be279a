"""A whole tile in exact arithmetic: every written operation is rounded once, every sum is exact.

Written from the behavioural specification, with whole arrays of ``Number``. It imports nothing of
refsim: a configuration is read by its field names, the noise is given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from tests.exact import Array, Number, Type, round_to

Numbers = np.ndarray[Any, np.dtype[np.object_]]
Noise = Mapping[str, Array]


class RefusedError(Exception):
    """A sum overflows, or a number that the caller would see is not finite."""


def setting(T: Type, value: float) -> Number:
    """A number of the configuration, rounded once."""
    exact = value if math.isinf(value) else float(round_to(T, Fraction(value)))
    return Number(T, exact)


def numbers(x: Array) -> Numbers:
    """The array as objects that compute exactly and round once."""
    T = x.dtype.type
    return lifted(lambda v: Number(T, float(v)), x)


def lifted(f: Any, *arrays: Any) -> Numbers:
    """``f`` for each element."""
    result: Numbers = np.asarray(np.frompyfunc(f, len(arrays), 1)(*arrays), dtype=object)
    return result


def plain(T: Type, x: Any) -> Array:
    """The numbers as an array of ``T``."""
    return np.asarray(lifted(lambda v: v.value, x), dtype=np.float64).astype(T)


def select(condition: Any, one: Any, other: Any) -> Numbers:
    return np.where(np.asarray(condition, dtype=bool), one, other)


def finite(x: Any) -> Any:
    """The numbers; refused if one is NaN or infinite."""
    if not all(math.isfinite(v.value) for v in np.asarray(x, dtype=object).flat):
        raise RefusedError
    return x


def total(T: Type, *factors: Any) -> Number:
    """The exact sum of numbers, or of products of two, rounded once."""
    terms = [finite(np.asarray(f, dtype=object)).ravel() for f in factors]
    parts = (
        math.prod((v.exact for v in term), start=Fraction(1)) for term in zip(*terms, strict=True)
    )
    return finite(Number(T, float(round_to(T, sum(parts, Fraction(0))))))  # type: ignore[no-any-return]


def table(shape: tuple[int, int], entry: Any) -> Numbers:
    """A matrix by its entries."""
    result = np.empty(shape, dtype=object)
    for place in np.ndindex(*shape):
        result[place] = entry(*place)
    return result


def clip(x: Numbers, bound: Number) -> Numbers:
    return select(x < -bound, -bound, select(x > bound, bound, x))


def grid_step(T: Type, res: float, bound: float) -> Number:
    """The step of a resolution, formed in float64."""
    if res <= 0:
        return Number(T, 0.0)
    return setting(T, (1 / res if res > 1 else res) * 2 * abs(bound))


def on_grid(x: Numbers, step: Number, u: Numbers | None = None) -> Numbers:
    if step.value == 0 or x.size == 0:
        return x
    levels = x / step if u is None else x / step + u
    return lifted(lambda v: v.rint(), levels) * step


def deviation(T: Type, x: Numbers) -> Number:
    """Standard deviation with n - 1: three roundings around two exact sums."""
    count = x.size
    if count < 2:
        return Number(T, math.nan)
    mean = Number(T, float(round_to(T, sum((v.exact for v in x.flat), Fraction(0)) / count)))
    e = (x - mean).ravel()
    return (total(T, e, e) / setting(T, count - 1)).sqrt()


@dataclass
class Tile:
    """The state of a tile; gradients accumulate as in training."""

    config: Any
    T: Type
    training: bool
    state: dict[str, Array]
    gradients: dict[str, Array] = field(default_factory=dict)

    def get(self, name: str) -> Numbers | None:
        value = self.state.get(name)
        return None if value is None else numbers(value)

    def of(self, value: float) -> Number:
        return setting(self.T, value)

    # ----- forward

    def forward(self, x: Array, noise: Noise) -> Array:
        """Output of a batch ``(N, I)``; updates range and counter in training."""
        T = self.T
        self.x, self.noise = numbers(x), noise
        self.r, counter = self.current_range()
        c = self.x if self.r is None else clip(self.x, abs(self.r))
        self.c = c
        self.v = c if self.r is None else c / self.r
        self.w = self.effective_weight()
        self.s, self.a = self.get("mapping_scales"), self.get("out_scaling_alpha")
        z = self.core()
        kappa = None if self.r is None else np.full(1, self.r)
        if self.s is not None:
            kappa = self.s if kappa is None else kappa * self.s
        self.z, self.kappa = z, kappa
        self.scaled = z if kappa is None else z * kappa
        y = self.scaled if self.a is None else self.scaled * self.a
        bias = self.get("bias")
        y = finite(y if bias is None else y + bias)
        if self.training and len(x) and self.r is not None:
            self.state["input_range"] = plain(T, np.full(1, self.r))
            self.state["input_range_update_idx"] = counter
        return plain(T, y)

    def current_range(self) -> tuple[Number | None, Any]:
        """The range after the initialisation from data, with the counter (float32)."""
        p, stored = self.config.pre_post.input_range, self.get("input_range")
        if not p.enable or stored is None:
            return None, None
        r, k = stored[0], self.state["input_range_update_idx"].copy()
        if self.training and len(self.x) and k[0] < int(p.init_from_data):
            s = deviation(self.T, self.x)
            if s.value > 0:
                count = self.of(float(k[0]))
                r = (r * count + self.of(p.init_std_alpha) * s) / (count + self.of(1))
                k = k + np.float32(1)
            r = abs(r)
        if r.value == 0:
            raise RefusedError
        return finite(r), k

    def effective_weight(self) -> Numbers:
        w, p = self.get("weight"), self.config.modifier
        assert w is not None
        if not self.training:
            return w
        largest = max(abs(v.value) for v in w.flat) if p.rel_to_actual_wmax else p.assumed_wmax
        kind = p.type.value
        if kind == "AddNormal" and p.std_dev > 0:
            return numbers(self.noise["weight_noise"]) * self.of(p.std_dev * largest) + w
        if kind == "MultNormal" and p.std_dev > 0:
            return (numbers(self.noise["weight_noise"]) * self.of(p.std_dev) + self.of(1)) * w
        if kind == "Discretize":
            u = numbers(self.noise["weight_sto_round"]) if p.sto_round else None
            weights = w if u is None else np.broadcast_to(w, u.shape)
            return on_grid(weights, grid_step(self.T, p.res, largest), u)
        return w

    def core(self) -> Numbers:
        io = self.config.forward
        self.shortcut = False
        if io.is_perfect:
            return self.product(self.v)
        self.manage()
        if self.shortcut:
            return table((len(self.v), self.w.shape[-2]), lambda n, o: self.of(0))
        iterative, beta = io.bound_management.value != "None", 1
        limit: float = io.max_bm_factor
        if io.inp_res > 0 and io.inp_bound > 0:
            res = 1 / io.inp_res if io.inp_res > 1 else io.inp_res
            limit = min(limit, io.max_bm_res / (2 * io.inp_bound * res))
        for number in range(64):
            z = self.one_pass(beta, number, iterative)
            inside = all(abs(t.value) <= self.out_bound.value for t in self.t.flat)
            if not iterative or inside or beta > limit:
                return z
            beta *= 2
        raise AssertionError("bound management does not end")

    def manage(self) -> None:
        """The divisor of each row, where it came from, and whether all rows are zero."""
        io, count = self.config.forward, len(self.v)
        kind, cap = io.noise_management.value, io.nm_thres
        self.peaks: list[tuple[int, int] | None] = [None] * count
        self.alpha = np.full(count, self.of(cap if kind == "Constant" and cap > 0 else 1))
        if kind not in ("AbsMax", "Max"):
            return
        raw = []
        for n, row in enumerate(self.v):
            size = [abs(v.value) if kind == "AbsMax" else v.value for v in row]
            index = int(np.argmax(size))
            peak = Number(self.T, size[index])
            raw.append(peak.value)
            if peak.value > 0:
                capped = cap > 0 and peak > self.of(cap)
                self.alpha[n] = self.of(cap) if capped else peak
                sign = -1 if kind == "AbsMax" and row[index].value < 0 else 1
                self.peaks[n] = None if capped else (index, sign)
        self.shortcut = count > 0 and not any(raw) and io.inp_noise <= 0

    def drawn(self, name: str, number: int, iterative: bool) -> Numbers:
        values = self.noise[name][number] if iterative else self.noise[name]
        return numbers(values)

    def one_pass(self, beta: int, number: int, iterative: bool) -> Numbers:
        io, T = self.config.forward, self.T
        self.in_bound = self.of(io.inp_bound if io.inp_bound > 0 else math.inf)
        self.out_bound = self.of(io.out_bound if io.out_bound > 0 else math.inf)
        self.sigma = finite(np.full(len(self.v), self.of(1)) / self.alpha / self.of(beta))
        u = None
        if io.inp_sto_round and io.inp_res > 0:
            u = self.drawn("inp_sto_round", number, iterative)
        step = grid_step(T, io.inp_res, io.inp_bound)
        self.q = on_grid(self.v * self.sigma[:, None], step, u)
        d = clip(self.q, self.in_bound)
        if io.inp_noise > 0:
            d = self.drawn("inp_noise", number, iterative) * self.of(io.inp_noise) + d
        self.negative = np.asarray(d < self.of(0), dtype=bool)
        self.d = select(self.negative, d * self.of(1 - io.inp_asymmetry), d)
        self.m = self.product(self.d)
        self.t = self.rounded_output(number, iterative)
        self.code = clip(self.t, self.out_bound)
        return finite(self.code * self.out_factor())  # type: ignore[no-any-return]

    def out_factor(self) -> Numbers:
        scale = np.full(len(self.sigma), self.of(self.config.forward.out_scale))
        return (scale / self.sigma)[:, None]

    def rounded_output(self, number: int, iterative: bool) -> Numbers:
        io = self.config.forward
        m = select(self.m < self.of(0), self.m * self.of(1 - io.out_asymmetry), self.m)
        strength = self.get("out_noise_values")
        if strength is None:
            strength = np.full(1, self.of(io.out_noise))
        if any(v.value > 0 for v in strength):
            m = m + strength * self.drawn("out_noise", number, iterative)
        u = None
        if io.out_sto_round and io.out_res > 0:
            u = self.drawn("out_sto_round", number, iterative)
        return on_grid(m, grid_step(self.T, io.out_res, io.out_bound), u)

    def weight_of(self, n: int) -> Numbers:
        return self.w if self.w.ndim == 2 else self.w[n]

    def product(self, d: Numbers) -> Numbers:
        shape = len(d), self.w.shape[-2]
        return table(shape, lambda n, o: total(self.T, d[n], self.weight_of(n)[o]))

    # ----- backward

    def backward(self, dy: Array) -> Array:
        """Gradient of the input ``(N, I)``; all others are added to ``gradients``."""
        g, new = numbers(dy), {}
        if "bias" in self.state:
            new["bias"] = np.array([total(self.T, column) for column in g.T], dtype=object)
        if self.a is not None:
            new["out_scaling_alpha"] = self.alpha_gradient(g)
            g = g * self.a
        gz = g if self.kappa is None else g * self.kappa
        dv = self.core_backward(gz, new)
        dx = d = finite(dv if self.r is None else dv / self.r)
        if self.r is not None:
            inside = np.array(abs(self.x) <= abs(self.r), dtype=bool)
            dx = select(inside, d, self.of(0))
            if self.config.pre_post.input_range.learn_input_range:
                new["input_range"] = np.full(1, self.range_gradient(g, dv, d))
        for name, value in new.items():
            present = self.gradients.get(name)
            added = value if present is None else numbers(present) + value
            self.gradients[name] = plain(self.T, finite(added))
        return plain(self.T, dx)

    def alpha_gradient(self, g: Numbers) -> Numbers:
        assert self.a is not None
        if self.a.size == 1:
            return np.full(1, total(self.T, g, self.scaled))
        columns = zip(g.T, self.scaled.T, strict=True)
        return np.array([total(self.T, *pair) for pair in columns], dtype=object)

    def core_backward(self, gz: Numbers, new: dict[str, Numbers]) -> Numbers:
        """Gradient of the scaled input; that of the weight unless all inputs were zero."""
        io, zero = self.config.forward, self.of(0)
        if self.shortcut:
            return select(np.zeros(self.v.shape), self.v, zero)
        if io.is_perfect:
            new["weight"] = self.weight_gradient(gz, self.v)
            return self.input_gradient(gz)
        gm = gz * self.out_factor()
        gm = select(self.m < zero, gm * self.of(1 - io.out_asymmetry), gm)
        gm = select(abs(self.t) <= self.out_bound, gm, zero)
        new["weight"] = self.weight_gradient(gm, self.d)
        gd = self.input_gradient(gm)
        ga = select(self.negative, gd * self.of(1 - io.inp_asymmetry), gd)
        ga = select(abs(self.q) <= self.in_bound, ga, zero)
        dv = ga * self.sigma[:, None]
        for n, peak in enumerate(self.peaks):
            if peak is not None:
                term = self.management_term(gz[n], ga[n], n)
                dv[n, peak[0]] = dv[n, peak[0]] + (term if peak[1] > 0 else -term)
        return finite(dv)  # type: ignore[no-any-return]

    def management_term(self, gz: Numbers, ga: Numbers, n: int) -> Number:
        """Derivative with respect to the divisor of one row."""
        sigma = self.sigma[n]
        outputs, inputs = total(self.T, gz, self.code[n]), total(self.T, ga, self.v[n])
        S = inputs - outputs * (self.of(self.config.forward.out_scale) / sigma) / sigma
        result: Number = -(S * (sigma / self.alpha[n]))
        return result

    def weight_gradient(self, gm: Numbers, d: Numbers) -> Numbers:
        shape = gm.shape[1], d.shape[1]
        raw = table(shape, lambda o, i: total(self.T, gm[:, o], d[:, i]))
        return raw if self.s is None else raw / self.s[:, None] / self.s[:, None]

    def input_gradient(self, gm: Numbers) -> Numbers:
        shape = len(gm), self.w.shape[-1]
        return table(shape, lambda n, i: total(self.T, gm[n], self.weight_of(n)[:, i]))

    def range_gradient(self, g: Numbers, dv: Numbers, d: Numbers) -> Number:
        """Rule, decay and residual."""
        p, r, T = self.config.pre_post.input_range, self.r, self.T
        assert r is not None
        if self.shortcut:
            return self.of(0)
        edges = [(v, e) for v, e in zip(self.c.flat, d.flat, strict=True)]
        upper = [e for v, e in edges if v >= r and e.value < 0]
        lower = [e for v, e in edges if v <= -r and e.value > 0]
        rule = total(T, upper) - total(T, lower)
        if p.gradient_relative:
            rule = rule * r
        if p.gradient_relative or self.config.choices.gradient_scale_applies == "always":
            rule = rule * self.of(p.gradient_scale)
        rule = self.with_decay(self.with_growth(rule), [v for v, _ in edges])
        g_s = g if self.s is None else g * self.s
        residual = total(T, g_s, self.z) - total(T, dv, self.v) / r
        return rule + residual

    def with_growth(self, rule: Number) -> Number:
        """The rule with the growth term of output clipping."""
        p, choices, r = self.config.pre_post.input_range, self.config.choices, self.r
        mask = self.clipped() if p.manage_output_clipping else None
        if mask is None or r is None:
            return rule
        count = len(self.x.flat) if choices.output_percentage_of == "inputs" else len(mask)
        if count == 0:
            return rule
        part = round_to(np.float32, 1 - Fraction(sum(mask), count))
        if part < round_to(np.float32, Fraction(p.output_min_percentage)):
            rule = rule - (self.of(1) - Number(self.T, float(part))) * r
        return rule

    def clipped(self) -> list[bool] | None:
        """For each output whether it counts as clipped; None without a bound to tell."""
        io, choice = self.config.forward, self.config.choices.output_clip_mask
        if io.out_bound <= 0 or (choice == "adc" and io.is_perfect):
            return None
        if choice == "adc":
            return [bool(abs(t) > self.of(io.out_bound)) for t in self.t.flat]
        limit = self.of(0.999 * io.out_scale * io.out_bound)
        return [bool(abs(z) >= limit) for z in self.z.flat]

    def with_decay(self, rule: Number, inputs: list[Number]) -> Number:
        """The rule with its decay, if enough of the inputs lie inside the range."""
        p, r = self.config.pre_post.input_range, self.r
        if p.decay > 0 and inputs and r is not None:
            part = round_to(np.float32, Fraction(sum(abs(v) < r for v in inputs), len(inputs)))
            if part > round_to(np.float32, Fraction(p.input_min_percentage)):
                rule = rule + self.of(p.decay) * r
        return rule
