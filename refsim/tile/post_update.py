"""What happens to the weights after an optimiser step: clip, then remap (clauses WP)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refsim.config import WeightClipType, WeightRemapType

from .core import finite
from .settings import typed

if TYPE_CHECKING:
    from .state import Tile


def clip(tile: Tile) -> None:
    """Limit the stored weights, to a fixed value or to a multiple of their standard deviation.

    A tile with one weight has no standard deviation: only a positive fixed value limits it then (erratum).
    """
    p, T, weight = tile.config.clip, tile.dtype, tile.parameters["weight"]
    fixed = typed(p.fixed_value, T, "clip.fixed_value")
    if p.type == WeightClipType.NONE or (
        p.type == WeightClipType.LAYER_GAUSSIAN and weight.size == 1 and fixed <= 0
    ):
        return
    bound = fixed
    if p.type == WeightClipType.LAYER_GAUSSIAN and weight.size > 1:
        deviation = finite(
            tile.ops.standard_deviation(weight), f"the standard deviation of {tile.name}"
        )
        bound = tile.ops.gaussian_bound(deviation, typed(p.sigma, T, "clip.sigma"), fixed)
    weight[...] = tile.ops.clipped_weight(weight, bound)


def remap(tile: Tile) -> None:
    """Bring the logical weights to a largest magnitude of 1, per tile or per output; zeros keep scale 1 (erratum)."""
    kind = tile.config.remap.type
    if kind == WeightRemapType.NONE:
        return
    ops, logical = tile.ops, finite(tile.logical_weight(), f"the weight of {tile.name}")
    scale = ops.mapping_scales(
        logical, tile.dtype.type(1), kind == WeightRemapType.CHANNELWISE_SYMMETRIC
    )
    tile.parameters["weight"][...] = ops.stored_weight(logical, scale)
    tile.set_scales(scale if scale.size > 1 else np.full(tile.out_size, scale[0]))
