"""What stands behind the tiles of a quantised array, on sets: bias and outputs on grids of their own."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from refsim.tile import QuantizedTileModuleArray
from refsim.tile.quantised_periphery import BIAS, OUTPUT

from .arithmetic import Arithmetic
from .flow import Flow
from .interval import Interval, point
from .passes import GRADIENTS
from .plan import Plan, plans_of
from .quantised_periphery import finished, through_grid
from .sums import total

__all__ = ["array_entries", "array_finished", "array_own", "array_through", "is_quantised"]


def is_quantised(array: object) -> bool:
    """Whether an array has quantisers of its own."""
    return isinstance(array, QuantizedTileModuleArray)


def array_entries(array: Any) -> dict[str, Any]:
    """The state of the array itself, without that of its tiles."""
    found: dict[str, Any] = array.periphery.state_dict()
    return found


def _plans(array: Any, rows: int) -> dict[str, Plan]:
    if not rows:
        return {}
    return plans_of(array.quantizers, array.periphery.config, array.training)


def array_finished(array: Any, A: Arithmetic, flow: Flow, y: Interval) -> None:
    """Enter the stages behind the sum of the partial results."""
    bias = array.value("bias")
    row = None if bias is None else point(bias.reshape(1, -1))
    finished(A, flow, _plans(array, y.lo.shape[-2]), row, y)


def array_own(
    array: Any,
    x: object,
    noise: Mapping[str, object] | None,
    dy: object | None = None,
    before: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], Any]:
    """Stages and state of the array itself as refsim has them, and the gradient that its tiles get."""
    twin = copy.deepcopy(array)
    twin.zero_grad()
    _, ahead = twin.forward(x, noise=noise, trace=True)
    found = {stage.name: stage.value for stage in ahead} | array_entries(twin)
    if dy is None:
        return found, None
    _, back = twin.backward(dy, trace=True)
    found |= {stage.name: stage.value for stage in back}
    for name, value in (before or {}).items():
        found[GRADIENTS[name]] = (
            np.asarray(value, found[GRADIENTS[name]].dtype) + found[GRADIENTS[name]]
        )
    gradient = found.get(f"{OUTPUT}_gradient")
    return found, np.asarray(dy) if gradient is None else np.reshape(
        gradient, np.shape(np.asarray(dy))
    )


def array_through(array: Any, A: Arithmetic, flow: Flow, g: Interval) -> Interval:
    """Enter the gradients of bias and quantisers; that of the partial results."""
    plans = _plans(array, len(g.lo))
    name = "partial_sum" if array.value("bias") is None else "shifted_output"
    g = through_grid(A, flow, plans.get(OUTPUT), flow.value(name), g)
    if array.value("bias") is not None:
        sums = total(A, g, axis=0)
        row = Interval(sums.lo.reshape(1, -1), sums.hi.reshape(1, -1))
        row = flow.add("SU-3", "quantised_bias_gradient", row)
        db = through_grid(A, flow, plans.get(BIAS), flow.value("bias"), row)
        flow.add("QU-10", "bias_gradient", db)
    return g
