"""What a calibration does with the inputs of one tile, by its type."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from refsim.config import InputRangeCalibrationType
from refsim.random import STREAMS, derived_seed
from refsim.spec.sums import Array, Scalar
from refsim.tile.core import finite
from refsim.tile.settings import typed


@dataclass(frozen=True)
class Settings:
    """The arguments of a calibration that its types read."""

    quantile: float
    max_samples: int
    seed: int


class Observer:
    """Sees the inputs of a tile batch by batch.

    Parameters
    ----------
    tile
        The tile, with an input range.
    settings
        Arguments of the calibration.
    number
        Number of the tile in the model.
    """

    def __init__(self, tile: Any, settings: Settings, number: int) -> None:
        self.tile, self.settings = tile, settings
        self.seed = derived_seed(settings.seed, number)
        self.batch = 0

    def see(self, rows: Array) -> None:
        """One batch ``(N, I)``, without rows of zeros, before the tile clips it."""
        if rows.size:
            self.learn(rows)
        self.batch += 1

    def learn(self, rows: Array) -> None:
        """What the type does with a batch that is not empty."""

    def finish(self, kind: InputRangeCalibrationType) -> None:
        """What the type does after the last batch."""

    def quantile(self, values: Array) -> Scalar:
        """The quantile of absolute or signed values, as the tile's choice says."""
        if self.tile.config.choices.calibration_quantile_of == "absolute":
            values = np.abs(values)
        place = np.float64(self.settings.quantile) * (values.size - 1)
        index = int(place)
        return self.tile.ops.quantile(values, index, self.tile.dtype.type(place - index))

    def store(self, r: Scalar, kind: InputRangeCalibrationType) -> None:
        """Set the range, and note where it comes from."""
        self.tile.set_input_range(r)
        p = self.tile.config.pre_post.input_range
        p.init_value, p.calibration_info = float(np.abs(r)), kind.value


class Max(Observer):
    """The largest magnitude of all batches."""

    peak: Scalar | None = None

    def learn(self, rows: Array) -> None:
        """Keep the largest magnitude."""
        peak = self.tile.ops.abs_max(rows)
        self.peak = peak if self.peak is None else max(self.peak, peak)

    def finish(self, kind: InputRangeCalibrationType) -> None:
        """Set the range, if there was an input."""
        if self.peak is not None:
            self.store(self.peak, kind)


class CacheQuantile(Observer):
    """The quantile of a sample of the rows of all batches."""

    cache: Array | None = None

    def learn(self, rows: Array) -> None:
        """Add the rows; of too many, those with the smallest deviates stay, in the order of their deviates."""
        cache = rows.copy() if self.cache is None else np.concatenate([self.cache, rows])
        if len(cache) > self.settings.max_samples:
            stream = STREAMS["calibration_cache"]
            deviates = self.tile.ops.uniform(self.seed, stream, self.batch, 0, len(cache))
            order = np.argsort(deviates, kind="stable")
            cache = cache[order[: self.settings.max_samples]]
        self.cache = cache

    def finish(self, kind: InputRangeCalibrationType) -> None:
        """Set the range, if there was an input."""
        if self.cache is not None:
            self.store(self.quantile(self.cache), kind)


class Moving(Observer):
    """A moving average over the batches, in force from the batch on that it counts."""

    def __init__(self, tile: Any, settings: Settings, number: int) -> None:
        super().__init__(tile, settings, number)
        if tile.config.choices.calibration_counter == "reset":
            tile.buffers["input_range_update_idx"][0] = 0

    @abstractmethod
    def average(self, r: Scalar, k: Scalar, rows: Array) -> Scalar | None:
        """The range after this batch, None if it does not count."""

    def learn(self, rows: Array) -> None:
        """Average range and batch."""
        stored, counter = self.tile.value("input_range"), self.tile.value("input_range_update_idx")
        r = self.average(stored[0], self.tile.dtype.type(counter[0]), rows)
        if r is not None:
            stored[0] = self.tile.checked_range(r)
            counter[0] += np.float32(1)


class MovingQuantile(Moving):
    """A moving average of the quantile of each batch."""

    def average(self, r: Scalar, k: Scalar, rows: Array) -> Scalar | None:
        """A batch counts if its quantile is positive; the quantile of 1 is the largest magnitude."""
        largest = self.settings.quantile == 1
        value = self.tile.ops.abs_max(rows) if largest else self.quantile(rows)
        return self.tile.ops.averaged_range(r, k, value) if value > 0 else None


class MovingStd(Moving):
    """A moving average of the standard deviation of each batch."""

    def average(self, r: Scalar, k: Scalar, rows: Array) -> Scalar | None:
        """A batch counts if it has a deviation and fewer than ``max_samples`` were counted."""
        ops, alpha = self.tile.ops, self.tile.config.pre_post.input_range.init_std_alpha
        if rows.size < 2 or alpha <= 0 or k >= self.settings.max_samples:
            return None
        deviation = finite(ops.standard_deviation(rows), f"the deviation of {self.tile.name}")
        factor = typed(alpha, self.tile.dtype, "init_std_alpha")
        return ops.range_from_data(r, k, deviation, factor) if deviation > 0 else None


OBSERVERS: Final[dict[InputRangeCalibrationType, type[Observer]]] = {
    InputRangeCalibrationType.MAX: Max,
    InputRangeCalibrationType.CACHE_QUANTILE: CacheQuantile,
    InputRangeCalibrationType.MOVING_QUANTILE: MovingQuantile,
    InputRangeCalibrationType.MOVING_STD: MovingStd,
}
