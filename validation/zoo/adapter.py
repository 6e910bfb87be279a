"""The tiles of the zoo behind the methods that the conformance kit calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from refsim.conformance.adapters import Unsupported

from .plain import CustomTile, FloatingPointTile, InferenceTile, QuantisedTile, TorchTile

Array = Any
TILES: dict[str, type] = {
    "TorchInferenceRPUConfig": TorchTile,
    "QuantizedTorchInferenceRPUConfig": QuantisedTile,
    "InferenceRPUConfig": InferenceTile,
    "CustomRPUConfig": CustomTile,
    "FloatingPointRPUConfig": FloatingPointTile,
}
"""The right tile for each class of configurations."""


class ZooAdapter:
    """A right tile, or one with changed methods.

    Parameters
    ----------
    change
        A class whose methods go before those of the right tile; None for none.
    configs
        Names of the classes of configurations that it takes; all by default.
    """

    def __init__(self, change: type | None = None, configs: Iterable[str] = tuple(TILES)) -> None:
        self.change, self.configs = change, frozenset(configs)

    def tile_class(self, config: Any) -> type:
        """The tile for a configuration."""
        name = type(config).__name__
        if name not in self.configs:
            raise Unsupported(f"no tile for {name}")
        right = TILES[name]
        if self.change is None:
            return right
        return type(self.change.__name__, (self.change, right), {})

    def create(self, config: Any, weight: Array, bias: Array | None, state: Any) -> Any:
        """A tile with this stored weight."""
        return self.tile_class(config)(config, weight, bias, state)

    def forward(self, handle: Any, x: Array, *, training: bool, noise: Mapping[str, Array]) -> Any:
        """Output for a batch."""
        with np.errstate(all="ignore"):
            return handle.forward(x, training, noise)

    def backward(self, handle: Any, dy: Array) -> Mapping[str, Array]:
        """Gradients after the last forward."""
        with np.errstate(all="ignore"):
            return handle.backward(dy)

    def step(self, handle: Any, **sgd: Any) -> None:
        """One step of SGD."""
        with np.errstate(all="ignore"):
            handle.optimise(**sgd)

    def state(self, handle: Any) -> Mapping[str, Array]:
        """Copies of the state by name."""
        return handle.snapshot()

    def save(self, handle: Any) -> Mapping[str, Any]:
        """A checkpoint."""
        return handle.saved()

    def load(self, config: Any, saved: Mapping[str, Any]) -> Any:
        """A tile from a checkpoint."""
        return self.tile_class(config).loaded(config, saved)

    def set_weights(self, handle: Any, weight: Array, bias: Array | None) -> None:
        """Weights in logical units."""
        with np.errstate(all="ignore"):
            handle.set_weights(weight, bias)

    def calibrate(self, handle: Any, calibration_type: Any, batches: Any, **options: Any) -> None:
        """Input range from data."""
        with np.errstate(all="ignore"):
            handle.calibrate(calibration_type, batches, **options)


class ShowingAdapter(ZooAdapter):
    """An adapter that shows the intermediates as well."""

    def stages(self, handle: Any) -> Mapping[str, Array]:
        """Intermediates of the last pass, named as in a trace."""
        return {name: np.array(value) for name, value in handle.shown.items()}
