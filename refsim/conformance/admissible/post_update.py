"""Clip and remap of the weights after an optimiser step, on sets (clauses WP and MS)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refsim.config import RPUDataType, WeightClipType, WeightRemapType
from refsim.tile import CustomTile, FloatingPointTile, InferenceTile
from refsim.tile.settings import DATA_TYPES, typed

from .arithmetic import Arithmetic
from .deviation import deviation
from .interval import Floats, Interval, near, point, where

__all__ = ["Remapped", "clip_bound", "clipped", "mapping_scales", "remapped", "stored_weight"]

UNCLIPPED = (CustomTile, FloatingPointTile)
"""Tiles that have no step after that of the optimiser."""
WIDE = DATA_TYPES[RPUDataType.DOUBLE]


def clip_bound(tile: Any, A: Arithmetic, weight: Interval) -> Interval | None:
    """The bound of the stored weights, None if nothing limits them."""
    p = getattr(tile.config, "clip", None)
    if p is None or isinstance(tile, UNCLIPPED) or p.type == WeightClipType.NONE:
        return None
    fixed = A.setting(typed(p.fixed_value, WIDE, "clip.fixed_value"))
    if p.type == WeightClipType.FIXED_VALUE:
        return None if fixed.hi <= 0 and isinstance(tile, InferenceTile) else fixed
    if weight.lo.size == 1:
        return fixed if fixed.lo > 0 else None
    bound = A.product(A.setting(typed(p.sigma, WIDE, "clip.sigma")), deviation(A, weight))
    if fixed.lo > 0:
        bound = Interval(np.minimum(bound.lo, fixed.lo), np.minimum(bound.hi, fixed.hi))
    return bound


def clipped(A: Arithmetic, weight: Interval, bound: Interval) -> Interval:
    """Weights within a bound; one that is negative replaces them all."""
    if bound.hi < 0:
        return Interval(np.full_like(weight.lo, bound.lo), np.full_like(weight.hi, bound.hi))
    return A.clip(weight, bound)


def mapping_scales(A: Arithmetic, logical: Interval, omega: Interval, columnwise: bool) -> Interval:
    """Scales that bring the largest weight to ``omega``, 1 where there are only zeros."""
    axis = 1 if columnwise else None
    ends = (end.max(axis=axis).reshape(-1) for end in (logical.least_magnitude, logical.magnitude))
    scale = A.quotient(Interval(*ends), omega)
    ones = point(np.ones_like(scale.lo))
    return where(scale.lo > 0, scale.hi > 0, scale, ones)


def stored_weight(A: Arithmetic, logical: Interval, scale: Interval, most: float) -> Interval:
    """Logical weights over their scales, whose magnitudes are at most ``most`` but for the profile's roundings."""
    column = Interval(scale.lo[:, None], scale.hi[:, None])
    whole = A.product(A.ratio_of_equals, point(most))
    return A.clip(A.quotient(logical, column), A.widened(whole, 0 if most == 1 else 3))


@dataclass(frozen=True)
class Remapped:
    """Stored weights and mapping scales after a remap."""

    scales: Interval
    weight: Interval


def remapped(
    tile: Any, A: Arithmetic, weight: Interval, a: Interval | None, shown: Floats | None
) -> Remapped | None:
    """The weights after a remap, from the scales that the implementation shows; None if there is no remap."""
    own = hasattr(tile.config, "remap") and not isinstance(tile, UNCLIPPED)
    kind = tile.config.remap.type if own else WeightRemapType.NONE
    if kind == WeightRemapType.NONE:
        return None
    logical = weight
    stored = tile.buffers.get("mapping_scales")
    for factor in (None if stored is None else point(stored), a):
        if factor is not None:
            logical = A.product(logical, Interval(factor.lo[:, None], factor.hi[:, None]))
    columnwise = kind == WeightRemapType.CHANNELWISE_SYMMETRIC
    scales = mapping_scales(A, logical, point(1.0), columnwise)
    scales = Interval(*(np.broadcast_to(end, (tile.out_size,)) for end in (scales.lo, scales.hi)))
    usable = shown is not None and np.isfinite(shown).all() and bool(shown.all())
    used = (
        near(np.broadcast_to(shown.reshape(-1), tile.out_size), scales, A.hidden)
        if shown is not None and usable
        else scales
    )
    return Remapped(scales, stored_weight(A, logical, used, 1.0))
