"""What happens to the weights after an optimiser step: clip, then remap (clauses WP)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refsim.config import WeightClipType, WeightRemapType
from refsim.spec.sums import Array

from .core import finite
from .settings import typed

if TYPE_CHECKING:
    from .state import Tile


def clipped(tile: Tile, values: dict[str, Array]) -> dict[str, Array]:
    """Stored weights limited to a fixed value or to a multiple of their standard deviation.

    A tile with one weight has no standard deviation: only a positive fixed value limits it then (erratum).
    """
    p, T, ops, weight = tile.config.clip, tile.dtype, tile.ops, values["weight"]
    if p.type == WeightClipType.NONE:
        return values
    bound = typed(p.fixed_value, T, "clip.fixed_value")
    if p.type == WeightClipType.LAYER_GAUSSIAN and weight.size > 1:
        deviation = finite(ops.standard_deviation(weight), f"the standard deviation of {tile.name}")
        bound = ops.gaussian_bound(deviation, typed(p.sigma, T, "clip.sigma"), bound)
    elif p.type == WeightClipType.LAYER_GAUSSIAN and bound <= 0:
        return values
    return values | {"weight": ops.clipped_weight(weight, bound)}


def remapped(tile: Tile, values: dict[str, Array]) -> dict[str, Array]:
    """Logical weights brought to a largest magnitude of 1, per tile or per output; zeros keep scale 1 (erratum)."""
    kind = tile.config.remap.type
    if kind == WeightRemapType.NONE:
        return values
    ops, a = tile.ops, values.get("out_scaling_alpha")
    logical = finite(tile.logical_weight(values["weight"], a), f"the weight of {tile.name}")
    scale = ops.mapping_scales(
        logical, tile.dtype.type(1), kind == WeightRemapType.CHANNELWISE_SYMMETRIC
    )
    changed = {
        "weight": ops.stored_weight(logical, scale),
        "mapping_scales": np.broadcast_to(scale, (tile.out_size,)),
    }
    return values | changed | ({} if a is None else {"out_scaling_alpha": np.ones_like(a)})
