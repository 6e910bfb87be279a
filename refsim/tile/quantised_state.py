"""What the state of a quantised tile holds beside arrays: signs of codes, states of managers, memories of estimators.

They are arrays in a state dict, too: ``NAME.signed`` and ``NAME.state`` are ``(1,)`` uint8, and ``NAME.estimator.KEY``
is what the estimator remembers.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from refsim.errors import InputError, StateError
from refsim.spec.sums import Array

from .arrays import as_array
from .quantisation_manager import PeripheryManager, QuantisationManager, RangeState

if TYPE_CHECKING:
    from .quantised_torch_inference import QuantizedTorchInferenceTile

STATES = tuple(RangeState)
"""The number of a state in a state dict is its place here."""


def of(name: str, manager: QuantisationManager) -> dict[str, NDArray[Any]]:
    """The entries of one quantiser."""
    entries: dict[str, NDArray[Any]] = {
        f"{name}.signed": _byte(manager.quantiser.signed),
        f"{name}.state": _byte(STATES.index(manager.state)),
    }
    remembered = manager.estimator.state().items()
    return entries | {f"{name}.estimator.{key}": np.array(value) for key, value in remembered}


def owner(tile: QuantizedTorchInferenceTile, key: str) -> str | None:
    """The quantiser that an entry belongs to, None if it is no entry of this kind."""
    name, _, part = str(key).partition(".")
    mine = part in ("signed", "state") or part.startswith("estimator.")
    return name if name in tile.quantizers and mine else None


def accepted(
    tile: QuantizedTorchInferenceTile,
    entries: Mapping[str, object],
    others: Mapping[str, Array],
    strict: bool,
) -> dict[str, NDArray[Any]]:
    """The entries, checked; ``others`` are the arrays that come with them.

    Raises
    ------
    StateError
        If entries are missing, or do not fit one another.
    InputError
        If an entry is not of the form above.
    """
    missing = [
        key
        for name in tile.quantizers
        for key in (f"{name}.signed", f"{name}.state")
        if key not in entries
    ]
    if strict and missing:
        raise StateError(f"the state does not fit {tile.name}: missing {missing}.")
    found: dict[str, NDArray[Any]] = {}
    for key, value in entries.items():
        limit = {"signed": 2, "state": len(STATES)}.get(key.partition(".")[2])
        found[key] = _number(key, value, limit) if limit else _remembered(tile, key, value)
    for name, manager in tile.quantizers.items():
        _check(name, manager, found, others)
    return found


def _check(
    name: str, manager: QuantisationManager, found: Mapping[str, Any], others: Mapping[str, Array]
) -> None:
    """Refuse a state that no sequence of passes leads to."""
    parts = [others[key] for key in (f"{name}.delta", f"{name}.zero_float") if key in others]
    unset = {bool(np.isnan(part).any()) for part in parts} or {not manager.initialised}
    if len(unset) > 1:
        raise StateError(f"{name}.delta and {name}.zero_float must both be numbers or both NaN.")
    state = _state(found.get(f"{name}.state"))
    if state in (RangeState.FIX, RangeState.LEARN) and unset == {True}:
        raise StateError(f"{name}.state is {state.value!r}, allowed only with a range.")
    fixed = isinstance(manager, PeripheryManager) and manager.counter is None
    if state is RangeState.LEARN and fixed:
        raise StateError(f"{name}.state is {state.value!r}, but this tile does not learn it.")
    if manager.quantiser.symmetric is False and found.get(f"{name}.signed", _byte(0))[0]:
        raise StateError(f"{name}.signed is 1, allowed is 0 for a quantiser with a zero point.")
    copy.copy(manager.estimator).load(_memory(name, found))


def assign(tile: QuantizedTorchInferenceTile, values: Mapping[str, Any]) -> None:
    """Take over checked entries."""
    for name in {key.partition(".")[0] for key in values}:
        manager, state = tile.quantizers[name], _state(values.get(f"{name}.state"))
        if f"{name}.signed" in values:
            manager.quantiser.signed = bool(values[f"{name}.signed"][0])
        if state is not None:
            manager.estimator.load(_memory(name, values))
            manager.enter(state)


def _memory(name: str, values: Mapping[str, Any]) -> dict[str, Array]:
    prefix = f"{name}.estimator."
    return {key.removeprefix(prefix): v for key, v in values.items() if key.startswith(prefix)}


def _state(value: Any) -> RangeState | None:
    return None if value is None else STATES[int(value[0])]


def _byte(value: int) -> NDArray[Any]:
    return np.array([value], dtype=np.uint8)


def _number(key: str, value: object, limit: int) -> NDArray[Any]:
    number = np.asarray(value)
    whole = number.shape == (1,) and number.dtype.kind in "iu"
    if not whole or not 0 <= int(number[0]) < limit:
        raise InputError(
            f"{key} is {value!r}, allowed is an array with one integer from 0 to {limit - 1}."
        )
    return number.astype(np.uint8)


def _remembered(tile: QuantizedTorchInferenceTile, key: str, value: object) -> NDArray[Any]:
    array = np.asarray(value)
    T = array.dtype if array.dtype.kind == "f" else tile.dtype
    return as_array(array, T, key)
