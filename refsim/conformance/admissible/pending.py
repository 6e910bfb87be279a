"""The weight updates that a ``CustomTile`` leaves to the optimiser step, on sets (clause MS-5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .arithmetic import Arithmetic
from .interval import Floats, Interval, hull, near, point
from .manual_backward import rate_compensation
from .sums import matrix_product

__all__ = ["pending_update"]


def pending_update(
    tile: Any,
    A: Arithmetic,
    sets: Mapping[str, Interval],
    shown: Mapping[str, Floats],
    lr: float,
) -> Interval:
    """The weight after all pending updates, with inputs in units of the range that the step has just made.

    The range is the one that the implementation shows after the step, where it does. The updates are subtracted one
    after the other, or as one product of all rows.
    """
    weight = sets["weight"]
    stored = tile.buffers.get("mapping_scales")
    compensated = stored is not None and tile.config.mapping.weight_scaling_lr_compensation
    rate = A.setting(lr)
    if compensated:
        rate = A.product(rate, rate_compensation(A, point(stored)))
    r, down = _range(A, tile, sets, shown), Interval(-rate.hi, -rate.lo)
    factors = [
        (
            _unscaled_gradient(A, point(update.h), stored, compensated),
            _scaled(A, point(update.x), r),
        )
        for update in tile.pending
    ]
    apart = weight
    for h, v in factors:
        apart = A.product_sum(down, matrix_product(A, h.T, v.T), apart)
    if len(factors) < 2:
        return apart
    h, v = (Interval(*_stacked(parts)) for parts in zip(*factors, strict=True))
    return hull(apart, A.product_sum(down, matrix_product(A, h.T, v.T), weight))


def _stacked(parts: Sequence[Interval]) -> tuple[Floats, Floats]:
    return np.concatenate([a.lo for a in parts]), np.concatenate([a.hi for a in parts])


def _range(
    A: Arithmetic, tile: Any, sets: Mapping[str, Interval], shown: Mapping[str, Floats]
) -> Interval | None:
    after = shown.get("input_range")
    if after is not None and np.isfinite(after).all() and after.all():
        return near(after.reshape(1), sets.get("input_range", point(after.reshape(1))), A.hidden)
    stored = tile.value("input_range")
    return None if stored is None else sets.get("input_range", point(stored))


def _scaled(A: Arithmetic, x: Interval, r: Interval | None) -> Interval:
    """Inputs clipped at the range, in units of it."""
    if r is None:
        return x
    clipped = A.quotient(A.clip(x, Interval(r.least_magnitude, r.magnitude)), r)
    if r.lo[0] == r.hi[0] or r.lo[0] <= 0:
        return clipped
    return A.clip(A.quotient(x, r), A.ratio_of_equals)


def _unscaled_gradient(A: Arithmetic, h: Interval, scales: Any, compensated: bool) -> Interval:
    """Gradients over scale and compensation, from those of refsim: the same formula has so many roundings more."""
    roundings = 3 if scales is not None and A.profile.reciprocal else 0
    if compensated:
        roundings = 2 * np.size(scales) + 16
    return A.loosened(h, roundings, h.magnitude)
