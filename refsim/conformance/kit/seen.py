"""What of an observation can be judged, and how it reads in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from .play import Observation

__all__ = ["ends", "equal", "in_words", "is_set", "known_entries", "known_stages", "of_quantisers"]

STARTS: Final = {"weight", "bias", "input_range", "mapping_scales", "out_scaling_alpha"}
"""State that must be finite."""


def ends(seen: Observation) -> bool:
    """Whether a range became 0, or what passes start from infinite or NaN; nothing is defined after that."""
    after = {**seen.passed, **(seen.after or {})}
    if not np.all(after.get("input_range", 1.0)):
        return True
    return any(not np.isfinite(np.asarray(after[k], float)).all() for k in STARTS & after.keys())


def is_set(value: Any) -> bool:
    """Whether an entry exists and has a value; quantisers that saw no data have none."""
    return value is not None and not np.isnan(value).any()


def known_entries(tile: Any, shown: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of a state that refsim has too, and that have a value."""
    known = {*tile.parameters, *tile.buffers, "mapping_scales"}
    return {k: v for k, v in shown.items() if k in known and is_set(v)}


def equal(got: Any, wanted: Any) -> bool:
    """Whether two entries have the same numbers, in whatever shape."""
    return np.size(got) == np.size(wanted) and np.array_equal(
        np.ravel(got), np.ravel(wanted), equal_nan=True
    )


def in_words(value: Any) -> str:
    """An array in a sentence."""
    array = np.asarray(value)
    if array.size > 4:
        return f"an array of {array.size} numbers that begins with {in_words(array.ravel()[:3])}"
    return str(array.tolist())


def of_quantisers(state: Mapping[str, Any]) -> dict[str, Any]:
    """Steps and places of zero after the pass, by which values on their grids are judged."""
    return {
        name: value
        for name, value in state.items()
        if name.endswith((".delta", ".zero_float")) and np.isfinite(value).all()
    }


def known_stages(stages: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Stages that refsim has too, and whose form fits; others are for the implementation's own use."""
    return {
        name: value
        for name, value in stages.items()
        if name in own and np.size(value) == np.size(own[name])
    }
