"""What the quantisers of a tile are about to do: the grid they have, or how its range comes about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refsim.tile import QuantisationManager, QuantizedTorchInferenceTile
from refsim.tile.estimators import Estimator
from refsim.tile.quantisation_manager import PeripheryManager, RangeState
from refsim.tile.quantised_periphery import OUTPUT
from refsim.tile.quantised_state import STATES
from refsim.tile.quantised_torch_inference import COUNTERS
from refsim.tile.quantiser import Grid as StoredGrid
from refsim.tile.quantiser import Quantiser
from refsim.tile.state import Tile

from .flow import Flow
from .interval import Interval, point

__all__ = ["Plan", "column", "in_rows", "plans", "plans_of", "quantised_entries", "scheduled"]


@dataclass(frozen=True)
class Plan:
    """One use of a quantiser.

    Parameters
    ----------
    name
        The quantiser, as in the names of stages.
    quantiser
        Its settings.
    grid
        Its grid, None if the range is estimated from the values.
    estimator
        What estimates the range, with its memory before the pass; None if nothing does.
    state, counter
        What the schedule makes of them: the state behind the pass, and the name and value of the counter if the
        pass counts.
    """

    name: str
    quantiser: Quantiser
    grid: StoredGrid | None
    estimator: Estimator | None = None
    state: RangeState | None = None
    counter: tuple[str, float] | None = None

    @property
    def learns(self) -> bool:
        """Whether step and zero point have gradients."""
        return self.state is RangeState.LEARN


def plans(tile: QuantizedTorchInferenceTile) -> dict[str, Plan]:
    """What each quantiser does in the next pass, by its name.

    Raises
    ------
    StateError
        If a quantiser needs a range and has none.
    """
    return plans_of(tile.quantizers, tile.config, tile.training)


def plans_of(
    managers: Mapping[str, QuantisationManager], config: Any, training: bool
) -> dict[str, Plan]:
    """The same for managers of a tile or an array."""
    after = config.pre_post.periph_quant.init_learning_after
    return {name: _plan(name, manager, training, after) for name, manager in managers.items()}


def _plan(name: str, manager: QuantisationManager, training: bool, after: int) -> Plan:
    counter = None
    if name == OUTPUT or not isinstance(manager, PeripheryManager):
        state, estimates = manager.state, manager.estimates(training)
    else:
        state, estimates, count = manager.coming(training, after)
        counter = None if count is None else (COUNTERS[name], float(count))
    grid = None if estimates else manager.quantiser.grid()
    return Plan(name, manager.quantiser, grid, manager.estimator, state, counter)


def quantised_entries(tile: Tile) -> dict[str, NDArray[Any]]:
    """What the state of a tile holds of its quantisers."""
    if not isinstance(tile, QuantizedTorchInferenceTile):
        return {}
    own = (*tile.quantizers, *COUNTERS.values())
    return {
        name: value for name, value in tile.state_dict().items() if name.partition(".")[0] in own
    }


def scheduled(flow: Flow, plan: Plan) -> None:
    """Enter what the schedule makes of state and counter, as they stand in a state dict."""
    if plan.state is not None:
        flow.add("QU-1", f"{plan.name}.state", column(STATES.index(plan.state)))
    if plan.counter is not None:
        name, count = plan.counter
        flow.add("QU-1", name, column(count))


def column(values: Any) -> Interval:
    """Numbers of the state, one for each row."""
    return point(np.asarray(values, dtype=np.float64).reshape(-1, 1))


def in_rows(x: Interval, axis: int | None) -> Interval:
    """The values in rows that share a step, ``(G, M)``."""
    if axis is None:
        return Interval(x.lo.reshape(1, -1), x.hi.reshape(1, -1))
    ends = [np.moveaxis(end, axis, 0) for end in (x.lo, x.hi)]
    return Interval(*(end.reshape(len(end), -1) for end in ends))
