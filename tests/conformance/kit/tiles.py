"""A small tile of the autograd path in NumPy, written here alone, and wrong ones made of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim.conformance.adapters import Capabilities, Unsupported

F = np.float32
FEATURES = frozenset(
    {"bias", "input_range", "learned_range", "decay", "dac", "adc", "eval", "backward", "sgd"}
)
DECLARED = Capabilities(name="small", features=FEATURES)


class Small:
    """Input range, converters, bias; rule, residual and decay; plain gradient descent."""

    capabilities = DECLARED

    def create(self, config: Any, weight: Any, bias: Any, state: Any) -> dict[str, Any]:
        p = config.pre_post.input_range
        start = state.get("input_range", [p.init_value]) if p.enable else None
        return {
            "config": config,
            "weight": weight.copy(),
            "bias": None if bias is None else bias.copy(),
            "input_range": None if start is None else np.array(start, F),
            "gradients": {},
        }

    def state(self, h: dict[str, Any]) -> dict[str, Any]:
        names = ("weight", "bias", "input_range")
        return {name: h[name].copy() for name in names if h[name] is not None}

    # ----- forward

    def rint(self, a: Any) -> Any:
        return np.rint(a)

    def grid(self, a: Any, step: Any) -> Any:
        return self.rint(a / step) * step if step else a

    def forward(self, h: dict[str, Any], x: Any, *, training: bool, noise: Any) -> Any:
        io, r = h["config"].forward, None if h["input_range"] is None else h["input_range"][0]
        c = x if r is None else np.clip(x, -abs(r), abs(r))
        v = c if r is None else c / r
        h |= {"x": x, "c": c, "r": r}
        if io.is_perfect:
            z = v @ h["weight"].T
            h |= {"q": None, "d": v, "t": None}
        else:
            q = self.grid(v, step(io, "inp"))
            d = np.clip(q, -bound(io, "inp"), bound(io, "inp"))
            t = self.grid(d @ h["weight"].T, step(io, "out"))
            z = np.clip(t, -bound(io, "out"), bound(io, "out")) * F(io.out_scale)
            h |= {"q": q, "d": d, "t": t}
        h["z"] = z
        y = z if r is None else z * r
        return y if h["bias"] is None else self.shifted(y, h["bias"])

    def shifted(self, y: Any, bias: Any) -> Any:
        return y + bias

    # ----- backward

    def backward(self, h: dict[str, Any], dy: Any) -> dict[str, Any]:
        io, r = h["config"].forward, h["r"]
        gz = dy if r is None else dy * r
        gm = gz
        if h["t"] is not None:
            gm = np.where(self.inside(h["t"], bound(io, "out")), gz * F(io.out_scale), F(0))
        dv = gm @ h["weight"]
        if h["q"] is not None:
            dv = np.where(np.abs(h["q"]) <= bound(io, "inp"), dv, F(0))
        found = {"weight": gm.T @ h["d"]}
        if h["bias"] is not None:
            found["bias"] = dy.sum(axis=0)
        d = dv if r is None else dv / r
        dx = d if r is None else np.where(np.abs(h["x"]) <= abs(r), d, F(0))
        if r is not None and h["config"].pre_post.input_range.learn_input_range:
            found["input_range"] = np.array([self.of_range(h, d, dv, dy, r)], F)
        self.accumulate(h, found)
        return {"input": dx, **{name: g.copy() for name, g in h["gradients"].items()}}

    def accumulate(self, h: dict[str, Any], found: dict[str, Any]) -> None:
        for name, g in found.items():
            h["gradients"][name] = h["gradients"].get(name, F(0)) + g

    def inside(self, t: Any, b: Any) -> Any:
        return np.abs(t) <= b

    def of_range(self, h: dict[str, Any], d: Any, dv: Any, dy: Any, r: Any) -> Any:
        p, c = h["config"].pre_post.input_range, h["c"]
        rule = self.rule(c, d, r) * F(p.gradient_scale)
        if p.gradient_relative:
            rule = rule * r
        residual = (dy * h["z"]).sum(dtype=F) - (dv * (c / r)).sum(dtype=F) / r
        fraction = F(np.mean(np.abs(c) < r, dtype=F)) if c.size else F(0)
        if p.decay > 0 and fraction > F(p.input_min_percentage):
            rule = rule + F(p.decay) * r
        return rule + residual

    def rule(self, c: Any, d: Any, r: Any) -> Any:
        upper = np.where((c >= r) & (d < 0), d, F(0)).sum(dtype=F)
        lower = np.where((c <= -r) & (d > 0), d, F(0)).sum(dtype=F)
        return upper - lower

    # ----- update

    def step(self, h: dict[str, Any], *, lr: float, **others: Any) -> None:
        for name, g in h["gradients"].items():
            h[name] = h[name] - F(lr) * g
        self.clear(h)

    def clear(self, h: dict[str, Any]) -> None:
        h["gradients"] = {}


def bound(io: Any, side: str) -> Any:
    value = getattr(io, f"{side}_bound")
    return F(value) if value > 0 else F(np.inf)


def step(io: Any, side: str) -> Any:
    res, b = getattr(io, f"{side}_res"), getattr(io, f"{side}_bound")
    if res <= 0:
        return F(0)
    if b <= 0:
        raise Unsupported("rounding without a bound")
    return F(2 * b * (1 / res if res > 1 else res))


# ----- mistakes


class HalfUp(Small):
    def rint(self, a: Any) -> Any:
        return np.floor(a + F(0.5))


class StrictRule(Small):
    def rule(self, c: Any, d: Any, r: Any) -> Any:
        upper = np.where((c > r) & (d < 0), d, F(0)).sum(dtype=F)
        return upper - np.where((c < -r) & (d > 0), d, F(0)).sum(dtype=F)


class StrictGate(Small):
    def inside(self, t: Any, b: Any) -> Any:
        return np.abs(t) < b


class NoBias(Small):
    def shifted(self, y: Any, bias: Any) -> Any:
        return y


class StaleGradients(Small):
    def clear(self, h: dict[str, Any]) -> None:
        pass


class Overwrites(Small):
    def accumulate(self, h: dict[str, Any], found: dict[str, Any]) -> None:
        h["gradients"] = dict(found)


class NoRangeGradient(Small):
    def backward(self, h: dict[str, Any], dy: Any) -> dict[str, Any]:
        found = super().backward(h, dy)
        found.pop("input_range", None)
        return found


class LearnsInEvaluation(Small):
    def forward(self, h: dict[str, Any], x: Any, *, training: bool, noise: Any) -> Any:
        y = super().forward(h, x, training=training, noise=noise)
        if not training and h["input_range"] is not None:
            h["input_range"] = h["input_range"] * F(2)
        return y


class Raises(Small):
    def forward(self, h: dict[str, Any], x: Any, *, training: bool, noise: Any) -> Any:
        if x.shape[0] > 1:
            raise ZeroDivisionError("no rows")
        return super().forward(h, x, training=training, noise=noise)
