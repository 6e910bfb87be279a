"""What the tiles of the manual path have besides those of the autograd path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from refsim.config import IOParameters, RPUDataType
from refsim.tile import CustomTile, FloatingPointTile, InferenceTile, manual_settings
from refsim.tile import settings as tile_settings
from refsim.tile.inference import AVERAGES
from refsim.tile.settings import DATA_TYPES, Core

from .interval import Floats, Interval, point

__all__ = ["MANUAL", "Manual", "backward_core", "forward_core", "manual_of", "running_peak"]

WIDE = DATA_TYPES[RPUDataType.DOUBLE]
MANUAL = (InferenceTile, CustomTile, FloatingPointTile)


@dataclass(frozen=True)
class Manual:
    """The settings of a manual way back.

    Parameters
    ----------
    core
        Settings of the core on the way back.
    noise
        The noise that it used.
    spread
        Magnitudes of the output noise of each input gradient, None if all have the same one.
    average
        The running peak of the gradients, None without averaging.
    compensated
        Whether the rate is compensated for the mapping scales.
    masked
        Whether clipped outputs are left out.
    has_gradient
        Whether the tile has a gradient of its weight, or leaves its update to the optimiser.
    """

    core: Core
    noise: Mapping[str, Floats]
    spread: Interval | None
    average: Interval | None
    compensated: bool
    masked: bool
    has_gradient: bool


def forward_core(tile: Any) -> Core:
    """Settings of the forward pass in float64."""
    if isinstance(tile, InferenceTile):
        return manual_settings.row_core(tile.config.forward, WIDE, tile.config.choices)
    if isinstance(tile, FloatingPointTile):
        return tile_settings.core(IOParameters(is_perfect=True), WIDE)
    return tile_settings.core(tile.config.forward, WIDE, tile.config.choices.output_clip_mask)


def backward_core(tile: Any) -> Core:
    """Settings of the way back of a manual tile in float64."""
    if isinstance(tile, InferenceTile):
        return manual_settings.row_core(tile.config.backward, WIDE, tile.config.choices, "backward")
    if isinstance(tile, FloatingPointTile):
        return tile_settings.core(IOParameters(is_perfect=True), WIDE)
    return tile_settings.core(tile.config.backward, WIDE, way="backward")


def manual_of(tile: Any, core: Core, noise: Mapping[str, Floats]) -> Manual:
    """What a manual tile has besides, with the settings and the noise of its way back."""
    spread = tile.buffers.get("backward_out_noise_values")
    return Manual(
        core=core,
        noise=noise,
        spread=None if spread is None else point(spread),
        average=running_peak(tile, "backward"),
        compensated=bool(tile.config.mapping.weight_scaling_lr_compensation),
        masked=isinstance(tile, InferenceTile),
        has_gradient=not isinstance(tile, CustomTile),
    )


def running_peak(tile: Any, way: str) -> Interval | None:
    """The running peak of a pass so far, None without averaging."""
    stored = tile.buffers.get(AVERAGES[way])
    return None if stored is None else point(stored[0])
