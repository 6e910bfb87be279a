"""What goes to each tile of an array, and what comes back: parts of a batch, noise, traces."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from refsim.errors import InputError
from refsim.spec.sums import Array

from .names import by_place
from .trace import Stage, Trace


def noise_by_place(
    noise: Mapping[str, object] | None, places: Collection[str]
) -> dict[str, dict[str, object]]:
    """The noise of each tile; an :class:`~refsim.InputError` if a name has no place of a tile before it."""
    if noise is None:
        return {}
    if not isinstance(noise, Mapping):
        raise InputError(
            f"noise is {type(noise).__name__}, allowed are mappings of names to arrays."
        )
    found = by_place(noise)
    for place, named in found.items():
        if place not in places:
            raise InputError(
                f"noise has the key {place + str(next(iter(named)))!r}, allowed are names of noise with the place "
                "of a tile before them, such as t0_0_out_noise."
            )
    return found


def part_of(rows: Array, columns: slice, lead: tuple[int, ...]) -> Array:
    """Some columns of a batch, in the shape in which the batch was given."""
    part = np.ascontiguousarray(rows[:, columns])
    return part.reshape(*lead, part.shape[1])


def joined(result: Any, place: str, trace: Trace) -> Array:
    """The output of a tile; its stages and noise join the trace with the place before their names."""
    if not trace.keeps:
        return result
    y, own = result
    trace.stages.extend(Stage(s.clause, place + s.name, s.value) for s in own)
    trace.noise |= {place + name: array for name, array in own.noise.items()}
    return y
