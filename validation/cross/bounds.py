r"""How far two correct programs may differ, stage by stage.

A sum of K products, in any order and with or without fused operations, differs from the exact one by at most
:math:`\gamma_K \sum |x||w|` with :math:`\gamma_K = K u / (1 - K u)`; :math:`u` is half the distance from 1 to the next
number. Every bound here is that of a sum of products, with the roundings before and after it counted as further
terms, and with the bounds of what enters it carried along. All are evaluated in float64.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from refsim.tile import settings

Array = np.ndarray


def gamma(k: int, T: Any) -> float:
    """The factor of the error bound of K roundings in ``T``."""
    u = float(np.finfo(T).eps) / 2
    return k * u / (1 - k * u)


def wide(value: Any) -> Array:
    """Magnitudes in float64."""
    return np.abs(np.asarray(value, dtype=np.float64))


@dataclass
class Pass:
    """A forward pass of a tile in magnitudes: what the bounds need."""

    T: Any
    v: Array
    d: Array
    w: Array
    code: Array
    rescale: Array
    s: Array
    a: Array
    r: Array
    bias: Array
    low: Array
    high: Array
    tight: Array
    masked: Array
    uncertain_mask: Array

    @property
    def reach(self) -> Array:
        """Distance from the code to the farthest one that the bound of the product allows."""
        code = self.code
        return np.maximum(np.maximum(self.high - code, code - self.low), self.tight)

    def without_doubt(self) -> Self:
        """The same pass, as if no clip mask were uncertain."""
        return replace(self, uncertain_mask=np.zeros_like(self.uncertain_mask))

    def output(self, code_bound: Array) -> Array:
        """Bound of the output, from that of the code."""
        factor = self.rescale * self.r * self.s * self.a
        return code_bound * factor * (1 + gamma(8, self.T)) + gamma(5, self.T) * (
            wide(self.code) * factor + self.bias
        )


def of_pass(trace: Any, tile: Any) -> Pass:
    """The magnitudes of a traced forward pass."""
    T, io = tile.dtype, settings.core(tile.config.forward, tile.dtype)
    d, w = wide(trace["converted_input"]), wide(trace["effective_weight"])
    m = np.float64(trace["product"])
    error = gamma(d.shape[1] + 3, T) * (d @ w.T)
    step, bound = float(io.adc.step), float(io.adc.bound)
    ends = [m - error, m + error]
    if step > 0:
        ends = [np.rint(end / step) * step for end in ends]
    low, high = (np.clip(np.asarray(end, dtype=T), -bound, bound) for end in ends)
    slack = (1 + gamma(4, T)) * bound
    outside = [np.abs(end) > slack for end in ends]
    one = np.ones(1)
    return Pass(
        T=T,
        v=wide(trace["scaled_input"]),
        d=d,
        w=w,
        code=np.float64(trace["output_code"]),
        rescale=(float(io.out_scale) / wide(trace["input_scale"]))[:, None],
        s=wide(tile.buffers.get("mapping_scales", one)),
        a=wide(tile.parameters.get("out_scaling_alpha", one)),
        r=wide(tile.value("input_range")),
        bias=wide(tile.parameters["bias"]),
        low=np.float64(low),
        high=np.float64(high),
        tight=np.zeros_like(error) if step > 0 else error,
        masked=np.float64(np.abs(trace["rounded_output"]) <= io.adc.bound),
        uncertain_mask=np.float64(outside[0] != outside[1]),
    )


def backward(
    p: Pass, g: Array, x: Array, alpha: Array, managed: bool, dac_mask: Array, code_bound: Array
) -> dict[str, Array]:
    """Bounds of all gradients of a tile, from the gradient of its output and the bound of its codes."""
    T, (N, I), O, g = p.T, p.d.shape, g.shape[1], wide(g)
    sigma = 1 / p.rescale
    gz = g * p.a * p.s * p.r
    gm_all = gz * p.rescale
    gm, doubt = gm_all * p.masked, gm_all * p.uncertain_mask
    bounds = {"bias": gamma(N + 2, T) * g.sum(axis=0)}
    code = wide(p.code)
    factor = p.rescale * p.s * p.r
    bounds["out_scaling_alpha"] = gamma(N + 6, T) * (g * code * factor).sum(axis=0) + (
        g * code_bound * factor
    ).sum(axis=0)
    bounds["weight"] = (gamma(N + 10, T) * (gm.T @ p.d) + doubt.T @ p.d) / (p.s**2)[:, None]
    ga = (gm @ p.w) * dac_mask
    ga_bound = (gamma(O + 8, T) * (gm @ p.w) + doubt @ p.w) * dac_mask
    dv, dv_bound = ga * sigma, ga_bound * sigma + gamma(2, T) * ga * sigma
    if managed:
        size = (ga * p.v).sum(axis=1) + (gz * code * p.rescale / sigma).sum(axis=1)
        spread = (ga_bound * p.v).sum(axis=1) + (gz * code_bound * p.rescale / sigma).sum(axis=1)
        term = sigma[:, 0] / alpha
        peak = p.v == p.v.max(axis=1, keepdims=True)
        dv_bound = dv_bound + peak * ((gamma(I + O + 16, T) * size + spread) * term)[:, None]
        dv = dv + peak * (size * term)[:, None]
    dx, dx_bound = dv / p.r, dv_bound / p.r + gamma(4, T) * dv / p.r
    bounds["x"] = dx_bound * (wide(x) <= p.r)
    edge = wide(x) >= p.r
    roundings = gamma(N * (I + O) + 24, T)
    gas = g * p.a * p.s
    sizes = (dx * edge).sum() * p.r + (gas * code * p.rescale).sum() + (dv * p.v).sum() / p.r
    spread = (dx_bound * edge).sum() * p.r + (gas * code_bound * p.rescale).sum()
    bounds["input_range"] = roundings * (sizes + p.r) + spread + (dv_bound * p.v).sum() / p.r
    return bounds


def data_range(x: Array, r: Array, T: Any) -> Array:
    """Bound of a range that a batch suggests; the standard deviation is a sum of squares of differences."""
    x = np.float64(x)
    return gamma(2 * x.size + 16, T) * wide(r) * np.sqrt(1 + x.mean() ** 2 / x.var())


def loss(y: Array, labels: Array, T: Any) -> tuple[float, Array]:
    """Bounds of the mean cross-entropy and of its gradient."""
    y = np.float64(y)
    low = y - y.max(axis=1, keepdims=True)
    e = np.exp(low)
    N, O = y.shape
    size = np.abs(low).max(axis=1) + np.log(O) + 1
    p = e / e.sum(axis=1, keepdims=True)
    parts = p * (1 + np.abs(low)) + np.eye(O)[labels]
    return gamma(N + O + 16, T) * float(size.mean()), gamma(2 * O + 16, T) * parts / N


def update(p: Array, g: Array, v: Array | None, run: Any, T: Any) -> tuple[Array, Array]:
    """Bounds of a parameter and of its velocity after a step of gradient descent."""
    size = wide(g) + (0 if v is None else run.momentum * wide(v))
    return gamma(6, T) * (wide(p) + run.lr * size) + run.lr * gamma(4, T) * size, gamma(4, T) * size


def clipped(bound: Array, weight: Array, tile: Any) -> Array:
    """Bound of the weights after a Gaussian clip, which sums over all of them."""
    sigma, n = tile.config.clip.sigma, weight.size
    peak = sigma * (gamma(n + 16, tile.dtype) * np.sqrt((np.float64(weight) ** 2).mean()) * 2)
    return bound + 1.1 * sigma * bound.max() + peak


def remapped(bound: Array, stored: Array, before: Array, after: Array, T: Any) -> Array:
    """Bound of the stored weights after a remap by row."""
    logical = bound * wide(before)[:, None]
    rows, divisor = logical.max(axis=1, keepdims=True), wide(after)[:, None]
    return (logical + wide(stored) * rows) / divisor + gamma(8, T) * wide(stored)
