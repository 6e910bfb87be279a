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


def reached(trace: Any, io: settings.Core, error: Array) -> tuple[Array, Array, Array]:
    """Lowest and highest code within the bound of the product, and where the clip mask is uncertain."""
    m, step, bound = np.float64(trace["product"]), float(io.adc.step), float(io.adc.bound)
    ends = [m - error, m + error]
    if step > 0:
        ends = [np.rint(end / step) * step for end in ends]
    slack = (1 + gamma(4, io.adc.step.dtype)) * bound
    below, above = (np.abs(end) > slack for end in ends)
    low, high = (np.float64(np.clip(end.astype(io.adc.step.dtype), -bound, bound)) for end in ends)
    return low, high, np.float64(below != above)


def of_pass(trace: Any, tile: Any) -> Pass:
    """The magnitudes of a traced forward pass."""
    T, io, one = tile.dtype, settings.core(tile.config.forward, tile.dtype), np.ones(1)
    d, w = wide(trace["converted_input"]), wide(trace["effective_weight"])
    error = gamma(d.shape[1] + 3, T) * (d @ w.T)
    low, high, uncertain = reached(trace, io, error)
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
        low=low,
        high=high,
        tight=np.zeros_like(error) if io.adc.step > 0 else error,
        masked=np.float64(np.abs(trace["rounded_output"]) <= io.adc.bound),
        uncertain_mask=uncertain,
    )


@dataclass
class Back:
    """A backward pass of a tile in magnitudes, with the bounds of what it hands on."""

    g: Array
    core: Array
    product: Array
    doubt: Array
    scaled: Array
    scaled_bound: Array


def back(p: Pass, g: Array, dac_mask: Array) -> Back:
    """From the gradient of the output to that of the scaled input, before noise management."""
    g = wide(g)
    core = g * p.a * p.s * p.r
    product, doubt = core * p.rescale * p.masked, core * p.rescale * p.uncertain_mask
    scaled = (product @ p.w) * dac_mask
    error = gamma(g.shape[1] + 8, p.T) * scaled + (doubt @ p.w) * dac_mask
    return Back(g, core, product, doubt, scaled, error)


def parameters(p: Pass, b: Back, code_bound: Array) -> dict[str, Array]:
    """Bounds of the gradients of bias, output scales and weight."""
    T, N, factor = p.T, len(b.g), p.rescale * p.s * p.r
    scales = gamma(N + 6, T) * b.g * wide(p.code) * factor + b.g * code_bound * factor
    weight = gamma(N + 10, T) * (b.product.T @ p.d) + b.doubt.T @ p.d
    return {
        "bias": gamma(N + 2, T) * b.g.sum(axis=0),
        "out_scaling_alpha": scales.sum(axis=0),
        "weight": weight / (p.s**2)[:, None],
    }


def scaled_input(
    p: Pass, b: Back, alpha: Array, managed: bool, code_bound: Array
) -> tuple[Array, Array]:
    """Gradient of the scaled input and its bound, with the term of noise management at the peaks."""
    sigma, terms = 1 / p.rescale, p.d.shape[1] + b.g.shape[1] + 16
    dv, bound = b.scaled * sigma, b.scaled_bound * sigma + gamma(2, p.T) * b.scaled * sigma
    if not managed:
        return dv, bound
    back_scale = b.core * p.rescale / sigma
    size = (b.scaled * p.v).sum(axis=1) + (back_scale * wide(p.code)).sum(axis=1)
    spread = (b.scaled_bound * p.v).sum(axis=1) + (back_scale * code_bound).sum(axis=1)
    factor = sigma[:, 0] / alpha
    peak = p.v == p.v.max(axis=1, keepdims=True)
    bound = bound + peak * ((gamma(terms, p.T) * size + spread) * factor)[:, None]
    return dv + peak * (size * factor)[:, None], bound


def input_range(
    p: Pass, b: Back, edge: Array, dv: Array, dv_bound: Array, code_bound: Array
) -> Array:
    """Bound of the gradient of the range: rule at the edges, decay, and the two sums of the residual."""
    outputs = b.g * p.a * p.s * p.rescale
    sizes = (dv * edge).sum() + (outputs * wide(p.code)).sum() + (dv * p.v).sum() / p.r + p.r
    spread = ((dv_bound + gamma(4, p.T) * dv) * edge).sum() + (outputs * code_bound).sum()
    roundings = gamma(len(b.g) * (p.d.shape[1] + b.g.shape[1]) + 24, p.T)
    return roundings * sizes + spread + (dv_bound * p.v).sum() / p.r


def backward(
    p: Pass, g: Array, x: Array, alpha: Array, managed: bool, dac_mask: Array, code_bound: Array
) -> dict[str, Array]:
    """Bounds of all gradients of a tile, from the gradient of its output and the bound of its codes."""
    b, x = back(p, g, dac_mask), wide(x)
    dv, dv_bound = scaled_input(p, b, alpha, managed, code_bound)
    return parameters(p, b, code_bound) | {
        "x": (dv_bound + gamma(4, p.T) * dv) / p.r * (x <= p.r),
        "input_range": input_range(p, b, x >= p.r, dv, dv_bound, code_bound),
    }


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
