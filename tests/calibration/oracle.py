"""A calibration of layers one after the other in exact arithmetic; only addressed numbers come from refsim."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Any

import numpy as np

import refsim as rs
from tests.clauses import array_oracle
from tests.clauses.oracle import standard_deviation
from tests.exact import Array, Type, number, round_to
from tests.tile import oracle


@dataclass
class Arguments:
    """What a calibration is asked for."""

    kind: str
    quantile: float = 0.99995
    max_samples: int = 1000
    std_alpha: float | None = None
    seed: int = 0


@dataclass
class Layer:
    """One layer: its configuration, its state, and what its calibration has collected."""

    config: Any
    T: Type
    state: dict[str, Array]
    number: int
    seen: int = 0
    peak: Any = None
    cache: Array | None = None

    @property
    def r(self) -> Any:
        return self.state["input_range"][0]

    def output(self, x: Array, perfect: bool) -> Array:
        config = copy.deepcopy(self.config)
        config.forward.is_perfect |= perfect
        return oracle.Tile(config, self.T, False, dict(self.state)).forward(x, {})

    def quantile(self, x: Array, q: float) -> Any:
        if self.config.choices.calibration_quantile_of == "absolute":
            x = abs(x)
        place = Fraction(float(round_to(np.float64, Fraction(q) * (x.size - 1))))
        rest = round_to(self.T, place - floor(place))
        return array_oracle.quantile(x, floor(place), rest)

    def see(self, x: Array, asked: Arguments) -> None:
        rows = np.array([row for row in x if any(row)], dtype=x.dtype)
        if len(rows):
            getattr(self, asked.kind.lower())(rows, asked)
        self.seen += 1

    def max(self, rows: Array, asked: Arguments) -> None:
        peak = max(abs(v) for v in rows.flat)
        self.peak = peak if self.peak is None else max(peak, self.peak)

    def cache_quantile(self, rows: Array, asked: Arguments) -> None:
        cache = rows if self.cache is None else np.concatenate([self.cache, rows])
        if len(cache) > asked.max_samples:
            seed = rs.random.derived_seed(asked.seed, self.number)
            u = rs.random.uniform(seed, "calibration_cache", self.seen, np.arange(len(cache)))
            kept = sorted(range(len(cache)), key=lambda n: (u[n], n))[: asked.max_samples]
            cache = cache[kept]
        self.cache = cache

    def moving_quantile(self, rows: Array, asked: Arguments) -> None:
        whole = asked.quantile == 1
        self.average(
            max(abs(v) for v in rows.flat) if whole else self.quantile(rows, asked.quantile)
        )

    def moving_std(self, rows: Array, asked: Arguments) -> None:
        alpha = self.config.pre_post.input_range.init_std_alpha
        alpha = round_to(self.T, Fraction(alpha if asked.std_alpha is None else asked.std_alpha))
        if rows.size > 1 and self.state["input_range_update_idx"][0] < asked.max_samples:
            value = number(alpha) * number(standard_deviation(rows))
            self.average(self.T(value.value))

    def average(self, value: Any) -> None:
        if value > 0:
            k = self.state["input_range_update_idx"]
            r = array_oracle.averaged_range(self.r, self.T(k[0]), value)
            self.state |= {
                "input_range": np.array([r]),
                "input_range_update_idx": k + np.float32(1),
            }

    def finish(self, asked: Arguments) -> None:
        if asked.kind == "MAX" and self.peak is not None:
            self.state["input_range"] = np.array([self.peak])
        if asked.kind == "CACHE_QUANTILE" and self.cache is not None:
            r = abs(self.quantile(self.cache, asked.quantile))
            if r == 0:
                raise oracle.RefusedError
            self.state["input_range"] = np.array([r])


def calibrate(layers: list[Layer], batches: list[Array], asked: Arguments) -> None:
    """The ranges and counters of all layers."""
    whole = asked.kind in ("MAX", "CACHE_QUANTILE")
    for layer in layers:
        if not whole and layer.config.choices.calibration_counter == "reset":
            layer.state["input_range_update_idx"] = np.zeros(1, np.float32)
    for x in batches:
        for layer in layers:
            layer.see(x, asked)
            x = layer.output(x, whole)
    for layer in layers:
        layer.finish(asked)
