"""What a forward pass may leave in the state of the quantisers of a tile."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from refsim.tile.quantised_periphery import BIAS, OUTPUT, SCALE
from refsim.tile.quantised_torch_inference import COUNTERS

from .flow import Flow
from .forward import forward
from .interval import Floats
from .problem import Problem

__all__ = ["QUANTISED", "quantised_flow"]

QUANTISED = {SCALE, BIAS, OUTPUT, *COUNTERS.values()}
"""What the names of entries of quantisers begin with."""


def quantised_flow(p: Problem, stages: Mapping[str, Floats], state: Mapping[str, Floats]) -> Flow:
    """The stages of a pass if the state that is judged has to do with quantisers, none if not.

    Entries of the state are stages too: the step is judged by the extremes that the implementation remembers.
    """
    own = {name: value for name, value in state.items() if name.partition(".")[0] in QUANTISED}
    flow = Flow({**own, **stages}, hidden=p.A.hidden)
    if own and len(p.x.lo):
        with np.errstate(all="ignore"):
            forward(p, flow)
    return flow
