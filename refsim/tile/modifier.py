"""The effective weight of a training forward pass (clauses WM)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refsim.config import WeightModifierType
from refsim.spec.sums import Array

from .noise import NoiseSource
from .settings import grid_step, typed

if TYPE_CHECKING:
    from .state import Tile


def largest_weight(tile: Tile) -> float:
    """The magnitude to which modifiers relate: of the stored weight, or assumed."""
    p = tile.config.modifier
    if p.rel_to_actual_wmax:
        return float(tile.ops.abs_max(tile.parameters["weight"]))
    return float(p.assumed_wmax)


def effective_weight(tile: Tile, noise: NoiseSource, rows: int) -> Array:
    """The weight of a training pass, see :func:`modified`, which no later change of the live one reaches."""
    weight = modified(tile, noise, rows)
    return weight.copy() if weight is tile.parameters["weight"] else weight


def modified(tile: Tile, noise: NoiseSource, rows: int) -> Array:
    """Weight ``(O, I)`` with the configured modification, or ``(N, O, I)`` with a sample for every row.

    Without a modification it is the live weight itself.
    """
    ops, weight, p = tile.ops, tile.parameters["weight"], tile.config.modifier
    kind, T = p.type, tile.dtype
    shape = (rows, *weight.shape) if p.per_batch_sample else weight.shape
    if kind == WeightModifierType.ADD_NORMAL and p.std_dev > 0:
        deviates = noise.weights("weight_noise", shape)
        return ops.additive_noise_weight(weight, deviates, T.type(p.std_dev * largest_weight(tile)))
    if kind == WeightModifierType.MULT_NORMAL and p.std_dev > 0:
        deviates = noise.weights("weight_noise", shape)
        scale = typed(p.std_dev, T, "modifier.std_dev")
        return ops.multiplicative_noise_weight(weight, deviates, scale)
    if kind == WeightModifierType.DISCRETIZE:
        rounding = noise.weights("weight_sto_round", shape) if p.sto_round else None
        step = T.type(grid_step(p.res, largest_weight(tile)))
        return ops.discretised_weight(weight, step, rounding)
    return weight
