"""The replay of a recorded case: every recorded result is compared.

A result agrees if it has the recorded shape and data type and every element is within ``b * (1 + |recorded|)``, with
``b = 1e-12`` in float64 and ``1e-5`` in float32: the recording library adds in an order of its own, refsim rounds each
sum once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from refsim.config import Choices
from refsim.errors import ConfigError

from . import (
    replay_arrays,
    replay_calibration,
    replay_estimators,
    replay_lightning,
    replay_manual,
    replay_quantised,
    replay_quantised_arrays,
    replay_quantiser,
    replay_tile,
)
from .comparison import CaseResult, Comparison
from .recipe import UnsupportedCase
from .vectors import Arrays, Case, Recording

__all__ = ["KINDS", "Kind", "is_input", "replay"]


class Kind(NamedTuple):
    """How a kind of case is replayed.

    Parameters
    ----------
    replay
        Compares all results of a case; raises ``UnsupportedCase`` or ``ConfigError`` before the first comparison if
        this version cannot.
    inputs
        Names of the arrays that were given to the recording library, rather than computed by it.
    """

    replay: Callable[[Recording, Case, Choices, str, Comparison], None]
    inputs: re.Pattern[str]


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "torch": Kind(replay_tile.replay_tile, replay_tile.INPUTS),
        "array": Kind(replay_arrays.replay_array, replay_arrays.INPUTS),
        "quant_array": Kind(
            replay_quantised_arrays.replay_quantised_array, replay_quantised_arrays.INPUTS
        ),
        "calibration": Kind(replay_calibration.replay_calibration, replay_calibration.INPUTS),
        "quant": Kind(replay_quantised.replay_quantised, replay_quantised.INPUTS),
        "scale_domain": Kind(replay_quantiser.replay_quantiser, replay_quantiser.INPUTS),
        "kind": Kind(replay_quantiser.replay_quantiser, replay_quantiser.INPUTS),
        "estimator": Kind(replay_estimators.replay_estimator, replay_estimators.INPUTS),
        "inference": Kind(replay_manual.replay_inference, replay_tile.INPUTS),
        "custom": Kind(replay_manual.replay_custom, replay_tile.INPUTS),
        "max_input_size": Kind(replay_lightning.replay_lightning, replay_lightning.INPUTS),
    }
)
"""Kinds of cases by the tile of the recipe or, without a recipe, by an entry that only they have."""


def _kind(case: Case) -> Kind:
    recipe = case.entries.get("spec")
    names = [recipe.get("tile")] if isinstance(recipe, dict) else list(case.entries)
    for name in names:
        if isinstance(name, str) and name in KINDS:
            return KINDS[name]
    what = (
        f"tiles of the kind {names[0]!r}"
        if isinstance(recipe, dict)
        else "cases without a recipe for a tile"
    )
    raise UnsupportedCase(f"{what} are not in this version")


def is_input(case: Case, name: str) -> bool:
    """Whether a recorded array was given to the recording library, rather than computed by it."""
    return _kind(case).inputs.fullmatch(name) is not None


def replay(
    recording: Recording, case: Case, arrays: Arrays, choices: Choices, backend: str = "cpu"
) -> CaseResult:
    """Replay one recorded case and compare every recorded result.

    Parameters
    ----------
    recording, case, arrays
        The case and its arrays, from :mod:`refsim.conformance.vectors`.
    choices
        The readings that the tile follows; the vectors are aihwkit's.
    backend
        What computes.

    Returns
    -------
    CaseResult
        Every recorded result is in ``compared`` or in ``failures``, unless the case is unsupported.
    """
    result = CaseResult(case.id)
    try:
        _kind(case).replay(recording, case, choices, backend, Comparison(arrays, result))
    except (UnsupportedCase, ConfigError) as reason:
        result.unsupported = str(reason)
        return result
    for name in arrays:
        if not is_input(case, name) and name not in result.compared:
            result.failures.setdefault(name, "refsim has no result to compare with this array.")
    return result
