"""refsim's own tile in the state that an implementation shows."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from refsim.conformance.cases import Case, Step
from refsim.errors import RefsimError
from refsim.tile.state_dict import RANDOM_STATE
from refsim.tile.trace import Trace

ESTIMATOR: Final = ".estimator."
"""In the names of entries that come into being with the first batch."""

__all__ = ["Reference", "anchored", "passes"]


@dataclass(frozen=True)
class Reference:
    """What refsim does in a step.

    Parameters
    ----------
    output
        What it returns.
    gradients
        ``input`` and those of the parameters, of this pass alone; None without a backward pass.
    stages
        All intermediates by name.
    state
        The state after both passes.
    pending
        Weight updates that wait for the optimiser, of a :class:`~refsim.CustomTile`.
    clauses
        The clauses that took part.
    """

    output: Any
    gradients: dict[str, Any] | None
    stages: dict[str, Any]
    state: dict[str, Any]
    pending: list[Any]
    clauses: frozenset[str]


def anchored(case: Case, shown: Mapping[str, Any], tile: Any = None) -> Any:
    """A tile in a state that an implementation shows.

    Parameters
    ----------
    case
        The case.
    shown
        Entries of the state; those that the implementation does not show stay as they are.
    tile
        refsim's tile after the step before, by default the one at the start of the case.

    Raises
    ------
    RefsimError
        If the state is none that a tile can have.
    """
    made = case.tile() if tile is None else copy.deepcopy(tile)
    known = {*made.state_dict(), "mapping_scales"} - {*RANDOM_STATE}
    state = {k: v for k, v in made.state_dict().items() if ESTIMATOR in k}
    state |= {k: v for k, v in shown.items() if k in known or ESTIMATOR in k}
    made.load_state_dict({k: _shaped(v, made.value(k)) for k, v in state.items()}, strict=False)
    made.zero_grad()
    return made


def _shaped(shown: Any, stored: Any) -> Any:
    """A single number in the shape that refsim keeps it in."""
    one = stored is not None and np.size(shown) == np.size(stored) == 1
    return np.reshape(shown, np.shape(stored)) if one else shown


def passes(tile: Any, step: Step) -> Reference | None:
    """What refsim does in a step, on a copy of the tile; None if there is nothing that could be right."""
    twin = copy.deepcopy(tile).train(step.training)
    gradients, ahead, back = None, Trace(), Trace()
    try:
        with np.errstate(all="ignore"):
            output, ahead = twin.forward(step.x, noise=dict(step.noise) or None, trace=True)
            if step.dy is not None:
                dx, back = twin.backward(step.dy, trace=True)
                gradients = {"input": dx, **{k: v.copy() for k, v in twin.gradients.items()}}
    except RefsimError:
        return None
    pending = list(getattr(twin, "pending", ()))
    stages = {stage.name: stage.value for stage in (*back, *ahead)}
    clauses = frozenset(stage.clause for stage in (*ahead, *back))
    return Reference(output, gradients, stages, twin.state_dict(), pending, clauses)
