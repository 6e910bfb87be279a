"""Matrices that are hard to multiply, and one call of each operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.exact import Array, Type

ROOT = Path(__file__).resolve().parents[2]
"""Where subprocesses find the packages."""
Generator = np.random.Generator
Shape = tuple[int, ...]
Call = tuple[str, tuple[Any, ...]]


def normal(T: Type, rng: Generator, shape: Shape) -> Array:
    """As data are."""
    return rng.standard_normal(shape).astype(T)


def grid(T: Type, rng: Generator, shape: Shape) -> Array:
    """12 bits, as codes are: many exact ties in float32."""
    return (rng.integers(-2047, 2048, shape) / 2048).astype(T)


def half_grid(T: Type, rng: Generator, shape: Shape) -> Array:
    """So many digits that products of two are ties in float64, too."""
    bits = 27 if T is np.float64 else 13
    return (rng.integers(-(2**bits), 2**bits, shape) / 2**bits).astype(T)


def signs(T: Type, rng: Generator, shape: Shape) -> Array:
    """One digit, both zeros included."""
    return rng.choice(T([1, -1, 0.0, -0.0]), shape)


def everywhere(T: Type, rng: Generator, shape: Shape) -> Array:
    """All exponents of the type: products overflow and underflow."""
    info = np.finfo(T)
    exponents = rng.integers(info.minexp - info.nmant, info.maxexp, shape)
    with np.errstate(all="ignore"):
        return np.ldexp(rng.uniform(-2, 2, shape), exponents).astype(T)


def tiny(T: Type, rng: Generator, shape: Shape) -> Array:
    """Subnormal numbers."""
    info = np.finfo(T)
    return (rng.integers(-999, 1000, shape) * float(info.smallest_subnormal)).astype(T)


def low_product(T: Type, rng: Generator, shape: Shape) -> Array:
    """Products around the smallest numbers: subnormal sums."""
    info = np.finfo(T)
    exponent = (int(info.minexp) - 20) // 2
    return np.ldexp(rng.standard_normal(shape), exponent).astype(T)


def sparse(T: Type, rng: Generator, shape: Shape) -> Array:
    """Mostly zeros, whole rows of zeros."""
    return normal(T, rng, shape) * rng.choice(T([0, 0, 0, 1]), shape)


def cancelling(T: Type, rng: Generator, shape: Shape) -> Array:
    """Neighbours nearly cancel if the other factor repeats itself."""
    x = normal(T, rng, shape)
    x[..., 1::2] = -x[..., 0 : 2 * (shape[-1] // 2) : 2]
    x[..., ::7] *= T(1) + np.finfo(T).eps
    return x


def repeated(T: Type, rng: Generator, shape: Shape) -> Array:
    """The other factor of ``cancelling``."""
    x = normal(T, rng, shape)
    x[..., 1::2] = x[..., 0 : 2 * (shape[-1] // 2) : 2]
    return x


def special(T: Type, rng: Generator, shape: Shape) -> Array:
    """A NaN and infinities here and there."""
    x = normal(T, rng, shape)
    x[rng.random(shape) < 0.02] = rng.choice([np.nan, np.inf, -np.inf])
    return x


Kind = Callable[[Type, Generator, Shape], Array]
PAIRS: dict[str, tuple[Kind, Kind]] = {
    "normal": (normal, normal),
    "grid": (grid, grid),
    "grid and normal": (grid, normal),
    "half grid": (half_grid, half_grid),
    "signs": (signs, normal),
    "everywhere": (everywhere, everywhere),
    "everywhere and signs": (everywhere, signs),
    "tiny": (tiny, tiny),
    "tiny and normal": (tiny, normal),
    "low product": (low_product, low_product),
    "sparse": (sparse, sparse),
    "cancelling": (cancelling, repeated),
    "special": (special, normal),
}


def pair(kind: str, T: Type, left: Shape, right: Shape, seed: int = 0) -> tuple[Array, Array]:
    """Two arrays of the named kind."""
    rng = np.random.default_rng(seed)
    return PAIRS[kind][0](T, rng, left), PAIRS[kind][1](T, rng, right)


class Draw:
    """Random arguments of one data type."""

    def __init__(self, T: Type, seed: int) -> None:
        self.T, self.rng = T, np.random.default_rng(seed)

    def __call__(self, *shape: int) -> Array:
        return normal(self.T, self.rng, shape)

    def positive(self, *shape: int) -> Array:
        return np.abs(self(*shape)) + self.T(0.1)

    def uniform(self, *shape: int) -> Array:
        return (self.rng.integers(0, 2**24, shape) / 2**24 - 0.5).astype(self.T)

    def mask(self, *shape: int) -> Any:
        return self.rng.random(shape) < 0.5


def converter_calls(T: Type, draw: Draw, N: int, I: int) -> Iterator[Call]:
    """Converters with and without rounding, noise and grid."""
    for rounding in (None, draw.uniform(N, I)):
        for noise in (None, draw(N, I)):
            for step in (T(0), T(0.125)):
                rest = rounding, noise
                scales = T(0.05), draw.positive(N), T(0.8)
                first = draw(N, I), scales[1], step, T(0.9)
                yield "digital_to_analog", (*first, *rest, scales[0], scales[2])
                for width in (1, I):
                    second = draw(N, I), step, T(0.9), *rest, draw.positive(width), T(0.8)
                    yield "analog_to_digital", second


def output_calls(T: Type, draw: Draw, N: int, I: int, O: int) -> Iterator[Call]:
    """Products, and operations on outputs."""
    v, t, w = draw(N, I), draw(N, O), draw(O, I)
    yield "adc_gradient", (t, draw.positive(N), T(1.3), draw(N, O), T(0.8), draw(N, O), T(0.7))
    for step in (T(0), T(0.125)):
        for rest in ((None, None), (draw.uniform(N, O), draw(N, O))):
            adc = step, T(2), *rest, draw.positive(O), T(0.8), draw.positive(N), T(1.3)
            yield "crossbar_output", (v, w, *adc, None, None, None)
            yield "crossbar_output", (v, w, *adc, draw(O), draw(1), draw(O))
    behind = t, draw(N, O), draw.positive(N), T(1.3), T(0.8)
    yield "crossbar_output_gradient", (*behind, None, None)
    yield "crossbar_output_gradient", (*behind, draw(O), draw(1))
    yield "matrix_product", (v, w)
    yield "merged_scale", (draw(1), draw(O))
    yield "outer_product_sum", (t, v)
    yield "rescaled_output", (t, draw.positive(N), T(1.3))
    yield "scaled_output", (t, draw(O))
    yield "shifted_output", (t, draw(O))
    yield "transposed_product", (t, w)
    yield "within_bound", (t, T(3))


def input_calls(T: Type, draw: Draw, N: int, I: int) -> Iterator[Call]:
    """Operations on inputs."""
    v, index = draw(N, I), draw.rng.integers(0, I, N)
    yield "add_peak_gradient", (v, draw(N), index, draw.mask(N), draw(N))
    yield "clip", (v, T(0.5))
    yield "clipped_input", (v, T(-0.5))
    for r in (None, T(0.7)):
        noise = draw.uniform(N, I), draw(N, I), T(0.05), T(0.8)
        yield "crossbar_input", (v, r, draw.positive(N), T(0.125), T(0.9), *noise)
    gates = v, T(0.7), draw.positive(N), T(0.125), T(0.9)
    yield "crossbar_input_gradient", (draw(N, I), *gates, None)
    yield "crossbar_input_gradient", (draw(N, I), *gates, draw.uniform(N, I))
    yield "dac_gradient", (v, draw(N, I), T(0.7), draw.mask(N, I), T(0.9))
    yield "exp", (v * T(20),)
    yield "input_scale", (draw.positive(N), T(2))
    yield "log", (draw.positive(N, I),)
    scale = draw.positive(N), draw.positive(N), T(1.2)
    yield "management_gradient", (draw(N), draw(N), *scale)
    yield "management_scale", (draw(N), T(0.5))
    yield "on_grid", (v, T(0.1))
    yield "on_grid", (v, T(0))
    yield "on_grid", (v, T(0.1), draw.uniform(N, I))
    yield "range_input_gradient", (v, draw(N, I), T(-0.5))
    yield "range_rule_sums", (v, draw(N, I), T(0.5))
    yield "row_abs_max", (v,)
    yield "row_max", (v,)
    yield "row_scaled", (v, draw(N))
    yield "scaled_input", (v, T(-0.7))
    yield "unclipped_fraction", (v, T(0.7))


def network_calls(T: Type, draw: Draw, N: int, O: int) -> Iterator[Call]:
    """Rectifier and loss."""
    y, label = draw(N, O) * T(5), draw.rng.integers(0, O, N)
    yield "cross_entropy", (y, label)
    yield "cross_entropy_gradient", (y, label)
    yield "relu", (y,)
    yield "relu_gradient", (draw(N, O), y)
    yield "softmax", (y,)


def quantiser_calls(T: Type, draw: Draw, N: int, I: int) -> Iterator[Call]:
    """Quantisers with a step for each row."""
    lo, hi = -draw.positive(N), draw.positive(N)
    top = T(15), np.float32(15)
    step, place = (draw.positive(N).astype(np.float32) for _ in range(2))
    grid = draw(N, I), step.astype(T), np.rint(place * 3).astype(T), T(0), top[0]
    yield "quantiser_range", (lo + T(0.5), hi - T(0.5))
    yield "asymmetric_step", (lo, hi, top[0])
    yield "symmetric_step", (lo, hi, top[0])
    for symmetric in (True, False):
        yield "code_range", (lo, 4, symmetric)
        yield "quantiser_scale", (step - np.float32(0.3), symmetric)
        yield "stored_step", (step, symmetric)
        yield "stored_step_gradient", (place, step - np.float32(0.3), symmetric)
    yield "zero_point", (place * np.float32(9), top[1])
    yield "zero_float_gradient", (step, place * np.float32(9), top[1])
    for name in ("quantised", "quantised_codes"):
        yield name, grid
    for name in ("quantised_gradient", "scale_gradient", "zero_point_gradient"):
        yield name, (draw(N, I), *grid)


def sum_calls(T: Type, draw: Draw, N: int, I: int) -> Iterator[Call]:
    """Sums of terms and products."""
    x, y = draw(N, I), draw(N, I)
    for name in ("total", "column_totals", "mean", "standard_deviation"):
        yield name, (x,)
    for name in ("product_total", "column_product_totals", "row_product_totals"):
        yield name, (x, y)


def per_sample_calls(T: Type, draw: Draw, N: int, I: int, O: int) -> Iterator[Call]:
    """Operations with a matrix for each row of the batch."""
    w, noise = draw(O, I), draw(N, O, I)
    yield "additive_noise_weight", (w, noise, T(0.1))
    yield "discretised_weight", (w, T(0.1), draw.uniform(N, O, I))
    yield "multiplicative_noise_weight", (w, noise, T(0.1))
    yield "per_sample_product", (draw(N, I), noise)
    yield "per_sample_transposed_product", (draw(N, O), noise)


def weight_calls(T: Type, draw: Draw, O: int, I: int) -> Iterator[Call]:
    """Operations on weights."""
    w = draw(O, I)
    yield "abs_max", (w,)
    yield "additive_noise_weight", (w, draw(O, I), T(0.1))
    yield "clipped_weight", (w, T(0.5))
    yield "clipped_weight", (w, T(-0.5))
    yield "discretised_weight", (w, T(0.1), None)
    yield "discretised_weight", (w, T(0), draw.uniform(2, O, I))
    yield "mapping_scales", (w, T(0.6), True)
    yield "mapping_scales", (w, T(0.6), False)
    yield "mapping_scales", (np.zeros_like(w), T(0.6), True)
    for velocity in (None, draw(O, I)):
        for momentum, nesterov in ((0, False), (0.9, False), (0.9, True)):
            for decay in (0, 0.01):
                rates = T(0.1), T(momentum), T(0.7), T(decay)
                yield "sgd_step", (w, draw(O, I), velocity, *rates, nesterov)
    yield "stored_weight", (w, draw(O))
    yield "stored_weight_gradient", (w, draw(1))


def array_calls(T: Type, draw: Draw, N: int, O: int) -> Iterator[Call]:
    """Splits and quantiles."""
    yield "split_sizes", (N * O + 1, 7)
    yield "split_sizes", (N + 1, 0)
    yield "split_sum", (draw(3, N, O),)
    x = draw(N + 1, O)
    yield "quantile", (x, x.size // 2 - 1, T(0.3))
    yield "quantile", (x, x.size - 1, T(0))


def scalar_calls(T: Type) -> Iterator[Call]:
    """Operations on scalars."""
    share = np.float32(0.97), np.float32(0.95)
    yield "gaussian_bound", (T(0.3), T(2.5), T(-1))
    yield "gaussian_bound", (T(0.3), T(2.5), T(0.1))
    yield "averaged_range", (T(1), T(2), T(0.1))
    yield "range_decay", (T(1), T(2), T(0.1), *share)
    yield "range_decay", (T(1), T(2), T(0.1), *reversed(share))
    yield "range_from_data", (T(1), T(2), T(0.1), T(3))
    yield "range_residual", (T(1), T(2), T(3))
    yield "range_rule", (T(-1.1), T(2.2), T(0.3), True, T(0.7))
    yield "range_rule", (T(-1.1), T(2.2), T(0.3), False, T(0.7))


def range_calls(T: Type, draw: Draw, N: int, I: int) -> Iterator[Call]:
    """Ranges of data, ranges to try, and their losses by either way of adding."""
    x, flat = draw(N, I), draw(1, 8 * I)
    old = -draw.positive(N), draw.positive(N)
    yield "value_range", (x,)
    yield "percentile_range", (x, np.float64(7.7), True)
    yield "percentile_range", (x, np.float64(7.7), False)
    yield "widest_range", (-draw.positive(N), draw.positive(N), *old)
    yield "moving_range", (-draw.positive(N), draw.positive(N), *old, T(0.1), T(0.9))
    yield "search_limits", (-draw.positive(3), draw.positive(3), T(0.5))
    yield "symmetric_candidates", (T(1.7), I, False)
    yield "symmetric_candidates", (T(1.7), I, True)
    yield "skewed_candidates", (T(-1.3), T(1.7), T(1.7), I, 4)
    yield "shifted_range", (T(1.7), T(-0.3), False)
    for count in (2, I + 3):
        grid = draw.positive(count), np.round(draw.positive(count)), T(0), T(3)
        yield "squared_errors", (x, *grid)
        yield "squared_errors", (flat, *grid)
    yield "softmax_losses", (draw(N + 1, I), draw.positive(2), T([0, 1]), T(0), T(15))
    losses = np.round(np.abs(draw(N, I)).astype(np.float64), 1)
    yield "least_loss", (losses, None)
    yield "least_loss", (losses, losses[:, ::-1].copy())


def manual_calls(T: Type, draw: Draw, N: int, I: int, O: int) -> Iterator[Call]:
    """Operations of the manual path."""
    mask, peak = draw.mask(N, O), draw.positive(N)
    for flag in (False, True):
        yield "output_clip_mask", (draw(N, O), T(0.7), flag)
        yield "rows_within_bound", (draw(N, O), T(1.5), flag)
    yield "masked_gradient", (draw(N, O), mask)
    yield "rate_compensation", (draw.positive(O),)
    yield "row_sum_peak", (draw(N, I),)
    yield "running_peak", (peak, T(-1), T(0.999), T(0.001))
    yield "running_peak", (peak, T(0.3), T(0.999), T(0.001))
    for limit in (T(1.5), T(np.inf)):
        yield "sum_management_scale", (peak, peak * T(3.3), T(0.6), limit)
    yield "unclipped_output_fraction", (mask, mask.size)
    yield "unclipped_output_fraction", (mask, 7)
    yield "unscaled_gradient", (draw(N, O), draw.positive(O), T(0.7))
    yield "range_growth", (T(-1.1), T(0.3), np.float32(0.7), np.float32(0.95))
    yield "range_growth", (T(-1.1), T(0.3), np.float32(0.97), np.float32(0.95))


def random_calls(count: int) -> Iterator[Call]:
    """Operations on addresses."""
    zero = np.arange(5, dtype=np.uint64)
    yield "philox", ((1, 2**32 - 1), (zero, zero + np.uint64(2**31), zero, zero))
    yield "uniform", (12345678901234567, 1, 2, 3, count)
    yield "normal", (12345678901234567, 1, 2, 3, count)
    yield "unit_circle", ((np.arange(4096) / 4096).astype(np.float32),)


def calls(T: Type, N: int = 6, I: int = 37, O: int = 23) -> list[Call]:
    """Each operation at least once."""
    draw = Draw(T, 0)
    return [
        *converter_calls(T, draw, N, I),
        *output_calls(T, draw, N, I, O),
        *input_calls(T, draw, N, I),
        *network_calls(T, draw, N, O),
        *quantiser_calls(T, draw, N, I),
        *sum_calls(T, draw, N, I),
        *per_sample_calls(T, draw, N, I, O),
        *weight_calls(T, draw, O, I),
        *array_calls(T, draw, N, O),
        *scalar_calls(T),
        *range_calls(T, draw, N, I),
        *manual_calls(T, draw, N, I, O),
        *random_calls(1001),
    ]
