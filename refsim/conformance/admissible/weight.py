"""The weight that a pass multiplies with: the stored one, or what a modifier makes of it in training (clauses WM)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from refsim.config import RPUDataType, WeightModifierType
from refsim.errors import InputError, ShapeError, StateError
from refsim.tile import modifier as own_modifier
from refsim.tile.noise import NoiseSource
from refsim.tile.settings import DATA_TYPES, grid_step, typed
from refsim.tile.stages import MODIFIER

from .arithmetic import Arithmetic
from .interval import Floats, Interval, hull, open_interval, point
from .rounding import Margin, codes, levels, margin

__all__ = ["EffectiveWeight", "effective_weight"]

WIDE = DATA_TYPES[RPUDataType.DOUBLE]
NOISE = ("weight_noise", "weight_sto_round")


@dataclass(frozen=True)
class EffectiveWeight:
    """What the weight of a pass may be.

    Parameters
    ----------
    clause
        The clause of the modifier.
    sets
        ``(O, I)``, or ``(N, O * I)`` with a sample for each row; None if only the implementation knows.
    used
        The one to go on with, that of the implementation if it shows one.
    samples
        Whether each row of the batch has a weight of its own.
    own
        What a copy of the tile goes on with, ``(O, I)`` or ``(N, O, I)``.
    ideal
        What refsim would have, None if that is not known.
    margin
        How near the weights are to a boundary, None if they are not rounded.
    """

    clause: str
    sets: Interval | None
    used: Interval
    samples: bool
    own: Any
    ideal: Any
    margin: Margin | None = None

    def transposed(self, outputs: int) -> EffectiveWeight:
        """The weight that the gradients of so many outputs are multiplied with."""
        w = self.used
        if not self.samples:
            return replace(self, used=w.T)
        shape = (len(w.lo), outputs, w.lo.shape[1] // outputs)
        ends = (end.reshape(shape).swapaxes(1, 2).reshape(end.shape) for end in (w.lo, w.hi))
        return replace(self, used=Interval(*ends))


def effective_weight(
    A: Arithmetic,
    tile: Any,
    rows: int,
    noise: Mapping[str, object] | None,
    stages: Mapping[str, Floats],
) -> EffectiveWeight:
    """The weight of a pass with so many rows.

    Raises
    ------
    InputError, ShapeError
        If noise or a shown weight does not fit.
    StateError
        If the modifier is random, and neither its deviates nor the weight are given.
    """
    given = {name: (noise or {})[name] for name in NOISE if name in (noise or {})}
    stored, shown = tile.parameters["weight"], stages.get("effective_weight")
    p = getattr(tile.config, "modifier", None)
    active = tile.training and p is not None
    clause = MODIFIER.get(p.type, "WM-2") if p is not None else "WM-2"
    needed = _needed(p) if active else None
    if needed is not None and needed not in given:
        if shown is None:
            raise StateError(
                f"the weight modifier is active in training; give its deviates as noise[{needed!r}] or the weight "
                "that was used as stages['effective_weight'], or judge in eval mode."
            )
        return _anchored(clause, None, shown, stored.shape, rows, None)
    if not active:
        return _anchored(clause, point(stored), shown, stored.shape, rows, stored)
    source = NoiseSource(tile.ops, tile.seed, tile.step, tile.dtype, (rows,), False, given)
    own = own_modifier.effective_weight(tile, source, rows)
    sets, found = _modified(A, tile, source.used.get(needed) if needed else None)
    return _anchored(clause, sets, shown, stored.shape, rows, own, found)


def _needed(p: Any) -> str | None:
    """The noise that a modifier needs, None if it is deterministic."""
    kind = p.type
    if kind in (WeightModifierType.ADD_NORMAL, WeightModifierType.MULT_NORMAL) and p.std_dev > 0:
        return "weight_noise"
    if kind == WeightModifierType.DISCRETIZE and p.sto_round:
        return "weight_sto_round"
    return None


def _modified(A: Arithmetic, tile: Any, deviates: Any) -> tuple[Interval, Margin | None]:
    """The modified weight as a set."""
    p, w = tile.config.modifier, point(tile.parameters["weight"])
    xi = None if deviates is None else np.asarray(deviates, dtype=np.float64)
    if xi is not None and xi.ndim == 3:
        xi = xi.reshape(len(xi), w.lo.size)
        w = point(np.broadcast_to(w.lo.reshape(1, -1), xi.shape))
    largest = own_modifier.largest_weight(tile)
    if p.type == WeightModifierType.DISCRETIZE:
        step = _scaled(A, grid_step(p.res, 1.0), grid_step(p.res, largest), largest)
        if step.hi == 0:
            return (w if largest == 0 else open_interval(w.lo.shape)), None
        level = levels(A, w, step, xi)
        return codes(A, level, step), margin("effective_weight", level)
    if xi is None:
        return w, None
    if p.type == WeightModifierType.ADD_NORMAL:
        return A.product_sum(
            _scaled(A, p.std_dev, p.std_dev * largest, largest), point(xi), w
        ), None
    sigma = A.setting(typed(p.std_dev, WIDE, "modifier.std_dev"))
    return A.product(w, A.product_sum(sigma, point(xi), point(1.0))), None


def _scaled(A: Arithmetic, factor: float, combined: float, largest: float) -> Interval:
    """A setting times the largest weight, combined in float64 or in the format."""
    return hull(A.setting(combined), A.product(A.setting(factor), point(largest)))


def _anchored(
    clause: str,
    sets: Interval | None,
    shown: Floats | None,
    shape: tuple[int, int],
    rows: int,
    own: Any,
    found: Margin | None = None,
) -> EffectiveWeight:
    """The weight as it is used: as shown, or the set."""
    if shown is None:
        assert sets is not None
        flat = sets.flat
        return EffectiveWeight(clause, sets, flat, own.ndim == 3, own, own, found)
    samples = shown.shape == (rows, *shape)
    if not samples and shown.shape != shape:
        raise ShapeError(
            f"stages['effective_weight'] has shape {shown.shape}, allowed is {shape} or {(rows, *shape)}."
        )
    if sets is None and not np.isfinite(shown).all():
        raise InputError(
            "stages['effective_weight'] contains NaN or infinity, allowed are finite numbers."
        )
    used = point(shown.reshape(rows, shape[0] * shape[1]) if samples else shown)
    return EffectiveWeight(clause, sets, used, samples, shown, own, found)
