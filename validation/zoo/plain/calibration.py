"""The input range from data, after the training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from refsim.config import InputRangeCalibrationType, NoiseManagementType

from .input_range import InputRange

Array = Any
Kind = InputRangeCalibrationType


class Calibration(InputRange):
    """The calibration of section G of the description, for one tile."""

    def calibrate(
        self,
        kind: Any,
        batches: Iterable[Array],
        quantile: float = 0.99995,
        max_samples: int = 1000,
        std_alpha: float | None = None,
    ) -> None:
        """Set the range from the inputs of all batches."""
        kind = Kind[kind] if kind in Kind.__members__ else Kind(kind)
        if kind == Kind.NONE:
            return
        self.prepare(std_alpha)
        seen = [self.nonzero_rows(np.asarray(b, self.T).reshape(-1, self.in_size)) for b in batches]
        seen = [rows for rows in seen if rows.size]
        if kind in (Kind.MAX, Kind.CACHE_QUANTILE):
            if seen:
                self.store(self.whole_range(kind, seen, quantile, max_samples), kind)
            return
        if self.config.choices.calibration_counter == "reset":
            self.values["input_range_update_idx"][0] = 0
        for rows in seen:
            self.move(self.suggestion(kind, rows, quantile, max_samples))

    def prepare(self, std_alpha: float | None) -> None:
        """A range that is not initialised from data, and no noise management."""
        p = self.config.pre_post.input_range
        if not p.enable:
            p.enable, p.learn_input_range = True, False
            self.values["input_range"] = np.full(1, p.init_value, self.T)
            self.values["input_range_update_idx"] = np.zeros(1, np.float32)
        p.init_from_data = 0
        if std_alpha is not None:
            p.init_std_alpha = std_alpha
        if self.io is not None:
            self.io.noise_management = NoiseManagementType.NONE

    def nonzero_rows(self, rows: Array) -> Array:
        """Rows that are not all zero."""
        return rows[rows.any(axis=1)]

    def whole_range(self, kind: Any, seen: list[Array], quantile: float, limit: int) -> Array:
        """The range from all batches together."""
        if kind == Kind.MAX:
            return max(np.abs(rows).max() for rows in seen)
        cache = seen[0][:0]
        for rows in seen:
            cache = np.concatenate([cache, rows])
            cache = cache if len(cache) <= limit else self.rng.permutation(cache)[:limit]
        return self.quantile(cache, quantile)

    def quantile(self, values: Array, q: float) -> Array:
        """A quantile of the magnitudes, linear between neighbours."""
        return np.quantile(self.magnitudes(values), q).astype(self.T)

    def magnitudes(self, values: Array) -> Array:
        """What quantiles are taken of."""
        return (
            np.abs(values) if self.config.choices.calibration_quantile_of == "absolute" else values
        )

    def store(self, r: Array, kind: Any) -> None:
        """Set the range."""
        self.values["input_range"] = np.full(1, abs(r), self.T)

    def suggestion(self, kind: Any, rows: Array, quantile: float, limit: int) -> Array:
        """What one batch adds to a moving average; 0 for nothing."""
        if kind == Kind.MOVING_QUANTILE:
            return np.abs(rows).max() if quantile == 1 else self.quantile(rows, quantile)
        if self.values["input_range_update_idx"][0] >= limit:
            return self.T(0)
        return self.suggested(self.deviation(rows))

    def move(self, value: Array) -> None:
        """One step of a moving average."""
        if not value > 0:
            return
        r, k = self.values["input_range"], self.values["input_range_update_idx"]
        r[0] = np.abs(self.averaged(r[0], k[0], value))
        k[0] = self.counted(k[0])
