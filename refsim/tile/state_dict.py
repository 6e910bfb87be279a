"""What a tile accepts as its state, checked as a whole before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from refsim.errors import InputError, StateError

from .arrays import of_shape

if TYPE_CHECKING:
    from .state import Tile

RANDOM_STATE = {"random_seed": 2**64 - 1, "random_step": 2**32}  # and their largest values


def accepted(tile: Tile, state: Mapping[str, object], strict: bool) -> dict[str, NDArray[Any]]:
    """The arrays of a state by name, each in the form that the tile stores.

    Mapping scales may come and go; all else is fixed by the configuration.
    """
    if not isinstance(state, Mapping):
        raise InputError(
            f"state is {type(state).__name__}, allowed are mappings of names to arrays."
        )
    known = [*tile.parameters, *tile.buffers, *RANDOM_STATE, "mapping_scales"]
    unexpected = [name for name in state if name not in known]
    missing = [name for name in known if name not in state and name != "mapping_scales"]
    if strict and (missing or unexpected):
        raise StateError(
            f"the state does not fit {tile.name}: "
            f"missing {missing or 'nothing'}, unexpected {unexpected or 'nothing'}."
        )
    return {name: _array(tile, name, state[name]) for name in known if name in state}


def _array(tile: Tile, name: str, value: object) -> NDArray[Any]:
    if name in RANDOM_STATE:
        return _address(name, value)
    if name == "mapping_scales":
        return tile.usable_scale(tile.scales_from(value))
    present = tile.value(name)
    assert present is not None
    if name in tile.may_be_unset and is_unset(value, present):
        return np.full_like(present, np.nan)
    array = of_shape(value, present.dtype, present.shape, name)
    if name == "input_range":
        tile.checked_range(array[0])
    if name.endswith("_update_idx") and (array[0] < 0 or array[0] != np.floor(array[0])):
        raise InputError(f"{name} is {array[0]}, allowed are whole numbers from 0.")
    return array


def is_unset(value: object, present: NDArray[Any]) -> bool:
    """Whether the value is the NaN of an array that nothing has set."""
    array = np.asarray(value)
    same = array.shape == present.shape and array.dtype == present.dtype
    return same and bool(np.isnan(array).all())


def _address(name: str, value: object) -> NDArray[Any]:
    number, limit = np.asarray(value), RANDOM_STATE[name]
    integral = number.shape == (1,) and number.dtype.kind in "iu"
    if not integral or not 0 <= int(number[0]) <= limit:
        raise InputError(
            f"{name} is {value!r}, allowed is an array with one integer from 0 to {limit}."
        )
    return number
