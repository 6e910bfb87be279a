"""Weights, ranges, scales and state of an array, from and to those of its tiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from refsim.errors import InputError, ShapeError, StateError
from refsim.spec.sums import Array

from .arrays import as_array, of_shape
from .names import by_place
from .rollback import all_or_nothing

if TYPE_CHECKING:
    from .array import TileModuleArray


def set_weights(array: TileModuleArray, weight: object, bias: object, omega: float | None) -> None:
    """Store weight and bias; each tile scales its part."""
    W = of_shape(weight, array.dtype, (array.out_size, array.in_size), "weight")
    b = array.periphery.accepted_bias(bias)
    with all_or_nothing(array.parts().values(), weights=True):
        for i, columns in enumerate(array.inputs):
            for o, rows in enumerate(array.outputs):
                part = np.ascontiguousarray(W[rows, columns])
                array.tiles[i][o].set_weights(part, weight_scaling_omega=omega)
        if b is not None:
            array.periphery.parameters["bias"][...] = b


def get_weights(array: TileModuleArray, apply_weight_scaling: bool) -> tuple[Array, Array | None]:
    """Copies of the joined weight and of the bias."""
    W = np.empty((array.out_size, array.in_size), dtype=array.dtype)
    for i, columns in enumerate(array.inputs):
        for o, rows in enumerate(array.outputs):
            W[rows, columns], _ = array.tiles[i][o].get_weights(apply_weight_scaling)
    bias = array.periphery.parameters.get("bias")
    return W, None if bias is None else bias.copy()


def input_range(array: TileModuleArray) -> Array | None:
    """The ranges by input and output split."""
    ranges = [[tile.input_range() for tile in row] for row in array.tiles]
    if any(r is None for row in ranges for r in row):
        return None
    return np.array(ranges, dtype=array.dtype)


def get_scales(array: TileModuleArray) -> Array | None:
    """The scales by input split and output."""
    scales = np.empty((len(array.inputs), array.out_size), dtype=array.dtype)
    for i, row in enumerate(array.tiles):
        for tile, rows in zip(row, array.outputs, strict=True):
            own = tile.get_scales()
            if own is None:
                return None
            scales[i, rows] = own
    return scales


def set_scales(array: TileModuleArray, value: object) -> None:
    """Set or remove the scales of all tiles."""
    given: Any = value
    if value is not None and not isinstance(value, (int, float)):
        given = as_array(value, array.dtype, "scales")
        shapes = (), (1,), (array.out_size,), (len(array.inputs), array.out_size)
        if given.shape not in shapes:
            raise ShapeError(
                f"scales has shape {given.shape}, allowed are one number, {shapes[2]} and {shapes[3]}."
            )
        if given.size > 1 or given.shape in shapes[2:]:
            given = np.broadcast_to(given, shapes[3])
    with all_or_nothing(array.parts().values()):
        for i, row in enumerate(array.tiles):
            for tile, rows in zip(row, array.outputs, strict=True):
                each = np.ndim(given) == 2
                tile.set_scales(np.ascontiguousarray(given[i, rows]) if each else given)


def load_state_dict(array: TileModuleArray, state: Mapping[str, object], strict: bool) -> None:
    """Give each part its share of a state."""
    if not isinstance(state, Mapping):
        raise InputError(
            f"state is {type(state).__name__}, allowed are mappings of names to arrays."
        )
    places, parts = by_place(state), array.parts()
    strangers = [
        place + str(name) for place in places for name in places[place] if place not in parts
    ]
    if strict and strangers:
        raise StateError(f"the state does not fit {array.name}: unexpected {strangers}.")
    with all_or_nothing(parts.values(), weights=True):
        for place, part in parts.items():
            part.load_state_dict(places.get(place, {}), strict)
