"""The entries of a state: which there are, their arithmetic, and verdicts on them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from refsim.errors import InputError, ShapeError
from refsim.tile.state_dict import RANDOM_STATE

from .arithmetic import Arithmetic
from .flow import Admissible
from .interval import Floats, Interval, point
from .plan import quantised_entries
from .problem import arrays
from .profile import BINARY32, BINARY64, Profile
from .report import StageVerdict, verdict
from .wide import arithmetic_of

__all__ = [
    "KEPT",
    "checked_entries",
    "digits_of",
    "judged",
    "kept",
    "unchanged",
    "without_random_state",
]

KEPT = {
    "weight": "MS-2",
    "bias": "PP-2",
    "out_scaling_alpha": "PP-1",
    "mapping_scales": "MS-1",
    "input_range": "IR-1",
    "input_range_update_idx": "IR-1",
    "out_noise_values": "DC-4",
    "backward_out_noise_values": "DC-4",
    "average_abs_max": "NM-8",
    "backward_average_abs_max": "NM-8",
}
"""Clauses of the entries where nothing may change them; those of quantisers belong to QU-1."""


def kept(tile: Any) -> dict[str, Any]:
    """What no optimiser step changes: buffers, and the quantisers but for what they learn."""
    entries = {**tile.buffers, **quantised_entries(tile)}
    return {name: value for name, value in entries.items() if name not in tile.parameters}


def unchanged(tile: Any) -> dict[str, Admissible]:
    """All entries as they are."""
    entries = {**tile.parameters, **kept(tile)}
    return {
        name: Admissible(KEPT.get(name, "QU-1"), name, [point(value)])
        for name, value in entries.items()
    }


def without_random_state(state: Mapping[str, object]) -> dict[str, object]:
    """A state without the address of the next random number, which is refsim's own."""
    return {name: value for name, value in state.items() if name not in RANDOM_STATE}


def checked_entries(
    tile: Any, given: Mapping[str, object], what: str, allowed: Collection[str] | None = None
) -> dict[str, Floats]:
    """Entries that the tile has, as arrays; one mapping scale may stand for all.

    Raises
    ------
    InputError, ShapeError
        If the tile has no such entry, or one of another shape.
    """
    known = {**kept(tile), **tile.parameters}
    names = [*tile.parameters, *kept(tile)] if allowed is None else allowed
    shown = arrays(given)
    for name, array in shown.items():
        if name not in names:
            raise InputError(f"{what} has the key {name!r}, allowed are {', '.join(names)}.")
        shape = np.shape(known[name]) if name in known else (tile.out_size,)
        sizes = (1, tile.out_size) if name == "mapping_scales" else (int(np.prod(shape)),)
        if array.size not in sizes:
            raise ShapeError(f"{what}[{name!r}] has shape {array.shape}, allowed is {shape}.")
    return shown


def digits_of(profile: Profile, tile: Any, name: str) -> Arithmetic:
    """The arithmetic of an entry: that of quantisers is float32 in every tile."""
    stored = {**kept(tile), **tile.parameters}.get(name)
    if stored is not None and stored.dtype == np.float32 and profile.format == BINARY64:
        return arithmetic_of(replace(profile, format=BINARY32, accumulator=BINARY32))
    return arithmetic_of(profile)


def _repeated(one: Interval, size: int) -> Interval:
    """One scale for all, written out."""
    return Interval(*(np.broadcast_to(end.reshape(-1), size) for end in (one.lo, one.hi)))


def judged(
    tile: Any,
    found: Admissible,
    profile: Profile,
    shown: Mapping[str, Floats],
    own: Mapping[str, Any],
) -> StageVerdict:
    """The verdict on an entry, with that of refsim beside it."""
    given, expected = shown[found.name].reshape(-1), own.get(found.name)
    if given.size > found.sets[0].lo.size:
        found = replace(found, sets=[_repeated(each, given.size) for each in found.sets])
    shape = found.sets[0].lo.shape
    size = int(np.prod(shape))
    value = np.broadcast_to(given, size).reshape(shape)
    if expected is not None and np.size(expected) == 1:
        expected = np.broadcast_to(np.reshape(expected, -1), size)
    return verdict(found, value, expected, digits_of(profile, tile, found.name).format)
